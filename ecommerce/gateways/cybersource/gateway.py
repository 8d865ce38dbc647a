"""CyberSource as a payment gateway.

An answer of the payment page is signed and complete, and it comes twice: by the buyer's browser, and from CyberSource's
server. It is acted on without asking, because the search finds new transactions only after a delay. The search is for
payments whose answers both got lost.

A payment's reference number is our order number with the beginning of our reference, so that staff find it there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit
from uuid import UUID

from django.conf import settings
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from ecommerce.enums import Decline, DisputeState, MovementKind, RefundState
from ecommerce.gateways.accounts import account_for, accounts_of, keys_of, remote_name
from ecommerce.gateways.base import (
    NOT_YET,
    BillingAddress,
    DisputeNotice,
    Envelope,
    Movement,
    NoticeForged,
    NoticeNotUnderstood,
    OtherNotice,
    PageForm,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    PaymentRequest,
    Redirect,
    RefundInstruction,
    RefundNotice,
    RefundResult,
    Session,
)
from ecommerce.gateways.cybersource.api import REPORT_SIZE, Api
from ecommerce.gateways.cybersource.signing import read_signed, sign_form, verify
from ecommerce.gateways.cybersource.words import (
    CARDS,
    DECLINES,
    REFUND_STATES,
    is_done,
    outcome_of,
    page_locale,
    read_money,
    reason_code,
    was_asked,
    write_amount,
)
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money

# CyberSource refuses a form that was signed longer ago. Within this time it also refuses a second payment with the same
# transaction_uuid (reason 104), so every form of one attempt is signed as of the attempt's start.
FORM_TIME = timedelta(minutes=15)
# Fields without which a message isn't an answer of the payment page about a payment of ours.
ANSWER = frozenset({"decision", "req_access_key", "req_profile_id", "req_transaction_uuid", "signed_date_time"})
MONEY = frozenset({"transaction_id", "auth_amount", "req_amount", "req_currency", "req_reference_number"})

# How long a transaction may be missing from the search. "During exceptional periods" the search answers late; a refund
# whose answer got lost is sent again only after this, because the key of a request protects it for 15 minutes.
SEARCH_DELAY = timedelta(hours=1)
# How long after a buyer came back without a result a payment that isn't found may still be found.
RESULT_TIME = timedelta(minutes=10)
# A refund that is transmitted with the next batch and wasn't refused by then has arrived.
REFUND_TIME = timedelta(days=7)
# The longest period of a report.
REPORT_DAYS = timedelta(days=30)

# Errors of CyberSource or of the bank, after which the payment may have been made all the same.
UNDECIDED = frozenset({"150", "151", "152"})
# What a report calls a movement. Any other word moves something we don't know.
SETTLEMENTS = {
    **dict.fromkeys(("ics_bill", "bill", "capture", "debit", "payment", "purchase", "sale"), MovementKind.PAYMENT),
    **dict.fromkeys(("ics_credit", "credit", "refund"), MovementKind.REFUND),
}

_NOT_AS_DOCUMENTED = (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError)


class CyberSourceGateway:
    name: ClassVar[str] = "cybersource"
    form_time: ClassVar[timedelta] = FORM_TIME

    def account_for(self, host: str) -> str:
        return account_for(self.name, host)

    def can_take(self, total: Money) -> bool:
        return len(write_amount(total)) <= 15

    def start(self, payment: PaymentRequest) -> Redirect:
        """Return the page of ours that posts the buyer's form. CyberSource isn't asked: it learns of it by the form."""
        _keys(payment.account)
        if not self.can_take(payment.total):
            raise PaymentFailed(f"{payment.total} is too much", retriable=False, code="amount_too_large")
        number = f"{payment.order_number[:41]}-{payment.reference.hex[:8]}"
        return Redirect(url=f"/payment/cybersource/form/{payment.reference}/", session_id=number)

    def make_form(self, payment: PaymentRequest, *, session_id: str, signed_at: datetime) -> PageForm:
        """Return the form of a payment. The same payment gives the same form."""
        keys = _keys(payment.account)
        home = urlsplit(payment.return_url)
        site = f"{home.scheme}://{home.netloc}"
        fields = {
            "access_key": keys["access_keys"][0],
            "profile_id": keys["profile_id"],
            "transaction_uuid": str(payment.reference),
            "signed_date_time": signed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "locale": page_locale(payment.locale),
            "transaction_type": "sale",
            "reference_number": session_id,
            "amount": write_amount(payment.total),
            "currency": payment.total.currency,
            "override_custom_receipt_page": f"{site}/payment/cybersource/return/",
            "override_custom_cancel_page": f"{site}/payment/cybersource/return/",
        }
        if home.scheme == "https":
            fields["override_backoffice_post_url"] = f"{site}/payment/cybersource/webhook/"
        if not set(payment.buyer_email) & set(",="):  # see signing: nothing escapes them
            fields["bill_to_email"] = payment.buyer_email
        return PageForm(action=f"{_page_base(keys)}/pay", fields=sign_form(fields, keys["secret_keys"][0]))

    def expire(self, session: Session) -> PaymentNotice:
        """Say how a session ended. There is nothing to end: our page gives out no more forms, and a form grows old.

        An authorization that waits for a review is reversed where the order was given up, so that the buyer's card is
        free again.
        """
        found = self.look_up(session)
        if found.outcome is PaymentOutcome.OPEN:
            return _unpaid(session, PaymentOutcome.EXPIRED)
        if found.outcome is PaymentOutcome.PROCESSING and session.is_given_up:
            self._reverse(session)
            return _unpaid(session, PaymentOutcome.DECLINED)
        return found

    def _reverse(self, session: Session) -> None:
        """Free the buyer's card of an authorization whose money wasn't taken."""
        api = _api(session.account)
        with _reading():
            for each in _search(api, session.session_id):
                if is_done(each, "ics_auth"):
                    amounts = each["orderInformation"]["amountDetails"]
                    api.post(
                        f"/pts/v2/payments/{quote(_id(each), safe='')}/reversals",
                        {
                            "clientReferenceInformation": {"code": session.session_id},
                            "reversalInformation": {
                                "amountDetails": {
                                    "totalAmount": amounts["totalAmount"],
                                    "currency": amounts["currency"],
                                },
                                "reason": "the buyer gave up the order",
                            },
                        },
                        key=session.idempotency_key,
                    )

    def look_up(self, session: Session) -> PaymentNotice:
        """Search for the payments with our number. New ones are found after a delay, so OPEN isn't the last word."""
        api = _api(session.account)
        with _reading():
            found = _search(api, session.session_id)
            if (paid := next((each for each in found if is_done(each, "ics_bill")), None)) is not None:
                return _read_payment(api.transaction(_id(paid)), session)
            if any(is_done(each, "ics_auth") for each in found):
                is_reversed = any(is_done(each, "ics_auth_reversal") for each in found)
                return _unpaid(session, PaymentOutcome.DECLINED if is_reversed else PaymentOutcome.PROCESSING)
            declined = [each for each in found if was_asked(each, "ics_auth") and reason_code(each) not in UNDECIDED]
            if declined:
                return _unpaid(session, PaymentOutcome.DECLINED, _decline(reason_code(declined[-1])))
        if session.came_back_at is not None and clock.now() < session.came_back_at + RESULT_TIME:
            raise PaymentFailed("the payment's result isn't known yet; asked again later", retriable=True, code=NOT_YET)
        is_over = session.is_given_up or (session.expires_at is not None and session.expires_at <= clock.now())
        return _unpaid(session, PaymentOutcome.EXPIRED if is_over else PaymentOutcome.OPEN)

    def capture(self, session: Session) -> PaymentNotice:
        """A sale takes the money itself."""
        return self.look_up(session)

    def refund(self, refund: RefundInstruction) -> RefundResult:
        """Refund, unless the search finds a refund with our reference. See ``look_up_refund`` for lost answers."""
        api = _api(refund.account)
        if (known := _find_refund(api, refund.reference)) is not None:
            return known
        amount = {"totalAmount": write_amount(refund.amount), "currency": refund.amount.currency}
        made = api.post(
            f"/pts/v2/{_kind_of_payment(api, refund.payment_id)}/{quote(refund.payment_id, safe='')}/refunds",
            {
                "clientReferenceInformation": {"code": refund.reference, "transactionId": _short(refund.reference)},
                "orderInformation": {"amountDetails": amount},
            },
            key=refund.idempotency_key,
        )
        with _reading():
            status = str(made.get("status") or "")
            state = REFUND_STATES.get(status, RefundState.PENDING)
            failure = (
                "" if state is RefundState.PENDING else str((made.get("errorInformation") or {}).get("reason") or "")
            )
            details = made.get("refundAmountDetails") or {}
            given = details.get("refundAmount") or details.get("creditAmount")
            return RefundResult(
                refund_id=_id(made),
                state=state,
                failure=failure or (status if state is RefundState.FAILED else ""),
                amount=read_money(given, details.get("currency") or refund.amount.currency) if given else refund.amount,
            )

    def look_up_refund(self, refund: RefundInstruction, refund_id: str) -> RefundResult | None:
        """Find a refund by its id or our reference.

        While the search may not know it yet, nothing found isn't None: that would send it a second time.
        """
        api = _api(refund.account)
        if refund_id:
            with _reading():
                return _refund_result(api.transaction(refund_id))
        found = _find_refund(api, refund.reference)
        if found is None and refund.sent_at is not None and clock.now() < refund.sent_at + SEARCH_DELAY:
            raise PaymentFailed("the refund isn't found yet; asked again later", retriable=True, code=NOT_YET)
        return found

    def refunds_of(self, payment_id: str, account: str) -> tuple[RefundNotice, ...]:
        """Return every refund of a payment, made here or in the Business Center.

        A payment that was voided there, before it went to the bank, is refunded as a whole.
        """
        api = _api(account)
        with _reading():
            payment = api.transaction(payment_id)
            related = [api.transaction(each) for each in _follow_ups(payment)]
            refunds = [each for each in related if was_asked(each, "ics_credit")]
            if not refunds:  # else the void may be of a refund, and nothing says of what it is
                voids = [each for each in related if is_done(each, "ics_void")]
                return tuple(_void_notice(each, payment) for each in voids[:1])
            return tuple(_refund_notice(each, payment_id) for each in refunds)

    def disputes_of(self, payment_id: str, account: str) -> tuple[DisputeNotice, ...]:
        """Return a payment's chargebacks, which only a report tells, by its period."""
        api = _api(account)
        with _reading():
            made_at = _moment(api.transaction(payment_id).get("submitTimeUTC"))
            found = [
                each
                for each in _chargebacks(api, made_at, clock.now() + timedelta(minutes=1))
                if each.get("requestId") == payment_id
            ]
            cases = {_case(each): each for each in found}  # the last word about each
            return tuple(_dispute_notice(each, payment_id) for each in cases.values())

    def accounts(self) -> tuple[str, ...]:
        return tuple(accounts_of(self.name))

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        """Yield what was submitted to the bank, with its fees, and chargebacks. Reports are complete after a day."""
        api = _api(account)
        with _reading():
            for begin, end in _periods(since, until):
                yield from _settlements(api, begin, end, since=since, until=until)
                for each in _chargebacks(api, begin, end):
                    movement = _chargeback_movement(each)
                    if since <= movement.at < until:
                        yield movement

    def dashboard_url(self, *, session_id: str, payment_id: str) -> str:
        """Link to the Business Center's details of a transaction."""
        if not payment_id:
            return ""
        host = f"https://businesscenter{'' if _any_live() else 'test'}.cybersource.com"
        return f"{host}/ebc2/app/TransactionManagement/details?{urlencode({'requestId': payment_id})}"

    def open_notice(self, body: bytes, headers: Mapping[str, str], *, account: str) -> Envelope:
        """Accept what one of the account's keys signed, however old: an answer that comes late is money all the same.

        The browser's and the server's post of one answer have the same id, and one that comes again changes nothing.
        """
        answer = _verify_answer(body, account)
        subject = answer.get("transaction_id") or answer["req_transaction_uuid"]
        return Envelope(
            event_id=f"{subject}:{answer['decision']}"[:255], kind=f"payment.{answer['decision'].lower()}"[:100]
        )

    def read_notice(self, body: bytes, *, account: str) -> PaymentNotice | OtherNotice:
        try:
            return _notice(read_signed(body, needed=ANSWER))
        except (NoticeForged, *_NOT_AS_DOCUMENTED) as error:
            raise NoticeNotUnderstood("not as CyberSource documents its answers") from error

    def read_return(self, body: bytes, *, account: str) -> tuple[UUID | None, PaymentOutcome]:
        """Return whose answer the browser brought, and what it says. Raises NoticeForged."""
        answer = _verify_answer(body, account)
        return _uuid(answer["req_transaction_uuid"]), outcome_of(answer)


