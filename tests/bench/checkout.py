"""Buying: how many orders a second with 8 buyers at once, beside the same orders one after another.

The gateway answers at once, so what is measured is ours: the basket, the rules, the order, the try at paying, and then
the money's way to the course.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

from django.db import connections
from django.test import override_settings

from ecommerce.models import DiscountCode, Order, PaymentAttempt
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.payment.sandbox import answer_sandbox
from mitxonline.users.models import User
from tests.bench.harness import Cost, Result, bench, measured
from tests.factories import NOON, make_product, make_user
from tests.support.stripe import SECRET_KEY, StripeServer

BUYERS, ORDERS_EACH = 8, 20
# Threads of one process share one interpreter; more than this over one after another would be waiting for locks.
WAITING = 1.3


def buyers_with_baskets() -> list[User]:
    """As many buyers as there are orders, each with a course of two that many want."""
    products = [make_product(price="249").pk for _each in range(2)]
    found = [make_user() for _each in range(BUYERS * ORDERS_EACH)]
    for user in found:
        add_products(owner=BasketOwner(user_id=user.pk), product_ids=products, now=NOON)
    return found


def buy(user: User) -> Order:
    return begin_checkout(owner=BasketOwner(user_id=user.pk), user_id=user.pk, now=NOON).order


def pay(order: Order) -> Order:
    attempt = PaymentAttempt.objects.get(order=order)
    return answer_sandbox(reference=attempt.reference, user_id=order.purchaser_id, answer="accept", now=NOON)


def one_after_another(work: Callable[[Any], object], things: Sequence[Any]) -> Cost:
    with measured(counting=False) as cost:
        for each in things:
            work(each)
    return cost


def at_once(work: Callable[[Any], object], things: Sequence[Any]) -> Cost:
    """Check out in one thread per concurrent buyer."""

    def run(share: Sequence[Any]) -> None:
        try:
            for each in share:
                work(each)
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=(things[number::BUYERS],)) for number in range(BUYERS)]
    cost = Cost()
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cost.seconds = time.perf_counter() - began
    return cost


def result(cost: Cost, floor: Cost, what: str) -> Result:
    rate = BUYERS * ORDERS_EACH / cost.seconds
    return Result(
        cost=cost,
        floor=floor,
        floor_name="one after another",
        ratio_budget=WAITING,
        note=f"{rate:.0f} {what} a second",
    )


@bench(f"checkout: {BUYERS} buyers at once, {BUYERS * ORDERS_EACH} orders of two courses")
def checkout_at_once() -> Result:
    floor = one_after_another(buy, buyers_with_baskets())
    return result(at_once(buy, buyers_with_baskets()), floor, "checkouts")


@bench(f"paid: {BUYERS} confirmed at once, {BUYERS * ORDERS_EACH} orders fulfilled")
def paid_at_once() -> Result:
    floor = one_after_another(pay, [buy(user) for user in buyers_with_baskets()])
    return result(at_once(pay, [buy(user) for user in buyers_with_baskets()]), floor, "fulfilled orders")


@bench("group checkout: 1,000 seats for nothing")
def group_checkout() -> Result:
    user, product = make_user(), make_product(price="0")
    add_products(owner=BasketOwner(user_id=user.pk), product_ids=[product.pk], seats=1000, now=NOON)
    with measured() as cost:
        buy(user)
    made = DiscountCode.objects.filter(discount__seat_sale__buyer=user).count()
    return Result(cost=cost, query_budget=45, note=f"{made:,} registration codes")


@bench("checkout through Stripe, two courses")
def checkout_through_stripe() -> Result:
    server = StripeServer()
    server.start()
    keys = {"": {"secret_key": SECRET_KEY, "webhook_secrets": []}}
    chosen = {"PAYMENT_GATEWAYS": ["ecommerce.gateways.stripe.StripeGateway"], "STRIPE_ACCOUNTS": keys}
    user = buyers_with_baskets()[0]
    try:
        with override_settings(**chosen, STRIPE_API_BASE=server.url), measured() as cost:
            buy(user)
        calls = len(server.calls)
    finally:
        server.stop()
    return Result(cost=cost, query_budget=45, note=f"{calls} outgoing call, to a server in this process")
