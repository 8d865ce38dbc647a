"""Registration codes as files and in e-mails."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ecommerce.models import DiscountCode, SeatSale
from ecommerce.selectors.registration_file import list_sold_courses, registration_file
from tests.factories import make_course, make_product, make_run
from tests.factories.seats import make_seat_sale

pytestmark = pytest.mark.django_db


def test_the_file_has_a_row_for_each_code_and_no_cell_starts_a_formula() -> None:
    make_seat_sale(seats=2)  # someone else's
    sale = make_seat_sale(make_product(make_run(make_course(title="=HYPERLINK(1)"))), seats=3)
    courses = list_sold_courses(SeatSale.objects.filter(pk=sale.pk))
    file = registration_file(courses, name="codes")
    rows = list(csv.reader(StringIO(file.content.decode("utf-8-sig"))))
    assert file.name == "codes.csv"
    assert rows[0] == ["Course name", "Registration code", "Link"]
    texts = list(sale.discount.codes.order_by("pk").values_list("text", flat=True))
    assert [row[1] for row in rows[1:]] == texts
    assert {row[0] for row in rows[1:]} == {"'=HYPERLINK(1)"}
    assert rows[1][2].endswith(f"/enrollmentcode/{texts[0]}/")


def test_codes_that_were_switched_off_are_left_out() -> None:
    sale = make_seat_sale(seats=3)
    gone = sale.discount.codes.first()
    assert gone is not None
    DiscountCode.objects.filter(pk=gone.pk).update(active=False)
    (course,) = list_sold_courses(SeatSale.objects.all())
    assert len(course.codes) == 2


def test_an_e_mail_names_100_codes_and_leaves_the_rest_to_the_file() -> None:
    make_seat_sale(seats=130)
    (course,) = list_sold_courses(SeatSale.objects.all())
    assert (len(course.first_codes), course.rest_count, len(course.codes)) == (100, 30, 130)


def test_1000_codes_are_read_with_as_many_queries_as_10() -> None:
    counted = []
    for seats in (10, 1000):
        sale = make_seat_sale(seats=seats)
        with CaptureQueriesContext(connection) as captured:
            list_sold_courses(SeatSale.objects.filter(pk=sale.pk))
        counted.append(len(captured))
    assert counted == [2, 2]
