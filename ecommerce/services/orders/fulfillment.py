"""Fulfilling orders, sending them to review, and closing them."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Coalesce

from courses.errors import AlreadyInRun
from courses.selectors.programs import starts_of_programs
from ecommerce.enums import OrderState, OwnedCourses, ReviewCause, UseState
from ecommerce.errors.checkout import AlreadyEnrolled, BuyerGone, OwnedCourseLost, StartClosed
from ecommerce.errors.codes import CodeOfAnotherOrder, CodeSwitchedOff, CodeUsed, CodeUseMissing
from ecommerce.events import OrderClosed, OrderFulfilled, OrderInReview
from ecommerce.models import (
    BasketCode,
    BasketItem,
    CodeUse,
    DiscountCode,
    Order,
    OrderLineCourse,
    ShopSettings,
)
from ecommerce.ownership import (
    find_deliverable_lines,
    find_enrolled_runs,
    find_line_runs,
    find_owned_courses,
    has_mode,
)
from ecommerce.programs import start_text
from ecommerce.rules import lock_courses_of, lock_for
from ecommerce.services.discounts.codes import confirm_uses, release_uses, use_code
from ecommerce.services.orders.attempts import give_up_attempts
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import all_or_nothing
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.text import list_titles


def fulfill_order(*, order_id: int, now: datetime, gives_rest: bool = False) -> Order:
    """Fulfill an order, all or nothing: confirm its codes, enroll the learner, take the seat, clear the basket.

    What was bought for a group becomes registration codes instead; its buyer isn't enrolled.

    A fulfilled order stays as it is. With ``gives_rest``, a program gives those of its courses that the learner doesn't
    have yet, and the next start in place of one that has closed.

    Raises BuyerGone where the account was deleted, WrongOrderState for an order that has ended, AlreadyEnrolled where
    the learner has one of the courses by now, StartClosed where a start was called off or is over, or whatever a
    receiver of OrderFulfilled refuses (no seat left); then nothing has changed.
    """
    with all_or_nothing():
        order = Order.objects.locked().select_related("purchaser").get(pk=order_id)
        if not order.is_fulfilled:
            if order.purchaser.closed_at is not None:
                raise BuyerGone(number=order.number)
            lock_courses_of(order.purchaser_id)
            lock_for(order.lines.values_list("product_id", flat=True))
            _refuse_owned_courses(order, gives_rest=gives_rest, now=now)
            if not gives_rest:
                _refuse_lost_courses(order, now=now)
            _refuse_closed_starts(order, gives_next=gives_rest, now=now)
            fulfill_locked(order, now=now)
    return order


def fulfill_locked(order: Order, *, now: datetime) -> None:
    """Fulfill an order that this transaction has locked or created, together with what its rules count.

    The caller has locked the learner's courses and made sure that they don't have what the order gives.
    """
    was_held = order.state == OrderState.PENDING
    order.move(OrderState.FULFILLED, at=now)
    confirm_uses(order_id=order.pk, now=now)
    if not was_held:
        claim_codes_again(order, now=now)
    publish(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=now))
    _refuse_missing_uses(order)  # last, because a receiver may refuse with a better reason
    _clear_basket(order)


def fulfill_or_review(*, order_id: int, now: datetime) -> Order:
    """Fulfill an order whose money has come. One that can't be fulfilled goes to review, where staff see it."""
    try:
        return fulfill_order(order_id=order_id, now=now)
    except DomainError as refusal:
        with transaction.atomic():
            order = Order.objects.locked().get(pk=order_id)
            cause, detail = _find_review_cause(refusal)
            send_to_review(order, cause=cause, detail=detail, now=now)
        return order


def send_to_review(order: Order, *, cause: ReviewCause, detail: str = "", now: datetime) -> None:
    """Send a locked order whose money came to review, with the cause. One that is fulfilled or refunded stays as it is.

    Staff read ``detail`` after the cause's own sentence: two amounts, a title. Codes and seats are no longer held, so
    fulfilling the order claims them again. The buyer is told only once, however often the cause changes.
    """
    if order.is_fulfilled or order.state == OrderState.REFUNDED:
        return
    # PAID_AFTER_HOLD is set just before fulfillment is tried; no one was told of it.
    is_buyer_told = order.state == OrderState.REVIEW and order.review_cause != ReviewCause.PAID_AFTER_HOLD
    if order.state == OrderState.REVIEW:
        order.change_review_cause(cause, reason=detail[:255], at=now)
    else:
        order.move(OrderState.REVIEW, at=now, cause=cause, reason=detail[:255])
    release_uses(order_id=order.pk, now=now)
    if not is_buyer_told:
        publish(OrderInReview(order_id=order.pk, purchaser_id=order.purchaser_id))


def close_order(*, order: Order, to: OrderState, now: datetime, reason: str) -> None:
    """End a locked pending order without fulfilling it, and free what was held for it.

    Its payment attempts are given up; their pages are to be ended at the gateway later.
    """
    order.move(to, at=now, reason=reason)
    give_up_attempts(order.attempts.order_by(), now=now, note=reason)
    release_uses(order_id=order.pk, now=now)
    publish(OrderClosed(order_id=order.pk, purchaser_id=order.purchaser_id))


