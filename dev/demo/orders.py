"""Orders of the demo, one for each thing that finance has to look at. The real services place, pay and refund them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from courses.models import CourseRun
from dev.demo.people import BUYERS, FINANCE_OFFICER, MIRA, Account
from ecommerce.enums import DisputeState, EnrollmentAfter, RefundWhy
from ecommerce.errors.codes import CodeRefused
from ecommerce.gateways.base import DisputeNotice, PaymentNotice, PaymentOutcome
from ecommerce.models import DiscountCode, Order, OrderNote, PaymentAttempt, Product
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.business import BusinessDetails
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.payment.payments import settle_notice
from ecommerce.services.payment.sandbox import answer_sandbox
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import refund_order
from ecommerce.services.refunds.requests import request_refund
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel.money import Money
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class Story:
    """An order placed some days ago, and what happened to it since."""

    buyer: Account
    courses: tuple[str, ...]
    days_ago: int
    goes_on: Callable[[Order, datetime], None]
    code: str = ""
    seats: int | None = None
    details: BusinessDetails | None = None


def ensure_orders(*, now: datetime) -> None:
    """Tell each story whose buyer has no finished order. Payments are made outside transactions, as on the site."""
    users = {user.email: user for user in User.objects.filter(email__in=[story.buyer.email for story in STORIES])}
    for story in STORIES:
        user = users[story.buyer.email]
        if Order.objects.of(user.pk).exclude(attempts__settled_at=None).exists() or _is_awaited(user):
            continue
        tell_story(story, user, now=now)


def tell_story(story: Story, user: User, *, now: datetime) -> None:
    order = _place_order(story, user, now - timedelta(days=story.days_ago), now)
    if order is not None:
        story.goes_on(order, now)


def _is_awaited(user: User) -> bool:
    return PaymentAttempt.objects.filter(order__purchaser=user).exists()


def _place_order(story: Story, user: User, then: datetime, now: datetime) -> Order | None:
    products = [product for number in story.courses if (product := _find_product(number, then, now)) is not None]
    if len(products) < len(story.courses):  # an operator has taken a course off sale
        return None
    owner = BasketOwner(user_id=user.pk)
    add_products(owner=owner, product_ids=[product.pk for product in products], seats=story.seats, now=then)
    if story.code:
        apply_code(owner=owner, text=story.code, user_id=user.pk, now=then)
    return begin_checkout(owner=owner, user_id=user.pk, now=then, gateway="sandbox", details=story.details).order


def _find_product(number: str, then: datetime, now: datetime) -> Product | None:
    """The course's own-pace start, or else its next one: a refund can still be requested for it."""
    runs = CourseRun.objects.enrollable(then).filter(course__readable_id__endswith=f"+{number}")
    run = runs.filter(products__isnull=False).order_by("-is_self_paced", "start_date").last()
    return Product.objects.public().filter(course_run=run).first() if run is not None else None


def _pay(order: Order, at: datetime, answer: str = "accept") -> None:
    attempt = order.attempts.get()
    answer_sandbox(reference=attempt.reference, user_id=order.purchaser_id, answer=answer, now=at)


def pay(order: Order, now: datetime) -> None:
    _pay(order, order.placed_at + timedelta(minutes=3))


def pay_and_refund_one_course(order: Order, now: datetime) -> None:
    pay(order, now)
    line = order.lines.order_by("pk")[0]
    choice = RefundChoice(
        line_ids=(line.pk,), enrollment_after=EnrollmentAfter.REMOVE, reason="Asked by phone: chose the wrong course"
    )
    by_id = User.objects.get(email=FINANCE_OFFICER.email).pk
    refund_order(order_id=order.pk, choice=choice, now=now - timedelta(days=3), by_id=by_id)
    OrderNote.objects.create(
        order=order,
        text="Called on Tuesday. Keeps the other course and starts in spring.",
        written_at=now - timedelta(days=3),
        written_by_id=by_id,
    )


