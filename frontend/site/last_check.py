"""The check that a worker makes for the admin's page, so that no page waits for other systems."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import get_language, override

from frontend.models import CheckState, SiteCheck
from frontend.site.site_check import SiteFinding, all_site_ids, check_sites
from mitxonline.kernel.broker import send_tasks

logger = logging.getLogger(__name__)

CHECK = "frontend.tasks.check_sites"
# Each system has so many seconds to answer.
SECONDS = 5.0
# A worker that is there has begun by now.
SOON = timedelta(seconds=20)
# A check that hasn't ended by now was lost, and another one may be asked for.
LOST = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What the admin's page shows: the findings of the last finished check, and how the one asked for since goes."""

    findings: tuple[SiteFinding, ...]
    checked_at: datetime | None
    state: str
    is_open: bool
    is_overdue: bool


def ask_for_check(*, now: datetime) -> None:
    """Ask a worker for a check, unless one is on its way. Never waits for one."""
    asked = {"state": CheckState.WAITING, "asked_at": now, "language": get_language() or ""}
    with transaction.atomic():
        row, is_new = SiteCheck.objects.select_for_update().get_or_create(pk=SiteCheck.ONLY, defaults=asked)
        if not is_new and row.is_open and row.asked_at > now - LOST:
            return
        SiteCheck.objects.filter(pk=SiteCheck.ONLY).update(**asked)
    if not send_tasks(CHECK, [()]):
        SiteCheck.objects.filter(pk=SiteCheck.ONLY, state=CheckState.WAITING).update(state=CheckState.UNSENT)


def run_check(*, now: datetime) -> None:
    """Make the check that someone asked for. A second task for it does nothing."""
    waiting = SiteCheck.objects.filter(pk=SiteCheck.ONLY, state=CheckState.WAITING)
    if not waiting.update(state=CheckState.RUNNING):
        return
    check = SiteCheck.objects.get(pk=SiteCheck.ONLY)
    this_one = SiteCheck.objects.filter(pk=SiteCheck.ONLY, state=CheckState.RUNNING, asked_at=check.asked_at)
    try:
        with override(check.language or settings.LANGUAGE_CODE):
            found = check_sites(all_site_ids(), now=now, seconds=SECONDS)
    except Exception:
        logger.exception("site check failed")
        this_one.update(state=CheckState.FAILED)
        return
    this_one.update(state=CheckState.DONE, checked_at=now, findings=[each.to_row() for each in found])


def find_last_check(*, now: datetime) -> LastCheck:
    row = SiteCheck.objects.filter(pk=SiteCheck.ONLY).first()
    if row is None:
        return LastCheck((), None, "", is_open=False, is_overdue=False)
    return LastCheck(
        findings=tuple(SiteFinding.from_row(each) for each in row.findings),
        checked_at=row.checked_at,
        state=row.state,
        is_open=row.is_open and row.asked_at > now - LOST,
        is_overdue=row.state == CheckState.WAITING and row.asked_at <= now - SOON,
    )
