"""A run with a number of places at every door of the shop: two of everything, and nothing kept of who is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from b2b.services.seats.redemption import attach_by_code, redeem_enrollment_code, start_course
from courses.enums import EnrollmentMode
from courses.errors import RunFull, TooFewPlaces
from courses.models import CourseRun, Enrollment
from courses.places import count_left, update_full_runs
from ecommerce.enums import DeskAction, OrderState, ReviewCause
from ecommerce.errors.codes import CourseFull
from ecommerce.errors.registration import RunHasNoPlace
from ecommerce.models import Invoice, Order, Product, SeatSale
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout, cancel_order
from ecommerce.services.checkout.free_enrollment import enroll_free
from ecommerce.services.orders.fulfillment import fulfill_or_review
from ecommerce.services.registration.desk import ChangeCode, change_code, plan_change_code
from ecommerce.services.registration.redemption import redeem_registration_code
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_contract,
    make_contract_run,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.invoices import issue, line_of, make_draft, set_seller
from tests.factories.seats import make_group_order, make_seat_sale

pytestmark = pytest.mark.django_db


def make_limited(places: int, **fields: Any) -> Product:
    """Make a product of a run with so many places, beside one of the same course without a limit."""
    run = make_run(places=places, **fields)
    make_product(make_run(run.course))
    return make_product(run)


def put(product: Product, buyer: User | None = None, *, seats: int | None = None) -> BasketOwner:
    owner = BasketOwner(user_id=(buyer or make_user()).pk)
    add_products(owner=owner, product_ids=[product.pk], now=NOON, seats=seats)
    return owner


def order(product: Product, buyer: User | None = None, *, seats: int | None = None) -> Order:
    """Place an order that waits for its payment."""
    owner = put(product, buyer, seats=seats)
    return begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON).order


def left(product: Product) -> int:
    return count_left([product.course_run_id or 0])[product.course_run_id or 0]


def redeem(sale: SeatSale, number: int, learner: User | None = None) -> Enrollment:
    code = sale.discount.codes.order_by("pk")[number]
    return redeem_registration_code(text=code.text, user_id=(learner or make_user()).pk, now=NOON).enrollment


class TestPaying:
    def test_the_last_place_is_held_for_the_order_that_is_being_paid(self) -> None:
        product = make_limited(1)
        first = order(product)
        assert left(product) == 0
        with pytest.raises(RunFull):
            order(product)
        assert Order.objects.count() == 1
        assert fulfill_or_review(order_id=first.pk, now=NOON).state == OrderState.FULFILLED
        assert left(product) == 0

    def test_the_place_of_an_order_that_ends_is_free(self) -> None:
        product = make_limited(1)
        first = order(product)
        cancel_order(order_id=first.pk, now=NOON, reason="asked")
        assert left(product) == 1
        second = order(product)
        # Its money comes after all, when the place is someone else's.
        fulfill_or_review(order_id=first.pk, now=NOON)
        late = fulfill_or_review(order_id=first.pk, now=NOON)
        assert (late.state, late.review_cause) == (OrderState.REVIEW, ReviewCause.REFUSED)
        assert late.state_reason.endswith("is full.")
        assert fulfill_or_review(order_id=second.pk, now=NOON).state == OrderState.FULFILLED

    def test_ones_own_order_is_no_reason(self) -> None:
        product, buyer = make_limited(1), make_user()
        first = order(product, buyer)
        owner = BasketOwner(user_id=buyer.pk)
        assert begin_checkout(owner=owner, user_id=buyer.pk, now=NOON).order == first
        later = NOON + timedelta(hours=2)
        assert begin_checkout(owner=owner, user_id=buyer.pk, now=later).order != first

    def test_an_upgrade_needs_no_place(self) -> None:
        run, buyer = make_run(places=1), make_user()
        enroll_free(user_id=buyer.pk, run_id=run.pk, now=NOON)
        placed = order(make_product(run, mode=EnrollmentMode.VERIFIED), buyer)
        assert fulfill_or_review(order_id=placed.pk, now=NOON).state == OrderState.FULFILLED
        assert count_left([run.pk]) == {run.pk: 0}

    def test_the_cart_sets_a_full_run_aside_and_says_why(self) -> None:
        product, buyer = make_limited(1), make_user()
        owner = put(product, buyer)
        order(product)
        basket = price_current_basket(owner, user_id=buyer.pk, now=NOON)
        assert basket.is_empty
        assert [str(each.refusal) for each in basket.aside] == [f"“{product.title}” is full."]

    def test_a_program_needs_a_place_in_each_start(self) -> None:
        full, other = make_limited(1), make_limited(5)
        assert full.course_run is not None
        assert other.course_run is not None
        CourseRun.objects.exclude(pk__in=[full.course_run_id, other.course_run_id]).update(live=False)
        program = make_program_product(full.course_run.course, other.course_run.course)
        placed = order(program)
        assert (left(full), left(other)) == (0, 4)
        with pytest.raises(RunFull):
            order(program)
        assert fulfill_or_review(order_id=placed.pk, now=NOON).state == OrderState.FULFILLED
        assert (left(full), left(other)) == (0, 4)

    def test_a_program_suggests_a_start_with_places(self) -> None:
        full = make_limited(1)
        assert full.course_run is not None
        order(full)
        placed = order(make_program_product(full.course_run.course))
        run = placed.lines.get().courses.get().run
        assert run is not None
        assert run.places is None


class TestGroups:
    def test_seats_take_places_from_the_order_to_the_last_learner(self) -> None:
        product = make_limited(4)
        placed = order(product, seats=3)
        assert left(product) == 1
        with pytest.raises(TooFewPlaces) as refused:
            order(product, seats=2)
        assert "has only 1 place left." in str(refused.value)
        fulfill_or_review(order_id=placed.pk, now=NOON)
        assert left(product) == 1
        sale = SeatSale.objects.get()
        for number in range(3):
            redeem(sale, number)
        order(product)
        assert left(product) == 0
        with pytest.raises(RunFull):
            order(product, seats=1)

    def test_a_seat_that_was_sold_is_there_when_all_others_are_taken(self) -> None:
        product = make_limited(2)
        sale = make_seat_sale(product, seats=1)
        assert product.course_run is not None
        fulfill_or_review(order_id=order(product).pk, now=NOON)
        with pytest.raises(RunFull):
            enroll_free(user_id=make_user().pk, run_id=make_free(product).pk, now=NOON)
        assert redeem(sale, 0).active

    def test_more_sold_than_places_lets_no_one_in_and_keeps_the_code(self) -> None:
        product = make_limited(2)
        sale = make_seat_sale(product, seats=2)
        CourseRun.objects.filter(products=product).update(places=1)
        with pytest.raises(CourseFull) as refused:
            redeem(sale, 0)
        assert refused.value.heading_text == "This course is full"
        assert not Enrollment.objects.exists()
        assert set(sale.discount.codes.values_list("uses", flat=True)) == {0}

    def test_an_invoice_over_more_seats_than_places_isnt_issued(self) -> None:
        set_seller()
        product = make_limited(4)
        issue(make_draft(line_of(product, seats=3)))
        assert left(product) == 1
        draft = make_draft(line_of(product, seats=2))
        with pytest.raises(Exception, match="has only 1 place left"):
            issue(draft)
        assert not Invoice.objects.get(pk=draft.pk).number
        assert left(product) == 1


def make_free(product: Product) -> CourseRun:
    """Let people enroll in the product's run for nothing too."""
    Product.objects.filter(pk=product.pk).update(price=0)
    assert product.course_run is not None
    return product.course_run


