"""A program gives the starts its buyer chose, and costs less for what they have."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Course, CourseRun, Enrollment, EnrollmentGrant
from courses.services.enrollments import enroll, revoke
from ecommerce.enums import DiscountType, EnrollmentAfter, OrderState, OwnedCourses, ReviewCause
from ecommerce.errors.checkout import (
    BasketChanged,
    LastStartClosed,
    StartClosed,
    StartUnknown,
)
from ecommerce.models import BasketItemStart, Order, OrderLine, OrderLineCourse, Product
from ecommerce.selectors.basket_prices import PricedBasket, PricedLine, price_current_basket
from ecommerce.selectors.baskets import BasketOwner, cart_note
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products, apply_code, choose_starts, claim_baskets, remove_product
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.orders.fulfillment import fulfill_or_review, fulfill_order
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    make_code,
    make_contract,
    make_contract_run,
    make_course,
    make_discount,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_paid_order
from tests.factories.shop import set_policy
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


class World:
    """A program of three courses. The first has begun, starts twice more and at any time; the others start once."""

    def __init__(self) -> None:
        self.a, self.b, self.c = (make_course(title=title) for title in ("Python", "Statistics", "Databases"))
        self.begun = make_run(self.a, start_date=NOON - 5 * DAY)
        self.later = make_run(self.a, start_date=NOON + 90 * DAY)
        self.next = make_run(self.a, start_date=NOON + 30 * DAY)
        self.any_time = make_run(self.a, is_self_paced=True)
        self.only_b = make_run(self.b, start_date=NOON + 10 * DAY)
        self.only_c = make_run(self.c)
        make_product(self.begun, price="300")
        self.single = {
            self.a: make_product(self.next, price="249"),
            self.b: make_product(self.only_b, price="199"),
            self.c: make_product(self.only_c, price="100"),
        }
        make_product(self.any_time, price="260")
        self.program = make_program_product(self.a, self.b, self.c, sku="P1")
        self.other = make_program_product(make_course(title="Writing"), sku="P2", price="50")
        make_run(self.other.program.requirements.get().course if self.other.program else None)
        self.owner = BasketOwner(user_id=make_user().pk)

    @property
    def user_id(self) -> int:
        return self.owner.user_id or 0

    def put(self, *products: Product, starts: tuple[CourseRun, ...] = ()) -> PricedBasket:
        ids = [each.pk for each in products or (self.program,)]
        add_products(owner=self.owner, product_ids=ids, start_ids=[run.pk for run in starts], now=NOON)
        return self.cart()

    def cart(self, now: Any = NOON) -> PricedBasket:
        return price_current_basket(self.owner, user_id=self.owner.user_id, now=now)

    def line(self) -> PricedLine:
        return next(line for line in self.cart().lines if line.product == self.program)

    def buy(self, now: Any = NOON, **seen: Any) -> Order:
        return begin_checkout(owner=self.owner, user_id=self.user_id, now=now, **seen).order

    def pay(self, order: Order, now: Any = NOON) -> Order:
        return fulfill_or_review(order_id=order.pk, now=now)

    def has(self, run: CourseRun, mode: str = EnrollmentMode.VERIFIED, source: str = EnrollmentSource.CODE) -> None:
        enroll(user_id=self.user_id, run_id=run.pk, mode=mode, source=source, now=NOON, reference="R")

    @property
    def entered(self) -> set[int]:
        return set(Enrollment.objects.active().of(self.user_id).values_list("run_id", flat=True))


@pytest.fixture
def world() -> World:
    return World()


def given(line: PricedLine) -> dict[Course, CourseRun | None]:
    return {each.course: each.run for each in line.program.courses}


# The start of each course


def test_the_next_start_is_suggested_and_stored(world: World) -> None:
    world.put(world.program, world.other)
    assert given(world.line()) == {world.a: world.next, world.b: world.only_b, world.c: world.only_c}
    (first, *_others) = world.line().program.courses
    assert first.starts == (world.next, world.later, world.any_time)
    order = world.pay(world.buy())
    assert world.entered >= {world.next.pk, world.only_b.pk, world.only_c.pk}
    assert world.begun.pk not in world.entered
    rows = OrderLineCourse.objects.filter(line__order=order, line__product=world.program)
    assert list(rows.values_list("title", "run")) == [
        ("Python", world.next.pk),
        ("Statistics", world.only_b.pk),
        ("Databases", world.only_c.pk),
    ]


def test_any_time_comes_before_a_run_that_has_begun(world: World) -> None:
    CourseRun.objects.filter(pk__in=[world.next.pk, world.later.pk]).update(live=False)
    assert given(world.put().lines[0])[world.a] == world.any_time
    assert world.line().program.courses[0].starts == (world.any_time,)


def test_a_run_that_has_begun_is_given_where_no_other_is_open(world: World) -> None:
    CourseRun.objects.filter(course=world.a).exclude(pk=world.begun.pk).update(live=False)
    assert given(world.put().lines[0])[world.a] == world.begun


@pytest.mark.parametrize("choice", ["later", "any_time"])
def test_the_chosen_start_is_given(world: World, choice: str) -> None:
    chosen = getattr(world, choice)
    world.put(starts=(chosen,))
    order = world.pay(world.buy())
    assert order.state == OrderState.FULFILLED
    assert world.entered == {chosen.pk, world.only_b.pk, world.only_c.pk}


def test_starts_are_chosen_again_in_the_cart(world: World) -> None:
    world.put(world.program, world.other, starts=(world.later,))
    choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[world.any_time.pk], now=NOON)
    assert given(world.line())[world.a] == world.any_time
    choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[], now=NOON)
    assert given(world.line())[world.a] == world.any_time


def test_adding_a_program_again_keeps_its_starts(world: World) -> None:
    world.put(starts=(world.later,))
    assert given(world.put().lines[0])[world.a] == world.later


@pytest.mark.parametrize("door", ["add", "choose"])
def test_a_run_of_no_course_of_the_program_is_refused(world: World, door: str) -> None:
    contract_run = make_contract_run(make_contract(), world.a).course_run
    source = make_run(world.a, tag="SOURCE")
    if door == "choose":
        world.put(starts=(world.later,))

    def enter(run_id: int) -> None:
        if door == "add":
            add_products(owner=world.owner, product_ids=[world.program.pk], start_ids=[run_id], now=NOON)
        else:
            choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[run_id], now=NOON)

    for run_id in (contract_run.pk, source.pk, make_run().pk, 999_999):
        with pytest.raises(StartUnknown):
            enter(run_id)
    assert BasketItemStart.objects.count() == (0 if door == "add" else 3)


def test_a_run_that_has_begun_cant_be_chosen_beside_a_later_one(world: World) -> None:
    priced = world.put(starts=(world.begun,))
    assert isinstance(priced.lines[0].refusal, StartClosed)
    with pytest.raises(StartClosed):
        world.buy()


@pytest.mark.parametrize(
    "change",
    [{"live": False}, {"enrollment_end": NOON - DAY}, {"start_date": NOON - DAY}],
    ids=["off", "closed", "begun"],
)
def test_a_start_that_closed_in_the_cart(world: World, change: dict[str, Any]) -> None:
    world.put(world.program, world.other, starts=(world.later,))
    CourseRun.objects.filter(pk=world.later.pk).update(**change)
    line = world.line()
    assert (
        str(line.refusal)
        == f"The start you chose for “Python” ({day(world.later, change)}) is no longer open. Choose another one."
    )
    assert not world.cart().can_check_out
    with pytest.raises(StartClosed):
        world.buy()
    assert not Order.objects.exists()
    choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[world.any_time.pk], now=NOON)
    world.pay(world.buy())
    assert world.any_time.pk in world.entered


def day(run: CourseRun, change: dict[str, Any]) -> str:
    starts = change.get("start_date") or run.start_date or NOON
    return f"{starts.day} {starts:%B %Y}"


def test_the_only_start_closed_in_the_cart(world: World) -> None:
    world.put()
    CourseRun.objects.filter(pk=world.only_c.pk).update(live=False)
    assert isinstance(world.line().refusal, LastStartClosed)
    choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[], now=NOON)
    assert [each.course for each in world.line().program.missing] == [world.c]
    order = world.buy()
    assert order.lines.get().courses.count() == 2


def test_a_suggested_start_that_changed_since_the_cart_was_shown(world: World) -> None:
    """Without a stored start, the suggestion moves on with time; the buyer sees it before they pay."""
    shown = world.put()
    BasketItemStart.objects.all().delete()
    with pytest.raises(BasketChanged):
        world.buy(now=NOON + 31 * DAY, seen_fingerprint=shown.fingerprint)


def test_another_start_makes_another_order(world: World) -> None:
    world.put()
    first = world.buy()
    assert world.buy() == first
    choose_starts(owner=world.owner, product_id=world.program.pk, start_ids=[world.later.pk], now=NOON)
    second = world.buy()
    first.refresh_from_db()
    assert (first.state, second.state) == (OrderState.CANCELED, OrderState.PENDING)
    assert second.lines.get().courses.get(course=world.a).run == world.later


def test_a_visitors_choice_comes_along_at_sign_in(world: World) -> None:
    world.put(starts=(world.later,))
    token = uuid.uuid4()
    visitor = BasketOwner(token=token)
    chosen = [world.any_time.pk]
    add_products(owner=visitor, product_ids=[world.program.pk, world.other.pk], start_ids=chosen, now=NOON)
    claim_baskets(token=token, user_id=world.user_id, now=NOON)
    assert given(world.line())[world.a] == world.any_time
    assert len(world.cart().lines) == 2


# When the money comes


def test_enrollment_that_closed_while_paying_gives_the_start(world: World) -> None:
    world.put(starts=(world.later,))
    order = world.buy()
    CourseRun.objects.filter(pk=world.later.pk).update(enrollment_end=NOON - DAY)
    assert world.pay(order).state == OrderState.FULFILLED
    assert world.later.pk in world.entered


@pytest.mark.parametrize("change", [{"live": False}, {"end_date": NOON - DAY, "start_date": None}])
def test_a_start_called_off_while_paying_goes_to_review(world: World, change: dict[str, Any]) -> None:
    world.put(starts=(world.later,))
    order = world.buy()
    started = f"{world.later.start_date:%-d %B %Y}"
    CourseRun.objects.filter(pk=world.later.pk).update(**change)
    order = world.pay(order)
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.START_CLOSED)
    assert order.state_reason.startswith("Python, ")
    assert "live" not in change or order.state_reason == f"Python, {started}"
    assert world.entered == set()
    order = fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON)
    assert order.is_fulfilled
    assert world.entered == {world.next.pk, world.only_b.pk, world.only_c.pk}
    assert order.lines.get().courses.get(course=world.a).run == world.next


def test_a_course_got_while_paying_goes_to_review(world: World) -> None:
    world.put()
    order = world.buy()
    world.has(world.later)
    order = world.pay(order)
    assert (order.state, order.review_cause, order.state_reason) == (
        OrderState.REVIEW,
        ReviewCause.HAS_COURSE,
        "Python",
    )
    assert fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON).is_fulfilled
    assert world.entered == {world.later.pk, world.only_b.pk, world.only_c.pk}
    assert order.lines.get().courses.get(course=world.a).is_owned


def test_auditing_since_checkout_is_upgraded_in_its_run(world: World) -> None:
    world.put(starts=(world.later,))
    order = world.buy()
    world.has(world.any_time, mode=EnrollmentMode.AUDIT)
    assert world.pay(order).state == OrderState.FULFILLED
    assert world.entered == {world.any_time.pk, world.only_b.pk, world.only_c.pk}
    assert order.lines.get().courses.get(course=world.a).run == world.any_time


def test_auditors_are_shown_their_own_run(world: World) -> None:
    world.has(world.any_time, mode=EnrollmentMode.AUDIT)
    (first, *_others) = world.put().lines[0].program.courses
    assert (first.run, first.starts, first.has_choice) == (world.any_time, (), False)
    world.pay(world.buy())
    assert world.entered == {world.any_time.pk, world.only_b.pk, world.only_c.pk}


def test_an_order_from_before_gives_what_was_suggested(world: World) -> None:
    order = make_paid_order(world.program, buyer=User.objects.get(pk=world.user_id), state=OrderState.PENDING)
    OrderLineCourse.objects.all().delete()
    fulfill_order(order_id=order.pk, now=NOON)
    assert world.entered == {world.next.pk, world.only_b.pk, world.only_c.pk}


# What the buyer has


def test_owned_courses_come_off_at_their_lowest_list_price(world: World) -> None:
    world.has(world.later)
    world.has(world.only_c, source=EnrollmentSource.ORDER)
    priced = world.put(world.program, world.other)
    line = world.line()
    assert [each.amount for each in (line.listed, line.deduction, line.due)] == [690, 349, 341]
    assert [each.amount for each in (priced.list_total, priced.deduction_total, priced.total)] == [740, 349, 391]
    order = world.pay(world.buy())
    sold = OrderLine.objects.get(order=order, product=world.program)
    assert (sold.list_price, sold.discount_amount, sold.deducted, sold.due) == (690, 349, 349, 341)
    assert list(sold.courses.values_list("title", "run", "deducted")) == [
        ("Statistics", world.only_b.pk, 0),
        ("Python", None, 249),
        ("Databases", None, 100),
    ]
    assert (order.list_total, order.discount_total, order.total) == (740, 349, 391)
    assert world.only_b.pk in world.entered
    assert world.next.pk not in world.entered


@pytest.mark.parametrize(
    ("policy", "due"), [(OwnedCourses.DEDUCT, 441), (OwnedCourses.FULL_PRICE, 690), (OwnedCourses.NOT_SOLD, None)]
)
def test_the_shop_sets_the_price(world: World, policy: OwnedCourses, due: int | None) -> None:
    set_policy(policy)
    world.has(world.later)
    priced = world.put()
    assert [line.due.amount for line in priced.lines] == ([due] if due else [])
    assert len(priced.aside) == (0 if due else 1)


def test_a_course_owned_by_contract_comes_off_at_the_public_price(world: World) -> None:
    world.has(make_contract_run(make_contract(price="5"), world.b).course_run)
    assert world.put().lines[0].deduction.amount == 199


def test_auditing_deducts_nothing(world: World) -> None:
    world.has(world.later, mode=EnrollmentMode.AUDIT)
    assert world.put().lines[0].due.amount == 690


def test_a_course_with_a_start_for_nothing_deducts_nothing(world: World) -> None:
    """Else who took that start for nothing would get the program for less."""
    Product.objects.filter(course_run=world.any_time).update(price=0)
    world.has(world.any_time)
    world.has(world.only_c)
    assert world.put().lines[0].deduction.amount == 100


def test_prices_in_another_currency_deduct_nothing(world: World, settings: Any) -> None:
    settings.CURRENCIES = ["USD", "EUR"]
    Product.objects.filter(course_run__course=world.a).update(currency="EUR")
    world.has(world.later)
    world.has(world.only_c)
    assert world.put().lines[0].deduction.amount == 100
    Product.objects.filter(pk=world.program.pk).update(currency="EUR")
    assert str(world.cart().lines[0].deduction) == "249.00 EUR"


def test_the_price_never_falls_below_nothing(world: World) -> None:
    Product.objects.filter(pk=world.program.pk).update(price=Decimal(300))
    world.has(world.later)
    world.has(world.only_c)
    line = world.put().lines[0]
    assert [line.deduction.amount, line.due.amount] == [300, 0]
    assert [each.deducted.amount for each in line.program.owned if each.deducted] == [249, 51]
    order = world.buy()
    assert order.state == OrderState.FULFILLED
    assert world.entered == {world.later.pk, world.only_b.pk, world.only_c.pk}


@pytest.mark.parametrize(
    ("kind", "amount", "due"),
    [
        (DiscountType.PERCENT_OFF, "10", "396.90"),
        (DiscountType.AMOUNT_OFF, "500", "0"),
        (DiscountType.AMOUNT_OFF_EACH, "41", "400"),
        (DiscountType.FIXED_PRICE, "500", "441"),
        (DiscountType.FIXED_PRICE, "100", "100"),
    ],
)
def test_discounts_lower_what_is_left(world: World, kind: str, amount: str, due: str) -> None:
    world.has(world.later)
    code = make_code(make_discount(kind=kind, amount=amount), text="CODE")
    other = make_code(make_discount(amount="1"), text="OTHER")
    world.put()
    for each in (other, code):
        if not (kind == DiscountType.FIXED_PRICE and amount == "500" and each == code):
            apply_code(owner=world.owner, text=each.text, user_id=world.user_id, now=NOON)
    due_amount = world.line().due.amount
    assert due_amount == (Decimal(due) if due != "441" else Decimal("436.59"))
    order = world.pay(world.buy())
    line = order.lines.get()
    assert (line.due, line.deducted) == (due_amount, 249)


def test_a_partial_refund_leaves_the_course_owned(world: World) -> None:
    buyer = User.objects.get(pk=world.user_id)
    order = make_paid_order(world.single[world.a], world.single[world.b], buyer=buyer, state=OrderState.PENDING)
    fulfill_order(order_id=order.pk, now=NOON)
    first, second = order.lines.order_by("pk")
    refund_order(
        order_id=order.pk,
        choice=RefundChoice(reason="goodwill", line_ids=(first.pk,), enrollment_after=EnrollmentAfter.KEEP),
        now=NOON,
        by_id=None,
    )
    assert world.put().lines[0].deduction.amount == 249 + 199
    refund_order(
        order_id=order.pk,
        choice=RefundChoice(reason="changed mind", line_ids=(second.pk,), enrollment_after=EnrollmentAfter.REMOVE),
        now=NOON,
        by_id=None,
    )
    assert world.cart().lines[0].deduction.amount == 249


def test_a_course_whose_price_changed_between_cart_and_checkout(world: World) -> None:
    world.has(world.later)
    shown = world.put()
    Product.objects.filter(pk=world.single[world.a].pk).update(price=Decimal(200))
    with pytest.raises(BasketChanged):
        world.buy(seen_fingerprint=shown.fingerprint)


def test_an_owned_course_on_its_own_beside_its_program(world: World) -> None:
    """The course is refused because the buyer has it; the program is sold without it."""
    world.has(world.later)
    priced = world.put(world.program, world.single[world.a])
    assert [line.product for line in priced.lines] == [world.program]
    assert [line.is_owned for line in priced.aside] == [True]


def test_revoking_gives_the_full_price_back(world: World) -> None:
    world.has(world.later)
    revoke(user_id=world.user_id, run_id=world.later.pk, source=EnrollmentSource.CODE, reference="R", now=NOON)
    assert world.put().lines[0].due.amount == 690


def test_a_course_given_back_while_its_program_is_paid_goes_to_review(world: World) -> None:
    """Else who gives the course back at the right moment gets the rest for the price of someone who has it."""
    world.has(world.later)
    world.has(world.only_c)
    world.put(world.program, world.other)
    order = world.buy()
    revoke(user_id=world.user_id, run_id=world.later.pk, source=EnrollmentSource.CODE, reference="R", now=NOON)
    order = world.pay(order)
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.REFUSED)
    assert "“Python”, which the buyer no longer has" in order.state_reason
    assert world.only_b.pk not in world.entered
    assert fulfill_from_review(order_id=order.pk, reason="agreed", by_id=None, now=NOON).is_fulfilled
    assert world.only_b.pk in world.entered


# In the database


def test_a_start_belongs_to_its_course(world: World) -> None:
    world.put(world.program, world.other)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    order = world.buy()
    with pytest.raises(IntegrityError, match="basket_item_start_is_of_its_course"), transaction.atomic():
        BasketItemStart.objects.filter(course=world.a).update(run=world.only_b)
    with pytest.raises(IntegrityError, match="order_line_course_start_is_of_its_course"), transaction.atomic():
        OrderLineCourse.objects.filter(line__order=order, course=world.a).update(run=world.only_b)


def test_the_deduction_is_part_of_the_discount(world: World) -> None:
    world.put()
    order = world.buy()
    with pytest.raises(IntegrityError, match="order_line_deduction_is_part_of_its_discount"), transaction.atomic():
        order.lines.update(deducted=1)
    with pytest.raises(IntegrityError, match="order_line_course_is_given_or_deducted"), transaction.atomic():
        OrderLineCourse.objects.filter(line__order=order).update(deducted=1)


def test_a_program_counts_as_a_program(world: World) -> None:
    world.put(world.program, world.other, make_product())
    note = cart_note(world.owner, now=NOON)
    assert (note.count, note.program_count) == (3, 2)
    remove_product(owner=world.owner, product_id=world.program.pk, now=NOON)
    assert cart_note(world.owner, now=NOON).program_count == 1


def test_one_grant_for_each_course(world: World) -> None:
    world.put()
    order = world.pay(world.buy())
    assert EnrollmentGrant.objects.filter(reference=order.number).count() == 3


@pytest.mark.parametrize("number", [1, 5])
def test_a_cart_of_programs_costs_the_same_for_any_number(world: World, number: int) -> None:
    for each in range(number):
        mine, other = make_course(), make_course()
        world.has(make_run(mine))
        make_product(make_run(mine), price="10")
        make_run(other)
        make_run(other)
        world.put(make_program_product(mine, other, sku=f"N{each}"))
    with queries(exactly=11):
        priced = world.cart()
    assert priced.can_check_out
    assert priced.deduction_total.amount == 10 * number
