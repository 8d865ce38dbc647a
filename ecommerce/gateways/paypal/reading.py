"""What PayPal's orders, captures, refunds, disputes and transactions say, in our words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ecommerce.enums import DisputeState, MovementKind, RefundState
from ecommerce.gateways.base import (
    BillingAddress,
    DisputeNotice,
    Movement,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    RefundNotice,
    RefundResult,
)
from ecommerce.gateways.paypal.amounts import read_amount
from mitxonline.kernel.money import Money

# What reading an answer raises that isn't as PayPal documents it.
NOT_AS_DOCUMENTED = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)

CAPTURES = {
    "COMPLETED": PaymentOutcome.PAID,
    "PARTIALLY_REFUNDED": PaymentOutcome.PAID,
    "REFUNDED": PaymentOutcome.PAID,
    "PENDING": PaymentOutcome.PROCESSING,  # an eCheck, or PayPal looks at it
    "DECLINED": PaymentOutcome.DECLINED,
    "FAILED": PaymentOutcome.DECLINED,
}
# Orders without a capture.
ORDERS = {
    "CREATED": PaymentOutcome.OPEN,
    "SAVED": PaymentOutcome.OPEN,
    "PAYER_ACTION_REQUIRED": PaymentOutcome.OPEN,
    "APPROVED": PaymentOutcome.APPROVED,
    "VOIDED": PaymentOutcome.EXPIRED,
}
REFUNDS = {
    "PENDING": RefundState.PENDING,
    "COMPLETED": RefundState.SUCCEEDED,
    "FAILED": RefundState.FAILED,
    "CANCELLED": RefundState.CANCELED,  # codespell:ignore cancelled
}
DISPUTES = {
    "OPEN": DisputeState.NEEDS_RESPONSE,
    "WAITING_FOR_SELLER_RESPONSE": DisputeState.NEEDS_RESPONSE,
    "WAITING_FOR_BUYER_RESPONSE": DisputeState.UNDER_REVIEW,
    "UNDER_REVIEW": DisputeState.UNDER_REVIEW,
    "RESOLVED": DisputeState.CLOSED,
}
RESOLUTIONS = {
    "RESOLVED_BUYER_FAVOUR": DisputeState.LOST,
    "ACCEPTED": DisputeState.LOST,
    "RESOLVED_SELLER_FAVOUR": DisputeState.WON,
    "RESOLVED_WITH_PAYOUT": DisputeState.WON,  # PayPal itself paid the buyer
    "DENIED": DisputeState.WON,
    "CANCELED_BY_BUYER": DisputeState.CLOSED,
}
# developer.paypal.com/docs/transaction-search/transaction-event-codes; else the group of the first three characters.
MOVEMENTS = {
    "T1106": MovementKind.CHARGEBACK,
    "T1107": MovementKind.REFUND,
    "T1108": MovementKind.FEE,
    "T1109": MovementKind.FEE,
    "T1201": MovementKind.CHARGEBACK,
    "T1202": MovementKind.WON_DISPUTE,
    "T1205": MovementKind.WON_DISPUTE,
    "T1105": MovementKind.OWN_MONEY,
    "T1110": MovementKind.OWN_MONEY,
    "T1111": MovementKind.OWN_MONEY,
}
GROUPS = {
    "T00": MovementKind.PAYMENT,
    "T01": MovementKind.FEE,
    "T02": MovementKind.OWN_MONEY,  # conversions
    "T03": MovementKind.OWN_MONEY,  # deposits
    "T04": MovementKind.OWN_MONEY,  # payouts
    "T15": MovementKind.OWN_MONEY,  # holds
    "T17": MovementKind.OWN_MONEY,
    "T21": MovementKind.OWN_MONEY,  # reserves
}
_ID = re.compile(r"[\w-]{1,255}")


@contextmanager
def as_documented() -> Iterator[None]:
    """Turn what reading raises into a PaymentFailed: what happened is unknown."""
    try:
        yield
    except NOT_AS_DOCUMENTED as error:
        raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood") from error


def order_notice(order: Mapping[str, Any], *, event_id: str = "") -> PaymentNotice:
    """Read an order with its capture, if it has one. Raises KeyError or ValueError where it isn't as documented."""
    unit = _first(order.get("purchase_units"))
    payments = mapping(unit.get("payments"))
    capture = _latest(payments.get("captures"))
    outcome = ORDERS.get(text(order["status"]), PaymentOutcome.UNKNOWN)
    if capture:
        outcome = CAPTURES.get(text(capture.get("status")), PaymentOutcome.UNKNOWN)
    source = mapping(order.get("payment_source"))
    return PaymentNotice(
        event_id=event_id,
        reference=_reference(text(unit.get("custom_id")) or text(capture.get("custom_id"))),
        session_id=required_id(order),
        payment_id=required_id(capture) if capture else "",
        outcome=outcome,
        paid=read_amount(capture["amount"]) if outcome is PaymentOutcome.PAID else None,
        paid_with=_paid_with(source) if capture else "",
        billed_to=_billed_to(source, mapping(order.get("payer"))),
        has_refunds_or_disputes=bool(payments.get("refunds"))
        or text(capture.get("status")) in ("REFUNDED", "PARTIALLY_REFUNDED"),
    )


