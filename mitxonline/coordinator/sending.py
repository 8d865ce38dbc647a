"""Handing deliveries to the broker. The rows are the outbox: what it does not take, the sweep sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import remote_receivers
from mitxonline.kernel.broker import send_tasks

DELIVER = "mitxonline.coordinator.tasks.deliver"


def by_queue(receivers: Iterable[tuple[int, str]]) -> dict[str, list[int]]:
    """The ids of deliveries by the queue their receivers run from; empty is the usual one."""
    remote = remote_receivers()
    found: dict[str, list[int]] = {}
    for pk, receiver in receivers:
        found.setdefault(settings.REMOTE_QUEUE if receiver in remote else "", []).append(pk)
    return found


def send_after_commit(ids: Sequence[int], *, queue: str = "") -> None:
    """Send once this transaction is committed, and let no trouble in sending reach whoever committed it."""

    def send() -> None:  # not a partial: Django asks a failing robust callback for its name, and those have none
        send_deliveries(ids, queue=queue)

    transaction.on_commit(send, robust=True)


def send_deliveries(ids: Sequence[int], *, queue: str = "") -> int:
    """Queue a task for each delivery, in the usual queue or another; how many the broker took.

    Never raises for a broker that is away. What it did not take is marked as not sent, so that the next sweep picks it
    up.
    """
    sent = send_tasks(DELIVER, [(pk,) for pk in ids], queue=queue)
    if sent < len(ids):
        Delivery.objects.filter(pk__in=ids[sent:]).update(sent_at=None)
    return sent
