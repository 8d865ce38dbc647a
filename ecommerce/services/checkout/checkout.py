"""From a basket to an order.

Locks are taken in one order everywhere: basket, order, learner, payment, contract terms, code, membership (ADR 0003).
The gateway is called after the order is committed, outside any transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils.translation import gettext as _

from courses.places import claim_places
from ecommerce.enums import PAYING_STATES, AttemptState, OrderState
from ecommerce.errors.checkout import (
    BasketChanged,
    BasketEmpty,
    CodeNeeded,
    GatewayNotOffered,
    NotForSale,
    NoWayToPay,
    PaymentUnavailable,
    PaymentUnderWay,
    SeveralCurrencies,
    TotalChanged,
)
from ecommerce.gateways.base import PaymentFailed
from ecommerce.gateways.registry import gateways_for
from ecommerce.models import Basket, BasketCode, Order, OrderLine, OrderLineCourse, PaymentAttempt
from ecommerce.ownership import find_line_runs, has_money
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
from ecommerce.selectors.business import BusinessDetails, business_details
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

# This long after a payment page expires no gateway takes money on it, even where its clock differs from ours.
SESSION_GRACE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Checkout:
    """An order and the address where it is paid; None where nothing is left to pay."""

    order: Order
    pay_url: str | None


def begin_checkout(
    *,
    owner: BasketOwner,
    user_id: int,
    now: datetime,
    expected_total: Money | None = None,
    seen_fingerprint: str = "",
    host: str = "",
    gateway: str = "",
    details: BusinessDetails | None = None,
) -> Checkout:
    """Place an order for the owner's current basket, and fulfill it at once if it is free or begin its payment.

    ``seen_fingerprint`` identifies the basket the buyer was shown. ``host`` is the host of the request: hosts may have
    gateway accounts of their own. ``gateway`` is the one that the buyer chose; empty for the first that takes the
    total. A page that was open at another one is ended before this one opens. ``details`` are stored on the order.
    Checking out the same basket again returns the same order, and for a while the same payment page, unless the gateway
    says that the page has ended.

    Raises BasketEmpty, TotalChanged or BasketChanged where the basket isn't what the buyer was shown, PaymentUnderWay,
    NoWayToPay, GatewayNotOffered, or the first refusal of a rule; then nothing is held and the basket is unchanged.
    Raises PaymentUnavailable or TotalNotPayable where the order is placed and waits for payment.
    """

    def place() -> tuple[Order, PaymentAttempt | None]:
        with transaction.atomic():
            order = place_order(
                owner=owner,
                user_id=user_id,
                now=now,
                expected_total=expected_total,
                seen_fingerprint=seen_fingerprint,
                details=details,
            )
            attempt = None if order.money.is_zero else _open_attempt_for(order, gateway, host=host, now=now)
            if attempt is None:
                fulfill_locked(order, now=now)
        return order, attempt

    order, attempt = retry_taken_number(place)
    if attempt is None:
        return Checkout(order=order, pay_url=None)
    order = _confirm_earlier_page(attempt, now=now)
    if order.is_fulfilled or order.state == OrderState.REVIEW:
        return Checkout(order=order, pay_url=None)
    if attempt.state != AttemptState.STARTED:  # its page was declined or has ended, so a new attempt is opened
        order, attempt = retry_taken_number(place)
        if attempt is None:
            return Checkout(order=order, pay_url=None)
    paid_elsewhere = _end_superseded_pages(order, now=now)
    if paid_elsewhere is None:
        return Checkout(order=order, pay_url=begin_session(attempt, now=now))
    _close_if_superseded(order, paid_elsewhere, now=now)
    if paid_elsewhere.state == OrderState.PENDING:
        raise PaymentUnderWay(number=paid_elsewhere.number)
    return Checkout(order=paid_elsewhere, pay_url=None)


def place_order(
    *,
    owner: BasketOwner,
    user_id: int,
    now: datetime,
    expected_total: Money | None = None,
    seen_fingerprint: str = "",
    details: BusinessDetails | None = None,
) -> Order:
    """Create the order and hold its codes and seats, all or nothing; or return the pending order of this very basket.

    Raises what ``begin_checkout`` raises before the payment.
    """
    with all_or_nothing():
        basket = lock_basket(owner, now=now)
        if basket is None:  # a double click: the first request bought it while this one waited for the lock
            raise BasketEmpty
        # Locked before anything is priced, so that no other order of the buyer can start payment and keep the code
        # used in this price.
        others = list(Order.objects.locked().of(user_id).filter(state__in=(OrderState.PENDING, OrderState.REVIEW)))
        # Locked before what the buyer has is read: the price of a program and its starts depend on it.
        lock_courses_of(user_id)
        priced = price_basket(basket, user_id=user_id, now=now, ask_rules=False)
        if priced.is_empty:
            raise BasketEmpty
        if not priced.has_one_currency:
            raise SeveralCurrencies
        placed, superseded = _sort_open_orders(priced, others, basket=basket, now=now)
        _cancel_superseded_orders(superseded, priced, now=now)
        if expected_total is not None and expected_total != priced.total:
            raise TotalChanged(shown=expected_total.formatted(), now=priced.total.formatted())
        if seen_fingerprint and seen_fingerprint != priced.fingerprint:
            raise BasketChanged
        if placed is None:
            return _write_order(priced, basket=basket, user_id=user_id, details=details, now=now)
        # The rules judged this order when it was placed. Staff may have enrolled the buyer since.
        refuse_owned_courses(_make_purchase(priced, user_id=user_id, now=now))
        if details is not None and details != business_details(placed):
            Order.objects.filter(pk=placed.pk).update(**details.columns())
            placed.refresh_from_db()
        return placed


def cancel_order(*, order_id: int, now: datetime, reason: str) -> Order:
    """Cancel an unpaid order. Raises WrongOrderState unless it is pending, PaymentUnderWay if its money is coming."""
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order_id)
        if order.state == OrderState.PENDING and is_being_paid(order):
            raise PaymentUnderWay(number=order.number)
        close_order(order=order, to=OrderState.CANCELED, now=now, reason=reason)
    return order


def release_lapsed_orders(*, now: datetime, limit: int = 200) -> int:
    """Cancel pending orders whose hold has ended and that aren't being paid; return how many."""
    lapsed = Order.objects.pending().filter(hold_until__lt=now)
    lapsed = lapsed.exclude(attempts__state__in=PAYING_STATES).order_by("pk")
    closed = 0
    for order_id in lapsed.values_list("pk", flat=True)[:limit]:
        try:
            closed += _release_lapsed(order_id, now)
        except (DatabaseError, DomainError):  # one faulty order must not keep the seats of the others
            logger.exception("lapsed order not released", extra={"order": order_id})
    return closed


