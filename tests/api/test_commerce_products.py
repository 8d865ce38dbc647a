"""Products as buyers see them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mitxonline.kernel import clock
from tests.api.client import ApiClient
from tests.factories import make_contract, make_contract_run, make_course, make_product, make_program_product, make_run
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

PRODUCTS = "/api/v0/products/"


def test_only_what_anyone_can_buy_now_is_listed() -> None:
    course, other = make_course(), make_course()
    first, second = make_product(make_run(course), price="249.00"), make_product(make_run(other), price="99.00")
    program = make_program_product(course, other)
    over = make_product(make_run(enrollment_end=clock.now() - timedelta(days=1)))
    hidden = make_contract_run(make_contract()).product
    assert hidden is not None
    listed = ApiClient().get(PRODUCTS).json()
    assert [each["id"] for each in listed["results"]] == [first.pk, second.pk, program.pk]
    assert [each["price"] for each in listed["results"]] == ["249.00", "99.00", "690.00"]
    for product in (over, hidden):
        assert ApiClient().get(f"{PRODUCTS}{product.pk}/").status_code == 404


def test_a_product_says_what_it_sells_and_has_no_flexible_price() -> None:
    product = make_product(price="249.00")
    run = product.course_run
    assert run is not None
    drawn = ApiClient().get(f"{PRODUCTS}{product.pk}/").json()
    assert drawn["purchasable_object"]["readable_id"] == run.courseware_id
    assert drawn["purchasable_object"]["course"]["title"] == run.course.title
    flexible = ApiClient().get(f"{PRODUCTS}{product.pk}/user_flexible_price/").json()
    assert (flexible["price"], flexible["product_flexible_price"]) == ("249.00", None)


@pytest.mark.parametrize("number", [1, 5])
def test_a_list_takes_the_same_queries_whatever_its_size(number: int) -> None:
    for _each in range(number):
        make_product()
    client = ApiClient()
    with queries(3):
        client.get(PRODUCTS)
