"""Giving codes to people, one or many, taking them back, and the invitations to a code that everyone shares."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db.models import QuerySet, TextChoices
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn

from b2b.enums import MailState
from b2b.errors.handouts import NoSeatToGive
from b2b.models import HandOut
from b2b.selectors.codes import CodeLine, RunOfContract, code_line, runs_of
from b2b.selectors.contracts import invitations_of
from b2b.selectors.handouts import count_open_invitations
from b2b.services.handouts.assign import (
    HandOutPlan,
    HandOutRequest,
    assign_code,
    hand_out,
    plan_hand_out,
    remind_code,
    replace_shared_code,
)
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import cancel_invitation, revoke_code
from b2b.wagtail_hooks.base import TONES, ContractFormView, ContractListView, ContractPageView, contract_url
from b2b.wagtail_hooks.codes import name_run
from ecommerce.enums import CodeState
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.names import NameField
from mitxonline.kernel.people.fields import PeopleForm, PersonField
from mitxonline.staff.lists import StateColumn, TemplateColumn
from mitxonline.staff.pages import run_and_redirect

MAX_PEOPLE = 1_000
NAME_LENGTH = 255


def refusal_for_staff(refusal: DomainError) -> str:
    """The sentence of a refusal. Managers are told to ask us for seats; staff can add them."""
    return str(refusal.for_staff() if isinstance(refusal, NoSeatToGive) else refusal)


# --- One code --------------------------------------------------------------------------------------------------------


class CodeMixin:
    """A page about one code of the contract."""

    kwargs: dict[str, Any]
    contract: Any
    requires_edit = True
    tab = "codes"

    @cached_property
    def line(self) -> CodeLine:
        line = code_line(contract_id=self.contract.pk, code_id=self.kwargs["code_id"], now=clock.now())
        if line is None:
            raise Http404
        return line

    def get_success_url(self) -> str:
        """Return the list narrowed to this code, which may have a new text by now."""
        return self.get_url_of_code(self.line.pk)

    def get_url_of_code(self, code_id: int) -> str:
        text = DiscountCode.objects.values_list("text", flat=True).get(pk=code_id)
        return f"{contract_url(self.tab, self.contract.pk)}?{urlencode({'q': text})}"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(line=self.line, **kwargs)  # type: ignore[misc]  # a mixin
        return context


class AssignForm(forms.Form):
    email = PersonField(label=_("E-mail"), help_text=_("With the name, if you like: Ada Lovelace <ada@example.org>"))
    name = NameField(max_length=NAME_LENGTH, required=False)


class AssignView(CodeMixin, ContractFormView):
    """Assign this very code to someone."""

    page_subtitle = _("Assign a code")
    form_class = AssignForm
    template_name = "b2b/admin/assign_code.html"

    def perform(self, form: AssignForm) -> str:
        person = form.cleaned_data["email"]
        assign_code(
            code_id=self.line.pk,
            email=person.email,
            name=form.cleaned_data["name"] or person.name,
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return gettext("Code assigned. An e-mail with the link is on its way to %(email)s.") % {"email": person.email}

    def get_refusal_message(self, refusal: DomainError) -> str:
        return refusal_for_staff(refusal)


class RevokeView(CodeMixin, ContractPageView):
    """Take an assigned code back. The link in the e-mail stops working."""

    page_subtitle = _("Revoke a code")
    template_name = "b2b/admin/revoke_code.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        code_id = self.line.pk

        def revoke() -> str:
            revoke_code(code_id=code_id, by_id=request.user.pk, now=clock.now())
            return gettext("The code has a new text and can be assigned again. The old one no longer works.")

        return run_and_redirect(request, revoke, self.get_success_url)


class RemindView(CodeMixin, ContractPageView):
    """Remind someone of their code, at most once a day."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        line = self.line

        def send_reminder() -> str:
            remind_code(code_id=line.pk, by_id=request.user.pk, now=clock.now())
            return gettext("A reminder is on its way to %(email)s.") % {"email": line.assigned_email}

        return run_and_redirect(request, send_reminder, self.get_success_url)


