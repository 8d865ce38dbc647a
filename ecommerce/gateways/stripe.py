"""Stripe: the buyer pays on Stripe's own page (Checkout Sessions in payment mode).

Minor units, Stripe's names of states and its keys stay in this module. Calls that write carry the idempotency key of
their row, so that they can be repeated.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote, urlsplit
from uuid import UUID

import stripe
from django.conf import settings
from django.utils.translation import gettext as _

from ecommerce.enums import DisputeState, MovementKind, RefundState
from ecommerce.gateways.accounts import account_for, accounts_of, keys_of, remote_name
from ecommerce.gateways.base import (
    AVOIDED,
    BillingAddress,
    DisputeNotice,
    Envelope,
    Movement,
    Notice,
    NoticeForged,
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
from mitxonline.kernel.money import Money
from mitxonline.kernel.remote import RemoteAvoided, RemoteSession

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

logger = logging.getLogger(__name__)

# Telemetry would tell Stripe about this machine and the duration of earlier calls.
stripe.enable_telemetry = False

# Stripe counts these in whole units (docs.stripe.com/currencies) …
_WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF"
NO_DIGITS = frozenset(_WHOLE.split())
# … these in thousandths whose last digit is 0, and all others in hundredths, even ISK and UGX, which have none.
THREE_DIGITS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])

# The languages of Stripe's page.
_LANGUAGES = (
    "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru sk sl"
    " sv th tr vi zh zh-HK zh-TW"
)
LOCALES = frozenset(_LANGUAGES.split())
LOCALE_NAMES = {"no": "nb", "nn": "nb", "zh-hans": "zh", "zh-hant": "zh-TW", "zh-cn": "zh", "zh-sg": "zh"}

# Stripe requires a session to last at least half an hour from the moment it reads the request.
LEEWAY = timedelta(minutes=2)

REFUND_STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.CANCELED,
}
DISPUTE_STATES = {
    "warning_needs_response": DisputeState.WARNING,
    "warning_under_review": DisputeState.WARNING,
    "warning_closed": DisputeState.CLOSED,
    "needs_response": DisputeState.NEEDS_RESPONSE,
    "under_review": DisputeState.UNDER_REVIEW,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "prevented": DisputeState.CLOSED,
}

# Stripe's categories (docs.stripe.com/reports/reporting-categories). Any other moves something we don't know.
MOVEMENT_KINDS = {
    "charge": MovementKind.PAYMENT,
    "charge_failure": MovementKind.PAYMENT,
    "partial_capture_reversal": MovementKind.PAYMENT,
    "refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND,
    "dispute": MovementKind.CHARGEBACK,
    "dispute_reversal": MovementKind.WON_DISPUTE,
    "fee": MovementKind.FEE,
    "network_cost": MovementKind.FEE,
    "tax": MovementKind.FEE,
    "payout": MovementKind.OWN_MONEY,
    "payout_reversal": MovementKind.OWN_MONEY,
    "payout_minimum_balance_hold": MovementKind.OWN_MONEY,
    "payout_minimum_balance_release": MovementKind.OWN_MONEY,
    "topup": MovementKind.OWN_MONEY,
    "topup_reversal": MovementKind.OWN_MONEY,
    "risk_reserved_funds": MovementKind.OWN_MONEY,
    "reserve_transaction": MovementKind.OWN_MONEY,
}
PAGE_SIZE = 100  # Stripe's limit

_EVENT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_EVENT_KIND = re.compile(r"[a-z0-9_.\[\]]{1,100}")
UNREADABLE = "unreadable"

# What reading an answer raises that isn't as Stripe documents it. RecursionError: it is nested too deeply.
_NOT_AS_DOCUMENTED = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)

# Stripe's own pages, where staff look a payment up and answer disputes.
DASHBOARD = "https://dashboard.stripe.com"
# Has Stripe include the payment and the card in the same answer.
_WITH_PAYMENT = ["payment_intent.latest_charge"]


class StripeGateway:
    name: ClassVar[str] = "stripe"

    def account_for(self, host: str) -> str:
        return account_for(self.name, host)

    def can_take(self, total: Money) -> bool:
        try:
            to_units(total)
        except PaymentFailed:
            return False
        return True

    def start(self, payment: PaymentRequest) -> Redirect:
        """Open a session. Raises PaymentFailed with code amount_too_small below Stripe's minimum."""
        params = _session_params(payment)
        with _translate_errors():
            session = _client(payment.account).v1.checkout.sessions.create(
                params=params, options={"idempotency_key": payment.idempotency_key}
            )
            url, session_id = _text(session.url), _text(session.id)
        if not url or not session_id:
            raise PaymentFailed("Stripe opened a session without a page", retriable=False)
        if _origin(url) not in {_origin(each) for each in settings.PAYMENT_PAGE_ORIGINS}:
            logger.error("payment page on an origin that isn't allowed", extra={"origin": _origin(url)})
        return Redirect(url=url, session_id=session_id)

    def expire(self, session: Session) -> PaymentNotice:
        """End a session. Where Stripe refuses because it has ended, return how it ended."""
        try:
            with _translate_errors():
                _client(session.account).v1.checkout.sessions.expire(
                    session.session_id, options={"idempotency_key": session.idempotency_key}
                )
        except PaymentFailed as failure:
            found = self.look_up(session)
            if found.outcome is PaymentOutcome.OPEN:
                raise failure
            return found
        return PaymentNotice(
            event_id="",
            reference=session.reference,
            session_id=session.session_id,
            payment_id="",
            outcome=PaymentOutcome.EXPIRED,
            paid=None,
        )

    def look_up(self, session: Session) -> PaymentNotice:
        with _translate_errors():
            found = _client(session.account).v1.checkout.sessions.retrieve(
                session.session_id, params={"expand": _WITH_PAYMENT}
            )
            return _payment_notice(found.to_dict(), event_id="", account=session.account)

    def capture(self, session: Session) -> PaymentNotice:
        """Stripe takes the money itself as soon as the buyer has agreed."""
        return self.look_up(session)

    def refund(self, refund: RefundInstruction) -> RefundResult:
        metadata = {"refund": refund.reference}
        amount = to_units(refund.amount)
        with _translate_errors():
            refunds = _client(refund.account).v1.refunds
            options: stripe.RequestOptions = {"idempotency_key": refund.idempotency_key}
            if _is_charge(refund.payment_id):
                made = refunds.create(
                    params={"charge": refund.payment_id, "amount": amount, "metadata": metadata}, options=options
                )
            else:
                made = refunds.create(
                    params={"payment_intent": refund.payment_id, "amount": amount, "metadata": metadata},
                    options=options,
                )
            return _refund_result(made.to_dict())

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Find a refund by Stripe's id, or without one by our reference among the payment's refunds."""
        if refund_id:
            with _translate_errors():
                return _refund_result(_client(refund.account).v1.refunds.retrieve(refund_id).to_dict())
        with _translate_errors():
            for found in self._refunds(refund.payment_id, refund.account):
                if _text(_mapping(found.get("metadata")).get("refund")) == refund.reference:
                    return _refund_result(found)
        return None

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """Return every refund of a payment, made here, in Stripe's dashboard or by Stripe itself."""
        with _translate_errors():
            return tuple(_refund_notice(found, event_id="") for found in self._refunds(payment_id, account))

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        with _translate_errors():
            disputes = _client(account).v1.disputes
            page = (
                disputes.list(params={"charge": payment_id, "limit": 100})
                if _is_charge(payment_id)
                else disputes.list(params={"payment_intent": payment_id, "limit": 100})
            )
            return tuple(_dispute_notice(found.to_dict(), event_id="") for found in page.auto_paging_iter())

    def accounts(self) -> tuple[str, ...]:
        return tuple(accounts_of(self.name))

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield the account's balance transactions with what caused them. Stripe adds new ones within minutes."""
        with _translate_errors():
            page = _client(account).v1.balance_transactions.list(
                params={
                    "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
                    "limit": PAGE_SIZE,
                    "expand": ["data.source"],
                }
            )
            for found in page.auto_paging_iter():
                yield _movement(found.to_dict())

    def dashboard_url(self, *, session_id: str, payment_id: str) -> str:
        """Link to test or live data as the session's own id says, which outlives a change of keys."""
        mode = "test/" if session_id.startswith("cs_test_") else ""
        if payment_id:
            return f"{DASHBOARD}/{mode}payments/{quote(payment_id, safe='')}"
        return f"{DASHBOARD}/{mode}checkout/sessions/{quote(session_id, safe='')}" if session_id else ""

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Accept only what was signed recently with one of the account's secrets; without a secret, nothing.

        Whatever is signed is accepted, even in an unknown format: Stripe would resend it for three days and then
        disable the endpoint. An event without a usable id is identified by a hash of its body.
        """
        text = _verify(body, headers.get("Stripe-Signature", ""), account)
        try:
            event = _mapping(json.loads(text))
        except (RecursionError, ValueError):
            event = {}
        event_id, kind = _text(event.get("id")), _text(event.get("type"))
        if not _EVENT_ID.fullmatch(event_id):
            event_id = f"sha256:{sha256(body).hexdigest()}"
        return Envelope(event_id=event_id, kind=kind if _EVENT_KIND.fullmatch(kind) else UNREADABLE)

    def read_notice(self, body: bytes, *, account: str) -> Notice:
        """Read an event. The session in it is only a hint: ask Stripe for the session before acting on it."""
        try:
            event = json.loads(body)
            event_id, kind = event["id"], event["type"]
            if event["object"] != "event":  # a thin event names an object without its content
                return OtherNotice(event_id, kind)
            return _notice(event_id, kind, event["data"]["object"], account)
        except _NOT_AS_DOCUMENTED as error:
            raise NoticeNotUnderstood("not as Stripe documents its events") from error

    def _refunds(self, payment_id: str, account: str) -> Iterator[dict[str, Any]]:
        refunds = _client(account).v1.refunds
        page = (
            refunds.list(params={"charge": payment_id, "limit": 100})
            if _is_charge(payment_id)
            else refunds.list(params={"payment_intent": payment_id, "limit": 100})
        )
        for found in page.auto_paging_iter():
            yield found.to_dict()


def to_units(money: Money) -> int:
    """Return the amount as Stripe counts it. Raises PaymentFailed for a fraction, such as a thousandth of a dinar."""
    digits = _digits(money.currency)
    units = money.amount.scaleb(digits)
    if units != units.to_integral_value() or (digits == 3 and units % 10):
        raise PaymentFailed(f"{money} can't be charged to a card", retriable=False, code="amount_uncounted")
    return int(units)


def from_units(units: int, currency: str) -> Money:
    """Return Stripe's count as money. Raises ValueError for an unknown currency."""
    code = currency.upper()
    return Money(Decimal(units).scaleb(-_digits(code)), code)


