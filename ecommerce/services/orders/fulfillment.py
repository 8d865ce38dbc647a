"""Giving the buyer what was bought."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from courses.errors import AlreadyInRun
from ecommerce.enums import OrderState, ReviewCause, UseState
from ecommerce.errors.checkout import AlreadyEnrolled
from ecommerce.errors.codes import CodeOfAnotherOrder, CodeSwitchedOff, CodeUsed, CodeUseMissing
from ecommerce.events import OrderClosed, OrderFulfilled, OrderInReview
from ecommerce.models import BasketCode, BasketItem, CodeUse, DiscountCode, Order
from ecommerce.ownership import (
    find_deliverable_lines,
    find_enrolled_runs,
    find_owned_courses,
    find_product_runs,
    sells_partly_owned_programs,
)
from ecommerce.rules import lock_courses_of, lock_for, ownership_refusal
from ecommerce.services.discounts.codes import confirm_uses, release_uses, use_code
from ecommerce.services.orders.attempts import give_up_attempts
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import all_or_nothing
from mitxonline.kernel.errors import DomainError


def fulfill_order(*, order_id: int, now: datetime, gives_rest: bool = False) -> Order:
    """Fulfill an order: codes confirmed, learner enrolled, seat taken, basket cleared – all or nothing.

    Doing it again is no error and changes nothing. Raises WrongOrderState for an order that has ended, AlreadyEnrolled
    where the learner came by a course in another way meanwhile, or whatever a receiver of OrderFulfilled refuses (no
    seat left by now); then nothing has happened. With ``gives_rest`` those courses of a
    program are given that the learner doesn't have.
    """
    with all_or_nothing():
        order = Order.objects.locked().get(pk=order_id)
        if not order.is_fulfilled:
            lock_courses_of(order.purchaser_id)
            lock_for(order.lines.values_list("product_id", flat=True))
            _refuse_owned_courses(order, gives_rest=gives_rest, now=now)
            fulfill_locked(order, now=now)
    return order


def fulfill_locked(order: Order, *, now: datetime) -> None:
    """Fulfill an order whose row this transaction has locked or made, as it has what its rules count.

    The caller has asked, under the lock of the learner's courses, whether they have what it gives.
    """
    was_held = order.state == OrderState.PENDING
    order.move(OrderState.FULFILLED, at=now)
    confirm_uses(order_id=order.pk, now=now)
    if not was_held:
        claim_codes_again(order, now=now)
    publish(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=now))
    _refuse_missing_uses(order)  # last: whoever hears of it may know better why it can't be
    _clear_basket(order)


def fulfill_or_review(*, order_id: int, now: datetime) -> Order:
    """Fulfill an order whose money has come; what can't be fulfilled goes to review, paid and visible to staff."""
    try:
        return fulfill_order(order_id=order_id, now=now)
    except DomainError as refusal:
        with transaction.atomic():
            order = Order.objects.locked().get(pk=order_id)
            cause, detail = _find_review_cause(refusal)
            send_to_review(order, cause=cause, detail=detail, now=now)
        return order


def send_to_review(order: Order, *, cause: ReviewCause, detail: str = "", now: datetime) -> None:
    """Put a locked order whose money came before staff, with the cause; one that ended well stays as it is.

    ``detail`` is what staff read after the cause's own sentence: two amounts, a title. Nothing is held for the order
    any more (a hold ends when the order leaves pending); whoever fulfills it claims again. The buyer is told once that
    someone looks, whatever else comes up.
    """
    if order.is_fulfilled or order.state == OrderState.REFUNDED:
        return
    is_known = order.state == OrderState.REVIEW and order.review_cause != ReviewCause.PAID_AFTER_HOLD
    if order.state == OrderState.REVIEW:
        order.review_cause, order.state_reason = cause, detail[:255]
        order.save(update_fields=["review_cause", "state_reason", "updated_at"])
    else:
        order.move(OrderState.REVIEW, at=now, cause=cause, reason=detail[:255])
    release_uses(order_id=order.pk, now=now)
    if not is_known:
        publish(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))


def close_order(*, order: Order, to: OrderState, now: datetime, reason: str) -> None:
    """Move a locked pending order to an end without fulfillment and free what was held for it.

    Its payment session is given up with it, and is still to be ended at the gateway.
    """
    order.move(to, at=now, reason=reason)
    give_up_attempts(order.attempts.order_by(), now=now, note=reason)
    release_uses(order_id=order.pk, now=now)
    publish(OrderClosed(order_id=order.pk, purchaser_id=order.purchaser_id))


def _find_review_cause(refusal: DomainError) -> tuple[ReviewCause, str]:
    """Why an order can't be fulfilled, as staff find it, and what they read with it."""
    if isinstance(refusal, AlreadyEnrolled):
        return ReviewCause.HAS_COURSE, refusal.title
    if isinstance(refusal, AlreadyInRun):
        return ReviewCause.HAS_COURSE, ""
    if isinstance(refusal, CodeUseMissing):
        return ReviewCause.CODE_USE_MISSING, ""
    if isinstance(refusal, CodeUsed | CodeSwitchedOff):
        return ReviewCause.CODE_GONE, str(refusal)
    return ReviewCause.REFUSED, str(refusal)


def _refuse_owned_courses(order: Order, *, gives_rest: bool, now: datetime) -> None:
    """AlreadyEnrolled if the buyer came by one of the courses in another way meanwhile: that is money to give back.

    Asked of every order, held or not: a hold keeps codes and seats, and no one from enrolling the learner.
    """
    products = [line.product for line in find_deliverable_lines(order.pk)]
    given = find_product_runs(products, now=order.placed_at)
    courses = {course_id for each in given.values() for course_id in each}
    places = find_enrolled_runs(order.purchaser_id, courses, now=now)
    for product in products:
        had = find_owned_courses(product, given[product.pk], places)
        is_part = len(had) < len(given[product.pk])
        if had and not (is_part and (gives_rest or sells_partly_owned_programs())):
            raise ownership_refusal(product, given[product.pk], had)


def claim_codes_again(order: Order, *, now: datetime) -> None:
    """Claim the codes that aren't held any more; lines whose price went back need theirs no more.

    CodeUsed if someone else was faster, CodeOfAnotherOrder where the buyer used it for another order meanwhile.
    """
    lines = order.lines.standing()
    codes = DiscountCode.objects.filter(order_lines__in=lines).distinct().select_related("discount").order_by("pk")
    for code in codes:
        try:
            use_code(code=code, user_id=order.purchaser_id, order_id=order.pk, now=now)
        except CodeUsed as refusal:
            raise CodeOfAnotherOrder(number=refusal.number) if refusal.number else refusal from refusal


def _refuse_missing_uses(order: Order) -> None:
    """CodeUseMissing unless each code of the order that can be used so many times has a use that is this order's.

    The database refuses such an order too, at the commit; here it is found in time to go before staff.
    """
    uses = CodeUse.objects.filter(code=OuterRef("code"), user=order.purchaser_id, state=UseState.CONFIRMED)
    uses = uses.filter(Q(order=order) | Q(code__discount__unlocks__isnull=False))
    if order.lines.standing().filter(~Exists(uses), takes_use=True).exists():
        raise CodeUseMissing(number=order.number)


def _clear_basket(order: Order) -> None:
    """Take what was bought out of the basket it came from; what was added since stays."""
    mine = {"basket_id": order.basket_id, "basket__user_id": order.purchaser_id}
    BasketItem.objects.filter(product__order_lines__order=order, **mine).delete()
    BasketCode.objects.filter(code__order_lines__order=order, **mine).delete()
