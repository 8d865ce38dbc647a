"""The members of a contract: who is in it, by which door, and letting people in and out by hand."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permission_policies.pages import PagePermissionPolicy

from b2b.enums import MembershipSource, MembershipState
from b2b.models import ContractMembership, ContractPage
from b2b.selectors.contracts import list_contracts, members_of, seats_of
from b2b.services.seats.bulk import ChangeMembers, Wish, change_members
from b2b.services.seats.membership import remove_member
from b2b.services.seats.moving import MoveMembers, move_members, plan_move_members
from b2b.wagtail_hooks.columns import TONES
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.rights import may_work_on
from b2b.wagtail_hooks.workbench import ContractListView, ContractTemplateView, said
from mitxonline.kernel import clock
from mitxonline.kernel.addresses import parse_people
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.text import normalize_email
from mitxonline.staff.lists import StateColumn, TemplateColumn
from mitxonline.users.models import User

PER_PAGE = 50
REASON_LENGTH = 200


class MemberFilters(WagtailFilterSet):
    """What the list of members can be narrowed to."""

    state = django_filters.ChoiceFilter(
        label=_("State"), choices=MembershipState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    source = django_filters.ChoiceFilter(
        label=_("Came in by"), choices=MembershipSource.choices, empty_label=_("All"), widget=forms.RadioSelect
    )

    class Meta:
        model = ContractMembership
        fields: list[str] = []


class MembersView(ContractListView):
    """Everyone who has a seat, or is about to."""

    works = True
    tab = "members"
    results_name = "members_results"
    model = ContractMembership
    results_template_name = "b2b/admin/list_results.html"
    none_yet = _("No one has a seat yet.")
    search_fields = ["user__email", "user__name"]
    default_ordering = "-since"
    paginate_by = PER_PAGE
    filterset_class = MemberFilters
    verbose_name_plural = _("members")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TemplateColumn("person", label=_("Person"), template="b2b/admin/person_cell.html", sort_key="user__name"),
            StateColumn("state", label=_("State"), tones=TONES, accessor=lambda seat: MembershipState(seat.state)),
            Column("source", label=_("Came in by"), accessor="get_source_display", sort_key="source"),
            DateColumn("since", label=_("Since"), sort_key="since"),
            Column("added_by", label=_("Added by"), accessor=lambda seat: seat.added_by.name if seat.added_by else ""),
            TemplateColumn("act", label=_("Act"), template="b2b/admin/member_act_cell.html"),
        ]

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.terms is None:
            return []
        url = contract_url("add_member", self.contract.pk)
        return [HeaderButton(gettext("Add people"), url=url, icon_name="plus")]

    def get_base_queryset(self) -> QuerySet[ContractMembership]:
        return members_of(self.contract.pk)


class PeopleForm(forms.Form):
    """Addresses of people who have accounts."""

    emails = forms.CharField(
        label=_("E-mail addresses"),
        help_text=_("One on each line. They need accounts here; to invite others, assign codes to them."),
        widget=forms.Textarea(attrs={"rows": 5, "autocomplete": "off"}),
        max_length=20_000,
    )

    def clean_emails(self) -> list[User]:
        """The people, all of them; or a sentence that names those no one knows."""
        wanted = dict.fromkeys(normalize_email(person.email) for person in parse_people(self.cleaned_data["emails"]))
        found = {user.email: user for user in User.objects.filter(email__in=list(wanted), is_active=True)}
        missing = [email for email in wanted if email not in found]
        if missing:
            sentence = ngettext(
                "No one has an account with this address: %(addresses)s.",
                "No one has an account with these addresses: %(addresses)s.",
                len(missing),
            )
            raise forms.ValidationError(sentence % {"addresses": ", ".join(missing)})
        return [found[email] for email in wanted]


class AddMembersView(ContractTemplateView):
    """Let people in by hand: all of those typed, or no one."""

    works = True
    tab = "members"
    template_name = "b2b/admin/add_members.html"

    def get_page_subtitle(self) -> str:
        return gettext("Add people")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context.setdefault("form", PeopleForm())
        context["back_url"] = contract_url("members", self.contract.pk)
        return context

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Every seat is asked for at the door everyone uses; one refusal undoes them all and nothing typed is lost."""
        form = PeopleForm(request.POST)
        if form.is_valid():
            people = form.cleaned_data["emails"]
            wishes = [Wish(email=person.email, joins=True) for person in people]
            try:
                change_members(
                    ChangeMembers(contract_id=pk, wishes=wishes),
                    reason="",
                    now=clock.now(),
                    by_id=request.user.pk,
                    at_once=True,
                )
            except DomainError as refusal:
                form.add_error(None, str(refusal))
            else:
                done = ngettext("%(n)d person has a seat.", "%(n)d people have seats.", len(people))
                messages.success(request, done % {"n": len(people)})
                return redirect(contract_url("members", pk))
        return self.render_to_response(self.get_context_data(form=form), status=422)


