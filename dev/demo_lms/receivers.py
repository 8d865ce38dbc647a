"""Receivers that only write to the log. Their names are those of the coordinator's documentation."""

from __future__ import annotations

import logging

from dev.demo_lms.events import CeleryTestAsked, PurchaseCompleted, TestAsked

logger = logging.getLogger(__name__)


class DemoFailure(Exception):
    """What a receiver raises to show how an error is answered."""


def test_receiver(event: TestAsked) -> None:
    logger.info("test_receiver CALLED with sender '%s'", event.sender)


def test_receiver_exception(event: TestAsked) -> None:
    logger.info("test_receiver_exception CALLED with sender '%s'", event.sender)
    raise DemoFailure("Oh no, something went wrong!")


def test_celery_signal_task(event: CeleryTestAsked) -> None:
    logger.info("test_celery_signal_task CALLED with sender '%s'", event.sender)


def demo_purchase_complete_order_history(event: PurchaseCompleted) -> None:
    logger.info("order history of %s: %s", event.username, event.order_number)


def demo_purchase_complete_send_confirmation_email(event: PurchaseCompleted) -> None:
    logger.info("confirmation e-mail to %s: %s", event.username, event.order_number)


def demo_purchase_complete_enroll_in_course(event: PurchaseCompleted) -> None:
    logger.info("enrollment of %s: %s", event.username, ", ".join(event.skus))
