"""Comparing who is enrolled here with who is enrolled in the course site, and repairing what differs.

Each run is compared on its own, a page of the course site's list at a time, and its differences replace those that the
comparison before found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TypeVar

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from courses.enums import DifferenceKind, EnrollmentLmsState, EnrollmentMode, RunLmsState
from courses.errors import CourseSiteBusy, CourseSiteRefused
from courses.gateways.openedx.accounts import SiteAccount
from courses.gateways.openedx.client import OpenEdxClient
from courses.gateways.openedx.listing import (
    EnrollmentPage,
    ListedEnrollment,
    find_accounts,
    read_enrollments,
)
from courses.models import CourseRun, Enrollment, EnrollmentComparison, EnrollmentDifference
from courses.selectors.course_sites import is_at_course_site
from courses.services.course_site import ask_about
from mitxonline.kernel.db import named_lock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User

Answer = TypeVar("Answer")

# Runs that ended longer ago are compared only if they are named.
FORGOTTEN_AFTER = timedelta(days=30)
_CHUNK = 500
# A busy course site is waited for, in seconds and times.
_LONGEST_WAIT, _WAITS = 120.0, 5
_ERROR_LENGTH = 300


@dataclass(slots=True)
class Compared:
    """What a comparison did. `refused` are keys of runs that the course site has nothing to say about, with why."""

    comparison_id: int
    runs: int = 0
    enrollments: int = 0
    differences: int = 0
    refused: dict[str, str] = field(default_factory=dict)


def runs_to_compare(now: datetime) -> QuerySet[CourseRun]:
    """Return the runs that the current course site has learners of, and that didn't end long ago."""
    has_learners = Exists(Enrollment.objects.filter(run=OuterRef("pk")))
    recent = Q(end_date__isnull=True) | Q(end_date__gte=now - FORGOTTEN_AFTER)
    there = Q(lms_state=RunLmsState.THERE) | Q(lms_state=RunLmsState.NOT_NEEDED)
    runs = CourseRun.all_objects.filter(has_learners | Q(lms_state=RunLmsState.THERE), recent, there)
    return runs.filter(is_at_course_site()).order_by("pk")


