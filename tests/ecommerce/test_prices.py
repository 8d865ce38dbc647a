"""Products and prices: made once, changed with a history, by command and in the admin."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from wagtail.models import ModelLogEntry

from courses.models import Program
from ecommerce.errors.admin import ProductRefused
from ecommerce.models import Order, OrderLine, PriceChange, Product
from ecommerce.services.catalog.prices import ProductChange, ProductDraft, put_on_sale
from tests.factories import (
    NOON,
    make_contract,
    make_contract_run,
    make_course,
    make_department,
    make_product,
    make_run,
    make_user,
)

pytestmark = pytest.mark.django_db


def draft(item: str, price: str = "249", **fields: Any) -> ProductDraft:
    return ProductDraft(item=item, price=Decimal(price), **({"currency": "USD"} | fields))


def put(one: ProductDraft, **fields: Any) -> ProductChange:
    return put_on_sale(draft=one, by_id=fields.pop("by_id", None), now=NOON, **fields)


def test_a_run_is_put_on_sale_once() -> None:
    run, user = make_run(), make_user()
    one = put(draft(run.courseware_id), by_id=user.pk, reason="Autumn list")
    assert (one.is_new, one.product.course_run, one.product.sku) == (True, run, run.courseware_id)
    again = put(draft(run.courseware_id))
    assert (again.is_new, again.changed, again.product) == (False, (), one.product)
    change = PriceChange.objects.get()
    assert (change.old_price, change.new_price, change.changed_by, change.reason) == (None, 249, user, "Autumn list")
    entry = ModelLogEntry.objects.get(object_id=str(one.product.pk), action="ecommerce.product.make")
    assert entry.user == user


def test_a_price_for_each_mode_and_a_program() -> None:
    run = make_run()
    verified = put(draft(run.courseware_id)).product
    audit = put(draft(run.courseware_id, "20", mode="audit", sku="LOOKING")).product
    assert {product.mode for product in (verified, audit)} == {"verified", "audit"}
    program = Program.objects.create(
        readable_id="program-v1:TesseraX+P1", title="A program", department=make_department()
    )
    assert put(draft(program.readable_id, "900")).product.title == "A program"


def test_a_price_change_records_the_old_price() -> None:
    run = make_run()
    put(draft(run.courseware_id))
    changed = put(draft(run.courseware_id, "260"), reason="Inflation")
    assert changed.changed == ("price",)
    newest = PriceChange.objects.first()
    assert newest is not None
    assert (str(newest.before), str(newest.after), newest.reason) == ("249.00 USD", "260.00 USD", "Inflation")


def test_the_currency_can_change_until_the_first_sale() -> None:
    run = make_run()
    product = put(draft(run.courseware_id)).product
    put(draft(run.courseware_id, "30000", currency="JPY"))
    newest = PriceChange.objects.first()
    assert newest is not None
    assert (str(newest.before), str(newest.after)) == ("249.00 USD", "30000 JPY")
    order = Order.objects.create(
        number="TS-2026-AAAA0001", purchaser=make_user(), currency="JPY", list_total=0, discount_total=0, total=0,
        fingerprint="x", placed_at=NOON,
    )  # fmt: skip
    OrderLine.objects.create(
        order=order, product=product, title="x", item_id="x", sku="x", mode="verified", list_price=0,
        discount_amount=0, due=0, currency="JPY", requires_code=False,
    )  # fmt: skip
    with pytest.raises(ProductRefused, match="Someone has bought this product"):
        put(draft(run.courseware_id, "249"))
    assert put(draft(run.courseware_id, "31000", currency="JPY")).changed == ("price",)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"item": "course-v1:No+Such+Run"}, "There is no course run or program"),
        ({"item": ""}, "There is no course run or program"),
        ({"price": Decimal("9.999")}, "at most 2 decimals"),
        ({"price": Decimal("9.5"), "currency": "JPY"}, "at most 0 decimals"),
        ({"price": Decimal("1.2345"), "currency": "KWD"}, "3 decimal places"),
        ({"price": Decimal(-1)}, "can’t be negative"),
        ({"price": Decimal("NaN")}, "must be a decimal number"),
        ({"price": Decimal("1e20")}, "no more than 12 digits"),
        ({"currency": "XYZ"}, "not a currency"),
        ({"currency": "XXX"}, "not a currency this shop sells in. Write one of USD, EUR"),
        ({"mode": "honor"}, "not a valid choice"),
        ({"sku": "has blanks"}, "without spaces"),
        ({"sku": "x" * 101}, "at most 100"),
        ({"description": "x" * 256}, "at most 255"),
        ({"sku": "TAKEN"}, "already has this SKU"),
    ],
)
def test_invalid_prices_are_refused_and_nothing_is_made(changes: dict[str, Any], sentence: str) -> None:
    run = make_run()
    Product.objects.create(course_run=make_run(), sku="TAKEN", price=1, currency="USD")
    with pytest.raises(ProductRefused, match=sentence):
        put(replace(draft(run.courseware_id), **changes))
    assert Product.objects.count() == 1
    assert not PriceChange.objects.exists()


def test_contracts_and_sources_have_no_public_price() -> None:
    contract_run = make_contract_run(make_contract(price="49"))
    with pytest.raises(ProductRefused, match="belongs to a contract"):
        put(draft(contract_run.course_run.courseware_id, "1"))
    source = make_run(make_course(), tag="SOURCE")
    with pytest.raises(ProductRefused, match="Other runs are copied"):
        put(draft(source.courseware_id))


def test_off_sale_and_on_again() -> None:
    run = make_run()
    assert not put(draft(run.courseware_id, is_active=False)).product.is_active
    assert put(draft(run.courseware_id)).changed == ()  # what isn't said stays
    assert put(draft(run.courseware_id, is_active=True)).changed == ("is_active",)


def test_the_database_refuses_a_sku_with_spaces() -> None:
    with pytest.raises(Exception, match="product_sku_without_blanks"):
        Product.objects.filter(pk=make_product().pk).update(sku="a b")
