"""The audit of seats: single purchases and registration codes, with staff and refunds told beside them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from courses.services.staff import appoint
from ecommerce.enums import EnrollmentAfter
from ecommerce.models import DiscountCode, Order, OrderLine, SeatSale
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from ecommerce.services.registration.codes import sell_seats_of, switch_off_unredeemed
from reports.audits.base import RowChoice
from reports.enums import Cause
from tests.factories import NOON, make_course, make_product, make_program_product, make_run
from tests.factories.invoices import line_of, make_invoice
from tests.factories.orders import make_paid_order
from tests.reports.readings import Reading, read_seats
from tests.reports.voiding import void_unpaid

pytestmark = pytest.mark.django_db


def figures(reading: Reading) -> dict[str, int]:
    return {key: figure for key, figure in reading.figures().items() if figure}


def causes(reading: Reading) -> list[tuple[str, str]]:
    return [(row.cause, row.key) for row in reading.rows]


def test_single_purchases_and_codes_of_orders_are_seats() -> None:
    one, two = make_product(price="100"), make_product(price="80")
    make_paid_order(one, two), make_paid_order(one)
    make_paid_order(one, seats=3), make_paid_order(two, seats=4)
    reading = read_seats()
    assert figures(reading) == {"single": 3, "ordered": 7, "sold": 10, "unused": 7}
    assert reading.rows == []


def test_course_staff_count_like_everyone() -> None:
    product = make_product(price="100")
    order = make_paid_order(product)
    make_paid_order(product)
    assert product.course_run is not None
    appoint(course_id=product.course_run.course_id, user_id=order.purchaser_id, by_id=None)
    assert figures(read_seats()) == {"single": 2, "sold": 2}


def test_a_program_is_as_many_seats_as_it_has_courses() -> None:
    courses = [make_course(), make_course()]
    for course in courses:
        make_product(make_run(course))
    program = make_program_product(*courses)
    older, order = make_paid_order(program), make_paid_order(program)  # one from before these rows were kept
    for course in courses:
        order.lines.get().courses.create(course=course, title=course.title, run=course.runs.get())
    assert figures(read_seats()) == {"single": 3, "sold": 3}
    assert figures(read_seats(course=courses[0].readable_id)) == {"single": 1, "sold": 1}
    assert {row.key for row in read_seats(rows=RowChoice(term="single")).rows} == {older.number, order.number}


def test_refunds_are_told_beside_the_sum() -> None:
    product = make_product(price="100")
    order, _other = make_paid_order(product), make_paid_order(product)
    choice = RefundChoice(reason="x", enrollment_after=EnrollmentAfter.REMOVE)
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    assert figures(read_seats()) == {"single": 2, "sold": 2, "refunded": 1}


def test_free_seats_stay_when_the_rest_of_their_order_is_refunded() -> None:
    order = make_paid_order(make_product(price="10"))
    free = order.lines.get()
    free.pk, free.seats, free.list_price, free.due = None, 2, 0, 0
    free.save(force_insert=True)
    sell_seats_of([free], now=NOON)
    choice = RefundChoice(reason="x", line_ids=(order.lines.earliest("pk").pk,))
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    reading = read_seats()
    assert reading.rows == []
    assert figures(reading) == {"single": 1, "ordered": 2, "sold": 3, "refunded": 1, "unused": 2}


def test_codes_that_were_switched_off_stay_in_the_sum() -> None:
    make_paid_order(make_product(price="10"), seats=4), make_paid_order(make_product(price="10"), seats=2)
    sale = SeatSale.objects.earliest("pk")
    switch_off_unredeemed(sale, seats=3, reason="Refund", by_id=None, now=NOON)
    assert figures(read_seats()) == {"ordered": 6, "sold": 6, "off": 3, "unused": 3}


class TestInvoices:
    def test_codes_of_invoices_are_seats_and_void_ones_are_told_apart(self) -> None:
        product = make_product(price="10")
        make_paid_order(product, seats=2)
        make_invoice(line_of(product, seats=3))
        void = make_invoice(line_of(product, seats=4), line_of(seats=1))
        void_unpaid(void)
        reading = read_seats()
        assert figures(reading) == {"ordered": 2, "invoiced": 8, "sold": 10, "off": 5, "unused": 5}
        assert reading.rows == []
        assert {row.key for row in read_seats(rows=RowChoice(term="invoiced")).rows} >= {void.number}

    def test_an_invoice_whose_sale_is_gone(self) -> None:
        kept, lost = make_invoice(line_of(seats=2)), make_invoice(line_of(seats=2))
        SeatSale.objects.filter(invoice_line__invoice=lost).delete()
        assert causes(read_seats()) == [(Cause.SALE_MISSING, lost.number)]
        assert kept.number

    def test_a_void_invoice_whose_codes_still_work(self) -> None:
        make_invoice(line_of(seats=2))
        void = make_invoice(line_of(seats=2))
        void_unpaid(void)
        DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=void).update(active=True)
        assert causes(read_seats()) == [(Cause.STILL_OPEN, void.number)]


class TestSabotage:
    @pytest.fixture
    def order(self) -> Order:
        make_paid_order(make_product(price="10"), seats=2)
        return make_paid_order(make_product(price="10"), seats=2)

    def test_a_code_was_deleted(self, order: Order) -> None:
        DiscountCode.objects.filter(discount__seat_sale__order_line__order=order).latest("pk").delete()
        assert causes(read_seats()) == [(Cause.CODES_DIFFER, order.number)]

    def test_a_sale_says_more_seats_than_the_line(self, order: Order) -> None:
        SeatSale.objects.filter(order_line__order=order).update(seats=3)
        assert {cause for cause, _key in causes(read_seats())} == {Cause.CODES_DIFFER, Cause.SEATS_DIFFER}

    def test_a_sale_is_gone(self, order: Order) -> None:
        SeatSale.objects.filter(order_line__order=order).delete()
        assert causes(read_seats()) == [(Cause.SALE_MISSING, order.number)]

    def test_a_line_was_deleted(self) -> None:
        order, _other = make_paid_order(make_product(), make_product()), make_paid_order(make_product())
        order.lines.latest("pk").delete()
        assert causes(read_seats()) == [(Cause.LINES_DIFFER, order.number)]

    def test_refunded_seats_that_still_work(self, order: Order) -> None:
        OrderLine.objects.filter(order=order).update(refunded=20, seats_refunded=2)
        assert set(causes(read_seats())) == {(Cause.STILL_OPEN, order.number), (Cause.REFUNDS_DIFFER, order.number)}

    def test_a_refunded_seat_whose_code_works_again(self, order: Order) -> None:
        """One of two seats was refunded: the line isn't over, and its code is named all the same."""
        line = order.lines.get()
        choice = RefundChoice(reason="x", seats=((line.pk, 1),))
        refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
        assert causes(read_seats()) == []
        off = DiscountCode.objects.filter(discount__seat_sale__order_line=line, active=False)
        off.update(active=True)
        reading = read_seats()
        assert [(row.cause, row.key, row.units) for row in reading.rows] == [(Cause.REFUNDS_DIFFER, order.number, -1)]


def test_the_scope_narrows_singles_and_codes() -> None:
    one, two = make_product(price="10"), make_product(price="10")
    make_paid_order(one, two), make_paid_order(one, seats=2), make_paid_order(two, seats=3)
    assert figures(read_seats(course=one.item_id)) == {"single": 1, "ordered": 2, "sold": 3, "unused": 2}
    day = NOON.date()
    assert figures(read_seats(first=day, last=day))["sold"] == 7
    assert figures(read_seats(first=day + timedelta(days=1))) == {}
    assert figures(read_seats(currency="EUR")) == {}
