"""A registration code gives its course once. Nothing makes it a discount in a cart."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from ecommerce.errors.registration import CodeRedeemedElsewhere
from ecommerce.models import BasketCode, Discount, DiscountCode
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from tests.factories import NOON, make_code, make_discount, make_product, make_user
from tests.factories.seats import make_seat_sale

pytestmark = pytest.mark.django_db


def test_the_database_refuses_a_registration_code_in_a_cart() -> None:
    make_seat_sale()
    code = DiscountCode.objects.filter(discount__seat_sale=make_seat_sale()).first()
    assert code is not None
    basket = add_products(owner=BasketOwner(user_id=make_user().pk), product_ids=[make_product().pk], now=NOON)
    other = BasketCode.objects.create(basket=basket, code=make_code(make_discount()), applied_at=NOON)
    with pytest.raises(IntegrityError, match="redeemed, not applied"), transaction.atomic():
        BasketCode.objects.create(basket=basket, code=code, applied_at=NOON)
    with pytest.raises(IntegrityError, match="redeemed, not applied"), transaction.atomic():
        BasketCode.objects.filter(pk=other.pk).update(code=code)
    assert list(BasketCode.objects.values_list("code", flat=True)) == [other.code_id]


def test_typed_into_a_cart_it_gets_a_sentence() -> None:
    product = make_product()
    code = DiscountCode.objects.filter(discount__seat_sale=make_seat_sale(product)).first()
    assert code is not None
    owner = BasketOwner(user_id=make_user().pk)
    add_products(owner=owner, product_ids=[product.pk], now=NOON)
    with pytest.raises(CodeRedeemedElsewhere):
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    assert not BasketCode.objects.exists()


def test_the_database_refuses_the_switch_for_groups_on_seats() -> None:
    sale, other = make_seat_sale(), make_discount()
    with pytest.raises(IntegrityError, match="lower no prices"), transaction.atomic():
        Discount.objects.filter(pk=sale.discount_id).update(for_groups=True)
    Discount.objects.filter(pk=other.pk).update(for_groups=True)
    with pytest.raises(IntegrityError, match="lower no prices"), transaction.atomic():
        type(sale).objects.filter(pk=sale.pk).update(discount=other)