def _search(api: Api, code: str) -> list[Mapping[str, Any]]:
    """Return the transactions with this code, the oldest first. The search may find others by a part of theirs."""
    found = api.search(f"clientReferenceInformation.code:{code}")
    return [each for each in found if _code(each) in ("", code)]


def _code(transaction: Mapping[str, Any]) -> str:
    return str((transaction.get("clientReferenceInformation") or {}).get("code") or "")


def _keys(account: str) -> Mapping[str, Any]:
    return keys_of(CyberSourceGateway.name, account)


def _any_live() -> bool:
    return any(keys["is_live"] for keys in accounts_of(CyberSourceGateway.name).values())


def _page_base(keys: Mapping[str, Any]) -> str:
    return settings.CYBERSOURCE_PAGE_BASE or page_origin(is_live=keys["is_live"])


def page_origin(*, is_live: bool) -> str:
    return f"https://{'' if is_live else 'test'}secureacceptance.cybersource.com"


def _api(account: str) -> Api:
    keys = _keys(account)
    return Api(
        base=settings.CYBERSOURCE_API_BASE or f"https://api{'' if keys['is_live'] else 'test'}.cybersource.com",
        merchant_id=keys["merchant_id"],
        key_id=keys["rest_key_id"],
        secret=keys["rest_secret"],
        remote=remote_name(CyberSourceGateway.name, account),
    )


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except _NOT_AS_DOCUMENTED as error:
        raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood") from error


