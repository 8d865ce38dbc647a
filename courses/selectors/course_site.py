"""Runs as far as the course site (Open edX) is concerned: what waits for it, and what it refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import TruncSecond
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from courses.enums import RunLmsState
from courses.gateways.openedx.studio import is_studio_configured, to_seconds
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from mitxonline.kernel.dates import format_moment

# Each of a run's dates with the column of what Studio had.
SYNCED_DATES = {
    "start_date": "synced_start",
    "end_date": "synced_end",
    "enrollment_start": "synced_enrollment_start",
    "enrollment_end": "synced_enrollment_end",
}
# The course site isn't at work on these, so what it has can be compared.
SETTLED = (RunLmsState.NOT_NEEDED, RunLmsState.THERE)


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
        differs |= _is_set_otherwise(name, synced)
        # Studio keeps a start and an end that we don’t have, so there is nothing to send then.
        if name not in ("start_date", "end_date"):
            differs |= _is_empty_here(name, synced)
    open_ones = Q(lms_state__in=[RunLmsState.PENDING, RunLmsState.COPYING])
    behind = Q(lms_state=RunLmsState.THERE, is_made_by_us=True) & differs
    idle = Q(lms_tried_at__isnull=True) | Q(lms_tried_at__lt=tried_before)
    return CourseRun.all_objects.annotate(**_WHOLE_DATES).filter((open_ones | behind) & idle).order_by("pk")


def _is_set_otherwise(name: str, synced: str) -> Q:
    is_other = Q(**{f"{synced}__isnull": True}) | ~Q(**{f"whole_{name}": F(synced)})
    return Q(**{f"{name}__isnull": False}) & is_other


def _is_empty_here(name: str, synced: str) -> Q:
    return Q(**{f"{name}__isnull": True, f"{synced}__isnull": False})


# As precisely as the course site keeps them; what `_is_set_otherwise` compares.
_WHOLE_DATES = {f"whole_{name}": TruncSecond(name) for name in SYNCED_DATES}


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
            return " ".join(filter(None, [run.lms_error, *list_differences(run)]))


def runs_unlike_studio() -> QuerySet[CourseRun]:
    """Return the runs with a title or date that isn’t what Studio last had: it was set by hand here, and stays."""
    differs = ~Q(synced_title="") & ~Q(title=F("synced_title"))
    for name, synced in SYNCED_DATES.items():
        differs |= _is_set_otherwise(name, synced) | _is_empty_here(name, synced)
    compared = CourseRun.all_objects.filter(lms_state__in=SETTLED, synced_at__isnull=False)
    return compared.annotate(**_WHOLE_DATES).filter(differs)


def list_differences(run: CourseRun) -> list[str]:
    """Say of each value of the run that isn’t what Studio last had what both are."""
    if run.synced_at is None or run.lms_state not in SETTLED:
        return []
    columns = {"title": "synced_title", **SYNCED_DATES}
    pairs = [(name, getattr(run, name), getattr(run, synced)) for name, synced in columns.items()]
    return [
        capfirst(_("%(difference)s.") % {"difference": describe_difference(name, ours, theirs)})
        for name, ours, theirs in pairs
        if to_whole(ours) != theirs and not (name == "title" and not theirs)
    ]


def describe_difference(name: str, ours: Any, theirs: Any) -> str:
    label = str(CourseRun._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
    words = {"what": label, "ours": show_value(ours), "theirs": show_value(theirs)}
    return _("%(what)s: %(ours)s here, %(theirs)s in Studio") % words


def to_whole(value: Any) -> Any:
    return to_seconds(value) if isinstance(value, datetime) else value


def show_value(value: Any) -> str:
    if isinstance(value, datetime):
        return format_moment(value)
    return f"“{value}”" if value else _("nothing")