def pay_and_request_refund(order: Order, now: datetime) -> None:
    pay(order, now)
    request_refund(
        user_id=order.purchaser_id,
        number=order.number,
        why=RefundWhy.OTHER,
        text="My shifts have changed and I can’t follow the course this winter.",
        now=now - timedelta(hours=20),
    )


def pay_too_little(order: Order, now: datetime) -> None:
    """The gateway reports less than the order costs, so the order is in review."""
    _settle(order, order.placed_at + timedelta(minutes=4), paid=Money(order.total / 2, order.currency))


def pay_and_dispute(order: Order, now: datetime) -> None:
    pay(order, now)
    attempt = order.attempts.get()
    notice = DisputeNotice(
        event_id=f"demo-dispute-{attempt.reference}",
        dispute_id=f"demo-{attempt.reference}",
        payment_id=attempt.payment_id,
        amount=attempt.paid_money,
        state=DisputeState.NEEDS_RESPONSE,
        reason="not received",
    )
    follow_dispute(notice, gateway_name=attempt.gateway, now=now - timedelta(days=2))


def pay_twice(order: Order, now: datetime) -> None:
    """A second page of the same order was paid too: the gateway reports a session that we don't know."""
    pay(order, now)
    _settle(order, order.placed_at + timedelta(minutes=9), session="second")


def leave_at_the_bank(order: Order, now: datetime) -> None:
    _pay(order, order.placed_at + timedelta(minutes=2), answer="later")


def decline(order: Order, now: datetime) -> None:
    _pay(order, order.placed_at + timedelta(minutes=2), answer="decline")


def _settle(order: Order, at: datetime, *, paid: Money | None = None, session: str = "") -> None:
    attempt = order.attempts.order_by("pk")[0]
    session_id = f"{attempt.session_id}-{session}" if session else attempt.session_id
    notice = PaymentNotice(
        event_id=f"demo-{session_id}",
        reference=attempt.reference,
        session_id=session_id,
        payment_id=session_id,
        outcome=PaymentOutcome.PAID,
        paid=paid or attempt.money,
    )
    settle_notice(notice=notice, gateway_name=attempt.gateway, now=at)


def pay_and_redeem_some(order: Order, now: datetime) -> None:
    """Pay for a group, of which some have redeemed their codes by now."""
    pay(order, now)
    codes = DiscountCode.objects.filter(discount__seat_sale__order_line__order=order).order_by("pk")
    people = User.objects.filter(email__in=[each.email for each in (HENRIK, PRIYA, MAREK, OLA, NOOR)]).order_by("pk")
    for hours, (code, learner) in enumerate(zip(codes, people, strict=False), start=3):
        with suppress(CodeRefused):  # one who has the course keeps the code free
            redeem_registration_code(text=code.text, user_id=learner.pk, now=order.placed_at + timedelta(hours=hours))


CLARA, HENRIK, PRIYA, TOMAS, INGRID, MAREK, YUKI, OLA, NOOR = BUYERS

HARBOR_CLINIC = BusinessDetails(
    company="Harbor Clinic",
    contact_name="Mira Costa",
    contact_email="mira.costa@harborclinic.example",
    street="12 Harbor Way",
    city="Boston",
    region="MA",
    postal_code="02110",
    country="US",
    tax_id="12-3456789",
    po_number="HC-2026-118",
)

STORIES = (
    Story(CLARA, ("PY101", "ST240"), 1, pay),
    Story(NOOR, ("BU210",), 1, pay, code="WELCOME10"),
    Story(HENRIK, ("DE105", "WR101"), 12, pay_and_refund_one_course),
    Story(PRIYA, ("BU210",), 4, pay_and_request_refund),
    Story(TOMAS, ("ST120",), 2, pay_too_little),
    Story(INGRID, ("PY101",), 30, pay_and_dispute),
    Story(MAREK, ("WR101",), 5, pay_twice),
    Story(YUKI, ("ST120",), 0, leave_at_the_bank),
    Story(OLA, ("WR101",), 3, decline),
    Story(MIRA, ("ST240",), 6, pay_and_redeem_some, seats=12, details=HARBOR_CLINIC),
)