def compare_enrollments(
    *,
    client: OpenEdxClient,
    now: datetime,
    runs: Iterable[CourseRun] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Compared:
    """Compare these runs, or all that are worth it, and record the differences.

    A run that the course site refuses to list is skipped and named. Raises what keeps the course site from answering,
    after recording it.
    """
    comparison = EnrollmentComparison.objects.create(started_at=now)
    compared = Compared(comparison.pk)
    error = ""
    try:
        for run in runs if runs is not None else runs_to_compare(now).iterator(chunk_size=_CHUNK):
            _compare_run(run, compared, client=client, now=now, wait=wait)
    except DomainError as trouble:
        error = str(trouble)[:_ERROR_LENGTH]
        raise
    finally:
        EnrollmentComparison.objects.filter(pk=comparison.pk).update(
            finished_at=None if error else now,
            runs=compared.runs,
            enrollments=compared.enrollments,
            differences=compared.differences,
            error=error or "; ".join(f"{key}: {why}" for key, why in compared.refused.items())[:_ERROR_LENGTH],
        )
    return compared


def repair(*, differences: QuerySet[EnrollmentDifference], now: datetime) -> int:
    """Have the course site told again what the enrollments of these differences say; return for how many.

    People who are enrolled there and never were here are left alone: the course team may have let them in.
    """
    count = 0
    rows = differences.filter(user__isnull=False, fix_asked_at=None).order_by("pk").values_list("pk", "run", "user")
    for chunk in _chunks(rows.iterator(chunk_size=_CHUNK)):
        with transaction.atomic():
            wanted = Q(pk__in=[])
            for _pk, run_id, user_id in chunk:
                wanted |= Q(run=run_id, user=user_id)
            found = {(row.run_id, row.user_id): row.pk for row in Enrollment.objects.filter(wanted)}
            ids = [pk for pk, run_id, user_id in chunk if (run_id, user_id) in found]
            EnrollmentDifference.objects.filter(pk__in=ids).update(fix_asked_at=now)
            count += ask_about(sorted(found.values()), now=now)
    return count


def _compare_run(
    run: CourseRun, compared: Compared, *, client: OpenEdxClient, now: datetime, wait: Callable[[float], None]
) -> None:
    # Of two comparisons at once, each run is compared by one after the other.
    with named_lock("compare enrollments", run.pk):
        _replace_differences(run, compared, client=client, now=now, wait=wait)


def _replace_differences(
    run: CourseRun, compared: Compared, *, client: OpenEdxClient, now: datetime, wait: Callable[[float], None]
) -> None:
    ours = EnrollmentDifference.objects.filter(run=run)
    last = ours.aggregate(last=Max("pk"))["last"] or 0
    seen: set[int] = set()
    try:
        for page in _read_pages(client, run.courseware_id, wait):
            accounts = _patiently(partial(find_accounts, client, [each.username for each in page.rows]), wait)
            EnrollmentDifference.objects.bulk_create(_compare_page(run, page.rows, accounts, seen, now=now))
            compared.enrollments += len(page.rows)
    except CourseSiteRefused as refusal:
        ours.filter(pk__gt=last).delete()
        compared.refused[run.courseware_id] = str(refusal)
        return
    except DomainError:
        # What the comparison before found stays until there is a whole new one.
        ours.filter(pk__gt=last).delete()
        raise
    for missing in _chunks(_find_missing(run, seen, now=now)):
        EnrollmentDifference.objects.bulk_create(missing)
    ours.filter(pk__lte=last).delete()
    compared.runs += 1
    compared.differences += ours.count()


def _read_pages(client: OpenEdxClient, run_key: str, wait: Callable[[float], None]) -> Iterator[EnrollmentPage]:
    cursor = ""
    while True:
        page = _patiently(partial(read_enrollments, client, run_key, cursor=cursor), wait)
        yield page
        if not (cursor := page.cursor):
            return


def _compare_page(
    run: CourseRun,
    page: Sequence[ListedEnrollment],
    accounts: dict[str, SiteAccount],
    seen: set[int],
    *,
    now: datetime,
) -> Iterator[EnrollmentDifference]:
    """Yield what differs for these people, and remember whose enrollments have been seen."""
    people = _find_people(accounts.values())
    names = [listed.username for listed in page]
    # Of two accounts here that one there was enrolled for, what is still active counts.
    found = Enrollment.objects.filter(
        Q(user__in=people.values()) | ~Q(lms_username="") & Q(lms_username__in=names), run=run
    )
    rows = list(found.order_by("active", "pk"))
    by_name = {row.lms_username: row for row in rows if row.lms_username}
    by_person = {row.user_id: row for row in rows}
    for listed in page:
        # Addresses change and accounts are deleted, so whom it was enrolled as says more than whose it is.
        row = by_name.get(listed.username)
        user_id = row.user_id if row is not None else people.get(listed.username)
        if row is None and user_id is not None:
            row = by_person.get(user_id)
        about = {"run": run, "user_id": user_id, "username": listed.username[:150], "found_at": now}
        if row is not None and row.active:
            if not listed.is_active and row.lms_username not in ("", listed.username):
                continue  # another account of the same person
            seen.add(row.pk)
            if not listed.is_active:
                yield EnrollmentDifference(**about, kind=DifferenceKind.MISSING, note=_("It ended in the course site."))
            elif listed.mode != row.mode:
                note = _("%(ours)s here, %(theirs)s in the course site") % {
                    "ours": EnrollmentMode(row.mode).label,
                    "theirs": listed.mode[:50],
                }
                yield EnrollmentDifference(**about, kind=DifferenceKind.MODE, note=note)
        elif listed.is_active and not (row is not None and _is_on_its_way(row)):
            note = _("It ended here.") if row is not None else _("Never enrolled here.")
            yield EnrollmentDifference(
                **about,
                kind=DifferenceKind.EXTRA,
                note=note if user_id is not None else _describe_stranger(accounts.get(listed.username)),
            )


def _describe_stranger(account: SiteAccount | None) -> str:
    if account is not None and not account.is_activated:
        return _("Its account was never activated.")
    return _("No one here by that name.")


def _find_missing(run: CourseRun, seen: Collection[int], *, now: datetime) -> Iterator[EnrollmentDifference]:
    active = Enrollment.objects.filter(run=run, active=True).order_by("pk")
    for row in active.iterator(chunk_size=_CHUNK):
        if row.pk not in seen and not _is_on_its_way(row):
            note = "" if row.lms_state == EnrollmentLmsState.THERE else str(row.get_lms_state_display())
            yield EnrollmentDifference(
                run=run, user_id=row.user_id, kind=DifferenceKind.MISSING, note=note, found_at=now
            )


def _is_on_its_way(row: Enrollment) -> bool:
    """Whether the course site is about to hear of it anyway."""
    return row.lms_state == EnrollmentLmsState.PENDING


def _find_people(accounts: Iterable[SiteAccount]) -> dict[str, int]:
    """Return our people’s ids by their name there: by their sign-in, or by an address confirmed on both sides."""
    known = list(accounts)
    issuer = current_shop().sign_in_public_url
    uids = {f"{issuer}#{each.lms_user_id}": each.username for each in known if issuer and each.lms_user_id}
    emails = {each.email: each.username for each in known if each.email and each.is_activated}
    people: dict[str, int] = {}
    confirmed = User.objects.filter(email__in=emails, email_verified_at__isnull=False)
    for user_id, email in confirmed.values_list("pk", "email"):
        people[emails[email.lower()]] = user_id
    for user_id, uid in UserSocialAuth.objects.filter(uid__in=uids).values_list("user", "uid"):
        people[uids[uid]] = user_id
    return people


def _patiently(call: Callable[[], Answer], wait: Callable[[float], None]) -> Answer:
    """Call, and wait for a busy course site as long as it asks for."""
    for _turn in range(_WAITS):
        try:
            return call()
        except CourseSiteBusy as busy:
            if busy.retry_after is None or busy.retry_after > _LONGEST_WAIT:
                raise
            wait(busy.retry_after)
    return call()


T = TypeVar("T")


def _chunks(rows: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while chunk := list(islice(iterator, _CHUNK)):
        yield chunk
