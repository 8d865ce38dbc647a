"""Money is kept and refunded as it arrived, and compared with what the gateway reports."""

from __future__ import annotations

import uuid
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from ecommerce.enums import AttemptState, EnrollmentAfter, OrderState, RefundState
from ecommerce.errors.admin import MoneyWasTaken
from ecommerce.errors.refunds import RefundAmountNeeded, RefundDecided, RefundTooMuch
from ecommerce.gateways.base import RefundResult
from ecommerce.models import Order, Refund
from ecommerce.selectors.order_desk import order_at_desk, orders_at_desk
from ecommerce.selectors.receipts import receipt_for
from ecommerce.selectors.refund_plan import RefundChoice, plan_refund
from ecommerce.services.checkout.review import cancel_from_review, check_with_gateway
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.refunds.refunds import accept_difference, follow_refund, look_up_refund, refund_order
from mitxonline.kernel.money import Money
from tests.ecommerce.desk import desk_url, read_order_page, submit_refund
from tests.ecommerce.paying import latest_attempt, place_order
from tests.ecommerce.tills import Till, install_till, make_refund_notice
from tests.factories import NOON, make_product
from tests.factories.orders import make_paid_order, make_payment
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def till(settings: Any) -> Till:
    return install_till(settings)


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def attention(order: Order) -> str:
    """Return the reason the desk lists the order for attention."""
    found: Any = orders_at_desk().get(pk=order.pk)
    return str(found.attention)


def yen_order(**options: Any) -> Order:
    """Two courses for $398.00, for which ¥700,000 came."""
    products = make_product(), make_product(price="149.00")
    return make_paid_order(*products, state=OrderState.REVIEW, paid="700000", paid_currency="JPY", **options)


def choice(**options: Any) -> RefundChoice:
    return RefundChoice(reason="another currency came", **options)


def test_money_in_another_currency_goes_back_as_it_came(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    stripe_api.pay(latest_attempt(order).session_id, amount_total=700000, currency="jpy")
    assert confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON).state == OrderState.REVIEW
    attempt = latest_attempt(order)
    assert (attempt.paid_money, attempt.refundable) == (Money(700000, "JPY"), Money(700000, "JPY"))
    refund = refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    (call,) = stripe_api.calls_to("/refunds$")
    assert call.params["amount"] == "700000"
    assert (refund.state, refund.money) == (RefundState.SUCCEEDED, Money(700000, "JPY"))
    assert latest_attempt(order).refundable.is_zero
    assert fresh(order).state == OrderState.REFUNDED


def test_a_part_of_it_goes_back_in_its_currency_and_the_rest_later() -> None:
    order = yen_order()
    first, _second = order.lines.all()
    with pytest.raises(RefundAmountNeeded, match="JPY"):
        plan_refund(order_id=order.pk, choice=choice(amount=Money("49", "USD")))
    with pytest.raises(RefundAmountNeeded, match="JPY"):
        plan_refund(order_id=order.pk, choice=choice(line_ids=(first.pk,)))
    with pytest.raises(RefundTooMuch, match="at most ¥700,000"):
        plan_refund(order_id=order.pk, choice=choice(amount=Money(700001, "JPY")))
    refund_order(order_id=order.pk, choice=choice(amount=Money(100000, "JPY")), now=NOON, by_id=None)
    assert fresh(order).state == OrderState.REVIEW
    assert [line.refunded for line in order.lines.all()] == [0, 0]
    refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    assert list(order.refunds.order_by("pk").values_list("amount", "currency")) == [(100000, "JPY"), (600000, "JPY")]
    assert fresh(order).state == OrderState.REFUNDED


def test_each_payment_is_refunded_in_its_own_currency() -> None:
    order = yen_order()
    second = make_payment(order, paid="20.00", paid_currency="USD")
    refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    assert fresh(order).state == OrderState.REVIEW
    assert order_at_desk(order.pk).refundable == Money("20.00", "USD")
    refund = refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    assert (refund.attempt, refund.money) == (second, Money("20.00", "USD"))
    assert fresh(order).state == OrderState.REFUNDED


