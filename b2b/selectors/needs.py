"""Contracts, e-mails and requests that wait for staff. Counts of the first page and their lists ask these functions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery, TextChoices
from django.utils.translation import gettext_lazy as _
from wagtail.permission_policies.pages import PagePermissionPolicy

from b2b.enums import ContractStanding, ReconcileState
from b2b.models import ContractPage, HandOutMail, Reconcile, SeatRequest
from b2b.selectors.contracts import list_contracts
from ecommerce.models import CodeUse

ENDS_SOON = timedelta(days=30)
# A contract that ends is of interest while people are in it or may still join.
RUNNING = (ContractStanding.OPEN, ContractStanding.FULL)


class ContractNeed(TextChoices):
    """Why staff look at a contract."""

    FULL = "full", _("Full")
    ENDING = "ending", _("Ending in 30 days")
    FAILED = "failed", _("Updates that failed")
    WAITING = "waiting", _("Updates that wait")
    DRAFT = "draft", _("Unpublished drafts")


def contracts_for(user: Any, *, today: date) -> QuerySet[ContractPage]:
    """Return the contracts this user looks after: those they may edit, or all where they may only read."""
    contracts = list_contracts(today=today)
    policy = PagePermissionPolicy()
    if user.is_superuser or not policy.user_has_permission(user, "change"):
        return contracts
    return contracts.filter(pk__in=policy.instances_user_has_permission_for(user, "change").values("pk"))


def contracts_needing(need: str, *, user: Any, today: date) -> QuerySet[ContractPage]:
    """Return the contracts this user looks after that need it."""
    contracts: QuerySet[Any] = contracts_for(user, today=today)
    if need == ContractNeed.FULL:
        return contracts.filter(state=ContractStanding.FULL)
    if need == ContractNeed.ENDING:
        return contracts.filter(state__in=RUNNING, terms__end__lte=today + ENDS_SOON)
    if need == ContractNeed.DRAFT:
        return contracts.filter(has_unpublished_changes=True)
    last = Reconcile.objects.filter(contract=OuterRef("pk")).order_by("-pk")
    contracts = contracts.annotate(last_update=Subquery(last.values("state")[:1]))
    if need == ContractNeed.FAILED:
        return contracts.filter(last_update=ReconcileState.FAILED)
    return contracts.filter(last_update__in=[ReconcileState.WAITING, ReconcileState.RUNNING])


def failed_mails(user: Any, *, now: datetime, today: date) -> QuerySet[HandOutMail]:
    """Return e-mails that weren't sent, or may not have been, to people who haven't used their code either."""
    uses = CodeUse.objects.live().filter(code=OuterRef("hand_out__code"))
    used_by_them = Exists(uses.filter(user__email=OuterRef("hand_out__email")))
    mails = HandOutMail.objects.to_send_again(now=now).filter(
        ~used_by_them, hand_out__contract_run__removed_at__isnull=True
    )
    return mails.filter(hand_out__contract_run__contract__in=_ids(user, today)).exclude(
        Exists(uses), hand_out__is_shared=False
    )


def open_seat_requests(user: Any, *, today: date) -> QuerySet[SeatRequest]:
    return SeatRequest.objects.open().filter(contract__in=_ids(user, today))


def _ids(user: Any, today: date) -> QuerySet[Any, Any]:
    return contracts_for(user, today=today).values("pk")
