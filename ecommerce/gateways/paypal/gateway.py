"""PayPal's gateway. An order that its buyer approved moves no money until we capture it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from django.conf import settings

from ecommerce.gateways.accounts import account_for, accounts_of
from ecommerce.gateways.base import (
    DisputeNotice,
    Envelope,
    Movement,
    Notice,
    NoticeNotUnderstood,
    OtherNotice,
    PaymentFailed,
    PaymentLine,
    PaymentNotice,
    PaymentOutcome,
    PaymentRequest,
    Redirect,
    RefundInstruction,
    RefundNotice,
    RefundResult,
    RefundsChanged,
    Session,
)
from ecommerce.gateways.paypal import client, signature
from ecommerce.gateways.paypal.amounts import NO_DIGITS, write_amount
from ecommerce.gateways.paypal.reading import (
    NOT_AS_DOCUMENTED,
    as_documented,
    capture_notice,
    capture_of,
    dispute_notice,
    mapping,
    moment_of,
    movement,
    order_notice,
    order_of,
    refund_notice,
    refund_result,
    required_id,
    text,
)
from mitxonline.kernel.money import Money

logger = logging.getLogger(__name__)

# The link to the page where the buyer approves; which of the two depends on how the order was created.
APPROVE_LINKS = ("payer-action", "approve")

# The buyer has to look at the order again; nothing was taken.
NOT_APPROVED = frozenset({"ORDER_NOT_APPROVED", "PAYER_ACTION_REQUIRED"})
ALREADY_CAPTURED = "ORDER_ALREADY_CAPTURED"
MISSING = "resource_missing"

LOCALE = re.compile(r"[a-z]{2}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
LONGEST_TITLE, MOST_LINES = 127, 100
DISPUTES_AT_ONCE = "50"

# PayPal searches no longer time than this at once, and no more than 500 rows a page.
SEARCH_DAYS = timedelta(days=31)
PAGE_SIZE = 500
# An eCheck clears within days and then appears at the time at which it began.
CLEARING_TIME = timedelta(days=10)

_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_EVENT_KIND = re.compile(r"[A-Z0-9_.-]{1,100}")
UNREADABLE = "unreadable"

LIVE_SITE, TRIAL_SITE = "https://www.paypal.com", "https://www.sandbox.paypal.com"


class PayPalGateway:
    name: ClassVar[str] = client.NAME

    def account_for(self, host: str) -> str:
        return account_for(self.name, host)

    def can_take(self, total: Money) -> bool:
        try:
            write_amount(total)
        except PaymentFailed:
            return False
        return True

    def start(self, payment: PaymentRequest) -> Redirect:
        """Create an order and return its approve link."""
        order = client.ask(
            "POST",
            "/v2/checkout/orders",
            account=payment.account,
            body=_order_of(payment),
            key=payment.idempotency_key,
        )
        with as_documented():
            url, session_id = _approve_link(order), required_id(order)
        if _origin(url) not in {_origin(each) for each in settings.PAYMENT_PAGE_ORIGINS}:
            logger.error("payment page on an origin that isn't allowed", extra={"origin": _origin(url)})
        return Redirect(url=url, session_id=session_id)

    def expire(self, session: Session) -> PaymentNotice:
        """Say how the order ended. Without a capture it moves no money, and from now on no one captures it."""
        try:
            found = self.look_up(session)
        except PaymentFailed as failure:
            if failure.code != MISSING:  # PayPal forgets orders that were never paid
                raise
            return _make_ended(session)
        return _make_ended(session) if found.outcome in (PaymentOutcome.OPEN, PaymentOutcome.APPROVED) else found

    def look_up(self, session: Session) -> PaymentNotice:
        order = client.ask("GET", _order_path(session.session_id), account=session.account)
        with as_documented():
            return order_notice(order)

    def capture(self, session: Session) -> PaymentNotice:
        """Capture an approved order. One that was captured before is looked up; a refusal took nothing."""
        try:
            order = client.ask(
                "POST",
                f"{_order_path(session.session_id)}/capture",
                account=session.account,
                body={},
                key=f"capture:{session.reference}",
            )
        except PaymentFailed as failure:
            if failure.retriable or failure.code in {MISSING, "key_refused", "no_key"}:
                raise
            return self._after_refusal(session, failure)
        with as_documented():
            found = order_notice(order)
        # A short answer leaves the capture out.
        return found if found.payment_id else self.look_up(session)

    def refund(self, refund: RefundInstruction) -> RefundResult:
        answer = client.ask(
            "POST",
            f"/v2/payments/captures/{quote(refund.payment_id, safe='')}/refund",
            account=refund.account,
            body={"amount": write_amount(refund.amount), "custom_id": refund.reference},
            key=refund.idempotency_key,
        )
        with as_documented():
            return refund_result(answer)

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Find a refund by PayPal's id, or without one by our reference among the payment's refunds."""
        if refund_id:
            path = f"/v2/payments/refunds/{quote(refund_id, safe='')}"
            with as_documented():
                return refund_result(client.ask("GET", path, account=refund.account))
        with as_documented():
            for found in _refunds(refund.payment_id, refund.account):
                if text(found.get("custom_id")) == refund.reference:
                    return refund_result(found)
        return None

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """Return every refund of a capture, made here or on PayPal's pages."""
        with as_documented():
            return tuple(refund_notice(each, payment_id=payment_id) for each in _refunds(payment_id, account))

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        with as_documented():
            return tuple(dispute_notice(each, payment_id=payment_id) for each in _disputes(payment_id, account))

    def accounts(self) -> tuple[str, ...]:
        return tuple(accounts_of(self.name))

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the account's transactions. PayPal reports one after three hours at most.

        An eCheck that cleared in this time is among them, although it began before.
        """
        asked: dict[str, str] = {}

        def find_dispute(payment_id: str) -> str:
            if payment_id not in asked:
                found = self.disputes_of(payment_id, account)
                asked[payment_id] = found[0].dispute_id if found else ""
            return asked[payment_id]

        for begin, end in _windows(since - CLEARING_TIME, until):
            for details in _search(account, begin, end):
                with as_documented():
                    info = details["transaction_info"]
                    if text(info.get("transaction_status")) in ("D", "P"):  # denied, or not moved yet
                        continue
                    began = moment_of(info["transaction_initiation_date"])
                    changed = moment_of(info.get("transaction_updated_date") or info["transaction_initiation_date"])
                    if since <= began < until or began < since <= changed < until:
                        yield movement(details, find_dispute=find_dispute)

    def dashboard_url(self, *, session_id: str, payment_id: str) -> str:
        site = TRIAL_SITE if signature.is_trial() else LIVE_SITE
        return f"{site}/activity/payment/{quote(payment_id, safe='')}" if payment_id else ""

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Accept only what PayPal signed for a webhook of ours, in any format: what isn't accepted is sent again."""
        signature.verify(body, headers, account=account)
        event = mapping(json.loads(body))
        event_id, kind = text(event.get("id")), text(event.get("event_type"))
        if not _EVENT_ID.fullmatch(event_id):
            event_id = f"sha256:{sha256(body).hexdigest()}"
        return Envelope(event_id=event_id, kind=kind if _EVENT_KIND.fullmatch(kind) else UNREADABLE)

    def read_notice(self, body: bytes, *, account: str) -> Notice:
        """Read an event. What it says is only a hint: ask PayPal before acting on it."""
        try:
            event = json.loads(body)
            return _notice(event["id"], event["event_type"], event["resource"])
        except NOT_AS_DOCUMENTED as error:
            raise NoticeNotUnderstood("not as PayPal documents its events") from error

    def _after_refusal(self, session: Session, failure: PaymentFailed) -> PaymentNotice:
        found = self.look_up(session)
        if found.outcome is not PaymentOutcome.APPROVED or failure.code in NOT_APPROVED:
            return found
        if failure.code == ALREADY_CAPTURED:  # captured, and the answer to the question is older
            raise PaymentFailed("captured, but not shown yet", retriable=True)
        # The bank or PayPal refused: nothing was taken, and the buyer can pay in another way.
        return _make_ended(session, PaymentOutcome.DECLINED)


