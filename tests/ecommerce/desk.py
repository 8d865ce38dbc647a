"""Finance's pages of an order in the Wagtail admin, and the disputes and second payments they decide about."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.test import Client

from ecommerce.enums import DisputeState
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import Order, Refund
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.ledger import mark_for_refund
from tests.factories import NOON
from tests.factories.orders import make_payment
from tests.support.reading import Page, form_data, read

# What finance chooses for a full refund: nothing is chosen beforehand.
EVERYTHING = {"scope": "all", "enrollment_after": "remove"}


def desk_url(order: Order, part: str = "") -> str:
    return f"/cms/orders/{order.pk}/{part}"


def read_order_page(desk: Client, order: Order) -> Page:
    return read(desk.get(desk_url(order)))


def submit_refund(desk: Client, order: Order, **changes: Any) -> Any:
    """Post the refund form, then its confirmation."""
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    asked = desk.post(desk_url(order, "refund/"), {**form, **EVERYTHING, "reason": ["phone call"], **changes})
    if asked.status_code != 200:
        return asked
    return desk.post(desk_url(order, "refund/"), {**form_data(read(asked)), "confirmed": "1"}, follow=True)


def make_dispute(order: Order) -> None:
    attempt = order.attempts.get()
    notice = DisputeNotice(
        "evt", f"dp_{order.pk}", attempt.payment_id, attempt.money, DisputeState.NEEDS_RESPONSE, "fraud"
    )
    follow_dispute(notice, gateway_name=attempt.gateway, now=NOON)


def make_second_payment(order: Order) -> Refund:
    second = make_payment(order)
    with transaction.atomic():
        return mark_for_refund(attempt_id=second.pk, reason="second payment", now=NOON)
