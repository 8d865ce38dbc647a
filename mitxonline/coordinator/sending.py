"""Handing deliveries to the broker. The rows are the outbox: what it does not take, the sweep sends."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.broker import send_tasks

DELIVER = "mitxonline.coordinator.tasks.deliver"


def send_after_commit(ids: Sequence[int]) -> None:
    """Send once this transaction is committed, and let no trouble in sending reach whoever committed it."""

    def send() -> None:  # not a partial: Django asks a failing robust callback for its name, and those have none
        send_deliveries(ids)

    transaction.on_commit(send, robust=True)


def send_deliveries(ids: Sequence[int]) -> int:
    """Queue a task for each delivery; how many the broker took. Never raises for a broker that is away.

    What it did not take is marked as not sent, so that the next sweep picks it up.
    """
    sent = send_tasks(DELIVER, [(pk,) for pk in ids])
    if sent < len(ids):
        Delivery.objects.filter(pk__in=ids[sent:]).update(sent_at=None)
    return sent