def _make_ended(session: Session, outcome: PaymentOutcome = PaymentOutcome.EXPIRED) -> PaymentNotice:
    return PaymentNotice(
        event_id="",
        reference=session.reference,
        session_id=session.session_id,
        payment_id="",
        outcome=outcome,
        paid=None,
    )


def _order_of(payment: PaymentRequest) -> dict[str, Any]:
    # A pure function of the request: a repeated request has to be the same bytes.
    amount = write_amount(payment.total)
    unit: dict[str, Any] = {
        "reference_id": "default",
        "custom_id": str(payment.reference),
        "invoice_id": payment.order_number,
        "description": payment.order_number,
        "amount": amount,
    }
    if len(payment.lines) <= MOST_LINES and Money.sum([x.due for x in payment.lines], payment.total.currency) == (
        payment.total
    ):
        unit["amount"] = {**amount, "breakdown": {"item_total": amount}}
        unit["items"] = [_item(line, payment) for line in payment.lines if not line.due.is_zero]
    context = {
        "shipping_preference": "NO_SHIPPING",
        "user_action": "PAY_NOW",
        "return_url": payment.return_url,
        "cancel_url": payment.cancel_url,
        **({"locale": locale} if (locale := paypal_locale(payment.locale)) else {}),
    }
    source = {"email_address": payment.buyer_email, "experience_context": context}
    return {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": {"paypal": source}}


def _item(line: PaymentLine, payment: PaymentRequest) -> dict[str, Any]:
    """Describe a line. A discount on all seats together may leave no whole price for each: then they are one item."""
    title = line.title or payment.order_number
    digits = 0 if line.due.currency in NO_DIGITS else 2
    units = int(line.due.amount.scaleb(digits))
    is_divisible = units % line.seats == 0
    each = Money(line.due.amount / line.seats, line.due.currency) if is_divisible else line.due
    name = title if is_divisible else f"{line.seats} × {title}"
    return {
        "name": name[:LONGEST_TITLE],
        "quantity": str(line.seats if is_divisible else 1),
        "unit_amount": write_amount(each),
        "category": "DIGITAL_GOODS",
    }


def paypal_locale(language: str) -> str:
    """Return the language of PayPal's page; empty for one that PayPal doesn't read, and then it takes the browser's."""
    parts = language.replace("_", "-").split("-")
    sized = {4: str.title, 2: str.upper}
    words = [parts[0].lower(), *(sized.get(len(part), str.lower)(part) for part in parts[1:])]
    found = "-".join(words)
    return found if LOCALE.fullmatch(found) else ""


def _approve_link(order: Mapping[str, Any]) -> str:
    links = {text(mapping(link).get("rel")): text(mapping(link).get("href")) for link in order["links"]}
    found = next((links[name] for name in APPROVE_LINKS if links.get(name)), "")
    if urlsplit(found).scheme not in ("https", "http"):
        raise ValueError("no approve link")
    return found


def _order_path(session_id: str) -> str:
    return f"/v2/checkout/orders/{quote(session_id, safe='')}"


def _refunds(payment_id: str, account: str) -> list[Mapping[str, Any]]:
    """Return the refunds of a capture. PayPal lists them with its order only."""
    capture = client.ask("GET", f"/v2/payments/captures/{quote(payment_id, safe='')}", account=account)
    order_id = order_of(capture)
    if not order_id:
        raise PaymentFailed("PayPal doesn't say which order this payment belongs to", retriable=False)
    order = client.ask("GET", _order_path(order_id), account=account)
    found: list[Mapping[str, Any]] = []
    for unit in order["purchase_units"]:
        payments = mapping(mapping(unit).get("payments"))
        found += [mapping(each) for each in payments.get("refunds") or []]
    return [each for each in found if capture_of(each) in ("", payment_id)]


def _disputes(payment_id: str, account: str) -> Iterator[Mapping[str, Any]]:
    params = {"disputed_transaction_id": payment_id, "page_size": DISPUTES_AT_ONCE}
    page = client.ask("GET", "/v1/customer/disputes", account=account, params=params)
    for item in page.get("items") or []:  # PayPal allows a few disputes about one payment, one after another
        yield client.ask("GET", f"/v1/customer/disputes/{quote(text(item['dispute_id']), safe='')}", account=account)


def _windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + SEARCH_DAYS, until)
        yield since, end
        since = end


