"""What needs those who look after contracts: the section of the first page, and the lists of e-mails and requests."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn, TitleColumn
from wagtail.permission_policies import ModelPermissionPolicy

from b2b.models import ContractPage, HandOutMail, SeatRequest
from b2b.selectors.contracts import seats_of
from b2b.selectors.needs import ContractNeed, contracts_needing, failed_mails, open_seat_requests
from b2b.services.handouts.mails import send_again
from b2b.services.seats.requests import close_seat_request
from b2b.wagtail_hooks.base import NAMESPACE, SEE_CONTRACTS, can_edit_contract, contract_url
from mitxonline.kernel import clock
from mitxonline.staff.lists import StaffIndexView, TemplateColumn
from mitxonline.staff.needs import NEEDS, Need, NeedsSection
from mitxonline.staff.pages import StaffButtonView, StaffFormPage

TONES = {ContractNeed.FAILED: "bad", ContractNeed.WAITING: "plain", ContractNeed.DRAFT: "plain"}


class FailedMailsIndex(StaffIndexView):
    """E-mails about codes that did not arrive, in all contracts this user may edit."""

    permission_policy = ModelPermissionPolicy(ContractPage)
    permission_required = "change"
    model = HandOutMail
    page_title = _("Failed e-mails")
    header_icon = "mail"
    index_url_name = f"{NAMESPACE}:failed_mails"
    index_results_url_name = f"{NAMESPACE}:failed_mails_results"
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("Every e-mail was sent.")
    search_fields = ("hand_out__email", "hand_out__name", "hand_out__contract_run__contract__name")
    default_ordering = "-queued_at"
    columns: ClassVar[list[Column]] = [
        TitleColumn(
            "email",
            label=_("Recipient"),
            accessor="hand_out.email",
            sort_key="hand_out__email",
            get_url=lambda mail: (
                contract_url("codes", mail.hand_out.contract_run.contract_id) + f"?q={mail.hand_out.email}"
            ),
        ),
        Column("contract", label=_("Contract"), accessor="hand_out.contract_run.contract.name"),
        Column("course", label=_("Course"), accessor="hand_out.contract_run.course_run.title"),
        Column("reason", label=_("Reason"), accessor=lambda mail: describe_failure(mail)),
        DateColumn("queued_at", label=_("Queued"), sort_key="queued_at"),
        TemplateColumn("act", label=_("Actions"), template="b2b/admin/failed_mail_act_cell.html"),
    ]

    def get_base_queryset(self) -> QuerySet[HandOutMail]:
        mails = failed_mails(self.request.user, now=clock.now(), today=clock.today())
        return mails.select_related("hand_out__contract_run__contract", "hand_out__contract_run__course_run")


def describe_failure(mail: HandOutMail) -> str:
    state = str(mail.current_state(now=clock.now()).label)
    return f"{state}: {gettext(mail.reason)}" if mail.reason else state


class SendMailAgainView(StaffButtonView):
    """Send one failed e-mail again."""

    permission_policy = ModelPermissionPolicy(ContractPage)
    permission_required = "change"

    def perform(self) -> str:
        mails = failed_mails(self.request.user, now=clock.now(), today=clock.today())
        mail = get_object_or_404(mails, pk=self.kwargs["mail_id"])
        sent = send_again(hand_out_ids=[mail.hand_out_id], by_id=self.request.user.pk, now=clock.now())
        return ngettext("Sending %(count)d e-mail again.", "Sending %(count)d e-mails again.", sent) % {"count": sent}

    def get_success_url(self) -> str:
        return reverse(f"{NAMESPACE}:failed_mails")


class SeatRequestIndex(StaffIndexView):
    """Managers' open requests for more seats, in all contracts this user may edit."""

    permission_policy = ModelPermissionPolicy(ContractPage)
    permission_required = "change"
    model = SeatRequest
    page_title = _("Requests for seats")
    header_icon = "group"
    index_url_name = f"{NAMESPACE}:seat_requests"
    index_results_url_name = f"{NAMESPACE}:seat_requests_results"
    results_template_name = "b2b/admin/list_results.html"
    empty_message = _("No one is waiting for more seats.")
    search_fields = ("contract__name", "asked_by__email", "asked_by__name", "message")
    default_ordering = "asked_at"
    columns: ClassVar[list[Column]] = [
        TitleColumn(
            "contract",
            label=_("Contract"),
            accessor="contract.name",
            sort_key="contract__name",
            get_url=lambda request: contract_url("seat_request", request.contract_id, request.pk),
        ),
        Column("organization", label=_("Organization"), accessor="contract.terms.organization.name"),
        NumberColumn("seats", label=_("More seats"), sort_key="seats"),
        Column("by", label=_("Asked by"), accessor=lambda ask: ask.asked_by.display_name if ask.asked_by else "–"),
        Column("message", label=_("Message")),
        DateColumn("asked_at", label=_("Asked"), sort_key="asked_at"),
    ]

    def get_base_queryset(self) -> QuerySet[SeatRequest]:
        requests = open_seat_requests(self.request.user, today=clock.today())
        return requests.select_related("contract__terms__organization", "asked_by")