def test_the_desk_and_the_command_count_in_the_money_that_came(desk: Client) -> None:
    order = yen_order()
    page = read_order_page(desk, order).text
    assert "Refundable ¥700,000" in page
    assert "requested: $398.00" in page
    form = desk.get(desk_url(order, "refund/")).content.decode()
    assert 'name="lines"' not in form
    assert "Everything that is left: ¥700,000" in form
    submit_refund(desk, order, scope=["amount"], amount=["200000"])
    out = StringIO()
    call_command("refund_order", order.number, "--amount", "100000", "--keep", "--reason", "x", stdout=out, stderr=out)
    assert "¥100,000 was refunded." in out.getvalue()
    with pytest.raises(CommandError, match="Amounts in JPY have at most 0 decimals"):
        call_command("refund_order", order.number, "--amount", "0.5", "--keep", "--reason", "x")
    assert order.attempts.get().refundable == Money(400000, "JPY")


def test_a_receipt_names_what_went_back_in_its_currency() -> None:
    order = yen_order()
    refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    receipt = receipt_for(user_id=order.purchaser_id, number=order.number)
    assert [money.formatted() for money in receipt.returned] == ["¥700,000"]


def test_a_refund_made_at_the_gateway_is_counted_in_the_money_that_came() -> None:
    order = yen_order()
    attempt = order.attempts.get()
    notice = make_refund_notice(attempt=attempt, refund_id="re_there")
    for amount in (Money(700000, "JPY"), Money("49", "USD")):
        follow_refund(
            type(notice)(
                event_id="", refund_id=f"re_{amount.currency}", payment_id=attempt.payment_id, reference="",
                amount=amount, state=RefundState.SUCCEEDED,
            ),
            gateway_name="sandbox",
            now=NOON,
        )  # fmt: skip
    attempt.refresh_from_db()
    assert attempt.refunded == 700000
    assert fresh(order).state == OrderState.REFUNDED
    assert list(order.refunds.order_by("pk").values_list("currency", "is_counted")) == [("JPY", True), ("USD", False)]
    assert attention(order) == "differs"


def test_an_amount_without_its_currency_is_refused_by_the_database() -> None:
    order = make_paid_order(make_product())
    with pytest.raises(IntegrityError), transaction.atomic():
        order.attempts.update(paid_amount=49)
    with pytest.raises(IntegrityError), transaction.atomic():
        order.attempts.update(paid_currency="JPY")


def test_a_noted_amount_is_kept_as_it_arrived() -> None:
    migration = import_module("ecommerce.migrations.0008_money_that_came")
    orders = [make_paid_order(make_product(), state=OrderState.REVIEW) for _each in range(3)]
    for order, note in zip(orders, ("paid 700000 JPY", "paid None", "paid 1.500 KWD"), strict=True):
        order.attempts.update(note=note)
    orders[2].attempts.update(refunded=49)
    with connection.cursor() as cursor:
        cursor.execute(migration.OTHER_CURRENCY)
    kept = [tuple(order.attempts.values_list("paid_amount", "paid_currency").get()) for order in orders]
    assert kept == [(700000, "JPY"), (None, ""), (None, "")]


def test_money_that_waits_to_go_back_is_all_of_what_came_in_its_currency() -> None:
    migration = import_module("ecommerce.migrations.0008_money_that_came")
    foreign, plain = (make_paid_order(make_product()) for _each in range(2))
    for order in (foreign, plain):
        attempt = order.attempts.get()
        Refund.objects.create(
            order=order, attempt=attempt, gateway=attempt.gateway, idempotency_key=f"k{order.pk}", amount=49,
            currency="USD", reason="paid before", state=RefundState.MARKED, enrollment_after=EnrollmentAfter.KEEP,
            recorded_at=NOON,
        )  # fmt: skip
    foreign.attempts.update(paid_amount=700000, paid_currency="JPY")
    with connection.cursor() as cursor:
        cursor.execute(migration.WAITING_REFUNDS)
    assert [order.refunds.get().money for order in (foreign, plain)] == [Money(700000, "JPY"), Money(49, "USD")]


# What the gateway gave back isn't what was asked for


def answers(till: Till, amount: Money, state: RefundState = RefundState.SUCCEEDED) -> None:
    """Make the till refund another amount than it is asked for."""

    def refund(asked: Any) -> RefundResult:
        result = RefundResult(refund_id=f"re_{len(till.given) + 1}", state=state, amount=amount)
        return till.given.setdefault(asked.idempotency_key, result)

    till.refund = refund  # type: ignore[method-assign,assignment]


