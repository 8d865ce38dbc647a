"""The members of a contract: who is in it, how they joined, and adding, removing and moving them by hand."""

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
from b2b.services.seats.bulk import ChangeMembers, MembershipChange, change_members
from b2b.services.seats.membership import remove_member
from b2b.services.seats.moving import MoveMembers, move_members, plan_move_members
from b2b.wagtail_hooks.base import (
    TONES,
    ContractFormView,
    ContractListView,
    ContractPageView,
    can_edit_contract,
    contract_url,
)
from mitxonline.kernel import clock
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.people.fields import PeopleForm
from mitxonline.kernel.text import normalize_email
from mitxonline.staff.lists import StateColumn, TemplateColumn
from mitxonline.staff.pages import UNPROCESSABLE, ReasonForm
from mitxonline.users.models import User


class MemberFilters(WagtailFilterSet):
    state = django_filters.ChoiceFilter(
        label=_("State"), choices=MembershipState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    source = django_filters.ChoiceFilter(
        label=_("Joined by"), choices=MembershipSource.choices, empty_label=_("All"), widget=forms.RadioSelect
    )

    class Meta:
        model = ContractMembership
        fields: list[str] = []


class MembersView(ContractListView):
    """Everyone who has a seat, or holds one in an order."""

    tab = "members"
    results_name = "members_results"
    model = ContractMembership
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("No one has a seat yet.")
    search_fields = ["user__email", "user__name"]
    default_ordering = "-since"
    filterset_class = MemberFilters
    verbose_name_plural = _("members")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TemplateColumn("person", label=_("Person"), template="b2b/admin/person_cell.html", sort_key="user__name"),
            StateColumn("state", label=_("State"), tones=TONES, accessor=lambda seat: MembershipState(seat.state)),
            Column("source", label=_("Joined by"), accessor="get_source_display", sort_key="source"),
            DateColumn("since", label=_("Since"), sort_key="since"),
            Column("added_by", label=_("Added by"), accessor=lambda seat: seat.added_by.name if seat.added_by else ""),
            TemplateColumn("act", label=_("Actions"), template="b2b/admin/member_act_cell.html"),
        ]

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if self.terms is None:
            return []
        url = contract_url("add_member", self.contract.pk)
        return [HeaderButton(gettext("Add people"), url=url, icon_name="plus")]

    def get_base_queryset(self) -> QuerySet[ContractMembership]:
        return members_of(self.contract.pk)


class AccountsForm(PeopleForm):
    people_field = "emails"
    field_order = ["emails", "file"]
    accounts: list[User]

    emails = forms.CharField(
        label=_("E-mail addresses"),
        help_text=_("One a line. These people need accounts here; to invite others, assign codes to them."),
        widget=forms.Textarea(attrs={"rows": 5, "autocomplete": "off"}),
        max_length=20_000,
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if not self.errors:
            try:
                self.accounts = self._find_accounts()
            except forms.ValidationError as error:
                self.add_error("emails", error)
        return cleaned

    def _find_accounts(self) -> list[User]:
        """Find the accounts; refuse the list as a whole if one is missing."""
        unclear = [person.email for person in self.listed if person.is_unclear]
        if self.list.doubtful_heading:
            unclear.insert(0, self.list.doubtful_heading)
        if unclear:
            unclear_sentence = _("Write one person per line. We can’t tell who this is: %(lines)s.")
            raise forms.ValidationError(unclear_sentence % {"lines": " · ".join(unclear)})
        emails = dict.fromkeys(normalize_email(person.email or person.name) for person in self.listed)
        found = {user.email: user for user in User.objects.filter(email__in=list(emails), is_active=True)}
        missing = [email for email in emails if email not in found]
        if missing:
            sentence = ngettext(
                "No one has an account with this address: %(addresses)s.",
                "No one has an account with these addresses: %(addresses)s.",
                len(missing),
            )
            raise forms.ValidationError(sentence % {"addresses": ", ".join(missing)})
        return [found[email] for email in emails]


class AddMembersView(ContractFormView):
    """Add people by hand: all of them, or no one."""

    tab = "members"
    page_subtitle = _("Add people")
    form_class = AccountsForm
    template_name = "b2b/admin/add_members.html"

    def perform(self, form: AccountsForm) -> str:
        people = form.accounts
        change_members(
            ChangeMembers(self.contract.pk, [MembershipChange(email=person.email, joins=True) for person in people]),
            reason="",
            now=clock.now(),
            by_id=self.request.user.pk,
            at_once=True,
        )
        done = ngettext("%(n)d person now has a seat.", "%(n)d people now have seats.", len(people))
        return done % {"n": len(people)}


class MemberMixin:
    """A page about one person's seat."""

    kwargs: dict[str, Any]
    contract: Any
    requires_edit = True
    tab = "members"

    @cached_property
    def seat(self) -> ContractMembership:
        return get_object_or_404(members_of(self.contract.pk), pk=self.kwargs["seat_id"])

    @property
    def person_name(self) -> str:
        return self.seat.user.name or self.seat.user.email

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(seat=self.seat, **kwargs)  # type: ignore[misc]  # a mixin
        return context


class RemoveMemberView(MemberMixin, ContractFormView):
    """Take someone's seat away, with a reason."""

    page_subtitle = _("Remove a member")
    form_class = ReasonForm
    template_name = "b2b/admin/remove_member.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(came_with_code=self.seat.code_use_id is not None, **kwargs)

    def perform(self, form: ReasonForm) -> str:
        name = self.person_name
        remove_member(
            contract_id=self.contract.pk,
            user_id=self.seat.user_id,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
            removed_by_id=self.request.user.pk,
        )
        return gettext("%(person)s no longer has a seat.") % {"person": name}


class ContractChoiceField(forms.ModelChoiceField[ContractPage]):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.organization_name}: {obj.name}"


