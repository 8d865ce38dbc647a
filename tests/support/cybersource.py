"""A fake CyberSource over HTTP: the payment page, its signed answers, the REST API with its own state, and failures.

It follows CyberSource's published documents (Secure Acceptance Hosted Checkout; REST: Payments, Transaction Search,
Reporting). It refuses what isn't signed as they say, and the search may lag behind.
"""

from __future__ import annotations

import hmac
import html
import itertools
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from mitxonline.kernel import clock
from tests.support.double import Call, HttpDouble

MERCHANT, PROFILE = "tessera_tests", "D599681B-023C-4C3C-BF38-B42BF474F990"
ACCESS_KEY, SECRET_KEY = "2ad5c980feb838f1b3ec8b4477bb959e", "secret-of-the-profile-in-the-tests"
KEY_ID, REST_SECRET = "08c94330-f618-42a3-b09d-e1e43be5efda", b64encode(b"shared secret of the tests").decode()
FORM_TIME = timedelta(minutes=15)
REQUIRED = {
    "access_key",
    "profile_id",
    "transaction_uuid",
    "signed_field_names",
    "unsigned_field_names",
    "signed_date_time",
    "locale",
    "transaction_type",
    "reference_number",
    "amount",
    "currency",
}
REASONS = {"ACCEPT": "100", "REVIEW": "480", "DECLINE": "203", "ERROR": "150", "CANCEL": ""}

PAGE = """<!doctype html><html lang="en"><title>Pay</title><h1>Pay {amount} {currency}</h1>
<form method="post" action="/decide"><input type="hidden" name="uuid" value="{transaction_uuid}">
<button name="decision" value="ACCEPT">Pay</button> <button name="decision" value="DECLINE">Decline</button>
<button name="decision" value="REVIEW">Review</button> <button name="decision" value="CANCEL">Cancel</button></form>"""
BACK = """<!doctype html><html lang="en"><title>Back to the shop</title>
<form method="post" action="{address}">{fields}<button>Continue</button></form>
<script>document.forms[0].submit()</script>"""


class PageRefused(Exception):
    """The payment page doesn't open: the form isn't signed as documented, or too long ago."""


