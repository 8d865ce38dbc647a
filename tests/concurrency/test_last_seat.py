"""Races for the last code and the last seat, each with a control that loses without its guard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from b2b import rules as b2b_rules
from b2b import seats as seats_module
from b2b.errors.seats import ContractFull
from b2b.models import ContractMembership, ContractTermsQuerySet
from b2b.services.seats import redemption
from courses.models import Enrollment
from ecommerce.enums import OrderState, UseState
from ecommerce.models import CodeUse, DiscountCode, Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.discounts import codes as code_services
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


def kinds(results: list[Any]) -> Counter[str]:
    return Counter(type(each).__name__ for each in results)


def buying(learner: User) -> Callable[[], Any]:
    return lambda: begin_checkout(owner=BasketOwner(user_id=learner.pk), user_id=learner.pk, now=NOON)


def attaching(learner: User, code: DiscountCode) -> Callable[[], Any]:
    return lambda: redemption.redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON)


def with_code_in_cart(learner: User, product_id: int, code: DiscountCode) -> User:
    owner = BasketOwner(user_id=learner.pk)
    add_products(owner=owner, product_ids=[product_id], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    return learner


def fifteen_with_a_code_each() -> list[User]:
    """A cap of five over three runs: fifteen codes, and fifteen learners with one of them each in the cart."""
    contract = make_contract(seats=5)
    runs = [make_contract_run(contract, codes=5) for _each in range(3)]
    return [with_code_in_cart(make_user(), run.product_id or 0, code) for run in runs for code in codes_of(run)]


def test_one_code_sixteen_clients_one_order(together: Together) -> None:
    run = make_contract_run(make_contract(seats=16), codes=1)
    code = codes_of(run)[0]
    learners = [with_code_in_cart(make_user(), run.product_id or 0, code) for _each in range(16)]
    answers = kinds(together(*map(buying, learners)))
    assert answers == {"Checkout": 1, "EnrollmentCodeUsed": 15}
    code.refresh_from_db()
    assert code.uses == 1
    assert Order.objects.filter(state=OrderState.FULFILLED).count() == 1
    assert Order.objects.count() == Enrollment.objects.count() == ContractMembership.objects.count() == 1


def test_one_code_sixteen_clients_by_its_link(together: Together) -> None:
    run = make_contract_run(make_contract(seats=16), codes=1)
    code = codes_of(run)[0]
    answers = kinds(together(*(attaching(make_user(), code) for _each in range(16))))
    assert answers == {"CodeRedemption": 1, "EnrollmentCodeUsed": 15}
    assert CodeUse.objects.count() == ContractMembership.objects.count() == 1


def test_cap_of_five_fifteen_learners_with_a_code_each(together: Together) -> None:
    answers = together(*map(buying, fifteen_with_a_code_each()))
    assert kinds(answers) == {"Checkout": 5, "ContractFull": 10}
    assert ContractMembership.objects.count() == Enrollment.objects.count() == 5
    assert DiscountCode.objects.filter(uses=0).count() == 10
    assert CodeUse.objects.filter(state=UseState.CONFIRMED).count() == CodeUse.objects.count() == 5


def test_without_the_contracts_lock_the_harness_oversells_seats(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    learners = fifteen_with_a_code_each()
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    meeting = meet_at(b2b_rules, "seats_for", parties=15, patience=20.0)
    together(*map(buying, learners))
    assert meeting.happened
    assert ContractMembership.objects.count() > 5  # if this fails, the test above proves nothing


def learners_with_one_discount_code(many: int) -> tuple[DiscountCode, list[User]]:
    """An ordinary one-time code for everything, in many carts: no contract's lock stands in the way."""
    code = make_code(make_discount(amount="100"), text="LASTONE", max_uses=1)
    return code, [with_code_in_cart(make_user(), make_product().pk, code) for _each in range(many)]


def test_a_one_time_discount_code_is_used_once(together: Together, meet_at: MeetAt) -> None:
    _code, learners = learners_with_one_discount_code(8)
    meeting = meet_at(code_services, "claim_row", parties=8, before=True, patience=20.0)
    answers = kinds(together(*map(buying, learners)))
    assert meeting.happened
    assert answers == {"Checkout": 1, "CodeUsed": 7}
    assert CodeUse.objects.count() == Enrollment.objects.count() == 1


