"""A fake Stripe over HTTP: sessions, refunds, disputes, idempotency keys and failures.

It keeps state, so that what was paid there is found there. Stripe's own `stripe-mock` (see `stripe_mock`) keeps none
and checks what we send against Stripe's specification.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from stripe import WebhookSignature

from tests.support.double import DROPPED, PATIENCE, Answer, Call, HttpDouble
from tests.support.programs import find_program

SECRET_KEY = "sk_test_of_the_tests"
WEBHOOK_SECRET = "whsec_of_the_tests"
MOCK_VERSION = "v0.203.0"

PAGE = """<!doctype html><html lang="en"><title>Pay</title><h1>Pay {amount_total} {currency}</h1>
<form method="post"><button name="pay" value="1">Pay</button> <button name="back" value="1">Back</button></form>"""


class StripeServer(HttpDouble):
    """An account's state, and what buyers, banks and dashboard users do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, dict[str, Any]] = {}
        self.payments: dict[str, dict[str, Any]] = {}
        self.refunds: dict[str, dict[str, Any]] = {}
        self.disputes: dict[str, dict[str, Any]] = {}
        self.movements: list[dict[str, Any]] = []
        self.moment: Callable[[], float] = time.time
        self.livemode = False
        self.page_origin = "https://checkout.stripe.com"
        self._answers: dict[str, tuple[str, int, dict[str, Any]]] = {}
        self._count = itertools.count(1)

    # What happens at Stripe

    def pay(self, session_id: str, **changes: Any) -> dict[str, Any]:
        """The buyer pays on Stripe's page."""
        return self._end(session_id, "complete", "paid", intent="succeeded", **changes)

    def pay_if_open(self, session_id: str) -> bool:
        """The buyer presses "Pay" on a page that may have expired."""
        with self.lock:
            is_open = self.sessions[session_id]["status"] == "open"
            if is_open:
                self.pay(session_id)
            return bool(is_open)

    def paid_sessions(self, order: str) -> int:
        """Count the paid sessions by order number."""
        mine = [each for each in self.sessions.values() if each["metadata"].get("order") == order]
        return sum(each["payment_status"] == "paid" for each in mine)

    def pay_later(self, session_id: str) -> dict[str, Any]:
        """The buyer pays by a method the bank takes days to confirm."""
        return self._end(session_id, "complete", "unpaid", intent="processing")

    def bank_says(self, session_id: str, *, yes: bool) -> dict[str, Any]:
        session = self.sessions[session_id]
        session["payment_status"] = "paid" if yes else "unpaid"
        payment = self.payments[session["payment_intent"]]
        payment["status"] = "succeeded" if yes else "requires_payment_method"
        payment["amount_received"] = payment["amount"] if yes else 0
        if yes:
            self._enter_charge(payment)
        return session

    def lapse(self, session_id: str) -> dict[str, Any]:
        """The session expires."""
        session = self.sessions[session_id]
        if session["status"] == "open":
            session["status"] = "expired"
        return session

    def refund_in_dashboard(self, payment_id: str, amount: int, status: str = "succeeded") -> dict[str, Any]:
        return self._refund({"payment_intent": payment_id, "amount": str(amount)}, status=status)

    def dispute(self, payment_id: str, status: str = "needs_response", moved: int = 1) -> dict[str, Any]:
        payment = self.payments[payment_id]
        known = next((each for each in self.disputes.values() if each["payment_intent"] == payment_id), None)
        dispute = known or {
            "id": f"du_{next(self._count)}",
            "object": "dispute",
            "amount": payment["amount"],
            "currency": payment["currency"],
            "payment_intent": payment_id,
            "charge": payment["latest_charge"]["id"],
            "reason": "fraudulent",
            "livemode": self.livemode,
        }
        dispute["status"] = status
        for number in range(len(dispute.get("balance_transactions", ())), moved):
            sign, category, fee = ((-1, "dispute", 1500), (1, "dispute_reversal", 0))[number % 2]
            self.move(category, sign * dispute["amount"], dispute, fee=fee)
        dispute["balance_transactions"] = [{"id": f"txn_{number}"} for number in range(moved)]
        payment["latest_charge"]["disputed"] = True
        self.disputes[dispute["id"]] = dispute
        return dispute

    def move(
        self, category: str, amount: int, source: dict[str, Any] | None = None, *, currency: str = "", **facts: Any
    ) -> dict[str, Any]:
        """Enter a movement in the account's balance, the newest first as Stripe lists them."""
        movement = {
            "id": f"txn_{next(self._count)}",
            "object": "balance_transaction",
            "amount": amount,
            "created": int(self.moment()),
            "currency": currency or (source or {}).get("currency", "usd"),
            "exchange_rate": None,
            "fee": 0,
            "reporting_category": category,
            "source": source,
            **facts,
        }
        self.movements.insert(0, movement)
        return movement

    def fail(self, path: str, status: int, body: Any = None, **options: Any) -> None:
        """Fail the next call of this path with this error."""
        super().fail(path, status, {"error": body or {"type": "api_error", "message": "Sorry."}}, **options)

    # What it tells by itself

    def event(self, kind: str, told: dict[str, Any], event_id: str = "", **changes: Any) -> bytes:
        event = {
            "id": event_id or f"evt_{next(self._count)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1,
            "livemode": self.livemode,
            "type": kind,
            "data": {"object": told},
            **changes,
        }
        return json.dumps(event).encode()

    # Its side of the wire

    def answer(self, call: Call) -> Answer:
        if call.path.startswith("/c/pay/"):
            return self._show_page(call)
        with self.lock:
            self.calls.append(call)
            key = call.headers.get("Idempotency-Key", "") if call.method == "POST" else ""
            if known := self._answers.get(key) if key else None:
                if known[0] != json.dumps([call.path, call.params], sort_keys=True):
                    error = {"type": "idempotency_error", "message": "Keys are for the same parameters only."}
                    return 400, {"error": error}, {}, 0.0
                return known[1], known[2], {"Idempotent-Replayed": "true"}, 0.0
            failure = self.failure_for(call)
            if failure is not None and not failure.after:
                status, body, headers = failure.status, failure.body, failure.headers
            else:
                status, body = self.do(call)
                headers = {}
            # Refused before it began (validation, limits, conflicts), nothing is kept under the key (F3).
            if key and status != DROPPED and (status < 400 or status >= 500):
                self._answers[key] = (json.dumps([call.path, call.params], sort_keys=True), status, body)
            if failure is not None and failure.after:
                status, body, headers = failure.status, failure.body, failure.headers
            return status, body, headers, failure.delay if failure else 0.0

    def _show_page(self, call: Call) -> Answer:
        session_id = call.path.rpartition("/")[2]
        session = self.sessions[session_id]
        if call.method == "GET":
            return 200, PAGE.format(**session), {}, 0.0
        if "pay" in call.params:
            self.pay(session_id)
        return 303, "", {"Location": session["success_url" if "pay" in call.params else "cancel_url"]}, 0.0

    def do(self, call: Call) -> tuple[int, dict[str, Any]]:
        parts = call.path.strip("/").split("/")[1:]
        match call.method, parts:
            case "POST", ["checkout", "sessions"]:
                return 200, self._session(call.params)
            case "GET", ["checkout", "sessions", session_id] if session_id in self.sessions:
                session = dict(self.sessions[session_id])
                if any(name.startswith("expand") for name in call.params) and session["payment_intent"]:
                    session["payment_intent"] = self.payments[session["payment_intent"]]
                return 200, session
            case "POST", ["checkout", "sessions", session_id, "expire"] if session_id in self.sessions:
                if self.sessions[session_id]["status"] != "open":
                    return _invalid('Only Checkout Sessions with a status in ["open"] can be expired.')
                return 200, self.lapse(session_id)
            case "POST", ["refunds"]:
                return self._try_refund(call.params)
            case "GET", ["refunds"]:
                return 200, _list(each for each in self.refunds.values() if _is_of(each, call))
            case "GET", ["refunds", refund_id] if refund_id in self.refunds:
                return 200, self.refunds[str(refund_id)]
            case "GET", ["disputes"]:
                return 200, _list(each for each in self.disputes.values() if _is_of(each, call))
            case "GET", ["balance_transactions"]:
                return 200, self._page_of_movements(call.params)
        return _invalid(f"No such thing: {call.path}", status=404, code="resource_missing")

    def _page_of_movements(self, params: dict[str, str]) -> dict[str, Any]:
        since, until = int(params.get("created[gte]", 0)), int(params.get("created[lt]", 1 << 62))
        found = [each for each in self.movements if since <= each["created"] < until]
        if after := params.get("starting_after"):
            found = found[[each["id"] for each in found].index(after) + 1 :]
        size = int(params.get("limit", 10))
        if not any(name.startswith("expand") for name in params):
            found = [each | {"source": (each["source"] or {}).get("id")} for each in found]
        return {
            "object": "list",
            "data": found[:size],
            "has_more": len(found) > size,
            "url": "/v1/balance_transactions",
        }

    def _session(self, params: dict[str, str]) -> dict[str, Any]:
        number = next(self._count)
        items = [name for name in params if name.endswith("[unit_amount]")]
        session: dict[str, Any] = {
            "id": f"cs_test_{number}",
            "object": "checkout.session",
            "amount_total": sum(int(params[name]) for name in items),
            "client_reference_id": params["client_reference_id"],
            "currency": params["line_items[0][price_data][currency]"],
            "customer_details": None,
            "expires_at": int(params["expires_at"]),
            "livemode": self.livemode,
            "metadata": {name[9:-1]: value for name, value in params.items() if name.startswith("metadata[")},
            "mode": params["mode"],
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "total_details": {"amount_tax": 0},
            "success_url": params["success_url"],
            "cancel_url": params["cancel_url"],
            "url": f"{self.page_origin}/c/pay/cs_test_{number}",
        }
        self.sessions[session["id"]] = session
        return session

    def _end(self, session_id: str, status: str, paid: str, *, intent: str, **changes: Any) -> dict[str, Any]:
        with self.lock:
            session = self.sessions[session_id]
            number = next(self._count)
            session.update(status=status, payment_status=paid, payment_intent=f"pi_{number}")
            session["customer_details"] = {
                "name": "Amara Okafor",
                "address": {"line1": "1 High Street", "city": "Springfield", "postal_code": "12345", "country": "US"},
                "tax_ids": [],
            }
            session.update(changes)
            done = intent == "succeeded"
            self.payments[session["payment_intent"]] = {
                "id": session["payment_intent"],
                "object": "payment_intent",
                "amount": session["amount_total"],
                "amount_received": session["amount_total"] if done else 0,
                "currency": session["currency"],
                "status": intent,
                "latest_charge": {
                    "id": f"ch_{number}",
                    "object": "charge",
                    "amount_refunded": 0,
                    "disputed": False,
                    "payment_intent": session["payment_intent"],
                    "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
                },
            }
            if done:
                self._enter_charge(self.payments[session["payment_intent"]])
            return session

    def _enter_charge(self, payment: dict[str, Any]) -> None:
        charge = payment["latest_charge"] | {"amount": payment["amount"], "currency": payment["currency"]}
        self.move("charge", payment["amount"], charge, fee=payment["amount"] * 29 // 1000 + 30)

    def _try_refund(self, params: dict[str, str]) -> tuple[int, dict[str, Any]]:
        payment = self.payments.get(params.get("payment_intent", ""))
        if payment is None:
            return _invalid("No such payment_intent", status=404, code="resource_missing")
        left = payment["amount"] - payment["latest_charge"]["amount_refunded"]
        if not left:
            return _invalid("Charge has already been refunded.", code="charge_already_refunded")
        if int(params["amount"]) > left:
            return _invalid(f"Refund amount is greater than unrefunded amount on charge ({left}).")
        return 200, self._refund(params)

    def _refund(self, params: dict[str, str], status: str = "succeeded") -> dict[str, Any]:
        payment = self.payments[params["payment_intent"]]
        refund = {
            "id": f"re_{next(self._count)}",
            "object": "refund",
            "amount": int(params["amount"]),
            "charge": payment["latest_charge"]["id"],
            "currency": payment["currency"],
            "metadata": {name[9:-1]: value for name, value in params.items() if name.startswith("metadata[")},
            "payment_intent": payment["id"],
            "status": status,
        }
        payment["latest_charge"]["amount_refunded"] += refund["amount"]
        self.refunds[refund["id"]] = refund
        self.move("refund", -refund["amount"], refund)
        return refund


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> dict[str, str]:
    """Return Stripe's signature header for this body."""
    return {"Stripe-Signature": WebhookSignature.generate_signature_header(body.decode(), secret, at)}


def _invalid(message: str, *, status: int = 400, code: str | None = None) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"type": "invalid_request_error", "message": message, "code": code, "param": None}}


