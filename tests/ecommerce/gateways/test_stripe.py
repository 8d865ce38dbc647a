"""Stripe: requests, units, states and failures."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from ecommerce.enums import DisputeState, MovementKind, RefundState
from ecommerce.gateways.base import (
    DisputeNotice,
    Movement,
    NoticeForged,
    OtherNotice,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    RefundInstruction,
    RefundNotice,
    RefundsChanged,
    Session,
)
from ecommerce.gateways.stripe import StripeGateway, from_units, stripe_locale, to_units
from mitxonline.kernel.money import Money
from mitxonline.settings.parts.payments import StripeAccount, stripe_accounts, stripe_gateways
from tests.ecommerce.gateways.examination import a_request, begun
from tests.factories import NOON
from tests.support.stripe import SECRET_KEY, WEBHOOK_SECRET, StripeServer, sign


@pytest.fixture
def gateway(stripe_api: StripeServer) -> StripeGateway:
    return StripeGateway()


@pytest.fixture
def session(gateway: StripeGateway) -> Session:
    return begun(gateway, Money("249.00", "USD"))


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money("249.00", "USD"), 24900),
        (Money("1500", "JPY"), 1500),
        (Money("1500", "ISK"), 150000),
        (Money("1500", "UGX"), 150000),
        (Money("12.340", "KWD"), 12340),
        (Money("0.50", "EUR"), 50),
        (Money("3000", "VND"), 3000),
        (Money("7", "MGA"), 7),
    ],
    ids=str,
)
def test_money_is_counted_as_stripe_counts(money: Money, units: int) -> None:
    assert to_units(money) == units
    assert from_units(units, money.currency.lower()) == money


@given(st.integers(1, 10**9), st.sampled_from(["USD", "JPY", "ISK", "HUF", "EUR", "KRW", "CLP"]))
def test_no_amount_changes_on_its_way(units: int, currency: str) -> None:
    money = Money.from_minor(units, currency)
    assert from_units(to_units(money), currency.lower()) == money


def test_a_thousandth_of_a_dinar_can_not_be_charged(gateway: StripeGateway) -> None:
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money(Decimal("1.234"), "KWD")))
    assert (failed.value.retriable, failed.value.code) == (False, "amount_uncounted")


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("en", "en"),
        ("en-us", "en"),
        ("en-gb", "en-GB"),
        ("pt-br", "pt-BR"),
        ("es-mx", "es"),
        ("es-419", "es-419"),
        ("zh-hans", "zh"),
        ("zh-hant", "zh-TW"),
        ("nn", "nb"),
        ("fr-ca", "fr-CA"),
        ("cy", "auto"),
        ("", "auto"),
    ],
)
def test_the_page_speaks_the_visitors_language_where_it_can(language: str, spoken: str) -> None:
    assert stripe_locale(language) == spoken


def test_the_session_request_is_complete(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    request = a_request(Money("249.00", "USD"), locale="fr")
    redirect = gateway.start(request)
    (call,) = stripe_api.calls
    reference = str(request.reference)
    assert redirect.url.startswith("https://checkout.stripe.com/")
    assert call.headers["Authorization"] == f"Bearer {SECRET_KEY}"
    assert call.headers["Stripe-Version"] == "2026-10-28.endive"
    assert call.headers["Idempotency-Key"] == f"checkout:{reference}"
    assert "X-Stripe-Client-Telemetry" not in call.headers
    assert call.params == {
        "mode": "payment",
        "ui_mode": "hosted_page",
        "submit_type": "pay",
        "client_reference_id": reference,
        "metadata[order]": request.order_number,
        "metadata[attempt]": reference,
        "payment_intent_data[metadata][order]": request.order_number,
        "payment_intent_data[metadata][attempt]": reference,
        "payment_intent_data[description]": request.order_number,
        "customer_email": request.buyer_email,
        "locale": "fr",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "24900",
        "line_items[0][price_data][product_data][name]": "Programming with Python, properly",
        "success_url": request.return_url,
        "cancel_url": request.cancel_url,
        "expires_at": str(int((NOON + timedelta(minutes=32)).timestamp())),
    }


def test_a_payments_state_is_read(gateway: StripeGateway, stripe_api: StripeServer, session: Session) -> None:
    stripe_api.pay(session.session_id, total_details={"amount_tax": 1500})
    found = gateway.look_up(session)
    assert found.paid_with == "Visa ending 4242"
    assert found.billed_to is not None
    assert (found.billed_to.name, found.billed_to.country) == ("Amara Okafor", "US")
    assert found.tax == Money("15.00", "USD")
    assert not found.has_refunds_or_disputes


@pytest.mark.parametrize("live", [True, False])
def test_test_money_and_real_money_are_not_taken_for_each_other(
    gateway: StripeGateway, stripe_api: StripeServer, settings: Any, *, live: bool
) -> None:
    key = "rk_live_of_the_tests" if live else "rk_test_of_the_tests"
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": key, "webhook_secrets": [WEBHOOK_SECRET]}}
    session = begun(gateway, Money("10", "USD"))
    stripe_api.pay(session.session_id)
    assert ("livemode" in gateway.look_up(session).doubt) is live


def test_a_session_with_two_references_is_doubted(
    gateway: StripeGateway, stripe_api: StripeServer, session: Session
) -> None:
    stripe_api.pay(session.session_id, metadata={"attempt": str(uuid4())})
    assert "reference" in gateway.look_up(session).doubt


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"status": "complete", "payment_status": "no_payment_required"}, PaymentOutcome.PAID),
        ({"status": "complete", "payment_status": "something new"}, PaymentOutcome.UNKNOWN),
        ({"status": "something new", "payment_status": "paid"}, PaymentOutcome.UNKNOWN),
        ({"status": "open", "payment_status": "unpaid"}, PaymentOutcome.OPEN),
        ({"status": "expired", "payment_status": "unpaid"}, PaymentOutcome.EXPIRED),
        ({"status": "complete", "payment_status": "unpaid"}, PaymentOutcome.PROCESSING),
    ],
)
def test_stripes_words_for_a_session(
    gateway: StripeGateway, stripe_api: StripeServer, session: Session, told: dict[str, str], outcome: PaymentOutcome
) -> None:
    stripe_api.sessions[session.session_id].update(told)
    assert gateway.look_up(session).outcome is outcome


# What Stripe answers when it doesn't do what it was asked


@pytest.mark.parametrize(
    ("status", "error", "retriable", "code"),
    [
        (402, {"type": "card_error", "code": "card_declined", "message": "Declined."}, False, "card_declined"),
        (400, {"type": "invalid_request_error", "code": "amount_too_small"}, False, "amount_too_small"),
        (400, {"type": "idempotency_error", "message": "Other parameters."}, True, ""),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, True, ""),
        (401, {"type": "invalid_request_error", "message": "Invalid API Key: sk_test_***"}, False, "key_refused"),
        (403, {"type": "invalid_request_error", "message": "No permission."}, False, "key_refused"),
        (429, {"type": "invalid_request_error", "code": "rate_limit"}, True, ""),
        (500, {"type": "api_error", "message": "Sorry."}, True, ""),
        (503, {"type": "api_error", "message": "Sorry."}, True, ""),
    ],
)
def test_refusals_are_told_apart_from_unknown_outcomes(
    gateway: StripeGateway,
    stripe_api: StripeServer,
    status: int,
    error: dict[str, Any],
    *,
    retriable: bool,
    code: str,
) -> None:
    stripe_api.fail("/sessions$", status, error)
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money("10", "USD")))
    assert (failed.value.retriable, failed.value.code) == (retriable, code)


def test_an_answer_that_got_lost_is_found_again_by_the_same_key(
    gateway: StripeGateway, stripe_api: StripeServer
) -> None:
    stripe_api.fail("/sessions$", 500, after=True)
    request = a_request(Money("10", "USD"))
    with pytest.raises(PaymentFailed):
        gateway.start(request)
    assert gateway.start(request).session_id in stripe_api.sessions
    assert len(stripe_api.sessions) == 1


def test_a_failure_stored_under_its_key_is_repeated(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    stripe_api.fail("/sessions$", 500)
    request = a_request(Money("10", "USD"))
    for _time in range(2):
        with pytest.raises(PaymentFailed) as failed:
            gateway.start(request)
        assert failed.value.retriable
    assert gateway.start(a_request(Money("10", "USD"))).session_id in stripe_api.sessions


@pytest.mark.parametrize(
    "made", [{}, {"id": "cs_1"}, {"url": "https://x"}, {"id": "cs_1", "url": ""}, {"id": 1, "url": 2}]
)
def test_a_session_made_without_a_page_is_a_failure(
    gateway: StripeGateway, stripe_api: StripeServer, monkeypatch: pytest.MonkeyPatch, made: dict[str, Any]
) -> None:
    monkeypatch.setattr(stripe_api, "_session", lambda params: made)
    with pytest.raises(PaymentFailed):
        gateway.start(a_request(Money("10", "USD")))


def test_a_payment_page_browsers_would_not_go_to_is_in_the_log(
    gateway: StripeGateway, stripe_api: StripeServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.PAYMENT_PAGE_ORIGINS = ["https://checkout.stripe.com"]
    gateway.start(a_request(Money("10", "USD")))
    assert "origin that isn't allowed" not in caplog.text
    stripe_api.page_origin = "https://pay.example.com"
    gateway.start(a_request(Money("10", "USD")))
    assert "origin that isn't allowed" in caplog.text


def test_a_call_that_hangs_is_left(gateway: StripeGateway, stripe_api: StripeServer, settings: Any) -> None:
    settings.REMOTE_CALL_SECONDS = 0.2
    stripe_api.fail("/sessions$", 200, delay=1.0)
    began = time.monotonic()
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money("10", "USD")))
    assert failed.value.retriable
    assert time.monotonic() - began < 1.0


def test_an_unreachable_gateway_is_retriable(gateway: StripeGateway, settings: Any) -> None:
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money("10", "USD")))
    assert failed.value.retriable


def test_a_conflict_is_retried_once(gateway: StripeGateway, stripe_api: StripeServer, settings: Any) -> None:
    settings.STRIPE_RETRIES = 1
    stripe_api.fail("/sessions$", 409, {"type": "idempotency_error", "code": "idempotency_key_in_use"})
    assert gateway.start(a_request(Money("10", "USD"))).session_id in stripe_api.sessions
    assert len(stripe_api.calls) == 2
    assert len({call.headers["Idempotency-Key"] for call in stripe_api.calls}) == 1


def test_a_session_that_may_still_be_open_is_not_called_ended(
    gateway: StripeGateway, stripe_api: StripeServer, session: Session
) -> None:
    stripe_api.fail("/expire$", 500)
    with pytest.raises(PaymentFailed):
        gateway.expire(session)


def test_no_error_tells_the_key(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    stripe_api.fail("/sessions$", 401, {"type": "invalid_request_error", "message": f"Invalid API Key: {SECRET_KEY}"})
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money("10", "USD")))
    assert SECRET_KEY not in str(failed.value)


# Refunds and disputes


def refund_of(payment_id: str, amount: str = "49.00") -> RefundInstruction:
    reference = str(uuid4())
    return RefundInstruction(
        payment_id=payment_id,
        amount=Money(amount, "USD"),
        idempotency_key=f"refund:{reference}",
        reason="",
        reference=reference,
    )


@pytest.fixture
def payment_id(gateway: StripeGateway, stripe_api: StripeServer, session: Session) -> str:
    stripe_api.pay(session.session_id)
    return gateway.look_up(session).payment_id


def test_a_refund_carries_our_reference_and_its_key(
    gateway: StripeGateway, stripe_api: StripeServer, payment_id: str
) -> None:
    request = refund_of(payment_id)
    made = gateway.refund(request)
    (call,) = stripe_api.calls_to("/refunds$")
    assert call.headers["Idempotency-Key"] == request.idempotency_key
    assert call.params["metadata[refund]"] == request.reference
    assert call.params["amount"] == "4900"
    assert gateway.refunds_of(payment_id, "") == (
        RefundNotice("", made.refund_id, payment_id, request.reference, request.amount, RefundState.SUCCEEDED),
    )


def test_two_equal_refunds_are_two(gateway: StripeGateway, payment_id: str) -> None:
    one, other = (gateway.refund(refund_of(payment_id)) for _each in range(2))
    assert one.refund_id != other.refund_id


def test_a_refund_whose_answer_got_lost_is_found_by_reference(
    gateway: StripeGateway, stripe_api: StripeServer, payment_id: str
) -> None:
    request = refund_of(payment_id)
    stripe_api.fail("/refunds$", 500, after=True)
    with pytest.raises(PaymentFailed) as failed:
        gateway.refund(request)
    assert failed.value.retriable
    found = gateway.look_up_refund(request, "")
    assert found is not None
    assert found.refund_id in stripe_api.refunds


def test_refusals_keep_stripes_message(gateway: StripeGateway, payment_id: str) -> None:
    gateway.refund(refund_of(payment_id, "249.00"))
    with pytest.raises(PaymentFailed, match="already been refunded") as failed:
        gateway.refund(refund_of(payment_id))
    assert (failed.value.retriable, failed.value.code) == (False, "charge_already_refunded")


@pytest.mark.parametrize(
    ("status", "moved", "state", "funds"),
    [
        ("warning_needs_response", 0, DisputeState.WARNING, ""),
        ("needs_response", 1, DisputeState.NEEDS_RESPONSE, "withdrawn"),
        ("won", 2, DisputeState.WON, "reinstated"),
        ("lost", 1, DisputeState.LOST, "withdrawn"),
        ("something new", 0, DisputeState.UNDER_REVIEW, ""),
    ],
)
def test_a_disputes_state_is_read(
    gateway: StripeGateway,
    stripe_api: StripeServer,
    session: Session,
    payment_id: str,
    status: str,
    moved: int,
    state: DisputeState,
    funds: str,
) -> None:
    stripe_api.dispute(payment_id, status, moved)
    (found,) = gateway.disputes_of(payment_id, "")
    assert (found.payment_id, found.amount) == (payment_id, Money("249.00", "USD"))
    assert (found.state, found.funds) == (state, funds)
    assert gateway.look_up(session).has_refunds_or_disputes


# Notices


def movements(gateway: StripeGateway) -> list[Movement]:
    return list(gateway.movements("", since=NOON, until=NOON + timedelta(days=1)))


def test_movements_are_read_page_by_page(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    stripe_api.moment = NOON.timestamp
    for number in range(205):
        stripe_api.move("charge", 100 + number, {"id": f"ch_{number}", "object": "charge"})
    stripe_api.moment = (NOON + timedelta(days=1)).timestamp
    stripe_api.move("charge", 1)  # of the next day
    found = movements(gateway)
    assert len(found) == len({each.movement_id for each in found}) == 205
    assert len(stripe_api.calls_to("balance_transactions")) == 3
    assert {each.at for each in found} == {NOON}


def test_a_page_that_fails_is_a_failure(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    stripe_api.fail("balance_transactions", 500)
    with pytest.raises(PaymentFailed) as failed:
        movements(gateway)
    assert failed.value.retriable


@pytest.mark.parametrize(
    ("category", "amount", "kind"),
    [
        ("charge", 100, MovementKind.PAYMENT),
        ("charge_failure", -100, MovementKind.PAYMENT),
        ("refund", -100, MovementKind.REFUND),
        ("refund_failure", 100, MovementKind.REFUND),
        ("dispute", -100, MovementKind.CHARGEBACK),
        ("dispute_reversal", 100, MovementKind.WON_DISPUTE),
        ("fee", -100, MovementKind.FEE),
        ("payout", -100, MovementKind.OWN_MONEY),
        ("other_adjustment", -100, MovementKind.OTHER),
        ("a category of next year", -100, MovementKind.OTHER),
    ],
)
def test_each_kind_of_movement_is_recognized(
    gateway: StripeGateway, stripe_api: StripeServer, category: str, amount: int, kind: MovementKind
) -> None:
    stripe_api.moment = NOON.timestamp
    stripe_api.move(category, amount, currency="jpy", fee=3)
    (found,) = movements(gateway)
    assert (found.kind, found.amount, found.fee) == (kind, Money(amount, "JPY"), Money(3, "JPY"))


def test_a_dispute_names_its_payment(gateway: StripeGateway, stripe_api: StripeServer, payment_id: str) -> None:
    stripe_api.moment = NOON.timestamp
    dispute = stripe_api.dispute(payment_id, "lost")
    stripe_api.dispute(payment_id, "won", moved=2)
    found = {each.kind: each for each in movements(gateway)}
    assert {each.payment_id for each in found.values()} == {payment_id}
    assert {each.source_id for each in found.values()} == {dispute["id"]}
    assert found[MovementKind.CHARGEBACK].amount == -found[MovementKind.WON_DISPUTE].amount


@pytest.mark.parametrize(("category", "sign"), [("charge", 1), ("refund", -1)])
def test_money_that_stripe_converted_is_in_the_buyers_currency_and_its_fee_in_ours(
    gateway: StripeGateway, stripe_api: StripeServer, category: str, sign: int
) -> None:
    stripe_api.moment = NOON.timestamp
    source = {"id": "x_1", "object": category, "amount": 1000, "currency": "eur", "payment_intent": "pi_1"}
    stripe_api.move(category, sign * 1234, source, currency="usd", exchange_rate=1.234, fee=36)
    (found,) = movements(gateway)
    assert (found.amount, found.fee) == (Money(10 * sign, "EUR"), Money("0.36", "USD"))


def read(gateway: StripeGateway, server: StripeServer, kind: str, told: dict[str, Any]) -> object:
    return gateway.read_notice(server.event(kind, told), account="")


def test_each_kind_of_event_is_recognized(gateway: StripeGateway, stripe_api: StripeServer, payment_id: str) -> None:
    session = next(iter(stripe_api.sessions.values()))
    for kind in ("completed", "expired", "async_payment_succeeded", "async_payment_failed"):
        assert isinstance(read(gateway, stripe_api, f"checkout.session.{kind}", session), PaymentNotice)
    refund = stripe_api.refund_in_dashboard(payment_id, 100)
    for kind in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"):
        notice = read(gateway, stripe_api, kind, refund)
        assert isinstance(notice, RefundNotice)
        assert (notice.payment_id, notice.reference) == (payment_id, "")
    charge = stripe_api.payments[payment_id]["latest_charge"]
    changed = read(gateway, stripe_api, "charge.refunded", charge)
    assert isinstance(changed, RefundsChanged)
    assert changed.payment_id == payment_id
    for kind in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated"):
        notice = read(gateway, stripe_api, f"charge.dispute.{kind}", stripe_api.dispute(payment_id))
        assert isinstance(notice, DisputeNotice)
        assert notice.payment_id == payment_id
    for kind in ("payment_intent.payment_failed", "customer.created", "something.new"):
        assert isinstance(read(gateway, stripe_api, kind, {"id": "x"}), OtherNotice)
    subscription = {**session, "mode": "subscription"}
    assert isinstance(read(gateway, stripe_api, "checkout.session.completed", subscription), OtherNotice)


def test_any_of_several_secrets_lets_a_notice_in(
    gateway: StripeGateway, stripe_api: StripeServer, settings: Any
) -> None:
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": SECRET_KEY, "webhook_secrets": ["whsec_old", "whsec_new"]}}
    body = stripe_api.event("customer.created", {})
    for secret in ("whsec_old", "whsec_new"):
        assert gateway.open_notice(body, sign(body, secret=secret), account="").kind == "customer.created"
    with pytest.raises(NoticeForged):
        gateway.open_notice(body, sign(body, secret="whsec_older"), account="")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=,v1=",
        "v1=00",
        "t=abc,v1=00",
        "nonsense",
        "t=1,v0=00",
        "é",
    ],
)
def test_unsigned_notice_is_rejected(gateway: StripeGateway, stripe_api: StripeServer, header: str) -> None:
    body = stripe_api.event("customer.created", {})
    with pytest.raises(NoticeForged):
        gateway.open_notice(body, {"Stripe-Signature": header}, account="")


def test_a_stale_notice_is_refused(gateway: StripeGateway, stripe_api: StripeServer) -> None:
    body = stripe_api.event("customer.created", {})
    with pytest.raises(NoticeForged):
        gateway.open_notice(body, sign(body, at=int(time.time()) - 301), account="")
    assert gateway.open_notice(body, sign(body, at=int(time.time()) - 250), account="").event_id


@pytest.mark.parametrize("secrets", [[], [""], [" "]])
def test_without_a_secret_nothing_is_let_in(
    gateway: StripeGateway, stripe_api: StripeServer, settings: Any, secrets: list[str]
) -> None:
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": SECRET_KEY, "webhook_secrets": secrets}}
    body = stripe_api.event("customer.created", {})
    with pytest.raises(NoticeForged):
        gateway.open_notice(body, sign(body, secret=""), account="")


def test_a_host_with_keys_of_its_own_uses_them(gateway: StripeGateway, stripe_api: StripeServer, settings: Any) -> None:
    settings.STRIPE_ACCOUNTS = {
        "": {"secret_key": SECRET_KEY, "webhook_secrets": [WEBHOOK_SECRET]},
        "other.example": {"secret_key": "sk_test_other", "webhook_secrets": ["whsec_other"]},
    }
    account = gateway.account_for("Other.Example:443")
    assert account == "other.example"
    gateway.start(replace(a_request(Money("10", "USD")), account=account))
    assert stripe_api.calls[0].headers["Authorization"] == "Bearer sk_test_other"
    body = stripe_api.event("customer.created", {})
    assert gateway.open_notice(body, sign(body, secret="whsec_other"), account=account).event_id
    with pytest.raises(NoticeForged):
        gateway.open_notice(body, sign(body), account=account)


# Keys


def account(key: str) -> dict[str, StripeAccount]:
    return {"": {"secret_key": key, "webhook_secrets": ["whsec_x"]}}


@pytest.mark.parametrize("key", ["sk_live_x", "rk_live_x"])
def test_a_live_key_is_for_production_only(key: str) -> None:
    assert stripe_gateways(account(key), is_production=True, test_money=False) == [
        "ecommerce.gateways.stripe.StripeGateway"
    ]
    for is_production, test_money in [(False, True), (True, True)]:
        with pytest.raises(ImproperlyConfigured, match="live key") as refused:
            stripe_gateways(account(key), is_production=is_production, test_money=test_money)
        assert key not in str(refused.value)


def test_a_test_key_is_for_production_only_where_it_is_a_trial() -> None:
    key = "sk_test_x"
    assert stripe_gateways(account(key), is_production=True, test_money=True)
    with pytest.raises(ImproperlyConfigured, match="STRIPE_TEST_MODE") as refused:
        stripe_gateways(account(key), is_production=True, test_money=False)
    assert key not in str(refused.value)


def test_without_keys_there_is_no_stripe() -> None:
    assert stripe_gateways({}, is_production=False, test_money=True) == []
    assert stripe_gateways({}, is_production=True, test_money=False) == []


@pytest.mark.parametrize("key", ["pk_test_x", "whsec_x", "nonsense"])
def test_another_kind_of_key_is_refused(key: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        stripe_gateways(account(key), is_production=False, test_money=True)
    assert key not in str(refused.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"secret_key": "sk_test_x"}}', '{"a": null}'])
def test_accounts_that_are_not_what_they_should_be_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="STRIPE_ACCOUNTS") as refused:
        stripe_accounts({"secret_key": "", "webhook_secrets": []}, text)
    assert "sk_test" not in str(refused.value)


def test_accounts_by_host() -> None:
    found = stripe_accounts(
        {"secret_key": "sk_test_a", "webhook_secrets": []},
        '{"Shop.Example": {"secret_key": "sk_test_b", "webhook_secrets": ["whsec_b"]}}',
    )
    assert set(found) == {"", "shop.example"}
