"""From a basket to an order.

Locks are taken in one order everywhere: basket → order → learner → payment → contract terms → code → membership
(ADR 0003).
The gateway is called after the order is committed, and outside any transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction

from ecommerce.enums import PAYING_STATES, AttemptState, OrderState
from ecommerce.errors.checkout import (
    BasketChanged,
    BasketEmpty,
    CodeNeeded,
    NotForSale,
    NoWayToPay,
    PaymentUnavailable,
    PaymentUnderWay,
    SeveralCurrencies,
    TotalChanged,
)
from ecommerce.gateways.base import PaymentFailed
from ecommerce.gateways.registry import default_gateway
from ecommerce.models import Basket, Order, OrderLine, PaymentAttempt
from ecommerce.ownership import has_money
from ecommerce.rules import (
    Purchase,
    PurchaseLine,
    RuleVerdict,
    checkout_rules,
    lock_courses_of,
    lock_for,
    refuse_owned_courses,
)
from ecommerce.selectors.basket_prices import PricedBasket, PricedLine, price_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.codes import takes_use
from ecommerce.services.baskets.baskets import lock_basket
from ecommerce.services.discounts.codes import hold_code
from ecommerce.services.orders.attempts import is_being_paid
from ecommerce.services.orders.fulfillment import close_order, fulfill_locked
from ecommerce.services.orders.numbers import new_order_number, retry_taken_number
from ecommerce.services.payment.payments import confirm_attempt, end_session
from ecommerce.services.payment.sessions import begin_session, open_attempt
from mitxonline.kernel import clock
from mitxonline.kernel.db import all_or_nothing
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money

logger = logging.getLogger(__name__)

# This long after its end no gateway takes money for a session, whatever the clocks say.
SESSION_IS_OVER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order, and where to pay it; without an address there is nothing to pay any more."""

    order: Order
    pay_url: str | None


def begin_checkout(
    *,
    owner: BasketOwner,
    user_id: int,
    now: datetime,
    expected_total: Money | None = None,
    seen: str = "",
    host: str = "",
) -> Checkout:
    """Place the order of the owner's current basket; nothing to pay fulfills it at once, else a payment begins.

    ``seen`` is the fingerprint of the basket the buyer was shown. ``host`` is the name the site was asked by: hosts may
    have gateway accounts of their own. Raises BasketEmpty, TotalChanged or BasketChanged if it isn't what the buyer was
    shown, PaymentUnderWay, NoWayToPay, or the first refusal of a rule; then nothing is held and the basket is as it
    was. Raises PaymentUnavailable or TotalNotPayable when the order is placed and waits. The same basket twice is the
    same order, and for a while the same payment page, unless the gateway says that this page has ended.
    """

    def place() -> tuple[Order, PaymentAttempt | None]:
        with transaction.atomic():
            order = place_order(owner=owner, user_id=user_id, now=now, expected_total=expected_total, seen=seen)
            attempt = None if order.money.is_zero else _open_attempt_for(order, host=host, now=now)
            if attempt is None:
                fulfill_locked(order, now=now)
        return order, attempt

    is_second_page = False
    while True:
        order, attempt = retry_taken_number(place)
        if attempt is None:
            return Checkout(order=order, pay_url=None)
        known = _confirm_earlier_page(attempt, now=now)
        if known.is_fulfilled or known.state == OrderState.REVIEW:
            return Checkout(order=known, pay_url=None)
        if attempt.state == AttemptState.STARTED or is_second_page:
            break
        is_second_page = True  # the first was declined or is over, and the next round begins another
    return _end_superseded_pages(order, now=now) or Checkout(order=order, pay_url=begin_session(attempt, now=now))


def place_order(
    *, owner: BasketOwner, user_id: int, now: datetime, expected_total: Money | None = None, seen: str = ""
) -> Order:
    """Write the order down and hold its codes and seats, all or nothing.

    The rules judge once, under their locks; what they refuse undoes the rest.
    """
    with all_or_nothing():
        basket = lock_basket(owner, now=now)
        if basket is None:  # it may have been bought by the same button's first press while we waited for the lock
            raise BasketEmpty
        # Locked before anything is priced: no other order of theirs begins to be paid, and keeps its code, meanwhile.
        others = list(Order.objects.locked().of(user_id).filter(state__in=(OrderState.PENDING, OrderState.REVIEW)))
        priced = price_basket(basket, user_id=user_id, now=now, ask_rules=False)
        _refuse_unless_sellable(priced)
        placed = _reuse_or_cancel_open_orders(priced, others, basket=basket, user_id=user_id, now=now)
        _refuse_unless_as_shown(priced, expected_total, seen)
        if placed is None:
            return _write_order(priced, basket=basket, user_id=user_id, now=now)
        refuse_owned_courses(
            _make_purchase(priced, user_id=user_id, now=now)
        )  # someone may have enrolled the buyer since
        return placed


