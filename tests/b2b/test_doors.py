"""Every door into a contract, and the refusal of each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from b2b.enums import ContractStanding, MembershipSource
from b2b.errors.seats import (
    AccessWithdrawn,
    AlreadyHasCourse,
    ContractClosed,
    ContractEnded,
    ContractFull,
    ContractInactive,
    ContractNotStarted,
    NotAMember,
    PaymentNeeded,
    PriceChanging,
)
from b2b.models import ContractMembership, ContractPage, ContractRun, ContractTerms, OrganizationMembership
from b2b.rules import contacts_of
from b2b.selectors.code_offers import code_offer
from b2b.selectors.seats import organizations_of, waiting_codes
from b2b.services.seats.membership import add_member
from b2b.services.seats.redemption import apply_assigned_codes, put_in_link_basket, redeem_enrollment_code, start_course
from courses.enums import EnrollmentSource
from courses.errors import EnrollmentClosed
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from ecommerce.enums import UseState
from ecommerce.errors.checkout import CodeNeeded, NotForSale
from ecommerce.errors.codes import (
    CodeAddressUnconfirmed,
    CodeBelongsInCart,
    CodeForSomebodyElse,
    CodeRefused,
    CodeUnknown,
    CodeUsed,
    CourseNotOpen,
    EnrollmentCodeOff,
    EnrollmentCodeUsed,
)
from ecommerce.models import CodeUse, Discount, DiscountCode, Order, Product
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code, leave_link_basket
from ecommerce.services.checkout.checkout import begin_checkout, cancel_order
from ecommerce.services.discounts.codes import use_code
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.factories import (
    NOON,
    codes_of,
    make_code,
    make_contract,
    make_contract_run,
    make_user,
)

pytestmark = pytest.mark.django_db
TODAY = clock.date_of(NOON)


@pytest.fixture
def contract() -> ContractPage:
    return make_contract(seats=2)


@pytest.fixture
def run(contract: ContractPage) -> ContractRun:
    return make_contract_run(contract, codes=3)


def attach(code: DiscountCode, user: User, *, now=NOON):  # type: ignore[no-untyped-def]
    return redeem_enrollment_code(text=code.text, user_id=user.pk, now=now)


def test_a_code_attaches_enrolls_and_is_used(run: ContractRun) -> None:
    learner, code = make_user(), codes_of(run)[0]
    redemption = attach(code, learner)
    seat = ContractMembership.objects.get()
    assert (seat.user, seat.source, seat.state) == (learner, MembershipSource.CODE, "active")
    assert redemption.enrollment.run == run.course_run
    assert EnrollmentGrant.objects.get().source == EnrollmentSource.CODE
    assert CodeUse.objects.get().state == UseState.CONFIRMED
    assert OrganizationMembership.objects.get().user == learner


def test_the_same_code_again_is_the_same_result(run: ContractRun) -> None:
    learner, code = make_user(), codes_of(run)[0]
    attach(code, learner)
    assert attach(code, learner).was_redeemed_before
    assert code_offer(text=code.text, user_id=learner.pk, now=NOON).is_mine
    assert (CodeUse.objects.count(), ContractMembership.objects.count()) == (1, 1)


def test_a_second_learner_is_told_the_code_is_used(run: ContractRun) -> None:
    code = codes_of(run)[0]
    attach(code, make_user())
    with pytest.raises(CodeUsed, match="Ask Northgate Health for a new one"):
        attach(code, make_user())
    assert ContractMembership.objects.count() == 1


def test_a_learner_who_loses_the_race_for_a_code_is_told_the_same(run: ContractRun) -> None:
    code = codes_of(run)[0]
    code.discount  # noqa: B018  both have read the code before either uses it
    attach(code, make_user())
    with pytest.raises(EnrollmentCodeUsed, match="Ask Northgate Health for a new one"), transaction.atomic():
        use_code(code=code, user_id=make_user().pk, now=NOON)
    DiscountCode.objects.filter(pk=code.pk).update(active=False, uses=0)
    with pytest.raises(EnrollmentCodeOff, match="Ask Northgate Health for a new one"), transaction.atomic():
        use_code(code=code, user_id=make_user().pk, now=NOON)


def test_another_code_for_a_course_one_has_stays_free(run: ContractRun) -> None:
    learner = make_user()
    one, other = codes_of(run)[:2]
    attach(one, learner)
    with pytest.raises(AlreadyHasCourse, match="You can give it back to your organization"):
        attach(other, learner)
    DiscountCode.objects.filter(pk=other.pk).update(assigned_email=learner.email)
    with pytest.raises(AlreadyHasCourse, match=r"We didn’t use your code\.$"):
        attach(other, learner)
    other.refresh_from_db()
    assert other.uses == 0


def test_a_full_contract_says_so_and_the_code_stays_valid(run: ContractRun) -> None:
    manager = make_user(name="Dana Whitfield")
    codes = codes_of(run)
    OrganizationMembership.objects.create(
        organization=run.contract.terms.organization, user=manager, source="staff", is_manager=True, since=NOON
    )
    for code in codes[:2]:
        attach(code, make_user())
    with pytest.raises(ContractFull, match="ask Dana Whitfield"):
        attach(codes[2], make_user())
    codes[2].refresh_from_db()
    assert codes[2].uses == 0
    assert ContractMembership.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"start": TODAY}, None),
        ({"end": TODAY}, None),
        ({"start": TODAY + timedelta(days=1)}, ContractNotStarted),
        ({"end": TODAY - timedelta(days=1)}, ContractEnded),
        ({"active": False}, ContractInactive),
    ],
)
def test_both_ends_of_a_contract_are_included(
    run: ContractRun, fields: dict[str, object], refusal: type | None
) -> None:
    ContractTerms.objects.update(**fields)
    learner, code = make_user(), codes_of(run)[0]
    if refusal is None:
        attach(code, learner)
        return
    with pytest.raises(refusal):
        attach(code, learner)
    with pytest.raises(CodeUnknown):  # a signed-out visitor learns nothing
        code_offer(text=code.text, user_id=None, now=NOON)
    assert not CodeUse.objects.exists()
    assert not Enrollment.objects.exists()


def test_a_contracts_last_day_ends_with_the_day() -> None:
    run = make_contract_run(make_contract(seats=5, end=TODAY), codes=2)
    one, other = codes_of(run)
    attach(one, make_user(), now=clock.end_of_day(TODAY))
    with pytest.raises(ContractEnded):
        attach(other, make_user(), now=clock.end_of_day(TODAY) + timedelta(microseconds=1))


def test_a_closed_course_says_that_the_code_is_fine(run: ContractRun) -> None:
    run.course_run.enrollment_end = NOON - timedelta(days=1)
    run.course_run.save()
    closed = "Your code is valid, but enrollment for this course closed on 1 March 2026. Choose another course"
    with pytest.raises(CourseNotOpen, match=closed):
        attach(codes_of(run)[0], make_user())


def test_withdrawn_learners_are_refused_with_the_reason(run: ContractRun) -> None:
    learner, code = make_user(), codes_of(run)[0]
    attach(code, learner)
    CodeUse.objects.update(state=UseState.RETIRED)
    ContractMembership.objects.all().delete()
    with pytest.raises(AccessWithdrawn):
        attach(code, learner)
    with pytest.raises(CodeUsed):
        attach(code, make_user())


@pytest.mark.parametrize("text", ["", "   ", "no-such-code", "';--", "x" * 5000, "\x00"])
def test_junk_is_no_code(text: str) -> None:
    with pytest.raises(CodeRefused):
        code_offer(text=text, user_id=None, now=NOON)


def test_a_discount_code_belongs_in_the_cart() -> None:
    with pytest.raises(CodeBelongsInCart):
        code_offer(text=make_code(text="WELCOME10").text, user_id=make_user().pk, now=NOON)


def test_a_priced_contract_leads_to_payment() -> None:
    run = make_contract_run(make_contract(seats=2, price="49"), codes=1)
    learner, code = make_user(), codes_of(run)[0]
    with pytest.raises(PaymentNeeded):
        attach(code, learner)
    owner = BasketOwner(user_id=learner.pk)
    put_in_link_basket(text=code.text, owner=owner, user_id=learner.pk, now=NOON)
    priced = price_current_basket(owner, user_id=learner.pk, now=NOON)
    assert (priced.total, priced.can_check_out) == (Money("49", "USD"), True)
    assert not ContractMembership.objects.exists()
    checkout = begin_checkout(owner=owner, user_id=learner.pk, now=NOON)
    assert checkout.pay_url is not None
    assert ContractMembership.objects.get().state == "held"
    assert not Enrollment.objects.exists()


def test_a_held_seat_gives_no_access(run: ContractRun) -> None:
    ContractTerms.objects.update(price=49)
    learner = make_user()
    run.product.price = 49  # type: ignore[union-attr]
    run.product.save()  # type: ignore[union-attr]
    owner = BasketOwner(user_id=learner.pk)
    put_in_link_basket(text=codes_of(run)[0].text, owner=owner, user_id=learner.pk, now=NOON)
    DiscountCode.objects.first().discount.save()  # type: ignore[union-attr]
    with pytest.raises(NotAMember):
        start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)


def test_members_start_any_course_without_using_a_code(contract: ContractPage, run: ContractRun) -> None:
    other = make_contract_run(contract, codes=1)
    learner = make_user()
    attach(codes_of(run)[0], learner)
    for _click in range(2):
        enrollment = start_course(contract_run_id=other.pk, user_id=learner.pk, now=NOON)
    assert enrollment.run == other.course_run
    assert codes_of(other)[0].uses == 0
    assert EnrollmentGrant.objects.get(enrollment=enrollment).source == EnrollmentSource.CONTRACT


def test_foreign_contracts_are_refused_like_missing_ones(run: ContractRun) -> None:
    stranger = make_user()
    for pk in (run.pk, 999_999):
        with pytest.raises(NotAMember):
            start_course(contract_run_id=pk, user_id=stranger.pk, now=NOON)


@pytest.mark.parametrize(("closed", "refusal"), [("contract", ContractClosed), ("course", EnrollmentClosed)])
def test_members_with_nothing_to_start_get_a_message_without_codes(
    contract: ContractPage, run: ContractRun, closed: str, refusal: type[DomainError]
) -> None:
    learner = make_user()
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON)
    owner = in_cart(run, learner)
    if closed == "contract":
        ContractTerms.objects.update(end=TODAY - timedelta(days=1))
        line = price_current_basket(owner, user_id=learner.pk, now=NOON).lines[0]
        assert isinstance(line.refusal, ContractClosed)
    else:
        CourseRun.all_objects.update(enrollment_end=NOON - timedelta(days=1))
        shown = organizations_of(learner.pk, now=NOON)[0].contracts[0].runs[0]
        assert (shown.is_open, shown.can_start) == (False, False)
    with pytest.raises(refusal) as refused:
        start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)
    assert refused.value.retry_url == "/dashboard/"


def test_a_member_needs_no_code_in_the_cart_of_a_free_contract(contract: ContractPage, run: ContractRun) -> None:
    learner = make_user()
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON)
    owner = BasketOwner(user_id=learner.pk)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    assert price_current_basket(owner, user_id=learner.pk, now=NOON).can_check_out
    order = begin_checkout(owner=owner, user_id=learner.pk, now=NOON).order
    assert order.lines.get().entitlement == f"contract {contract.pk}"
    assert not CodeUse.objects.exists()


def test_attaching_and_buying_with_a_code_are_the_same_use(contract: ContractPage, run: ContractRun) -> None:
    learner, code = make_user(), codes_of(run)[0]
    attach(code, learner)
    Enrollment.objects.all().update(active=False)
    owner = BasketOwner(user_id=learner.pk)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    assert begin_checkout(owner=owner, user_id=learner.pk, now=NOON).order.is_fulfilled
    code.refresh_from_db()
    assert (code.uses, CodeUse.objects.count()) == (1, 1)
    with pytest.raises(CodeUsed):
        attach(code, make_user())


def test_a_code_used_in_checkout_counts_for_its_link(run: ContractRun) -> None:
    learner, code = make_user(), codes_of(run)[0]
    owner = BasketOwner(user_id=learner.pk)
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
    begin_checkout(owner=owner, user_id=learner.pk, now=NOON)
    seat = ContractMembership.objects.get()
    assert (seat.state, seat.code_use) == ("active", CodeUse.objects.get())
    assert attach(code, learner).was_redeemed_before
    with pytest.raises(CodeUsed):
        attach(code, make_user())


@pytest.mark.parametrize(
    ("address", "verified", "works"),
    [("amara@northgate.test", True, True), ("AMARA@northgate.test", True, True),
     ("amara@northgate.test", False, False), ("joe@northgate.test", True, False)],
)  # fmt: skip
def test_where_the_contract_says_so_a_code_is_only_for_its_address(address: str, verified: bool, works: bool) -> None:
    run = make_contract_run(make_contract(seats=2, codes_only_for_assignee=True), codes=1)
    DiscountCode.objects.update(assigned_email="amara@northgate.test")
    learner = make_user(address, email_verified_at=NOON if verified else None)
    if works:
        attach(codes_of(run)[0], learner)
        return
    with pytest.raises(CodeForSomebodyElse):
        attach(codes_of(run)[0], learner)


def test_an_assigned_code_works_for_any_holder(run: ContractRun) -> None:
    DiscountCode.objects.update(assigned_email="amara@northgate.test")
    attach(codes_of(run)[0], make_user("joe@northgate.test"))
    assert ContractMembership.objects.count() == 1


def test_a_sso_seat_becomes_a_code_seat_and_never_back(contract: ContractPage, run: ContractRun) -> None:
    learner = make_user()
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON, source=MembershipSource.SSO)
    attach(codes_of(run)[0], learner)
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON, source=MembershipSource.SSO)
    assert ContractMembership.objects.get().source == MembershipSource.CODE
    assert OrganizationMembership.objects.get().source == MembershipSource.CODE


def test_codes_waiting_for_a_confirmed_address_are_shown(run: ContractRun) -> None:
    code = codes_of(run)[0]
    DiscountCode.objects.filter(pk=code.pk).update(assigned_email="amara@northgate.test")
    assert waiting_codes(make_user("Amara@northgate.test", email_verified_at=None)) == []
    learner = make_user("amara2@northgate.test")
    DiscountCode.objects.filter(pk=code.pk).update(assigned_email="amara2@northgate.test")
    assert [each.code for each in waiting_codes(learner)] == [code]
    attach(code, learner)
    assert waiting_codes(learner) == []
    other = codes_of(run)[1]
    DiscountCode.objects.filter(pk=other.pk).update(assigned_email="amara2@northgate.test")
    assert waiting_codes(learner) == []  # it opens nothing the learner doesn't have


def in_cart(run: ContractRun, learner: User | None) -> BasketOwner:
    owner = BasketOwner(user_id=learner.pk) if learner is not None else BasketOwner(token=uuid4())
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    return owner


def buying(run: ContractRun, learner: User, code: DiscountCode, *, now=NOON) -> Order:  # type: ignore[no-untyped-def]
    owner = in_cart(run, learner)
    apply_code(owner=owner, text=code.text, user_id=learner.pk, now=now)
    return begin_checkout(owner=owner, user_id=learner.pk, now=now).order


@pytest.mark.parametrize(
    ("dates", "terms", "refusal"),
    [
        ({"enrollment_end": NOON - timedelta(days=1)}, {"end": TODAY - timedelta(days=1)}, ContractEnded),
        ({"enrollment_start": NOON + timedelta(days=1)}, {"start": TODAY + timedelta(days=1)}, ContractNotStarted),
        ({"enrollment_end": NOON - timedelta(days=1)}, {}, CourseNotOpen),
        ({"live": False}, {"active": False}, ContractInactive),
    ],
)
def test_in_the_cart_the_contract_speaks_before_its_runs_dates(
    run: ContractRun, dates: dict[str, object], terms: dict[str, object], refusal: type[CodeRefused]
) -> None:
    CourseRun.all_objects.filter(pk=run.course_run_id).update(**dates)
    ContractTerms.objects.update(**terms)
    learner, code = make_user(), codes_of(run)[0]
    with pytest.raises(refusal):
        apply_code(owner=in_cart(run, learner), text=code.text, user_id=learner.pk, now=NOON)
    with pytest.raises(CodeUnknown):
        apply_code(owner=in_cart(run, None), text=code.text, user_id=None, now=NOON)


def test_signed_out_visitors_learn_nothing_of_a_removed_courses_code(run: ContractRun) -> None:
    visitor = in_cart(run, None)
    DiscountCode.objects.update(max_uses=None)
    ContractRun.objects.update(removed_at=NOON)
    with pytest.raises(CodeUnknown):
        apply_code(owner=visitor, text=codes_of(run)[0].text, user_id=None, now=NOON)
    assert isinstance(price_current_basket(visitor, user_id=None, now=NOON).lines[0].refusal, NotForSale)


def test_a_full_contract_is_revealed_only_to_code_holders(run: ContractRun) -> None:
    ContractTerms.objects.update(max_learners=1)
    attach(codes_of(run)[0], make_user())
    stranger = make_user()
    with pytest.raises(CodeNeeded):
        begin_checkout(owner=in_cart(run, stranger), user_id=stranger.pk, now=NOON)


def test_an_assigned_code_is_shown_to_anonymous_visitors() -> None:
    run = make_contract_run(make_contract(seats=2, codes_only_for_assignee=True), codes=1)
    DiscountCode.objects.update(assigned_email="amara@northgate.test")
    code = codes_of(run)[0]
    assert code_offer(text=code.text, user_id=None, now=NOON).run == run.course_run
    unconfirmed = make_user("amara@northgate.test", email_verified_at=None)
    with pytest.raises(CodeAddressUnconfirmed):
        code_offer(text=code.text, user_id=unconfirmed.pk, now=NOON)
    assert price_current_basket(in_cart(run, None), user_id=None, now=NOON).needs_code


def test_taking_the_seat_confirms_a_use_that_was_held() -> None:
    run = make_contract_run(make_contract(seats=2, price="49"), codes=1)
    learner, code = make_user(), codes_of(run)[0]
    order = buying(run, learner, code)
    ContractTerms.objects.update(price=None)  # free from now on, while the payment page is open
    attach(code, learner)
    assert CodeUse.objects.get().state == UseState.CONFIRMED
    cancel_order(order_id=order.pk, now=NOON, reason="not paid")
    with pytest.raises(CodeUsed):
        attach(code, make_user())
    assert ContractMembership.objects.get().state == "active"


def test_a_member_by_single_sign_on_who_buys_with_a_code_has_that_codes_seat(
    contract: ContractPage, run: ContractRun
) -> None:
    learner = make_user()
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON, source=MembershipSource.SSO)
    buying(run, learner, codes_of(run)[0])
    seat = ContractMembership.objects.get()
    assert (seat.source, seat.code_use) == (MembershipSource.CODE, CodeUse.objects.get())


def test_a_seat_two_orders_wait_for_is_held_until_the_last_of_them_ends() -> None:
    contract = make_contract(seats=1, price="49")
    one, other = (make_contract_run(contract, codes=1) for _each in range(2))
    learner = make_user()
    first = buying(one, learner, codes_of(one)[0])
    leave_link_basket(owner=BasketOwner(user_id=learner.pk), now=NOON)  # in another window
    second = buying(other, learner, codes_of(other)[0])
    assert ContractMembership.objects.get().order == second
    cancel_order(order_id=second.pk, now=NOON, reason="not paid")
    assert ContractMembership.objects.get().order == first
    cancel_order(order_id=first.pk, now=NOON, reason="not paid")
    assert not ContractMembership.objects.exists()


def test_former_managers_are_not_named_as_contacts(run: ContractRun) -> None:
    organization = run.contract.terms.organization
    for name, is_active in (("Gone Long Ago", False), ("Dana Whitfield", True)):
        manager = make_user(name=name, is_active=is_active)
        OrganizationMembership.objects.create(
            organization=organization, user=manager, source="staff", is_manager=True, since=NOON
        )
    assert contacts_of([organization.pk]) == {organization.pk: "Dana Whitfield"}


@pytest.mark.parametrize(("before", "after"), [(None, 49), ("49", None)])
def test_an_outdated_contract_price_is_refused(before: str | None, after: int | None) -> None:
    run = make_contract_run(make_contract(seats=2, price=before), codes=1)
    ContractTerms.objects.update(price=after)  # in force; products and codes follow by the reconcile
    with pytest.raises(PriceChanging):
        buying(run, make_user(), codes_of(run)[0])
    Product.objects.update(price=after or 0)
    Discount.objects.update(amount=after or 0)
    assert buying(run, make_user(), codes_of(run)[0]).total == (after or 0)


@pytest.mark.parametrize("to", ["hers", "another's"])
def test_a_members_own_code_is_applied_automatically_in_a_priced_contract(to: str) -> None:
    contract = make_contract(seats=2, price="49")
    run = make_contract_run(contract, codes=2)
    learner = make_user("amara@northgate.test")
    add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON)
    given = codes_of(run)[1]
    DiscountCode.objects.filter(pk=given.pk).update(assigned_email=learner.email if to == "hers" else "joe@x.test")
    owner = BasketOwner(user_id=learner.pk)
    basket = add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    apply_assigned_codes(basket=basket, user=learner, now=NOON)
    priced = price_current_basket(owner, user_id=learner.pk, now=NOON)
    assert priced.can_check_out == (to == "hers")
    assert [each.code for each in priced.codes] == ([given] if to == "hers" else [])


@pytest.mark.parametrize("runs", [1, 5])
def test_a_members_organizations_cost_the_same_for_any_number_of_runs(
    runs: int, django_assert_num_queries: Any
) -> None:
    learner = make_user()
    for name in ("Northgate Health", "Harbor Council")[: 1 + (runs > 1)]:
        contract = make_contract(name=name, seats=9)
        for _each in range(runs):
            make_contract_run(contract)
        add_member(contract_id=contract.pk, user_id=learner.pk, now=NOON)
    with django_assert_num_queries(6):
        found = organizations_of(learner.pk, now=NOON)
    assert [len(each.contracts[0].runs) for each in found] == [runs] * (1 + (runs > 1))
    assert found[0].contracts[0].standing is ContractStanding.OPEN
    assert found[0].contracts[0].runs[0].can_start
