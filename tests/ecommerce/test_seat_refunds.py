"""Refunds of seats of a group: their price, their codes, and what happens where a refund fails or is made elsewhere."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from wagtail.models import Site

from courses.enums import EnrollmentMode
from courses.models import Enrollment
from ecommerce.enums import (
    AfterFailedRefund,
    CodeChangeKind,
    DisputeState,
    EnrollmentAfter,
    OrderState,
    RefundState,
    UseState,
)
from ecommerce.errors.refunds import TooManySeats
from ecommerce.errors.registration import SeatRefunded, SeatsRedeemed
from ecommerce.events import MoneyReturned, SeatTakenFromLearner
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import (
    CodeUse,
    DiscountCode,
    Order,
    OrderLine,
    Refund,
    RegistrationCodeChange,
    SeatSale,
    ShopSettings,
)
from ecommerce.receivers import email_refund, email_seat_taken
from ecommerce.selectors.refund_plan import RefundChoice, plan_refund
from ecommerce.selectors.registration import is_refunded
from ecommerce.selectors.seats import price_of_seats
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import follow_refund, refund_order, undo_free_order
from ecommerce.services.registration.codes import switch_off_unredeemed
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.ecommerce.tills import Till, install_till, make_refund_notice
from tests.factories import NOON, make_code, make_discount, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.counting import queries
from tests.support.events import deliveries_of

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=2)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def make_group_order(*, seats: int = 40, price: str = "100", discount: str = "0") -> Order:
    """Make an order of two courses for a group, beside another order of the same course."""
    product = make_product(price=price)
    make_paid_order(product, seats=2)
    order = make_paid_order(product, make_product(price=price), seats=seats, discount=discount)
    order.attempts.update(gateway="till")
    return order


def line_of(order: Order, number: int = 0) -> OrderLine:
    return list(order.lines.order_by("pk"))[number]


def codes_of(line: OrderLine) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount__seat_sale__order_line=line).order_by("pk"))


def off(line: OrderLine) -> int:
    return sum(not code.active for code in codes_of(line))


def redeem(line: OrderLine, number: int) -> User:
    learner = make_user()
    redeem_registration_code(text=codes_of(line)[number].text, user_id=learner.pk, now=NOON)
    return learner


def choice(**options: Any) -> RefundChoice:
    return RefundChoice(reason=options.pop("reason", "asked by phone"), **options)


def refund_seats(order: Order, line: OrderLine, seats: int, **options: Any) -> Refund:
    wanted = choice(seats=((line.pk, seats),), **options)
    return refund_order(order_id=order.pk, choice=wanted, now=LATER, by_id=make_user().pk)


def assert_books_hold(order: Order) -> None:
    """Codes switched off by refunds are as many as the seats refunded, and no line gave back more than is due."""
    for line in order.lines.all():
        alive = [part for part in line.refund_lines.select_related("refund") if part.refund.is_alive]
        assert line.refunded == sum((part.amount for part in alive), Decimal(0)) <= line.due
        assert line.seats_refunded == sum(part.seats for part in alive) <= (line.seats or 0)
        assert off(line) == line.seats_refunded


def test_a_code_comes_back_only_with_the_last_seat_that_it_lowered(till: Till) -> None:
    order = make_group_order(seats=3)
    line, other = line_of(order), line_of(order, 1)
    one, two = (make_code(make_discount(amount="50", for_groups=True), max_uses=1) for _each in range(2))
    for code, lowered in ((one, line), (two, other)):
        use_code(code=code, user_id=order.purchaser_id, order_id=order.pk, now=NOON)
        OrderLine.objects.filter(pk=lowered.pk).update(code=code, takes_use=True, discount=code.discount)

    def uses() -> list[int]:
        codes = DiscountCode.objects.filter(pk__in=(one.pk, two.pk))
        return list(codes.order_by("pk").values_list("uses", flat=True))

    refund_seats(order, line, 1, frees_codes=True)
    assert uses() == [1, 1]
    refund_seats(order, line, 1, frees_codes=True)
    assert uses() == [1, 1]
    refund_seats(order, line, 1, frees_codes=True)
    assert uses() == [0, 1]
    refund_seats(order, other, 3, frees_codes=False)
    assert uses() == [0, 1]


def test_twelve_unredeemed_seats_of_forty(till: Till) -> None:
    order = make_group_order()
    line, other = line_of(order), line_of(order, 1)
    learners = [redeem(line, number) for number in range(5)]
    refund = refund_seats(order, line, 12)
    assert (refund.state, refund.money) == (RefundState.SUCCEEDED, Money("1200", "USD"))
    order.refresh_from_db()
    assert order.state == OrderState.PARTIALLY_REFUNDED
    line.refresh_from_db()
    assert (line.refunded, line.seats_refunded) == (1200, 12)
    assert [code.active for code in codes_of(line)] == [True] * 28 + [False] * 12
    assert Enrollment.objects.active().filter(user__in=learners).count() == 5
    assert off(other) == 0
    assert_books_hold(order)
    changes = RegistrationCodeChange.objects.filter(refund=refund)
    assert {(each.kind, each.reason) for each in changes} == {(CodeChangeKind.REFUNDED, "asked by phone")}
    with pytest.raises(SeatRefunded):
        redeem(line, 39)


def test_redeemed_seats_are_refused_unless_finance_decides_otherwise(till: Till) -> None:
    order = make_group_order(seats=3)
    line = line_of(order)
    first, second = redeem(line, 0), redeem(line, 2)
    for seats in (2, 3):
        with pytest.raises(SeatsRedeemed, match="only 1 seat hasn’t been redeemed"):
            refund_seats(order, line, seats)
    assert not Refund.objects.exists()
    assert off(line) == 0
    refund_seats(order, line, 2, takes_redeemed=True)
    assert [code.active for code in codes_of(line)] == [True, False, False]  # the free one and the last redeemed one
    assert Enrollment.objects.active().filter(user=first).exists()
    assert not Enrollment.objects.active().filter(user=second).exists()
    assert CodeUse.objects.get(user=second).state == UseState.RETIRED
    assert len(deliveries_of(SeatTakenFromLearner)) == 1
    assert_books_hold(order)


@pytest.mark.parametrize(
    ("after", "mode", "use"),
    [
        (EnrollmentAfter.KEEP, EnrollmentMode.VERIFIED, UseState.CONFIRMED),
        (EnrollmentAfter.AUDIT, EnrollmentMode.AUDIT, UseState.CONFIRMED),
        (EnrollmentAfter.REMOVE, None, UseState.RETIRED),
    ],
)
def test_what_becomes_of_a_redeemed_seats_course(
    till: Till, after: EnrollmentAfter, mode: EnrollmentMode | None, use: UseState
) -> None:
    order = make_group_order(seats=1)
    line = line_of(order)
    learner = redeem(line, 0)
    refund_seats(order, line, 1, takes_redeemed=True, enrollment_after=after)
    assert Enrollment.objects.active().filter(user=learner).values_list("mode", flat=True).first() == mode
    assert CodeUse.objects.get(user=learner).state == use
    assert_books_hold(order)


@pytest.mark.parametrize("seats", [0, -1, 4])
def test_seats_that_are_not_there_are_refused(till: Till, seats: int) -> None:
    order = make_group_order(seats=3)
    with pytest.raises(TooManySeats, match="3 seats can still be refunded"):
        refund_seats(order, line_of(order), seats)


@given(
    due=st.integers(1, 10_000),
    seats=st.integers(1, 60),
    steps=st.lists(st.integers(1, 60), min_size=1, max_size=12),
    goodwill=st.integers(0, 10_000),
)
def test_seats_refunded_bit_by_bit_are_exactly_what_is_due(
    due: int, seats: int, steps: list[int], goodwill: int
) -> None:
    line = OrderLine(due=Decimal(due) / 100, refunded=Decimal(0), seats=seats, currency="USD")
    line.refunded = Decimal(min(goodwill, due)) / 100
    given_back = line.refunded
    for step in [*steps, seats]:
        wanted = min(step, seats - line.seats_refunded)
        if wanted:
            price = price_of_seats(line, wanted)
            assert price.amount >= 0
            line.refunded += price.amount
            line.seats_refunded += wanted
            given_back += price.amount
    assert line.seats_refunded == seats
    assert given_back == line.due


def test_money_refunded_before_is_missing_from_the_last_seats(till: Till) -> None:
    order = make_group_order(seats=3, discount="0.01")
    line = line_of(order)
    assert line.due == Decimal("299.99")
    refund_order(
        order_id=order.pk, choice=choice(amount=Money("20", "USD"), line_ids=(line.pk,)), now=LATER, by_id=None
    )
    assert off(line) == 0
    assert refund_seats(order, line, 1).money == Money("99.99", "USD")
    assert refund_seats(order, line, 1).money == Money("100", "USD")
    assert refund_seats(order, line, 1).money == Money("80", "USD")
    assert_books_hold(order)
    assert codes_of(line)[0].active is False


def test_the_whole_order_takes_all_seats(till: Till) -> None:
    order = make_group_order(seats=3)
    learner = redeem(line_of(order, 1), 0)
    with pytest.raises(SeatsRedeemed):
        refund_order(order_id=order.pk, choice=choice(), now=LATER, by_id=None)
    refund_order(order_id=order.pk, choice=choice(takes_redeemed=True), now=LATER, by_id=None)
    order.refresh_from_db()
    assert order.state == OrderState.REFUNDED
    assert [off(line) for line in order.lines.all()] == [3, 3]
    assert not Enrollment.objects.active().filter(user=learner).exists()
    assert_books_hold(order)


def test_an_amount_that_takes_the_last_money_takes_the_seats(till: Till) -> None:
    order = make_group_order(seats=2)
    line, other = line_of(order), line_of(order, 1)
    whole = choice(amount=Money("200", "USD"), line_ids=(line.pk,))
    refund_order(order_id=order.pk, choice=whole, now=LATER, by_id=None)
    assert (off(line), off(other)) == (2, 0)
    assert_books_hold(order)


def test_several_lines_at_once(till: Till) -> None:
    order = make_group_order(seats=5)
    line, other = line_of(order), line_of(order, 1)
    wanted = choice(seats=((line.pk, 2), (other.pk, 3)))
    refund = refund_order(order_id=order.pk, choice=wanted, now=LATER, by_id=None)
    assert refund.money == Money("500", "USD")
    assert (off(line), off(other)) == (2, 3)
    assert_books_hold(order)


def test_the_buyers_own_course_goes_with_its_own_line(till: Till) -> None:
    product = make_product(price="100")
    order = make_paid_order(product, seats=2)
    own = make_paid_order(product, buyer=order.purchaser)
    own.lines.update(order=order)
    order.attempts.update(gateway="till", amount=300)
    Order.objects.filter(pk=order.pk).update(total=300, list_total=300)
    Enrollment.objects.get(user=order.purchaser).grants.update(reference=order.number)
    personal = order.lines.get(seats=None)
    refund_order(order_id=order.pk, choice=choice(line_ids=(personal.pk,)), now=LATER, by_id=None)
    assert not Enrollment.objects.active().filter(user=order.purchaser).exists()
    assert off(order.lines.exclude(seats=None).get()) == 0
    assert_books_hold(order)


def test_a_plan_names_whose_seats_go_and_refuses_when_they_changed(till: Till) -> None:
    order = make_group_order(seats=2)
    line = line_of(order)
    redeem(line, 0)
    wanted = choice(seats=((line.pk, 2),), takes_redeemed=True)
    plan = plan_refund(order_id=order.pk, choice=wanted)
    assert [seat.code_id for each in plan.seats for seat in each.redeemed] == [codes_of(line)[0].pk]
    redeem(line, 1)
    with pytest.raises(PlanChanged):
        refund_order(order_id=order.pk, choice=wanted, now=LATER, by_id=None, seen=plan.fingerprint(request_id=None))


def test_a_refund_that_fails_at_once_brings_the_codes_back(till: Till) -> None:
    order = make_group_order(seats=3)
    line = line_of(order)
    till.says = ["no"]
    refund = refund_seats(order, line, 2)
    assert refund.state == RefundState.FAILED
    assert off(line) == 0
    assert_books_hold(order)
    redeem(line, 2)
    refund_seats(order, line, 2)
    assert_books_hold(order)


@pytest.mark.parametrize("policy", list(AfterFailedRefund))
def test_a_refund_that_comes_back_gives_seats_back(till: Till, policy: AfterFailedRefund) -> None:
    ShopSettings.objects.update_or_create(
        site=Site.objects.get(is_default_site=True), defaults={"after_failed_refund": policy}
    )
    order = make_group_order(seats=2)
    line = line_of(order)
    learner = redeem(line, 0)
    refund = refund_seats(order, line, 2, takes_redeemed=True)
    assert off(line) == 2
    notice = make_refund_notice(refund, state=RefundState.FAILED, refund_id=refund.gateway_refund_id)
    follow_refund(notice, gateway_name="till", now=LATER + timedelta(days=1))
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert off(line) == 0
    has_course = Enrollment.objects.active().filter(user=learner).exists()
    assert has_course == (policy == AfterFailedRefund.RESTORE)
    state = UseState.CONFIRMED if has_course else UseState.RELEASED
    assert CodeUse.objects.get(user=learner).state == state
    assert codes_of(line)[0].uses == int(has_course)
    assert_books_hold(order)


@pytest.mark.parametrize("policy", list(EnrollmentAfter))
def test_a_refund_made_at_the_gateway(till: Till, policy: EnrollmentAfter) -> None:
    """Until all money is back, staff decide which seats; then unredeemed codes are off, whatever the policy."""
    ShopSettings.objects.update_or_create(
        site=Site.objects.get(is_default_site=True), defaults={"after_refund_elsewhere": policy}
    )
    order = make_group_order(seats=2)
    learner = redeem(line_of(order), 0)
    attempt = order.attempts.get()
    follow_refund(make_refund_notice(attempt=attempt, amount="100", refund_id="re_1"), gateway_name="till", now=LATER)
    assert [off(line) for line in order.lines.all()] == [0, 0]
    follow_refund(make_refund_notice(attempt=attempt, amount="300", refund_id="re_2"), gateway_name="till", now=LATER)
    order.refresh_from_db()
    assert order.state == OrderState.REFUNDED
    assert [off(line) for line in order.lines.all()] == [2, 2]
    mode = Enrollment.objects.active().filter(user=learner).values_list("mode", flat=True).first()
    assert mode == {"keep": "verified", "audit": "audit", "remove": None}[policy]
    assert_books_hold(order)


def test_a_lost_dispute_takes_the_seats_and_a_won_one_gives_them_back(till: Till) -> None:
    ShopSettings.objects.update_or_create(
        site=Site.objects.get(is_default_site=True),
        defaults={"after_lost_dispute": EnrollmentAfter.REMOVE, "after_failed_refund": AfterFailedRefund.RESTORE},
    )
    order = make_group_order(seats=2)
    learner = redeem(line_of(order), 0)
    attempt = order.attempts.get()
    lost = DisputeNotice("evt", "dp_1", attempt.payment_id, attempt.money, DisputeState.LOST, "fraud")
    follow_dispute(lost, gateway_name="till", now=LATER)
    assert [off(line) for line in order.lines.all()] == [2, 2]
    assert not Enrollment.objects.active().filter(user=learner).exists()
    assert_books_hold(order)
    won = DisputeNotice("evt2", "dp_1", attempt.payment_id, attempt.money, DisputeState.WON, "fraud")
    follow_dispute(won, gateway_name="till", now=LATER)
    assert [off(line) for line in order.lines.all()] == [0, 0]
    assert Enrollment.objects.active().filter(user=learner).exists()
    assert_books_hold(order)


def make_underpaid_order(*, seats: int = 3) -> Order:
    """Make a paid order for a group of which only 1.00 came, which finance accepted."""
    make_paid_order(make_product(), seats=2)
    return make_paid_order(make_product(price="100"), seats=seats, gateway="till", paid="1")


def report_dispute(order: Order, state: DisputeState) -> None:
    attempt = order.attempts.get()
    notice = DisputeNotice(
        event_id=f"evt_{state}",
        dispute_id="dp_9",
        payment_id=attempt.payment_id,
        amount=attempt.paid_money,
        reason="",
        state=state,
    )
    follow_dispute(notice, gateway_name="till", now=LATER)


def test_a_lost_dispute_takes_the_seats_of_an_underpaid_order(till: Till) -> None:
    order = make_underpaid_order()
    line = line_of(order)
    redeem(line, 0)
    report_dispute(order, DisputeState.LOST)
    order.refresh_from_db()
    assert order.state == OrderState.REFUNDED
    assert [code.active for code in codes_of(line)] == [False] * 3
    assert_books_hold(order)
    report_dispute(order, DisputeState.WON)
    assert [code.active for code in codes_of(line)] == [True] * 3
    assert_books_hold(order)


def test_the_last_money_takes_the_seats_of_an_underpaid_order(till: Till) -> None:
    order = make_underpaid_order()
    line = line_of(order)
    redeem(line, 0)
    with pytest.raises(SeatsRedeemed):
        plan_refund(order_id=order.pk, choice=choice(amount=Money("1", "USD")))
    wanted = choice(amount=Money("1", "USD"), takes_redeemed=True)
    refund_order(order_id=order.pk, choice=wanted, now=LATER, by_id=None)
    assert off(line) == 3
    assert_books_hold(order)


def test_a_dispute_lost_while_a_refund_is_on_its_way_that_fails(till: Till) -> None:
    """All money is back, so the seats of the refund that failed don't come back."""
    till.says = ["away"]
    order = make_paid_order(make_product(price="100"), seats=4, gateway="till")
    line = line_of(order)
    refund = refund_seats(order, line, 2)
    assert (refund.state, off(line)) == (RefundState.SENT, 2)
    report_dispute(order, DisputeState.LOST)
    notice = make_refund_notice(refund, refund_id="re_9", state=RefundState.FAILED)
    follow_refund(notice, gateway_name="till", now=LATER)
    refund.refresh_from_db()
    order.refresh_from_db()
    assert (refund.state, order.state) == (RefundState.FAILED, OrderState.REFUNDED)
    assert off(line) == 4
    line.refresh_from_db()
    assert line.seats_refunded == 4