def cancel_order(*, order_id: int, now: datetime, reason: str) -> Order:
    """Give an order up that no one paid; WrongOrderState if it isn't pending, PaymentUnderWay if money is coming."""
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.state == OrderState.PENDING and is_being_paid(order):
            raise PaymentUnderWay(number=order.number)
        close_order(order=order, to=OrderState.CANCELED, now=now, reason=reason)
    return order


def release_lapsed_orders(*, now: datetime, limit: int = 200) -> int:
    """Cancel pending orders whose hold is over, unless their money may still come or has; how many."""
    lapsed = Order.objects.pending().filter(hold_until__lt=now)
    lapsed = lapsed.exclude(attempts__state__in=PAYING_STATES).order_by("pk")
    closed = 0
    for order_id in lapsed.values_list("pk", flat=True)[:limit]:
        try:
            closed += _release_lapsed(order_id, now)
        except (DatabaseError, DomainError):  # one that can't be closed keeps no one else's seat
            logger.exception("lapsed order not released", extra={"order": order_id})
    return closed


def _release_lapsed(order_id: int, now: datetime) -> bool:
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.state != OrderState.PENDING or not _has_lapsed(order, now) or is_being_paid(order):
            return False
        close_order(order=order, to=OrderState.CANCELED, now=now, reason="not paid in time")
        return True


def _open_attempt_for(order: Order, *, host: str, now: datetime) -> PaymentAttempt:
    gateway = default_gateway()
    if gateway is None:
        raise NoWayToPay
    return open_attempt(order, gateway=gateway, host=host, now=now)


def _confirm_earlier_page(attempt: PaymentAttempt, *, now: datetime) -> Order:
    """The order of a try, after asking about a page the buyer was led to before: it may have been paid, or be over.

    Raises PaymentUnderWay where the money is coming. A gateway that doesn't answer hinders no one: the page takes money
    once, whoever is led there.
    """
    if not attempt.session_id:
        return attempt.order
    try:
        order = confirm_attempt(attempt_id=attempt.pk, now=now)
    except PaymentFailed as failure:
        logger.warning("gateway not asked", extra={"attempt": attempt.pk, "retriable": failure.retriable})
        return attempt.order
    if order.state == OrderState.PENDING and is_being_paid(order):
        raise PaymentUnderWay(number=order.number)
    attempt.refresh_from_db(fields=["state"])
    return order


def _end_superseded_pages(order: Order, *, now: datetime) -> Checkout | None:
    """End the buyer's payment pages that were given up for this one; where one of them was paid, nothing is to pay.

    Raises PaymentUnavailable if it can't be known whether one was, PaymentUnderWay if its money is coming: with two
    open pages someone might pay twice.
    """
    for attempt in _superseded_pages(order, now=now):
        try:
            other = end_session(attempt_id=attempt.pk, now=now)
        except PaymentFailed as failure:
            raise PaymentUnavailable from failure
        is_pending = other.state == OrderState.PENDING
        if other.is_fulfilled or other.state == OrderState.REVIEW or is_being_paid(other):
            _close_if_superseded(order, other, now=now)
            if is_pending:
                raise PaymentUnderWay(number=other.number)
            return Checkout(order=other, pay_url=None)
    return None


def _superseded_pages(order: Order, *, now: datetime) -> list[PaymentAttempt]:
    """The payment pages that may still be open of orders for the same things, this one's among them."""
    closing = PaymentAttempt.objects.filter(
        order__purchaser_id=order.purchaser_id, state=AttemptState.CLOSING, expires_at__gt=now - SESSION_IS_OVER
    )
    same = closing.filter(order__lines__product__order_lines__order=order)
    return list(same.distinct().order_by("pk"))


def _close_if_superseded(order: Order, other: Order, *, now: datetime) -> None:
    """Give this order up where an earlier one for the same things turned out to be paid."""
    if order.pk == other.pk:
        return
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order.pk)
        if order.state == OrderState.PENDING and not is_being_paid(order):
            close_order(order=order, to=OrderState.CANCELED, now=now, reason=f"paid by order {other.number}")


def _refuse_unless_sellable(priced: PricedBasket) -> None:
    if priced.is_empty:
        raise BasketEmpty
    if not priced.has_one_currency:
        raise SeveralCurrencies


def _refuse_unless_as_shown(priced: PricedBasket, expected_total: Money | None, seen: str) -> None:
    if expected_total is not None and expected_total != priced.total:
        raise TotalChanged(shown=expected_total.formatted(), now=priced.total.formatted())
    if seen and seen != priced.fingerprint:
        raise BasketChanged


