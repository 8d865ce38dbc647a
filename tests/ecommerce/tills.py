"""Paid orders, and a gateway that answers refunds as a test says."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from courses.enums import EnrollmentMode
from ecommerce.enums import AttemptState, OrderState, RefundState, ReviewCause, UseState
from ecommerce.events import OrderFulfilled
from ecommerce.gateways.base import PaymentFailed, RefundInstruction, RefundNotice, RefundResult
from ecommerce.gateways.registry import gateways
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.models import CodeUse, DiscountCode, Order, OrderLine, PaymentAttempt, Product, Refund
from ecommerce.receivers import enroll_buyer
from ecommerce.selectors.codes import takes_use
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.factories import NOON, make_user

TILL = "tests.ecommerce.tills.Till"


class Till(SandboxGateway):
    """A gateway that remembers its refunds: the same idempotency key twice is one refund.

    ``says`` is what it answers next, one for each call; after that everything succeeds. "lost" gives the money back
    and loses the answer, "away" never got the question.
    """

    name = "till"
    says: list[str]
    given: dict[str, RefundResult]
    asked: list[RefundInstruction]
    looked_up: int

    def __init__(self) -> None:
        self.says, self.given, self.asked, self.looked_up = [], {}, [], 0
        self.before: Callable[[], object] = lambda: None

    def refund(self, refund: RefundInstruction) -> RefundResult:
        self.before()
        self.asked.append(refund)
        if refund.idempotency_key in self.given:
            return self.given[refund.idempotency_key]
        word = self.says.pop(0) if self.says else "succeeded"
        if word == "away":
            raise PaymentFailed("no answer", retriable=True)
        if word == "no":
            raise PaymentFailed("The card was closed.", retriable=False, code="closed")
        state = RefundState.SUCCEEDED if word == "lost" else RefundState(word)
        result = RefundResult(refund_id=f"re_{len(self.given) + 1}", state=state)
        self.given[refund.idempotency_key] = result
        if word == "lost":
            raise PaymentFailed("the line was cut", retriable=True)
        return result

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        self.looked_up += 1
        return self.given.get(refund.idempotency_key)

    def now_says(self, state: RefundState) -> None:
        """Put every refund made so far into this state."""
        self.given = {key: replace(result, state=state) for key, result in self.given.items()}


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
) -> Order:
    """Make a paid order with its enrollments, as checkout and fulfillment leave it.

    ``discount`` is taken off each line; ``code`` is the code each line was bought with.
    """
    buyer = buyer or make_user()
    off = Decimal(discount)
    total = sum((product.price - off for product in products), start=Decimal(0))
    order = Order.objects.create(
        number=f"TS-2026-{uuid.uuid4().hex[:8].upper()}",
        purchaser=buyer,
        state=OrderState.FULFILLED if state in {OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED} else state,
        currency=currency,
        list_total=sum(product.price for product in products),
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
            list_price=product.price,
            discount_amount=off,
            due=product.price - off,
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


def make_refund_notice(
    refund: Refund | None = None,
    *,
    attempt: PaymentAttempt | None = None,
    state: RefundState = RefundState.SUCCEEDED,
    refund_id: str = "re_elsewhere",
    amount: str = "",
) -> RefundNotice:
    """Make a gateway's notice of our refund, or of one made in its dashboard."""
    payment = refund.attempt if refund is not None else attempt
    assert payment is not None
    money = refund.money if refund is not None else Money(amount or str(payment.amount), payment.currency)
    return RefundNotice(
        event_id=f"evt_{uuid.uuid4().hex}",
        refund_id=refund_id,
        payment_id=payment.payment_id,
        reference=str(refund.reference) if refund is not None else "",
        amount=money,
        state=state,
    )


def install_till(settings: Any) -> Till:
    """Configure the till as second gateway and return it."""
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.sandbox.SandboxGateway", TILL]
    till = gateways()["till"]
    assert isinstance(till, Till)
    return till