def stripe_locale(language: str) -> str:
    """Return the language of Stripe's page: the visitor's, a related one, or else the browser's."""
    wanted = language.replace("_", "-").lower()
    known = {each.lower(): each for each in LOCALES}
    for name in (LOCALE_NAMES.get(wanted, wanted), wanted.partition("-")[0]):
        name = LOCALE_NAMES.get(name, name).lower()
        if name in known:
            return known[name]
    return "auto"


def _digits(currency: str) -> int:
    if currency in NO_DIGITS:
        return 0
    return 3 if currency in THREE_DIGITS else 2


def is_live(key: str) -> bool:
    """Whether this key moves real money."""
    return key.split("_")[1:2] == ["live"]


def _keys(account: str) -> Mapping[str, Any]:
    return keys_of(StripeGateway.name, account)


def _client(account: str) -> stripe.StripeClient:
    return _client_of(
        _keys(account)["secret_key"],
        settings.STRIPE_API_BASE,
        settings.STRIPE_API_VERSION,
        remote_name(StripeGateway.name, account),
        settings.STRIPE_RETRIES,
    )


@cache
def _client_of(key: str, base: str, version: str, remote: str, retries: int) -> stripe.StripeClient:
    # One client per key keeps its connections. Deadlines are the session's; a retry gets no extra time.
    return stripe.StripeClient(
        key,
        stripe_version=version,
        base_addresses={"api": base},
        max_network_retries=retries,
        http_client=stripe.RequestsClient(session=RemoteSession(remote)),
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate Stripe's errors: refused, or unknown and safe to repeat with the same key.

    An idempotency key that was used for another request counts as unknown, because something did happen with it.
    """
    try:
        yield
    except (stripe.CardError, stripe.InvalidRequestError) as error:
        raise PaymentFailed(_reason(error), retriable=False, code=error.code or "") from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise PaymentFailed("Stripe doesn't accept our key", retriable=False, code="key_refused") from error
    except stripe.APIConnectionError as error:
        code = AVOIDED if isinstance(error.__cause__, RemoteAvoided) else ""
        raise PaymentFailed(f"no answer ({type(error.__cause__).__name__})", retriable=True, code=code) from error
    except stripe.StripeError as error:
        raise PaymentFailed(f"no definite answer ({type(error).__name__})", retriable=True) from error
    except _NOT_AS_DOCUMENTED as error:
        raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood") from error


def _reason(error: stripe.StripeError) -> str:
    # Stripe's sentence is for staff only, never for buyers or the log.
    return (error.user_message or type(error).__name__)[:255]


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _session_params(payment: PaymentRequest) -> SessionCreateParams:
    # A pure function of the request: a repeated request has to be the same bytes.
    metadata = {"order": payment.order_number, "attempt": str(payment.reference)}
    return {
        "mode": "payment",
        "ui_mode": "hosted_page",
        "submit_type": "pay",
        "client_reference_id": str(payment.reference),
        "metadata": metadata,
        "payment_intent_data": {"metadata": metadata, "description": payment.order_number},
        "customer_email": payment.buyer_email,
        "locale": stripe_locale(payment.locale),
        "line_items": [_line_item(line, payment) for line in payment.lines],
        "success_url": payment.return_url,
        "cancel_url": payment.cancel_url,
        "expires_at": int((payment.expires_at + LEEWAY).timestamp()),
    }


def _line_item(line: PaymentLine, payment: PaymentRequest) -> SessionCreateParamsLineItem:
    """Describe a line. A discount on all seats together may leave no whole price for each: then they are one item."""
    units, title = to_units(line.due), line.title or payment.order_number
    step = 10 if _digits(line.due.currency) == 3 else 1  # as to_units asks for
    is_divisible = units % (line.seats * step) == 0
    return {
        "quantity": line.seats if is_divisible else 1,
        "price_data": {
            "currency": line.due.currency.lower(),
            "unit_amount": units // line.seats if is_divisible else units,
            "product_data": {"name": title if is_divisible else f"{line.seats} × {title}"},
        },
    }


def _verify(body: bytes, signature: str, account: str) -> str:
    """Return the body as text if one of the account's secrets signed it. Raises NoticeForged."""
    try:
        text = body.decode()
        secrets = _keys(account)["webhook_secrets"]
    except (UnicodeDecodeError, PaymentFailed) as error:
        raise NoticeForged("not text, or no secret to verify it with") from error
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret, settings.STRIPE_TOLERANCE)
        except stripe.SignatureVerificationError:
            continue
        return text
    raise NoticeForged("not signed with a secret of ours, or too long ago")