def _verify_answer(body: bytes, account: str) -> dict[str, str]:
    """Return an answer's signed fields. Raises NoticeForged."""
    answer = read_signed(body, needed=ANSWER)
    try:
        keys = _keys(account)
    except PaymentFailed as error:
        raise NoticeForged("no key to verify it with") from error
    verify(body, keys["secret_keys"])
    if answer["req_access_key"] not in keys["access_keys"] or answer["req_profile_id"] != keys["profile_id"]:
        raise NoticeForged("of another profile")
    return answer


def _notice(answer: Mapping[str, str]) -> PaymentNotice | OtherNotice:
    """Read an answer. Raises KeyError or ValueError where it isn't complete."""
    decision, reason = answer["decision"], answer.get("reason_code", "")
    outcome = outcome_of(answer)
    reference = _uuid(answer["req_transaction_uuid"])
    subject = answer.get("transaction_id") or answer["req_transaction_uuid"]
    event_id = f"{subject}:{decision}"[:255]
    paid = None
    if outcome is PaymentOutcome.PAID:
        if missing := MONEY - {name for name, value in answer.items() if value}:
            raise ValueError(f"without {min(missing)}")
        paid = read_money(answer["auth_amount"], answer["req_currency"])
    return PaymentNotice(
        event_id=event_id,
        reference=reference,
        session_id=answer.get("req_reference_number", ""),
        payment_id=answer.get("transaction_id", "") if outcome is PaymentOutcome.PAID else "",
        outcome=outcome,
        paid=paid,
        doubt=_doubt(answer) if outcome is PaymentOutcome.PAID else "",
        paid_with=_card(answer.get("card_type_name", ""), answer.get("req_card_number", "")),
        billed_to=_billed_to(answer) if outcome is PaymentOutcome.PAID else None,
        # An error leaves open what happened, and a word we don't know says nothing.
        is_final=outcome not in (PaymentOutcome.OPEN, PaymentOutcome.UNKNOWN),
        decline=_decline(reason) if outcome is PaymentOutcome.DECLINED else None,
    )


