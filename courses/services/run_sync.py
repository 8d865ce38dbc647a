"""Titles and dates that were changed in Studio are brought in. What was set by hand here is reported, and stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from courses.gateways.openedx.studio import Studio, StudioRun
from courses.models import CourseRun
from courses.selectors.course_site import SETTLED, SYNCED_DATES, describe_difference, show_value, to_whole
from courses.selectors.course_sites import is_at_course_site

# Each of a run's columns with the one that keeps Studio's value, and its name in Studio's answer.
_COLUMNS = (
    ("title", "synced_title", "title"),
    *((ours, synced, synced.removeprefix("synced_")) for ours, synced in SYNCED_DATES.items()),
)
_WRITTEN = [name for ours, synced, _theirs in _COLUMNS for name in (ours, synced)]


class Progress(Protocol):
    def __call__(self, done: int, total: int | None = None) -> None: ...


class RunOutcome(StrEnum):
    CHANGED = "changed"
    KEPT = "kept"
    PROBLEM = "problem"
    GONE = "gone"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class RunLine:
    key: str
    title: str
    outcome: RunOutcome
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class RunSyncReport:
    """Runs that were compared; `lines` leaves out those without a difference."""

    counts: Counter[RunOutcome] = field(default_factory=Counter)
    lines: list[RunLine] = field(default_factory=list)

    def add(self, lines: Iterable[RunLine]) -> None:
        for line in lines:
            self.counts[line.outcome] += 1
            if line.outcome is not RunOutcome.UNCHANGED:
                self.lines.append(line)

    def join(self, other: RunSyncReport) -> None:
        """Add what was compared with another Studio."""
        self.counts += other.counts
        self.lines += other.lines


def sync_runs(
    *,
    studio: Studio,
    now: datetime,
    keys: Sequence[str] = (),
    overwrites: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> RunSyncReport:
    """Compare all runs at this course site with Studio’s, or these, a page at a time, each committed on its own.

    With `overwrites`, Studio’s values also replace those set by hand here. Raises what keeps Studio from answering.
    """
    report = RunSyncReport()
    for page in _pages(studio, keys):
        report.add(_sync_page(page, now=now, overwrites=overwrites, dry_run=dry_run))
        if progress is not None:
            progress(report.counts.total())
    if not keys and not dry_run:
        report.add(_find_gone(now))
    return report


def _pages(studio: Studio, keys: Sequence[str]) -> Iterator[list[StudioRun]]:
    if not keys:
        yield from studio.pages()
    for key in keys:
        there = studio.find(key)
        yield [there] if there is not None else []


def _sync_page(page: list[StudioRun], *, now: datetime, overwrites: bool, dry_run: bool) -> list[RunLine]:
    by_key = {there.key: there for there in page}
    with transaction.atomic():
        runs = list(
            CourseRun.all_objects.filter(is_at_course_site(), courseware_id__in=by_key, lms_state__in=SETTLED)
            .order_by("pk")
            .select_for_update(of=("self",), no_key=True)
        )
        lines = [_sync_run(run, by_key[run.courseware_id], overwrites=overwrites) for run in runs]
        if not dry_run and runs:
            # Written past the model: what came from Studio needn't be sent there.
            CourseRun.all_objects.bulk_update(runs, _WRITTEN)
            CourseRun.all_objects.filter(pk__in=[run.pk for run in runs]).update(synced_at=now)
    return lines


def _sync_run(run: CourseRun, there: StudioRun, *, overwrites: bool) -> RunLine:
    """Change the run in memory, and say how."""
    before = {ours: getattr(run, ours) for ours, _synced, _theirs in _COLUMNS}
    taken, kept = [], []
    for ours, synced, name in _COLUMNS:
        value, theirs, last = before[ours], getattr(there, name), getattr(run, synced)
        if to_whole(value) == theirs or (ours == "title" and not theirs):
            continue
        is_untouched = to_whole(value) == last if run.synced_at is not None else value is None
        note = describe_difference(ours, value, theirs)
        if overwrites or is_untouched:
            setattr(run, ours, theirs)
            taken.append(note)
        else:
            kept.append(note)
    if problem := _find_impossible(run):
        for ours, value in before.items():
            setattr(run, ours, value)
        return RunLine(run.courseware_id, run.title, RunOutcome.PROBLEM, (problem,))
    for _ours, synced, name in _COLUMNS:
        setattr(run, synced, getattr(there, name))
    outcome = RunOutcome.KEPT if kept else RunOutcome.CHANGED if taken else RunOutcome.UNCHANGED
    notes = (*taken, *(_("%(what)s (set by hand, stays)") % {"what": note} for note in kept))
    return RunLine(run.courseware_id, run.title, outcome, notes)


def _find_impossible(run: CourseRun) -> str:
    for first, last in ((run.start_date, run.end_date), (run.enrollment_start, run.enrollment_end)):
        if first is not None and last is not None and last < first:
            days = {"first": show_value(first), "last": show_value(last)}
            return (
                _("With Studio’s dates it would begin on %(first)s and end on %(last)s, so nothing was taken.") % days
            )
    return ""


def _find_gone(now: datetime) -> Iterator[RunLine]:
    """Yield the runs that Studio had once and doesn’t list any more."""
    gone = CourseRun.all_objects.filter(is_at_course_site(), lms_state__in=SETTLED, synced_at__lt=now).order_by("pk")
    for key, title in gone.values_list("courseware_id", "title").iterator():
        yield RunLine(key, title, RunOutcome.GONE, (_("Studio doesn’t list it any more."),))