def _notice(event_id: str, kind: str, content: dict[str, Any], account: str) -> Notice:
    if kind.startswith("checkout.session."):
        notice = _payment_notice(content, event_id=event_id, account=account)
        return notice if content.get("mode", "payment") == "payment" else OtherNotice(event_id, kind)
    if kind.startswith("refund.") or kind == "charge.refund.updated":
        return _refund_notice(content, event_id=event_id)
    if kind == "charge.refunded":
        return RefundsChanged(event_id=event_id, payment_id=_payment_of(content))
    if kind.startswith("charge.dispute."):
        return _dispute_notice(content, event_id=event_id)
    return OtherNotice(event_id, kind)


def _payment_notice(session: dict[str, Any], *, event_id: str, account: str) -> PaymentNotice:
    payment = _mapping(session.get("payment_intent"))
    outcome = _outcome(session, payment)
    charge = _mapping(payment.get("latest_charge"))
    paid = None
    if outcome is PaymentOutcome.PAID:
        is_known = payment.get("status") == "succeeded" and payment.get("amount_received") is not None
        if is_known:
            paid = from_units(payment["amount_received"], payment["currency"])
        else:
            paid = from_units(session["amount_total"], session["currency"])
    reference = _reference(session)
    return PaymentNotice(
        event_id=event_id,
        reference=reference,
        session_id=_text(session["id"]),
        payment_id=_text(payment.get("id")) or _text(session.get("payment_intent")),
        outcome=outcome,
        paid=paid,
        doubt=_doubt(session, reference, account, is_hint=bool(event_id)),
        paid_with=_payment_method(charge),
        billed_to=_billing_address(_mapping(session.get("customer_details"))),
        tax=_tax(session),
        has_refunds_or_disputes=bool(charge.get("amount_refunded") or charge.get("disputed")),
    )