def _release_lapsed(order_id: int, now: datetime) -> bool:
    with transaction.atomic():
        # Looked at again under the lock: since the list was read the buyer may have paid or extended the hold.
        order = Order.objects.locked().get(pk=order_id)
        if order.state != OrderState.PENDING or not _has_lapsed(order, now) or is_being_paid(order):
            return False
        close_order(order=order, to=OrderState.CANCELED, now=now, reason=_("not paid in time"))
        return True


def _open_attempt_for(order: Order, gateway: str, *, host: str, now: datetime) -> PaymentAttempt:
    """Open an attempt at this gateway, or the first that takes the total. Raises NoWayToPay, GatewayNotOffered."""
    offered = gateways_for(order.money)
    if not offered:
        raise NoWayToPay
    name = gateway or next(iter(offered))
    if name not in offered:
        raise GatewayNotOffered
    return open_attempt(order, gateway=offered[name], host=host, now=now)


def _confirm_earlier_page(attempt: PaymentAttempt, *, now: datetime) -> Order:
    """Ask about a page that the buyer was sent to before, which may have been paid or have ended; return its order.

    Raises PaymentUnderWay where the money is coming. A gateway that doesn't answer blocks no one: the page takes money
    only once, however often the buyer is sent there.
    """
    if not attempt.session_id:
        return attempt.order
    try:
        order = confirm_attempt(attempt_id=attempt.pk, now=now)
    except PaymentFailed as failure:
        logger.warning("gateway check failed", extra={"attempt": attempt.pk, "retriable": failure.retriable})
        return attempt.order
    if order.state == OrderState.PENDING and is_being_paid(order):
        raise PaymentUnderWay(number=order.number)
    attempt.refresh_from_db(fields=["state"])
    return order