class CyberSourceServer(HttpDouble):
    """A merchant's state, and what buyers, banks and staff in the Business Center do to it."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions: dict[str, dict[str, Any]] = {}
        self.forms: dict[str, dict[str, str]] = {}
        self.chargebacks: list[dict[str, Any]] = []
        # New transactions aren't found until this is off again.
        self.is_search_late = False
        # Whether it remembers requests by v-c-idempotency-id: only where support has enabled it.
        self.keeps_keys = False
        # Whether it refuses a transactionId that it has had: only with one processor.
        self.refuses_repeats = False
        # Whether a search also finds what shares only a part of the number.
        self.finds_parts = False
        self._late: set[str] = set()
        self._answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self._repeats: set[str] = set()
        self._count = itertools.count(7_000_000_000_000_000_001)

    # The payment page

    def open_page(self, fields: dict[str, str]) -> None:
        """Open the page for a posted form. Raises PageRefused."""
        names = fields.get("signed_field_names", "").split(",")
        unsigned = [each for each in fields.get("unsigned_field_names", "").split(",") if each]
        if set(fields) - {"signature"} != {*names, *unsigned} or not set(names) >= REQUIRED:
            raise PageRefused("fields")
        if fields.get("signature") != sign({name: fields[name] for name in names}, names)["signature"]:
            raise PageRefused("signature")
        if (fields["access_key"], fields["profile_id"]) != (ACCESS_KEY, PROFILE):
            raise PageRefused("profile")
        signed_at = datetime.strptime(fields["signed_date_time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if clock.now() - signed_at > FORM_TIME:
            raise PageRefused("expired")
        if len(fields["amount"]) > 15 or len(fields["reference_number"]) > 50 or len(fields["transaction_uuid"]) > 40:
            raise PageRefused("length")
        self.forms[fields["transaction_uuid"]] = fields

    def decide(self, uuid: str, decision: str = "ACCEPT", *, reason: str = "", amount: str = "") -> dict[str, str]:
        """End the buyer's visit, and return the signed answer."""
        with self.lock:
            form = self.forms[uuid]
            if decision != "CANCEL" and self._is_repeat(form):
                decision, reason = "ERROR", "104"
            reason = reason or REASONS[decision]
            answer = {
                **self._enter_payment(form, decision, reason, amount),
                "decision": decision,
                "reason_code": reason,
                "message": "Request was processed successfully." if decision == "ACCEPT" else "Decline",
            }
            answer |= {f"req_{name}": form[name] for name in form if name not in NOT_RETURNED}
            if decision in ("ACCEPT", "REVIEW"):
                answer |= {
                    "req_bill_to_forename": "Amara",
                    "req_bill_to_surname": "Okafor, née Bello",
                    "req_bill_to_address_line1": "1 High Street",
                    "req_bill_to_address_city": "Springfield",
                    "req_bill_to_address_country": "US",
                    "req_bill_to_address_postal_code": "12345",
                    "req_card_number": "xxxxxxxxxxxx1111",
                    "req_card_type": "001",
                    "card_type_name": "Visa",
                }
            if not reason:
                del answer["reason_code"]
            return sign_answer(answer)

    def _is_repeat(self, form: dict[str, str]) -> bool:
        recent = clock.now() - FORM_TIME
        return any(
            each["uuid"] == form["transaction_uuid"] and each["at"] > recent and each["kind"] == "payment"
            for each in self.transactions.values()
        )

    def _enter_payment(self, form: dict[str, str], decision: str, reason: str, amount: str) -> dict[str, str]:
        if decision == "CANCEL" or reason in ("102", "104"):
            return {}
        services = {
            "ACCEPT": {"ics_auth": "SOK", "ics_bill": "SOK"},
            "REVIEW": {"ics_auth": "SOK", "ics_decision": "DREVIEW"},
            "DECLINE": {"ics_auth": "DCARDREFUSED"},
            "ERROR": {"ics_auth": "ETIMEOUT"},
        }[decision]
        made = self.enter(
            "payment",
            services,
            code=form["reference_number"],
            amount=form["amount"],
            currency=form["currency"],
            reason=reason,
            uuid=form["transaction_uuid"],
            authorized=amount or form["amount"],
        )
        answer = {"transaction_id": made["id"]}
        if decision == "ERROR":
            return {}
        if decision != "DECLINE":
            answer |= {"auth_amount": amount or form["amount"], "auth_code": "888888", "auth_trans_ref_no": "72199"}
        return answer

    # What happens there

    def enter(
        self,
        kind: str,
        services: dict[str, str],
        *,
        code: str,
        amount: str,
        currency: str,
        reason: str = "100",
        uuid: str = "",
        parent: str = "",
        authorized: str = "",
    ) -> dict[str, Any]:
        with self.lock:
            transaction: dict[str, Any] = {
                "id": f"{next(self._count)}005",
                "kind": kind,
                "services": services,
                "code": code,
                "amount": amount,
                "authorized": authorized,
                "currency": currency,
                "reason": reason,
                "uuid": uuid,
                "parent": parent,
                "status": "PENDING",
                "at": clock.now(),
            }
            self.transactions[transaction["id"]] = transaction
            if self.is_search_late:
                self._late.add(transaction["id"])
            return transaction

    def catch_up(self) -> None:
        """The search finds everything again."""
        self.is_search_late = False
        self._late.clear()

    def payment(self, code: str) -> dict[str, Any]:
        """Return the payment with this reference number."""
        (found,) = [each for each in self.transactions.values() if each["code"] == code and each["kind"] == "payment"]
        return found

    def refunds(self) -> list[dict[str, Any]]:
        return [each for each in self.transactions.values() if each["kind"] == "refund"]

    def review(self, code: str, *, accept: bool) -> None:
        """Staff or the processor decide a payment in review."""
        payment = self.payment(code)
        kind, service = ("capture", "ics_bill") if accept else ("reversal", "ics_auth_reversal")
        self.enter(
            kind,
            {service: "SOK"},
            code=code,
            amount=payment["amount"],
            currency=payment["currency"],
            parent=payment["id"],
        )

    def refund_in_business_center(self, payment_id: str, amount: str) -> dict[str, Any]:
        payment = self.transactions[payment_id]
        return self.enter(
            "refund",
            {"ics_credit": "SOK"},
            code=payment["code"],
            amount=amount,
            currency=payment["currency"],
            parent=payment_id,
        )

    def void_in_business_center(self, payment_id: str) -> dict[str, Any]:
        """Staff void a payment, or a refund, before it goes to the bank."""
        payment = self.transactions[payment_id]
        return self.enter(
            "void",
            {"ics_void": "SOK"},
            code=payment["code"],
            amount=payment["amount"],
            currency=payment["currency"],
            parent=payment["parent"] or payment_id,
        )

    def charge_back(self, payment_id: str, *, sign: str = "-", **facts: str) -> None:
        payment = self.transactions[payment_id]
        self.chargebacks.append(
            {
                "requestId": payment_id,
                "merchantReferenceNumber": payment["code"],
                "trackingNumber": f"CB{payment_id[-6:]}",
                "natureOfDispute": "Fraud",
                "amount": payment["amount"],
                "currencyCode": payment["currency"],
                "sign": sign,
                "time": _iso(clock.now()),
                **facts,
            }
        )

    # The API

    def do(self, call: Call) -> tuple[int, Any]:
        if call.path in ("/pay", "/decide"):
            return self._show(call)
        if not _is_signed(call, self.url):
            return 401, {"response": {"rmsg": "Authentication Failed"}}
        key = call.headers.get("v-c-idempotency-id", "") if self.keeps_keys else ""
        answer = self._answers.get(key) or self._do(call)
        if key:
            self._answers[key] = answer
        return answer

    def _show(self, call: Call) -> tuple[int, str]:
        """The page with the card's fields, and the one that posts the answer back."""
        if call.path == "/pay":
            try:
                self.open_page(call.params)
            except PageRefused as refused:
                return 403, f"<h1>You are not authorized to view this page</h1><p>{refused}</p>"
            return 200, PAGE.format(**call.params)
        uuid, decision = call.params["uuid"], call.params["decision"]
        answer = self.decide(uuid, decision)
        inputs = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in answer.items()
        )
        name = "cancel" if decision == "CANCEL" else "receipt"
        address = self.forms[uuid][f"override_custom_{name}_page"]
        return 200, BACK.format(address=html.escape(address), fields=inputs)

    def _do(self, call: Call) -> tuple[int, dict[str, Any]]:
        match call.method, call.path.strip("/").split("/"):
            case "POST", ["tss", "v2", "searches"]:
                return 201, self._search(call.params)
            case "GET", ["tss", "v2", "transactions", found] if found in self.transactions and found not in self._late:
                return 200, self._details(self.transactions[found])
            case "POST", ["pts", "v2", ("payments" | "captures") as kind, found, "refunds"]:
                return self._refund(self.transactions.get(found), kind, call.params)
            case "POST", ["pts", "v2", "payments", found, "reversals"]:
                return self._reverse(self.transactions.get(found), call.params)
            case "GET", ["reporting", "v3", "purchase-refund-details"]:
                return 200, self._settlements(call.params)
            case "GET", ["reporting", "v3", "chargeback-details"]:
                return 200, {
                    "chargebackDetails": [each for each in self.chargebacks if _is_in(each["time"], call.params)]
                }
        return 404, {"status": "NOT_FOUND", "reason": "NOT_FOUND", "message": "No such thing."}

    def _search(self, content: dict[str, Any]) -> dict[str, Any]:
        code = re.fullmatch(r"clientReferenceInformation\.code:([\w-]+)", content["query"])
        assert code, content["query"]
        found = [
            each
            for each in self.transactions.values()
            if (each["code"] == code[1] or self.finds_parts) and each["id"] not in self._late
        ]
        offset, limit = content["offset"], content["limit"]
        page = found[offset : offset + limit]
        return {
            "searchId": "s",
            "totalCount": len(found),
            "count": len(page),
            "offset": offset,
            "limit": limit,
            "_embedded": {"transactionSummaries": [self._summary(each) for each in page]},
        }

    def _summary(self, transaction: dict[str, Any]) -> dict[str, Any]:
        services = [
            {"name": name, "rFlag": flag, "reasonCode": "100" if flag == "SOK" else transaction["reason"]}
            for name, flag in transaction["services"].items()
        ]
        return {
            "id": transaction["id"],
            "submitTimeUtc": _iso(transaction["at"]),
            "merchantId": MERCHANT,
            "applicationInformation": {
                "status": transaction["status"],
                "reasonCode": transaction["reason"],
                "applications": services,
            },
            "clientReferenceInformation": {"code": transaction["code"]},
            "orderInformation": {
                "amountDetails": {"totalAmount": transaction["amount"], "currency": transaction["currency"]},
                "billTo": {"firstName": "Amara", "lastName": "Okafor", "country": "US"},
            },
            "paymentInformation": {"card": {"suffix": "1111", "type": "001"}},
        }

    def _details(self, transaction: dict[str, Any]) -> dict[str, Any]:
        details = self._summary(transaction)
        details["submitTimeUTC"] = details.pop("submitTimeUtc")
        details["rootId"] = transaction["parent"] or transaction["id"]
        if transaction["authorized"]:
            details["orderInformation"]["amountDetails"]["authorizedAmount"] = transaction["authorized"]
        details["_links"] = {
            "self": {"href": f"{self.url}/tss/v2/transactions/{transaction['id']}"},
            "relatedTransactions": [
                {"href": f"{self.url}/tss/v2/transactions/{each['id']}", "method": "GET"}
                for each in self.transactions.values()
                if each["parent"] == transaction["id"] and each["id"] not in self._late
            ],
        }
        return details

    def _refund(self, payment: dict[str, Any] | None, kind: str, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if payment is None:
            return 404, {"status": "NOT_FOUND", "reason": "NOT_FOUND", "message": "No such payment."}
        if "ics_bill" not in payment["services"] or (payment["kind"] == "capture") != (kind == "captures"):
            return _invalid("INVALID_DATA", "Declined - One or more fields in the request contains invalid data.")
        reference = content["clientReferenceInformation"]
        if self.refuses_repeats and reference["transactionId"] in self._repeats:
            return _invalid("DUPLICATE_REQUEST", "Declined - The transaction identifier has already been used.")
        self._repeats.add(reference["transactionId"])
        amounts = content["orderInformation"]["amountDetails"]
        given = sum(
            (Decimal(each["amount"]) for each in self.refunds() if each["parent"] == payment["id"]), start=Decimal(0)
        )
        if given + Decimal(amounts["totalAmount"]) > Decimal(payment["amount"]):
            return _invalid("INVALID_AMOUNT", "Declined - The credit amount exceeds the captured amount.")
        made = self.enter(
            "refund",
            {"ics_credit": "SOK"},
            code=reference["code"],
            amount=amounts["totalAmount"],
            currency=amounts["currency"],
            parent=payment["id"],
        )
        return 201, {
            "id": made["id"],
            "submitTimeUtc": _iso(made["at"]),
            "status": "PENDING",
            "reconciliationId": "AB1234",
            "clientReferenceInformation": {"code": reference["code"]},
            "refundAmountDetails": {"refundAmount": amounts["totalAmount"], "currency": amounts["currency"]},
        }

    def _reverse(self, payment: dict[str, Any] | None, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if payment is None or "ics_bill" in payment["services"]:
            return _invalid("NOT_SUPPORTED", "Declined")
        amounts = content["reversalInformation"]["amountDetails"]
        made = self.enter(
            "reversal",
            {"ics_auth_reversal": "SOK"},
            code=content["clientReferenceInformation"]["code"],
            amount=amounts["totalAmount"],
            currency=amounts["currency"],
            parent=payment["id"],
        )
        return 201, {"id": made["id"], "status": "REVERSED"}

    def _settlements(self, params: dict[str, str]) -> dict[str, Any]:
        moved = [
            each
            for each in self.transactions.values()
            if {"ics_bill", "ics_credit"} & {name for name, flag in each["services"].items() if flag == "SOK"}
            and _is_in(_iso(each["at"]), params)
        ]
        page = moved[int(params["offset"]) :][: int(params["limit"])]
        return {
            "offset": int(params["offset"]),
            "limit": int(params["limit"]),
            "pageResults": len(page),
            "settlements": [
                {
                    "requestId": each["id"],
                    "transactionType": "Credit" if each["kind"] == "refund" else "Debit",
                    "submissionTime": _iso(each["at"]),
                    "amount": each["amount"],
                    "currencyCode": each["currency"],
                }
                for each in page
            ],
            "authorizations": [
                {"requestId": each["id"], "authorizationRequestId": each["parent"] or each["id"]} for each in page
            ],
            "feeAndFundingDetails": [
                {"requestId": each["id"], "totalFee": "0.30", "feeCurrency": each["currency"]}
                for each in page
                if each["currency"] == "USD" and each["kind"] == "payment"
            ],
        }


# Fields of the form that the answer doesn't repeat.
NOT_RETURNED = {"signature", "signed_field_names", "unsigned_field_names", "signed_date_time"}


def sign(fields: dict[str, str], names: list[str], secret: str = SECRET_KEY) -> dict[str, str]:
    text = ",".join(f"{name}={fields[name]}" for name in names)
    signature = b64encode(hmac.new(secret.encode(), text.encode(), sha256).digest()).decode()
    return {**fields, "signature": signature}


def sign_answer(fields: dict[str, str], *, secret: str = SECRET_KEY) -> dict[str, str]:
    """Sign an answer as CyberSource does: all its fields, the list itself, and the time. Signs a signed one anew."""
    fields = {name: value for name, value in fields.items() if name not in {*NOT_RETURNED, "utf8"}}
    complete = {**fields, "signed_date_time": _iso(clock.now()), "signed_field_names": ""}
    names = [*fields, "signed_field_names", "signed_date_time"]
    complete["signed_field_names"] = ",".join(names)
    return {**sign(complete, names, secret), "utf8": "✓"}


def encode(answer: dict[str, str]) -> bytes:
    """Return an answer as it is posted."""
    return urlencode(answer).encode()


def _is_signed(call: Call, url: str) -> bool:
    headers = {name.lower(): value for name, value in call.headers.items()}
    given = dict(re.findall(r'(\w+)="([^"]*)"', headers.get("signature", "")))
    query = f"?{urlencode(call.params)}" if call.method == "GET" and call.params else ""
    values = {**headers, "request-target": f"{call.method.lower()} {call.path}{query}", "host": urlsplit(url).netloc}
    if call.body and headers.get("digest") != f"SHA-256={b64encode(sha256(call.body).digest()).decode()}":
        return False
    names = given.get("headers", "").split()
    wanted = ["host", "date", "request-target", *(["digest"] if call.method == "POST" else []), "v-c-merchant-id"]
    if names != wanted or given.get("keyid") != KEY_ID or headers.get("v-c-merchant-id") != MERCHANT:
        return False
    if headers.get("host") != urlsplit(url).netloc:
        return False
    text = "\n".join(f"{name}: {values[name]}" for name in names)
    expected = b64encode(hmac.new(b64decode(REST_SECRET), text.encode(), sha256).digest()).decode()
    return expected == given.get("signature")


def _is_in(moment: str, params: dict[str, Any]) -> bool:
    begin, end = (datetime.fromisoformat(params[name]) for name in ("startTime", "endTime"))
    return begin <= datetime.fromisoformat(moment) < end


def _invalid(reason: str, message: str) -> tuple[int, dict[str, Any]]:
    return 400, {"status": "INVALID_REQUEST", "reason": reason, "message": message}


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def account() -> dict[str, Any]:
    return {
        "merchant_id": MERCHANT,
        "profile_id": PROFILE,
        "access_keys": [ACCESS_KEY],
        "secret_keys": [SECRET_KEY],
        "rest_key_id": KEY_ID,
        "rest_secret": REST_SECRET,
        "is_live": False,
    }


@pytest.fixture
def cybersource_api(settings: Any) -> Iterator[CyberSourceServer]:
    """A fake CyberSource, configured as the shop's only gateway."""
    server = CyberSourceServer()
    server.start()
    settings.CYBERSOURCE_ACCOUNTS = {"": account()}
    settings.CYBERSOURCE_API_BASE = settings.CYBERSOURCE_PAGE_BASE = server.url
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.cybersource.gateway.CyberSourceGateway"]
    try:
        yield server
    finally:
        server.stop()
