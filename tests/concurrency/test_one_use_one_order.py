"""One learner, one code, two orders at once: only one order gets the use."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from django.db import connections

from ecommerce.enums import AttemptState, OrderState, RedemptionType, UseState
from ecommerce.errors.codes import CodeInUse, CodeUsed
from ecommerce.models import BasketCode, CodeUse, DiscountCode, Order
from ecommerce.selectors.basket_prices import price_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code, remove_product
from ecommerce.services.checkout import checkout
from ecommerce.services.discounts import codes
from ecommerce.services.discounts.codes import CLAIM, hold_code, use_code
from ecommerce.services.payment.payments import confirm_attempt
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.users.models import User
from tests.ecommerce.paying import check_out, latest_attempt
from tests.factories import NOON, make_code, make_discount, make_product, make_user
from tests.support.stripe import StripeServer
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)

WHOSE = "use.order_id = %(order)s\n        OR rule.is_shared OR (rule.opens AND use.state = 'confirmed')"


def one_time_code() -> DiscountCode:
    return make_code(make_discount(amount="50", redemption_type=RedemptionType.ONE_TIME), max_uses=1)


def put_in(user: User, price: str) -> int:
    product = make_product(price=price)
    add_products(owner=BasketOwner(user_id=user.pk), product_ids=[product.pk], now=NOON)
    return product.pk


def at_the_payment_page(user: User, code: DiscountCode) -> Order:
    """An order with the code; in the cart it has been swapped for another course, and the code is still there."""
    owner = BasketOwner(user_id=user.pk)
    first = put_in(user, "100")
    apply_code(owner=owner, text=code.text, user_id=user.pk, now=NOON)
    order = check_out(user).order
    remove_product(owner=owner, product_id=first, now=NOON)
    put_in(user, "80")
    return order


def cheap_orders() -> list[Order]:
    """Orders that have the discount and live."""
    living = (OrderState.PENDING, OrderState.FULFILLED)
    return list(Order.objects.filter(state__in=living).exclude(discount_total=0))


def books(code: DiscountCode) -> tuple[int, int]:
    code.refresh_from_db()
    return code.uses, CodeUse.objects.live().filter(code=code).count()


def buy_while_the_bank_takes_the_first(
    api: StripeServer, user: User, first: Order, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """Check out, and let the word that the first order is being paid come when this one has just been priced."""
    attempt = latest_attempt(first)
    api.pay_later(attempt.session_id)
    price = price_basket
    told: list[Future[Order]] = []

    def tell() -> Order:
        try:
            return confirm_attempt(attempt_id=attempt.pk, now=NOON)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=1) as pool:

        def price_and_hear(*args: Any, **kwargs: Any) -> Any:
            priced = price(*args, **kwargs)
            told.append(pool.submit(tell))
            with suppress(TimeoutError):  # it waits for our lock, and goes on when we are through
                told[0].exception(timeout=1.0)
            return priced

        monkeypatch.setattr(checkout, "price_basket", price_and_hear)
        try:
            answer: Any = check_out(user).order
        except CodeUsed as refusal:
            answer = refusal
    assert told[0].exception() is None
    return answer


def test_the_bank_and_a_second_checkout_leave_one_use(
    stripe_api: StripeServer, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, code = make_user(), one_time_code()
    first = at_the_payment_page(user, code)
    second = buy_while_the_bank_takes_the_first(stripe_api, user, first, monkeypatch)
    assert cheap_orders() == [second]
    assert books(code) == (1, 1)
    assert CodeUse.objects.live().get().order == second


def test_without_the_lock_the_claim_refuses(
    stripe_api: StripeServer, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, code = make_user(), one_time_code()
    first = at_the_payment_page(user, code)
    monkeypatch.setattr(LockableQuerySet, "locked", lambda rows: rows.order_by("pk"))
    refusal = buy_while_the_bank_takes_the_first(stripe_api, user, first, monkeypatch)
    assert isinstance(refusal, CodeInUse)
    assert refusal.number == first.number
    assert cheap_orders() == [first]
    assert books(code) == (1, 1)


def test_without_lock_and_claim_two_orders_have_it(
    stripe_api: StripeServer, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: if this fails, the test above proves nothing."""
    user, code = make_user(), one_time_code()
    first = at_the_payment_page(user, code)
    assert WHOSE in CLAIM
    monkeypatch.setattr(codes, "CLAIM", CLAIM.replace(WHOSE, "true"))
    monkeypatch.setattr(LockableQuerySet, "locked", lambda rows: rows.order_by("pk"))
    second = buy_while_the_bank_takes_the_first(stripe_api, user, first, monkeypatch)
    assert cheap_orders() == [second, first]  # if this fails, the tests above prove nothing


@pytest.mark.parametrize("time", range(4))
def test_a_decline_and_two_who_want_the_code(stripe_api: StripeServer, together: Together, time: int) -> None:
    user, other, code = make_user(), make_user(), one_time_code()
    first = at_the_payment_page(user, code)
    attempt = latest_attempt(first)
    stripe_api.pay_later(attempt.session_id)
    assert confirm_attempt(attempt_id=attempt.pk, now=NOON).state == OrderState.PENDING
    stripe_api.bank_says(attempt.session_id, yes=False)
    put_in(other, "60")
    basket = BasketOwner(user_id=other.pk).baskets().get()
    BasketCode.objects.create(basket=basket, code=code, applied_at=NOON)
    answers = together(
        lambda: confirm_attempt(attempt_id=attempt.pk, now=NOON), lambda: check_out(user), lambda: check_out(other)
    )
    unexpected = [each for each in answers if isinstance(each, BaseException) and not isinstance(each, CodeUsed)]
    assert not unexpected
    assert latest_attempt(first).state == AttemptState.DECLINED
    live = cheap_orders()
    assert len(live) <= 1
    assert books(code) == (len(live), len(live))
    assert [use.order for use in CodeUse.objects.live()] == live


def test_two_orders_of_one_learner_claim_at_once(together: Together, meet_at: MeetAt) -> None:
    """Also where nothing else keeps them apart: codes without a count, once per person."""
    user = make_user()
    code = make_code(make_discount(redemption_type=RedemptionType.ONE_TIME_PER_USER))
    orders = [_order(user, number) for number in range(6)]

    def holding(order: Order) -> Callable[[], int]:
        return lambda: hold_code(code=code, user_id=user.pk, order_id=order.pk, until=NOON, now=NOON)

    meeting = meet_at(codes, "claim_row", parties=6, before=True, patience=20.0)
    answers = together(*[holding(order) for order in orders])
    assert meeting.happened
    assert sum(isinstance(each, int) for each in answers) == 1
    assert sum(isinstance(each, CodeInUse) for each in answers) == 5
    assert CodeUse.objects.live().count() == 1


def test_attaching_takes_over_what_an_order_only_held(together: Together) -> None:
    user, code = make_user(), make_code(max_uses=1)
    held = hold_code(code=code, user_id=user.pk, order_id=_order(user, 1).pk, until=NOON, now=NOON)
    assert use_code(code=code, user_id=user.pk, now=NOON) == held
    use = CodeUse.objects.get()
    assert (use.state, use.order) == (UseState.CONFIRMED, None)


def _order(user: User, number: int) -> Order:
    return Order.objects.create(
        number=f"TS-{number}", purchaser=user, currency="USD", list_total=0, discount_total=0, total=0,
        fingerprint="x", placed_at=NOON, hold_until=NOON,
    )  # fmt: skip
