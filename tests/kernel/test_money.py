import copy
import pickle
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from mitxonline.kernel.money import CurrencyMismatch, Money, minor_digits, spread

CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD"])
AMOUNTS = st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=6)


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("0.015", "USD", "0.02"),
        ("-0.005", "USD", "-0.01"),
        ("2.4999", "USD", "2.50"),
        ("1500.5", "JPY", "1501"),
        ("1.2345", "KWD", "1.235"),
        ("249", "USD", "249.00"),
    ],
)
def test_an_amount_is_rounded_half_up_to_its_currency(amount: str, currency: str, rounded: str) -> None:
    assert str(Money(amount, currency).amount) == rounded


@pytest.mark.parametrize("value", [1.5, True, None, 0.0, [1]])
def test_money_is_made_of_exact_numbers_only(value: object) -> None:
    with pytest.raises(TypeError):
        Money(value, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "a lot", "NaN", "Infinity", "-Infinity", "1,50"])
def test_text_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an amount"):
        Money(text, "USD")


@pytest.mark.parametrize("currency", ["", "usd", "XXQ", "EURO"])
def test_an_unknown_currency_is_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="is not a currency code"):
        Money(1, currency)


def test_nothing_is_never_negative() -> None:
    assert str(Money("-0.001", "USD")) == "0.00 USD"
    assert str(-Money(0, "USD")) == "0.00 USD"


@given(st.integers(-(10**12), 10**12), CURRENCIES)
def test_minor_units_come_back_as_they_were(units: int, currency: str) -> None:
    assert Money.from_minor(units, currency).minor_units == units


@given(AMOUNTS, CURRENCIES)
def test_rounding_again_changes_nothing_and_stays_within_half_a_unit(amount: Decimal, currency: str) -> None:
    money = Money(amount, currency)
    assert Money(money.amount, currency) == money
    assert abs(money.amount - amount) * 2 <= Decimal(1).scaleb(-minor_digits(currency))


@given(st.lists(st.integers(-(10**9), 10**9)), CURRENCIES)
def test_a_sum_is_exact_in_any_order(units: list[int], currency: str) -> None:
    amounts = [Money.from_minor(each, currency) for each in units]
    assert Money.sum(amounts, currency) == Money.sum(reversed(amounts), currency)
    assert Money.sum(amounts, currency).minor_units == sum(units)


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9), CURRENCIES)
def test_adding_and_taking_away_is_the_same_as_nothing(one: int, other: int, currency: str) -> None:
    a, b = Money.from_minor(one, currency), Money.from_minor(other, currency)
    assert a + b - b == a
    assert (a < b) == (one < other)
    assert max(a, b) - min(a, b) >= a.zero


def test_the_sum_of_nothing_needs_a_currency() -> None:
    assert Money.sum([], "JPY") == Money(0, "JPY")


def test_two_currencies_never_meet() -> None:
    dollar, euro = Money(1, "USD"), Money(1, "EUR")
    for meet in (
        lambda: dollar + euro,
        lambda: dollar - euro,
        lambda: dollar < euro,
        lambda: dollar <= euro,
        lambda: dollar > euro,
        lambda: dollar >= euro,
        lambda: Money.sum([dollar, euro], "USD"),
    ):
        with pytest.raises(CurrencyMismatch):
            meet()
    assert dollar != euro


def test_money_meets_only_money() -> None:
    with pytest.raises(TypeError):
        Money(1, "USD") + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        Money(1, "USD") * 1.5  # type: ignore[operator]
    with pytest.raises(TypeError):
        Money(1, "USD") * Money(1, "USD")  # type: ignore[operator]


def test_multiplying_rounds_half_up() -> None:
    assert Money("9.99", "USD") * Decimal("0.5") == Money("5.00", "USD")
    assert 3 * Money("9.99", "USD") == Money("29.97", "USD")


@pytest.mark.parametrize("units", [1.0, True, "1"])
def test_minor_units_are_whole(units: object) -> None:
    with pytest.raises(TypeError):
        Money.from_minor(units, "USD")  # type: ignore[arg-type]


def test_money_is_a_value() -> None:
    money = Money(249, "USD")
    assert len({money, Money("249.00", "USD")}) == 1
    assert pickle.loads(pickle.dumps(money)) == copy.deepcopy(money) == money  # noqa: S301
    assert (money.is_zero, money.zero.is_zero, (-money).is_negative) == (False, True, True)
    with pytest.raises(AttributeError):
        money.amount = Decimal(1)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "$1,249.50"),
        ("en-us", "$1,249.50"),
        ("de", "1.249,50\xa0$"),
        ("xx", "$1,249.50"),
    ],
)
def test_money_is_written_as_the_language_does(language: str, text: str) -> None:
    assert Money("1249.5", "USD").formatted(language) == text


def test_the_active_language_decides() -> None:
    with translation.override("fr"):
        assert Money("1249.5", "EUR").formatted() == "1\u202f249,50\xa0€"


@st.composite
def splits(draw: st.DrawFn) -> tuple[Money, dict[int, Money]]:
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    units = draw(st.lists(st.integers(0, 10**7), min_size=1, max_size=12))
    amount = Money.from_minor(draw(st.integers(0, 10**8)), currency)
    return amount, {number: Money.from_minor(each, currency) for number, each in enumerate(units)}


@given(split=splits())
def test_a_split_adds_up_exceeds_nothing_and_is_fair_to_the_smallest_unit(
    split: tuple[Money, dict[int, Money]],
) -> None:
    amount, over = split
    parts = spread(amount, over)
    total = sum(each.minor_units for each in over.values())
    wanted = min(amount.minor_units, total)
    assert sum(part.minor_units for part in parts.values()) == wanted
    for key, part in parts.items():
        assert 0 <= part.minor_units <= over[key].minor_units
        assert total == 0 or abs(part.minor_units * total - over[key].minor_units * wanted) < total


def test_two_cents_over_five_equal_lines_go_to_two_of_them() -> None:
    parts = spread(Money("0.02", "USD"), {number: Money(1, "USD") for number in range(5)})
    assert [part.minor_units for part in parts.values()] == [1, 1, 0, 0, 0]
