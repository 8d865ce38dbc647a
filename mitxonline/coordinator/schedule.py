"""Notices scheduled tasks that stopped: each success is recorded, and a task that is late is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Coalesce

from mitxonline.coordinator.models import ScheduledTask
from mitxonline.kernel import clock

# A task may miss a run: a worker restarts, a long task is in front. So it is overdue after two, and not within minutes.
MISSED = 2
GRACE = timedelta(minutes=5)


def intervals() -> dict[str, timedelta]:
    """Return the tasks of the schedule with the time between two runs."""
    return {
        str(entry["task"]): timedelta(seconds=float(entry["schedule"]))
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
    }


def note_success(sender: Any = None, **_kwargs: Any) -> None:
    """Record that a task of the schedule succeeded. Celery calls it after every task."""
    name = str(getattr(sender, "name", ""))
    if name in intervals():
        record_success(name, now=clock.now())


def record_success(name: str, *, now: datetime) -> None:
    if ScheduledTask.objects.filter(name=name).update(succeeded_at=now):
        return
    # The first run of any makes all known, so that one that never runs is overdue too.
    rows = [ScheduledTask(name=each, known_since=now) for each in intervals()]
    ScheduledTask.objects.bulk_create(rows, ignore_conflicts=True)
    ScheduledTask.objects.filter(name=name).update(succeeded_at=now)


def overdue_tasks(*, now: datetime) -> QuerySet[ScheduledTask]:
    """Return the tasks of the schedule that haven't succeeded for longer than two of their intervals."""
    late = Q(pk__in=[])
    for name, interval in intervals().items():
        late |= Q(name=name, since__lt=now - MISSED * interval - GRACE)
    since = ExpressionWrapper(Coalesce(F("succeeded_at"), F("known_since")), output_field=DateTimeField())
    return ScheduledTask.objects.annotate(since=since).filter(late)
