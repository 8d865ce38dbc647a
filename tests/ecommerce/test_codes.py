"""Uses of codes: held, confirmed, released; the database checks the count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from ecommerce.enums import OrderState, UseState
from ecommerce.errors.checkout import WrongOrderState
from ecommerce.errors.codes import CodeSwitchedOff, CodeUsed
from ecommerce.models import CodeUse, DiscountCode, Order
from ecommerce.services.discounts.codes import confirm_uses, hold_code, release_uses, use_code
from mitxonline.users.models import User
from tests.factories import NOON, make_code, make_user

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(minutes=45)


def make_order(user: User, number: str = "TS-2026-AAAA0001") -> Order:
    return Order.objects.create(
        number=number, purchaser=user, currency="USD", list_total=0, discount_total=0, total=0,
        fingerprint="x", placed_at=NOON, hold_until=LATER,
    )  # fmt: skip


def uses_of(code: DiscountCode) -> int:
    code.refresh_from_db()
    return code.uses


def test_a_held_use_keeps_others_out() -> None:
    code, first, second = make_code(max_uses=1), make_user(), make_user()
    hold_code(code=code, user_id=first.pk, order_id=make_order(first).pk, until=LATER, now=NOON)
    with pytest.raises(CodeUsed):
        use_code(code=code, user_id=second.pk, now=NOON)
    assert uses_of(code) == 1
    assert CodeUse.objects.get().user == first


def test_the_same_learner_holds_once() -> None:
    code, learner = make_code(max_uses=1), make_user()
    order = make_order(learner)
    one = hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    other = hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    assert one == other
    assert uses_of(code) == 1


def test_released_twice_is_given_back_once() -> None:
    code, learner = make_code(max_uses=3), make_user()
    order = make_order(learner)
    use_code(code=code, user_id=make_user().pk, now=NOON)
    hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    assert release_uses(order_id=order.pk, now=NOON) == [code.pk]
    assert release_uses(order_id=order.pk, now=NOON) == []
    assert uses_of(code) == 1


def test_a_confirmed_use_is_not_released() -> None:
    code, learner = make_code(max_uses=1), make_user()
    order = make_order(learner)
    hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    assert confirm_uses(order_id=order.pk, now=NOON) == 1
    assert release_uses(order_id=order.pk, now=NOON) == []
    assert uses_of(code) == 1
    assert CodeUse.objects.get().state == UseState.CONFIRMED


def test_a_released_code_can_be_used_again_by_the_same_learner() -> None:
    code, learner = make_code(max_uses=1), make_user()
    order = make_order(learner)
    hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    release_uses(order_id=order.pk, now=NOON)
    use_code(code=code, user_id=learner.pk, now=NOON)
    assert uses_of(code) == 1


def test_an_unlimited_code_has_no_counter_and_one_use_a_learner() -> None:
    code, learner = make_code(max_uses=None), make_user()
    for _time in range(2):
        use_code(code=code, user_id=learner.pk, now=NOON)
    use_code(code=code, user_id=make_user().pk, now=NOON)
    assert uses_of(code) == 0
    assert CodeUse.objects.filter(code=code).count() == 2


def test_a_code_that_is_off_says_so() -> None:
    code = make_code(max_uses=1, active=False)
    with pytest.raises(CodeSwitchedOff):
        use_code(code=code, user_id=make_user().pk, now=NOON)
    assert not CodeUse.objects.exists()


def test_the_database_refuses_one_use_too_many() -> None:
    code = make_code(max_uses=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        DiscountCode.objects.filter(pk=code.pk).update(uses=2)


def test_the_database_refuses_a_second_live_use_of_a_learner() -> None:
    code, learner = make_code(max_uses=None), make_user()
    use_code(code=code, user_id=learner.pk, now=NOON)
    with pytest.raises(IntegrityError), transaction.atomic():
        CodeUse.objects.create(code=code, user=learner, state=UseState.CONFIRMED, created_at=NOON, changed_at=NOON)


@pytest.mark.parametrize("typed", ["welcome 10", "WELCOME-10", " Welcome10 ", "WELCOME\u201310"])
def test_codes_are_compared_without_case_blanks_and_dashes(typed: str) -> None:
    code = make_code(text="Welcome-10")
    assert DiscountCode.objects.matching(typed).get() == code


def test_two_codes_that_read_alike_are_refused() -> None:
    make_code(text="Welcome-10")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_code(text="welcome 10")


def test_an_order_state_moves_only_where_something_leads() -> None:
    order = make_order(make_user())
    order.move(OrderState.FULFILLED, at=NOON)
    with pytest.raises(WrongOrderState):
        order.move(OrderState.CANCELED, at=NOON)
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
