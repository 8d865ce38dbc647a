"""The order of locks (ADR 0003): several windows, buyers with the same codes, late payments."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from b2b.models import HandOut
from b2b.selectors.lots import ContractLot
from b2b.services.handouts.assign import HandOutRequest, hand_out, remind, remind_codes
from b2b.services.handouts.recipients import Recipient
from ecommerce.models import Basket, BasketItem, DiscountCode, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets import baskets as basket_services
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    claim_baskets,
    leave_link_basket,
    remove_product,
)
from ecommerce.services.checkout.checkout import begin_checkout, release_lapsed_orders
from ecommerce.services.discounts import codes as code_services
from ecommerce.services.payment.sandbox import answer_sandbox
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_discount,
    make_product,
    make_user,
)
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)

LOCKED_BASKET = 'FOR NO KEY UPDATE OF "ecommerce_basket"'
LOCKED_TERMS = 'FOR NO KEY UPDATE OF "b2b_contractterms"'
LOCKED_CODES = 'FOR NO KEY UPDATE OF "ecommerce_discountcode"'


def sent(call: Callable[[], Any]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        call()
    return [each["sql"] for each in captured.captured_queries]


def place(statements: list[str], text: str) -> int:
    """Return the index of the first statement with this text."""
    return next(number for number, sql in enumerate(statements) if text in sql)


def owner_of(learner: User) -> BasketOwner:
    return BasketOwner(user_id=learner.pk)


def priced_order(learner: User, code: DiscountCode, *, now=NOON) -> Order:  # type: ignore[no-untyped-def]
    add_products(owner=owner_of(learner), product_ids=[code.discount.unlocks_id or 0], now=now)
    apply_code(owner=owner_of(learner), text=code.text, user_id=learner.pk, now=now)
    return begin_checkout(owner=owner_of(learner), user_id=learner.pk, now=now).order


def test_the_basket_is_locked_before_anything_is_taken_out_of_it() -> None:
    one, other = (make_contract_run(make_contract(name=name)).product_id or 0 for name in ("One", "Other"))
    owner = owner_of(make_user())
    add_products(owner=owner, product_ids=[one], now=NOON)
    changes = [
        sent(lambda: add_products(owner=owner, product_ids=[other], now=NOON)),
        sent(lambda: remove_product(owner=owner, product_id=other, now=NOON)),
    ]
    add_products(owner=owner, product_ids=[one], now=NOON)
    changes.append(sent(lambda: leave_link_basket(owner=owner, now=NOON)))
    for statements in changes:
        assert place(statements, LOCKED_BASKET) < place(statements, 'DELETE FROM "ecommerce_basketitem"')


def test_two_links_in_two_windows_are_one_basket_with_one_course(together: Together, meet_at: MeetAt) -> None:
    runs = [make_contract_run(make_contract(name=name)) for name in ("Before", "One", "Other")]
    before, one, other = (run.product_id or 0 for run in runs)
    owner = owner_of(make_user())
    add_products(owner=owner, product_ids=[before], now=NOON)
    meet_at(basket_services, "_add_items", parties=2, before=True)
    together(*(lambda pk=pk: add_products(owner=owner, product_ids=[pk], now=NOON) for pk in (one, other)))
    assert BasketItem.objects.get().product_id in {one, other}


def test_signing_in_on_two_devices_at_once_joins_both_carts(together: Together, meet_at: MeetAt) -> None:
    learner, products = make_user(), [make_product(), make_product()]
    tokens = [uuid.uuid4(), uuid.uuid4()]
    for token, product in zip(tokens, products, strict=True):
        add_products(owner=BasketOwner(token=token), product_ids=[product.pk], now=NOON)
    meeting = meet_at(basket_services, "lock_baskets_of", parties=2)
    together(*(lambda token=token: claim_baskets(token=token, user_id=learner.pk, now=NOON) for token in tokens))
    assert meeting.happened
    assert Basket.objects.get().user == learner
    assert BasketItem.objects.count() == 2


def test_two_buyers_with_the_same_two_codes_do_not_wait_for_each_other(together: Together, meet_at: MeetAt) -> None:
    products = [make_product(), make_product()]
    codes = [make_code(make_discount(amount="100", products=[product]), max_uses=2) for product in products]
    learners = [make_user(), make_user()]
    for learner, order in zip(learners, (products, products[::-1]), strict=True):
        for product in order:
            add_products(owner=owner_of(learner), product_ids=[product.pk], now=NOON)
        for code in codes:
            apply_code(owner=owner_of(learner), text=code.text, user_id=learner.pk, now=NOON)
    meet_at(code_services, "claim_row", parties=2, before=True)
    answers = together(
        *(lambda who=who: begin_checkout(owner=owner_of(who), user_id=who.pk, now=NOON) for who in learners)
    )
    assert [type(each).__name__ for each in answers] == ["Checkout", "Checkout"]
    assert list(DiscountCode.objects.values_list("uses", flat=True)) == [2, 2]


def test_the_terms_are_locked_before_the_codes_when_an_order_gives_way_to_another() -> None:
    run = make_contract_run(make_contract(seats=2, price="49"), codes=2)
    learner, (one, other) = make_user(), codes_of(run)
    first = priced_order(learner, one)
    statements = sent(lambda: priced_order(learner, other))
    assert place(statements, LOCKED_TERMS) < place(statements, "WITH released")
    first.refresh_from_db()
    assert first.state == "canceled"


def test_the_terms_are_locked_before_the_codes_when_money_comes_late() -> None:
    run = make_contract_run(make_contract(seats=2, price="49"), codes=1)
    order = priced_order(make_user(), codes_of(run)[0])
    release_lapsed_orders(now=NOON + timedelta(hours=1))
    reference = order.attempts.get().reference
    statements = sent(
        lambda: answer_sandbox(reference=reference, user_id=order.purchaser_id, answer="accept", now=NOON)
    )
    order.refresh_from_db()
    assert order.is_fulfilled
    assert place(statements, LOCKED_TERMS) < place(statements, "UPDATE ecommerce_discountcode")


def test_reminding_and_taking_back_wait_for_each_other_at_the_terms() -> None:
    """Both lock codes, then hand-outs: whoever locks the contract's terms first goes first through all of them."""
    run = make_contract_run(make_contract(seats=3), codes=3)
    hand_out(HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("ines@x.example")]), by_id=None, now=NOON)
    code = DiscountCode.objects.exclude(assigned_email="").get()
    hand_outs = [HandOut.objects.get().pk]
    for remind_them in (
        lambda: remind_codes(ContractLot(run.contract_id), code_ids=[code.pk], by_id=None, now=NOON),
        lambda: remind(hand_out_ids=hand_outs, by_id=None, now=NOON),
    ):
        HandOut.objects.update(reminded_on=None)
        statements = sent(remind_them)
        terms = place(statements, LOCKED_TERMS)
        assert terms < place(statements, "UPDATE b2b_handout")
        locked = [number for number, sql in enumerate(statements) if LOCKED_CODES in sql]
        assert all(terms < number for number in locked)
