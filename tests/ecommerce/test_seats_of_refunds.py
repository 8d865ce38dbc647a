"""Refunds made at the gateway for some seats of a group: staff say for which, and until then they are listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from courses.models import Enrollment
from ecommerce.enums import DisputeState, EnrollmentAfter, RefundState
from ecommerce.errors.refunds import RefundDecided, TooManySeats
from ecommerce.errors.registration import SeatsRedeemed
from ecommerce.gateways.base import DisputeNotice
from ecommerce.models import DiscountCode, Order, OrderLine, Refund
from ecommerce.selectors.order_desk import Attention, orders_needing
from ecommerce.services.refunds.disputes import follow_dispute
from ecommerce.services.refunds.refunds import follow_refund
from ecommerce.services.refunds.seats import SeatsOfRefund, assign_seats
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from reports.enums import Cause
from tests.ecommerce.desk import desk_url, read_order_page
from tests.ecommerce.tills import Till, install_till, make_refund_notice
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.reports.readings import read_seats
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=2)


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


@pytest.fixture
def order(till: Till) -> Order:
    """Two groups of three seats for 100 each, beside the same order of someone else that was refunded as well."""
    products = [make_product(price="100"), make_product(price="100")]
    other = make_paid_order(*products, seats=3, gateway="till")
    refund_there(other, "50", "re_0")
    assign(Refund.objects.get(order=other))
    return make_paid_order(*products, seats=3, gateway="till")


def refund_there(order: Order, amount: str, refund_id: str = "re_1") -> Refund:
    notice = make_refund_notice(attempt=order.attempts.get(), amount=amount, refund_id=refund_id)
    refund = follow_refund(notice, gateway_name="till", now=NOON)
    assert refund is not None
    return refund


def assign(refund: Refund, *seats: tuple[OrderLine, int], **options: Any) -> Refund:
    choice = SeatsOfRefund(reason="they wrote so", seats=tuple((line.pk, n) for line, n in seats), **options)
    return assign_seats(refund_id=refund.pk, choice=choice, now=LATER, by_id=make_user().pk)


def redeem(line: OrderLine, number: int = 0) -> User:
    learner = make_user()
    code = DiscountCode.objects.filter(discount__seat_sale__order_line=line).order_by("pk")[number]
    redeem_registration_code(text=code.text, user_id=learner.pk, now=NOON)
    return learner


def facts(line: OrderLine) -> tuple[int, int, int]:
    """How much of the line's money and how many of its seats went back, and how many of its codes are off."""
    line.refresh_from_db()
    codes = DiscountCode.objects.filter(discount__seat_sale__order_line=line, active=False)
    return int(line.refunded), line.seats_refunded, codes.count()


def causes() -> list[str]:
    return [row.cause for row in read_seats().rows]


def needing() -> list[Order]:
    return list(orders_needing(Attention.SEATS))


def test_the_seats_of_a_refund_are_listed_until_someone_says_which(order: Order) -> None:
    one, two = order.lines.order_by("pk")
    refund = refund_there(order, "200")
    assert (facts(one), facts(two)) == ((100, 0, 0), (100, 0, 0))
    assert (needing(), causes()) == ([order], [Cause.NOT_ASSIGNED] * 2)
    assign(refund, (one, 2))
    assert (facts(one), facts(two)) == ((200, 2, 2), (0, 0, 0))
    assert (needing(), causes()) == ([], [])
    with pytest.raises(RefundDecided):
        assign(refund, (two, 1))
    assert facts(two) == (0, 0, 0)


@pytest.mark.parametrize(
    ("amount", "seats", "money"),
    [
        ("100", (1, 0), (100, 0)),
        ("90", (1, 0), (90, 0)),  # the shop kept a fee
        ("90", (1, 1), (45, 45)),
        ("130", (1, 0), (112, 18)),  # 30 are left of the price: divided among what is left of all lines
        ("330", (2, 1), (210, 120)),
    ],
)
def test_the_money_counts_for_the_seats_at_their_price(
    order: Order, amount: str, seats: tuple[int, int], money: tuple[int, int]
) -> None:
    lines = list(order.lines.order_by("pk"))
    assign(refund_there(order, amount), *((line, n) for line, n in zip(lines, seats, strict=True) if n))
    assert [facts(line) for line in lines] == [(m, n, n) for m, n in zip(money, seats, strict=True)]


def test_no_seats_means_that_the_price_was_lowered(order: Order) -> None:
    assign(refund_there(order, "60"))
    assert [facts(line) for line in order.lines.order_by("pk")] == [(30, 0, 0)] * 2
    assert (needing(), causes()) == ([], [])


def test_redeemed_seats_are_refused_unless_finance_decides_otherwise(order: Order) -> None:
    line = order.lines.order_by("pk")[0]
    learners = [redeem(line, number) for number in range(2)]
    refund = refund_there(order, "200")
    with pytest.raises(SeatsRedeemed):
        assign(refund, (line, 2))
    assert facts(line) == (100, 0, 0)
    with pytest.raises(TooManySeats):
        assign(refund, (line, 4), takes_redeemed=True)
    assign(refund, (line, 2), takes_redeemed=True, enrollment_after=EnrollmentAfter.REMOVE)
    assert facts(line) == (200, 2, 2)
    enrolled = [Enrollment.objects.active().filter(user=learner).exists() for learner in learners]
    assert enrolled == [True, False]  # the last redeemed goes first


