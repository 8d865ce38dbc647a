"""Runs in Studio: each that a contract needs is copied from its source, waited for, and given its dates.

Everything here may happen twice. Studio is asked what it has before it is asked to do anything, so a run that was made
before a process was killed is found and not made again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

from django.db import transaction
from django.utils.translation import gettext as _

from courses.enums import RunLmsState
from courses.errors import CourseSiteRefused, RunNotInStudioYet
from courses.events import RunRequested, RunsRequested
from courses.gateways.openedx.studio import RunExists, Schedule, Studio, StudioRun, to_seconds
from courses.models import CourseRun
from courses.selectors.course_site import SYNCED_DATES, find_sources, runs_to_send, runs_with_new_source
from courses.selectors.course_sites import is_at_course_site
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.errors import DomainError

# Studio takes minutes to copy a large course. After a day it has failed.
COPY_PATIENCE = timedelta(hours=24)
# Longer than the longest pause between two attempts of a delivery: whoever wasn't tried for so long is tried by no one.
LOST_AFTER = timedelta(hours=3)
_MOST_AT_ONCE = 500
_ERROR_LENGTH = 300
_OPEN = (RunLmsState.PENDING, RunLmsState.COPYING)


def bring_to_studio(*, run_id: int, studio: Studio, now: datetime) -> str:
    """Bring a run and its dates to Studio, and return what was done.

    A refusal is recorded at the run. Raises RunNotInStudioYet while Studio is copying, and what keeps Studio from
    answering: CourseSiteUnavailable, CourseSiteDenied, CourseSiteSecretWrong.
    """
    run = CourseRun.all_objects.select_related("source_run").filter(pk=run_id).first()
    if run is None or not (run.lms_state in _OPEN or _is_behind(run)):
        return "nothing to do"
    try:
        return _bring(run, studio=studio, now=now)
    except (_Refused, CourseSiteRefused) as refusal:
        if not is_final(refusal):
            _note(run, str(refusal), now=now)
            raise
        _move(run, RunLmsState.REFUSED, now=now, lms_error=str(refusal)[:_ERROR_LENGTH])
        return "refused"
    except DomainError as trouble:
        _note(run, "" if isinstance(trouble, RunNotInStudioYet) else str(trouble), now=now)
        raise


def is_final(refusal: Exception) -> bool:
    """Whether asking again won’t help. A conflict is with a request that ends."""
    return not (isinstance(refusal, CourseSiteRefused) and refusal.http_status == HTTPStatus.CONFLICT)


def request_runs(run_ids: Sequence[int]) -> None:
    """Have these runs brought to Studio after the commit."""
    if run_ids:
        publish(RunsRequested(run_ids=tuple(run_ids)))


def request_each(run_ids: Sequence[int]) -> None:
    """Give each run a delivery of its own, so that none waits for another."""
    with transaction.atomic():
        for run_id in run_ids:
            publish(RunRequested(run_id=run_id))


def request_changed(runs: Iterable[CourseRun]) -> None:
    """Have Studio told of the new dates of the runs that it made for us."""
    request_runs([run.pk for run in runs if run.is_made_by_us])


def try_again(*, run_ids: Sequence[int], now: datetime) -> int:
    """Ask Studio again for runs that it refused; return for how many."""
    with transaction.atomic():
        refused = CourseRun.all_objects.filter(pk__in=run_ids, lms_state=RunLmsState.REFUSED)
        ids = list(refused.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        CourseRun.all_objects.filter(pk__in=ids).update(
            lms_state=RunLmsState.PENDING, lms_error="", lms_changed_at=now, lms_tried_at=now
        )
        request_runs(ids)
    return len(ids)


def start_waiting(*, now: datetime, course_ids: Collection[int] | None = None) -> int:
    """Give runs that wait for a source the one that their course has by now; return how many."""
    with transaction.atomic():
        found = runs_with_new_source() if course_ids is None else runs_with_new_source().filter(course__in=course_ids)
        waiting = found.select_for_update(of=("self",), no_key=True).order_by("pk")
        runs = list(waiting[:_MOST_AT_ONCE])
        sources = find_sources({run.course_id for run in runs})
        ready = [run for run in runs if run.course_id in sources]
        for run in ready:
            run.source_run = sources[run.course_id]
            run.lms_state, run.lms_error = RunLmsState.PENDING, ""
            run.lms_changed_at = run.lms_tried_at = now
        fields = ["source_run", "lms_state", "lms_error", "lms_changed_at", "lms_tried_at"]
        CourseRun.all_objects.bulk_update(ready, fields)
        request_runs([run.pk for run in ready])
    return len(ready)


def ask_for_lost(*, now: datetime) -> int:
    """Request runs that Studio should have and that no one has tried for hours; return how many."""
    with transaction.atomic():
        lost = (
            runs_to_send(tried_before=now - LOST_AFTER)
            .filter(is_at_course_site())
            .select_for_update(of=("self",), no_key=True, skip_locked=True)
        )
        ids = list(lost.values_list("pk", flat=True)[:_MOST_AT_ONCE])
        CourseRun.all_objects.filter(pk__in=ids).update(lms_tried_at=now)
        request_runs(ids)
    return len(ids)


class _Refused(Exception):
    """We refuse, or gave up: asking again won’t help until someone has changed something."""


def _bring(run: CourseRun, *, studio: Studio, now: datetime) -> str:
    there = studio.find(run.courseware_id)
    if there is None:
        there = _have_made(run, studio=studio, now=now)
    if not run.is_made_by_us and not _is_same_course(run, there, studio=studio):
        raise _Refused(_("Studio has another course with this key: “%(title)s”.") % {"title": there.title})
    return _give_dates(run, there, studio=studio, now=now)


def _have_made(run: CourseRun, *, studio: Studio, now: datetime) -> StudioRun:
    """Have Studio copy the source, unless it is doing that. Raises RunNotInStudioYet, CourseSiteRefused."""
    if run.lms_state == RunLmsState.COPYING:
        if run.lms_changed_at is not None and run.lms_changed_at < now - COPY_PATIENCE:
            raise _Refused(_("Studio began to copy the source, but there is no copy after a day."))
        raise RunNotInStudioYet
    if run.lms_state == RunLmsState.THERE:
        raise _Refused(_("Studio no longer has this run."))
    if run.source_run is None:
        raise _Refused(_("The course has no run to copy."))
    try:
        studio.copy(run.source_run.courseware_id, run.courseware_id)
    except RunExists:
        # It may be ours from before a crash. Whether it is, its title says once it can be read.
        _move(run, RunLmsState.COPYING, now=now)
    else:
        _move(run, RunLmsState.COPYING, now=now, is_made_by_us=True)
    there = studio.find(run.courseware_id)
    if there is None:
        raise RunNotInStudioYet
    return there


def _is_same_course(run: CourseRun, there: StudioRun, *, studio: Studio) -> bool:
    """Whether Studio’s run is a copy of our source: it has the title of ours, or of the source in Studio."""
    ours = [run.title]
    if run.source_run is not None:
        ours.append(run.source_run.title)
    if _plain(there.title) in map(_plain, ours):
        return True
    source = studio.find(run.source_run.courseware_id) if run.source_run is not None else None
    return source is not None and _plain(source.title) == _plain(there.title)


def _give_dates(run: CourseRun, there: StudioRun, *, studio: Studio, now: datetime) -> str:
    schedule = Schedule(
        start=run.start_date, end=run.end_date, enrollment_start=run.enrollment_start, enrollment_end=run.enrollment_end
    )
    is_new = run.lms_state != RunLmsState.THERE
    if is_new or _differs(run, there):
        title = run.title if is_new and there.title != run.title else ""
        pace = run.is_self_paced if is_new and there.is_self_paced != run.is_self_paced else None
        there = studio.edit(run.courseware_id, schedule=schedule, title=title, is_self_paced=pace)
    note = ""
    if run.end_date is None and there.end is not None:
        note = _("In Studio it still ends, as its source does. Remove the end there: Studio lets no one else do it.")
    _move(run, RunLmsState.THERE, now=now, is_made_by_us=True, lms_error=note, **synced_values(there, now=now))
    return "made, with its dates" if is_new else "dates sent"


def synced_values(there: StudioRun, *, now: datetime) -> dict[str, object]:
    """Return the columns that record what Studio has."""
    return {
        "synced_at": now,
        "synced_title": there.title,
        "synced_start": there.start,
        "synced_end": there.end,
        "synced_enrollment_start": there.enrollment_start,
        "synced_enrollment_end": there.enrollment_end,
    }


def _is_behind(run: CourseRun) -> bool:
    """Whether Studio made the run and last had other dates than it has here."""
    if run.lms_state != RunLmsState.THERE or not run.is_made_by_us:
        return False
    return any(
        to_seconds(getattr(run, ours)) != getattr(run, synced)
        for ours, synced in SYNCED_DATES.items()
        if getattr(run, ours) is not None or ours.startswith("enrollment")
    )


def _differs(run: CourseRun, there: StudioRun) -> bool:
    pairs = (
        (run.start_date or there.start, there.start),
        (run.end_date or there.end, there.end),
        (run.enrollment_start, there.enrollment_start),
        (run.enrollment_end, there.enrollment_end),
    )
    return any(to_seconds(ours) != theirs for ours, theirs in pairs)


def _move(run: CourseRun, state: RunLmsState, *, now: datetime, **values: object) -> None:
    """Write the new state; the object keeps up with the row."""
    values = {"lms_error": "", **values, "lms_state": state, "lms_tried_at": now}
    if run.lms_state != state:
        values["lms_changed_at"] = now
    CourseRun.all_objects.filter(pk=run.pk).update(**values)
    for name, value in values.items():
        setattr(run, name, value)


def _note(run: CourseRun, sentence: str, *, now: datetime) -> None:
    """Record that it was tried, and what kept it."""
    CourseRun.all_objects.filter(pk=run.pk).update(lms_tried_at=now, lms_error=sentence[:_ERROR_LENGTH])


def _plain(title: str) -> str:
    return " ".join(title.split()).casefold()