def capture_notice(capture: Mapping[str, Any], *, event_id: str) -> PaymentNotice:
    outcome = CAPTURES.get(text(capture.get("status")), PaymentOutcome.UNKNOWN)
    return PaymentNotice(
        event_id=event_id,
        reference=_reference(text(capture.get("custom_id"))),
        session_id=order_of(capture),
        payment_id=required_id(capture),
        outcome=outcome,
        paid=read_amount(capture["amount"]) if outcome is PaymentOutcome.PAID else None,
    )


def order_of(capture: Mapping[str, Any]) -> str:
    """Return the order of a capture; empty where PayPal doesn't name it."""
    related = mapping(mapping(capture.get("supplementary_data")).get("related_ids"))
    return text(related.get("order_id")) or _find_linked(capture, "/checkout/orders/")


def capture_of(refund: Mapping[str, Any]) -> str:
    """Return the capture that a refund takes from; empty where PayPal doesn't name it."""
    related = mapping(mapping(refund.get("supplementary_data")).get("related_ids"))
    return text(related.get("capture_id")) or _find_linked(refund, "/payments/captures/")


def refund_notice(refund: Mapping[str, Any], *, payment_id: str) -> RefundNotice:
    result = refund_result(refund)
    return RefundNotice(
        event_id="",
        refund_id=result.refund_id,
        payment_id=payment_id,
        reference=text(refund.get("custom_id")),
        amount=read_amount(refund["amount"]),
        state=result.state,
        failure=result.failure,
    )


def refund_result(refund: Mapping[str, Any]) -> RefundResult:
    state = REFUNDS.get(text(refund["status"]), RefundState.PENDING)
    reason = text(mapping(refund.get("status_details")).get("reason"))
    failed = state in (RefundState.FAILED, RefundState.CANCELED)
    amount = mapping(refund.get("amount"))
    return RefundResult(
        refund_id=required_id(refund),
        state=state,
        failure=reason if failed else "",
        amount=read_amount(amount) if amount else None,
    )


def dispute_notice(dispute: Mapping[str, Any], *, event_id: str = "", payment_id: str = "") -> DisputeNotice:
    disputed = _first(dispute.get("disputed_transactions"))
    status = text(dispute.get("status"))
    state = DISPUTES.get(status, DisputeState.UNDER_REVIEW)
    if status == "RESOLVED":
        outcome = mapping(dispute.get("dispute_outcome"))
        state = RESOLUTIONS.get(text(outcome.get("outcome_code")), DisputeState.CLOSED)
    elif text(dispute.get("dispute_life_cycle_stage")) == "INQUIRY":
        state = DisputeState.WARNING
    return DisputeNotice(
        event_id=event_id,
        dispute_id=text(dispute["dispute_id"]),
        payment_id=payment_id or text(disputed.get("seller_transaction_id")),
        amount=read_amount(dispute["dispute_amount"]),
        state=state,
        reason=text(dispute.get("reason")).replace("_", " ").lower(),
        funds=_funds(dispute.get("money_movements")),
    )


