"""Hears Wagtail and changed programs. Connected in apps.py: a worker that publishes on schedule hears it too."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.log_actions import get_active_log_context

from b2b.models import ContractCourseware, ContractPage
from b2b.services.contracts.reconcile import request_reconcile
from b2b.services.contracts.terms import bring_into_force
from courses.models import ProgramRequirement
from mitxonline.kernel import clock
from mitxonline.kernel.audit import current_origin


def contract_published(*, instance: ContractPage, revision: Any = None, **_kwargs: Any) -> None:
    """Bring the terms of a contract that went live into force and have its runs and codes follow.

    Wagtail also says “published” of pages that will go live later, and of aliases, which are no contracts. It sends
    outside any transaction, or inside its caller's; ours makes the terms and the request one.
    """
    if not instance.live or instance.alias_of_id is not None:
        return
    now, by_id = clock.now(), _acting_id() or getattr(revision, "user_id", None)
    with transaction.atomic():
        bring_into_force(page_id=instance.pk, now=now, by_id=by_id)
        request_reconcile(
            contract_id=instance.pk, reason=current_origin() or _("Published"), now=now, requested_by_id=by_id
        )


def program_changed(*, instance: ProgramRequirement, raw: bool = False, **_kwargs: Any) -> None:
    """A program that gained or lost a course: its contracts look whether a run is missing (CW-04)."""
    if raw:
        return
    now = clock.now()
    covering = ContractCourseware.objects.filter(
        program_id=instance.program_id, create_runs=True, removed_at__isnull=True, contract__terms__isnull=False
    )
    for contract_id in covering.order_by("contract_id").values_list("contract_id", flat=True):
        request_reconcile(contract_id=contract_id, reason=_("Program changed"), now=now, requested_by_id=_acting_id())


def contract_unpublished(*, instance: ContractPage, **_kwargs: Any) -> None:
    """A contract that isn't live admits no one; nothing else changes."""
    bring_into_force(page_id=instance.pk, now=clock.now(), by_id=_acting_id())


def _acting_id() -> int | None:
    """Who is at work in Wagtail's admin just now, who need not be the author of what is published."""
    user = get_active_log_context().user
    return user.pk if user is not None else None