def test_a_code_that_staff_had_switched_off_stays_off_when_its_refund_fails(till: Till) -> None:
    order = make_group_order(seats=3)
    line = line_of(order)
    switch_off_unredeemed(line.seat_sale, seats=1, reason="leaked", by_id=None, now=NOON)
    leaked = next(code for code in codes_of(line) if not code.active)
    refund = refund_seats(order, line, 2)
    assert not DiscountCode.objects.get(pk=leaked.pk).active
    notice = make_refund_notice(refund, refund_id=refund.gateway_refund_id, state=RefundState.FAILED)
    follow_refund(notice, gateway_name="till", now=LATER)
    assert [code.pk for code in codes_of(line) if not code.active] == [leaked.pk]
    assert not is_refunded(DiscountCode.objects.get(pk=leaked.pk))  # so staff can restore it


def test_free_seats_are_undone_with_their_codes(till: Till) -> None:
    order = make_paid_order(make_product(price="0"), make_product(price="0"), seats=3)
    line, other = line_of(order), line_of(order, 1)
    learner = redeem(line, 1)
    with pytest.raises(SeatsRedeemed):
        undo_free_order(order_id=order.pk, choice=choice(line_ids=(line.pk,)), now=LATER, by_id=None)
    wanted = choice(line_ids=(line.pk,), takes_redeemed=True)
    undo_free_order(order_id=order.pk, choice=wanted, now=LATER, by_id=None)
    assert (off(line), off(other)) == (3, 0)
    assert not Enrollment.objects.active().filter(user=learner).exists()
    line.refresh_from_db()
    assert line.seats_refunded == 3


