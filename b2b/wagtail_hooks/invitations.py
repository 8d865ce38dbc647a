"""Invitations: hand-outs of the one code that everyone shares, in contracts without a cap."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet, TextChoices
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, DateColumn

from b2b.enums import MailState
from b2b.models import HandOut
from b2b.selectors.contracts import invitations_of
from b2b.selectors.handouts import count_open_invitations
from b2b.services.handouts.assign import replace_shared_code
from b2b.services.handouts.revoke import cancel_invitation
from b2b.wagtail_hooks.columns import TONES
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.handouts import CodeView
from b2b.wagtail_hooks.workbench import ContractListView, ContractTemplateView, said
from mitxonline.kernel import clock
from mitxonline.staff.lists import StateColumn, TemplateColumn

PER_PAGE = 50


class InvitationState(TextChoices):
    """What became of an invitation."""

    CANCELED = "canceled_invitation", _("Canceled")
    CAME = "came", _("Came")
    OPEN = "open_invitation", _("Invited")


class InvitationFilters(WagtailFilterSet):
    """What the list of invitations can be narrowed to."""

    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=InvitationState.choices,
        method="of_state",
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = HandOut
        fields: list[str] = []

    def of_state(self, found: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Open ones, those who came, or canceled ones."""
        if value == InvitationState.CAME:
            return found.filter(came=True)
        return found.filter(came=False, ended_at__isnull=value == InvitationState.OPEN)


class InvitationsView(ContractListView):
    """Who was invited, and what became of it."""

    works = True
    tab = "invitations"
    results_name = "invitations_results"
    model = HandOut
    results_template_name = "b2b/admin/list_results.html"
    none_yet = _("No one was invited yet. “Assign codes” on the codes' page sends the shared link by mail.")
    search_fields = ["email", "name"]
    default_ordering = "-given_at"
    paginate_by = PER_PAGE
    filterset_class = InvitationFilters
    verbose_name_plural = _("invitations")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TemplateColumn("email", label=_("Person"), template="b2b/admin/invited_cell.html", sort_key="email"),
            StateColumn("state", label=_("State"), tones=TONES, accessor=state_of),
            Column("course", label=_("Course"), accessor="contract_run.course_run.title"),
            DateColumn("given_at", label=_("Invited"), sort_key="given_at"),
            Column(
                "mail",
                label=_("Mail"),
                accessor=lambda each: MailState(each.mail_state).label if each.mail_state else "",
            ),
            TemplateColumn("act", label=_("Act"), template="b2b/admin/invitation_act_cell.html"),
        ]

    def get_base_queryset(self) -> QuerySet[HandOut]:
        return invitations_of(self.contract.pk)


class CancelInvitationView(ContractTemplateView):
    """End one invitation; the link in the mail goes on working, because everyone has the same."""

    works = True
    tab = "invitations"
    template_name = "b2b/admin/cancel_invitation.html"

    @cached_property
    def invitation(self) -> HandOut:
        """The invitation of this address."""
        return get_object_or_404(invitations_of(self.contract.pk), pk=self.kwargs["hand_out_id"])

    def get_page_subtitle(self) -> str:
        return gettext("Cancel an invitation")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back_url = contract_url("invitations", self.contract.pk)
        return super().get_context_data(invitation=self.invitation, back_url=back_url, **kwargs)

    def post(self, request: HttpRequest, pk: int, hand_out_id: int) -> HttpResponse:
        invitation = self.invitation

        def act() -> str:
            cancel_invitation(hand_out_id=invitation.pk, by_id=request.user.pk, now=clock.now())
            return gettext("The invitation of %(email)s is canceled.") % {"email": invitation.email}

        return said(request, act, then=contract_url("invitations", pk))


class ReplaceView(CodeView):
    """Put a new code in the place of the shared one: every link that was sent stops working."""

    template_name = "b2b/admin/replace_code.html"

    def get_page_subtitle(self) -> str:
        return gettext("Replace the shared code")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        if not self.line.is_unlimited:
            raise Http404
        return super().get_context_data(invited=count_open_invitations(self.line.contract_run_id), **kwargs)

    def post(self, request: HttpRequest, pk: int, code_id: int) -> HttpResponse:
        line = self.line
        if not line.is_unlimited:
            raise Http404

        def act() -> str:
            replace_shared_code(
                contract_run_id=line.contract_run_id,
                by_id=request.user.pk,
                now=clock.now(),
                resend=bool(request.POST.get("resend")),
            )
            return gettext("There is a new shared code. The old one lets no one in any more.")

        return said(request, act, then=self.back_url)


def state_of(invitation: Any) -> InvitationState:
    """What became of a listed invitation."""
    if invitation.came:
        return InvitationState.CAME
    return InvitationState.OPEN if invitation.ended_at is None else InvitationState.CANCELED