def movement(details: Mapping[str, Any], *, find_dispute: Callable[[str], str]) -> Movement:
    """Read a transaction. ``find_dispute`` names the dispute about a payment: a chargeback doesn't name it."""
    info = details["transaction_info"]
    code, transaction_id = text(info.get("transaction_event_code")), text(info["transaction_id"])
    amount = read_amount(info["transaction_amount"])
    kind = MOVEMENTS.get(code) or GROUPS.get(code[:3], MovementKind.OTHER)
    if kind is MovementKind.PAYMENT and amount.is_negative:  # money that we sent to someone
        kind = MovementKind.OTHER
    related = text(info.get("paypal_reference_id"))
    payment_id, source_id = "", transaction_id
    if kind is MovementKind.PAYMENT:
        payment_id = transaction_id
    elif kind in (MovementKind.REFUND, MovementKind.CHARGEBACK, MovementKind.WON_DISPUTE):
        payment_id = related
    if kind in (MovementKind.CHARGEBACK, MovementKind.WON_DISPUTE) and payment_id:
        source_id = find_dispute(payment_id) or transaction_id
    fee = mapping(info.get("fee_amount"))
    return Movement(
        movement_id=transaction_id if kind is MovementKind.PAYMENT else f"{transaction_id}:{code}",
        kind=kind,
        payment_id=payment_id,
        source_id=source_id,
        amount=amount,
        fee=-read_amount(fee) if fee else amount.zero,
        at=moment_of(info["transaction_initiation_date"]),
    )


def moment_of(value: object) -> datetime:
    """Read PayPal's time. Raises ValueError for one without a zone."""
    moment = datetime.fromisoformat(text(value))
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


def required_id(content: Mapping[str, Any]) -> str:
    """Return the id of what PayPal answered. Raises ValueError for anything that can't be one."""
    found = text(content["id"])
    if not _ID.fullmatch(found):
        raise ValueError("no id")
    return found


def mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def text(value: object) -> str:
    # The database stores neither NUL nor lone surrogates.
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _first(value: object) -> Mapping[str, Any]:
    return mapping(value[0]) if isinstance(value, Sequence) and not isinstance(value, str) and value else {}


def _latest(captures: object) -> Mapping[str, Any]:
    """Return the capture that counts: one that took money or is about to, else the last one that was declined."""
    found = [mapping(each) for each in captures] if isinstance(captures, list) else []
    alive = [each for each in found if CAPTURES.get(text(each.get("status"))) is not PaymentOutcome.DECLINED]
    return (alive or found or [{}])[-1]


def _find_linked(content: Mapping[str, Any], part: str) -> str:
    for link in content.get("links") or ():
        address = text(mapping(link).get("href"))
        if mapping(link).get("rel") == "up" and part in address:
            return address.partition(part)[2].partition("/")[0]
    return ""


def _reference(value: str) -> UUID | None:
    """Return the attempt that an order names; None for one that another program made on this account."""
    try:
        return UUID(value)
    except ValueError:
        return None


def _paid_with(source: Mapping[str, Any]) -> str:
    card = mapping(source.get("card"))
    brand, digits = text(card.get("brand")).replace("_", " ").capitalize(), text(card.get("last_digits"))
    return f"{brand} •••• {digits}" if brand and digits else "PayPal"


def _billed_to(source: Mapping[str, Any], payer: Mapping[str, Any]) -> BillingAddress | None:
    account = mapping(source.get("paypal")) or payer
    name, address = mapping(account.get("name")), mapping(account.get("address"))
    if not name and not address:
        return None
    lines = [text(address.get(key)) for key in ("address_line_1", "address_line_2")]
    return BillingAddress(
        name=" ".join(each for each in (text(name.get("given_name")), text(name.get("surname"))) if each),
        street=", ".join(line for line in lines if line),
        city=text(address.get("admin_area_2")),
        region=text(address.get("admin_area_1")),
        postal_code=text(address.get("postal_code")),
        country=text(address.get("country_code")),
    )


def _funds(movements: object) -> Literal["", "withdrawn", "reinstated"]:
    """Say where the money is, from what the dispute moved on our side."""
    ours = [mapping(each) for each in movements] if isinstance(movements, list) else []
    ours = [each for each in ours if text(each.get("affected_party")) == "SELLER"]
    if not ours:
        return ""
    total = Money.sum([_with_sign(each) for each in ours], text(mapping(ours[0].get("amount")).get("currency_code")))
    return "withdrawn" if total.is_negative else "reinstated"


def _with_sign(moved: Mapping[str, Any]) -> Money:
    amount = read_amount(moved["amount"])
    return -amount if text(moved.get("type")) == "DEBIT" else amount