def _doubt(answer: Mapping[str, str]) -> str:
    if answer.get("req_transaction_type") not in (None, "sale"):
        return "transaction_type: the money was only authorized"
    return ""


def _unpaid(session: Session, outcome: PaymentOutcome, decline: Decline | None = None) -> PaymentNotice:
    return PaymentNotice(
        event_id="",
        reference=session.reference,
        session_id=session.session_id,
        payment_id="",
        outcome=outcome,
        paid=None,
        decline=decline,
    )


def _read_payment(payment: Mapping[str, Any], session: Session) -> PaymentNotice:
    """Read a payment that the search found. A card may be authorized for less than was asked."""
    order = payment.get("orderInformation") or {}
    amounts = order.get("amountDetails") or {}
    card = (payment.get("paymentInformation") or {}).get("card") or {}
    bill_to = order.get("billTo") or {}
    return PaymentNotice(
        event_id="",
        reference=session.reference,
        session_id=session.session_id,
        payment_id=_id(payment),
        outcome=PaymentOutcome.PAID,
        paid=read_money(amounts.get("authorizedAmount") or amounts["totalAmount"], amounts["currency"]),
        paid_with=_card(CARDS.get(str(card.get("type")), ""), str(card.get("suffix") or "")),
        billed_to=BillingAddress(
            name=_words(bill_to.get("firstName"), bill_to.get("lastName")),
            street=", ".join(filter(None, (str(bill_to.get(name) or "") for name in ("address1", "address2")))),
            city=str(bill_to.get("locality") or ""),
            region=str(bill_to.get("administrativeArea") or ""),
            postal_code=str(bill_to.get("postalCode") or ""),
            country=str(bill_to.get("country") or ""),
        ),
        has_refunds_or_disputes=True,  # whether it has disputes, only a report tells
    )


