"""Requests: the learner's way with a code, and the public pages; each beside the least SQL that could do it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import count
from time import process_time
from typing import Any

from django.db import transaction
from django.test import Client, override_settings

from courses.models import Course
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql, run_sql
from mitxonline.users.models import User
from tests.bench.harness import Cost, Result, bench, best_of, measured
from tests.factories import codes_of, make_contract, make_contract_run, make_course, make_product, make_run, make_user
from tests.factories.pages import make_course_page, make_home

TRIES = 10
KEPT_TRIES = 200
COURSES = 48

_numbers = count(1)
_catalog: list[Course] = []


class Undone(Exception):
    """Rolls back what a floor wrote."""


@bench("add a contract product to the cart, signed in")
def add_to_cart() -> Result:
    def floor(user: User, code: DiscountCode) -> None:
        run_sql(
            "WITH made AS (INSERT INTO ecommerce_basket (user_id, kind, opened_at, updated_at, noted_count,"
            " noted_currency) VALUES (%s, 'link', now(), now(), 0, '') RETURNING id)"
            " INSERT INTO ecommerce_basketitem (basket_id, product_id, added_at) SELECT id, %s, now() FROM made",
            [user.pk, code.discount.unlocks_id],
        )

    return _walk(steps=[], measured_step=_add, floor=floor, queries=15)


@bench("apply an enrollment code, signed in")
def apply_code() -> Result:
    def floor(user: User, code: DiscountCode) -> None:
        run_sql(
            "INSERT INTO ecommerce_basketcode (basket_id, code_id, applied_at)"
            " SELECT basket.id, code.id, now() FROM ecommerce_basket basket, ecommerce_discountcode code"
            " WHERE basket.user_id = %s AND code.normalized = upper(replace(%s, '-', ''))",
            [user.pk, code.text],
        )

    return _walk(steps=[_add], measured_step=_apply, floor=floor, queries=15)


@bench("check out at nothing to pay: order, seat, enrollment")
def check_out() -> Result:
    return _walk(steps=[_add, _apply], measured_step=_check_out, floor=_raw_checkout, queries=40)


@bench(f"catalog of {COURSES} courses, signed out")
def catalog() -> Result:
    _make_catalog()
    return _page("/catalog/", floor="SELECT * FROM courses_course JOIN cms_coursepage ON course_id = courses_course.id")


@bench("course page, signed out")
def course_page() -> Result:
    course = _make_catalog()[0]
    return _page(
        f"/courses/{course.readable_id}/",
        floor="SELECT * FROM courses_course JOIN courses_courserun ON course_id = courses_course.id LIMIT 2",
    )


@bench("course page, signed out, from the cache; beside drawing it")
def kept_course_page() -> Result:
    address = f"/courses/{_make_catalog()[0].readable_id}/"
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        drawn = _visit_often(address, count_queries=False)
        with override_settings(SHARED_PAGES=True, SHARED_PAGES_LISTEN=False):
            kept = _visit_often(address, count_queries=True)
            began = process_time()
            for _try in range(KEPT_TRIES):
                _expect(Client().get(address), 200)
    milliseconds = (process_time() - began) * 1000 / KEPT_TRIES
    return Result(
        cost=kept,
        floor=drawn,
        floor_name="drawn",
        ratio_budget=1 / 10,
        query_budget=0,
        note=f"{milliseconds:.2f} ms of CPU with the test client’s part; ≤ 2",
    )


def _visit_often(address: str, *, count_queries: bool) -> Cost:
    for _try in range(2):  # templates and site are read once, and the page is kept
        _expect(Client().get(address), 200)
    costs = []
    for number in range(TRIES):
        with measured(counting=count_queries and number == 0) as cost:
            _expect(Client().get(address), 200)
        costs.append(cost)
    return best_of(costs)


def _page(address: str, *, floor: str) -> Result:
    costs, floors = [], []
    with override_settings(ALLOWED_HOSTS=["*"]):
        _expect(Client().get(address), 200)  # templates and site are read once
        for number in range(TRIES):
            with measured(counting=number == 0) as cost:
                _expect(Client().get(address), 200)
            costs.append(cost)
            with measured(counting=False) as raw:
                fetch_sql(floor)
            floors.append(raw)
    return Result(cost=best_of(costs), floor=best_of(floors), floor_name="raw SELECT", query_budget=12)


Step = Callable[[Client, DiscountCode], Any]


def _walk(
    *, steps: list[Step], measured_step: Step, floor: Callable[[User, DiscountCode], None], queries: int
) -> Result:
    """Measure one step of the learner's way, each time with another learner and another code."""
    make_home()
    run = make_contract_run(make_contract(name=f"Bench {next(_numbers)}", seats=10 * TRIES), codes=TRIES)
    costs, floors = [], []
    for number, code in enumerate(codes_of(run)):
        user, client = make_user(), Client()
        client.force_login(user)
        for step in steps:
            _expect(step(client, code), 302)
        floors.append(_undone(lambda user=user, code=code: floor(user, code)))  # type: ignore[misc]
        with measured(counting=number == 0) as cost:
            _expect(measured_step(client, code), 302)
        costs.append(cost)
    return Result(cost=best_of(costs), floor=best_of(floors), floor_name="raw SQL", query_budget=queries)


