"""Baskets, orders, discounts and products."""

from __future__ import annotations

from typing import Any

from ecommerce.models import DiscountPerson, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from mitxonline.kernel import clock
from tests.api.world import Row, World
from tests.factories import (
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_run,
)
from tests.factories.orders import make_paid_order

BASKET = {"parent_lookup_basket": "{basket}"}
ITEM = {**BASKET, "id": "{item}"}
PRICE = {"price": "99.00", "description": "The spring start"}
CONSENT = {"consent_given": True}
DISCOUNT = {
    "discount_code": "SUMMER20",
    "amount": "20",
    "discount_type": "percent-off",
    "redemption_type": "unlimited",
    "payment_type": "marketing",
}
OF_CODE = {"parent_lookup_discount": "{discount}"}
OF_FEW = {"parent_lookup_discount": "{limited_code}"}
ASSIGNEE = {**OF_FEW, "id": "{assignee}"}
LIMITED = {**OF_FEW, "id": "{product}"}
REDEEMED = {"parent_lookup_redeemed_discount": "{used_code}"}
REDEMPTION_PATH = {**REDEEMED, "id": "{redemption}"}
REDEMPTION = {
    "redeemed_by": {"legal_address": None},
    "redeemed_discount": DISCOUNT,
    "redeemed_order": {"state": "fulfilled", "total_price_paid": "1.00"},
}


def products(world: World) -> dict[str, Any]:
    return {"system_slug": "shop", "product_ids": [{"product_id": int(world.things["product"]), "quantity": 1}]}


def other_product(world: World) -> dict[str, Any]:
    return {"product": int(world.things["other_product"])}


def refund(world: World) -> dict[str, Any]:
    return {"order": int(world.things["order"]), "refund_reason": "other", "refund_reason_text": "Ill.", **CONSENT}


def new_product(world: World) -> dict[str, Any]:
    return {"readable_id": world.things["unsold_run"], **PRICE}


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
    Row("discounts_list", "ffffoffo"),
    Row("discounts_create", "ffffoffo", body=DISCOUNT),
    Row("discounts_create_batch_create", "ffffoffo", body={**DISCOUNT, "count": 2}),
    Row("discounts_retrieve", "ffffoffo", path={"id": "{discount}"}),
    Row("discounts_retrieve", "ffffnffn", path={"id": "{contract_code}"}),
    Row("discounts_update", "ffffoffo", path={"id": "{discount}"}, body={**DISCOUNT, "discount_code": "SPRING10"}),
    Row("discounts_partial_update", "ffffoffo", path={"id": "{discount}"}, body={"amount": "5"}),
    Row("discounts_destroy", "ffffoffo", path={"id": "{discount}"}),
    Row("discounts_assignees_list", "ffffoffo", path=OF_CODE),
    Row("discounts_assignees_create", "ffffoffo", path=OF_CODE, body={"user": {"email": "eve@people.example"}}),
    Row("discounts_assignees_retrieve", "ffffoffo", path=ASSIGNEE),
    Row("discounts_assignees_update", "ffffoffo", path=ASSIGNEE, body={"user": {"email": "eve@people.example"}}),
    Row("discounts_assignees_partial_update", "ffffoffo", path=ASSIGNEE, body={}),
    Row("discounts_assignees_destroy", "ffffcffc", path=ASSIGNEE),
    Row("discounts_products_list", "ffffoffo", path=OF_CODE),
    Row("discounts_products_create", "ffffoffo", path=OF_CODE, body=other_product),
    Row("discounts_products_retrieve", "ffffoffo", path=LIMITED),
    Row("discounts_products_update", "ffffoffo", path=LIMITED, body=other_product),
    Row("discounts_products_partial_update", "ffffoffo", path=LIMITED, body={}),
    Row("discounts_products_destroy", "ffffcffc", path=LIMITED),
    Row("discounts_redemptions_list", "ffffoffo", path=REDEEMED),
    Row("discounts_redemptions_create", "ffffcffc", path=REDEEMED, body=REDEMPTION),
    Row("discounts_redemptions_retrieve", "ffffoffo", path=REDEMPTION_PATH),
    Row("discounts_redemptions_update", "ffffcffc", path=REDEMPTION_PATH, body=REDEMPTION),
    Row("discounts_redemptions_partial_update", "ffffcffc", path=REDEMPTION_PATH, body={}),
    Row("discounts_redemptions_destroy", "ffffcffc", path=REDEMPTION_PATH),
    Row("orders_history_list", "fooooofo"),
    Row("orders_history_retrieve", "fonnnnfn", path={"id": "{order}"}),
    Row("orders_receipt_retrieve", "fonnnnfn", path={"id": "{order}"}),
    Row("orders_refund_requests_create", "fonnnnfn", body=refund),
    Row("orders_status_retrieve", "fonnnnfn", path={"order_id": "{order}"}),
    Row("products_all_list", "ffffoofo"),
    Row("products_all_create", "ffffoffo", body=new_product),
    Row("products_all_retrieve", "ffffoofo", path={"id": "{product}"}),
    Row("products_all_update", "ffffoffo", path={"id": "{product}"}, body=PRICE),
    Row("products_all_partial_update", "ffffoffo", path={"id": "{product}"}, body={"is_active": False}),
    Row("products_all_destroy", "ffffoffo", path={"id": "{product}"}),
    Row("products_list", "oooooooo"),
    Row("products_retrieve", "oooooooo", path={"id": "{product}"}),
    Row("products_user_flexible_price_retrieve", "oooooooo", path={"id": "{product}"}),
)


def make_things(world: World) -> None:
    """The learner has a product in their basket, and an order; nobody else has one."""
    product, other = make_product(), make_product(price="99.00")
    code = make_code(make_discount(name="Spring"), text="SPRING10")
    limited = make_discount(name="Few", products=[product], for_chosen_people=True)
    someone = DiscountPerson.objects.create(discount=limited, email="bob@people.example", added_at=clock.now())
    used = make_code(make_discount(name="Used"), text="USED10")
    (contract_code,) = codes_of(make_contract_run(make_contract(), codes=1))
    order = make_paid_order(make_product(), buyer=world.people["learner"], code=used)
    owner = BasketOwner(user_id=world.people["learner"].pk)
    basket = add_products(owner=owner, product_ids=[product.pk], now=clock.now())
    world.things |= {"product": str(product.pk), "other_product": str(other.pk), "basket": str(basket.pk)}
    world.things |= {
        "discount": str(code.pk),
        "limited_code": str(make_code(limited, text="FEW10").pk),
        "assignee": str(-someone.pk),
        "used_code": str(used.pk),
        "contract_code": str(contract_code.pk),
        "order": str(order.pk),
        "redemption": str(order.code_uses.get().pk),
    }
    Order.objects.update(placed_at=clock.now(), fulfilled_at=clock.now())
    world.things["unsold_run"] = make_run().courseware_id
    world.things["item"] = str(basket.items.get().pk)