def _outcome(session: Mapping[str, Any], payment: Mapping[str, Any]) -> PaymentOutcome:
    """Read the outcome. A complete session can be unpaid: the bank debit takes days, or has failed."""
    status, paid = session.get("status"), session.get("payment_status")
    if status == "open":
        return PaymentOutcome.OPEN
    if status == "expired":
        return PaymentOutcome.EXPIRED
    if status != "complete":
        return PaymentOutcome.UNKNOWN
    if paid in ("paid", "no_payment_required"):
        return PaymentOutcome.PAID
    if paid != "unpaid":
        return PaymentOutcome.UNKNOWN
    return (
        PaymentOutcome.DECLINED
        if payment.get("status") in ("requires_payment_method", "canceled")
        else PaymentOutcome.PROCESSING
    )


def _doubt(session: Mapping[str, Any], reference: UUID | None, account: str, *, is_hint: bool) -> str:
    """Say why the payment can't be trusted. An event may leave the mode out, because it is only a hint to ask."""
    live = session.get("livemode")
    if live is not is_live(_keys(account)["secret_key"]) and not (is_hint and live is None):
        return "livemode: test money in a live shop, or the other way round"
    named = _text(_mapping(session.get("metadata")).get("attempt"))
    if reference is not None and named and named != str(reference):
        return "reference: the session carries two different ones"
    return ""


