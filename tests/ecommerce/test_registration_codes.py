"""Registration codes: made with a seat sale, unique, without letters that are misread, and switched off while free."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from courses.models import Enrollment
from ecommerce.enums import CodeChangeKind, DiscountType
from ecommerce.models import Discount, DiscountCode, RegistrationCodeChange, SeatSale
from ecommerce.ownership import find_standing_lines
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.registration import codes
from ecommerce.services.registration.codes import (
    SoldSeats,
    create_registration_codes,
    draw_texts,
    sell_seats,
    sell_seats_of,
    switch_off_unredeemed,
)
from tests.factories import NOON, make_code, make_product, make_user
from tests.factories.invoices import line_of, make_draft
from tests.factories.seats import make_group_order

pytestmark = pytest.mark.django_db


def make_sale(seats: int = 3, *, name: str = "Seats of order T-1042") -> SeatSale:
    line = make_draft(line_of(make_product(), seats=seats)).lines.get()
    assert line.product is not None
    sold = SoldSeats(line.product, seats, buyer_id=make_user().pk, name=name, invoice_line=line)
    return sell_seats(sold, now=NOON)


def codes_of(sale: SeatSale) -> list[DiscountCode]:
    return list(DiscountCode.objects.filter(discount=sale.discount_id).order_by("pk"))


def test_each_seat_has_a_code_that_gives_this_course_once_for_nothing() -> None:
    other, sale = make_sale(2), make_sale(40)
    made = codes_of(sale)
    assert len(made) == 40
    assert {(code.max_uses, code.uses, code.active) for code in made} == {(1, 0, True)}
    assert sale.discount.discount_type == DiscountType.FIXED_PRICE
    assert (sale.discount.amount, sale.discount.currency) == (0, "USD")
    assert list(sale.discount.products.all()) == [sale.product]
    assert sale.discount.name == "Seats of order T-1042"
    assert len(codes_of(other)) == 2


def test_codes_have_eight_letters_and_digits_that_no_one_misreads() -> None:
    texts = draw_texts(3000)
    assert len(set(texts)) == 3000
    assert all(re.fullmatch(r"[B-DF-HJ-NP-TV-Z2-9]{8}", text) for text in texts)
    assert not set("".join(texts)) & set("AEIOUYL01")


def test_a_text_that_exists_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    make_code(text="bcdf-ghjk")  # codes are compared without capitals and dashes
    drawn = iter([["BCDFGHJK", "BCDFGHJM"], ["BCDFGHJN"]])
    monkeypatch.setattr(codes, "draw_texts", lambda _count: next(drawn))
    assert {code.text for code in codes_of(make_sale(2))} == {"BCDFGHJM", "BCDFGHJN"}


def test_creating_codes_again_makes_only_what_is_missing() -> None:
    sale = make_sale(3)
    assert create_registration_codes(sale, now=NOON) == 0
    DiscountCode.objects.filter(pk=codes_of(sale)[0].pk).delete()
    assert create_registration_codes(sale, now=NOON) == 1
    assert len(codes_of(sale)) == 3


def count_queries(seats: int) -> int:
    product, buyer = make_product(), make_user()
    line = make_draft(line_of(product, seats=seats)).lines.get()
    with CaptureQueriesContext(connection) as captured:
        sell_seats(SoldSeats(product, seats, buyer_id=buyer.pk, name="Seats", invoice_line=line), now=NOON)
    return len(captured)


def test_1000_codes_take_as_many_queries_as_10() -> None:
    assert count_queries(10) == count_queries(1000) == 7


def test_the_shops_discounts_do_not_list_those_of_seat_sales() -> None:
    sale = make_sale()
    assert not Discount.objects.of_the_shop().filter(pk=sale.discount_id).exists()


def test_a_sale_has_at_least_one_seat() -> None:
    sale = make_sale()
    with pytest.raises(IntegrityError), transaction.atomic():
        SeatSale.objects.filter(pk=sale.pk).update(seats=0)


def test_only_unredeemed_codes_are_switched_off_and_the_reason_is_kept() -> None:
    other, sale = make_sale(3), make_sale(5)
    staff = make_user()
    redeemed = codes_of(sale)[4]
    use_code(code=redeemed, user_id=make_user().pk, now=NOON)
    off = switch_off_unredeemed(sale, seats=2, reason="Refunded 2 of 5", by_id=staff.pk, now=NOON)
    assert off == 2
    assert [code.active for code in codes_of(sale)] == [True, True, False, False, True]
    changes = RegistrationCodeChange.objects.all()
    assert {(each.kind, each.reason, each.by) for each in changes} == {
        (CodeChangeKind.SWITCHED_OFF, "Refunded 2 of 5", staff)
    }
    assert all(code.active for code in codes_of(other))


def test_codes_that_someone_was_given_are_switched_off_last() -> None:
    sale = make_sale(3)
    given = codes_of(sale)[2]
    DiscountCode.objects.filter(pk=given.pk).update(assigned_email="amara@example.test")
    switch_off_unredeemed(sale, seats=2, reason="Refunded", by_id=None, now=NOON)
    assert [code.active for code in codes_of(sale)] == [False, False, True]


def test_all_unredeemed_codes_are_switched_off_and_the_number_says_how_many() -> None:
    sale = make_sale(4)
    use_code(code=codes_of(sale)[0], user_id=make_user().pk, now=NOON)
    assert switch_off_unredeemed(sale, seats=None, reason="Void", by_id=None, now=NOON) == 3
    assert switch_off_unredeemed(sale, seats=2, reason="Void", by_id=None, now=NOON) == 0
    assert RegistrationCodeChange.objects.count() == 3


def test_switching_off_takes_as_many_queries_for_1000_codes_as_for_10() -> None:
    counted = []
    for seats in (10, 1000):
        sale = make_sale(seats)
        with CaptureQueriesContext(connection) as captured:
            assert switch_off_unredeemed(sale, seats=seats, reason="Void", by_id=None, now=NOON) == seats
        counted.append(len(captured))
    assert counted[0] == counted[1]


def test_a_fulfilled_group_line_has_its_codes_once_and_does_not_enroll_its_buyer() -> None:
    order = make_group_order(seats=4)
    sell_seats_of(find_standing_lines(order.pk), now=NOON)
    sale = SeatSale.objects.get()
    assert (sale.seats, sale.buyer, sale.order_line) == (4, order.purchaser, order.lines.get())
    assert sale.discount.name == f"Seats of order {order.number}"
    assert len(codes_of(sale)) == 4
    assert not Enrollment.objects.exists()
