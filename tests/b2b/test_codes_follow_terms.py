"""Codes after each change of terms, on the database."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from b2b.models import ContractPage
from ecommerce.enums import DiscountType, PaymentType, RedemptionType, UseState
from ecommerce.models import DiscountCode, PriceChange, Product
from tests.b2b.worlds import (
    NON_SSO,
    NOW,
    SSO,
    active_codes_of,
    add_to_contract,
    change_terms,
    codes_of,
    discounts_of,
    hold_for_order,
    leave_seat,
    make_learner,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
)


def texts(codes: Iterable[DiscountCode]) -> list[str]:
    return [code.text for code in codes]


def again(code: DiscountCode) -> DiscountCode:
    return DiscountCode.objects.get(pk=code.pk)


def assign(code: DiscountCode, email: str = "amara@example.com") -> DiscountCode:
    code.assigned_email = email
    code.save(update_fields=["assigned_email"])
    return code


def assert_settled(page: ContractPage) -> None:
    """Fail unless another reconcile changes nothing."""
    before = list(DiscountCode.objects.order_by("pk").values())
    assert reconcile_contract(page).pk is None
    assert list(DiscountCode.objects.order_by("pk").values()) == before


def test_a_cap_gives_one_code_for_each_learner_and_course() -> None:
    page = publish_contract(make_source_course(), make_source_course(), cap=3)
    codes = active_codes_of(page)
    assert len(codes) == 6
    assert {(code.max_uses, code.uses) for code in codes} == {(1, 0)}
    assert len(set(texts(codes))) == 6
    assert_settled(page)


def test_no_cap_gives_one_code_without_limit_for_each_course() -> None:
    page = publish_contract(make_source_course(), make_source_course())
    assert [code.max_uses for code in active_codes_of(page)] == [None, None]
    assert_settled(page)


@pytest.mark.parametrize(("price", "amount"), [(None, Decimal(0)), ("49.00", Decimal(49))])
def test_every_product_has_one_discount_at_the_contracts_price(price: str | None, amount: Decimal) -> None:
    page = publish_contract(make_source_course(), cap=2, price=price)
    (discount,) = discounts_of(page)
    product = discount.unlocks
    assert product is not None
    assert (discount.discount_type, discount.amount, discount.currency) == (DiscountType.FIXED_PRICE, amount, "USD")
    assert (discount.payment_type, discount.is_bulk) == (PaymentType.SALES, True)
    assert discount.redemption_type == RedemptionType.ONE_TIME
    assert (product.price, product.requires_code, product.is_active) == (amount, True, True)
    assert product.sku == product.item_id


def test_single_sign_on_and_free_makes_no_codes() -> None:
    page = publish_contract(make_source_course(), integration=SSO)
    assert codes_of(page) == []
    assert len(discounts_of(page)) == 1
    assert_settled(page)


def test_single_sign_on_with_a_price_makes_codes() -> None:
    assert len(active_codes_of(publish_contract(make_source_course(), integration=SSO, price="10", cap=4))) == 4


def test_a_higher_cap_makes_what_is_missing() -> None:
    page = publish_contract(make_source_course(), cap=2)
    before = texts(codes_of(page))
    change_terms(page, max_learners=5)
    assert len(active_codes_of(page)) == 5
    assert texts(codes_of(page))[:2] == before
    assert_settled(page)


def test_a_lower_cap_switches_off_the_newest_free_codes() -> None:
    page = publish_contract(make_source_course(), cap=5)
    codes = codes_of(page)
    assign(codes[4])
    change_terms(page, max_learners=2)
    assert texts(active_codes_of(page)) == [codes[0].text, codes[4].text]
    assert len(codes_of(page)) == 5
    assert_settled(page)


def test_a_lower_cap_never_touches_a_code_that_is_redeemed_held_or_assigned() -> None:
    page = publish_contract(make_source_course(), cap=4)
    codes = codes_of(page)
    redeem_code(page, codes[3])
    hold_for_order(codes[2])
    assign(codes[1])
    change_terms(page, max_learners=1)
    assert texts(active_codes_of(page)) == texts(codes[1:])
    assert_settled(page)


def test_raising_after_lowering_switches_on_before_it_makes() -> None:
    page = publish_contract(make_source_course(), cap=5)
    before = texts(codes_of(page))
    change_terms(page, max_learners=2)
    change_terms(page, max_learners=7)
    assert texts(codes_of(page))[:5] == before
    assert len(codes_of(page)) == 7
    assert all(code.active and code.max_uses == 1 for code in codes_of(page))


def test_switching_on_again_takes_the_oldest_first() -> None:
    page = publish_contract(make_source_course(), cap=5)
    codes = codes_of(page)
    change_terms(page, max_learners=1)
    change_terms(page, max_learners=3)
    assert texts(active_codes_of(page)) == texts(codes[:3])


def test_removing_the_cap_makes_the_codes_unlimited() -> None:
    page = publish_contract(make_source_course(), cap=3)
    codes = codes_of(page)
    redeem_code(page, codes[0])
    assign(codes[1])
    change_terms(page, max_learners=None)
    assert texts(active_codes_of(page)) == texts(codes)
    assert {code.max_uses for code in active_codes_of(page)} == {None}
    assert discounts_of(page)[0].redemption_type == RedemptionType.UNLIMITED
    assert_settled(page)


def test_removing_the_cap_leaves_codes_off_that_were_off() -> None:
    page = publish_contract(make_source_course(), cap=3)
    change_terms(page, max_learners=1)
    change_terms(page, max_learners=None)
    assert len(active_codes_of(page)) == 1


def test_without_a_cap_a_code_that_is_off_is_switched_on_before_one_is_made() -> None:
    page = publish_contract(make_source_course(), cap=2)
    DiscountCode.objects.update(active=False)
    change_terms(page, max_learners=None)
    (code,) = active_codes_of(page)
    assert code.max_uses is None
    assert len(codes_of(page)) == 2


def test_setting_the_cap_again_makes_codes_one_time_and_fills_up() -> None:
    page = publish_contract(make_source_course())
    (shared,) = codes_of(page)
    change_terms(page, max_learners=3)
    codes = active_codes_of(page)
    assert len(codes) == 3
    assert codes[0].text == shared.text
    assert {code.max_uses for code in codes} == {1}
    assert_settled(page)


def test_an_unlimited_code_that_was_used_is_spent_when_a_cap_comes() -> None:
    page = publish_contract(make_source_course())
    (shared,) = codes_of(page)
    redeem_code(page, shared)
    redeem_code(page, shared)
    hold_for_order(shared)
    change_terms(page, max_learners=5)
    spent = again(shared)
    assert (spent.uses, spent.max_uses, spent.active) == (3, 3, True)
    assert len(active_codes_of(page)) == 5
    assert_settled(page)


def test_a_released_use_is_no_use_when_a_cap_comes() -> None:
    page = publish_contract(make_source_course())
    (shared,) = codes_of(page)
    use = hold_for_order(shared)
    use.state, use.held_until = UseState.RELEASED, None
    use.save()
    change_terms(page, max_learners=2)
    assert (again(shared).uses, again(shared).max_uses) == (0, 1)


def test_codes_of_people_who_left_do_not_count() -> None:
    page = publish_contract(make_source_course(), cap=3)
    codes = codes_of(page)
    learner = make_learner()
    redeem_code(page, codes[0], learner)
    leave_seat(page, learner)
    reconcile_contract(page)
    assert len(active_codes_of(page)) == 4
    assert texts(codes_of(page))[:3] == texts(codes)
    assert_settled(page)


def test_a_withdrawn_use_does_not_count() -> None:
    page = publish_contract(make_source_course(), cap=2)
    learner = make_learner()
    use = redeem_code(page, codes_of(page)[0], learner)
    leave_seat(page, learner)
    use.state = UseState.RETIRED
    use.save()
    reconcile_contract(page)
    assert len(active_codes_of(page)) == 3
    assert_settled(page)


def test_switching_to_free_single_sign_on_deletes_free_codes() -> None:
    page = publish_contract(make_source_course(), cap=6)
    codes = codes_of(page)
    redeem_code(page, codes[0])
    hold_for_order(codes[1])
    assign(codes[2])
    withdrawn = redeem_code(page, codes[3])
    withdrawn.state = UseState.RETIRED
    withdrawn.save()
    change_terms(page, integration_type=SSO, max_learners=None)
    assert texts(codes_of(page)) == texts(codes[:4])
    # A past use still names the fourth: it can't be deleted, so it is switched off.
    assert texts(active_codes_of(page)) == texts(codes[:3])
    assert_settled(page)


def test_single_sign_on_and_free_with_a_cap_keeps_every_code_at_price_nothing() -> None:
    page = publish_contract(make_source_course(), cap=3, price="20")
    before = list(DiscountCode.objects.order_by("pk").values())
    change_terms(page, integration_type=SSO, enrollment_fixed_price=None)
    assert list(DiscountCode.objects.order_by("pk").values()) == before
    assert discounts_of(page)[0].amount == 0
    assert Product.objects.get(requires_code=True).price == 0
    assert_settled(page)


def test_going_back_to_codes_makes_them_again() -> None:
    page = publish_contract(make_source_course(), integration=SSO)
    change_terms(page, integration_type=NON_SSO, max_learners=2)
    assert len(active_codes_of(page)) == 2


def test_a_price_change_reaches_products_and_discounts_and_no_code() -> None:
    page = publish_contract(make_source_course(), make_source_course(), cap=2, price="10")
    before = list(DiscountCode.objects.order_by("pk").values())
    change_terms(page, enrollment_fixed_price=Decimal("15.50"))
    assert [discount.amount for discount in discounts_of(page)] == [Decimal("15.5")] * 2
    assert set(Product.objects.filter(requires_code=True).values_list("price", flat=True)) == {Decimal("15.5")}
    assert list(DiscountCode.objects.order_by("pk").values()) == before
    changes = PriceChange.objects.filter(old_price__isnull=False).values_list("old_price", "new_price")
    assert list(changes) == [(Decimal(10), Decimal("15.5"))] * 2


def test_removing_the_price_sets_it_to_nothing() -> None:
    page = publish_contract(make_source_course(), cap=2, price="10")
    change_terms(page, enrollment_fixed_price=None)
    assert discounts_of(page)[0].amount == 0
    assert len(active_codes_of(page)) == 2


def test_a_price_that_was_changed_by_hand_is_set_right() -> None:
    page = publish_contract(make_source_course(), cap=1, price="10")
    Product.objects.filter(requires_code=True).update(price=99, requires_code=False)
    reconcile_contract(page)
    product = Product.objects.get(contract_run__isnull=False)
    assert (product.price, product.requires_code) == (Decimal(10), True)


def test_a_zero_written_by_an_editor_is_none() -> None:
    page = publish_contract(make_source_course(), cap=3, price="10")
    change_terms(page, max_learners=0, enrollment_fixed_price=Decimal(0))
    assert {code.max_uses for code in active_codes_of(page)} == {None}
    assert discounts_of(page)[0].amount == 0


def test_an_inactive_contract_makes_no_codes_and_catches_up_when_it_is_active_again() -> None:
    page = publish_contract(make_source_course(), cap=2)
    change_terms(page, active=False, max_learners=4)
    assert len(codes_of(page)) == 2
    change_terms(page, active=True)
    assert len(active_codes_of(page)) == 4


@pytest.mark.parametrize("days", [{"contract_start": date(2026, 1, 1)}, {"contract_end": date(2025, 1, 1)}])
def test_a_contract_that_has_not_begun_or_is_over_keeps_its_codes(days: dict[str, Any]) -> None:
    page = publish_contract(make_source_course(), cap=2)
    before = list(DiscountCode.objects.order_by("pk").values())
    change_terms(page, **days)
    assert list(DiscountCode.objects.order_by("pk").values()) == before


def test_a_cap_below_the_member_count_removes_no_one() -> None:
    page = publish_contract(make_source_course(), cap=3)
    for code in codes_of(page):
        redeem_code(page, code)
    change_terms(page, max_learners=1)
    assert page.memberships.count() == 3
    assert len(active_codes_of(page)) == 3
    assert_settled(page)


def test_new_courseware_gets_codes_of_its_own() -> None:
    page = publish_contract(make_source_course(), cap=2)
    before = texts(codes_of(page))
    add_to_contract(page, make_source_course(), now=NOW)
    reconcile_contract(page)
    assert texts(codes_of(page))[:2] == before
    assert len(codes_of(page)) == 4