def _reuse_or_cancel_open_orders(
    priced: PricedBasket, others: Sequence[Order], *, basket: Basket, user_id: int, now: datetime
) -> Order | None:
    """The learner's pending order of this very basket; of the ``others``, locked, those in its way are given up.

    In its way is what has the same products, and what holds a code of this basket: the use goes to the order that
    replaces it, in this transaction. Raises PaymentUnderWay where the money for some of it may be on its way, or waits
    with staff for a decision: no one pays twice for the same.
    """
    wanted, print_of = {line.product.pk for line in priced.lines}, priced.fingerprint
    codes = {line.code.pk for line in priced.lines if line.code is not None}
    given_up = []
    for order in others:
        from_here, shares = order.basket_id == basket.pk, order.lines.filter(product_id__in=wanted).exists()
        if order.state == OrderState.REVIEW:
            if shares and has_money(order):
                raise PaymentUnderWay(number=order.number)
            continue
        if not (from_here or shares or _holds_code(order, codes)):
            continue
        if not is_being_paid(order):
            if from_here and order.fingerprint == print_of and not _has_lapsed(order, now):
                return order
            given_up.append(order)
        elif shares:
            raise PaymentUnderWay(number=order.number)
        else:  # it will be fulfilled by itself; the basket is free for another order
            order.basket_id = None
            order.save(update_fields=["basket_id", "updated_at"])
    lock_courses_of(user_id)
    if given_up:
        sold = OrderLine.objects.filter(order__in=given_up).values_list("product_id", flat=True)
        lock_for(wanted.union(sold))
    for order in given_up:
        close_order(order=order, to=OrderState.CANCELED, now=now, reason="replaced by a newer order")
    return None


def _holds_code(order: Order, codes: Collection[int]) -> bool:
    """Whether one of these codes is held for an order that counts its uses."""
    return bool(codes) and order.lines.filter(takes_use=True, code__in=codes).exists()


def _has_lapsed(order: Order, now: datetime) -> bool:
    return order.hold_until is not None and order.hold_until < now


def _write_order(priced: PricedBasket, *, basket: Basket, user_id: int, now: datetime) -> Order:
    until = now + timedelta(seconds=settings.ORDER_HOLD_SECONDS)
    order = Order.objects.create(
        number=new_order_number(on=clock.date_of(now)),
        purchaser_id=user_id,
        currency=priced.currency,
        list_total=priced.list_total.amount,
        discount_total=priced.discount_total.amount,
        total=priced.total.amount,
        basket_id=basket.pk,
        fingerprint=priced.fingerprint,
        placed_at=now,
        hold_until=until,
    )
    purchase = _make_purchase(priced, user_id=user_id, now=now)
    findings = [finding for rule in checkout_rules() for finding in rule.hold(purchase, order)]
    codes = {line.code.pk: line.code for line in priced.lines if line.code is not None}
    for _pk, code in sorted(codes.items()):  # in one order for everyone: no two buyers wait for each other
        hold_code(code=code, user_id=user_id, order_id=order.pk, until=until, now=now)
    OrderLine.objects.bulk_create([_make_line(line, order, findings) for line in priced.lines])
    return order


def _make_purchase(priced: PricedBasket, *, user_id: int, now: datetime) -> Purchase:
    lines = tuple(PurchaseLine(line.product, line.code) for line in priced.lines)
    return Purchase(lines=lines, user_id=user_id, now=now)


def _make_line(line: PricedLine, order: Order, findings: list[RuleVerdict]) -> OrderLine:
    """The line as it is sold. A product that needs its code is sold with it or by a right granted under the lock.

    Asked here and not only by the rules: were b2b's rule missing from the settings, no one would get in (design 3.9).
    """
    product = line.product
    mine = [finding for finding in findings if finding.product_id == product.pk]
    if product.requires_code and not any(finding.vouches for finding in mine):
        raise NotForSale(title=line.title)
    right = next((finding.entitlement for finding in mine if finding.entitlement), "")
    has_own_code = line.code is not None and line.code.discount.unlocks_id == product.pk
    if product.requires_code and not right and not has_own_code:
        raise CodeNeeded(title=line.title)
    return OrderLine(
        order=order,
        product=product,
        title=line.title,
        item_id=line.item_id,
        sku=product.sku,
        mode=product.mode,
        list_price=line.listed.amount,
        discount_amount=line.discount.amount,
        due=line.due.amount,
        currency=line.due.currency,
        requires_code=product.requires_code,
        code=line.code,
        takes_use=line.code is not None and takes_use(line.code),
        discount_id=line.price.offer.discount_id if line.price.offer is not None else None,
        discount_label=line.discount_label,
        entitlement=right,
    )