def _reference(session: Mapping[str, Any]) -> UUID | None:
    """Return the attempt that a session belongs to; None for one that another program opened on this account."""
    metadata = _mapping(session.get("metadata"))
    for text in (session.get("client_reference_id"), metadata.get("attempt")):
        try:
            return UUID(_text(text))
        except ValueError:
            continue
    return None


def _refund_notice(refund: dict[str, Any], *, event_id: str) -> RefundNotice:
    result = _refund_result(refund)
    return RefundNotice(
        event_id=event_id,
        refund_id=result.refund_id,
        payment_id=_payment_of(refund),
        reference=_text(_mapping(refund.get("metadata")).get("refund")),
        amount=from_units(refund["amount"], refund["currency"]),
        state=result.state,
        failure=result.failure,
    )


def _refund_result(refund: Mapping[str, Any]) -> RefundResult:
    state = REFUND_STATES.get(_text(refund.get("status")), RefundState.PENDING)
    return RefundResult(
        refund_id=_text(refund["id"]),
        state=state,
        failure=_text(refund.get("failure_reason")),
        amount=from_units(refund["amount"], refund["currency"]),
    )


def _dispute_notice(dispute: dict[str, Any], *, event_id: str) -> DisputeNotice:
    # The first transaction takes the money away, a second one returns it.
    transactions = len(dispute.get("balance_transactions") or [])
    funds: Literal["", "withdrawn", "reinstated"] = ""
    if transactions:
        funds = "withdrawn" if transactions == 1 else "reinstated"
    return DisputeNotice(
        event_id=event_id,
        dispute_id=_text(dispute["id"]),
        payment_id=_payment_of(dispute),
        amount=from_units(dispute["amount"], dispute["currency"]),
        state=DISPUTE_STATES.get(_text(dispute.get("status")), DisputeState.UNDER_REVIEW),
        reason=_text(dispute.get("reason")),
        funds=funds,
    )