def _billed_to(answer: Mapping[str, str]) -> BillingAddress:
    def told(name: str) -> str:
        return answer.get(f"req_bill_to_{name}", "")

    return BillingAddress(
        name=_words(told("forename"), told("surname")),
        street=", ".join(filter(None, (told("address_line1"), told("address_line2")))),
        city=told("address_city"),
        region=told("address_state"),
        postal_code=told("address_postal_code"),
        country=told("address_country"),
    )


def _decline(reason: str) -> Decline:
    return DECLINES.get(reason, Decline.REFUSED)


def _card(brand: str, number: str) -> str:
    digits = number[-4:] if number[-4:].isdigit() else ""
    return _("%(brand)s ending %(digits)s") % {"brand": brand, "digits": digits} if brand and digits else brand


def _kind_of_payment(api: Api, payment_id: str) -> str:
    """Return what a payment is at CyberSource: a sale, or after a review a capture of its own."""
    try:
        with _reading():
            payment = api.transaction(payment_id)
            return "captures" if is_done(payment, "ics_bill") and not was_asked(payment, "ics_auth") else "payments"
    except PaymentFailed as failure:
        if failure.code == "resource_missing":  # not found yet, so it was made a moment ago: by a sale
            return "payments"
        raise


def _find_refund(api: Api, reference: str) -> RefundResult | None:
    with _reading():
        found = [each for each in _search(api, reference) if was_asked(each, "ics_credit")]
        # One that was refused doesn't hide one that wasn't.
        found.sort(key=lambda each: is_done(each, "ics_credit"))
        return _refund_result(found[-1]) if found else None


def _refund_result(refund: Mapping[str, Any]) -> RefundResult:
    amounts = refund["orderInformation"]["amountDetails"]
    return RefundResult(
        refund_id=_id(refund),
        state=_refund_state(refund),
        failure=str((refund.get("errorInformation") or {}).get("reason") or ""),
        amount=read_money(amounts["totalAmount"], amounts["currency"]),
    )


def _refund_state(refund: Mapping[str, Any]) -> RefundState:
    if not is_done(refund, "ics_credit"):
        return RefundState.FAILED
    status = str((refund.get("applicationInformation") or {}).get("status") or refund.get("status") or "").upper()
    state = REFUND_STATES.get(status, RefundState.PENDING)
    made_at = _moment(refund.get("submitTimeUTC") or refund.get("submitTimeUtc"))
    if state is RefundState.PENDING and made_at < clock.now() - REFUND_TIME:
        return RefundState.SUCCEEDED
    return state


def _refund_notice(refund: Mapping[str, Any], payment_id: str) -> RefundNotice:
    result = _refund_result(refund)
    code = _code(refund)
    return RefundNotice(
        event_id="",
        refund_id=result.refund_id,
        payment_id=payment_id,
        reference=code if _uuid(code) else "",  # otherwise the payment's number, as the Business Center sets it
        amount=result.amount or read_money("0", "USD"),
        state=result.state,
        failure=result.failure,
    )


def _void_notice(void: Mapping[str, Any], payment: Mapping[str, Any]) -> RefundNotice:
    amounts = payment["orderInformation"]["amountDetails"]
    return RefundNotice(
        event_id="",
        refund_id=_id(void),
        payment_id=_id(payment),
        reference="",
        amount=read_money(amounts.get("authorizedAmount") or amounts["totalAmount"], amounts["currency"]),
        state=RefundState.SUCCEEDED,
    )


def _id(transaction: Mapping[str, Any]) -> str:
    """Return the id of a transaction. Raises KeyError or ValueError where it has none."""
    found = transaction["id"]
    if not isinstance(found, str) or not found:
        raise ValueError("no id")
    return found


def _follow_ups(payment: Mapping[str, Any]) -> list[str]:
    """Return the ids of the transactions that followed a payment."""
    links = (payment.get("_links") or {}).get("relatedTransactions") or []
    ids = [str(each.get("href") or "").rstrip("/").rpartition("/")[2] for each in links]
    return [each for each in dict.fromkeys(ids) if each and each != payment.get("id")]