class SeatAnswerForm(forms.Form):
    answer = forms.CharField(
        label=_("Answer"),
        required=False,
        max_length=500,
        help_text=_("E-mailed to the person who asked. Change the seats in the contract’s terms first."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class SeatRequestView(StaffFormPage):
    """One request: who asks for how many seats, the seats of the contract, and the answer that closes it."""

    permission_policy = ModelPermissionPolicy(ContractPage)
    permission_required = "change"
    model = SeatRequest
    form_class = SeatAnswerForm
    template_name = "b2b/admin/seat_request.html"
    header_icon = "group"

    @cached_property
    def seat_request(self) -> SeatRequest:
        requests = SeatRequest.objects.select_related("contract__terms__organization", "asked_by", "closed_by")
        found: SeatRequest = get_object_or_404(requests, pk=self.kwargs["request_id"], contract=self.kwargs["pk"])
        return found

    def user_has_permission(self, permission: str) -> bool:
        return super().user_has_permission(permission) and can_edit_contract(
            self.request.user, self.seat_request.contract
        )

    def get_page_title(self) -> str:
        return gettext("More seats in %(contract)s") % {"contract": self.seat_request.contract.name}

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{NAMESPACE}:seat_requests"), gettext("Requests for seats"))]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        contract = self.seat_request.contract
        return super().get_context_data(
            asked=self.seat_request,
            seats=seats_of(contract.pk),
            edit_url=reverse("wagtailadmin_pages:edit", args=[contract.pk]),
            terms_url=contract_url("terms", contract.pk),
            **kwargs,
        )

    def perform(self, form: SeatAnswerForm) -> str:
        close_seat_request(
            request_id=self.seat_request.pk,
            answer=form.cleaned_data["answer"],
            by_id=self.request.user.pk,
            now=clock.now(),
        )
        return gettext("The request is closed.")

    def get_success_url(self) -> str:
        return reverse(f"{NAMESPACE}:seat_requests")


@hooks.register(NEEDS, order=20)
def add_contract_needs(request: HttpRequest) -> NeedsSection | None:
    user, today = request.user, clock.today()
    if not user.has_perm(SEE_CONTRACTS):
        return None
    url = reverse(f"{NAMESPACE}:index")
    needs = [
        Need(
            need.label, contracts_needing(need, user=user, today=today), f"{url}?needs={need}", TONES.get(need, "warn")
        )
        for need in ContractNeed
    ]
    if user.has_perm("b2b.change_contractpage"):
        requests, mails = f"{NAMESPACE}:seat_requests", f"{NAMESPACE}:failed_mails"
        needs[:0] = [Need(_("Requests for seats"), open_seat_requests(user, today=today), reverse(requests))]
        failed = failed_mails(user, now=clock.now(), today=today)
        needs.append(Need(_("Failed e-mails"), failed, reverse(mails), "bad"))
    return NeedsSection("contracts", _("Contracts"), tuple(needs))