def test_without_the_conditional_write_the_harness_oversells_codes(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_then_write(values: dict[str, Any]) -> int | None:
        seen = look(values["code"])
        if seen.max_uses is not None and seen.uses >= seen.max_uses:
            return None
        DiscountCode.objects.filter(pk=seen.pk).update(uses=seen.uses + 1)
        return CodeUse.objects.create(
            code_id=seen.pk, user_id=values["user"], order_id=values["order"], state=values["state"],
            held_until=values["until"], created_at=NOON, changed_at=NOON,
        ).pk  # fmt: skip

    _code, learners = learners_with_one_discount_code(8)
    monkeypatch.setattr(code_services, "claim_row", look_then_write)
    meeting = meet_at(__import__(__name__, fromlist=["look"]), "look", parties=8, patience=20.0)
    together(*map(buying, learners))
    assert meeting.happened
    assert CodeUse.objects.count() > 1  # if this fails, the test above proves nothing


def look(code_id: int) -> DiscountCode:
    return DiscountCode.objects.get(pk=code_id)


def test_the_last_seat_by_cart_and_by_link_at_once(together: Together) -> None:
    run = make_contract_run(make_contract(seats=1), codes=8)
    codes = codes_of(run)
    buyers = [with_code_in_cart(make_user(), run.product_id or 0, code) for code in codes[:4]]
    answers = together(*map(buying, buyers), *(attaching(make_user(), code) for code in codes[4:]))
    assert sum(isinstance(each, ContractFull) for each in answers) == 7
    assert ContractMembership.objects.count() == 1
    assert DiscountCode.objects.filter(uses=1).count() == 1


def test_the_same_learner_pressing_sixteen_times_is_one_order(together: Together) -> None:
    run = make_contract_run(make_contract(seats=5), codes=1)
    learner = with_code_in_cart(make_user(), run.product_id or 0, codes_of(run)[0])
    answers = together(*[buying(learner)] * 16)
    assert Order.objects.count() == 1
    assert CodeUse.objects.count() == ContractMembership.objects.count() == Enrollment.objects.count() == 1
    assert kinds(answers) == {"Checkout": 1, "BasketEmpty": 15}


def test_the_same_learner_taking_a_seat_sixteen_times_has_one(together: Together) -> None:
    run = make_contract_run(make_contract(seats=5), codes=1)
    learner, code = make_user(), codes_of(run)[0]
    answers = together(*[attaching(learner, code)] * 16)
    assert kinds(answers) == {"CodeRedemption": 16}
    assert CodeUse.objects.count() == ContractMembership.objects.count() == 1


def test_the_contracts_row_is_locked_before_a_seat_is_written(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    run = make_contract_run(make_contract(seats=5), codes=1)
    learner = with_code_in_cart(make_user(), run.product_id or 0, codes_of(run)[0])
    with django_assert_max_num_queries(60) as asked:
        buying(learner)()
    statements = [query["sql"] for query in asked.captured_queries]
    locked = next(i for i, sql in enumerate(statements) if 'FOR NO KEY UPDATE OF "b2b_contractterms"' in sql)
    counted = next(i for i, sql in enumerate(statements) if "count(" in sql and "b2b_contractmembership" in sql)
    written = next(i for i, sql in enumerate(statements) if sql.startswith('INSERT INTO "b2b_contractmembership"'))
    assert locked < counted < written


def attaching_by_api(learner: User, code: DiscountCode) -> Callable[[], Any]:
    return lambda: redemption.attach_by_code(text=code.text, user_id=learner.pk, now=NOON)


def test_one_code_and_the_last_seat_through_the_api(together: Together) -> None:
    run = make_contract_run(make_contract(seats=2), codes=8)
    codes = codes_of(run)
    answers = kinds(together(*(attaching_by_api(make_user(), codes[0]) for _each in range(8))))
    assert answers == {"Attachment": 1, "EnrollmentCodeUsed": 7}
    answers = kinds(together(*(attaching_by_api(make_user(), code) for code in codes[1:])))
    assert answers == {"Attachment": 1, "ContractFull": 6}
    assert CodeUse.objects.count() == ContractMembership.objects.count() == 2


def test_without_the_contracts_lock_the_api_oversells_seats(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = codes_of(make_contract_run(make_contract(seats=1), codes=8))
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    meeting = meet_at(seats_module, "_find_and_lock_seats", parties=8, patience=20.0)
    together(*(attaching_by_api(make_user(), code) for code in codes))
    assert meeting.happened
    assert ContractMembership.objects.count() > 1  # if this fails, the test above proves nothing
