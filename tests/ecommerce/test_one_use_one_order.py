"""A use of a code belongs to one order, whatever happens to the payment and the basket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction

from b2b.selectors.code_offers import code_offer
from b2b.services.seats.redemption import put_in_link_basket
from courses.models import Enrollment
from ecommerce.enums import OrderState, RedemptionType, UseState
from ecommerce.errors.checkout import PaymentUnderWay
from ecommerce.errors.codes import CodeInUse, CodeUsed
from ecommerce.models import CodeUse, Discount, DiscountCode, Order
from ecommerce.selectors.audit import find_discrepancies
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code, remove_product
from ecommerce.services.checkout.checkout import begin_checkout, release_lapsed_orders
from ecommerce.services.checkout.review import fulfill_from_review
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.tasks import audit_books
from mitxonline.users.models import User
from tests.ecommerce.paying import latest_attempt
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
from tests.factories.orders import make_paid_order
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(days=2)

LIMITS: dict[str, dict[str, Any]] = {
    "one_time": {"redemption": RedemptionType.ONE_TIME, "max_uses": 1},
    "once_per_user": {"redemption": RedemptionType.ONE_TIME_PER_USER, "max_uses": None},
    "thrice": {"redemption": RedemptionType.UNLIMITED, "max_uses": 3},
}


@pytest.fixture
def learner() -> User:
    return make_user()


@pytest.fixture
def owner(learner: User) -> BasketOwner:
    return BasketOwner(user_id=learner.pk)


@pytest.fixture(params=LIMITS)
def code(request: pytest.FixtureRequest) -> DiscountCode:
    return limited(request.param)


def limited(kind: str, *, percent: str = "50") -> DiscountCode:
    how = LIMITS[kind]
    discount = make_discount(amount=percent, redemption_type=how["redemption"])
    return make_code(discount, max_uses=how["max_uses"])


def buy(owner: BasketOwner, price: str, code: DiscountCode | None = None, *, now: datetime = NOON) -> Order:
    """Add a product to the basket, with the code if given, and check out."""
    add_products(owner=owner, product_ids=[make_product(price=price).pk], now=now)
    if code is not None:
        apply_code(owner=owner, text=code.text, user_id=owner.user_id or 0, now=now)
    return begin_checkout(owner=owner, user_id=owner.user_id or 0, now=now).order


def empty(owner: BasketOwner, order: Order) -> None:
    for product_id in order.lines.values_list("product_id", flat=True):
        remove_product(owner=owner, product_id=product_id, now=NOON)


def pay(api: StripeServer, order: Order, *, by_bank: bool = False, now: datetime = NOON) -> Order:
    attempt = latest_attempt(order)
    (api.pay_later if by_bank else api.pay)(attempt.session_id)
    return confirm_attempt(attempt_id=attempt.pk, now=now)


def under_way(api: StripeServer, owner: BasketOwner, code: DiscountCode) -> Order:
    """An order with the code that a bank takes days to pay, out of the basket again; the code is still on it."""
    order = pay(api, buy(owner, "100", code), by_bank=True)
    assert order.state == OrderState.PENDING
    empty(owner, order)
    return order


def fulfilled_uses() -> list[tuple[int, str]]:
    return sorted(CodeUse.objects.live().values_list("order_id", "state"))


def test_a_code_in_use_prices_no_second_basket(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = under_way(stripe_api, owner, code)
    second = buy(owner, "80")
    assert second.total == 80, "the code is the first order's"
    with pytest.raises(CodeInUse, match=f"in use for your order {first.number}"):
        buy(owner, "60", code)
    applied = price_current_basket(owner, user_id=owner.user_id, now=NOON).codes
    (refusal,) = [each.refusal for each in applied]
    assert str(refusal).startswith(f"This code is in use for your order {first.number}.")


def test_a_code_in_payment_stays_in_use_after_the_hold(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    under_way(stripe_api, owner, code)
    release_lapsed_orders(now=LATER)
    assert buy(owner, "80", now=LATER).total == 80
    with pytest.raises(CodeInUse):
        buy(owner, "60", code, now=LATER)


@pytest.mark.parametrize("kind", LIMITS)
def test_a_full_discount_is_not_given_again_beside_a_bank_debit(
    stripe_api: StripeServer, owner: BasketOwner, kind: str
) -> None:
    code = limited(kind, percent="100")
    dear = make_product(price="5")
    discount = code.discount
    discount.for_all_products = False
    discount.save()
    gift, next_gift = make_product(price="500"), make_product(price="700")
    discount.products.set([gift, next_gift])
    add_products(owner=owner, product_ids=[dear.pk], now=NOON)
    add_products(owner=owner, product_ids=[gift.pk], now=NOON)
    apply_code(owner=owner, text=code.text, user_id=owner.user_id, now=NOON)
    order = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON).order
    assert (order.list_total, order.total) == (505, 5)
    pay(stripe_api, order, by_bank=True)
    empty(owner, order)
    add_products(owner=owner, product_ids=[next_gift.pk], now=NOON)
    second = begin_checkout(owner=owner, user_id=owner.user_id or 0, now=NOON).order
    assert (second.state, second.total) == (OrderState.PENDING, 700)
    assert not Enrollment.objects.exists()


def test_five_more_orders_at_half_price_are_none(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = under_way(stripe_api, owner, code)
    for price in ("80", "60", "40"):
        assert pay(stripe_api, buy(owner, price)).state == OrderState.FULFILLED
    cheap = Order.objects.exclude(discount_total=0)
    assert list(cheap) == [first]
    assert fulfilled_uses() == [(first.pk, UseState.HELD)]
    stripe_api.bank_says(latest_attempt(first).session_id, yes=True)
    assert confirm_attempt(attempt_id=latest_attempt(first).pk, now=LATER).state == OrderState.FULFILLED
    assert fulfilled_uses() == [(first.pk, UseState.CONFIRMED)]


def test_a_decline_gives_the_use_to_one_who_asks(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = under_way(stripe_api, owner, code)
    pay(stripe_api, buy(owner, "80"))
    stripe_api.bank_says(latest_attempt(first).session_id, yes=False)
    assert confirm_attempt(attempt_id=latest_attempt(first).pk, now=NOON).state == OrderState.DECLINED
    assert fulfilled_uses() == []
    second = pay(stripe_api, buy(owner, "60", code))
    assert (second.state, second.total) == (OrderState.FULFILLED, 30)
    assert fulfilled_uses() == [(second.pk, UseState.CONFIRMED)]
    with pytest.raises(CodeUsed, match=f"You used this code for your order {second.number}"):
        buy(owner, "40", code)


def test_an_order_that_replaces_another_has_its_use(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = buy(owner, "100", code)
    second = buy(owner, "80")
    assert second.total == 90
    first.refresh_from_db()
    assert first.state == OrderState.CANCELED
    assert fulfilled_uses() == [(second.pk, UseState.HELD)]


def test_money_for_the_replaced_one_gets_no_second_use(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = buy(owner, "100", code)
    old_page = latest_attempt(first)
    second = buy(owner, "80")
    stripe_api.sessions[old_page.session_id]["status"] = "open"
    after = pay(stripe_api, first)
    assert (after.state, after.review_cause) == (OrderState.REVIEW, "code_gone")
    assert pay(stripe_api, second).state == OrderState.FULFILLED
    assert fulfilled_uses() == [(second.pk, UseState.CONFIRMED)]


def test_an_order_in_review_holds_nothing_and_gets_no_second_use(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = buy(owner, "100", code)
    stripe_api.pay(latest_attempt(first).session_id, amount_total=4900)
    first = confirm_attempt(attempt_id=latest_attempt(first).pk, now=NOON)
    assert first.review_cause == "amount_differs"
    empty(owner, first)
    second = pay(stripe_api, buy(owner, "80"))
    assert (second.total, second.state) == (40, OrderState.FULFILLED)
    with pytest.raises(CodeUsed, match=f"The buyer’s use of its code belongs to order {second.number}"):
        fulfill_from_review(order_id=first.pk, reason="they wrote", by_id=None, now=NOON)
    first.refresh_from_db()
    assert first.state == OrderState.REVIEW
    assert fulfilled_uses() == [(second.pk, UseState.CONFIRMED)]


def test_money_for_a_lapsed_order_gets_no_second_use(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    first = buy(owner, "100", code)
    old_page = latest_attempt(first)
    release_lapsed_orders(now=LATER)
    empty(owner, first)
    second = pay(stripe_api, buy(owner, "80", now=LATER), now=LATER)
    assert (second.total, second.state) == (40, OrderState.FULFILLED)
    stripe_api.sessions[old_page.session_id]["status"] = "open"
    after = pay(stripe_api, first, now=LATER)
    assert (after.state, after.review_cause) == (OrderState.REVIEW, "code_gone")
    assert second.number in after.explanation
    assert fulfilled_uses() == [(second.pk, UseState.CONFIRMED)]


def test_an_order_without_its_use_goes_to_review(
    stripe_api: StripeServer, owner: BasketOwner, code: DiscountCode
) -> None:
    order = buy(owner, "100", code)
    CodeUse.objects.all().delete()
    after = pay(stripe_api, order)
    assert (after.state, after.review_cause) == (OrderState.REVIEW, "code_use_missing")
    assert not Enrollment.objects.exists()


def test_an_unlimited_code_serves_every_order(stripe_api: StripeServer, owner: BasketOwner) -> None:
    code = make_code(make_discount(amount="50"))
    first = under_way(stripe_api, owner, code)
    second = pay(stripe_api, buy(owner, "80"))
    assert (second.total, second.state) == (40, OrderState.FULFILLED)
    stripe_api.bank_says(latest_attempt(first).session_id, yes=True)
    assert confirm_attempt(attempt_id=latest_attempt(first).pk, now=LATER).state == OrderState.FULFILLED


def sold(buyer: User, code: DiscountCode) -> Order:
    return make_paid_order(make_product(), buyer=buyer, code=code)


class TestInTheDatabase:
    def test_an_order_is_not_fulfilled_without_a_use_of_its_own(self, learner: User) -> None:
        code = limited("one_time")
        first, second = sold(learner, code), make_paid_order(make_product(), buyer=learner, state=OrderState.PENDING)
        check_now()
        second.lines.update(code=code, takes_use=True)
        with refused():
            second.move(OrderState.FULFILLED, at=NOON)
        assert first.code_uses.get().state == UseState.CONFIRMED

    def test_a_sold_orders_use_cannot_be_released(self, learner: User) -> None:
        with refused():
            CodeUse.objects.filter(order=sold(learner, limited("one_time"))).update(state=UseState.RELEASED)

    @pytest.mark.parametrize("change", [{"state": UseState.RELEASED}, {"order": None}])
    def test_its_use_is_not_taken_away(self, learner: User, change: dict[str, Any]) -> None:
        order = sold(learner, limited("once_per_user"))
        check_now()
        with refused():
            CodeUse.objects.filter(order=order).update(**change)
        with refused():
            CodeUse.objects.filter(order=order).delete()

    def test_staff_may_retire_it_and_a_refund_may_free_it(self, learner: User) -> None:
        retired, refunded = sold(learner, limited("one_time")), sold(learner, limited("one_time"))
        check_now()
        CodeUse.objects.filter(order=retired).update(state=UseState.RETIRED)
        refunded.move(OrderState.REFUNDED, at=NOON)
        CodeUse.objects.filter(order=refunded).update(state=UseState.RELEASED)
        check_now()

    def test_a_code_without_limit_needs_none(self, learner: User) -> None:
        order = sold(learner, make_code())
        CodeUse.objects.filter(order=order).delete()
        check_now()


class TestAudit:
    def test_books_that_agree(self, learner: User) -> None:
        sold(learner, limited("one_time"))
        sold(make_user(), make_code())
        assert list(find_discrepancies()) == []
        out, err = StringIO(), StringIO()
        call_command("commerce_audit", stdout=out, stderr=err)
        assert (out.getvalue(), err.getvalue()) == ("", "Everything is consistent.\n")

    def test_disagreeing_uses_are_listed_and_logged(self, learner: User, caplog: pytest.LogCaptureFixture) -> None:
        fine, code, other = sold(learner, limited("one_time")), limited("one_time"), limited("thrice")
        first = sold(learner, code)
        second = make_paid_order(make_product(), buyer=learner, state=OrderState.REVIEW)
        check_now()
        with unwatched():
            first.code_uses.update(order=second, state=UseState.HELD, held_until=NOON)
        DiscountCode.objects.filter(pk=other.pk).update(uses=2)
        found = [(each.check, each.subject) for each in find_discrepancies()]
        assert found == [("use", first.number), ("hold", second.number), ("count", str(other.pk))]
        assert fine.number not in [subject for _check, subject in found]
        out = StringIO()
        with pytest.raises(CommandError, match="Found 3 inconsistencies"):
            call_command("commerce_audit", stdout=out, format="json")
        assert len(json.loads(out.getvalue())) == 3
        audit_books()
        assert [record.subject for record in caplog.records if record.name == "ecommerce.tasks"] == [  # type: ignore[attr-defined]
            first.number,
            second.number,
            str(other.pk),
        ]
        with unwatched():
            CodeUse.objects.filter(order=second).update(order=first, state=UseState.CONFIRMED, held_until=None)


class TestContracts:
    """A code of a contract opens one product: what comes with it again is the same purchase."""

    @pytest.mark.parametrize("seats", [3, None])
    def test_a_code_in_payment_is_reported_as_in_use(
        self, stripe_api: StripeServer, owner: BasketOwner, learner: User, seats: int | None
    ) -> None:
        contract = make_contract(seats=seats, price="49")
        run, other = (make_contract_run(contract, codes=2 if seats else 0) for _time in range(2))
        for each in (run, other) if not seats else ():
            make_code(Discount.objects.get(unlocks=each.product_id))
        text = codes_of(run)[0].text
        put_in_link_basket(text=text, owner=owner, user_id=learner.pk, now=NOON)
        order = begin_checkout(owner=owner, user_id=learner.pk, now=NOON).order
        code_offer(text=text, user_id=learner.pk, now=NOON)  # no one pays yet: it can be begun anew
        pay(stripe_api, order, by_bank=True)
        for now in (NOON, LATER):
            with pytest.raises(CodeInUse, match=order.number):
                code_offer(text=text, user_id=learner.pk, now=now)
        assert code_offer(text=codes_of(other)[0].text, user_id=learner.pk, now=NOON).contract_run == other
        with pytest.raises(PaymentUnderWay):
            begin_checkout(owner=owner, user_id=learner.pk, now=NOON, expected_total=order.money)
        stripe_api.bank_says(latest_attempt(order).session_id, yes=True)
        assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=LATER).state == OrderState.FULFILLED


def check_now() -> None:
    """Run the deferred constraints now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


@contextmanager
def refused() -> Iterator[None]:
    """Expect the database to refuse the block's writes when its constraints run."""
    undone = pytest.raises(IntegrityError, match="without a use of its code")
    with undone, transaction.atomic():
        yield
        check_now()


@contextmanager
def unwatched() -> Iterator[None]:
    """Write without triggers, as a restored dump or a manual fix does."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")
