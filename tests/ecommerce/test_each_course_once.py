"""No one is sold a course twice: in one cart, beside what they have, or while they are paying for it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Course, Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import AttemptState, OrderState, OwnedCourses, ReviewCause
from ecommerce.errors.admin import BuyerHasCourse
from ecommerce.errors.checkout import AlreadyEnrolled, CourseTwice, PartlyEnrolled, PaymentUnderWay
from ecommerce.models import BasketItem, Order, PaymentAttempt, Product
from ecommerce.selectors.basket_prices import PricedBasket, price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products, remove_product, settle_shown_basket
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.orders.fulfillment import fulfill_or_review, fulfill_order
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    make_contract,
    make_contract_run,
    make_course,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.shop import set_policy

pytestmark = pytest.mark.django_db


class World:
    """Two programs of two courses each that share one, a product of every course's run, and someone else's cart."""

    def __init__(self) -> None:
        self.a, self.b, self.c = (make_course(title=title) for title in ("Python", "Statistics", "Databases"))
        self.runs = {course: make_run(course) for course in (self.a, self.b, self.c)}
        self.single = {course: make_product(run, price="249") for course, run in self.runs.items()}
        self.first, self.second = (
            make_program_product(self.a, self.b, sku="P1"),
            make_program_product(self.b, self.c, sku="P2"),
        )
        self.owner = BasketOwner(user_id=make_user().pk)
        other = BasketOwner(user_id=make_user().pk)
        add_products(owner=other, product_ids=[each.pk for each in self.single.values()], now=NOON)

    @property
    def user_id(self) -> int:
        return self.owner.user_id or 0

    def put(self, *products: Product) -> PricedBasket:
        add_products(owner=self.owner, product_ids=[each.pk for each in products], now=NOON)
        return self.cart()

    def cart(self) -> PricedBasket:
        priced = price_current_basket(self.owner, user_id=self.owner.user_id, now=NOON)
        settle_shown_basket(priced, now=NOON)
        return priced

    def buy(self) -> Order:
        return begin_checkout(owner=self.owner, user_id=self.user_id, now=NOON).order

    def has(self, *courses: Course, mode: str = EnrollmentMode.VERIFIED, tag: str = "OTHER", **run: Any) -> None:
        for course in courses:
            each = make_run(course, tag=tag, **run)
            enroll(
                user_id=self.user_id, run_id=each.pk, mode=mode, source=EnrollmentSource.MANUAL, now=NOON,
                granted_by_id=make_user().pk, reason="by staff",
            )  # fmt: skip

    def enroll(self, course: Course, mode: str = EnrollmentMode.VERIFIED) -> None:
        enroll(
            user_id=self.user_id, run_id=self.runs[course].pk, mode=mode, source=EnrollmentSource.MANUAL, now=NOON,
            granted_by_id=make_user().pk, reason="by staff",
        )  # fmt: skip

    @property
    def entered(self) -> list[int]:
        return sorted(Enrollment.objects.active().of(self.user_id).values_list("run_id", flat=True))


@pytest.fixture
def world() -> World:
    return World()


def refused(priced: PricedBasket) -> dict[int, str]:
    return {line.product.pk: type(line.refusal).__name__ for line in priced.lines if line.refusal is not None}


# In one cart


@pytest.mark.parametrize("course_first", [True, False])
def test_a_program_and_one_of_its_courses(world: World, *, course_first: bool) -> None:
    extra, other = world.single[world.a], world.single[world.c]
    for each in (extra, world.first) if course_first else (world.first, extra):
        priced = world.put(each)
    priced = world.put(other)
    assert refused(priced) == {extra.pk: "CourseInProgram"}
    assert (priced.can_check_out, priced.aside) == (False, ())
    assert "“Python” is part of “Program P1”" in str(priced.refusals[0])
    with pytest.raises(CourseTwice):
        world.buy()
    assert not Order.objects.exists()
    remove_product(owner=world.owner, product_id=extra.pk, now=NOON)
    assert world.cart().can_check_out
    assert world.buy().total == 690 + 249


@pytest.mark.parametrize("audit_first", [True, False])
def test_two_products_of_one_run(world: World, *, audit_first: bool) -> None:
    verified = world.single[world.a]
    audit = Product.objects.create(
        course_run=verified.course_run, mode="audit", sku="A", price=Decimal(15), currency="USD"
    )
    for each in (audit, verified) if audit_first else (verified, audit):
        priced = world.put(each)
    assert refused(priced) == {audit.pk: "SameCourseTwice"}
    with pytest.raises(CourseTwice):
        world.buy()


def test_two_runs_of_one_course(world: World) -> None:
    later = make_product(make_run(world.a), price="99")
    priced = world.put(world.single[world.a])
    assert refused(world.put(later)) == {later.pk: "SameCourseTwice"}
    assert not refused(priced)


def test_two_programs_that_share_a_course(world: World) -> None:
    world.put(world.first)
    priced = world.put(world.second)
    assert refused(priced) == {world.second.pk: "CourseTwice"}
    assert "“Program P1” have courses in common: Statistics. You’d pay for those twice." in str(priced.refusals[0])


def test_saved_items_do_not_count_as_duplicates(world: World) -> None:
    world.put(world.single[world.a])
    BasketItem.objects.filter(basket__user_id=world.user_id).update(kept_at=NOON)
    assert world.put(world.first).can_check_out


def test_an_unavailable_duplicate_does_not_block_the_other(world: World) -> None:
    world.put(world.first, world.single[world.a])
    Product.objects.filter(pk=world.first.pk).update(is_active=False)
    priced = world.cart()
    assert [line.product for line in priced.lines] == [world.single[world.a]]
    assert priced.can_check_out


def test_two_products_of_one_course_in_a_contracts_cart(world: World) -> None:
    run = make_contract_run(make_contract(name="Skills 2026"), world.a)
    other = make_contract_run(make_contract(run.contract.terms.organization, name="Skills 2027"), world.a)
    add_products(owner=world.owner, product_ids=[run.product_id or 0, other.product_id or 0], now=NOON)
    priced = price_current_basket(world.owner, user_id=world.user_id, now=NOON)
    assert refused(priced) == {other.product_id: "SameCourseTwice"}
    assert not priced.can_check_out


# Beside what the buyer has


def test_a_program_all_of_whose_courses_one_has_in_other_runs(world: World) -> None:
    world.has(world.a, world.b)
    priced = world.put(world.first)
    assert [type(line.refusal) for line in priced.aside] == [AlreadyEnrolled]
    add_products(owner=world.owner, product_ids=[world.first.pk], now=NOON)
    with pytest.raises(AlreadyEnrolled):
        world.buy()


@pytest.mark.parametrize("run", [{}, {"end_date": NOON - timedelta(days=1)}], ids=["open", "over"])
def test_a_program_half_of_which_one_has(world: World, run: dict[str, Any]) -> None:
    set_policy(OwnedCourses.NOT_SOLD)
    world.has(world.b, **run)
    priced = world.put(world.first)
    (line,) = priced.aside
    assert isinstance(line.refusal, PartlyEnrolled)
    assert "You already have 1 of the 2 courses in “Program P1”: Statistics." in str(line.refusal)
    add_products(owner=world.owner, product_ids=[world.first.pk], now=NOON)
    with pytest.raises(PartlyEnrolled):
        world.buy()


def test_a_program_at_full_price_enrolls_only_in_missing_courses(world: World) -> None:
    set_policy(OwnedCourses.FULL_PRICE)
    world.has(world.b)
    before = world.entered
    priced = world.put(world.first)
    assert priced.can_check_out
    assert priced.total.amount == 690
    order = fulfill_or_review(order_id=world.buy().pk, now=NOON)
    assert order.state == OrderState.FULFILLED
    assert world.entered == sorted([*before, world.runs[world.a].pk])


def test_auditors_are_upgraded_in_their_run(world: World) -> None:
    world.has(world.b, mode=EnrollmentMode.AUDIT)
    (here,) = world.entered
    world.put(world.first)
    fulfill_order(order_id=world.buy().pk, now=NOON)
    assert world.entered == sorted([here, world.runs[world.a].pk])
    assert Enrollment.objects.get(user_id=world.user_id, run_id=here).mode == EnrollmentMode.VERIFIED


@pytest.mark.parametrize(("run", "sold"), [({}, False), ({"end_date": NOON - timedelta(days=1)}, True)])
def test_another_start_of_a_course_one_is_in(world: World, run: dict[str, Any], *, sold: bool) -> None:
    world.has(world.a, **run)
    priced = world.put(world.single[world.a], world.single[world.b])
    assert len(priced.aside) == (0 if sold else 1)


def test_a_course_one_has_by_a_contract(world: World) -> None:
    run = make_contract_run(make_contract(), world.a).course_run
    enroll(user_id=world.user_id, run_id=run.pk, mode="verified", source=EnrollmentSource.CODE, now=NOON)
    priced = world.put(world.single[world.a], world.single[world.b])
    assert [line.product for line in priced.aside] == [world.single[world.a]]


def test_pressing_again_after_staff_enrolled_the_buyer(world: World) -> None:
    world.put(world.single[world.a])
    world.buy()
    world.enroll(world.a)
    with pytest.raises(AlreadyEnrolled):
        world.buy()


# Beside what the buyer is paying for


@pytest.mark.parametrize("state", [AttemptState.PROCESSING, AttemptState.PAID])
def test_courses_being_paid_for_are_not_sold_again(world: World, state: AttemptState) -> None:
    world.put(world.single[world.a])
    order = world.buy()
    PaymentAttempt.objects.filter(order=order).update(state=state)
    remove_product(owner=world.owner, product_id=world.single[world.a].pk, now=NOON)
    priced = world.put(world.first, world.single[world.b])
    assert [type(line.refusal) for line in priced.aside] == [PaymentUnderWay]
    assert order.number in str(priced.aside[0].refusal)
    assert [line.product for line in priced.lines] == [world.single[world.b]]
    add_products(owner=world.owner, product_ids=[world.first.pk], now=NOON)
    remove_product(owner=world.owner, product_id=world.single[world.b].pk, now=NOON)
    with pytest.raises(PaymentUnderWay):
        world.buy()


# When the order is fulfilled


def test_whom_staff_enrolled_meanwhile_gets_their_order_looked_at(world: World) -> None:
    world.put(world.single[world.a], world.single[world.b])
    order = world.buy()
    world.enroll(world.a)
    order = fulfill_or_review(order_id=order.pk, now=NOON)
    assert (order.state, order.review_cause, order.state_reason) == (
        OrderState.REVIEW,
        ReviewCause.HAS_COURSE,
        "Python",
    )
    assert world.entered == [world.runs[world.a].pk]


def test_auditing_since_checkout_is_upgraded(world: World) -> None:
    world.put(world.single[world.a])
    order = world.buy()
    world.enroll(world.a, EnrollmentMode.AUDIT)
    assert fulfill_or_review(order_id=order.pk, now=NOON).state == OrderState.FULFILLED
    assert Enrollment.objects.get(user_id=world.user_id).mode == EnrollmentMode.VERIFIED


def test_staff_give_the_rest_of_a_program_and_no_course_twice(world: World) -> None:
    world.put(world.first)
    order = world.buy()
    world.has(world.b)
    before = world.entered
    order = fulfill_or_review(order_id=order.pk, now=NOON)
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.HAS_COURSE)
    assert fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON).is_fulfilled
    assert world.entered == sorted([*before, world.runs[world.a].pk])


def test_a_line_whose_price_went_back_is_not_given(world: World) -> None:
    order = make_paid_order(
        world.single[world.a], world.single[world.b], buyer=User.objects.get(pk=world.user_id), state=OrderState.REVIEW
    )
    world.enroll(world.a)
    with pytest.raises(BuyerHasCourse, match="The buyer already has “"):
        fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON)
    line = order.lines.get(product=world.single[world.a])
    refund_order(order_id=order.pk, choice=RefundChoice(reason="has it", line_ids=(line.pk,)), now=NOON, by_id=None)
    fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON)
    assert world.entered == sorted(world.runs[course].pk for course in (world.a, world.b))


def test_two_orders_for_one_course_one_after_the_other(world: World) -> None:
    world.put(world.single[world.a])
    first = world.buy()
    Order.objects.filter(pk=first.pk).update(basket_id=None)
    second = make_paid_order(world.first, buyer=first.purchaser, state=OrderState.PENDING)
    states = [fulfill_or_review(order_id=order.pk, now=NOON).state for order in (second, first)]
    assert states == [OrderState.FULFILLED, OrderState.REVIEW]
