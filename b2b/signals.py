"""Receivers of signals from Wagtail and programs, connected in apps.py so that workers run them too."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.log_actions import get_active_log_context

from b2b.models import ContractCourseware, ContractPage
from b2b.requests import request_reconcile
from b2b.services.contracts.terms import bring_into_force
from courses.models import ProgramRequirement
from mitxonline.kernel import clock
from mitxonline.kernel.audit import current_origin


def contract_published(*, instance: ContractPage, revision: Any = None, **_kwargs: Any) -> None:
    """Bring the terms of a published contract into force and request that its runs and codes follow.

    Wagtail also sends the signal for pages that go live later, and for aliases, which aren't contracts. It may send it
    outside a transaction; ours makes sure that terms and request are written together.
    """
    if not instance.live or instance.alias_of_id is not None:
        return
    now, by_id = clock.now(), _current_user_id() or getattr(revision, "user_id", None)
    with transaction.atomic():
        bring_into_force(page_id=instance.pk, now=now, by_id=by_id)
        request_reconcile(
            contract_id=instance.pk, reason=current_origin() or _("Published"), now=now, requested_by_id=by_id
        )


def program_changed(*, instance: ProgramRequirement, raw: bool = False, **_kwargs: Any) -> None:
    """Request the contracts of a program that gained or lost a course: a run may be missing."""
    if raw:
        return
    now = clock.now()
    covering = ContractCourseware.objects.filter(
        program_id=instance.program_id, create_runs=True, removed_at__isnull=True, contract__terms__isnull=False
    )
    for contract_id in covering.order_by("contract_id").values_list("contract_id", flat=True):
        request_reconcile(
            contract_id=contract_id, reason=_("Program changed"), now=now, requested_by_id=_current_user_id()
        )


def contract_unpublished(*, instance: ContractPage, **_kwargs: Any) -> None:
    """Close the contract to new people; nothing else changes."""
    bring_into_force(page_id=instance.pk, now=clock.now(), by_id=_current_user_id())


def _current_user_id() -> int | None:
    # The person who publishes in the admin isn't always the author of the revision.
    user = get_active_log_context().user
    return user.pk if user is not None else None
