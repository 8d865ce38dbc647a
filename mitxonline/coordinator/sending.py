"""Handing deliveries to the broker."""

from __future__ import annotations

from collections.abc import Sequence

from celery import current_app

DELIVER = "mitxonline.coordinator.tasks.deliver"


def send_deliveries(ids: Sequence[int]) -> None:
    """Queue a task for each delivery."""
    for pk in ids:
        current_app.send_task(DELIVER, args=[pk], retry=False, ignore_result=True)