def _list(found: Iterator[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": list(found), "has_more": False, "url": "/v1/things"}


def _is_of(thing: dict[str, Any], call: Call) -> bool:
    return bool(thing["payment_intent"] == call.params.get("payment_intent"))


@pytest.fixture
def stripe_api(settings: Any) -> Iterator[StripeServer]:
    """A fake Stripe, configured as the shop's only gateway."""
    server = StripeServer()
    server.start()
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": SECRET_KEY, "webhook_secrets": [WEBHOOK_SECRET]}}
    settings.STRIPE_API_BASE = server.url
    settings.STRIPE_RETRIES = 0
    settings.PAYMENT_PAGE_ORIGINS = [server.page_origin]
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.stripe.StripeGateway"]
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def stripe_mock() -> Iterator[str]:
    """Run Stripe's own mock server, built once into the user's cache; return its address."""
    with _running(_built()) as url:
        yield url


def _built() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stripe-mock" / MOCK_VERSION
    program = folder / "stripe-mock"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        building = tempfile.mkdtemp(dir=folder)  # several test processes may build it at once
        done = subprocess.run(
            [find_program("go"), "install", f"github.com/stripe/stripe-mock@{MOCK_VERSION}"],
            env={**os.environ, "GOBIN": building, "GOFLAGS": "-mod=mod"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            pytest.fail(f"stripe-mock can't be built: {done.stderr[-1000:]}")
        Path(building, "stripe-mock").replace(program)
        Path(building).rmdir()
    return program


@contextmanager
def _running(program: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [str(program), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield f"http://127.0.0.1:{_port(process)}"
    finally:
        process.terminate()
        process.wait(PATIENCE)
        if process.stdout:
            process.stdout.close()


def _port(process: subprocess.Popen[str]) -> str:
    """Return the port the server chose, from its first lines of output."""
    deadline = time.monotonic() + PATIENCE
    read: Callable[[], str] = process.stdout.readline if process.stdout else lambda: ""
    while time.monotonic() < deadline:
        line = read()
        if found := re.search(r"Listening for HTTP at address: .*:(\d+)", line):
            return found[1]
        if not line and process.poll() is not None:
            break
    pytest.fail("stripe-mock didn't start")