@pytest.mark.parametrize("amount", [Money("98", "USD"), Money("49", "EUR"), Money(4900, "JPY")])
@pytest.mark.parametrize("state", [RefundState.SUCCEEDED, RefundState.PENDING])
def test_a_refund_of_another_amount_goes_to_review(till: Till, amount: Money, state: RefundState) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    refund_order(order_id=order.pk, choice=choice(amount=Money("10", "USD")), now=NOON, by_id=None)
    answers(till, amount, state)
    for _twice in range(2):
        refund = refund_order(
            order_id=order.pk,
            choice=choice(amount=Money("49", "USD")),
            now=NOON,
            by_id=None,
            reference=order_uuid(order),
        )
    look_up_refund(refund_id=refund.pk, now=NOON)
    refund.refresh_from_db()
    attempt = order.attempts.get()
    assert (refund.state, refund.reported_money) == (RefundState.DIFFERS, amount)
    assert (attempt.refunded, attempt.refund_reserved, attempt.refundable) == (10, 49, Money("339", "USD"))
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED  # by the first refund
    assert attention(order) == "differs"
    assert refund.took_effect_at is None


def order_uuid(order: Order) -> Any:
    return uuid.uuid5(uuid.NAMESPACE_OID, str(order.pk))


def test_staff_book_what_went_back_and_everything_follows(till: Till, desk: Client) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), gateway="till")
    first, _second = order.lines.all()
    answers(till, Money("349", "USD"))
    refund = refund_order(order_id=order.pk, choice=choice(line_ids=(first.pk,)), now=NOON, by_id=None)
    assert "the gateway reports a refund of $349.00" in read_order_page(desk, order).text
    with pytest.raises(ValueError, match="empty"):
        accept_difference(refund_id=refund.pk, reason=" ", now=NOON, by_id=None)
    address = desk_url(order, f"refunds/{refund.pk}/accept/")
    assert "$349.00" in desk.get(address).content.decode()
    desk.post(address, {"reason": "seen in the dashboard"})
    refund.refresh_from_db()
    attempt = order.attempts.get()
    assert (refund.state, refund.amount, refund.is_counted) == (RefundState.SUCCEEDED, 349, True)
    assert (attempt.refunded, attempt.refund_reserved) == (349, 0)
    assert [line.refunded for line in order.lines.all()] == [249, 0]
    assert fresh(order).state == OrderState.PARTIALLY_REFUNDED
    assert attention(order) == ""
    with pytest.raises(RefundDecided):
        accept_difference(refund_id=refund.pk, reason="again", now=NOON, by_id=None)


def test_a_refund_that_differs_and_comes_to_nothing_sets_nothing_aside(till: Till) -> None:
    order = make_paid_order(make_product(), gateway="till", state=OrderState.REVIEW)
    answers(till, Money("98", "USD"), RefundState.PENDING)
    refund = refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    with pytest.raises(MoneyWasTaken):
        cancel_from_review(order_id=order.pk, reason="x", by_id=None, now=NOON)
    check_with_gateway(order_id=order.pk, by_id=None, now=NOON)
    follow_refund(make_refund_notice(refund, refund_id="re_1", state=RefundState.FAILED), gateway_name="till", now=NOON)
    refund.refresh_from_db()
    attempt = order.attempts.get()
    assert (refund.state, attempt.refunded, attempt.refund_reserved) == (RefundState.FAILED, 0, 0)


def test_stripes_own_answer_is_compared(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    stripe_api.pay(latest_attempt(order).session_id)
    confirm_attempt(attempt_id=latest_attempt(order).pk, now=NOON)
    make = stripe_api._refund
    stripe_api._refund = lambda params, **more: make(params, **more) | {"currency": "jpy"}  # type: ignore[method-assign]
    refund = refund_order(order_id=order.pk, choice=choice(), now=NOON, by_id=None)
    assert (refund.state, refund.reported_money) == (RefundState.DIFFERS, Money(4900, "JPY"))
    assert fresh(order).state == OrderState.FULFILLED
    assert latest_attempt(order).state == AttemptState.PAID


def test_a_late_payment_of_a_refunded_order_goes_to_finance(stripe_api: StripeServer) -> None:
    order = place_order(price="49.00")
    attempt = latest_attempt(order)
    other = make_payment(order, paid="20.00")
    stripe_api.pay(attempt.session_id)
    Order.objects.filter(pk=order.pk).update(state=OrderState.REFUNDED)
    other.refunded = other.paid_amount or 0
    other.save(update_fields=["refunded"])
    confirm_attempt(attempt_id=attempt.pk, now=NOON)
    assert Refund.objects.get().state == RefundState.MARKED
