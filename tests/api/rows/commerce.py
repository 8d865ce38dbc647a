"""Baskets, orders, discounts and products."""

from __future__ import annotations

from typing import Any

from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from mitxonline.kernel import clock
from tests.api.world import Row, World
from tests.factories import make_code, make_discount, make_product

BASKET = {"parent_lookup_basket": "{basket}"}
ITEM = {**BASKET, "id": "{item}"}


def products(world: World) -> dict[str, Any]:
    return {"system_slug": "shop", "product_ids": [{"product_id": int(world.things["product"]), "quantity": 1}]}


def other_product(world: World) -> dict[str, Any]:
    return {"product": int(world.things["other_product"])}


ROWS = (
    Row("baskets_list", "fooooofo"),
    Row("baskets_add_discount_create", "foccccfc", query="?discount_code=SPRING10"),
    Row("baskets_checkout_retrieve", "fobbbbfb"),
    Row("baskets_clear_destroy", "oooooooo"),
    Row("baskets_create_from_product_create", "oooooooo", path={"product_id": "{product}"}),
    Row(
        "create_basket_from_product_with_discount",
        "fooooofo",
        path={"product_id": "{product}", "discount_code": "SPRING10"},
    ),
    Row("baskets_create_with_products_create", "fooooofo", body=products),
    Row("baskets_retrieve", "fonnnnfn", path={"id": "{basket}"}),
    Row("baskets_items_list", "fonnnnfn", path=BASKET),
    Row("baskets_items_create", "fonnnnfn", path=BASKET, body=other_product),
    Row("baskets_items_retrieve", "fonnnnfn", path=ITEM),
    Row("baskets_items_update", "fonnnnfn", path=ITEM, body=other_product),
    Row("baskets_items_partial_update", "fonnnnfn", path=ITEM, body=other_product),
    Row("baskets_items_destroy", "fonnnnfn", path=ITEM),
    Row("products_list", "oooooooo"),
    Row("products_retrieve", "oooooooo", path={"id": "{product}"}),
    Row("products_user_flexible_price_retrieve", "oooooooo", path={"id": "{product}"}),
)


def make_things(world: World) -> None:
    """The learner has a product in their basket; nobody else has one."""
    product, other = make_product(), make_product(price="99.00")
    make_code(make_discount(), text="SPRING10")
    owner = BasketOwner(user_id=world.people["learner"].pk)
    basket = add_products(owner=owner, product_ids=[product.pk], now=clock.now())
    world.things |= {"product": str(product.pk), "other_product": str(other.pk), "basket": str(basket.pk)}
    world.things["item"] = str(basket.items.get().pk)
