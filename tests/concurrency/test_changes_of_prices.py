"""Two people change the same price or discount at once: neither change is lost, and the history is right."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ecommerce.models import Discount, PriceChange, Product
from ecommerce.models.discount import DiscountQuerySet
from ecommerce.models.product import ProductQuerySet
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.selectors.discount_entries import DiscountEntries
from ecommerce.services.catalog import prices
from ecommerce.services.discounts import discounts
from ecommerce.services.discounts.entries import change_products
from tests.factories import NOON, make_code, make_discount, make_product
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def pricing(product: Product, price: str) -> Callable[[], Any]:
    return lambda: prices.change_product(product_id=product.pk, price=Decimal(price), by_id=None, now=NOON)


def adding(discount: Discount, product: Product) -> Callable[[], Any]:
    entry = DiscountEntries(OPERATOR).get(discount.codes.get().pk)
    return lambda: change_products(entry=entry, add=product.pk, access=OPERATOR, now=NOON)


def prices_before(together: Together, meet_at: MeetAt) -> list[Decimal | None]:
    """Set two prices at once. Return those that the history has as the ones before, in its order."""
    product = make_product(price="249.00")
    meet_at(prices, "_set_columns", parties=2)
    answers = together(pricing(product, "199.00"), pricing(product, "149.00"))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return list(PriceChange.objects.order_by("pk").values_list("old_price", flat=True))


def products_kept(together: Together, meet_at: MeetAt) -> int:
    """Add two products to a discount at once. Return how many of them it has in the end."""
    discount = make_discount(name="Few")
    make_code(discount)
    first, second = make_product(), make_product()
    meet_at(discounts, "draft_of", parties=2)
    answers = together(adding(discount, first), adding(discount, second))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return discount.products.count()


def test_each_new_price_follows_the_one_before(together: Together, meet_at: MeetAt) -> None:
    first, second = prices_before(together, meet_at)
    assert first == 249
    assert second in (199, 149)


def test_without_the_lock_both_follow_the_old_price(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProductQuerySet, "locked", lambda products: products)
    assert prices_before(together, meet_at) == [249, 249]  # if this fails, the test above proves nothing


def test_two_products_that_are_added_at_once_both_stay(together: Together, meet_at: MeetAt) -> None:
    assert products_kept(together, meet_at) == 2


def test_without_the_lock_one_of_them_is_lost(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DiscountQuerySet, "locked", lambda found: found)
    assert products_kept(together, meet_at) == 1  # if this fails, the test above proves nothing
