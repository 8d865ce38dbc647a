"""Several seats of a course: beside the buyer's own course in one cart, priced together, and fulfilled as codes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from courses.enums import RunAccess
from courses.errors import EnrollmentClosed
from courses.models import Enrollment
from ecommerce.enums import DiscountType, OrderState
from ecommerce.errors.checkout import BasketChanged, PaymentUnderWay, SeatsNotSold, TotalChanged
from ecommerce.errors.codes import CodeForOtherProducts, CodeNotForGroups, CodeUnknown
from ecommerce.errors.registration import CodeRedeemedElsewhere
from ecommerce.gateways.base import PaymentLine
from ecommerce.gateways.stripe import _line_item
from ecommerce.models import Basket, BasketItem, CodeUse, Discount, DiscountCode, Order, OrderLine, SeatSale
from ecommerce.pricing import Item, Offer, price_item, price_items
from ecommerce.selectors.basket_prices import PricedBasket, price_current_basket, quote_seats
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.business import BusinessDetails, business_details, last_business_details
from ecommerce.selectors.offers import make_offer
from ecommerce.selectors.receipts import billed_to, receipt_data, receipt_for
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    change_seats,
    claim_baskets,
    keep_for_later,
    move_to_cart,
    remove_product,
    settle_shown_basket,
)
from ecommerce.services.checkout.checkout import begin_checkout, cancel_order, place_order
from ecommerce.services.checkout.giving_up import give_up_removed
from ecommerce.services.orders.closing import close_carts_and_orders
from ecommerce.services.orders.fulfillment import fulfill_order
from mitxonline.kernel.money import Money
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
from tests.factories.orders import make_paid_order, make_payment
from tests.factories.seats import make_seat_sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def learner() -> User:
    return make_user()


@pytest.fixture
def owner(learner: User) -> BasketOwner:
    return BasketOwner(user_id=learner.pk)


def priced(owner: BasketOwner) -> PricedBasket:
    return price_current_basket(owner, user_id=owner.user_id, now=NOON)


def items(owner: BasketOwner) -> list[tuple[int, int | None]]:
    return list(BasketItem.objects.filter(basket__in=owner.baskets()).order_by("pk").values_list("product_id", "seats"))


def buy(owner: BasketOwner, **kwargs: Any) -> Order:
    return begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON, **kwargs).order


def offer(kind: str, amount: str, **fields: Any) -> Offer:
    currency = "" if kind == DiscountType.PERCENT_OFF else "USD"
    return Offer(discount_id=1, discount_type=kind, amount=Decimal(amount), currency=currency, products=None, **fields)


# Prices


@pytest.mark.parametrize(
    ("kind", "amount", "due"),
    [
        (DiscountType.PERCENT_OFF, "15", "679.66"),  # of 799.60, not 40 times 16.99
        (DiscountType.AMOUNT_OFF_EACH, "5", "599.60"),
        (DiscountType.FIXED_PRICE, "12.50", "500.00"),
        (DiscountType.AMOUNT_OFF, "5", "794.60"),
        (DiscountType.PERCENT_OFF, "100", "0.00"),
        (DiscountType.AMOUNT_OFF_EACH, "50", "0.00"),
    ],
)
def test_a_discount_counts_for_every_seat_and_one_off_the_cart_once(kind: str, amount: str, due: str) -> None:
    item = Item(1, Money("799.60", "USD"), seats=40)
    assert price_items([item], [offer(kind, amount, for_groups=True)])[0].due == Money(due, "USD")


def test_an_amount_off_the_cart_is_spread_over_a_group_and_a_personal_line_of_one_course() -> None:
    mine, group = Item(1, Money("20", "USD")), Item(1, Money("80", "USD"), seats=4)
    prices = price_items([mine, group], [offer(DiscountType.AMOUNT_OFF, "10", for_groups=True)])
    assert [str(price.due.amount) for price in prices] == ["18.00", "72.00"]


def test_a_product_of_a_contract_keeps_its_own_code_when_priced() -> None:
    own = offer(DiscountType.FIXED_PRICE, "3", unlocks=1, code_id=7)
    assert price_item(Item(1, Money("20", "USD"), requires_code=True), [own]).due == Money("3", "USD")


def test_an_automatic_discount_is_quoted_before_anything_is_in_a_cart() -> None:
    product = make_product(price="100")
    make_discount(kind=DiscountType.PERCENT_OFF, amount="10", automatic=True, name="Spring", for_groups=True)
    price = quote_seats(product, seats=40, user_id=None, now=NOON)
    assert (price.listed, price.due) == (Money("4000", "USD"), Money("3600", "USD"))


# Discounts that aren't also for groups


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        (DiscountType.PERCENT_OFF, "100"),
        (DiscountType.FIXED_PRICE, "0"),
        (DiscountType.AMOUNT_OFF_EACH, "500"),
        (DiscountType.AMOUNT_OFF, "5000"),
    ],
)
def test_a_discount_for_people_never_touches_a_groups_line(kind: str, amount: str) -> None:
    group, other = Item(1, Money("80", "USD"), seats=4), Item(2, Money("90", "USD"), seats=3)
    prices = price_items([group, other], [offer(kind, amount)])
    assert [(price.due, price.offer) for price in prices] == [(Money("80", "USD"), None), (Money("90", "USD"), None)]


def test_an_amount_off_the_cart_is_spread_only_over_lines_it_may_touch() -> None:
    mine, group, other = Item(1, Money("20", "USD")), Item(1, Money("80", "USD"), seats=4), Item(2, Money("30", "USD"))
    prices = price_items([mine, group, other], [offer(DiscountType.AMOUNT_OFF, "10")])
    assert [str(price.due.amount) for price in prices] == ["16.00", "80.00", "24.00"]


def test_a_contracts_code_is_never_for_groups() -> None:
    discount = make_discount(amount="100", for_groups=True)
    assert make_offer(discount).for_groups
    discount.unlocks_id = make_product().pk
    assert not make_offer(discount).for_groups
    Discount.objects.filter(pk=discount.pk).update(for_all_products=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        Discount.objects.filter(pk=discount.pk).update(unlocks=discount.unlocks_id)


@pytest.mark.parametrize("fields", [{"max_uses": 1}, {"max_uses": 5}, {}, {"assigned_email": "own"}])
def test_a_code_for_one_person_covers_no_seats(owner: BasketOwner, learner: User, fields: dict[str, Any]) -> None:
    product = make_product(price="100")
    if "assigned_email" in fields:
        fields = {"assigned_email": learner.email, "max_uses": 1}
    one, two = (make_code(make_discount(amount="100"), **fields) for _each in range(2))
    add_products(owner=owner, product_ids=[product.pk], seats=1000, now=NOON)
    for code in (one, two):
        with pytest.raises(CodeNotForGroups):
            apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    assert priced(owner).total == Money("100000", "USD")
    assert place_order(owner=owner, user_id=owner.user_id or 0, now=NOON).total == Decimal(100000)
    assert not CodeUse.objects.exists()


def test_a_signed_out_visitor_is_told_too_as_the_code_works() -> None:
    token = Basket._meta.get_field("token").to_python("8b1f6a0e-5f6e-4e3a-9f57-3b7a3f4fd5f2")
    visitor = BasketOwner(token=token)
    add_products(owner=visitor, product_ids=[make_product().pk], seats=2, now=NOON)
    with pytest.raises(CodeNotForGroups):
        apply_code(owner=visitor, text=make_code().text, user_id=None, now=NOON)
    with pytest.raises(CodeUnknown):
        apply_code(owner=visitor, text=make_code(active=False).text, user_id=None, now=NOON)


def test_a_code_for_other_courses_is_refused_as_such(owner: BasketOwner) -> None:
    product, other = make_product(), make_product()
    add_products(owner=owner, product_ids=[product.pk], seats=2, now=NOON)
    code = make_code(make_discount(products=[other]))
    with pytest.raises(CodeForOtherProducts):
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)


def test_the_personal_line_of_the_same_course_gets_the_code_and_the_group_pays(owner: BasketOwner) -> None:
    product, other = make_product(price="100"), make_product(price="10")
    code = make_code(make_discount(amount="100"), max_uses=1)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk, other.pk], seats=40, now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    order = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert [(line.seats, line.due, line.code) for line in order.lines.order_by("pk")] == [
        (None, Decimal(0), code),
        (40, Decimal(4000), None),
        (40, Decimal(400), None),
    ]


def test_turning_a_line_into_a_groups_takes_its_code_away(owner: BasketOwner) -> None:
    product = make_product(price="100")
    code = make_code(make_discount(amount="100"), max_uses=1)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    change_seats(owner=owner, product_id=product.pk, was_group=False, seats=1000, now=NOON)
    basket = priced(owner)
    assert basket.total == Money("100000", "USD")
    (verdict,) = basket.codes
    assert verdict.is_idle


def test_an_automatic_discount_is_for_groups_only_if_it_says_so(owner: BasketOwner) -> None:
    product, other = make_product(price="100"), make_product(price="10")
    make_discount(amount="50", automatic=True, name="For people")
    make_discount(amount="10", automatic=True, name="For all", for_groups=True)
    add_products(owner=owner, product_ids=[product.pk, other.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk, other.pk], seats=2, now=NOON)
    assert [str(line.due.amount) for line in priced(owner).lines] == ["50.00", "5.00", "180.00", "18.00"]
    assert quote_seats(product, seats=40, user_id=None, now=NOON).due == Money("3600", "USD")


def test_a_discount_that_stops_being_for_groups_is_noticed_when_the_order_is_placed(owner: BasketOwner) -> None:
    discount = make_discount(amount="100", for_groups=True)
    code = make_code(discount, max_uses=1)
    add_products(owner=owner, product_ids=[make_product(price="100").pk], seats=1000, now=NOON)
    shown = apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    assert shown.total.is_zero
    first = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    Discount.objects.filter(pk=discount.pk).update(for_groups=False)
    for seen in ({"expected_total": shown.total}, {"seen_fingerprint": shown.fingerprint}):
        with pytest.raises((TotalChanged, BasketChanged)):
            begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON, **seen)
    second = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert (second.total, first.pk == second.pk) == (Decimal(100000), False)
    assert not SeatSale.objects.exists()
    code.refresh_from_db()
    assert code.uses == 0


# The cart


def test_a_group_line_and_a_personal_line_of_one_course_share_a_cart(owner: BasketOwner) -> None:
    product, other = make_product(price="100"), make_product(price="10")
    add_products(owner=owner, product_ids=[product.pk, other.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk], seats=40, now=NOON)
    basket = priced(owner)
    assert [(line.product, line.seats, str(line.due.amount)) for line in basket.lines] == [
        (product, None, "100.00"),
        (other, None, "10.00"),
        (product, 40, "4000.00"),
    ]
    assert basket.total == Money("4110", "USD")
    assert basket.can_check_out


def test_adding_seats_again_replaces_their_number(owner: BasketOwner) -> None:
    product = make_product()
    for seats in (40, 12):
        add_products(owner=owner, product_ids=[product.pk], seats=seats, now=NOON)
    assert items(owner) == [(product.pk, 12)]


def test_each_line_of_a_course_is_kept_moved_back_and_removed_by_itself(owner: BasketOwner) -> None:
    product = make_product()
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    keep_for_later(owner=owner, product_id=product.pk, is_group=True, now=NOON)
    assert [line.seats for line in priced(owner).lines] == [None]
    move_to_cart(owner=owner, product_id=product.pk, is_group=True, now=NOON)
    remove_product(owner=owner, product_id=product.pk, now=NOON)
    assert items(owner) == [(product.pk, 3)]


def test_a_line_changes_between_the_buyer_and_a_group(owner: BasketOwner) -> None:
    product, other = make_product(), make_product()
    add_products(owner=owner, product_ids=[product.pk, other.pk], now=NOON)
    change_seats(owner=owner, product_id=product.pk, was_group=False, seats=7, now=NOON)
    assert items(owner) == [(product.pk, 7), (other.pk, None)]
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=9, now=NOON)
    assert items(owner) == [(product.pk, 9), (other.pk, None)]
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=None, now=NOON)
    assert items(owner) == [(product.pk, None), (other.pk, None)]


def test_programs_and_products_of_contracts_are_not_sold_to_groups(owner: BasketOwner) -> None:
    contract = make_contract_run(make_contract(), codes=1).product
    assert contract is not None
    for product in (make_program_product(make_course(), make_course()), contract):
        with pytest.raises(SeatsNotSold):
            add_products(owner=owner, product_ids=[product.pk], seats=2, now=NOON)
    assert items(owner) == []


def test_a_group_line_that_became_a_contracts_is_set_aside_and_not_sold(owner: BasketOwner) -> None:
    product = make_product()
    add_products(owner=owner, product_ids=[product.pk], seats=2, now=NOON)
    type(product).objects.filter(pk=product.pk).update(requires_code=True)
    (line,) = priced(owner).aside
    assert isinstance(line.refusal, SeatsNotSold)
    with pytest.raises(SeatsNotSold):
        place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert not Order.objects.exists()


def test_no_seats_of_a_run_that_closed_are_sold(owner: BasketOwner) -> None:
    run = make_run()
    add_products(owner=owner, product_ids=[make_product(run).pk], seats=2, now=NOON)
    run.enrollment_end = NOON.replace(day=1)
    run.save()
    assert priced(owner).is_empty
    with pytest.raises(EnrollmentClosed):
        place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)


def test_no_seats_of_a_contracts_run_are_sold_through_another_product(owner: BasketOwner) -> None:
    run = make_run()
    product = make_product(run)
    add_products(owner=owner, product_ids=[product.pk], seats=2, now=NOON)
    type(run).all_objects.filter(pk=run.pk).update(access=RunAccess.CONTRACT)
    assert priced(owner).is_empty


def test_the_database_takes_1_to_1000_seats_once(owner: BasketOwner) -> None:
    product = make_product()
    basket = add_products(owner=owner, product_ids=[product.pk], seats=1, now=NOON)
    for seats in (0, 1001):
        with pytest.raises(IntegrityError), transaction.atomic():
            BasketItem.objects.update(seats=seats)
    with pytest.raises(IntegrityError), transaction.atomic():
        BasketItem.objects.create(basket=basket, product=product, seats=5, added_at=NOON)


def test_signing_in_joins_groups_and_personal_lines(learner: User) -> None:
    product = make_product()
    mine = BasketOwner(user_id=learner.pk)
    add_products(owner=mine, product_ids=[product.pk], now=NOON)
    add_products(owner=mine, product_ids=[product.pk], seats=5, now=NOON)
    token = Basket._meta.get_field("token").to_python("8b1f6a0e-5f6e-4e3a-9f57-3b7a3f4fd5f1")
    add_products(owner=BasketOwner(token=token), product_ids=[product.pk], seats=40, now=NOON)
    claim_baskets(token=token, user_id=learner.pk, now=NOON)
    assert sorted(items(mine), key=str) == [(product.pk, 40), (product.pk, None)]


# Owning


def test_who_has_the_course_may_buy_it_for_a_group_and_only_the_personal_line_goes(owner: BasketOwner) -> None:
    product, other = make_product(), make_product()
    make_paid_order(product, buyer=User.objects.get(pk=owner.user_id or 0))
    add_products(owner=owner, product_ids=[product.pk, other.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    shown = priced(owner)
    assert [(line.product, line.seats) for line in shown.lines] == [(other, None), (product, 3)]
    settle_shown_basket(shown, now=NOON)
    assert items(owner) == [(other.pk, None), (product.pk, 3)]


def test_a_bought_group_does_not_keep_its_buyer_from_the_course(owner: BasketOwner) -> None:
    product = make_product()
    make_seat_sale(product, seats=3, buyer=User.objects.get(pk=owner.user_id or 0))
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    assert priced(owner).can_check_out


def test_a_group_that_is_being_paid_is_not_paid_twice_but_the_course_may_be_bought(owner: BasketOwner) -> None:
    product = make_product()
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    order = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    make_payment(order)
    (line,) = priced(owner).aside
    assert isinstance(line.refusal, PaymentUnderWay)
    with pytest.raises(PaymentUnderWay):
        place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    assert [line.seats for line in priced(owner).lines] == [None]


# Checking out


def test_an_order_line_has_the_totals_of_all_seats(owner: BasketOwner) -> None:
    product, other = make_product(price="19.99"), make_product(price="5")
    make_discount(kind=DiscountType.PERCENT_OFF, amount="15", automatic=True, name="Spring", for_groups=True)
    add_products(owner=owner, product_ids=[product.pk], seats=40, now=NOON)
    add_products(owner=owner, product_ids=[other.pk], now=NOON)
    order = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    line = order.lines.get(product=product)
    assert (line.seats, line.list_price, line.discount_amount, line.due) == (
        40,
        Decimal("799.60"),
        Decimal("119.94"),
        Decimal("679.66"),
    )
    assert line.unit_price == Money("19.99", "USD")
    assert order.total == Decimal("683.91")


def test_40_seats_for_nothing_are_fulfilled_at_once(owner: BasketOwner) -> None:
    product, other = make_product(price="100"), make_product(price="10")
    code = make_code(make_discount(kind=DiscountType.PERCENT_OFF, amount="100", for_groups=True), max_uses=1)
    add_products(owner=owner, product_ids=[product.pk], seats=40, now=NOON)
    add_products(owner=owner, product_ids=[other.pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    order = buy(owner)
    assert order.state == OrderState.FULFILLED
    sale = SeatSale.objects.get()
    assert (sale.seats, sale.discount.codes.count()) == (40, 40)
    assert [each.run.pk for each in Enrollment.objects.all()] == [other.course_run_id]
    code.refresh_from_db()
    assert code.uses == 1  # one order takes one use
    assert items(owner) == []


def count_checkout(seats: int) -> int:
    owner = BasketOwner(user_id=make_user().pk)
    code = make_code(make_discount(kind=DiscountType.PERCENT_OFF, amount="100", for_groups=True))
    add_products(owner=owner, product_ids=[make_product().pk], seats=seats, now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    with CaptureQueriesContext(connection) as captured:
        buy(owner, details=BusinessDetails(company="Northgate Health"))
    assert SeatSale.objects.get(buyer=owner.user_id).discount.codes.count() == seats
    return len(captured)


def test_a_group_checkout_of_1000_seats_takes_as_many_queries_as_one_of_10() -> None:
    ten, thousand = count_checkout(10), count_checkout(1000)
    assert ten == thousand <= 45


def test_two_groups_of_one_order_have_codes_of_their_own(owner: BasketOwner) -> None:
    one, two = make_product(price="0"), make_product(price="0")
    add_products(owner=owner, product_ids=[one.pk], seats=3, now=NOON)
    add_products(owner=owner, product_ids=[two.pk], seats=4, now=NOON)
    buy(owner)
    assert [(sale.product, sale.discount.codes.count()) for sale in SeatSale.objects.all()] == [(one, 3), (two, 4)]


def test_fulfilling_again_makes_no_more_codes(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], seats=3, now=NOON)
    order = buy(owner)
    fulfill_order(order_id=order.pk, now=NOON)
    assert DiscountCode.objects.count() == 3


def test_a_number_changed_in_another_tab_is_refused_at_checkout(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    seen = priced(owner)
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=300, now=NOON)
    with pytest.raises(BasketChanged):
        buy(owner, seen_fingerprint=seen.fingerprint, expected_total=seen.total)
    assert not Order.objects.exists()
    assert items(owner) == [(product.pk, 300)]


def test_a_total_that_changed_with_the_number_is_refused(owner: BasketOwner) -> None:
    product = make_product(price="10")
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    seen = priced(owner)
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=30, now=NOON)
    with pytest.raises(TotalChanged):
        place_order(owner=owner, user_id=owner.user_id or 0, now=NOON, expected_total=seen.total)


def test_the_same_cart_gives_the_same_order_and_another_number_replaces_it(owner: BasketOwner) -> None:
    product = make_product(price="10")
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    first = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert place_order(owner=owner, user_id=owner.user_id or 0, now=NOON) == first
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=4, now=NOON)
    second = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    first.refresh_from_db()
    assert (first.state, second.lines.get().seats) == (OrderState.CANCELED, 4)


def test_changing_the_number_gives_up_the_open_order(owner: BasketOwner) -> None:
    product = make_product(price="10")
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    assert give_up_removed(user_id=owner.user_id or 0, now=NOON) == 0
    change_seats(owner=owner, product_id=product.pk, was_group=True, seats=4, now=NOON)
    assert give_up_removed(user_id=owner.user_id or 0, now=NOON) == 1


def test_fulfilling_clears_what_was_bought_and_leaves_a_number_changed_since(owner: BasketOwner) -> None:
    product, other = make_product(price="10"), make_product(price="10")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    for each in (product, other):
        add_products(owner=owner, product_ids=[each.pk], seats=3, now=NOON)
    order = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    change_seats(owner=owner, product_id=other.pk, was_group=True, seats=8, now=NOON)
    fulfill_order(order_id=order.pk, now=NOON)
    assert items(owner) == [(other.pk, 8)]


def test_an_order_has_a_course_once_for_the_buyer_and_once_for_a_group(owner: BasketOwner) -> None:
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    order = buy(owner)
    assert sorted(line.seats or 0 for line in order.lines.all()) == [0, 3]
    for line in order.lines.all():
        line.pk = None
        with pytest.raises(IntegrityError), transaction.atomic():
            line.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        OrderLine.objects.filter(seats=3).update(seats=1001)


# Registration codes in the cart


def test_a_registration_code_lowers_no_price(owner: BasketOwner) -> None:
    sale = make_seat_sale(seats=2)
    code = sale.discount.codes.first()
    assert code is not None
    add_products(owner=owner, product_ids=[sale.product_id], now=NOON)
    with pytest.raises(CodeRedeemedElsewhere) as refused:
        apply_code(owner=owner, text=code.text.lower(), user_id=owner.user_id, now=NOON)
    assert refused.value.text == code.text
    assert priced(owner).codes == ()


# Business details

DETAILS = BusinessDetails(
    company="Northgate Health",
    contact_name="Amara Okafor",
    contact_email="amara@northgate.test",
    street="1 Harbor Way",
    city="Boston",
    region="MA",
    postal_code="02110",
    country="US",
    tax_id="12-3456789",
    po_number="PO-1042",
)


def test_business_details_are_stored_on_the_order_and_printed_on_its_receipt(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], seats=3, now=NOON)
    order = buy(owner, details=DETAILS)
    order.refresh_from_db()
    assert business_details(order) == DETAILS
    to = billed_to(order)
    assert (to.name, to.tax_id, to.po_number) == ("Northgate Health", "12-3456789", "PO-1042")
    assert to.contact == "Amara Okafor, amara@northgate.test"
    data = receipt_data(receipt_for(user_id=owner.user_id or 0, number=order.number), now=NOON)
    assert data.billed_to == to
    assert (data.lines[0].seats, data.lines[0].seats_text, data.course_count) == (3, "3 seats × $0.00", 0)


def test_an_order_placed_before_gets_the_details_given_now(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product().pk], seats=3, now=NOON)
    first = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)
    second = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON, details=DETAILS)
    assert first == second
    assert business_details(second) == DETAILS


def test_the_details_given_last_are_offered_without_their_purchase_order(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product(price="0").pk], seats=3, now=NOON)
    buy(owner, details=DETAILS)
    found = last_business_details(owner.user_id or 0)
    assert (found.company, found.city, found.po_number) == ("Northgate Health", "Boston", "")
    assert last_business_details(make_user().pk).is_empty


# The gateway


@pytest.mark.parametrize(
    ("due", "seats", "item"),
    [
        ("4000.00", 40, (40, 10000, "Soils")),
        ("679.66", 40, (1, 67966, "40 × Soils")),  # no whole number of cents for each seat
        ("249.00", 1, (1, 24900, "Soils")),
    ],
)
def test_stripe_is_told_the_number_of_seats_where_each_has_a_whole_price(
    due: str, seats: int, item: tuple[int, int, str]
) -> None:
    described: Any = _line_item(PaymentLine("Soils", Money(due, "USD"), seats), None)  # type: ignore[arg-type]
    price = described["price_data"]
    assert (described["quantity"], price["unit_amount"], price["product_data"]["name"]) == item


def test_a_deleted_buyer_leaves_no_business_details_on_orders_that_were_never_paid(owner: BasketOwner) -> None:
    add_products(owner=owner, product_ids=[make_product().pk], seats=3, now=NOON)
    order = place_order(owner=owner, user_id=owner.user_id or 0, now=NOON, details=DETAILS)
    cancel_order(order_id=order.pk, now=NOON, reason="test")
    close_carts_and_orders(user_id=owner.user_id or 0, email="")
    order.refresh_from_db()
    assert business_details(order).is_empty