def _find_review_cause(refusal: DomainError) -> tuple[ReviewCause, str]:
    """Return why an order can't be fulfilled, and the detail that staff read with it."""
    if isinstance(refusal, AlreadyEnrolled):
        return ReviewCause.HAS_COURSE, list_titles(refusal.titles)
    if isinstance(refusal, StartClosed):
        return ReviewCause.START_CLOSED, f"{refusal.title}, {refusal.start}"
    if isinstance(refusal, BuyerGone):
        return ReviewCause.ACCOUNT_DELETED, ""
    if isinstance(refusal, AlreadyInRun):
        return ReviewCause.HAS_COURSE, ""
    if isinstance(refusal, CodeUseMissing):
        return ReviewCause.CODE_USE_MISSING, ""
    if isinstance(refusal, CodeUsed | CodeSwitchedOff):
        return ReviewCause.CODE_GONE, str(refusal)
    return ReviewCause.REFUSED, str(refusal)


def _refuse_owned_courses(order: Order, *, gives_rest: bool, now: datetime) -> None:
    """Raise AlreadyEnrolled if the buyer already has one of the courses: then the money is to be refunded.

    Asked even while the order is held: a hold reserves codes and seats, but staff may enroll the buyer meanwhile.
    """
    lines = find_deliverable_lines(order.pk)
    runs = find_line_runs(lines)
    courses = {course_id for each in runs.values() for course_id in each}
    enrolled = find_enrolled_runs(order.purchaser_id, courses, now=now)
    for line in lines:
        owned = find_owned_courses(line.product, runs[line.pk], enrolled)
        is_partly_owned = 0 < len(owned) < len(runs[line.pk])
        if owned and not (is_partly_owned and (gives_rest or _sells_at_full_price(order))):
            raise AlreadyEnrolled(titles=tuple(sorted(owned.values())) if is_partly_owned else (line.title,))


def _refuse_lost_courses(order: Order, *, now: datetime) -> None:
    """Raise OwnedCourseLost if a course that came off a program's price was given back or revoked while it was paid."""
    rows = OrderLineCourse.objects.filter(line__in=order.lines.standing(), deducted__gt=0)
    deducted = list(rows.select_related("line__product").order_by("pk"))
    enrolled = find_enrolled_runs(order.purchaser_id, {row.course_id for row in deducted}, now=now)
    for row in deducted:
        if not any(has_mode(each, row.line.product) for each in enrolled.get(row.course_id, ())):
            raise OwnedCourseLost(title=row.title)


def _sells_at_full_price(order: Order) -> bool:
    """Whether the price of a program doesn't depend on what its buyer has, so that it gives what they don't have."""
    return ShopSettings.of_site(order.site_id).owned_courses == OwnedCourses.FULL_PRICE


def _refuse_closed_starts(order: Order, *, gives_next: bool, now: datetime) -> None:
    """Raise StartClosed if a start of a program was called off since the order was placed, or is over.

    That enrollment in it has closed is no reason: the buyer was in time. With ``gives_next`` the next start takes its
    place, where the course has one.
    """
    programs = [line.pk for line in find_deliverable_lines(order.pk) if line.product.program_id is not None]
    if not programs:
        return
    rows = OrderLineCourse.objects.filter(line__in=programs, run__isnull=False).select_related("run", "line__product")
    closed = [row for row in rows if row.run is not None and (not row.run.live or row.run.has_ended(now))]
    if not closed:
        return
    ids = {row.line.product.program_id or 0 for row in closed}
    starts = {each.course.pk: each.runs for listed in starts_of_programs(ids, now=now).values() for each in listed}
    for row in closed:
        following = next(iter(starts.get(row.course_id, ())), None) if gives_next else None
        if following is None and row.run is not None:
            raise StartClosed(title=row.title, start=start_text(row.run))
        row.run = following
        row.save(update_fields=["run"])


def claim_codes_again(order: Order, *, now: datetime) -> None:
    """Claim the codes that are no longer held, except for lines that were refunded in full.

    Raises CodeUsed where someone else has the code, CodeOfAnotherOrder where the buyer used it for another order.
    """
    lines = order.lines.standing()
    codes = DiscountCode.objects.filter(order_lines__in=lines).distinct().select_related("discount").order_by("pk")
    for code in codes:
        try:
            use_code(code=code, user_id=order.purchaser_id, order_id=order.pk, now=now)
        except CodeUsed as refusal:
            raise CodeOfAnotherOrder(number=refusal.number) if refusal.number else refusal from refusal


def _refuse_missing_uses(order: Order) -> None:
    """Raise CodeUseMissing unless each limited code of the order has a use that belongs to this order.

    A database trigger refuses such an order too, at the commit. Found here, it can go to review instead.
    """
    uses = CodeUse.objects.filter(code=OuterRef("code"), user=order.purchaser_id, state=UseState.CONFIRMED)
    uses = uses.filter(Q(order=order) | Q(code__discount__unlocks__isnull=False))
    if order.lines.standing().filter(~Exists(uses), takes_use=True).exists():
        raise CodeUseMissing(number=order.number)


def _clear_basket(order: Order) -> None:
    """Remove what was bought from the basket it came from. What was added since stays, and a number changed since."""
    mine = {"basket_id": order.basket_id, "basket__user_id": order.purchaser_id}
    bought = order.lines.annotate(number=Coalesce("seats", 0))
    bought = bought.filter(product=OuterRef("product"), number=OuterRef("number"))
    BasketItem.objects.annotate(number=Coalesce("seats", 0)).filter(Exists(bought), **mine).delete()
    BasketCode.objects.filter(code__order_lines__order=order, **mine).delete()
