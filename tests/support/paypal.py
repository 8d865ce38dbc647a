"""A fake PayPal over HTTP: orders, captures, refunds, disputes, transactions, webhooks and their certificate.

It follows what PayPal publishes about Orders v2, Payments v2, Disputes v1, Transaction Search v1 and webhooks, keeps
state, and can be told to misbehave (`HttpDouble.fail`).
"""

from __future__ import annotations

import itertools
import json
import re
import uuid
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ecommerce.gateways.paypal import client, signature
from tests.support.double import Answer, Call, HttpDouble

CLIENT_ID, CLIENT_SECRET = "client-of-the-tests", "secret-of-the-tests"
WEBHOOK_ID = "1JE4291016473214C"
SITE = "https://www.sandbox.paypal.com"
NAME = "messageverificationcerts.sandbox.paypal.com"

PAGE = """<!doctype html><html lang="en"><title>PayPal</title><h1>Pay {value} {currency_code}</h1>
<form method="post"><button name="pay" value="1">Pay</button> <button name="back" value="1">Back</button></form>"""


@dataclass(frozen=True, slots=True)
class Signer:
    """A key with its certificate and, in PEM, the chain that is served and the authority that signed it."""

    key: rsa.RSAPrivateKey
    chain: bytes
    root: bytes