def _search(account: str, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
    """Yield the transactions of this time, page by page; in halves where PayPal finds too many at once."""
    params = {
        "start_date": _write_moment(since),
        "end_date": _write_moment(until - timedelta(seconds=1)),  # PayPal includes it
        "fields": "transaction_info",
        "balance_affecting_records_only": "Y",
        "page_size": str(PAGE_SIZE),
    }
    number, pages = 1, 1
    while number <= pages:
        try:
            page = client.ask(
                "GET", "/v1/reporting/transactions", account=account, params={**params, "page": str(number)}
            )
        except PaymentFailed as failure:
            if failure.code != "RESULTSET_TOO_LARGE" or until - since < timedelta(minutes=2):
                raise
            middle = since + (until - since) / 2
            yield from _search(account, since, middle)
            yield from _search(account, middle, until)
            return
        with as_documented():
            yield from page.get("transaction_details") or []
            pages = int(page.get("total_pages") or 1)
        number += 1


def _write_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _notice(event_id: str, kind: str, resource: Mapping[str, Any]) -> Notice:
    if kind == "CHECKOUT.PAYMENT-APPROVAL.REVERSED":
        return PaymentNotice(
            event_id=event_id,
            reference=None,
            session_id=text(resource["order_id"]),
            payment_id="",
            outcome=PaymentOutcome.EXPIRED,
            paid=None,
        )
    if kind.startswith("CHECKOUT.ORDER."):
        return order_notice(resource, event_id=event_id)
    if kind in ("PAYMENT.CAPTURE.REFUNDED", "PAYMENT.CAPTURE.REVERSED") or kind.startswith("PAYMENT.REFUND."):
        return RefundsChanged(event_id=event_id, payment_id=capture_of(resource) or required_id(resource))
    if kind.startswith("PAYMENT.CAPTURE."):
        return capture_notice(resource, event_id=event_id)
    if kind.startswith("CUSTOMER.DISPUTE."):
        return dispute_notice(resource, event_id=event_id)
    return OtherNotice(event_id, kind)


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
