"""Prices are pure functions: never negative, never above the list price, independent of the order of discounts."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecommerce.enums import DiscountType
from ecommerce.pricing import Item, Offer, price_item, price_items
from mitxonline.kernel.money import Money


def usd(amount: str | int) -> Money:
    return Money(amount, "USD")


def offer(kind: str, amount: str, **fields: object) -> Offer:
    values: dict[str, object] = {
        "discount_id": 1,
        "discount_type": kind,
        "amount": Decimal(amount),
        "currency": "" if kind == DiscountType.PERCENT_OFF else "USD",
        "products": None,
        "code_id": 1,
    }
    return Offer(**(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "amount", "due"),
    [
        (DiscountType.PERCENT_OFF, "10", "224.10"),
        (DiscountType.PERCENT_OFF, "100", "0"),
        (DiscountType.PERCENT_OFF, "33.333", "166.00"),  # 83.00 off: 82.99917 rounds half up
        (DiscountType.AMOUNT_OFF, "49.50", "199.50"),
        (DiscountType.AMOUNT_OFF, "300", "0"),
        (DiscountType.AMOUNT_OFF_EACH, "49.50", "199.50"),
        (DiscountType.AMOUNT_OFF_EACH, "300", "0"),
        (DiscountType.FIXED_PRICE, "120", "120"),
        (DiscountType.FIXED_PRICE, "0", "0"),
        (DiscountType.FIXED_PRICE, "400", "249"),
    ],
)
def test_each_discount_type_sets_its_price(kind: str, amount: str, due: str) -> None:
    assert price_item(Item(1, usd("249")), [offer(kind, amount)]).due == usd(due)


def test_half_a_cent_is_rounded_up() -> None:
    assert price_item(Item(1, usd("0.05")), [offer(DiscountType.PERCENT_OFF, "50")]).discount == usd("0.03")


def test_yen_has_no_cents() -> None:
    item = Item(1, Money(999, "JPY"))
    assert price_item(item, [offer(DiscountType.PERCENT_OFF, "10")]).due == Money(899, "JPY")


def test_an_amount_in_another_currency_changes_no_price() -> None:
    assert price_item(Item(1, Money(999, "JPY")), [offer(DiscountType.AMOUNT_OFF, "5")]).offer is None


def test_only_the_chosen_products_get_cheaper() -> None:
    chosen = offer(DiscountType.PERCENT_OFF, "50", products=frozenset({1}))
    prices = price_items([Item(1, usd(100)), Item(2, usd(100))], [chosen])
    assert [price.due for price in prices] == [usd(50), usd(100)]


def test_a_contract_product_is_priced_only_by_its_own_code() -> None:
    item = Item(7, usd(49), requires_code=True)
    marketing = offer(DiscountType.PERCENT_OFF, "100", discount_id=1)
    own = offer(DiscountType.FIXED_PRICE, "49", discount_id=2, unlocks=7, products=frozenset())
    assert price_item(item, [marketing]).offer is None
    assert price_item(item, [marketing, own]).offer == own  # though it takes nothing off
    assert price_item(item, [marketing, own]).due == usd(49)


def test_a_contract_code_in_another_currency_prices_nothing() -> None:
    item = Item(7, Money("49", "EUR"), requires_code=True)
    own = offer(DiscountType.FIXED_PRICE, "49", unlocks=7, products=frozenset())
    assert not own.covers(item)
    assert price_item(item, [own]).offer is None


def test_a_contract_code_touches_no_other_line() -> None:
    own = offer(DiscountType.FIXED_PRICE, "0", unlocks=7, products=None)
    assert price_item(Item(8, usd(249)), [own]).offer is None


def test_of_two_equal_discounts_the_one_without_a_code_is_used() -> None:
    automatic = offer(DiscountType.PERCENT_OFF, "10", discount_id=9, code_id=None)
    typed = offer(DiscountType.PERCENT_OFF, "10", discount_id=1, code_id=4)
    assert price_item(Item(1, usd(100)), [typed, automatic]).offer == automatic


def test_the_older_of_two_equal_codes_is_spent() -> None:
    older, newer = (offer(DiscountType.PERCENT_OFF, "10", code_id=code_id) for code_id in (4, 5))
    assert price_item(Item(1, usd(100)), [newer, older]).offer == older


# An amount off the cart


def test_amount_off_the_cart_counts_once_and_amount_off_each_per_line() -> None:
    items = [Item(1, usd(100)), Item(2, usd(100)), Item(3, usd(6))]
    once = price_items(items, [offer(DiscountType.AMOUNT_OFF, "10")])
    assert [price.discount for price in once] == [usd("4.86"), usd("4.85"), usd("0.29")]
    each = price_items(items, [offer(DiscountType.AMOUNT_OFF_EACH, "10")])
    assert [price.discount for price in each] == [usd(10), usd(10), usd(6)]


def test_amount_off_the_cart_stops_at_zero() -> None:
    prices = price_items([Item(1, usd(3)), Item(2, usd(4))], [offer(DiscountType.AMOUNT_OFF, "50")])
    assert [price.due for price in prices] == [usd(0), usd(0)]


def test_amount_off_the_cart_is_spread_in_whole_cents() -> None:
    prices = price_items([Item(number, usd(10)) for number in range(5)], [offer(DiscountType.AMOUNT_OFF, "0.02")])
    assert sorted(price.discount.minor_units for price in prices) == [0, 0, 0, 1, 1]
    assert [price.offer is None for price in prices] == [price.discount.is_zero for price in prices]


def test_amount_off_the_cart_goes_to_the_least_discounted_lines() -> None:
    items = [Item(1, usd(100)), Item(2, usd(100))]
    half = offer(DiscountType.PERCENT_OFF, "50", discount_id=2, products=frozenset({2}), code_id=None)
    cart = offer(DiscountType.AMOUNT_OFF, "60", discount_id=3)
    prices = price_items(items, [half, cart])
    assert [(price.discount, price.offer) for price in prices] == [(usd(60), cart), (usd(50), half)]
    small = offer(DiscountType.AMOUNT_OFF, "40", discount_id=3, products=frozenset({2}))
    assert [price.offer for price in price_items(items, [half, small])] == [None, half]


def test_an_amount_off_the_cart_that_saves_nothing_more_is_not_used() -> None:
    tenth = offer(DiscountType.PERCENT_OFF, "10", discount_id=2, code_id=2)
    cart = offer(DiscountType.AMOUNT_OFF, "10", discount_id=1, code_id=1)
    assert [price.offer for price in price_items([Item(1, usd(100))], [tenth, cart])] == [tenth]


def test_where_the_total_is_the_same_fewer_codes_are_spent() -> None:
    two_off = offer(DiscountType.AMOUNT_OFF_EACH, "2", discount_id=1, code_id=1, products=frozenset({1}))
    six_off = offer(DiscountType.AMOUNT_OFF_EACH, "6", discount_id=2, code_id=2, products=frozenset({2}))
    cart = offer(DiscountType.AMOUNT_OFF, "10", discount_id=3, code_id=3)
    items = [Item(1, usd(4)), Item(2, usd(100))]
    # Ten dollars come off with the cart's code alone, and with it on the first line beside the second line's own.
    assert [price.offer for price in price_items(items, [two_off, six_off, cart])] == [cart, cart]


def test_one_amount_off_the_cart_counts_and_never_for_contract_lines() -> None:
    items = [Item(1, usd(100)), Item(2, usd(100), requires_code=True)]
    ten, twenty = (offer(DiscountType.AMOUNT_OFF, str(n), discount_id=n, code_id=n) for n in (10, 20))
    prices = price_items(items, [ten, twenty])
    assert [(price.discount, price.offer) for price in prices] == [(usd(20), twenty), (usd(0), None)]


kinds = st.sampled_from(list(DiscountType))
offers = st.builds(
    lambda kind, amount, number, code: offer(
        kind,
        str(min(amount, Decimal(100)) if kind == DiscountType.PERCENT_OFF else amount),
        discount_id=number,
        code_id=code,
    ),
    kinds,
    st.decimals(min_value=0, max_value=2000, places=3),
    st.integers(1, 50),
    st.none() | st.integers(1, 50),
)
prices = st.decimals(min_value=0, max_value=5000, places=2).map(lambda amount: Money(amount, "USD"))


@given(listed=prices, several=st.lists(offers, max_size=6))
def test_never_negative_never_above_the_list_price(listed: Money, several: list[Offer]) -> None:
    price = price_item(Item(1, listed), several)
    assert listed.zero <= price.due <= listed
    assert price.due + price.discount == listed


@given(listed=st.lists(prices, min_size=1, max_size=5), several=st.lists(offers, max_size=6), data=st.data())
def test_the_order_of_discounts_does_not_matter(listed: list[Money], several: list[Offer], data: st.DataObject) -> None:
    items = [Item(number, price) for number, price in enumerate(listed)]
    shuffled = data.draw(st.permutations(several))
    one, other = price_items(items, several), price_items(items, shuffled)
    assert [price.due for price in one] == [price.due for price in other]
    assert [_id(price.offer) for price in one] == [_id(price.offer) for price in other]


def _id(chosen: Offer | None) -> tuple[int, int | None] | None:
    return None if chosen is None else (chosen.discount_id, chosen.code_id)


@given(listed=prices, several=st.lists(offers, max_size=4), one_more=offers)
def test_another_discount_never_raises_the_price(listed: Money, several: list[Offer], one_more: Offer) -> None:
    item = Item(1, listed)
    assert price_item(item, [*several, one_more]).due <= price_item(item, several).due


currencies = st.sampled_from(["USD", "JPY", "KWD"])


@st.composite
def baskets(draw: st.DrawFn) -> tuple[list[Item], list[Offer]]:
    """Draw items in one currency, some with a contract code, and discounts of every kind."""
    currency = draw(currencies)
    amounts = st.decimals(min_value=0, max_value=5000, places=3)
    items = [
        Item(number, Money(amount, currency), requires_code)
        for number, (amount, requires_code) in enumerate(draw(st.lists(st.tuples(amounts, st.booleans()), max_size=6)))
    ]
    chosen = st.none() | st.frozensets(st.integers(0, 6), max_size=4)
    some = [
        offer(
            kind,
            str(min(amount, Decimal(100)) if kind == DiscountType.PERCENT_OFF else amount),
            discount_id=number,
            code_id=code,
            products=products if unlocks is None else frozenset(),
            unlocks=unlocks,
            currency="" if kind == DiscountType.PERCENT_OFF else money,
        )
        for number, (kind, amount, code, products, unlocks, money) in enumerate(
            draw(
                st.lists(
                    st.tuples(
                        kinds, amounts, st.none() | st.integers(1, 9), chosen, st.none() | st.integers(0, 6), currencies
                    ),
                    max_size=6,
                )
            )
        )
    ]
    return items, some


@given(basket=baskets())
def test_lines_add_up_in_every_currency_and_none_is_negative_or_dearer(basket: tuple[list[Item], list[Offer]]) -> None:
    items, some = basket
    priced = price_items(items, some)
    for price in priced:
        assert price.listed.zero <= price.due <= price.listed
        assert price.due + price.discount == price.listed
    currency = items[0].listed.currency if items else "USD"
    due = Money.sum((price.due for price in priced), currency)
    listed = Money.sum((price.listed for price in priced), currency)
    assert due == listed - Money.sum((price.discount for price in priced), currency)
    assert due.minor_units == sum(price.due.minor_units for price in priced)


@given(basket=baskets(), data=st.data())
def test_with_an_amount_off_the_cart_nothing_is_dearer_and_no_more_comes_off_than_it_says(
    basket: tuple[list[Item], list[Offer]], data: st.DataObject
) -> None:
    items, some = basket
    once, others = [each for each in some if each.is_once], [each for each in some if not each.is_once]
    priced = price_items(items, data.draw(st.permutations(some)))
    by_once = [price for price in priced if price.offer is not None and price.offer.is_once]
    assert len({_id(price.offer) for price in by_once}) <= 1
    off = sum(price.discount.minor_units for price in by_once)
    for price in by_once:
        assert price.offer is not None
        assert not price.item.requires_code
        assert off <= Money(price.offer.amount, price.offer.currency).minor_units
    total = sum(price.discount.amount for price in priced)
    assert total >= sum(price.discount.amount for price in price_items(items, others))
    for each in once:
        assert total >= sum(price.discount.amount for price in price_items(items, [each]))
    assert [(_id(price.offer), price.discount) for price in priced] == [
        (_id(price.offer), price.discount) for price in price_items(items, some)
    ]
    turned = price_items(items[::-1], some)[::-1]
    assert [price.discount for price in priced] == [price.discount for price in turned]


@given(basket=baskets(), data=st.data())
def test_each_line_has_the_best_of_what_covers_it_in_whatever_order(
    basket: tuple[list[Item], list[Offer]], data: st.DataObject
) -> None:
    items, some = basket
    some = [each for each in some if not each.is_once]
    priced = price_items(items, data.draw(st.permutations(some)))
    for item, price in zip(items, priced, strict=True):
        covering = [each for each in some if each.covers(item)]
        assert price.discount == max((each.discount_on(item) for each in covering), default=item.listed.zero)
        assert price.offer is None or price.offer in covering
        if item.requires_code:
            assert price.offer is None or price.offer.unlocks == item.product_id
        else:
            assert price.offer is None or price.offer.unlocks in {None, item.product_id}
    assert [_id(price.offer) for price in priced] == [_id(price.offer) for price in price_items(items, some)]


@pytest.mark.parametrize(("currency", "due"), [("JPY", "667"), ("KWD", "667.000"), ("USD", "667.00")])
def test_a_third_off_is_rounded_to_each_currencys_smallest_unit(currency: str, due: str) -> None:
    third = offer(DiscountType.PERCENT_OFF, "33.3")
    assert str(price_item(Item(1, Money(1000, currency)), [third]).due) == f"{due} {currency}"