class TestTheCodeDesk:
    @staticmethod
    def do(sale: SeatSale, action: DeskAction, **options: Any) -> None:
        code = sale.discount.codes.order_by("pk")[0]
        request = ChangeCode(code_id=code.pk, action=action, **options)
        seen = plan_change_code(request, now=NOON).fingerprint()
        change_code(request, reason="asked by phone", by_id=make_user().pk, now=NOON, seen=seen)

    def test_a_canceled_code_frees_its_place_and_is_restored_only_if_one_is_left(self) -> None:
        product = make_limited(1)
        sale = make_seat_sale(product, seats=1)
        self.do(sale, DeskAction.CANCEL)
        assert left(product) == 1
        taking = order(product)
        with pytest.raises(RunHasNoPlace):
            self.do(sale, DeskAction.RESTORE)
        cancel_order(order_id=taking.pk, now=NOON, reason="asked")
        self.do(sale, DeskAction.RESTORE)
        assert left(product) == 0

    @pytest.mark.parametrize("is_redeemed", [False, True])
    def test_a_code_is_moved_only_to_a_start_with_a_place(self, is_redeemed: bool) -> None:
        home = make_limited(1)
        sale = make_seat_sale(home, seats=1)
        if is_redeemed:
            redeem(sale, 0)
        assert home.course_run is not None
        other = make_product(make_run(home.course_run.course, places=1))
        taking = order(other)
        with pytest.raises(RunHasNoPlace):
            self.do(sale, DeskAction.MOVE, run_id=other.course_run_id)
        assert left(home) == 0
        cancel_order(order_id=taking.pk, now=NOON, reason="asked")
        self.do(sale, DeskAction.MOVE, run_id=other.course_run_id)
        assert (left(home), left(other)) == (1, 0)


def test_what_pages_say_follows_orders_that_end() -> None:
    product = make_limited(1)
    placed = order(product)
    assert CourseRun.objects.get(products=product).is_full
    cancel_order(order_id=placed.pk, now=NOON, reason="asked")
    assert update_full_runs() == 1
    assert not CourseRun.objects.get(products=product).is_full


def test_a_group_order_paid_late_goes_to_review_when_its_places_are_gone() -> None:
    product = make_limited(3)
    placed = order(product, seats=3)
    cancel_order(order_id=placed.pk, now=NOON, reason="asked")
    make_group_order(product, seats=2)
    fulfill_or_review(order_id=placed.pk, now=NOON)
    late = fulfill_or_review(order_id=placed.pk, now=NOON)
    assert (late.state, late.review_cause) == (OrderState.REVIEW, ReviewCause.REFUSED)
    assert late.state_reason.endswith("is full.")
    assert SeatSale.objects.count() == 1


def test_a_contracts_run_can_be_full_too() -> None:
    contract = make_contract(seats=5)
    run = make_contract_run(contract, codes=2)
    other = make_contract_run(contract, codes=2)
    assert run.course_run_id != other.course_run_id
    CourseRun.all_objects.filter(pk=run.course_run_id).update(places=1)
    first, second = make_user(), make_user()
    used, code = codes_of(run)
    redeem_enrollment_code(text=used.text, user_id=first.pk, now=NOON)
    with pytest.raises(CourseFull):
        redeem_enrollment_code(text=code.text, user_id=second.pk, now=NOON)
    code.refresh_from_db()
    assert code.uses == 0
    attach_by_code(text=code.text, user_id=second.pk, now=NOON)
    with pytest.raises(RunFull):
        start_course(contract_run_id=run.pk, user_id=second.pk, now=NOON)
    start_course(contract_run_id=other.pk, user_id=second.pk, now=NOON)
    assert set(Enrollment.objects.values_list("user", "run")) == {
        (first.pk, run.course_run_id),
        (second.pk, other.course_run_id),
    }