class ReasonForm(forms.Form):
    """Why someone has to go; it is noted with who did it."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=REASON_LENGTH,
        help_text=_("Only staff read it. No addresses or codes, please."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class MemberView(ContractTemplateView):
    """A page about one person's seat."""

    works = True
    tab = "members"

    @cached_property
    def seat(self) -> ContractMembership:
        """The seat of this address."""
        return get_object_or_404(members_of(self.contract.pk), pk=self.kwargs["seat_id"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(seat=self.seat, **kwargs)
        context["back_url"] = contract_url("members", self.contract.pk)
        return context


class RemoveMemberView(MemberView):
    """Take someone's seat away, after what that means was read."""

    template_name = "b2b/admin/remove_member.html"

    def get_page_subtitle(self) -> str:
        return gettext("Remove a member")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(came_with_code=self.seat.code_use_id is not None, **kwargs)
        context.setdefault("form", ReasonForm())
        return context

    def post(self, request: HttpRequest, pk: int, seat_id: int) -> HttpResponse:
        form = ReasonForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form), status=422)
        seat = self.seat

        def act() -> str:
            remove_member(
                contract_id=pk,
                user_id=seat.user_id,
                reason=form.cleaned_data["reason"],
                now=clock.now(),
                removed_by_id=request.user.pk,
            )
            return gettext("%(person)s has no seat any more.") % {"person": seat.user.name or seat.user.email}

        return said(request, act, then=contract_url("members", pk))


class ContractChoiceField(forms.ModelChoiceField[ContractPage]):
    """Contracts, with whose they are."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.organization_name}: {obj.name}"


class TargetForm(forms.Form):
    """The contract someone moves to: published, and one this person may work on."""

    target = ContractChoiceField(label=_("Move to"), queryset=ContractPage.objects.none())

    def __init__(self, *args: Any, user: Any, leaving: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        mine = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
        published = list_contracts(today=clock.today()).filter(terms__isnull=False, pk__in=mine.values("pk"))
        found = published.exclude(pk=leaving.pk).order_by("organization_name", "name", "pk")
        self.fields["target"] = ContractChoiceField(label=_("Move to"), queryset=found)

    def clean_target(self) -> ContractPage:
        """The contract, with the rights to it looked at once more."""
        target: ContractPage = self.cleaned_data["target"]
        if not may_work_on(self.user, target):
            raise forms.ValidationError(_("You have no rights to this contract. Choose another one."))
        return target


class MoveMemberView(MemberView):
    """Move someone to another contract with their courses: the contract is chosen, the plan shown, then it is done."""

    template_name = "b2b/admin/move_member.html"

    def get_page_subtitle(self) -> str:
        return gettext("Move a member")

    def get(self, request: HttpRequest, pk: int, seat_id: int) -> HttpResponse:
        """The choice, and once it is made what follows from it."""
        if "target" not in request.GET:
            return self.render_to_response(self.get_context_data(choice=self._choice(None)))
        return self._show(self._choice(request.GET), ReasonForm())

    def post(self, request: HttpRequest, pk: int, seat_id: int) -> HttpResponse:
        choice, form = self._choice(request.POST), ReasonForm(request.POST)
        if not (choice.is_valid() and form.is_valid()):
            return self._show(choice, form, status=422)
        target, person = choice.cleaned_data["target"], self.seat.user
        try:
            move_members(
                MoveMembers(from_id=pk, to_id=target.pk, emails=[person.email]),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
                by_id=request.user.pk,
            )
        except DomainError as refusal:
            choice.add_error("target", str(refusal))
            return self._show(choice, form, status=422)
        moved = gettext("%(person)s moved to “%(contract)s”.")
        messages.success(request, moved % {"person": person.name or person.email, "contract": target.name})
        return redirect(contract_url("members", pk))

    def _choice(self, data: Any) -> TargetForm:
        return TargetForm(data, user=self.request.user, leaving=self.contract)

    def _show(self, choice: TargetForm, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        """The plan of what was chosen; a choice that can't be is refused beside it."""
        context: dict[str, Any] = {"choice": choice, "form": form}
        if choice.is_valid():
            target, person = choice.cleaned_data["target"], self.seat.user
            try:
                (move,) = plan_move_members(
                    MoveMembers(from_id=self.contract.pk, to_id=target.pk, emails=[person.email])
                )
                context |= {"target": target, "move": move, "seats": seats_of(target.pk)}
            except DomainError as refusal:
                choice.add_error("target", str(refusal))
        if not choice.is_valid():
            status = 422
        return self.render_to_response(self.get_context_data(**context), status=status)
