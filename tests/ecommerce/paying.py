"""Orders being paid at Stripe, and the events Stripe sends about them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.test import Client
from django.utils import timezone

from ecommerce.models import GatewayNotice, Order, PaymentAttempt
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import Checkout, begin_checkout
from ecommerce.services.payment.notices import process_notice
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_user
from tests.support.stripe import StripeServer, sign


def check_out(user: User, *, now: datetime = NOON, host: str = "") -> Checkout:
    """Check out everything in the user's basket."""
    return begin_checkout(owner=BasketOwner(user_id=user.pk), user_id=user.pk, now=now, host=host)


def place_order(user: User | None = None, *, price: str = "249", now: datetime = NOON) -> Order:
    """Place an order; its buyer is at the payment page."""
    user = user or make_user()
    add_products(owner=BasketOwner(user_id=user.pk), product_ids=[make_product(price=price).pk], now=now)
    return check_out(user, now=now).order


def latest_attempt(order: Order) -> PaymentAttempt:
    return order.attempts.order_by("-pk")[0]


def post_event(body: bytes, *, client: Client | None = None, address: str = "/payment/webhook/", **headers: str) -> Any:
    """Post a signed event as Stripe does."""
    return (client or Client()).post(address, body, content_type="application/json", headers={**sign(body), **headers})


def deliver_event(body: bytes, *, now: datetime | None = None) -> GatewayNotice:
    """Post an event and process the stored notice, as the worker does."""
    response = post_event(body)
    assert response.status_code == 200, response.content
    notice = GatewayNotice.objects.get(event_id=json.loads(body)["id"])
    return process_notice(notice_id=notice.pk, now=now or timezone.now())


def completed_event(server: StripeServer, order: Order, kind: str = "completed", **changes: Any) -> bytes:
    """Return the event about the order's latest session in its current state."""
    session = server.sessions[latest_attempt(order).session_id]
    return server.event(f"checkout.session.{kind}", session, **changes)
