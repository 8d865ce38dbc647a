"""What the worker does for the shop."""

from __future__ import annotations

import logging

from celery import shared_task

from ecommerce.selectors.audit import discrepancies
from ecommerce.services.baskets.baskets import drop_forgotten_baskets
from ecommerce.services.checkout.checkout import release_lapsed_orders
from ecommerce.services.orders.alerts import email_alerts
from ecommerce.services.payment.notices import forget_notices as drop_texts
from ecommerce.services.payment.payments import finish_interrupted
from ecommerce.services.payment.pending import check_due_payments
from ecommerce.services.refunds.refunds import sweep_refunds
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)

# A log says enough with so many; the command lists all.
MOST_LOGGED = 50


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def release_lapsed() -> None:
    """Free codes and seats of orders that no one paid in time; safe to run twice and to miss."""
    release_lapsed_orders(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def finish_paid_orders() -> None:
    """Fulfill orders that were paid when we were interrupted; safe to run twice and to miss."""
    finish_interrupted(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def ask_about_payments() -> None:
    """Ask gateways about payments they told nothing about; safe to run twice and to miss."""
    check_due_payments(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def follow_refunds() -> None:
    """Bring refunds to an end that were interrupted or never answered; safe to run twice and to miss."""
    sweep_refunds(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def mail_finance() -> None:
    """Mail finance what needs a decision about money; safe to run twice and to miss."""
    email_alerts(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def forget_notices() -> None:
    """Drop the texts of old notices; safe to run twice and to miss."""
    drop_texts(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def drop_baskets() -> None:
    """Forget the baskets of visitors who can't come back to them."""
    drop_forgotten_baskets(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=570, time_limit=600)
def audit_books() -> None:
    """Log what doesn't agree in orders, codes and uses; ``commerce_audit`` lists it. Changes nothing."""
    for number, each in enumerate(discrepancies()):
        if number == MOST_LOGGED:
            logger.error("books don't agree, and more of them", extra={"logged": number})
            return
        found = {"check": each.check, "subject": each.subject, "detail": each.detail}
        logger.error("books don't agree", extra=found)
