"""Getting into a contract by code, purchase or membership, through the services every door uses.

What pages say of it is in ``tests/frontend`` (redeem, cart, dashboard), single sign-on in ``test_sso*``, races in
``tests/concurrency``, handing out in ``test_assignments``.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from wagtail.models import PageLogEntry

from b2b.enums import MembershipSource, WithdrawnBy
from b2b.errors.handouts import PersonRefused
from b2b.errors.seats import (
    AccessWithdrawn,
    AlreadyHasCourse,
    ContractClosed,
    ContractEnded,
    ContractFull,
    NotAMember,
    SeatUnknown,
)
from b2b.models import (
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    HandOut,
    OrganizationMembership,
    Withdrawal,
)
from b2b.seats import claim_seat, lock_terms
from b2b.selectors.code_offers import code_offer
from b2b.services.handouts.assign import HandOutRequest, assign_code, hand_out
from b2b.services.handouts.recipients import Recipient, RecipientOutcome
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import put_in_link_basket, redeem_enrollment_code, start_course
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import OrderState, ReviewCause, UseState
from ecommerce.errors.checkout import CodeNeeded, SeveralCurrencies
from ecommerce.errors.codes import CodeForAnotherProduct, CodeUnknown, CodeUsed
from ecommerce.events import LinesRefunded
from ecommerce.models import CodeUse, DiscountCode, Order, Product
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    claim_baskets,
    leave_link_basket,
    remove_product,
)
from ecommerce.services.checkout.checkout import begin_checkout, cancel_order, place_order
from ecommerce.services.discounts.codes import free_uses
from ecommerce.services.orders.fulfillment import fulfill_or_review, fulfill_order
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
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

DAY = timedelta(days=1)


@pytest.fixture
def contract() -> ContractPage:
    return make_contract(seats=3)


@pytest.fixture
def run(contract: ContractPage) -> ContractRun:
    return make_contract_run(contract, codes=3)


@pytest.fixture
def learner() -> User:
    return make_user("amara.okafor@northgate.example")


def priced_run(*, seats: int | None = 3) -> ContractRun:
    run = make_contract_run(make_contract(seats=seats, price="49"), codes=3 if seats else 0)
    if not seats:
        shared_code(run)
    return run


def shared_code(run: ContractRun) -> DiscountCode:
    assert run.product is not None
    return make_code(run.product.unlocked_by, max_uses=None)


def cart(run: ContractRun, owner: BasketOwner, code: DiscountCode | None = None) -> BasketOwner:
    add_products(owner=owner, product_ids=[run.product_id or 0], now=NOON)
    if code is not None:
        apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    return owner


def order_of(run: ContractRun, learner: User, code: DiscountCode) -> Order:
    owner = cart(run, BasketOwner(user_id=learner.pk), code)
    return place_order(owner=owner, user_id=learner.pk, now=NOON)


def shown(owner: BasketOwner, now=NOON) -> list[int]:  # type: ignore[no-untyped-def]
    return [line.product.pk for line in price_current_basket(owner, user_id=owner.user_id, now=now).lines]


def withdraw(run: ContractRun, learner: User, now=NOON) -> None:  # type: ignore[no-untyped-def]
    remove_member(contract_id=run.contract_id, user_id=learner.pk, reason="left the ward", now=now)


def lifts(run: ContractRun) -> list[PageLogEntry]:
    return list(PageLogEntry.objects.filter(page_id=run.contract_id, action="b2b.withdrawal.lift").order_by("pk"))


class TestProductLink:
    def test_a_contract_product_opens_a_link_basket_holding_just_that_product(
        self, run: ContractRun, learner: User
    ) -> None:
        owner, public = BasketOwner(user_id=learner.pk), make_product()
        add_products(owner=owner, product_ids=[public.pk], now=NOON)
        cart(run, owner)
        assert shown(owner) == [run.product_id]

    def test_a_link_basket_is_never_merged_and_becomes_current_at_sign_in(
        self, run: ContractRun, learner: User
    ) -> None:
        owner, visitor, token = BasketOwner(user_id=learner.pk), make_product(), uuid4()
        add_products(owner=owner, product_ids=[visitor.pk], now=NOON)
        other = make_contract_run(run.contract, codes=1)
        cart(other, owner)
        cart(run, BasketOwner(token=token), codes_of(run)[0])
        claim_baskets(token=token, user_id=learner.pk, now=NOON)
        priced = price_current_basket(owner, user_id=learner.pk, now=NOON)
        assert [line.product.pk for line in priced.lines] == [run.product_id]
        assert [each.code for each in priced.codes] == [codes_of(run)[0]]
        assert priced.other_basket_count == 1

    def test_its_code_is_checked_again_at_sign_in(self, run: ContractRun, learner: User) -> None:
        token, code = uuid4(), codes_of(run)[0]
        cart(run, BasketOwner(token=token), code)
        redeem_enrollment_code(text=code.text, user_id=make_user().pk, now=NOON)
        claim_baskets(token=token, user_id=learner.pk, now=NOON)
        priced = price_current_basket(BasketOwner(user_id=learner.pk), user_id=learner.pk, now=NOON)
        assert not priced.can_check_out
        assert isinstance(priced.codes[0].refusal, CodeUsed)

    @pytest.mark.parametrize("way", ["bought", "emptied", "left", "a day later"])
    def test_the_ordinary_basket_waits_and_is_current_again(self, run: ContractRun, learner: User, way: str) -> None:
        owner, public = BasketOwner(user_id=learner.pk), make_product()
        add_products(owner=owner, product_ids=[public.pk], now=NOON)
        cart(run, owner, codes_of(run)[0])
        later = NOON
        if way == "bought":
            begin_checkout(owner=owner, user_id=learner.pk, now=NOON)
        elif way == "emptied":
            remove_product(owner=owner, product_id=run.product_id or 0, now=NOON)
        elif way == "left":
            leave_link_basket(owner=owner, now=NOON)
        else:
            later = NOON + DAY + timedelta(seconds=1)
        assert shown(owner, later) == [public.pk]

    def test_a_second_link_replaces_the_first(self, run: ContractRun, learner: User) -> None:
        owner, other = BasketOwner(user_id=learner.pk), make_contract_run(run.contract, codes=1)
        cart(run, owner, codes_of(run)[0])
        cart(other, owner)
        assert shown(owner) == [other.product_id]
        assert not price_current_basket(owner, user_id=learner.pk, now=NOON).codes

    def test_a_public_product_is_added_to_the_ordinary_basket(self, run: ContractRun, learner: User) -> None:
        owner, public = BasketOwner(user_id=learner.pk), make_product()
        cart(run, owner)
        basket = add_products(owner=owner, product_ids=[public.pk], now=NOON)
        assert not basket.is_link
        assert shown(owner) == [run.product_id]

    def test_no_check_out_until_the_products_own_code_is_applied(self, run: ContractRun, learner: User) -> None:
        owner = cart(run, BasketOwner(user_id=learner.pk))
        assert not price_current_basket(owner, user_id=learner.pk, now=NOON).can_check_out
        with pytest.raises(CodeNeeded):
            place_order(owner=owner, user_id=learner.pk, now=NOON)
        apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        assert price_current_basket(owner, user_id=learner.pk, now=NOON).can_check_out

    def test_a_zero_total_completes_at_once(self, run: ContractRun, learner: User) -> None:
        owner = cart(run, BasketOwner(user_id=learner.pk), codes_of(run)[0])
        checkout = begin_checkout(owner=owner, user_id=learner.pk, now=NOON)
        assert checkout.order.is_fulfilled
        assert Enrollment.objects.get().user == learner

    def test_a_priced_seat_is_taken_only_after_payment(self, learner: User) -> None:
        run = priced_run()
        order = order_of(run, learner, codes_of(run)[0])
        assert not Enrollment.objects.exists()
        fulfill_order(order_id=order.pk, now=NOON)
        assert Enrollment.objects.get().run == run.course_run


class TestSigningInWithALink:
    @pytest.mark.parametrize("price", [None, "49"])
    def test_a_code_assigned_to_a_confirmed_address_is_applied_automatically(
        self, price: str | None, learner: User
    ) -> None:
        run = make_contract_run(make_contract(seats=3, price=price), codes=3)
        hand_out(HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(learner.email)]), by_id=None, now=NOON)
        token = uuid4()
        cart(run, BasketOwner(token=token))
        claim_baskets(token=token, user_id=learner.pk, now=NOON)
        priced = price_current_basket(BasketOwner(user_id=learner.pk), user_id=learner.pk, now=NOON)
        assert [each.code.assigned_email for each in priced.codes] == [learner.email]
        assert priced.can_check_out

    def test_not_before_the_address_is_confirmed(self, run: ContractRun) -> None:
        unknown = make_user("amara@northgate.example", email_verified_at=None)
        hand_out(HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(unknown.email)]), by_id=None, now=NOON)
        token = uuid4()
        cart(run, BasketOwner(token=token))
        claim_baskets(token=token, user_id=unknown.pk, now=NOON)
        assert not price_current_basket(BasketOwner(user_id=unknown.pk), user_id=unknown.pk, now=NOON).codes

    def test_not_for_a_member_who_needs_none(self, run: ContractRun, learner: User) -> None:
        hand_out(HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(learner.email)]), by_id=None, now=NOON)
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON)
        token = uuid4()
        cart(run, BasketOwner(token=token))
        claim_baskets(token=token, user_id=learner.pk, now=NOON)
        priced = price_current_basket(BasketOwner(user_id=learner.pk), user_id=learner.pk, now=NOON)
        assert not priced.codes
        assert priced.can_check_out


class TestRedeemLink:
    def test_looking_at_what_a_code_opens_writes_nothing(self, run: ContractRun, learner: User) -> None:
        code_offer(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        assert not CodeUse.objects.exists()
        assert not ContractMembership.objects.exists()

    def test_one_use_covers_seat_and_course(self, run: ContractRun, learner: User) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)
        assert (CodeUse.objects.count(), ContractMembership.objects.count()) == (1, 1)

    def test_where_there_is_a_price_use_and_seat_begin_with_the_order(self, learner: User) -> None:
        run = priced_run()
        owner = BasketOwner(user_id=learner.pk)
        put_in_link_basket(text=codes_of(run)[0].text, owner=owner, user_id=learner.pk, now=NOON)
        assert not CodeUse.objects.exists()
        assert not ContractMembership.objects.exists()
        place_order(owner=owner, user_id=learner.pk, now=NOON)
        assert (CodeUse.objects.get().state, ContractMembership.objects.get().state) == ("held", "held")


class TestOneClick:
    def test_spare_codes_harm_nothing(self, run: ContractRun, learner: User) -> None:
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON)
        start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)
        assert not CodeUse.objects.exists()
        assert all(code.uses == 0 for code in codes_of(run))

    def test_the_contract_is_valid_today(self, run: ContractRun, learner: User) -> None:
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON)
        ContractTerms.objects.update(start=clock.date_of(NOON + DAY))
        with pytest.raises(ContractClosed):
            start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)

    def test_without_a_code_of_ones_own_the_cart_says_whom_to_ask(self, learner: User) -> None:
        run = priced_run()
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON)
        line = price_current_basket(cart(run, BasketOwner(user_id=learner.pk)), user_id=learner.pk, now=NOON).lines[0]
        assert line.needs_code
        assert line.provider == "Northgate Health"


class TestHold:
    def test_trying_again_uses_the_pending_order_again(self, learner: User) -> None:
        run = priced_run()
        first = order_of(run, learner, codes_of(run)[0])
        assert place_order(owner=BasketOwner(user_id=learner.pk), user_id=learner.pk, now=NOON) == first
        assert (CodeUse.objects.count(), ContractMembership.objects.count()) == (1, 1)

    def test_a_hold_ends_when_the_order_leaves_pending(self, learner: User) -> None:
        run = priced_run(seats=1)
        order = order_of(run, learner, codes_of(run)[0])
        with pytest.raises(ContractFull):
            order_of(run, make_user(), codes_of(run)[1])
        cancel_order(order_id=order.pk, now=NOON, reason="not paid")
        assert not ContractMembership.objects.exists()
        assert order_of(run, make_user(), codes_of(run)[0]).state == OrderState.PENDING

    def test_validity_is_judged_when_the_order_is_placed(self, learner: User) -> None:
        run = priced_run()
        order = order_of(run, learner, codes_of(run)[0])
        ContractTerms.objects.update(end=clock.date_of(NOON) - DAY, active=False)
        assert fulfill_or_review(order_id=order.pk, now=NOON).is_fulfilled

    @pytest.mark.parametrize("taken", [False, True])
    def test_money_after_a_lapsed_hold_claims_again_or_goes_to_review(self, learner: User, taken: bool) -> None:
        run = priced_run(seats=1)
        order = order_of(run, learner, codes_of(run)[0])
        cancel_order(order_id=order.pk, now=NOON, reason="not paid in time")
        if taken:
            add_member(contract_id=run.contract_id, user_id=make_user().pk, now=NOON)
        order.refresh_from_db()
        order.move(OrderState.REVIEW, at=NOON, cause=ReviewCause.PAID_AFTER_HOLD)
        ended = fulfill_or_review(order_id=order.pk, now=NOON)
        assert ended.state == (OrderState.REVIEW if taken else OrderState.FULFILLED)
        assert Enrollment.objects.exists() is not taken

    @pytest.mark.parametrize("to_them", [False, True])
    def test_late_money_does_not_take_a_reassigned_code(self, learner: User, to_them: bool) -> None:
        run = priced_run()
        code = codes_of(run)[0]
        order = order_of(run, learner, code)
        cancel_order(order_id=order.pk, now=NOON, reason="not paid in time")
        email = learner.email if to_them else "ines@northgate.example"
        assign_code(code_id=code.pk, email=email, by_id=None, now=NOON + DAY)
        order.refresh_from_db()
        order.move(OrderState.REVIEW, at=NOON, cause=ReviewCause.PAID_AFTER_HOLD)
        ended = fulfill_or_review(order_id=order.pk, now=NOON + DAY)
        assert ended.state == (OrderState.FULFILLED if to_them else OrderState.REVIEW)
        code.refresh_from_db()
        assert code.uses == int(to_them)


class TestPricing:
    def test_no_other_discount_touches_the_line_and_applying_one_never_removes_the_code(self, learner: User) -> None:
        run = priced_run()
        make_discount(amount="50", automatic=True)
        other = make_code(make_discount(amount="90"), text="WELCOME90")
        owner = cart(run, BasketOwner(user_id=learner.pk), codes_of(run)[0])
        with pytest.raises(CodeForAnotherProduct):
            apply_code(owner=owner, text=other.text, user_id=learner.pk, now=NOON)
        priced = price_current_basket(owner, user_id=learner.pk, now=NOON)
        assert (priced.lines[0].due, priced.lines[0].code) == (Money("49", "USD"), codes_of(run)[0])

    def test_each_contract_product_needs_its_own_code(self, run: ContractRun, learner: User) -> None:
        other = make_contract_run(run.contract, codes=1)
        owner = BasketOwner(user_id=learner.pk)
        add_products(owner=owner, product_ids=[run.product_id or 0, other.product_id or 0], now=NOON)
        apply_code(owner=owner, text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        lines = price_current_basket(owner, user_id=learner.pk, now=NOON).lines
        assert [line.needs_code for line in lines] == [False, True]

    def test_one_currency_for_each_basket(self, run: ContractRun, learner: User) -> None:
        other = make_contract_run(run.contract, codes=1)
        Product.objects.filter(contract_run=other).update(currency="EUR")
        owner = BasketOwner(user_id=learner.pk)
        add_products(owner=owner, product_ids=[run.product_id or 0, other.product_id or 0], now=NOON)
        refusals = price_current_basket(owner, user_id=learner.pk, now=NOON).refusals
        assert any(isinstance(each, SeveralCurrencies) for each in refusals)


class TestSameLearnerAgain:
    def test_the_same_code_is_no_second_use(self, run: ContractRun, learner: User) -> None:
        for _again in range(2):
            redemption = redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        assert redemption.was_redeemed_before
        assert CodeUse.objects.count() == 1

    def test_another_valid_code_stays_free(self, run: ContractRun, learner: User) -> None:
        one, other = codes_of(run)[:2]
        redeem_enrollment_code(text=one.text, user_id=learner.pk, now=NOON)
        with pytest.raises(AlreadyHasCourse):
            redeem_enrollment_code(text=other.text, user_id=learner.pk, now=NOON)
        other.refresh_from_db()
        assert other.uses == 0

    def test_an_unlimited_code_counts_one_use_for_each_learner(self, learner: User) -> None:
        run = make_contract_run(make_contract())
        code = shared_code(run)
        for user in (learner, learner, make_user()):
            redeem_enrollment_code(text=code.text, user_id=user.pk, now=NOON)
        assert CodeUse.objects.filter(state=UseState.CONFIRMED).count() == 2


class TestWithdrawn:
    def test_uses_are_retired_the_seat_is_free_and_the_courses_end(self, run: ContractRun, learner: User) -> None:
        colleague = make_user()
        for user, code in zip((learner, colleague), codes_of(run), strict=False):
            redeem_enrollment_code(text=code.text, user_id=user.pk, now=NOON)
        withdraw(run, learner)
        assert list(ContractMembership.objects.values_list("user", flat=True)) == [colleague.pk]
        assert CodeUse.objects.get(user=learner).state == UseState.RETIRED
        assert CodeUse.objects.get(user=colleague).state == UseState.CONFIRMED
        assert list(Enrollment.objects.active().values_list("user", flat=True)) == [colleague.pk]
        assert Withdrawal.objects.get().reason == "left the ward"
        with pytest.raises(SeatUnknown):
            withdraw(run, learner)

    def test_learners_keep_courses_they_have_from_elsewhere(self, run: ContractRun, learner: User) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        enroll(
            user_id=learner.pk, run_id=run.course_run_id, mode=EnrollmentMode.AUDIT, source=EnrollmentSource.MANUAL,
            reference="", now=NOON, granted_by_id=make_user().pk, reason="a goodwill",
        )  # fmt: skip
        withdraw(run, learner)
        assert Enrollment.objects.get().active

    def test_the_same_code_says_so_at_every_door(self, run: ContractRun, learner: User) -> None:
        code = codes_of(run)[0]
        owner = cart(run, BasketOwner(user_id=learner.pk), code)
        redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        with pytest.raises(AccessWithdrawn, match=r"Your access was withdrawn by Northgate Health"):
            code_offer(text=code.text, user_id=learner.pk, now=NOON)
        with pytest.raises(AccessWithdrawn):
            redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON)
        with pytest.raises(AccessWithdrawn):
            apply_code(owner=owner, text=code.text, user_id=learner.pk, now=NOON)
        with pytest.raises((CodeNeeded, AccessWithdrawn)):
            place_order(owner=owner, user_id=learner.pk, now=NOON)
        with pytest.raises(NotAMember):
            start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON)
        with pytest.raises(CodeUsed):  # to others it is used
            redeem_enrollment_code(text=code.text, user_id=make_user().pk, now=NOON)
        with pytest.raises(CodeUnknown):  # and no one else is told
            code_offer(text=code.text, user_id=None, now=NOON)

    def test_an_unlimited_code_and_any_other_one_too(self, run: ContractRun, learner: User) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        with pytest.raises(AccessWithdrawn):
            redeem_enrollment_code(text=codes_of(run)[1].text, user_id=learner.pk, now=NOON)
        with pytest.raises(AccessWithdrawn):
            order_of(run, learner, codes_of(run)[2])

    def test_single_sign_on_does_not_bring_them_back(self, run: ContractRun, learner: User) -> None:
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON, source=MembershipSource.SSO)
        withdraw(run, learner)
        terms = lock_terms([run.contract_id])[run.contract_id]
        with pytest.raises(AccessWithdrawn):
            claim_seat(terms=terms, user_id=learner.pk, state="active", source=MembershipSource.SSO, now=NOON)

    def test_staff_give_back_with_the_code(self, run: ContractRun, learner: User) -> None:
        code = codes_of(run)[0]
        redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON + DAY)
        assert CodeUse.objects.get().state == UseState.CONFIRMED
        assert Withdrawal.objects.get().lifted_at == NOON + DAY
        assert start_course(contract_run_id=run.pk, user_id=learner.pk, now=NOON + DAY).active
        assert redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON + DAY).was_redeemed_before
        withdraw(run, learner, NOON + DAY * 2)
        with pytest.raises(AccessWithdrawn):
            redeem_enrollment_code(text=code.text, user_id=learner.pk, now=NOON + DAY * 2)

    def test_no_code_handed_out_since_lifts_what_staff_withdrew(self, run: ContractRun, learner: User) -> None:
        """Nor does a code of the contract's other course, nor one that reaches them in a list with others."""
        other = make_contract_run(run.contract, codes=3)
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        for each in (run, other):
            plan = hand_out(
                HandOutRequest(
                    contract_run_id=each.pk,
                    recipients=[Recipient(learner.email), Recipient("samuel@northgate.example")],
                ),
                by_id=None,
                now=NOON + DAY,
            )
            assert [row.outcome for row in plan.rows] == [RecipientOutcome.WITHDRAWN, RecipientOutcome.GETS_CODE]
            assert "only we can restore it" in plan.rows[0].sentence
            free = codes_of(each)[-1]
            with pytest.raises(PersonRefused, match=r"Add the person under “Members”"):
                assign_code(code_id=free.pk, email=learner.email, by_id=None, now=NOON + DAY)
        # The guard at the door holds on its own, whatever was handed out.
        given = codes_of(other)[-1]
        DiscountCode.objects.filter(pk=given.pk).update(assigned_email=learner.email, assigned_at=NOON + DAY)
        with pytest.raises(AccessWithdrawn):
            redeem_enrollment_code(text=given.text, user_id=learner.pk, now=NOON + DAY)
        assert Withdrawal.objects.get().lifted_at is None

    def test_the_seat_function_lifts_no_staff_withdrawal_for_a_code(self, run: ContractRun, learner: User) -> None:
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        terms = lock_terms([run.contract_id])[run.contract_id]
        with pytest.raises(AccessWithdrawn):
            claim_seat(
                terms=terms, user_id=learner.pk, state="active", source=MembershipSource.CODE, now=NOON,
                lifts_withdrawal=True,
            )  # fmt: skip

    def test_a_code_given_since_lifts_what_a_manager_withdrew(self, run: ContractRun, learner: User) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        remove_member(
            contract_id=run.contract_id, user_id=learner.pk, reason="", now=NOON, authority=WithdrawnBy.MANAGER
        )
        with pytest.raises(AccessWithdrawn):
            redeem_enrollment_code(text=codes_of(run)[2].text, user_id=learner.pk, now=NOON)
        hand_out(
            HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(learner.email)]), by_id=None, now=NOON + DAY
        )
        given = DiscountCode.objects.get(assigned_email=learner.email)
        assert redeem_enrollment_code(text=given.text, user_id=learner.pk, now=NOON + DAY).enrollment.active
        assert Withdrawal.objects.get().lifted_at == NOON + DAY
        assert [entry.data["withdrawn_by"] for entry in lifts(run)] == ["manager"]

    def test_the_membership_that_came_with_a_seat_ends_with_the_last_one(self, run: ContractRun, learner: User) -> None:
        colleague = make_user()
        second = make_contract_run(make_contract(run.contract.get_parent().specific, seats=3), codes=3)
        for user, number in ((learner, 0), (colleague, 1)):
            for each in (run, second):
                redeem_enrollment_code(text=codes_of(each)[number].text, user_id=user.pk, now=NOON)
        organizations = OrganizationMembership.objects.filter(user=learner)
        withdraw(run, learner)
        assert organizations.exists(), "there is a seat in the other contract"
        withdraw(second, learner)
        assert not organizations.exists()
        assert OrganizationMembership.objects.filter(user=colleague).exists()
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON + DAY)
        assert organizations.get().source == MembershipSource.STAFF

    @pytest.mark.parametrize(
        ("facts", "source"),
        [
            ({"is_manager": True}, MembershipSource.CODE),
            ({"source": MembershipSource.STAFF}, MembershipSource.STAFF),
            ({"seen_in_claim": True}, MembershipSource.SSO),
        ],
    )
    def test_a_membership_with_another_source_stays(
        self, run: ContractRun, learner: User, facts: dict[str, object], source: MembershipSource
    ) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        OrganizationMembership.objects.filter(user=learner).update(**facts)
        withdraw(run, learner)
        assert OrganizationMembership.objects.get(user=learner).source == source

    def test_each_lift_is_in_the_contracts_activity(self, run: ContractRun, learner: User) -> None:
        staff = make_user()
        for day in (0, 2):
            add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON + DAY * day, added_by_id=staff.pk)
            withdraw(run, learner, NOON + DAY * (day + 1))
        assert [(entry.user_id, entry.data["user"]) for entry in lifts(run)] == [(staff.pk, learner.pk)]

    def test_codes_that_waited_for_them_are_taken_back(self, run: ContractRun, learner: User) -> None:
        other = make_contract_run(run.contract, codes=1)
        for each in (other, run):
            hand_out(
                HandOutRequest(contract_run_id=each.pk, recipients=[Recipient(learner.email)]), by_id=None, now=NOON
            )
        mine = DiscountCode.objects.get(assigned_email=learner.email, discount__unlocks=run.product_id)
        redeem_enrollment_code(text=mine.text, user_id=learner.pk, now=NOON)
        withdraw(run, learner)
        assert not DiscountCode.objects.filter(discount__unlocks=other.product_id).exclude(assigned_email="").exists()
        assert HandOut.objects.open().count() == 1, "the one that was used stays as a trace"

    @pytest.mark.parametrize("seats", [3, None])
    @pytest.mark.parametrize("late", [False, True])
    def test_money_that_comes_then_goes_to_review(self, seats: int | None, late: bool, learner: User) -> None:
        """Also for the shared code, which never runs out of uses."""
        run = priced_run(seats=seats)
        order = order_of(run, learner, codes_of(run)[0])
        withdraw(run, learner)
        if late:
            cancel_order(order_id=order.pk, now=NOON, reason="not paid in time")
            order.refresh_from_db()
            order.move(OrderState.REVIEW, at=NOON, cause=ReviewCause.PAID_AFTER_HOLD)
        ended = fulfill_or_review(order_id=order.pk, now=NOON)
        assert ended.state == OrderState.REVIEW
        assert ended.review_cause in (ReviewCause.REFUSED, ReviewCause.CODE_GONE)
        assert not ContractMembership.objects.exists()
        assert not Enrollment.objects.exists()