def _periods(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + REPORT_DAYS, until)
        yield since, end
        since = end


def _settlements(api: Api, begin: datetime, end: datetime, *, since: datetime, until: datetime) -> Iterator[Movement]:
    offset = 0
    while True:
        page = api.get(
            "/reporting/v3/purchase-refund-details",
            startTime=_iso(begin),
            endTime=_iso(end),
            organizationId=api.merchant_id,
            viewBy="submissionDate",
            offset=offset,
            limit=REPORT_SIZE,
        )
        settlements = page.get("settlements") or []
        fees = {each["requestId"]: each for each in page.get("feeAndFundingDetails") or []}
        origins = {each["requestId"]: each for each in page.get("authorizations") or []}
        for each in settlements:
            movement = _settlement_movement(each, fees.get(each["requestId"]), origins.get(each["requestId"]))
            if since <= movement.at < until:
                yield movement
        offset += len(settlements)
        if len(settlements) < REPORT_SIZE:
            return


def _settlement_movement(
    settlement: Mapping[str, Any], fee: Mapping[str, Any] | None, origin: Mapping[str, Any] | None
) -> Movement:
    request_id = str(settlement["requestId"])
    word = str(settlement.get("transactionType") or "").lower()
    amount = read_money(settlement["amount"], settlement["currencyCode"])
    kind = MovementKind.REFUND if amount.is_negative else SETTLEMENTS.get(word, MovementKind.OTHER)
    payment_id = str((origin or {}).get("authorizationRequestId") or request_id)
    return Movement(
        movement_id=f"{kind}_{request_id}",
        kind=kind,
        payment_id=payment_id,
        source_id=request_id,
        amount=-_abs(amount) if kind is MovementKind.REFUND else amount,
        fee=read_money(fee["totalFee"], fee["feeCurrency"]) if fee and fee.get("totalFee") else amount.zero,
        at=_moment(settlement["submissionTime"]),
    )


def _abs(money: Money) -> Money:
    return -money if money.is_negative else money


def _chargebacks(api: Api, since: datetime, until: datetime) -> Iterator[Mapping[str, Any]]:
    for begin, end in _periods(since, until):
        report = api.get(
            "/reporting/v3/chargeback-details",
            startTime=_iso(begin),
            endTime=_iso(end),
            organizationId=api.merchant_id,
        )
        yield from report.get("chargebackDetails") or []


def _case(chargeback: Mapping[str, Any]) -> str:
    return str(chargeback.get("trackingNumber") or chargeback["requestId"])


def _is_returned(chargeback: Mapping[str, Any]) -> bool:
    return str(chargeback.get("sign") or "-").strip() in ("+", "C", "CR", "CREDIT")


def _dispute_notice(chargeback: Mapping[str, Any], payment_id: str) -> DisputeNotice:
    is_returned = _is_returned(chargeback)
    due = chargeback.get("responseDueTime")
    waits = bool(due) and _moment(due) > clock.now()
    state = DisputeState.WON if is_returned else DisputeState.NEEDS_RESPONSE if waits else DisputeState.UNDER_REVIEW
    return DisputeNotice(
        event_id="",
        dispute_id=_case(chargeback),
        payment_id=payment_id,
        amount=_abs(read_money(chargeback["amount"], chargeback["currencyCode"])),
        state=state,
        reason=str(chargeback.get("natureOfDispute") or chargeback.get("reasonCode") or ""),
        funds="reinstated" if is_returned else "withdrawn",
    )


def _chargeback_movement(chargeback: Mapping[str, Any]) -> Movement:
    amount = _abs(read_money(chargeback["amount"], chargeback["currencyCode"]))
    is_returned = _is_returned(chargeback)
    kind = MovementKind.WON_DISPUTE if is_returned else MovementKind.CHARGEBACK
    return Movement(
        movement_id=f"{kind}_{_case(chargeback)}",
        kind=kind,
        payment_id=str(chargeback.get("requestId") or ""),
        source_id=_case(chargeback),
        amount=amount if is_returned else -amount,
        fee=amount.zero,
        at=_moment(chargeback["time"]),
    )


def _moment(text: object) -> datetime:
    """Read a time of CyberSource, in UTC. Raises ValueError."""
    moment = parse_datetime(str(text).replace("+0000", "Z"))
    if moment is None:
        raise ValueError("not a time")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _short(reference: str) -> str:
    # At most 30 characters, unique for 60 days.
    return reference.replace("-", "")[:30]


def _words(*parts: object) -> str:
    return " ".join(str(each) for each in parts if each)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
