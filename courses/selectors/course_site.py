"""Runs as far as the course site (Open edX) is concerned: what waits for it, and what it refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncSecond
from django.utils.translation import gettext as _

from courses.enums import RunLmsState
from courses.gateways.openedx.studio import is_studio_configured
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG

# Each of a run's dates with the column of what Studio had.
SYNCED_DATES = {
    "start_date": "synced_start",
    "end_date": "synced_end",
    "enrollment_start": "synced_enrollment_start",
    "enrollment_end": "synced_enrollment_end",
}


def find_sources(course_ids: Collection[int], *, among: QuerySet[CourseRun] | None = None) -> Mapping[int, CourseRun]:
    """Return by course the run to copy: the one tagged SOURCE, or the first one that is public."""
    runs = CourseRun.objects.all() if among is None else among
    sources: dict[int, CourseRun] = {}
    for run in runs.filter(course_id__in=course_ids).order_by("pk"):
        earlier = sources.setdefault(run.course_id, run)
        if run.run_tag == SOURCE_TAG and earlier.run_tag != SOURCE_TAG:
            sources[run.course_id] = run
    return sources


def runs_waiting_for_source() -> QuerySet[CourseRun]:
    return CourseRun.all_objects.filter(lms_state=RunLmsState.WAITING_FOR_SOURCE)


def runs_with_new_source() -> QuerySet[CourseRun]:
    """Return the runs that wait for a source although their course has one by now."""
    return runs_waiting_for_source().filter(Exists(CourseRun.objects.filter(course=OuterRef("course"))))


def refused_runs() -> QuerySet[CourseRun]:
    return CourseRun.all_objects.filter(lms_state=RunLmsState.REFUSED)


def runs_to_send(*, tried_before: datetime) -> QuerySet[CourseRun]:
    """Return the runs that Studio has to make, or whose dates it doesn’t have, and that no one tried lately."""
    differs = Q(pk__in=[])
    for name, synced in SYNCED_DATES.items():
        # Studio keeps a start and an end that we don’t have, so there is nothing to send then.
        both = Q(**{f"{name}__isnull": False}) & (Q(**{f"{synced}__isnull": True}) | ~Q(**{f"whole_{name}": F(synced)}))
        differs |= (
            both
            if name in ("start_date", "end_date")
            else both | Q(**{f"{name}__isnull": True, f"{synced}__isnull": False})
        )
    open_ones = Q(lms_state__in=[RunLmsState.PENDING, RunLmsState.COPYING])
    behind = Q(lms_state=RunLmsState.THERE, is_made_by_us=True) & differs
    idle = Q(lms_tried_at__isnull=True) | Q(lms_tried_at__lt=tried_before)
    whole = {f"whole_{name}": TruncSecond(name) for name in SYNCED_DATES}
    return CourseRun.all_objects.annotate(**whole).filter((open_ones | behind) & idle).order_by("pk")


def describe_run_in_course_site(run: CourseRun) -> str:
    """Return what staff should know about the run in the course site; empty if there is nothing."""
    match run.lms_state:
        case RunLmsState.WAITING_FOR_SOURCE:
            return _("The course has no run to copy yet. It is made as soon as there is one, best with the tag SOURCE.")
        case RunLmsState.PENDING if not is_studio_configured():
            return _("Studio isn’t connected, so the run is only here for now.")
        case RunLmsState.COPYING if not run.lms_error:
            return _("Studio is copying the source run.")
        case _state:
            return run.lms_error