def make_signer(
    *, name: str = NAME, begins: datetime | None = None, ends: datetime | None = None, issuer: str = "Root of the tests"
) -> Signer:
    """Make a certificate as an authority would for PayPal. Slow: a test session makes few."""
    now = datetime.now(UTC)
    root_key, key = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _each in range(2))
    issuer_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root = (
        x509.CertificateBuilder()
        .subject_name(issuer_name)
        .issuer_name(issuer_name)
        .public_key(root_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=3000))
        .not_valid_after(now + timedelta(days=3000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or now - timedelta(days=1))
        .not_valid_after(ends or now + timedelta(days=300))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    return Signer(key, leaf.public_bytes(pem), root.public_bytes(pem))


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


class PayPalServer(HttpDouble):
    """A business account's state, and what buyers, banks and its staff do to it."""

    def __init__(self, signer: Signer) -> None:
        super().__init__()
        self.signer = signer
        self.orders: dict[str, dict[str, Any]] = {}
        self.captures: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.transactions: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.site = SITE
        # What capturing an order comes to: COMPLETED, PENDING, DECLINED, or the name of a problem.
        self.capturing: dict[str, str] = {}
        self.too_many = 10_000
        self.moment: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._answers: dict[tuple[str, str], tuple[int, Any]] = {}
        self._count = itertools.count(1)

    # What happens at PayPal

    def approve(self, order_id: str) -> None:
        """The buyer signs in and agrees."""
        order = self.orders[order_id]
        assert order["status"] in ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED"), order["status"]
        order["status"] = "APPROVED"
        order["payer"] = {
            "name": {"given_name": "Amara", "surname": "Okafor"},
            "email_address": "amara@example.test",
            "payer_id": "QYR5Z8XDVJNXQ",
            "address": {"country_code": "US"},
        }
        order["payment_source"] = {"paypal": {**order["payer"], "account_status": "VERIFIED"}}

    def forget(self, order_id: str) -> None:
        """PayPal forgets an order that nobody paid."""
        del self.orders[order_id]

    def bank_says(self, order_id: str, *, yes: bool) -> None:
        (capture,) = self._payments(order_id)["captures"]
        capture["status"] = "COMPLETED" if yes else "DECLINED"
        if yes:
            self._enter_payment(capture)

    def refund_on_the_site(self, capture_id: str, value: str, *, status: str = "COMPLETED") -> dict[str, Any]:
        return self._refund(capture_id, {"amount": {"value": value}}, status)

    def dispute(self, capture_id: str, status: str = "WAITING_FOR_SELLER_RESPONSE", **changes: Any) -> dict[str, Any]:
        known = next((each for each in self.disputes.values() if _disputed(each) == capture_id), None)
        dispute = known or {
            "dispute_id": f"PP-D-{next(self._count)}",
            "create_time": self._now(),
            "disputed_transactions": [{"seller_transaction_id": capture_id, "buyer_transaction_id": "4DV78168SM66"}],
            "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
            "dispute_amount": dict(self.captures[capture_id]["amount"]),
            "dispute_life_cycle_stage": "CHARGEBACK",
        }
        dispute.update(status=status, update_time=self._now(), **changes)
        self.disputes[dispute["dispute_id"]] = dispute
        return dispute

    def transact(self, code: str, value: str, currency: str = "USD", **facts: Any) -> dict[str, Any]:
        """Enter a movement in the account's history."""
        info = {
            "paypal_account_id": "6STWC2LSUYYYE",
            "transaction_id": facts.pop("transaction_id", "") or self._id("T"),
            "transaction_event_code": code,
            "transaction_initiation_date": self._now().replace("Z", "+0000"),
            "transaction_updated_date": self._now().replace("Z", "+0000"),
            "transaction_amount": {"currency_code": currency, "value": value},
            "transaction_status": "S",
            **facts,
        }
        self.transactions.append(info)
        return info

    # What it tells by itself

    def event(self, kind: str, told: dict[str, Any], event_id: str = "", **changes: Any) -> bytes:
        event = {
            "id": event_id or f"WH-{self._id('E')}",
            "event_version": "1.0",
            "create_time": self._now(),
            "resource_type": "checkout-order",
            "event_type": kind,
            "summary": "Something happened",
            "resource": told,
            **changes,
        }
        return json.dumps(event).encode()

    def sign(self, body: bytes, *, webhook_id: str = WEBHOOK_ID, signer: Signer | None = None) -> dict[str, str]:
        """Return the headers PayPal sends with this body."""
        sent, moment = str(uuid.uuid4()), self._now()
        message = f"{sent}|{moment}|{webhook_id}|{zlib.crc32(body)}".encode()
        signed = (signer or self.signer).key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return {
            "PAYPAL-TRANSMISSION-ID": sent,
            "PAYPAL-TRANSMISSION-TIME": moment,
            "PAYPAL-TRANSMISSION-SIG": b64encode(signed).decode(),
            "PAYPAL-CERT-URL": f"{self.url}/v1/notifications/certs/CERT-360caa42-fca2a594-5a29e601",
            "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        }

    # Its side of the wire

    def answer(self, call: Call) -> Answer:
        if call.path.startswith("/checkoutnow/"):
            return self._show_page(call)
        with self.lock:
            self.calls.append(call)
            failure = self.failure_for(call)
            if failure is not None and not failure.after:
                return failure.status, failure.body, failure.headers, failure.delay
            status, body = self._once(call)
            if failure is not None:
                return failure.status, failure.body, failure.headers, failure.delay
            return status, body, {}, 0.0

    def _once(self, call: Call) -> tuple[int, Any]:
        """Answer a request whose id was seen before as it was answered then, unless it had failed."""
        key = (call.path, call.headers.get("PayPal-Request-Id", ""))
        if key[1] and key in self._answers:
            return self._answers[key]
        status, body = self.do(call)
        body = json.loads(json.dumps(body)) if not isinstance(body, str) else body
        if key[1] and status < 300:
            self._answers[key] = status, body
        return status, body

    def do(self, call: Call) -> tuple[int, Any]:
        if call.path == "/v1/oauth2/token":
            return self._grant(call)
        if call.path.startswith("/v1/notifications/certs/"):
            return 200, self.signer.chain.decode()
        if call.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, {"name": "AUTHENTICATION_FAILURE", "message": "Authentication failed."}
        parts = call.path.strip("/").split("/")[1:]
        found = self._do_payments(call, parts) or self._do_account(call, parts)
        return found or _problem(404, "RESOURCE_NOT_FOUND", "INVALID_RESOURCE_ID", "Specified resource ID is unknown.")

    def _do_payments(self, call: Call, parts: list[str]) -> tuple[int, Any] | None:
        match call.method, parts:
            case "POST", ["checkout", "orders"]:
                return self._create(call.params)
            case "GET", ["checkout", "orders", order_id] if order_id in self.orders:
                return 200, self.orders[order_id]
            case "POST", ["checkout", "orders", order_id, "capture"] if order_id in self.orders:
                return self._capture(order_id)
            case "GET", ["payments", "captures", capture_id] if capture_id in self.captures:
                return 200, self.captures[capture_id]
            case "POST", ["payments", "captures", capture_id, "refund"] if capture_id in self.captures:
                return self._try_refund(capture_id, call.params)
            case "GET", ["payments", "refunds", refund_id] if refund_id in self.refunds:
                return 200, self.refunds[refund_id]
        return None

    def _do_account(self, call: Call, parts: list[str]) -> tuple[int, Any] | None:
        match call.method, parts:
            case "GET", ["customer", "disputes"]:
                found = [x for x in self.disputes.values() if _disputed(x) == call.params["disputed_transaction_id"]]
                short = ("dispute_id", "reason", "status", "dispute_amount", "create_time", "update_time")
                return 200, {"items": [{name: each[name] for name in short} for each in found]}
            case "GET", ["customer", "disputes", dispute_id] if dispute_id in self.disputes:
                return 200, self.disputes[dispute_id]
            case "GET", ["reporting", "transactions"]:
                return self._search(call.params)
            case "POST", ["notifications", "verify-webhook-signature"]:
                return 200, {"verification_status": "SUCCESS" if self._has_signed(call) else "FAILURE"}
        return None

    def _grant(self, call: Call) -> tuple[int, Any]:
        sent = call.headers.get("Authorization", "").removeprefix("Basic ")
        if b64decode(sent).decode() != f"{CLIENT_ID}:{CLIENT_SECRET}":
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        self.tokens.add(token := f"A21AA{self._id('K')}")
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": 32400, "scope": ""}

    def _create(self, params: dict[str, Any]) -> tuple[int, Any]:
        (unit,) = params["purchase_units"]
        money = unit["amount"]
        if not re.fullmatch(
            r"\d+" if money["currency_code"] in ("HUF", "JPY", "TWD") else r"\d+\.\d\d", money["value"]
        ):
            return _problem(
                422, "UNPROCESSABLE_ENTITY", "DECIMALS_NOT_SUPPORTED", "Currency does not support decimals."
            )
        items = sum(Decimal(each["unit_amount"]["value"]) * int(each["quantity"]) for each in unit.get("items", []))
        if unit.get("items") and items != Decimal(money["breakdown"]["item_total"]["value"]):
            return _problem(422, "UNPROCESSABLE_ENTITY", "ITEM_TOTAL_MISMATCH", "Should equal the sum of the items.")
        order_id = self._id("O")
        is_wallet = "payment_source" in params
        self.orders[order_id] = order = {
            "id": order_id,
            "intent": params["intent"],
            "status": "PAYER_ACTION_REQUIRED" if is_wallet else "CREATED",
            "purchase_units": [{**unit, "payee": {"merchant_id": "C7CYMKZDG8D6E"}}],
            "create_time": self._now(),
            "context": params["payment_source"]["paypal"]["experience_context"],
            "links": [
                {"href": f"{self.url}/v2/checkout/orders/{order_id}", "rel": "self", "method": "GET"},
                {
                    "href": f"{self.site}/checkoutnow?token={order_id}",
                    "rel": "payer-action" if is_wallet else "approve",
                    "method": "GET",
                },
            ],
        }
        if self.site == self.url:
            order["links"][1]["href"] = f"{self.url}/checkoutnow/{order_id}"
        return 201, order

    def _capture(self, order_id: str) -> tuple[int, Any]:
        order = self.orders[order_id]
        if order["status"] == "COMPLETED":
            return _problem(422, "UNPROCESSABLE_ENTITY", "ORDER_ALREADY_CAPTURED", "Order already captured.")
        if order["status"] != "APPROVED":
            return _problem(422, "UNPROCESSABLE_ENTITY", "ORDER_NOT_APPROVED", "Payer has not yet approved the Order.")
        status = self.capturing.get(order_id, "COMPLETED")
        if status not in ("COMPLETED", "PENDING", "DECLINED"):
            return _problem(422, "UNPROCESSABLE_ENTITY", status, "The instrument presented was declined.")
        (unit,) = order["purchase_units"]
        capture = {
            "id": self._id("C"),
            "status": status,
            "amount": {name: unit["amount"][name] for name in ("currency_code", "value")},
            "final_capture": True,
            "custom_id": unit["custom_id"],
            "invoice_id": unit["invoice_id"],
            "supplementary_data": {"related_ids": {"order_id": order_id}},
            "create_time": self._now(),
            "links": [{"href": f"{self.url}/v2/checkout/orders/{order_id}", "rel": "up", "method": "GET"}],
        }
        if status == "PENDING":
            capture["status_details"] = {"reason": "ECHECK"}
        self.captures[capture["id"]] = capture
        unit["payments"] = {"captures": [capture], "refunds": []}
        order["status"] = "COMPLETED"
        if status == "COMPLETED":
            self._enter_payment(capture)
        return 201, order

    def _enter_payment(self, capture: dict[str, Any]) -> None:
        value, currency = Decimal(capture["amount"]["value"]), capture["amount"]["currency_code"]
        fee = (value * Decimal("0.0349")).quantize(Decimal(1) if currency in ("HUF", "JPY", "TWD") else Decimal("0.01"))
        self.transact(
            "T0006",
            str(value),
            currency,
            transaction_id=capture["id"],
            custom_field=capture["custom_id"],
            fee_amount={"currency_code": currency, "value": str(-fee)},
        )

    def _try_refund(self, capture_id: str, params: dict[str, Any]) -> tuple[int, Any]:
        capture = self.captures[capture_id]
        if capture["status"] not in ("COMPLETED", "PARTIALLY_REFUNDED"):
            return _problem(422, "UNPROCESSABLE_ENTITY", "CAPTURE_FULLY_REFUNDED", "The capture has been refunded.")
        if Decimal(params["amount"]["value"]) > self._left(capture):
            return _problem(422, "UNPROCESSABLE_ENTITY", "REFUND_AMOUNT_EXCEEDED", "More than the capture's rest.")
        return 201, self._refund(capture_id, params, "COMPLETED")

    def _left(self, capture: dict[str, Any]) -> Decimal:
        given = [each for each in self.refunds.values() if each["capture"] == capture["id"]]
        return Decimal(capture["amount"]["value"]) - sum(Decimal(each["amount"]["value"]) for each in given)

    def _refund(self, capture_id: str, params: dict[str, Any], status: str) -> dict[str, Any]:
        capture = self.captures[capture_id]
        currency = capture["amount"]["currency_code"]
        refund: dict[str, Any] = {
            "id": self._id("R"),
            "status": status,
            "amount": {"currency_code": currency, "value": params["amount"]["value"]},
            "capture": capture_id,
            "create_time": self._now(),
            "links": [{"href": f"{self.url}/v2/payments/captures/{capture_id}", "rel": "up", "method": "GET"}],
        }
        if params.get("custom_id"):
            refund["custom_id"] = params["custom_id"]
        self.refunds[refund["id"]] = refund
        capture["status"] = "PARTIALLY_REFUNDED" if self._left(capture) else "REFUNDED"
        self._payments(capture["supplementary_data"]["related_ids"]["order_id"])["refunds"].append(refund)
        self.transact(
            "T1107",
            f"-{refund['amount']['value']}",
            currency,
            transaction_id=refund["id"],
            paypal_reference_id=capture_id,
            paypal_reference_id_type="TXN",
        )
        return refund

    def _search(self, params: dict[str, str]) -> tuple[int, Any]:
        since, until = (datetime.fromisoformat(params[name]) for name in ("start_date", "end_date"))
        if until - since > timedelta(days=31):
            return _problem(400, "INVALID_REQUEST", "INVALID_DATE_RANGE", "Date range is greater than 31 days")
        found = [x for x in self.transactions if since <= _moment(x) <= until]
        if len(found) > self.too_many:
            return _problem(400, "RESULTSET_TOO_LARGE", "RESULTSET_TOO_LARGE", "Result set is too large.")
        size, number = int(params.get("page_size", 100)), int(params.get("page", 1))
        return 200, {
            "transaction_details": [{"transaction_info": x} for x in found[size * (number - 1) : size * number]],
            "page": number,
            "total_items": len(found),
            "total_pages": max(1, -(-len(found) // size)),
            "last_refreshed_datetime": self._now(),
        }

    def _has_signed(self, call: Call) -> bool:
        """What PayPal does when it is asked: the same calculation, over the event as it was sent back."""
        raw = call.body.partition(b'"webhook_event": ')[2][:-1]
        asked = call.params
        message = f"{asked['transmission_id']}|{asked['transmission_time']}|{asked['webhook_id']}|{zlib.crc32(raw)}"
        try:
            self.signer.key.public_key().verify(
                b64decode(asked["transmission_sig"]), message.encode(), padding.PKCS1v15(), hashes.SHA256()
            )
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it isn't signed
            return False
        return True

    def _show_page(self, call: Call) -> Answer:
        order_id = call.path.rpartition("/")[2]
        order = self.orders[order_id]
        if call.method == "GET":
            return 200, PAGE.format(**order["purchase_units"][0]["amount"]), {}, 0.0
        if "pay" in call.params:
            self.approve(order_id)
        address = order["context"]["return_url" if "pay" in call.params else "cancel_url"]
        return 303, "", {"Location": f"{address}?token={order_id}"}, 0.0

    def _payments(self, order_id: str) -> dict[str, Any]:
        payments: dict[str, Any] = self.orders[order_id]["purchase_units"][0]["payments"]
        return payments

    def _id(self, letter: str) -> str:
        return f"{letter}{next(self._count):016d}"

    def _now(self) -> str:
        return self.moment().strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(info: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(info["transaction_initiation_date"])


def _disputed(dispute: dict[str, Any]) -> str:
    return str(dispute["disputed_transactions"][0]["seller_transaction_id"])


def _problem(status: int, name: str, issue: str, description: str) -> tuple[int, dict[str, Any]]:
    details = [{"issue": issue, "description": description}]
    return status, {"name": name, "message": "The requested action could not be performed.", "details": details}


@pytest.fixture(scope="session")
def paypal_signer() -> Signer:
    return make_signer()


@pytest.fixture
def paypal_api(settings: Any, paypal_signer: Signer, tmp_path: Path) -> Iterator[PayPalServer]:
    """A fake PayPal, configured as the shop's only gateway."""
    server = PayPalServer(paypal_signer)
    server.start()
    roots = tmp_path / "roots.pem"
    roots.write_bytes(paypal_signer.root)
    keys = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "webhook_ids": [WEBHOOK_ID]}
    settings.PAYPAL_ACCOUNTS = {"": keys}
    settings.PAYPAL_API_BASE = server.url
    settings.PAYPAL_TEST_MODE = True
    settings.PAYPAL_RETRIES = 0
    settings.PAYPAL_CERTIFICATE_ROOTS = str(roots)
    settings.PAYMENT_PAGE_ORIGINS = [SITE]
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.paypal.gateway.PayPalGateway"]
    client.forget_tokens()
    signature.forget_certificates()
    try:
        yield server
    finally:
        server.stop()
