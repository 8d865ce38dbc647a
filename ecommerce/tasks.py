"""The shop's periodic tasks. Each of them may run twice or be missed."""

from __future__ import annotations

import logging

from celery import shared_task

from ecommerce.selectors.audit import find_discrepancies
from ecommerce.services.baskets.baskets import drop_forgotten_baskets
from ecommerce.services.checkout.checkout import release_lapsed_orders
from ecommerce.services.invoices.reminders import queue_reminders
from ecommerce.services.orders.alerts import email_alerts
from ecommerce.services.payment import notices
from ecommerce.services.payment.payments import finish_interrupted
from ecommerce.services.payment.pending import check_due_payments
from ecommerce.services.refunds.refunds import sweep_refunds
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)

# How many findings are logged; the command lists all.
MAX_LOGGED = 50


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def release_lapsed() -> None:
    """Free the codes and seats of orders that weren't paid in time."""
    release_lapsed_orders(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def finish_paid_orders() -> None:
    """Fulfill orders whose payment was recorded just before a crash."""
    finish_interrupted(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def ask_about_payments() -> None:
    """Ask gateways about payments that no notice has settled."""
    check_due_payments(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def follow_refunds() -> None:
    """Send or look up refunds that were interrupted or got no answer."""
    sweep_refunds(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def mail_finance() -> None:
    """E-mail finance what needs a decision about money."""
    email_alerts(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def forget_notices() -> None:
    """Empty the bodies of old notices."""
    notices.forget_notices(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def drop_baskets() -> None:
    """Delete baskets of visitors who can't come back to them."""
    drop_forgotten_baskets(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=240, time_limit=270)
def remind_about_invoices() -> None:
    """Queue reminders of invoices that are due or overdue."""
    queue_reminders(now=clock.now())


@shared_task(ignore_result=True, soft_time_limit=570, time_limit=600)
def audit_books() -> None:
    """Log inconsistencies of orders, codes and uses; ``commerce_audit`` lists them all."""
    for number, each in enumerate(find_discrepancies()):
        if number == MAX_LOGGED:
            logger.error("books don't agree, and there are more", extra={"logged": number})
            return
        logger.error("books don't agree", extra={"check": each.check, "subject": each.subject, "detail": each.detail})