def test_a_refund_that_fails_gives_its_seats_back(order: Order) -> None:
    line = order.lines.order_by("pk")[0]
    learner = redeem(line)
    refund = refund_there(order, "300")
    assign(refund, (line, 3), takes_redeemed=True)
    notice = make_refund_notice(attempt=order.attempts.get(), amount="300", refund_id="re_1", state=RefundState.FAILED)
    follow_refund(notice, gateway_name="till", now=LATER)
    assert facts(line) == (0, 0, 0)
    assert Enrollment.objects.active().filter(user=learner).exists()


def test_a_part_that_a_bank_took_is_listed_too(order: Order) -> None:
    attempt = order.attempts.get()
    notice = DisputeNotice("evt", "dp_1", attempt.payment_id, Money("100", "USD"), DisputeState.LOST, "fraud")
    follow_dispute(notice, gateway_name="till", now=NOON)
    assert needing() == [order]
    assign(order.refunds.get(), (order.lines.order_by("pk")[1], 1))
    assert [facts(line) for line in order.lines.order_by("pk")] == [(0, 0, 0), (100, 1, 1)]


def hear_of_loss(order: Order, amount: str) -> None:
    payment_id = order.attempts.get().payment_id
    notice = DisputeNotice(f"evt {amount}", "dp_1", payment_id, Money(amount, "USD"), DisputeState.LOST, "fraud")
    follow_dispute(notice, gateway_name="till", now=NOON)


def shares_of(refund: Refund) -> dict[int, tuple[int, int]]:
    return {part.line_id: (int(part.amount), part.seats) for part in refund.lines.all() if part.amount}


def test_a_bank_that_takes_another_amount_takes_it_for_the_same_seats(order: Order) -> None:
    one, two = order.lines.order_by("pk")
    hear_of_loss(order, "200")
    assign(order.refunds.get(), (two, 2))
    hear_of_loss(order, "150")
    assert (facts(one), facts(two), needing()) == ((0, 0, 0), (150, 2, 2), [])
    hear_of_loss(order, "230")  # 30 more than the seats: divided among what is left of all lines
    assert shares_of(order.refunds.get()) == {one.pk: (22, 0), two.pk: (207, 2)}


def test_refunds_leave_a_bank_the_seats_it_took(order: Order) -> None:
    _one, two = order.lines.order_by("pk")
    hear_of_loss(order, "200")
    bank = order.refunds.get()
    assign(bank, (two, 2))
    refund_there(order, "450")
    bank.refresh_from_db()
    assert (bank.amount, shares_of(bank)) == (150, {two.pk: (150, 2)})


def test_what_a_bank_takes_again_is_listed_again(order: Order) -> None:
    line, payment_id = order.lines.order_by("pk")[1], order.attempts.get().payment_id

    def hear(state: DisputeState) -> None:
        notice = DisputeNotice(f"evt {state}", "dp_1", payment_id, Money("100", "USD"), state, "fraud")
        follow_dispute(notice, gateway_name="till", now=NOON)

    hear(DisputeState.LOST)
    assign(order.refunds.get(), (line, 1))
    hear(DisputeState.WON)
    assert (facts(line), needing()) == ((0, 0, 0), [])
    hear(DisputeState.LOST)
    assert (facts(line), needing()) == ((50, 0, 0), [order])
    assign(order.refunds.get(), (line, 2))
    assert (facts(line), needing()) == ((100, 2, 2), [])


def test_finance_says_which_seats_on_a_page(order: Order, desk: Client) -> None:
    one, two = order.lines.order_by("pk")
    refund = refund_there(order, "100")
    assert "of a group’s seats went back, and it isn’t known for which" in read_order_page(desk, order).text
    address = desk_url(order, f"refunds/{refund.pk}/seats/")
    form = form_data(read(desk.get(address)))
    for typed, sentence in (
        ({}, "Choose what it was for."),
        ({"kind": "seats"}, "Enter how many seats it was for."),
        ({"kind": "seats", f"seats_{one.pk}": "4"}, "At most 3 can be refunded."),
        ({"kind": "amount", f"seats_{one.pk}": "1"}, "You chose that it was for no seats."),
        ({"kind": "seats", f"seats_{one.pk}": "1", "takes_redeemed": "on"}, "Choose what happens to the courses."),
    ):
        answer = desk.post(address, {**form, "reason": "they wrote so", **typed})
        assert answer.status_code == 422
        assert sentence in read(answer).text
    assert facts(two) == (50, 0, 0)
    answer = desk.post(address, {**form, "kind": "seats", f"seats_{two.pk}": "1", "reason": "so"}, follow=True)
    assert "Recorded: the code of 1 seat is off." in read(answer).text
    assert (facts(one), facts(two)) == ((0, 0, 0), (100, 1, 1))
    again = desk.get(address, follow=True)
    assert "Someone has already decided about this refund" in read(again).text