def test_codes_that_staff_had_switched_off_go_first(till: Till) -> None:
    order = make_group_order(seats=3)
    line = line_of(order)
    first = codes_of(line)[0]
    DiscountCode.objects.filter(pk=first.pk).update(active=False)
    RegistrationCodeChange.objects.create(code=first, kind=CodeChangeKind.SWITCHED_OFF, reason="lost", at=NOON)
    refund_seats(order, line, 1)
    assert [code.active for code in codes_of(line)] == [False, True, True]
    assert_books_hold(order)


def test_the_database_refuses_books_that_do_not_hold() -> None:
    line = line_of(make_group_order(seats=3))
    for wrong in ({"seats_refunded": 4}, {"refunded": 300}):
        with pytest.raises(IntegrityError), transaction.atomic():
            OrderLine.objects.filter(pk=line.pk).update(**wrong)
    personal = line_of(make_paid_order(make_product()))
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.filter(pk=personal.pk).update(seats_refunded=1)


def test_the_learner_is_told(till: Till, mailoutbox: list[Any]) -> None:
    order = make_group_order(seats=1)
    line = line_of(order)
    learner = redeem(line, 0)
    use = CodeUse.objects.get(user=learner)
    sale = SeatSale.objects.get(order_line=line)
    email_seat_taken(SeatTakenFromLearner(use_id=use.pk, run_id=sale.course_run_id))
    (mail,) = mailoutbox
    assert mail.to == [learner.email]
    assert mail.subject == f"Your seat in “{sale.course_run.title}”"
    assert "You no longer have access to this course unless you got it another way." in mail.body


