"""Uses of codes: held, confirmed, released; the database checks the count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from ecommerce.enums import OrderState, UseState
from ecommerce.errors.checkout import WrongOrderState
from ecommerce.errors.codes import CodeInUse, CodeRefused, CodeSwitchedOff, CodeUsed, CodeUsedByYou
from ecommerce.models import CodeUse, DiscountCode, Order
from ecommerce.services.discounts import codes
from ecommerce.services.discounts.codes import (
    confirm_uses,
    free_uses,
    hold_code,
    prolong_uses,
    release_uses,
    restore_uses,
    retire_uses,
    use_code,
)
from mitxonline.users.models import User
from tests.factories import NOON, make_code, make_discount, make_product, make_user

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
    assert one == other == CodeUse.objects.get().pk
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


def test_prolonging_moves_the_hold_of_one_order_only() -> None:
    learner = make_user()
    orders = [make_order(learner, "TS-2026-AAAA0001"), make_order(learner, "TS-2026-AAAA0002")]
    for order in orders:
        hold_code(code=make_code(max_uses=1), user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    later = LATER + timedelta(hours=1)
    assert prolong_uses(order_id=orders[0].pk, until=later) == 1
    assert [use.held_until for use in CodeUse.objects.order_by("order_id")] == [later, LATER]


def test_a_confirmed_use_is_not_prolonged() -> None:
    code, learner = make_code(max_uses=1), make_user()
    order = make_order(learner)
    use_code(code=code, user_id=learner.pk, order_id=order.pk, now=NOON)
    assert prolong_uses(order_id=order.pk, until=LATER) == 0
    assert CodeUse.objects.get().held_until is None


def test_a_refund_frees_the_chosen_codes_of_the_order() -> None:
    learner = make_user()
    freed, kept = make_code(max_uses=2), make_code(max_uses=2)
    order = make_order(learner)
    for code in (freed, kept):
        use_code(code=code, user_id=learner.pk, order_id=order.pk, now=NOON)
        use_code(code=code, user_id=make_user().pk, now=NOON)
    assert free_uses(order_id=order.pk, code_ids={freed.pk}, now=LATER) == [freed.pk]
    assert free_uses(order_id=order.pk, code_ids={freed.pk}, now=LATER) == []
    assert (uses_of(freed), uses_of(kept)) == (1, 2)
    use = CodeUse.objects.get(code=freed, user=learner)
    assert (use.state, use.changed_at) == (UseState.RELEASED, LATER)


def make_enrollment_codes() -> tuple[DiscountCode, DiscountCode]:
    """Make two codes that open one product each, for 3 learners."""
    made = []
    for _time in range(2):
        product = make_product(price="0")
        made.append(make_code(make_discount(products=[product], unlocks=product), max_uses=3))
    return made[0], made[1]


def product_of(code: DiscountCode) -> int:
    assert code.discount.unlocks_id is not None
    return code.discount.unlocks_id


def test_retired_uses_stay_counted() -> None:
    code, other = make_enrollment_codes()
    learner, bystander = make_user(), make_user()
    for each in (code, other):
        use_code(code=each, user_id=learner.pk, now=NOON)
        use_code(code=each, user_id=bystander.pk, now=NOON)
    assert retire_uses(user_id=learner.pk, product_ids=[product_of(code)], now=LATER) == 1
    assert uses_of(code) == 2
    retired = CodeUse.objects.get(state=UseState.RETIRED)
    assert (retired.code, retired.user, retired.changed_at) == (code, learner, LATER)


def test_retiring_takes_held_uses_too() -> None:
    code, _other = make_enrollment_codes()
    learner = make_user()
    hold_code(code=code, user_id=learner.pk, order_id=make_order(learner).pk, until=LATER, now=NOON)
    assert retire_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON) == 1
    assert CodeUse.objects.get().held_until is None


def test_a_use_released_since_the_look_up_is_not_retired(monkeypatch: pytest.MonkeyPatch) -> None:
    code, _other = make_enrollment_codes()
    learner = make_user()
    order = make_order(learner)
    hold_code(code=code, user_id=learner.pk, order_id=order.pk, until=LATER, now=NOON)
    look_up, calls = CodeUse.objects.live, []

    def release_before_the_second_look() -> object:
        calls.append(1)
        if len(calls) == 2:
            release_uses(order_id=order.pk, now=NOON)
        return look_up()

    monkeypatch.setattr(CodeUse.objects, "live", release_before_the_second_look)
    assert retire_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON) == 0
    assert (CodeUse.objects.get().state, uses_of(code)) == (UseState.RELEASED, 0)


def test_a_retired_use_comes_back_for_the_products_named() -> None:
    code, other = make_enrollment_codes()
    learner, bystander = make_user(), make_user()
    for user in (learner, bystander):
        for each in (code, other):
            use_code(code=each, user_id=user.pk, now=NOON)
        retire_uses(user_id=user.pk, product_ids=[product_of(code), product_of(other)], now=NOON)
    assert restore_uses(user_id=learner.pk, product_ids=[product_of(code)], now=LATER) == 1
    assert restore_uses(user_id=learner.pk, product_ids=[product_of(code)], now=LATER) == 0
    assert (CodeUse.objects.live().get().code, uses_of(code)) == (code, 2)


def test_only_one_use_of_a_code_comes_back() -> None:
    code, _other = make_enrollment_codes()
    learner = make_user()
    for _time in range(2):
        use_code(code=code, user_id=learner.pk, now=NOON)
        retire_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON)
    assert restore_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON) == 1
    assert CodeUse.objects.live().get() == CodeUse.objects.latest("pk")


def test_a_use_of_an_unpaid_order_stays_retired() -> None:
    code, _other = make_enrollment_codes()
    learner = make_user()
    hold_code(code=code, user_id=learner.pk, order_id=make_order(learner).pk, until=LATER, now=NOON)
    retire_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON)
    assert restore_uses(user_id=learner.pk, product_ids=[product_of(code)], now=NOON) == 0


@pytest.mark.parametrize(("is_confirmed", "refusal"), [(False, CodeInUse), (True, CodeUsedByYou)])
def test_a_second_order_is_told_which_order_has_the_code(is_confirmed: bool, refusal: type[CodeRefused]) -> None:
    code, learner = make_code(max_uses=2), make_user()
    first, second = make_order(learner, "TS-2026-AAAA0001"), make_order(learner, "TS-2026-AAAA0002")
    hold_code(code=code, user_id=learner.pk, order_id=first.pk, until=LATER, now=NOON)
    if is_confirmed:
        confirm_uses(order_id=first.pk, now=NOON)
    with pytest.raises(CodeRefused) as refused:
        hold_code(code=code, user_id=learner.pk, order_id=second.pk, until=LATER, now=NOON)
    assert type(refused.value) is refusal
    assert refused.value.details()["number"] == "TS-2026-AAAA0001"
    assert uses_of(code) == 1


def lose_first_claim(monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]) -> list[object]:
    """Let the first claim find nothing, as if the code changed while it ran. Return the claims that were made."""
    claim = codes.claim_row
    claims: list[object] = []

    def lose_first(values: dict[str, object]) -> int | None:
        claims.append(values)
        if len(claims) == 1:
            meanwhile()
            return None
        return claim(values)

    monkeypatch.setattr(codes, "claim_row", lose_first)
    return claims


@pytest.mark.parametrize("max_uses", [1, None], ids=["limited", "unlimited"])
def test_a_limit_that_changed_during_the_claim_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, max_uses: int | None
) -> None:
    code, learner = make_code(max_uses=2 if max_uses is None else None), make_user()
    lose_first_claim(monkeypatch, lambda: DiscountCode.objects.filter(pk=code.pk).update(max_uses=max_uses))
    assert use_code(code=code, user_id=learner.pk, now=NOON) == CodeUse.objects.get().pk


@pytest.mark.parametrize(
    ("change", "refusal"), [({"active": False}, CodeSwitchedOff), ({"uses": 2}, CodeUsed)], ids=["off", "used up"]
)
def test_a_code_that_ended_during_the_claim_is_claimed_once(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], refusal: type[CodeRefused]
) -> None:
    code, learner = make_code(max_uses=2), make_user()
    claims = lose_first_claim(monkeypatch, lambda: DiscountCode.objects.filter(pk=code.pk).update(**change))
    with pytest.raises(refusal):
        use_code(code=code, user_id=learner.pk, now=NOON)
    assert len(claims) == 1


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
