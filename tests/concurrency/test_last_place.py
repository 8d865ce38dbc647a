"""Races for the last place of a run, each with a control that loses without its lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from courses import places as places_module
from courses.models import CourseRun, CourseRunQuerySet, Enrollment
from ecommerce.models import Order, Product, SeatSale
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.free_enrollment import enroll_free
from ecommerce.services.registration.redemption import redeem_registration_code
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.seats import make_seat_sale
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in results)


def enrolling(run: CourseRun) -> Callable[[], Any]:
    learner = make_user()
    return lambda: enroll_free(user_id=learner.pk, run_id=run.pk, now=NOON)


def buying(product: Product, *, seats: int | None = None) -> Callable[[], Any]:
    owner = BasketOwner(user_id=make_user().pk)
    add_products(owner=owner, product_ids=[product.pk], now=NOON, seats=seats)
    return lambda: begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON)


def redeeming(sale: SeatSale) -> list[Callable[[], Any]]:
    return [
        partial(redeem_registration_code, text=code.text, user_id=make_user().pk, now=NOON)
        for code in sale.discount.codes.order_by("pk")
    ]


def forget_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CourseRunQuerySet, "locked", lambda self: self)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE courses_enrollment DISABLE TRIGGER learner_takes_a_place")


@pytest.fixture
def trigger_comes_back() -> Any:
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE courses_enrollment ENABLE TRIGGER learner_takes_a_place")


def test_two_places_and_eight_learners(together: Together) -> None:
    run, other = make_run(places=2), make_run(places=8)
    answers = together(*(enrolling(run) for _each in range(8)), enrolling(other))
    assert kinds(answers) == {"Enrollment": 3, "RunFull": 6}
    assert Enrollment.objects.filter(run=run, active=True).count() == 2
    assert CourseRun.objects.get(pk=run.pk).is_full


@pytest.mark.usefixtures("trigger_comes_back")
def test_without_the_lock_of_the_run_the_harness_lets_too_many_in(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(places=2)
    forget_the_lock(monkeypatch)
    meeting = meet_at(places_module, "count_left", parties=8, patience=20.0)
    together(*(enrolling(run) for _each in range(8)))
    assert meeting.happened
    assert Enrollment.objects.filter(run=run, active=True).count() > 2  # else the test above proves nothing


def test_the_database_alone_lets_no_one_in_too_many(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(places=2)
    monkeypatch.setattr(CourseRunQuerySet, "locked", lambda self: self)
    meeting = meet_at(places_module, "count_left", parties=8, patience=20.0)
    together(*(enrolling(run) for _each in range(8)))
    assert meeting.happened
    assert Enrollment.objects.filter(run=run, active=True).count() <= 2


def test_one_place_is_promised_to_one_of_those_who_pay(together: Together) -> None:
    product, other = make_product(make_run(places=1)), make_product(make_run(places=6))
    answers = together(*(buying(product) for _each in range(6)), buying(other), buying(other, seats=5))
    assert kinds(answers) == {"Checkout": 3, "RunFull": 5}
    assert Order.objects.count() == 3


def test_codes_free_enrollments_and_orders_of_one_run_at_once(together: Together) -> None:
    run = make_run(places=6)
    product = make_product(run, price="0.00")
    paid = make_product(make_run(places=6))
    sale = make_seat_sale(product, seats=4)
    calls = [*redeeming(sale), *(enrolling(run) for _each in range(4)), *(buying(paid, seats=4) for _each in range(2))]
    answers = kinds(together(*calls))
    # Every seat that was sold finds its place; two others get in. Of the groups, one finds enough places.
    assert answers == {"SeatRedemption": 4, "Enrollment": 2, "RunFull": 2, "Checkout": 1, "TooFewPlaces": 1} or (
        answers == {"SeatRedemption": 4, "Enrollment": 2, "RunFull": 3, "Checkout": 1}
    )
    assert Enrollment.objects.filter(run=run, active=True).count() == 6