def _end_superseded_pages(order: Order, *, now: datetime) -> Order | None:
    """End the buyer's payment pages that this order replaces; return the order of a page that was or is being paid.

    With two open pages the buyer could pay twice. So this raises PaymentUnavailable where the gateway doesn't say
    whether one was paid.
    """
    closing = PaymentAttempt.objects.filter(
        order__purchaser_id=order.purchaser_id, state=AttemptState.CLOSING, expires_at__gt=now - SESSION_GRACE
    ).order_by("pk")
    for attempt in _find_pages_for_same(order, closing):
        try:
            other = end_session(attempt_id=attempt.pk, now=now)
        except PaymentFailed as failure:
            raise PaymentUnavailable from failure
        if other.is_fulfilled or other.state == OrderState.REVIEW or is_being_paid(other):
            return other
    return None


def _find_pages_for_same(order: Order, attempts: Iterable[PaymentAttempt]) -> list[PaymentAttempt]:
    """Return those of a buyer's attempts that pay for a product or a course of this order; its own are among them.

    A contract's product counts only as itself, because its seat gives more than the course.
    """
    attempts = list(attempts)
    if all(attempt.order_id == order.pk for attempt in attempts):
        return attempts
    ids = {order.pk, *(attempt.order_id for attempt in attempts)}
    lines = list(OrderLine.objects.filter(order__in=ids).select_related("product__course_run", "order"))
    runs = find_line_runs(lines)
    sold: dict[int, set[tuple[str, int]]] = {order_id: set() for order_id in ids}
    for line in lines:
        courses = () if line.requires_code else runs[line.pk]
        product = "seats" if line.is_group else "product"
        sold[line.order_id].update(((product, line.product_id), *(("course", course) for course in courses)))
    return [attempt for attempt in attempts if sold[attempt.order_id] & sold[order.pk]]


def _close_if_superseded(order: Order, other: Order, *, now: datetime) -> None:
    """Cancel this order where an earlier one for the same products turned out to be paid."""
    if order.pk == other.pk:
        return
    with transaction.atomic():
        order = Order.objects.locked().get(pk=order.pk)
        if order.state == OrderState.PENDING and not is_being_paid(order):
            close_order(
                order=order,
                to=OrderState.CANCELED,
                now=now,
                reason=_("paid by order %(number)s") % {"number": other.number},
            )


def _sort_open_orders(
    priced: PricedBasket, others: Sequence[Order], *, basket: Basket, now: datetime
) -> tuple[Order | None, list[Order]]:
    """Return the pending order of this very basket, if there is one, and the open orders that a new one replaces.

    An order is replaced that has the same products or comes from this basket, and one that holds a code of this basket:
    the code's use passes to the new order in this transaction. Raises PaymentUnderWay where the money for one of the
    products is on its way, or waits with staff for a decision. ``others`` are locked.
    """
    keys = {line.key for line in priced.lines}
    codes = {line.code.pk for line in priced.lines if line.code is not None}
    placed, superseded = None, []
    for order in others:
        is_from_here = order.basket_id == basket.pk
        has_same_product = any(line.line_key in keys for line in order.lines.only("order", "product", "seats"))
        if order.state == OrderState.REVIEW:
            if has_same_product and has_money(order):
                raise PaymentUnderWay(number=order.number)
        elif not (is_from_here or has_same_product or _holds_code(order, codes)):
            continue
        elif not is_being_paid(order):
            is_same = is_from_here and order.fingerprint == priced.fingerprint and not _has_lapsed(order, now)
            if is_same and placed is None:
                placed = order
            else:
                superseded.append(order)
        elif has_same_product:
            raise PaymentUnderWay(number=order.number)
        else:
            # What was in the basket before is being paid, and its order is fulfilled when the money comes. The basket
            # has other products now and is free for another order.
            order.basket_id = None
            order.save(update_fields=["basket_id", "updated_at"])
    return placed, superseded


def _cancel_superseded_orders(superseded: Sequence[Order], priced: PricedBasket, *, now: datetime) -> None:
    if not superseded:
        return
    sold = OrderLine.objects.filter(order__in=superseded).values_list("product_id", flat=True)
    lock_for({line.product.pk for line in priced.lines}.union(sold))  # the rules' locks come before the codes'
    for order in superseded:
        close_order(order=order, to=OrderState.CANCELED, now=now, reason=_("replaced by a newer order"))


def _holds_code(order: Order, codes: Collection[int]) -> bool:
    return bool(codes) and order.lines.filter(takes_use=True, code__in=codes).exists()


