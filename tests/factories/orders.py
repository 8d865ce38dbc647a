"""Factories of orders whose money came."""

from __future__ import annotations

import uuid
from decimal import Decimal

from courses.enums import EnrollmentMode
from ecommerce.enums import AttemptState, OrderState, ReviewCause, UseState
from ecommerce.events import OrderFulfilled
from ecommerce.models import CodeUse, DiscountCode, Order, OrderLine, PaymentAttempt, Product
from ecommerce.receivers import enroll_buyer
from ecommerce.selectors.codes import takes_use
from mitxonline.users.models import User
from tests.factories import NOON, make_user


def make_paid_order(
    *products: Product,
    buyer: User | None = None,
    gateway: str = "sandbox",
    state: str = OrderState.FULFILLED,
    code: DiscountCode | None = None,
    discount: str = "0",
    paid: str | None = None,
    currency: str = "USD",
    paid_currency: str = "",
    seats: int | None = None,
) -> Order:
    """Make a paid order with its enrollments, as checkout and fulfillment leave it.

    ``discount`` is taken off each line; ``code`` is the code each line was bought with. With ``seats`` each line is for
    a group.
    """
    buyer = buyer or make_user()
    off = Decimal(discount)
    total = sum((product.price * (seats or 1) - off for product in products), start=Decimal(0))
    order = Order.objects.create(
        number=f"TS-2026-{uuid.uuid4().hex[:8].upper()}",
        purchaser=buyer,
        state=OrderState.FULFILLED if state in {OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED} else state,
        currency=currency,
        list_total=sum(product.price * (seats or 1) for product in products),
        discount_total=off * len(products),
        total=total,
        fingerprint="",
        placed_at=NOON,
        fulfilled_at=NOON if state == OrderState.FULFILLED else None,
        review_cause=ReviewCause.REFUSED if state == OrderState.REVIEW else "",
    )
    for product in products:
        OrderLine.objects.create(
            order=order,
            product=product,
            title=product.title,
            item_id=product.item_id,
            sku=product.sku,
            mode=EnrollmentMode.VERIFIED,
            seats=seats,
            list_price=product.price * (seats or 1),
            discount_amount=off,
            due=product.price * (seats or 1) - off,
            currency=currency,
            requires_code=product.requires_code,
            code=code,
            takes_use=code is not None and takes_use(code),
        )
    if total:
        make_payment(order, gateway=gateway, paid=paid, paid_currency=paid_currency)
    if code is not None:
        make_code_use(code, order)
    if order.is_fulfilled:
        enroll_buyer(OrderFulfilled(order_id=order.pk, purchaser_id=buyer.pk, number=order.number, at=NOON))
    return order


def make_payment(
    order: Order, *, gateway: str = "sandbox", paid: str | None = None, paid_currency: str = ""
) -> PaymentAttempt:
    """Make a paid payment attempt of the order."""
    key = uuid.uuid4()
    return PaymentAttempt.objects.create(
        order=order,
        gateway=gateway,
        reference=key,
        idempotency_key=f"checkout:{key}",
        session_id=f"cs_{key}",
        payment_id=f"pi_{key}",
        amount=order.total,
        paid_amount=Decimal(paid) if paid else None,
        paid_currency=(paid_currency or order.currency) if paid else "",
        currency=order.currency,
        state=AttemptState.PAID,
        started_at=NOON,
        settled_at=NOON,
    )


def make_code_use(code: DiscountCode, order: Order) -> CodeUse:
    """Make the buyer's confirmed use of a code by this order, and count it."""
    if code.max_uses is not None:
        DiscountCode.objects.filter(pk=code.pk).update(uses=code.uses + 1)
        code.refresh_from_db()
    return CodeUse.objects.create(
        code=code, user=order.purchaser, order=order, state=UseState.CONFIRMED, created_at=NOON, changed_at=NOON
    )
