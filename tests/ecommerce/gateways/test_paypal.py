"""What is PayPal's alone: approval before the money, its amounts, its certificate, its disputes and its search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from ecommerce.enums import DisputeState, MovementKind, RefundState
from ecommerce.gateways.base import (
    DisputeNotice,
    NoticeForged,
    NoticeNotUnderstood,
    OtherNotice,
    PaymentFailed,
    PaymentLine,
    PaymentNotice,
    PaymentOutcome,
    RefundInstruction,
    RefundsChanged,
    Session,
)
from ecommerce.gateways.paypal import signature
from ecommerce.gateways.paypal.gateway import PayPalGateway, paypal_locale
from mitxonline.kernel.money import Money
from mitxonline.settings.parts.paypal import PAYPAL_LIVE, PAYPAL_TRIAL, PayPalAccount, paypal_accounts, paypal_gateways
from tests.ecommerce.gateways.examination import a_request, begun
from tests.support.double import DROPPED
from tests.support.paypal import CLIENT_SECRET, WEBHOOK_ID, PayPalServer, Signer, make_signer

TOTAL = Money("249.00", "USD")
CERTIFICATES = "/v1/notifications/certs/"
VERIFY = "/verify-webhook-signature"


@pytest.fixture
def gateway(paypal_api: PayPalServer) -> PayPalGateway:
    return PayPalGateway()


@pytest.fixture
def session(gateway: PayPalGateway) -> Session:
    return begun(gateway, TOTAL)


def refund_of(payment_id: str, amount: Money, reference: str = "r-1") -> RefundInstruction:
    return RefundInstruction(
        payment_id=payment_id,
        amount=amount,
        idempotency_key=f"refund:{reference}",
        reason="asked for",
        reference=reference,
    )


def paid(gateway: PayPalGateway, server: PayPalServer, session: Session) -> str:
    server.approve(session.session_id)
    return gateway.capture(session).payment_id


class TestStart:
    def test_the_buyer_is_sent_to_the_approve_link(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        request = replace(a_request(TOTAL), locale="pt-br")
        redirect = gateway.start(request)
        assert redirect.url == f"https://www.sandbox.paypal.com/checkoutnow?token={redirect.session_id}"
        (call,) = paypal_api.calls_to("/v2/checkout/orders$")
        (unit,) = call.params["purchase_units"]
        context = call.params["payment_source"]["paypal"]["experience_context"]
        assert call.headers["PayPal-Request-Id"] == request.idempotency_key
        assert unit["custom_id"] == str(request.reference)
        assert unit["invoice_id"] == request.order_number
        assert unit["amount"]["value"] == "249.00"
        assert (call.params["intent"], context["user_action"], context["locale"]) == ("CAPTURE", "PAY_NOW", "pt-BR")
        assert (context["return_url"], context["cancel_url"]) == (request.return_url, request.cancel_url)

    @pytest.mark.parametrize(
        ("total", "value"),
        [("1500 JPY", "1500"), ("1500 HUF", "1500"), ("1500 TWD", "1500"), ("0.99 EUR", "0.99"), ("12.5 GBP", "12.50")],
    )
    def test_amounts_have_the_digits_that_paypal_knows(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, total: str, value: str
    ) -> None:
        session = begun(gateway, Money(*total.split()))
        assert paypal_api.orders[session.session_id]["purchase_units"][0]["amount"]["value"] == value
        paid(gateway, paypal_api, session)
        assert gateway.look_up(session).paid == session.total

    @pytest.mark.parametrize("total", ["12.340 KWD", "1500 ISK", "99.50 HUF", "99.5 TWD", "100 CLP"])
    def test_what_paypal_cannot_take_is_not_asked_for(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, total: str
    ) -> None:
        money = Money(*total.split())
        assert not gateway.can_take(money)
        with pytest.raises(PaymentFailed) as refused:
            gateway.start(a_request(money))
        assert (refused.value.code, paypal_api.calls) == ("amount_uncounted", [])

    def test_seats_without_a_whole_price_each_are_one_item(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        lines = (
            PaymentLine("Python", Money("100.00", "USD"), seats=3),
            PaymentLine("Rust, " + "long " * 50, Money("99.00", "USD"), seats=3),
            PaymentLine("Nothing", Money("0", "USD")),
        )
        gateway.start(replace(a_request(Money("199.00", "USD")), lines=lines))
        (order,) = paypal_api.orders.values()
        one, other = order["purchase_units"][0]["items"]
        assert (one["name"], one["quantity"], one["unit_amount"]["value"]) == ("3 × Python", "1", "100.00")
        assert (other["quantity"], other["unit_amount"]["value"], len(other["name"])) == ("3", "33.00", 127)

    @pytest.mark.parametrize(
        ("language", "locale"),
        [("en", "en"), ("de", "de"), ("pt-br", "pt-BR"), ("zh-hans", "zh-Hans"), ("es-419", ""), ("fil", ""), ("", "")],
    )
    def test_the_page_speaks_the_buyers_language(self, language: str, locale: str) -> None:
        assert paypal_locale(language) == locale

    def test_an_order_without_a_page_is_unknown(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        paypal_api.fail("/v2/checkout/orders$", 201, {"id": "5O190127TN364715T", "links": []})
        with pytest.raises(PaymentFailed) as failed:
            gateway.start(a_request(TOTAL))
        assert failed.value.retriable


class TestCapture:
    def test_looking_takes_no_money(self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session) -> None:
        paypal_api.approve(session.session_id)
        assert [gateway.look_up(session).outcome for _time in range(2)] == [PaymentOutcome.APPROVED] * 2
        assert gateway.expire(session).outcome is PaymentOutcome.EXPIRED
        assert not paypal_api.captures

    def test_capturing_takes_it_once(self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session) -> None:
        paypal_api.approve(session.session_id)
        one, other = gateway.capture(session), gateway.capture(session)
        assert one == other
        assert (one.outcome, one.paid, one.paid_with) == (PaymentOutcome.PAID, TOTAL, "PayPal")
        assert one.billed_to is not None
        assert (one.billed_to.name, one.billed_to.country) == ("Amara Okafor", "US")
        assert {call.headers["PayPal-Request-Id"] for call in paypal_api.calls_to("/capture$")} == {
            f"capture:{session.reference}"
        }
        assert len(paypal_api.captures) == 1

    def test_captured_already_is_success(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paid(gateway, paypal_api, session)
        paypal_api._answers.clear()  # PayPal has forgotten the request id
        assert gateway.capture(session).outcome is PaymentOutcome.PAID
        assert len(paypal_api.captures) == 1

    @pytest.mark.parametrize("status", [500, DROPPED])
    def test_an_answer_that_was_lost_is_looked_up(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session, status: int
    ) -> None:
        paypal_api.approve(session.session_id)
        paypal_api.fail("/capture$", status, after=True)
        with pytest.raises(PaymentFailed) as failed:
            gateway.capture(session)
        assert failed.value.retriable
        assert gateway.look_up(session).outcome is PaymentOutcome.PAID
        assert gateway.capture(session).outcome is PaymentOutcome.PAID
        assert len(paypal_api.captures) == 1

    @pytest.mark.parametrize("problem", ["INSTRUMENT_DECLINED", "TRANSACTION_REFUSED", "DUPLICATE_INVOICE_ID"])
    def test_a_refusal_is_a_decline_and_took_nothing(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session, problem: str
    ) -> None:
        paypal_api.approve(session.session_id)
        paypal_api.capturing[session.session_id] = problem
        assert gateway.capture(session).outcome is PaymentOutcome.DECLINED
        assert not paypal_api.captures

    def test_what_the_bank_declines_at_once_is_declined(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.approve(session.session_id)
        paypal_api.capturing[session.session_id] = "DECLINED"
        assert gateway.capture(session).outcome is PaymentOutcome.DECLINED

    def test_an_echeck_takes_days(self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session) -> None:
        paypal_api.approve(session.session_id)
        paypal_api.capturing[session.session_id] = "PENDING"
        assert gateway.capture(session).outcome is PaymentOutcome.PROCESSING
        paypal_api.bank_says(session.session_id, yes=True)
        found = gateway.look_up(session)
        assert (found.outcome, found.paid) == (PaymentOutcome.PAID, TOTAL)

    def test_a_short_answer_is_looked_up(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.approve(session.session_id)
        paypal_api.fail("/capture$", 201, {"id": session.session_id, "status": "COMPLETED"}, after=True)
        assert gateway.capture(session).outcome is PaymentOutcome.PAID

    def test_an_order_paypal_has_forgotten_has_ended(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.forget(session.session_id)
        assert gateway.expire(session).outcome is PaymentOutcome.EXPIRED
        with pytest.raises(PaymentFailed) as failed:
            gateway.capture(session)
        assert failed.value.code == "resource_missing"

    def test_an_order_paypal_voided_has_ended(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.orders[session.session_id]["status"] = "VOIDED"
        assert gateway.look_up(session).outcome is PaymentOutcome.EXPIRED

    def test_a_state_nobody_knows_is_unknown(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.orders[session.session_id]["status"] = "TELEPORTED"
        assert gateway.look_up(session).outcome is PaymentOutcome.UNKNOWN


class TestToken:
    def test_one_token_serves_many_calls(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        for _time in range(3):
            gateway.look_up(session)
        assert len(paypal_api.calls_to("oauth2/token")) == 1

    def test_one_that_ended_early_is_renewed(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.tokens.clear()
        assert gateway.look_up(session).outcome is PaymentOutcome.OPEN
        assert len(paypal_api.calls_to("oauth2/token")) == 2

    def test_a_wrong_secret_is_said_and_not_shown(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any
    ) -> None:
        keys = settings.PAYPAL_ACCOUNTS[""]
        settings.PAYPAL_ACCOUNTS = {"": {**keys, "client_secret": "wrong"}}
        with pytest.raises(PaymentFailed) as failed:
            gateway.start(a_request(TOTAL))
        assert (failed.value.code, failed.value.retriable) == ("key_refused", False)
        assert "wrong" not in str(failed.value)

    def test_two_accounts_have_two_tokens(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any, session: Session
    ) -> None:
        keys = settings.PAYPAL_ACCOUNTS[""]
        settings.PAYPAL_ACCOUNTS = {"": keys, "two.example": {**keys, "client_id": "another"}}
        gateway.look_up(session)
        with pytest.raises(PaymentFailed):
            gateway.look_up(replace(session, account="two.example"))

    def test_a_broken_connection_is_tried_again(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any, session: Session
    ) -> None:
        settings.PAYPAL_RETRIES = 1
        paypal_api.fail("GET /v2/checkout/orders/", DROPPED)
        assert gateway.look_up(session).outcome is PaymentOutcome.OPEN


class TestSignature:
    def opened(self, gateway: PayPalGateway, body: bytes, headers: Mapping[str, str]) -> str:
        return gateway.open_notice(body, headers, account="").kind

    def test_what_paypal_signed_is_verified_here(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        for _time in range(2):
            assert self.opened(gateway, body, paypal_api.sign(body)) == "CHECKOUT.ORDER.APPROVED"
        assert [call.path.startswith(CERTIFICATES) for call in paypal_api.calls] == [True]

    def test_bytes_count_and_not_what_they_mean(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        body = '{"id": "WH-1",  "event_type":"X", "resource": {"é": 1.50}}'.encode()
        headers = paypal_api.sign(body)
        assert self.opened(gateway, body, headers) == "X"
        with pytest.raises(NoticeForged):
            self.opened(gateway, json.dumps(json.loads(body)).encode(), headers)

    @pytest.mark.parametrize(
        "address",
        [
            "https://evil.example/v1/notifications/certs/CERT-1",
            "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
            "https://api.sandbox.paypal.com@evil.example/v1/notifications/certs/CERT-1",
            "http://api.sandbox.paypal.com/v1/notifications/certs/CERT-1",
            "https://api.sandbox.paypal.com:8443/v1/notifications/certs/CERT-1",
            "https://api.sandbox.paypal.com/v1/notifications/certs/../../x",
            "https://api.sandbox.paypal.com/v1/notifications/certs/%2e%2e/%2e%2e/x",
            "https://api.sandbox.paypal.com/other/CERT-1",
            "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1?x=1",
            "https://api.paypal.com/v1/notifications/certs/CERT-1",  # the live one, for test money
            "https://[/v1/notifications/certs/CERT-1",
            "file:///v1/notifications/certs/CERT-1",
            "",
        ],
    )
    def test_a_certificate_from_elsewhere_is_not_even_fetched(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, address: str
    ) -> None:
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, {**paypal_api.sign(body), "PAYPAL-CERT-URL": address})
        assert not paypal_api.calls

    @pytest.mark.parametrize("name", ["ID", "TIME", "SIG"])
    def test_what_is_signed_cannot_be_changed(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, name: str
    ) -> None:
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        headers = paypal_api.sign(body)
        other = paypal_api.sign(body[:-1] + b" }")
        with pytest.raises(NoticeForged):
            self.opened(
                gateway, body, {**headers, f"PAYPAL-TRANSMISSION-{name}": other[f"PAYPAL-TRANSMISSION-{name}"] + "x"}
            )
        assert not paypal_api.calls_to(VERIFY)

    def test_a_notice_for_another_webhook_is_forged(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, paypal_api.sign(body, webhook_id="ANOTHER"))

    def test_one_webhook_can_follow_another(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any
    ) -> None:
        keys = settings.PAYPAL_ACCOUNTS[""]
        settings.PAYPAL_ACCOUNTS = {"": {**keys, "webhook_ids": ["NEW", WEBHOOK_ID]}}
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        for webhook in ("NEW", WEBHOOK_ID):
            assert self.opened(gateway, body, paypal_api.sign(body, webhook_id=webhook))

    def test_without_a_webhook_id_nothing_is_let_in(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any
    ) -> None:
        keys = settings.PAYPAL_ACCOUNTS[""]
        settings.PAYPAL_ACCOUNTS = {"": {**keys, "webhook_ids": []}}
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, paypal_api.sign(body))

    @pytest.mark.parametrize("fault", ["another authority", "ended", "not begun", "another name"])
    def test_a_certificate_that_is_not_trusted_is_left_to_paypal(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, settings: Any, tmp_path: Path, fault: str
    ) -> None:
        now = datetime.now(UTC)
        dates = {
            "ended": {"begins": now - timedelta(days=20), "ends": now - timedelta(days=1)},
            "not begun": {"begins": now + timedelta(days=1), "ends": now + timedelta(days=20)},
        }
        name = {"name": "paypal.evil.example"} if fault == "another name" else {}
        signer = make_signer(**dates.get(fault, {}), **name)  # type: ignore[arg-type]
        paypal_api.signer = signer
        if fault != "another authority":
            roots = tmp_path / "other.pem"
            roots.write_bytes(signer.root)
            settings.PAYPAL_CERTIFICATE_ROOTS = str(roots)
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", {})
        paypal_api.fail(VERIFY, 200, {"verification_status": "FAILURE"})
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, paypal_api.sign(body))
        assert self.opened(gateway, body, paypal_api.sign(body)) == "CHECKOUT.ORDER.APPROVED"
        assert len(paypal_api.calls_to(VERIFY)) == 2

    def test_paypal_gets_the_notice_back_as_it_came(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        body = b'{"id":"WH-1","event_type" : "X","resource":{"value":1.50}}'
        paypal_api.fail(CERTIFICATES, 503)
        assert self.opened(gateway, body, paypal_api.sign(body)) == "X"
        (call,) = paypal_api.calls_to(VERIFY)
        assert body in call.body
        assert call.params["webhook_id"] == WEBHOOK_ID

    @pytest.mark.parametrize("change", ["PAYPAL-AUTH-ALGO", "PAYPAL-CERT-URL"])
    def test_a_flood_of_forged_notices_is_no_flood_of_calls(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, monkeypatch: pytest.MonkeyPatch, change: str
    ) -> None:
        """Anyone can post something that only PayPal could judge, and buyers wait for the same PayPal."""
        monkeypatch.setattr(signature, "MOST_QUESTIONS", 3)
        body = paypal_api.event("X", {})
        headers = paypal_api.sign(body)
        assert self.opened(gateway, body, headers) == "X"
        calls = len(paypal_api.calls)
        for number in range(6):
            forged = headers[change] + str(number)
            with pytest.raises((NoticeForged, PaymentFailed)):
                self.opened(gateway, body, {**headers, change: forged, "PAYPAL-TRANSMISSION-SIG": "AAAA"})
        assert len(paypal_api.calls) - calls < 6
        with pytest.raises(PaymentFailed) as failed:
            self.opened(gateway, body, {**headers, change: headers[change] + "x"})
        assert failed.value.retriable
        assert self.opened(gateway, body, headers) == "X"  # a known certificate needs no call

    def test_an_algorithm_nobody_knows_is_left_to_paypal(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        body = paypal_api.event("X", {})
        headers = {**paypal_api.sign(body), "PAYPAL-AUTH-ALGO": "SHA512withRSA"}
        assert self.opened(gateway, body, headers) == "X"
        assert not paypal_api.calls_to(CERTIFICATES)

    @pytest.mark.parametrize("body", ['{"id": "WH-1"}'.encode("utf-16"), b'{"id": "\xed\xa0\x80"}', b'{"id": "\xff"}'])
    def test_what_is_not_utf_8_is_forged_and_not_asked_about(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, body: bytes
    ) -> None:
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, {**paypal_api.sign(body), "PAYPAL-AUTH-ALGO": "SHA512withRSA"})
        assert not paypal_api.calls

    def test_a_certificate_that_paypal_does_not_have_is_forged(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        body = paypal_api.event("X", {})
        paypal_api.fail(CERTIFICATES, 404)
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, paypal_api.sign(body))
        assert not paypal_api.calls_to(VERIFY)

    @pytest.mark.django_db
    def test_where_paypal_does_not_answer_it_is_asked_to_come_again(self, paypal_api: PayPalServer) -> None:
        body = paypal_api.event("X", {})
        paypal_api.fail(CERTIFICATES, DROPPED)
        paypal_api.fail(VERIFY, DROPPED)
        post: dict[str, Any] = {"content_type": "application/json", "headers": paypal_api.sign(body)}
        assert Client().post("/payment/paypal/webhook/", body, **post).status_code == 503
        assert Client().post("/payment/paypal/webhook/", body, **post).status_code == 200

    def test_a_key_of_another_certificate_is_forged(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, paypal_signer: Signer
    ) -> None:
        body = paypal_api.event("X", {})
        with pytest.raises(NoticeForged):
            self.opened(gateway, body, paypal_api.sign(body, signer=make_signer()))


class TestNotices:
    def read(self, gateway: PayPalGateway, body: bytes) -> Any:
        return gateway.read_notice(body, account="")

    def test_an_approval_names_our_attempt(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        paypal_api.approve(session.session_id)
        body = paypal_api.event("CHECKOUT.ORDER.APPROVED", paypal_api.orders[session.session_id])
        notice = self.read(gateway, body)
        assert isinstance(notice, PaymentNotice)
        assert (notice.reference, notice.session_id) == (session.reference, session.session_id)
        assert notice.outcome is PaymentOutcome.APPROVED

    def test_an_approval_that_was_reversed_names_the_order(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        notice = self.read(gateway, paypal_api.event("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": "O1"}))
        assert (notice.session_id, notice.outcome) == ("O1", PaymentOutcome.EXPIRED)

    @pytest.mark.parametrize(
        ("kind", "status", "outcome"),
        [
            ("COMPLETED", "COMPLETED", PaymentOutcome.PAID),
            ("PENDING", "PENDING", PaymentOutcome.PROCESSING),
            ("DENIED", "DECLINED", PaymentOutcome.DECLINED),
            ("DECLINED", "DECLINED", PaymentOutcome.DECLINED),
        ],
    )
    def test_a_capture_names_attempt_and_order(
        self,
        gateway: PayPalGateway,
        paypal_api: PayPalServer,
        session: Session,
        kind: str,
        status: str,
        outcome: PaymentOutcome,
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        told = paypal_api.captures[payment_id] | {"status": status}
        notice = self.read(gateway, paypal_api.event(f"PAYMENT.CAPTURE.{kind}", told))
        assert (notice.outcome, notice.reference, notice.payment_id) == (outcome, session.reference, payment_id)
        assert notice.session_id == session.session_id

    @pytest.mark.parametrize("kind", ["PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED", "PAYMENT.REFUND.FAILED"])
    def test_a_refund_names_its_payment(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session, kind: str
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        refund = paypal_api.refund_on_the_site(payment_id, "20.00")
        notice = self.read(gateway, paypal_api.event(kind, refund))
        assert isinstance(notice, RefundsChanged)
        assert notice.payment_id == payment_id

    def test_a_dispute_names_its_payment(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        notice = self.read(gateway, paypal_api.event("CUSTOMER.DISPUTE.CREATED", paypal_api.dispute(payment_id)))
        assert isinstance(notice, DisputeNotice)
        assert (notice.payment_id, notice.amount) == (payment_id, TOTAL)

    def test_other_kinds_are_only_kept(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        notice = self.read(gateway, paypal_api.event("BILLING.PLAN.CREATED", {"id": "P-1"}))
        assert isinstance(notice, OtherNotice)

    @pytest.mark.parametrize(
        "kind", ["CHECKOUT.ORDER.APPROVED", "PAYMENT.CAPTURE.COMPLETED", "CUSTOMER.DISPUTE.CREATED"]
    )
    @pytest.mark.parametrize("resource", [{}, None, [], "x", {"id": 7, "status": "COMPLETED"}])
    def test_what_is_not_documented_is_reported(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, kind: str, resource: Any
    ) -> None:
        with pytest.raises(NoticeNotUnderstood):
            self.read(gateway, paypal_api.event(kind, resource))


class TestAftermath:
    def test_refunds_of_one_payment_do_not_show_at_another(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        one, other = (paid(gateway, paypal_api, begun(gateway, TOTAL)) for _each in range(2))
        gateway.refund(refund_of(one, Money("20.00", "USD")))
        assert [len(gateway.refunds_of(each, "")) for each in (one, other)] == [1, 0]

    def test_a_whole_payment_is_refunded_and_known_as_such(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        assert gateway.refund(refund_of(payment_id, TOTAL)).state is RefundState.SUCCEEDED
        found = gateway.look_up(session)
        assert (found.outcome, found.paid, found.has_refunds_or_disputes) == (PaymentOutcome.PAID, TOTAL, True)
        with pytest.raises(PaymentFailed) as refused:
            gateway.refund(refund_of(payment_id, Money("1.00", "USD"), "r-2"))
        assert refused.value.code == "CAPTURE_FULLY_REFUNDED"

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("PENDING", RefundState.PENDING),
            ("FAILED", RefundState.FAILED),
            ("CANCELLED", RefundState.CANCELED),
            ("SOMETHING", RefundState.PENDING),
        ],
    )
    def test_a_refund_says_how_it_stands(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session, status: str, state: RefundState
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        made = paypal_api.refund_on_the_site(payment_id, "20.00", status=status)
        (found,) = gateway.refunds_of(payment_id, "")
        assert (found.refund_id, found.state, found.reference) == (made["id"], state, "")

    def test_yen_are_refunded_without_a_point(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        payment_id = paid(gateway, paypal_api, begun(gateway, Money("1500", "JPY")))
        made = gateway.refund(refund_of(payment_id, Money("500", "JPY")))
        assert made.amount == Money("500", "JPY")
        assert paypal_api.calls_to("/refund$")[-1].params["amount"]["value"] == "500"

    @pytest.mark.parametrize(
        ("said", "state"),
        [
            ({"status": "OPEN", "dispute_life_cycle_stage": "INQUIRY"}, DisputeState.WARNING),
            ({"status": "OPEN"}, DisputeState.NEEDS_RESPONSE),
            ({"status": "WAITING_FOR_SELLER_RESPONSE"}, DisputeState.NEEDS_RESPONSE),
            ({"status": "UNDER_REVIEW"}, DisputeState.UNDER_REVIEW),
            ({"status": "RESOLVED"}, DisputeState.CLOSED),
            ({"status": "RESOLVED", "dispute_outcome": {"outcome_code": "RESOLVED_BUYER_FAVOUR"}}, DisputeState.LOST),
            ({"status": "RESOLVED", "dispute_outcome": {"outcome_code": "RESOLVED_SELLER_FAVOUR"}}, DisputeState.WON),
            ({"status": "RESOLVED", "dispute_outcome": {"outcome_code": "CANCELED_BY_BUYER"}}, DisputeState.CLOSED),
            ({"status": "NEVER_HEARD"}, DisputeState.UNDER_REVIEW),
        ],
    )
    def test_a_dispute_says_how_it_stands(
        self,
        gateway: PayPalGateway,
        paypal_api: PayPalServer,
        session: Session,
        said: dict[str, Any],
        state: DisputeState,
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        paypal_api.dispute(payment_id, **said)
        (found,) = gateway.disputes_of(payment_id, "")
        assert (found.state, found.reason) == (state, "merchandise or service not received")
        assert gateway.disputes_of("ANOTHER", "") == ()

    def test_a_dispute_says_where_the_money_is(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        payment_id = paid(gateway, paypal_api, session)
        amount = {"currency_code": "USD", "value": "249.00"}
        taken = {"affected_party": "SELLER", "amount": amount, "type": "DEBIT"}
        given = {"affected_party": "SELLER", "amount": amount, "type": "CREDIT"}
        buyers = {"affected_party": "BUYER", "amount": amount, "type": "CREDIT"}
        for moved, funds in (([buyers], ""), ([buyers, taken], "withdrawn"), ([taken, given], "reinstated")):
            paypal_api.dispute(payment_id, money_movements=moved)
            assert gateway.disputes_of(payment_id, "")[0].funds == funds

    @pytest.mark.parametrize(
        ("is_trial", "site"), [(False, "https://www.paypal.com"), (True, "https://www.sandbox.paypal.com")]
    )
    def test_staff_find_the_payment_at_paypal(
        self, gateway: PayPalGateway, settings: Any, is_trial: bool, site: str
    ) -> None:
        settings.PAYPAL_TEST_MODE = is_trial
        assert gateway.dashboard_url(session_id="O1", payment_id="C1/..") == f"{site}/activity/payment/C1%2F.."
        assert gateway.dashboard_url(session_id="O1", payment_id="") == ""


class TestMovements:
    SINCE = datetime(2026, 3, 1, tzinfo=UTC)

    def moved(self, gateway: PayPalGateway, days: int = 10) -> list[tuple[MovementKind, str]]:
        found = gateway.movements("", since=self.SINCE, until=self.SINCE + timedelta(days=days))
        return [(each.kind, str(each.amount.amount)) for each in found]

    def at(self, server: PayPalServer, day: float) -> None:
        server.moment = lambda: self.SINCE + timedelta(days=day)

    def test_each_code_has_its_kind(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        self.at(paypal_api, 1)
        kinds = {
            "T0006": MovementKind.PAYMENT,
            "T1107": MovementKind.REFUND,
            "T1201": MovementKind.CHARGEBACK,
            "T1202": MovementKind.WON_DISPUTE,
            "T0106": MovementKind.FEE,
            "T0400": MovementKind.OWN_MONEY,
            "T1110": MovementKind.OWN_MONEY,
            "T9900": MovementKind.OTHER,
        }
        for code in kinds:
            paypal_api.transact(code, "10.00")
        assert [kind for kind, _amount in self.moved(gateway)] == list(kinds.values())

    def test_pages_and_months_are_read_to_the_end(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ecommerce.gateways.paypal.gateway.PAGE_SIZE", 2)
        for day in range(70):
            self.at(paypal_api, day)
            paypal_api.transact("T0006", f"{day + 1}.00")
        assert [amount for _kind, amount in self.moved(gateway, 70)] == [f"{day + 1}.00" for day in range(70)]

    def test_too_many_at_once_are_asked_for_in_halves(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        paypal_api.too_many = 3
        for day in range(9):
            self.at(paypal_api, day + 0.5)
            paypal_api.transact("T0006", f"{day + 1}.00")
        assert len(self.moved(gateway)) == 9

    def test_what_has_not_moved_or_was_denied_is_left_out(
        self, gateway: PayPalGateway, paypal_api: PayPalServer
    ) -> None:
        self.at(paypal_api, 1)
        for status in "PDSV":
            paypal_api.transact("T0006", "10.00", transaction_status=status)
        assert len(self.moved(gateway)) == 2

    def test_an_echeck_that_cleared_later_is_found_then(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        self.at(paypal_api, -4)
        paypal_api.transact("T0006", "10.00", transaction_updated_date="2026-03-02T10:00:00+0000")
        paypal_api.transact("T0006", "11.00")
        assert self.moved(gateway) == [(MovementKind.PAYMENT, "10.00")]

    def test_a_chargeback_is_known_by_its_dispute(
        self, gateway: PayPalGateway, paypal_api: PayPalServer, session: Session
    ) -> None:
        self.at(paypal_api, 1)
        payment_id = paid(gateway, paypal_api, session)
        dispute = paypal_api.dispute(payment_id)
        paypal_api.transact("T1201", "-249.00", paypal_reference_id=payment_id, paypal_reference_id_type="TXN")
        payment, chargeback = gateway.movements("", since=self.SINCE, until=self.SINCE + timedelta(days=2))
        assert (chargeback.source_id, chargeback.payment_id) == (dispute["dispute_id"], payment_id)
        assert (payment.payment_id, payment.fee) == (payment_id, Money("8.69", "USD"))

    def test_money_we_sent_is_something_else(self, gateway: PayPalGateway, paypal_api: PayPalServer) -> None:
        self.at(paypal_api, 1)
        paypal_api.transact("T0006", "-10.00")
        assert self.moved(gateway) == [(MovementKind.OTHER, "-10.00")]


def account(client_id: str = "A", secret: str = CLIENT_SECRET) -> dict[str, PayPalAccount]:
    return {"": {"client_id": client_id, "client_secret": secret, "webhook_ids": ["W"]}}


class TestSettings:
    def test_production_refuses_test_money_unless_it_is_a_trial(self) -> None:
        keys = account()
        assert paypal_gateways(keys, api_base=PAYPAL_LIVE, is_production=True, test_money=False)
        assert paypal_gateways(keys, api_base=PAYPAL_TRIAL, is_production=True, test_money=True)
        with pytest.raises(ImproperlyConfigured, match="PAYPAL_TEST_MODE"):
            paypal_gateways(keys, api_base=PAYPAL_TRIAL, is_production=True, test_money=False)

    def test_development_refuses_real_money(self) -> None:
        assert paypal_gateways(account(), api_base=PAYPAL_TRIAL, is_production=False, test_money=True)
        assert paypal_gateways(account(), api_base="http://127.0.0.1:9", is_production=False, test_money=True)
        with pytest.raises(ImproperlyConfigured, match="live address"):
            paypal_gateways(account(), api_base=PAYPAL_LIVE, is_production=False, test_money=True)

    @pytest.mark.parametrize("keys", [{}, account(client_id=""), account(secret="")])
    def test_without_both_keys_there_is_no_paypal(self, keys: dict[str, PayPalAccount]) -> None:
        assert paypal_gateways(keys, api_base=PAYPAL_TRIAL, is_production=False, test_money=True) == []

    @pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"client_secret": "hush"}}'])
    def test_accounts_that_cannot_be_read_are_refused_without_being_shown(self, text: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="PAYPAL_ACCOUNTS") as refused:
            paypal_accounts({"client_id": "", "client_secret": "", "webhook_ids": []}, text)
        assert "hush" not in str(refused.value)

    def test_accounts_by_host(self) -> None:
        keys = {"client_id": "A", "client_secret": CLIENT_SECRET, "webhook_ids": ["W"]}
        found = paypal_accounts(account()[""], json.dumps({"Shop.Example": keys}))
        assert (set(found), found["shop.example"]["client_id"]) == ({"", "shop.example"}, "A")