class TestRefund:
    def refunded(self, order: Order, code_ids: tuple[int, ...]) -> None:
        with transaction.atomic():
            Order.objects.filter(pk=order.pk).update(state=OrderState.REFUNDED)
            free_uses(order_id=order.pk, code_ids=code_ids, now=NOON)
            publish(
                LinesRefunded(
                    order_id=order.pk, purchaser_id=order.purchaser_id, line_ids=(), freed_code_ids=code_ids, at=NOON
                )
            )

    def paid(self, run: ContractRun, learner: User) -> tuple[Order, DiscountCode]:
        code = next(code for code in codes_of(run) if not code.uses)
        order = order_of(run, learner, code)
        return fulfill_order(order_id=order.pk, now=NOON), code

    def test_with_the_code_freed_the_seat_ends(self, learner: User) -> None:
        run = priced_run()
        order, code = self.paid(run, learner)
        self.refunded(order, (code.pk,))
        assert CodeUse.objects.get().state == UseState.RELEASED
        assert not ContractMembership.objects.exists()

    @pytest.mark.parametrize("is_paid", [True, False])
    def test_with_another_course_in_checkout_the_seat_is_held_for_that_order(
        self, learner: User, is_paid: bool
    ) -> None:
        run = priced_run()
        other = make_contract_run(run.contract, codes=3)
        order, code = self.paid(run, learner)
        pending = order_of(other, learner, codes_of(other)[0])
        self.refunded(order, (code.pk,))
        seat = ContractMembership.objects.get()
        assert (seat.state, seat.order_id) == ("held", pending.pk)
        if is_paid:
            fulfill_order(order_id=pending.pk, now=NOON)
            assert ContractMembership.objects.get().state == "active"
        else:
            cancel_order(order_id=pending.pk, now=NOON, reason="not paid in time")
            assert not ContractMembership.objects.exists(), "no one sits on a seat without a code"

    def test_not_if_it_was_not_the_learners_only_one_in_the_contract(self, learner: User) -> None:
        run = priced_run()
        other = make_contract_run(run.contract, codes=1)
        first, code = self.paid(run, learner)
        second, another = self.paid(other, learner)
        self.refunded(first, (code.pk,))
        assert ContractMembership.objects.count() == 1
        self.refunded(second, (another.pk,))
        assert not ContractMembership.objects.exists()

    def test_not_freed_the_seat_stays(self, learner: User) -> None:
        run = priced_run()
        order, _code = self.paid(run, learner)
        self.refunded(order, ())
        assert ContractMembership.objects.get().state == "active"

    @pytest.mark.parametrize("source", ["sso", "staff", "api"])
    def test_a_seat_that_did_not_come_by_the_code_stays(self, learner: User, source: str) -> None:
        run = priced_run()
        add_member(contract_id=run.contract_id, user_id=learner.pk, now=NOON, source=source)
        order, code = self.paid(run, learner)
        ContractMembership.objects.update(source=source)
        self.refunded(order, (code.pk,))
        assert ContractMembership.objects.get().source == source


class TestTheEnd:
    def test_members_keep_their_courses_and_no_one_new_joins(self, run: ContractRun, learner: User) -> None:
        redeem_enrollment_code(text=codes_of(run)[0].text, user_id=learner.pk, now=NOON)
        ContractTerms.objects.update(end=clock.date_of(NOON) - DAY)
        assert Enrollment.objects.get().active
        with pytest.raises(ContractEnded):
            redeem_enrollment_code(text=codes_of(run)[1].text, user_id=make_user().pk, now=NOON)
        with pytest.raises(ContractClosed):
            start_course(contract_run_id=make_contract_run(run.contract).pk, user_id=learner.pk, now=NOON)
