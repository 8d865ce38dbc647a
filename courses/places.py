"""The places of runs: how many there are, how many are left, and taking one.

The only module that counts places and compares them with a run's number. Taken are the places of enrolled learners, and
those promised to people who aren't enrolled yet, by an order that is being paid or a code that was sold. The apps that
promise places count them (setting PLACE_PROMISES).

Whoever takes places writes the rows first and then calls `claim_places`, which locks the runs and counts: the second of
two sees what the first has written. Giving places up needs no lock; a sweep notices it for the pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.utils.module_loading import import_string

from courses.errors import RunFull, TooFewPlaces
from courses.models import CourseRun, Enrollment


class PlacePromises(Protocol):
    def __call__(self, run_ids: Collection[int], *, except_for: int | None = None) -> Mapping[int, int]:
        """Count the places of each run that are promised to people who aren't enrolled in it yet.

        What this person may give up themselves, such as an order that they haven't paid, doesn't count.
        """


def count_left(run_ids: Collection[int], *, except_for: int | None = None) -> dict[int, int]:
    """Return how many places each run has left, for those runs that have a number of places.

    Negative where more are taken than there are. One query if none has.
    """
    limited = CourseRun.all_objects.filter(pk__in=run_ids, places__isnull=False)
    left = {run_id: places or 0 for run_id, places in limited.values_list("pk", "places")}
    if not left:
        return {}
    learners = Enrollment.objects.active().filter(run__in=left).order_by()
    for run_id, number in learners.values_list("run").annotate(Count("pk")):
        left[run_id] -= number
    for run_id, number in _promises()(left, except_for=except_for).items():
        left[run_id] -= number
    return left


def count_taken(run: CourseRun) -> int:
    """Return how many places of a run are taken, whether or not their number is limited."""
    learners = Enrollment.objects.active().filter(run=run).count()
    return learners + _promises()([run.pk]).get(run.pk, 0)


def refuse_if_full(run: CourseRun, *, places: int = 1, except_for: int | None = None) -> None:
    """Raise RunFull or TooFewPlaces unless the run has so many places left. No query without a number of places.

    With 0, refuse only where more are taken than there are: people with a promised place still get in.
    """
    if run.places is None:
        return
    left = count_left([run.pk], except_for=except_for).get(run.pk, places)
    if (refusal := find_refusal(run.title, left=left, places=places)) is not None:
        raise refusal


def find_refusal(title: str, *, left: int, places: int) -> RunFull | None:
    if left >= places:
        return None
    return TooFewPlaces(title=title, left=left) if left > 0 else RunFull(title=title)


def claim_places(run_ids: Iterable[int]) -> None:
    """Lock these runs until the transaction ends, and count what it has written. Raises RunFull.

    The runs are locked in the order of their keys. In the order of locks they come last (ADR 0003).
    """
    runs = list(CourseRun.all_objects.filter(pk__in=set(run_ids), places__isnull=False).locked())
    left = count_left([run.pk for run in runs]) if runs else {}
    for run in runs:
        if left.get(run.pk, 0) < 0:
            raise RunFull(title=run.title)
    _set_full([run for run in runs if run.pk in left], left)


def update_full_runs(run_ids: Collection[int] | None = None) -> int:
    """Bring in line what pages say of these runs, or of all runs. Return how many were changed."""
    runs = CourseRun.all_objects.filter(Q(places__isnull=False) | Q(is_full=True))
    if run_ids is not None:
        runs = runs.filter(pk__in=run_ids)
    stored = dict(runs.order_by("pk").values_list("pk", "is_full"))
    left = count_left(stored) if stored else {}
    changed = [pk for pk, is_full in stored.items() if is_full != (left.get(pk, 1) <= 0)]
    for pk in changed:
        with transaction.atomic():
            # Counted again under the lock: someone may be taking the last place.
            _set_full(CourseRun.all_objects.filter(pk=pk).locked(), count_left([pk]))
    return len(changed)


def _set_full(runs: Iterable[CourseRun], left: Mapping[int, int]) -> None:
    for run in runs:
        if run.is_full != (is_full := left.get(run.pk, 1) <= 0):
            CourseRun.all_objects.filter(pk=run.pk).update(is_full=is_full)


def _promises() -> PlacePromises:
    count: PlacePromises = import_string(settings.PLACE_PROMISES)
    return count
