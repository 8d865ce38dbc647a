"""Group purchases at once: one order fulfilled twice, and a number changed while another tab checks out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from ecommerce.enums import OrderState
from ecommerce.errors.checkout import BasketChanged, BasketEmpty
from ecommerce.models import Basket, DiscountCode, Order, OrderLine, SeatSale
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets import baskets
from ecommerce.services.baskets.baskets import add_products, change_seats
from ecommerce.services.checkout.checkout import begin_checkout, place_order
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.orders import fulfillment
from ecommerce.services.orders.fulfillment import fulfill_order
from ecommerce.services.registration.codes import switch_off_unredeemed
from mitxonline.kernel.db import LockableQuerySet
from tests.factories import NOON, make_product, make_user
from tests.factories.seats import make_seat_sale
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def place_group_order(seats: int = 40) -> Order:
    owner = BasketOwner(user_id=make_user().pk)
    add_products(owner=owner, product_ids=[make_product().pk, make_product().pk], seats=seats, now=NOON)
    return place_order(owner=owner, user_id=owner.user_id or 0, now=NOON)


def test_two_who_fulfill_one_order_make_its_codes_once(together: Together) -> None:
    order = place_group_order()
    answers = together(*[lambda: fulfill_order(order_id=order.pk, now=NOON)] * 4)
    assert not [each for each in answers if isinstance(each, BaseException)]
    assert order.transitions.filter(after=OrderState.FULFILLED).count() == 1
    assert SeatSale.objects.count() == 2
    assert DiscountCode.objects.count() == 80


def test_without_the_orders_lock_both_would_fulfill_and_each_line_still_has_one_sale(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place_group_order()
    monkeypatch.setattr(LockableQuerySet, "locked", lambda rows: rows.order_by("pk"))
    monkeypatch.setattr(fulfillment, "lock_courses_of", lambda _user_id: None)
    meeting = meet_at(fulfillment, "_refuse_closed_starts", parties=2, patience=20.0)
    together(*[lambda: fulfill_order(order_id=order.pk, now=NOON)] * 2)
    assert meeting.happened
    assert order.transitions.filter(after=OrderState.FULFILLED).count() == 2  # the control: with the lock it is one
    assert SeatSale.objects.count() == 2
    assert DiscountCode.objects.count() == 80


def checking_out(owner: BasketOwner, seen: str) -> Callable[[], Any]:
    def check_out() -> Order:
        begun = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON, seen_fingerprint=seen)
        return begun.order

    return check_out


def test_a_number_changed_while_another_tab_checks_out_is_never_bought_unseen(together: Together) -> None:
    for _round in range(5):
        owner = BasketOwner(user_id=make_user().pk)
        product = make_product(price="0")
        add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
        seen = price_current_basket(owner, user_id=owner.user_id, now=NOON).fingerprint

        def changing(owner: BasketOwner = owner, product_id: int = product.pk) -> None:
            change_seats(owner=owner, product_id=product_id, was_group=True, seats=300, now=NOON)

        bought, changed = together(checking_out(owner, seen), changing)
        assert changed is None
        sold = OrderLine.objects.filter(order__purchaser=owner.user_id).values_list("seats", flat=True)
        if isinstance(bought, Order):
            assert list(sold) == [3]
        else:
            assert isinstance(bought, (BasketChanged, BasketEmpty))
            assert list(sold) == []


def test_without_the_baskets_lock_a_changed_number_would_stay_in_a_cart_that_was_bought(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = BasketOwner(user_id=make_user().pk)
    product = make_product(price="0")
    add_products(owner=owner, product_ids=[product.pk], seats=3, now=NOON)
    seen = price_current_basket(owner, user_id=owner.user_id, now=NOON).fingerprint
    monkeypatch.setattr(Basket.objects, "locked", lambda: Basket.objects.order_by("pk"))
    meeting = meet_at(baskets, "lock_basket", parties=2, patience=0.2)

    def changing() -> None:
        change_seats(owner=owner, product_id=product.pk, was_group=True, seats=300, now=NOON)

    together(changing, changing)
    assert meeting.happened  # the control: with the lock they can't be there together
    assert isinstance(checking_out_error(owner, seen), BasketChanged)


def checking_out_error(owner: BasketOwner, seen: str) -> BaseException | None:
    try:
        checking_out(owner, seen)()
    except BasketChanged as refusal:
        return refusal
    return None


def test_a_code_that_is_redeemed_meanwhile_is_passed_over_by_who_switches_off(together: Together) -> None:
    sale = make_seat_sale(seats=20)
    texts = list(DiscountCode.objects.order_by("-pk")[:10])
    learners = [make_user().pk for _each in texts]

    def redeeming() -> int:
        done = 0
        for code, learner in zip(texts, learners, strict=True):
            with transaction.atomic():
                done += bool(use_code(code=code, user_id=learner, now=NOON))
        return done

    def switching() -> int:
        return switch_off_unredeemed(sale, seats=10, reason="Refunded", by_id=None, now=NOON)

    redeemed, off = together(redeeming, switching)
    used = DiscountCode.objects.filter(uses=1)
    assert not used.filter(active=False).exists()
    if not isinstance(redeemed, BaseException):
        assert (redeemed, off) == (10, 10)
    assert off == DiscountCode.objects.filter(active=False).count() == 10
