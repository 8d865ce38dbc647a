"""Handing deliveries to the broker. Their rows are the outbox: the sweep sends what the broker didn't take."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

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


def send_deliveries(ids: Sequence[int], *, queue: str = "", share: bool = True) -> int:
    """Queue tasks for deliveries. Return how many the broker took.

    A few have a task each, so that the workers share them. Many share tasks, because a task costs more than a delivery;
    calls to other systems don't, because they may be slow.

    Never raises for a broker that is away. What it didn't take is marked as not sent, so that the next sweep sends it.
    """
    share = share and not queue and len(ids) >= 2 * settings.DELIVERY_TASK_SIZE
    size = settings.DELIVERY_TASK_SIZE if share else 1
    sent = size * send_tasks(DELIVER, list(_split(ids, size)), queue=queue)
    if sent < len(ids):
        Delivery.objects.filter(pk__in=ids[sent:]).update(sent_at=None)
    return min(sent, len(ids))


def hand_back(following: deque[int]) -> None:
    """Send each of the deliveries that wait behind a slow one, for other workers to make."""
    ids = []
    with suppress(IndexError):  # Their own worker takes from them too.
        while True:
            ids.append(following.popleft())
    for queue, chosen in by_queue(Delivery.objects.filter(pk__in=ids).values_list("pk", "handler")).items():
        send_deliveries(chosen, queue=queue)


def _split(ids: Iterable[int], size: int) -> Iterator[tuple[int, ...]]:
    rest = iter(ids)
    while batch := tuple(islice(rest, size)):
        yield batch
