"""Handing deliveries to the broker. Their rows are the outbox: the sweep sends what the broker didn't take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import remote_receivers
from mitxonline.kernel.broker import send_tasks

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

    def send() -> None:  # Not a partial: Django logs the name of a robust callback that fails, and partials have none.
        send_deliveries(ids, queue=queue)

    transaction.on_commit(send, robust=True)


def send_deliveries(ids: Sequence[int], *, queue: str = "") -> int:
    """Queue a task for each delivery. Return how many the broker took.

    Never raises for a broker that is away. What it didn't take is marked as not sent, so that the next sweep sends it.
    """
    sent = send_tasks(DELIVER, [(pk,) for pk in ids], queue=queue)
    if sent < len(ids):
        Delivery.objects.filter(pk__in=ids[sent:]).update(sent_at=None)
    return sent