class TargetForm(forms.Form):
    """The contract someone moves to: published, and one that this user may edit."""

    target = ContractChoiceField(label=_("Move to"), queryset=ContractPage.objects.none())

    def __init__(self, *args: Any, user: Any, leaving: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        editable = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
        published = list_contracts(today=clock.today()).filter(terms__isnull=False, pk__in=editable.values("pk"))
        queryset = published.exclude(pk=leaving.pk).order_by("organization_name", "name", "pk")
        self.fields["target"] = ContractChoiceField(label=_("Move to"), queryset=queryset)

    def clean_target(self) -> ContractPage:
        # The queryset knows Wagtail's page permissions; the page itself also asks for the right to change contracts.
        target: ContractPage = self.cleaned_data["target"]
        if not can_edit_contract(self.user, target):
            raise forms.ValidationError(_("You can’t edit this contract. Choose another one."))
        return target


class MoveMemberView(MemberMixin, ContractPageView):
    """Move someone to another contract with their courses: choose the contract, check the plan, move."""

    page_subtitle = _("Move a member")
    template_name = "b2b/admin/move_member.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if "target" not in request.GET:
            return self.render_to_response(self.get_context_data(choice=self._target_form(None)))
        return self._render_plan(self._target_form(request.GET), ReasonForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        choice, form = self._target_form(request.POST), ReasonForm(request.POST)
        if not (choice.is_valid() and form.is_valid()):
            return self._render_plan(choice, form, status=UNPROCESSABLE)
        target, name = choice.cleaned_data["target"], self.person_name
        with refusals_on(choice, "target"):
            move_members(
                MoveMembers(self.contract.pk, target.pk, [self.seat.user.email]),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
                by_id=request.user.pk,
            )
        if not choice.is_valid():
            return self._render_plan(choice, form, status=UNPROCESSABLE)
        sentence = gettext("%(person)s moved to “%(contract)s”.")
        messages.success(request, sentence % {"person": name, "contract": target.name})
        return redirect(self.tab_url)

    def _target_form(self, data: Any) -> TargetForm:
        return TargetForm(data, user=self.request.user, leaving=self.contract)

    def _render_plan(self, choice: TargetForm, form: ReasonForm, *, status: int = 200) -> HttpResponse:
        context: dict[str, Any] = {"choice": choice, "form": form}
        if choice.is_valid():
            target = choice.cleaned_data["target"]
            with refusals_on(choice, "target"):
                (move,) = plan_move_members(MoveMembers(self.contract.pk, target.pk, [self.seat.user.email]))
                context |= {"target": target, "move": move, "seats": seats_of(target.pk)}
        if not choice.is_valid():
            status = UNPROCESSABLE
        return self.render_to_response(self.get_context_data(**context), status=status)