def _movement(transaction: Mapping[str, Any]) -> Movement:
    kind = MOVEMENT_KINDS.get(_text(transaction.get("reporting_category")), MovementKind.OTHER)
    source = _mapping(transaction.get("source"))
    settled = from_units(transaction["amount"], transaction["currency"])
    amount = settled
    # In the buyer's currency, where Stripe converted it into the account's.
    if transaction.get("exchange_rate") and source.get("amount") and source.get("currency"):
        amount = from_units(source["amount"], source["currency"])
        amount = -amount if settled.is_negative else amount
    return Movement(
        movement_id=_text(transaction["id"]),
        kind=kind,
        payment_id=_payment_of(source) if kind not in (MovementKind.FEE, MovementKind.OWN_MONEY) else "",
        source_id=_text(source.get("id")) or _text(transaction.get("source")),
        amount=amount,
        fee=from_units(transaction.get("fee") or 0, transaction["currency"]),
        at=datetime.fromtimestamp(transaction["created"], UTC),
    )


def _is_charge(payment_id: str) -> bool:
    # Only another program's payments on this account have no payment intent.
    return payment_id.startswith(("ch_", "py_"))


def _payment_of(content: Mapping[str, Any]) -> str:
    """Return the payment that a charge, refund or dispute belongs to; the charge where it has no payment intent."""
    payment = content.get("payment_intent") or content.get("charge")
    if payment is None and content.get("object") == "charge":
        payment = content.get("id")
    return _text(_mapping(payment).get("id")) or _text(payment)


def _payment_method(charge: Mapping[str, Any]) -> str:
    details = _mapping(charge.get("payment_method_details"))
    kind = _text(details.get("type"))
    method = _mapping(details.get(kind))
    brand = (_text(method.get("brand")) or kind).replace("_", " ").capitalize()
    digits = _text(method.get("last4"))
    return _("%(brand)s ending %(digits)s") % {"brand": brand, "digits": digits} if brand and digits else brand


def _billing_address(details: Mapping[str, Any]) -> BillingAddress | None:
    if not details:
        return None
    address = _mapping(details.get("address"))
    lines = [_text(address.get(name)) for name in ("line1", "line2")]
    tax_ids = [_text(_mapping(each).get("value")) for each in details.get("tax_ids") or []]
    return BillingAddress(
        name=_text(details.get("name")),
        street=", ".join(line for line in lines if line),
        city=_text(address.get("city")),
        region=_text(address.get("state")),
        postal_code=_text(address.get("postal_code")),
        country=_text(address.get("country")),
        tax_id=next((each for each in tax_ids if each), ""),
    )


def _tax(session: Mapping[str, Any]) -> Money | None:
    units = _mapping(session.get("total_details")).get("amount_tax")
    return from_units(units, session["currency"]) if units and session.get("currency") else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    # The database stores neither NUL nor lone surrogates.
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""