def test_the_buyer_is_told_about_seats_and_not_about_courses(till: Till, mailoutbox: list[Any]) -> None:
    order = make_group_order(seats=3)
    refund = refund_seats(order, line_of(order), 2)
    email_refund(MoneyReturned(refund_id=refund.pk, order_id=order.pk))
    assert f"{line_of(order).title}: 2 seats of a group. Their codes no longer work." in mailoutbox[-1].body
    assert "You no longer have access" not in mailoutbox[-1].body


@pytest.mark.parametrize("seats", [3, 300])
def test_refunding_seats_costs_the_same_for_any_number(till: Till, seats: int) -> None:
    order = make_group_order(seats=seats + 1)
    line = line_of(order)
    wanted = choice(seats=((line.pk, seats),))
    with queries(44):
        refund_order(order_id=order.pk, choice=wanted, now=LATER, by_id=None)


def test_the_command_refunds_seats(till: Till) -> None:
    order = make_group_order(seats=5)
    redeem(line_of(order), 0)
    said = ("--unenroll", "--reason", "fewer people")
    for _each in range(2):  # once
        call_command("refund_order", order.number, "--lines", "1", "--seats", "4", *said)
    assert (off(line_of(order)), off(line_of(order, 1))) == (4, 0)
    with pytest.raises((CommandError, SeatsRedeemed)):
        call_command("refund_order", order.number, "--lines", "1", "--seats", "1", *said)
    call_command("refund_order", order.number, "--lines", "1", "--seats", "1", "--redeemed", *said)
    assert off(line_of(order)) == 5
    with pytest.raises(CommandError, match="exactly one line for a group"):
        call_command("refund_order", order.number, "--seats", "1", *said)
    assert_books_hold(order)