def _add(client: Client, code: DiscountCode) -> Any:
    return client.get("/cart/add/", {"product_id": code.discount.unlocks_id or 0})


def _apply(client: Client, code: DiscountCode) -> Any:
    return client.post("/cart/code/", {"code": code.text})


def _check_out(client: Client, _code: DiscountCode) -> Any:
    return client.post("/checkout/")


def _undone(write: Callable[[], None]) -> Cost:
    """Measure the least SQL, in a transaction that is rolled back."""
    cost = Cost()
    try:
        with transaction.atomic():
            with measured(counting=False) as cost:
                write()
            raise Undone
    except Undone:
        return cost


def _raw_checkout(user: User, code: DiscountCode) -> None:
    """What a checkout must write at the least: the order, its line, the use, the seat and the enrollment."""
    product = code.discount.unlocks
    if product is None or product.course_run is None:
        raise LookupError("the bench's codes open contract products")
    contract_id = product.contract_run.contract_id
    run_sql("SELECT 1 FROM b2b_contractterms WHERE page_id = %s FOR NO KEY UPDATE", [contract_id])
    order = fetch_sql(
        "INSERT INTO ecommerce_order (number, purchaser_id, state, currency, list_total, discount_total, total,"
        " fingerprint, placed_at, fulfilled_at, state_reason, updated_at)"
        " VALUES (%s, %s, 'fulfilled', 'USD', 0, 0, 0, '', now(), now(), '', now()) RETURNING id",
        [f"B-{user.pk}", user.pk],
    )[0][0]
    run_sql(
        "INSERT INTO ecommerce_orderline (order_id, product_id, title, item_id, sku, mode, list_price,"
        " discount_amount, due, currency, requires_code, code_id, discount_label, entitlement)"
        " VALUES (%s, %s, '', '', '', 'verified', 0, 0, 0, 'USD', true, %s, '', '')",
        [order, product.pk, code.pk],
    )
    run_sql("UPDATE ecommerce_discountcode SET uses = uses + 1 WHERE id = %s AND uses < max_uses", [code.pk])
    use = fetch_sql(
        "INSERT INTO ecommerce_codeuse (code_id, user_id, order_id, state, created_at, changed_at)"
        " VALUES (%s, %s, %s, 'confirmed', now(), now()) RETURNING id",
        [code.pk, user.pk, order],
    )[0][0]
    run_sql(
        "INSERT INTO b2b_contractmembership (contract_id, user_id, state, source, code_use_id, since)"
        " VALUES (%s, %s, 'active', 'code', %s, now())",
        [contract_id, user.pk, use],
    )
    run_sql(
        "INSERT INTO courses_enrollment (user_id, run_id, mode, active, lms_state, enrolled_at, changed_at)"
        " VALUES (%s, %s, 'verified', true, 'pending', now(), now())",
        [user.pk, product.course_run_id],
    )


def _make_catalog() -> list[Course]:
    """Courses with a live page, a run and a price each; made once."""
    if not _catalog:
        make_home()
        now = clock.now()
        for number in range(COURSES):
            course = make_course(f"B{number}x", title=f"Course {number}", summary="What it is about.")
            make_product(make_run(course, tag="R1", start_date=now), price=str(Decimal(50 + number)))
            make_course_page(course)
            _catalog.append(course)
    return _catalog


def _expect(response: Any, status: int) -> None:
    if response.status_code != status:
        raise AssertionError(f"{response.status_code}, not {status}: {response.content[:300]!r}")