def _has_lapsed(order: Order, now: datetime) -> bool:
    return order.hold_until is not None and order.hold_until < now


def _write_order(
    priced: PricedBasket, *, basket: Basket, user_id: int, details: BusinessDetails | None, now: datetime
) -> Order:
    until = now + timedelta(seconds=settings.ORDER_HOLD_SECONDS)
    order = Order.objects.create(
        number=new_order_number(on=clock.date_of(now), site_id=basket.site_id),
        purchaser_id=user_id,
        site_id=basket.site_id,
        currency=priced.currency,
        list_total=priced.list_total.amount,
        discount_total=(priced.discount_total + priced.deduction_total).amount,
        total=priced.total.amount,
        basket_id=basket.pk,
        basket_opened_at=basket.opened_at,
        fingerprint=priced.fingerprint,
        placed_at=now,
        hold_until=until,
        **(details or BusinessDetails()).columns(),
    )
    purchase = _make_purchase(priced, user_id=user_id, now=now)
    verdicts = [verdict for rule in checkout_rules() for verdict in rule.hold(purchase, order)]
    codes = {line.code.pk: line.code for line in priced.lines if line.code is not None}
    for _pk, code in sorted(codes.items()):  # always in the same order, so that two buyers can't deadlock
        hold_code(code=code, user_id=user_id, order_id=order.pk, until=until, now=now)
    applied = dict(BasketCode.objects.filter(basket=basket).values_list("code", "applied_at")) if codes else {}
    lines = OrderLine.objects.bulk_create([_make_line(line, order, verdicts, applied) for line in priced.lines])
    OrderLineCourse.objects.bulk_create(
        [row for line, sold in zip(lines, priced.lines, strict=True) for row in _make_course_rows(line, sold)]
    )
    if limited := {run.pk for line in purchase.lines for run in line.limited_runs}:
        claim_places(limited)
    return order


def _make_purchase(priced: PricedBasket, *, user_id: int, now: datetime) -> Purchase:
    lines = tuple(
        PurchaseLine(line.product, line.code, program=line.program, seats=line.seats) for line in priced.lines
    )
    site_id = priced.basket.site_id if priced.basket is not None else None
    return Purchase(lines=lines, user_id=user_id, now=now, site_id=site_id)


def _make_line(
    line: PricedLine, order: Order, verdicts: list[RuleVerdict], applied: Mapping[int, datetime]
) -> OrderLine:
    """Build the order line. Raises NotForSale, CodeNeeded.

    The code is checked here too, in case b2b's rule is missing from CHECKOUT_RULES.
    """
    product = line.product
    mine = [verdict for verdict in verdicts if verdict.key == line.key]
    if product.requires_code and not any(verdict.vouches for verdict in mine):
        raise NotForSale(title=line.title)
    entitlement = next((verdict.entitlement for verdict in mine if verdict.entitlement), "")
    has_own_code = line.code is not None and line.code.discount.unlocks_id == product.pk
    if product.requires_code and not entitlement and not has_own_code:
        raise CodeNeeded(title=line.title)
    return OrderLine(
        order=order,
        product=product,
        title=line.title,
        item_id=line.item_id,
        sku=product.sku,
        mode=product.mode,
        seats=line.seats,
        list_price=line.listed.amount,
        discount_amount=(line.discount + line.deduction).amount,
        deducted=line.deduction.amount,
        due=line.due.amount,
        currency=line.due.currency,
        requires_code=product.requires_code,
        code=line.code,
        code_applied_at=applied.get(line.code.pk) if line.code is not None else None,
        takes_use=line.code is not None and takes_use(line.code),
        discount_id=line.price.offer.discount_id if line.price.offer is not None else None,
        discount_label=line.discount_label,
        entitlement=entitlement,
        provider=next((verdict.provider for verdict in mine if verdict.provider), ""),
    )


def _make_course_rows(line: OrderLine, sold: PricedLine) -> list[OrderLineCourse]:
    """Build a row for each course of a program that the buyer gets or has; courses that aren't open have none."""
    return [
        OrderLineCourse(
            line=line,
            course=each.course,
            title=each.course.title,
            run=each.run,
            deducted=each.deducted.amount if each.deducted is not None else 0,
        )
        for each in (*sold.program.given, *sold.program.owned)
    ]
