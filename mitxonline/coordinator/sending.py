"""Handing deliveries to the broker. Their rows are the outbox: the sweep sends what the broker didn't take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import remote_receivers
from mitxonline.kernel.broker import send_tasks, take_task

DELIVER = "mitxonline.coordinator.tasks.deliver"


def by_queue(receivers: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """Group the ids of deliveries by the queue of their receivers. The default queue is an empty string."""
    remote = remote_receivers()
    queues: dict[str, list[int]] = {}
    for pk, receiver in receivers:
        queues.setdefault(settings.REMOTE_QUEUE if receiver in remote else "", []).append(pk)
    return queues


def send_after_commit(ids: Sequence[int], *, queue: str = "") -> None:
    """Send after this transaction is committed. Errors in sending don't reach the code that commits."""
    load = _find_load() or _Load()
    load.ids.setdefault(queue, []).extend(ids)
    transaction.on_commit(load.send, robust=True)


class _Load:
    """What one transaction has to send, by queue.

    Each event adds to it and has it sent, so that the first one sends for all. Ids of a savepoint that was rolled back
    stay in it: they name no row, so a worker passes them over.
    """

    def __init__(self) -> None:
        self.ids: dict[str, list[int]] = {}

    def send(self) -> None:
        while self.ids:
            queue = next(iter(self.ids))
            send_deliveries(self.ids.pop(queue), queue=queue)


def _find_load() -> _Load | None:
    for _savepoints, callback, _robust in reversed(transaction.get_connection().run_on_commit):
        if isinstance(load := getattr(callback, "__self__", None), _Load):
            return load
    return None


def send_deliveries(ids: Sequence[int], *, queue: str = "") -> int:
    """Queue a task for each of these deliveries. Return how many the broker took.

    Never raises for a broker that is away. What it didn't take is marked as not sent, so that the next sweep sends it.
    """
    sent = send_tasks(DELIVER, [(pk,) for pk in ids], queue=queue)
    if sent < len(ids):
        Delivery.objects.filter(pk__in=ids[sent:]).update(sent_at=None)
    return sent


def take_waiting() -> int | None:
    """Take the delivery whose task is the first in the default queue, if there is one."""
    arguments = take_task(DELIVER, queue=settings.CELERY_TASK_DEFAULT_QUEUE)
    return arguments[0] if arguments else None