class ReplaceView(CodeMixin, ContractPageView):
    """Replace the shared code. Every link that was sent stops working."""

    page_subtitle = _("Replace the shared code")
    template_name = "b2b/admin/replace_code.html"

    @cached_property
    def line(self) -> CodeLine:
        line: CodeLine = super().line
        if not line.is_unlimited:
            raise Http404
        return line

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(invited=count_open_invitations(self.line.contract_run_id), **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        contract_run_id, shown = self.line.contract_run_id, [self.line.pk]

        def replace() -> str:
            made = replace_shared_code(
                contract_run_id=contract_run_id,
                by_id=request.user.pk,
                now=clock.now(),
                resend=bool(request.POST.get("resend")),
            )
            shown[:] = [made.pk]
            return gettext("There is a new shared code. The old one no longer works.")

        return run_and_redirect(request, replace, lambda: self.get_url_of_code(shown[0]))


# --- Many codes ------------------------------------------------------------------------------------------------------


class HandOutForm(PeopleForm):
    max_people = MAX_PEOPLE

    people = forms.CharField(
        label=_("People"),
        help_text=_("One person per line, with or without a name: Ada Lovelace, ada@example.org"),
        widget=forms.Textarea(attrs={"rows": 6, "autocomplete": "off"}),
        max_length=100_000,
    )

    def __init__(self, *args: Any, runs: list[RunOfContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        current = [(str(run.pk), name_run(run)) for run in runs if not run.is_removed]
        self.fields["run"] = forms.ChoiceField(label=_("Course"), choices=current)
        self.order_fields(["run", "people", "file"])

    @property
    def recipients(self) -> list[Recipient]:
        """One for each person; the plan says which addresses are incomplete."""
        return [Recipient(person.email, person.name, person.is_unclear) for person in self.listed]


class HandOutView(ContractFormView):
    """Assign codes to many people: the list, its plan, and the same page confirms it."""

    tab = "codes"
    page_subtitle = _("Assign codes")
    form_class = HandOutForm
    template_name = "b2b/admin/hand_out.html"

    def get_form_kwargs(self) -> dict[str, Any]:
        return super().get_form_kwargs() | {"runs": runs_of(self.contract.pk)}

    def form_valid(self, form: HandOutForm) -> HttpResponse:
        wanted, now = HandOutRequest(int(form.cleaned_data["run"]), recipients=form.recipients), clock.now()
        # The people of a file are shown in the list before anything is sent.
        seen = self.request.POST.get("seen")
        if seen and not form.has_new_text:
            try:
                done = hand_out(wanted, by_id=self.request.user.pk, now=now, seen=seen)
            except DomainError as refusal:
                messages.error(self.request, refusal_for_staff(refusal))
            else:
                sentence = ngettext(
                    "A code is on its way to %(n)d person.",
                    "Codes are on their way to %(n)d people.",
                    done.people_count,
                )
                messages.success(self.request, sentence % {"n": done.people_count})
                return redirect(self._url_of_those(done, run=form.cleaned_data["run"]))
        plan = plan_hand_out(wanted, now=now)
        refusal_message = refusal_for_staff(plan.refusal) if plan.refusal is not None else ""
        heading = form.heading
        if form.has_new_text:
            form = HandOutForm({"run": form.cleaned_data["run"], "people": form.text}, runs=runs_of(self.contract.pk))
        context = self.get_context_data(form=form, plan=plan, refusal=refusal_message, heading=heading)
        return self.render_to_response(context)

    def _url_of_those(self, done: HandOutPlan, *, run: str) -> str:
        """Return the list narrowed to what was sent: among thousands of codes no one would find it."""
        if done.is_shared:
            return contract_url("invitations", self.contract.pk)
        narrowed = {"run": run, "state": CodeState.ASSIGNED.value}
        receiving = [row.email for row in done.rows if row.is_receiving_code]
        return f"{self.tab_url}?{urlencode(narrowed | ({'q': receiving[0]} if len(receiving) == 1 else {}))}"


# --- Invitations -----------------------------------------------------------------------------------------------------


class InvitationState(TextChoices):
    CANCELED = "canceled_invitation", _("Canceled")
    CAME = "came", _("Joined")
    OPEN = "open_invitation", _("Invited")


class InvitationFilters(WagtailFilterSet):
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=InvitationState.choices,
        method="filter_state",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = HandOut
        fields: list[str] = []

    def filter_state(self, found: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        if value == InvitationState.CAME:
            return found.filter(came=True)
        return found.filter(came=False, ended_at__isnull=value == InvitationState.OPEN)


def state_of_invitation(invitation: Any) -> InvitationState:
    if invitation.came:
        return InvitationState.CAME
    return InvitationState.OPEN if invitation.ended_at is None else InvitationState.CANCELED


class InvitationsView(ContractListView):
    """Who was invited to the shared code of a contract without a cap, and who of them joined."""

    tab = "invitations"
    results_name = "invitations_results"
    model = HandOut
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("No one was invited yet. “Assign codes” on the codes page e-mails the shared link.")
    search_fields = ["email", "name"]
    default_ordering = "-given_at"
    filterset_class = InvitationFilters
    verbose_name_plural = _("invitations")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TemplateColumn("email", label=_("Person"), template="b2b/admin/invited_cell.html", sort_key="email"),
            StateColumn("state", label=_("State"), tones=TONES, accessor=state_of_invitation),
            Column("course", label=_("Course"), accessor="contract_run.course_run.title"),
            DateColumn("given_at", label=_("Invited"), sort_key="given_at"),
            Column(
                "mail",
                label=_("E-mail"),
                accessor=lambda each: MailState(each.mail_state).label if each.mail_state else "",
            ),
            TemplateColumn("act", label=_("Actions"), template="b2b/admin/invitation_act_cell.html"),
        ]

    def get_base_queryset(self) -> QuerySet[HandOut]:
        return invitations_of(self.contract.pk)


class CancelInvitationView(ContractPageView):
    """Cancel one invitation. Its link keeps working, because everyone has the same."""

    requires_edit = True
    tab = "invitations"
    page_subtitle = _("Cancel an invitation")
    template_name = "b2b/admin/cancel_invitation.html"

    @cached_property
    def invitation(self) -> HandOut:
        return get_object_or_404(invitations_of(self.contract.pk), pk=self.kwargs["hand_out_id"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(invitation=self.invitation, **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        invitation = self.invitation

        def cancel() -> str:
            cancel_invitation(hand_out_id=invitation.pk, by_id=request.user.pk, now=clock.now())
            return gettext("Canceled the invitation of %(email)s.") % {"email": invitation.email}

        return run_and_redirect(request, cancel, f"{self.tab_url}?{urlencode({'q': invitation.email})}")
