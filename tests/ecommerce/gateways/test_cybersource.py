"""CyberSource: signatures, words, requests and failures."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured

from ecommerce.enums import Decline, DisputeState, MovementKind, RefundState
from ecommerce.gateways.base import (
    NoticeForged,
    NoticeNotUnderstood,
    PageForm,
    PaymentFailed,
    PaymentNotice,
    PaymentOutcome,
    RefundInstruction,
    Session,
)
from ecommerce.gateways.cybersource.api import Api
from ecommerce.gateways.cybersource.gateway import CyberSourceGateway
from ecommerce.gateways.cybersource.signing import sign_fields, sign_form
from ecommerce.gateways.cybersource.words import page_locale, read_money, write_amount
from ecommerce.gateways.paypal.client import Token
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.settings.parts.cybersource import (
    PARTS,
    cybersource_accounts,
    cybersource_gateways,
    is_live_environment,
)
from tests.ecommerce.gateways.examination import CyberSourceBench, a_request, begun
from tests.support.cybersource import (
    ACCESS_KEY,
    PROFILE,
    REST_SECRET,
    SECRET_KEY,
    CyberSourceServer,
    PageRefused,
    account,
    encode,
    sign_answer,
)


@pytest.fixture
def gateway(cybersource_api: CyberSourceServer) -> CyberSourceGateway:
    return CyberSourceGateway()


@pytest.fixture
def bench(gateway: CyberSourceGateway, cybersource_api: CyberSourceServer) -> CyberSourceBench:
    return CyberSourceBench(gateway, cybersource_api)


@pytest.fixture
def session(gateway: CyberSourceGateway) -> Session:
    return begun(gateway, Money("249.00", "USD"))


@pytest.fixture
def payment_id(bench: CyberSourceBench, session: Session) -> str:
    bench.pay(session)
    return bench.gateway.look_up(session).payment_id


def form_of(gateway: CyberSourceGateway, **changes: Any) -> PageForm:
    request = replace(a_request(Money("249.00", "USD")), **changes)
    return gateway.make_form(request, session_id="TS-2026-7K3M9X2Q-0a1b2c3d", signed_at=clock.now())


def refund_of(payment_id: str, amount: str = "49.00", **facts: Any) -> RefundInstruction:
    reference = str(uuid4())
    return RefundInstruction(
        payment_id=payment_id,
        amount=Money(amount, "USD"),
        idempotency_key=f"refund:{reference}",
        reason="",
        reference=reference,
        **facts,
    )


# The form


def test_a_known_signature() -> None:
    # By `openssl dgst -sha256 -hmac key`, of “a=1,b=x y,signed_field_names=a,b,signed_field_names”.
    fields = {"a": "1", "b": "x y", "signed_field_names": "a,b,signed_field_names"}
    assert sign_fields(fields, "key") == "dunHYt3aaKGCnPYtpJCPsyWW33cYhjB7YkjpF8p0Vxw="


def test_the_form_is_what_the_payment_page_asks_for(
    gateway: CyberSourceGateway, cybersource_api: CyberSourceServer
) -> None:
    form = form_of(gateway, locale="fr")
    cybersource_api.open_page(dict(form.fields))
    assert form.action == f"{cybersource_api.url}/pay"
    fields = form.fields
    assert (fields["access_key"], fields["profile_id"]) == (ACCESS_KEY, PROFILE)
    assert (fields["transaction_type"], fields["amount"], fields["currency"]) == ("sale", "249.00", "USD")
    assert (fields["locale"], fields["bill_to_email"]) == ("fr-fr", "amara@example.test")
    assert fields["override_custom_receipt_page"] == "https://shop.example/payment/cybersource/return/"
    assert fields["override_backoffice_post_url"] == "https://shop.example/payment/cybersource/webhook/"


@pytest.mark.parametrize("changed", ["amount", "currency", "transaction_uuid", "override_custom_receipt_page"])
def test_a_buyer_who_changes_the_form_gets_no_page(
    gateway: CyberSourceGateway, cybersource_api: CyberSourceServer, changed: str
) -> None:
    with pytest.raises(PageRefused):
        cybersource_api.open_page({**form_of(gateway).fields, changed: "1.00"})


def test_an_old_form_opens_no_page(gateway: CyberSourceGateway, cybersource_api: CyberSourceServer) -> None:
    old = gateway.make_form(a_request(Money("1", "USD")), session_id="x", signed_at=clock.now() - timedelta(minutes=16))
    with pytest.raises(PageRefused, match="expired"):
        cybersource_api.open_page(dict(old.fields))


def test_an_address_that_could_pass_for_fields_is_left_out(gateway: CyberSourceGateway) -> None:
    form = form_of(gateway, buyer_email='"a,decision=ACCEPT"@example.test')
    assert "bill_to_email" not in form.fields


def test_the_number_there_begins_with_the_orders(gateway: CyberSourceGateway) -> None:
    request = replace(a_request(Money("1", "USD")), order_number="X" * 60)
    number = gateway.start(request).session_id
    assert (len(number), number[:41]) == (50, "X" * 41)


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money("249", "USD"), "249.00"),
        (Money("1500", "JPY"), "1500"),
        (Money("12.34", "KWD"), "12.340"),
        (Money("0.99", "EUR"), "0.99"),
    ],
    ids=str,
)
def test_amounts_are_written_with_the_digits_of_their_currency(money: Money, text: str) -> None:
    assert write_amount(money) == text
    assert read_money(text, money.currency) == money


@pytest.mark.parametrize(("amount", "currency"), [("1500.50", "JPY"), ("1.005", "USD"), ("", "USD"), ("1", "ZZZ")])
def test_an_amount_its_currency_cannot_have_is_not_rounded(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"amount|currency"):
        read_money(amount, currency)


@pytest.mark.parametrize(
    ("language", "spoken"),
    [("en", "en-us"), ("en-gb", "en-gb"), ("de", "de-de"), ("pt", "pt-br"), ("zh-hant", "zh-tw"), ("cy", "en-us")],
)
def test_the_page_speaks_the_visitors_language_where_it_can(language: str, spoken: str) -> None:
    assert page_locale(language) == spoken


def test_an_amount_too_long_for_the_form_is_refused(gateway: CyberSourceGateway) -> None:
    huge = Money("1234567890123.00", "USD")
    assert not gateway.can_take(huge)
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(huge))
    assert (failed.value.retriable, failed.value.code) == (False, "amount_too_large")


# Answers


def answer_to(bench: CyberSourceBench, session: Session, decision: str = "ACCEPT", **options: str) -> dict[str, str]:
    form = bench.gateway.make_form(
        a_request(session.total, reference=session.reference), session_id=session.session_id, signed_at=clock.now()
    )
    bench.server.open_page(dict(form.fields))
    return bench.server.decide(str(session.reference), decision, **options)


def read(bench: CyberSourceBench, answer: dict[str, str]) -> PaymentNotice:
    body = encode(answer)
    bench.gateway.open_notice(body, {}, account="")
    notice = bench.gateway.read_notice(body, account="")
    assert isinstance(notice, PaymentNotice)
    return notice


@pytest.mark.parametrize(
    ("decision", "reason", "outcome", "is_final", "decline"),
    [
        ("ACCEPT", "", PaymentOutcome.PAID, True, None),
        ("REVIEW", "", PaymentOutcome.PROCESSING, True, None),
        ("DECLINE", "202", PaymentOutcome.DECLINED, True, Decline.CARD_EXPIRED),
        ("DECLINE", "204", PaymentOutcome.DECLINED, True, Decline.NO_FUNDS),
        ("DECLINE", "211", PaymentOutcome.DECLINED, True, Decline.WRONG_DETAILS),
        ("DECLINE", "476", PaymentOutcome.DECLINED, True, Decline.NOT_CONFIRMED),
        ("DECLINE", "999", PaymentOutcome.DECLINED, True, Decline.REFUSED),
        ("ERROR", "150", PaymentOutcome.OPEN, False, None),
        ("ERROR", "102", PaymentOutcome.DECLINED, True, Decline.OUR_FAULT),
        ("ERROR", "151", PaymentOutcome.OPEN, False, None),
        ("CANCEL", "", PaymentOutcome.EXPIRED, True, None),
    ],
)
def test_what_an_answer_says(
    bench: CyberSourceBench,
    session: Session,
    decision: str,
    reason: str,
    outcome: PaymentOutcome,
    *,
    is_final: bool,
    decline: Decline | None,
) -> None:
    notice = read(bench, answer_to(bench, session, decision, reason=reason))
    assert (notice.outcome, notice.is_final, notice.decline) == (outcome, is_final, decline)
    assert (notice.reference, notice.session_id) == (session.reference, session.session_id)
    assert notice.paid == (session.total if outcome is PaymentOutcome.PAID else None)


def test_a_paid_answer_names_card_and_payer(bench: CyberSourceBench, session: Session) -> None:
    notice = read(bench, answer_to(bench, session))
    assert notice.paid_with == "Visa ending 1111"
    assert notice.billed_to is not None
    assert (notice.billed_to.name, notice.billed_to.country) == ("Amara Okafor, née Bello", "US")


def test_a_card_that_gave_less_is_read_with_what_it_gave(bench: CyberSourceBench, session: Session) -> None:
    answer = answer_to(bench, session, reason="110", amount="100.00")
    assert read(bench, answer).paid == Money("100.00", "USD")
    assert bench.gateway.look_up(session).paid == Money("100.00", "USD")


def test_a_second_payment_of_one_form_is_a_duplicate(bench: CyberSourceBench, session: Session) -> None:
    answer_to(bench, session)
    second = read(bench, answer_to(bench, session))
    assert (second.outcome, second.is_final, second.paid) == (PaymentOutcome.OPEN, False, None)
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.PAID


def test_the_browsers_and_the_servers_answer_are_one_notice(bench: CyberSourceBench, session: Session) -> None:
    answer = answer_to(bench, session)
    one, other = (bench.gateway.open_notice(encode(each), {}, account="") for each in (answer, sign_answer(answer)))
    assert one == other


@pytest.mark.parametrize(
    "name", ["decision", "auth_amount", "req_transaction_uuid", "transaction_id", "req_currency", "req_profile_id"]
)
def test_no_field_of_an_answer_can_be_changed(bench: CyberSourceBench, session: Session, name: str) -> None:
    answer = answer_to(bench, session, "DECLINE") | {"auth_amount": "1.00"}
    answer = sign_answer(answer)
    assert bench.gateway.open_notice(encode(answer), {}, account="").kind == "payment.decline"
    for body in (encode({**answer, name: "ACCEPT"}), encode(answer) + f"&{name}=ACCEPT".encode()):
        with pytest.raises(NoticeForged):
            bench.gateway.open_notice(body, {}, account="")


def test_a_field_that_is_not_signed_is_not_read(bench: CyberSourceBench, session: Session) -> None:
    unsigned = encode({**answer_to(bench, session, "CANCEL"), "auth_amount": "249.00", "transaction_id": "1"})
    notice = bench.gateway.read_notice(unsigned, account="")
    assert isinstance(notice, PaymentNotice)
    assert (notice.outcome, notice.payment_id) == (PaymentOutcome.EXPIRED, "")


def test_a_decision_outside_the_signature_is_forged(bench: CyberSourceBench, session: Session) -> None:
    answer = answer_to(bench, session)
    kept = {name: value for name, value in answer.items() if name != "decision"}
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(encode({**sign_answer(kept), "decision": "ACCEPT"}), {}, account="")


def test_our_own_form_is_not_an_answer(bench: CyberSourceBench, session: Session) -> None:
    form = dict(form_of(bench.gateway).fields)
    as_answer = {f"req_{name}": value for name, value in form.items()} | form | {"decision": "ACCEPT"}
    for body in (encode(form), encode(as_answer)):
        with pytest.raises(NoticeForged):
            bench.gateway.open_notice(body, {}, account="")


def test_a_shorter_list_does_not_pass_for_the_signed_one(bench: CyberSourceBench, session: Session) -> None:
    """Nothing is escaped in what is signed: “a=1,b=2” is one field of the value “1,b=2”, or two."""
    fields = sign_form(
        {"access_key": ACCESS_KEY, "note": f"x,decision=ACCEPT,req_transaction_uuid={uuid4()}"}, SECRET_KEY
    )
    names = "access_key,note,decision,req_transaction_uuid,unsigned_field_names,signed_field_names"
    split = dict(parse_qsl("note=x&decision=ACCEPT")) | {"req_transaction_uuid": "x", "req_access_key": ACCESS_KEY}
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(encode({**fields, **split, "signed_field_names": names}), {}, account="")


def test_what_can_be_read_in_two_ways_is_forged(bench: CyberSourceBench, session: Session) -> None:
    """A buyer in review enters a name by which the same signed text says ACCEPT, under the same list of names."""
    answer = answer_to(bench, session, "REVIEW")
    told = {name: answer.pop(name) for name in ("req_bill_to_surname", "decision", "message")}
    told["req_bill_to_surname"] = "x,decision=ACCEPT,message=y"
    signed = sign_answer({**answer, **told})
    split = {"req_bill_to_surname": "x", "decision": "ACCEPT", "message": "y,decision=REVIEW,message=Decline"}
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(encode({**signed, **split}), {}, account="")


def test_an_answer_of_another_profile_or_key_is_forged(bench: CyberSourceBench, session: Session) -> None:
    answer = answer_to(bench, session)
    for changes in ({"req_profile_id": "another"}, {"req_access_key": "another"}):
        with pytest.raises(NoticeForged, match="another profile"):
            bench.gateway.open_notice(encode(sign_answer({**answer, **changes})), {}, account="")
    with pytest.raises(NoticeForged, match="key of ours"):
        bench.gateway.open_notice(encode(sign_answer(answer, secret="other")), {}, account="")


def test_an_incomplete_payment_is_not_understood(bench: CyberSourceBench, session: Session) -> None:
    answer = answer_to(bench, session)
    for missing in ("auth_amount", "transaction_id", "req_currency"):
        kept = {name: value for name, value in answer.items() if name != missing}
        body = encode(sign_answer(kept))
        assert bench.gateway.open_notice(body, {}, account="").kind == "payment.accept"
        with pytest.raises(NoticeNotUnderstood):
            bench.gateway.read_notice(body, account="")


def test_an_answer_signed_with_the_key_before_is_let_in(
    bench: CyberSourceBench, session: Session, settings: Any
) -> None:
    answer = answer_to(bench, session)
    settings.CYBERSOURCE_ACCOUNTS = {
        "": account() | {"access_keys": ["new", ACCESS_KEY], "secret_keys": ["new-secret", SECRET_KEY]}
    }
    assert read(bench, answer).outcome is PaymentOutcome.PAID
    settings.CYBERSOURCE_ACCOUNTS = {"": account() | {"access_keys": ["new"], "secret_keys": ["new-secret"]}}
    with pytest.raises(NoticeForged):
        bench.gateway.open_notice(encode(answer), {}, account="")


def test_an_answer_without_a_known_word_is_only_asked_about(bench: CyberSourceBench, session: Session) -> None:
    notice = read(bench, sign_answer({**answer_to(bench, session), "decision": "SOMETHING_NEW"}))
    assert (notice.outcome, notice.is_final) == (PaymentOutcome.UNKNOWN, False)


# Looking up


def test_a_payment_the_search_does_not_know_yet_is_open(bench: CyberSourceBench, session: Session) -> None:
    bench.server.is_search_late = True
    bench.pay(session)
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.OPEN
    bench.server.catch_up()
    assert bench.gateway.look_up(session).paid == session.total


def test_a_payment_found_by_a_part_of_its_number_is_not_ours(bench: CyberSourceBench, session: Session) -> None:
    other = begun(bench.gateway, session.total)
    bench.pay(other)
    bench.server.finds_parts = True
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.OPEN
    assert bench.gateway.look_up(other).outcome is PaymentOutcome.PAID
    assert bench.gateway.look_up_refund(refund_of(bench.gateway.look_up(other).payment_id), "") is None


def test_a_page_nobody_paid_on_has_ended_with_its_time(gateway: CyberSourceGateway, session: Session) -> None:
    over = replace(session, expires_at=clock.now() - timedelta(seconds=1))
    assert gateway.look_up(over).outcome is PaymentOutcome.EXPIRED
    still = replace(session, expires_at=clock.now() + timedelta(minutes=1))
    assert gateway.look_up(still).outcome is PaymentOutcome.OPEN


def test_a_review_ends_with_the_capture_or_the_reversal(bench: CyberSourceBench, session: Session) -> None:
    other = begun(bench.gateway, Money("10", "USD"))
    for each in (session, other):
        bench.pay_later(each)
    bench.server.review(session.session_id, accept=True)
    bench.server.review(other.session_id, accept=False)
    found = bench.gateway.look_up(session)
    assert (found.outcome, found.paid) == (PaymentOutcome.PAID, session.total)
    assert bench.gateway.look_up(other).outcome is PaymentOutcome.DECLINED
    assert bench.gateway.refund(refund_of(found.payment_id, "1.00")).state is RefundState.PENDING


def test_an_authorization_nobody_waits_for_is_reversed_once(bench: CyberSourceBench, session: Session) -> None:
    bench.pay_later(session)
    given_up = replace(session, is_given_up=True)
    for _time in range(2):
        assert bench.gateway.expire(given_up).outcome is PaymentOutcome.DECLINED
    assert len(bench.server.calls_to("/reversals$")) == 1


@pytest.mark.parametrize("reason", ["150", "151", "152"])
def test_an_error_of_theirs_is_not_a_decline(bench: CyberSourceBench, session: Session, reason: str) -> None:
    answer_to(bench, session, "ERROR", reason=reason)
    assert bench.gateway.look_up(session).outcome is PaymentOutcome.OPEN


@pytest.mark.parametrize(
    ("status", "content", "retriable", "code"),
    [
        (401, {"response": {"rmsg": "Authentication Failed"}}, False, "key_refused"),
        (403, {}, False, "key_refused"),
        (404, {}, False, "resource_missing"),
        (400, {"reason": "INVALID_DATA", "message": "No."}, False, "INVALID_DATA"),
        (400, {"reason": "DUPLICATE_REQUEST", "message": "No."}, True, "DUPLICATE_REQUEST"),
        (429, {"reason": "x"}, True, ""),
        (500, {"reason": "SYSTEM_ERROR"}, True, ""),
        (502, {}, True, ""),
        (0, {}, True, ""),
        (302, {}, True, ""),
        (
            200,
            {"_embedded": {"transactionSummaries": [{"id": 1, "applicationInformation": 7}]}},
            True,
            "not_understood",
        ),
    ],
)
def test_refusals_are_told_apart_from_unknown_outcomes(
    bench: CyberSourceBench, session: Session, status: int, content: dict[str, Any], *, retriable: bool, code: str
) -> None:
    bench.server.fail("/searches$", status, content)
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.look_up(session)
    assert (failed.value.retriable, failed.value.code) == (retriable, code)
    assert "shared secret" not in str(failed.value)


def test_no_secret_is_in_what_a_traceback_prints() -> None:
    api = Api(base="", merchant_id="m", key_id="k", secret=REST_SECRET, remote="")
    assert REST_SECRET not in repr(api)
    assert "A21AA" not in repr(Token("A21AA", 0.0))


def test_a_call_that_hangs_is_left(bench: CyberSourceBench, session: Session, settings: Any) -> None:
    settings.REMOTE_CALL_SECONDS = 0.2
    bench.server.fail("/searches$", 200, delay=1.0)
    began = time.monotonic()
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.look_up(session)
    assert failed.value.retriable
    assert time.monotonic() - began < 1.0


def test_a_secret_that_is_none_is_our_mistake(bench: CyberSourceBench, session: Session, settings: Any) -> None:
    settings.CYBERSOURCE_ACCOUNTS = {"": account() | {"rest_secret": "not base64!"}}
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.look_up(session)
    assert (failed.value.retriable, failed.value.code) == (False, "key_refused")
    assert "not base64!" not in str(failed.value)


def test_a_wrong_key_is_refused(bench: CyberSourceBench, session: Session, settings: Any) -> None:
    settings.CYBERSOURCE_ACCOUNTS = {"": account() | {"rest_secret": "YW5vdGhlcg=="}}
    with pytest.raises(PaymentFailed) as failed:
        bench.gateway.look_up(session)
    assert failed.value.code == "key_refused"


# Refunds


def test_an_answer_lost_after_the_refund_was_made_refunds_once(bench: CyberSourceBench, payment_id: str) -> None:
    request = refund_of(payment_id, sent_at=clock.now())
    bench.server.is_search_late = True
    for status in (500, 0):
        bench.server.failures.clear()
        if status == 500:
            bench.server.fail("/refunds$", status, after=True)
            with pytest.raises(PaymentFailed) as failed:
                bench.gateway.refund(request)
            assert failed.value.retriable
        with pytest.raises(PaymentFailed) as unknown:  # not None, which would send it again
            bench.gateway.look_up_refund(request, "")
        assert (unknown.value.retriable, unknown.value.code) == (True, "not_found_yet")
    bench.server.catch_up()
    found = bench.gateway.look_up_refund(request, "")
    assert found is not None
    assert bench.gateway.refund(request) == found
    assert len(bench.server.refunds()) == 1


def test_a_refund_that_never_arrived_is_sent_again_after_an_hour(bench: CyberSourceBench, payment_id: str) -> None:
    fresh = refund_of(payment_id, sent_at=clock.now() - timedelta(minutes=50))
    with pytest.raises(PaymentFailed):
        bench.gateway.look_up_refund(fresh, "")
    old = replace(fresh, sent_at=clock.now() - timedelta(minutes=61))
    assert bench.gateway.look_up_refund(old, "") is None


@pytest.mark.parametrize("protection", ["keeps_keys", "refuses_repeats"])
def test_where_cybersource_remembers_requests_it_refunds_once_even_unfound(
    bench: CyberSourceBench, payment_id: str, protection: str
) -> None:
    setattr(bench.server, protection, True)
    bench.server.is_search_late = True
    request = refund_of(payment_id)
    bench.gateway.refund(request)
    if protection == "keeps_keys":
        bench.gateway.refund(request)
    else:
        with pytest.raises(PaymentFailed) as failed:
            bench.gateway.refund(request)
        assert failed.value.retriable
    assert len(bench.server.refunds()) == 1


def test_refusals_keep_their_message(bench: CyberSourceBench, payment_id: str) -> None:
    bench.gateway.refund(refund_of(payment_id, "200.00"))
    with pytest.raises(PaymentFailed, match="exceeds the captured amount") as failed:
        bench.gateway.refund(refund_of(payment_id, "50.00"))
    assert (failed.value.retriable, failed.value.code) == (False, "INVALID_AMOUNT")


def test_a_refund_has_arrived_once_it_was_transmitted(bench: CyberSourceBench, payment_id: str) -> None:
    request = refund_of(payment_id)
    made = bench.gateway.refund(request)
    assert made.state is RefundState.PENDING
    (refund,) = bench.server.refunds()
    for status, state in [("TRANSMITTED", RefundState.SUCCEEDED), ("VOIDED", RefundState.CANCELED)]:
        refund["status"] = status
        found = bench.gateway.look_up_refund(request, made.refund_id)
        assert found is not None
        assert found.state is state
    refund.update(status="", at=clock.now() - timedelta(days=8))
    found = bench.gateway.look_up_refund(request, made.refund_id)
    assert found is not None
    assert found.state is RefundState.SUCCEEDED


def test_refunds_made_in_the_business_center_are_found(
    bench: CyberSourceBench, session: Session, payment_id: str
) -> None:
    ours = bench.gateway.refund(refund_of(payment_id, "49.00"))
    theirs = bench.server.refund_in_business_center(payment_id, "20.00")
    found = {each.refund_id: each for each in bench.gateway.refunds_of(payment_id, "")}
    assert found.keys() == {ours.refund_id, theirs["id"]}
    assert found[theirs["id"]].amount == Money("20.00", "USD")
    notice = bench.gateway.look_up(session)
    assert (notice.payment_id, notice.has_refunds_or_disputes) == (payment_id, True)


def test_a_payment_voided_in_the_business_center_is_refunded(bench: CyberSourceBench, payment_id: str) -> None:
    void = bench.server.void_in_business_center(payment_id)
    (found,) = bench.gateway.refunds_of(payment_id, "")
    assert (found.refund_id, found.payment_id, found.reference) == (void["id"], payment_id, "")
    assert found.amount == Money(bench.server.transactions[payment_id]["amount"], "USD")
    assert found.state is RefundState.SUCCEEDED


def test_a_refund_voided_in_the_business_center_leaves_the_payment(bench: CyberSourceBench, payment_id: str) -> None:
    made = bench.gateway.refund(refund_of(payment_id, "49.00"))
    bench.server.void_in_business_center(made.refund_id)
    (refund,) = bench.server.refunds()
    refund["status"] = "VOIDED"
    (found,) = bench.gateway.refunds_of(payment_id, "")
    assert (found.refund_id, found.amount, found.state) == (made.refund_id, Money("49.00", "USD"), RefundState.CANCELED)


def test_two_equal_refunds_are_two(bench: CyberSourceBench, payment_id: str) -> None:
    one, other = (bench.gateway.refund(refund_of(payment_id)) for _each in range(2))
    assert one.refund_id != other.refund_id


# The books


def test_chargebacks_are_read_from_the_report(bench: CyberSourceBench, payment_id: str) -> None:
    other = begun(bench.gateway, Money("10", "USD"))
    bench.pay(other)
    for each in (payment_id, bench.gateway.look_up(other).payment_id):
        bench.server.transactions[each]["at"] -= timedelta(days=40)
        bench.server.charge_back(each)
        bench.server.chargebacks[-1]["time"] = "2026-01-01T00:00:00Z"
    bench.server.chargebacks.clear()
    bench.server.charge_back(payment_id)
    bench.server.chargebacks[-1]["time"] = (clock.now() - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    (dispute,) = bench.gateway.disputes_of(payment_id, "")
    assert (dispute.payment_id, dispute.amount) == (payment_id, Money("249.00", "USD"))
    assert (dispute.state, dispute.funds) == (DisputeState.UNDER_REVIEW, "withdrawn")
    moved = list(bench.gateway.movements("", since=clock.now() - timedelta(days=1), until=clock.now()))
    assert [(each.kind, each.amount) for each in moved] == [(MovementKind.CHARGEBACK, Money("-249.00", "USD"))]


def test_movements_are_read_page_by_page_with_their_fees(
    bench: CyberSourceBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecommerce.gateways.cybersource.gateway.REPORT_SIZE", 2)
    before = clock.now() - timedelta(seconds=2)
    for amount in ("10", "20", "30", "40"):
        bench.pay(begun(bench.gateway, Money(amount, "USD")))
    moved = list(bench.gateway.movements("", since=before, until=clock.now() + timedelta(seconds=2)))
    assert sorted(each.amount.amount for each in moved) == [10, 20, 30, 40]
    assert {each.fee for each in moved} == {Money("0.30", "USD")}
    assert [call.params["offset"] for call in bench.server.calls_to("purchase-refund")] == ["0", "2", "4"]


def test_a_long_period_is_asked_for_in_parts(bench: CyberSourceBench) -> None:
    list(bench.gateway.movements("", since=clock.now() - timedelta(days=70), until=clock.now()))
    assert len(bench.server.calls_to("purchase-refund")) == 3


def test_the_dashboard_is_that_of_the_environment(gateway: CyberSourceGateway, settings: Any) -> None:
    assert gateway.dashboard_url(session_id="x", payment_id="") == ""
    assert gateway.dashboard_url(session_id="x", payment_id="7").startswith(
        "https://businesscentertest.cybersource.com"
    )
    settings.CYBERSOURCE_ACCOUNTS = {"": account() | {"is_live": True}}
    assert gateway.dashboard_url(session_id="x", payment_id="7").startswith("https://businesscenter.cybersource.com")


# Accounts and settings

COMPLETE = {name: f"{name}-value" for name in PARTS}


def test_a_host_with_a_profile_of_its_own_uses_it(
    gateway: CyberSourceGateway, cybersource_api: CyberSourceServer, settings: Any
) -> None:
    settings.CYBERSOURCE_ACCOUNTS = {"": account(), "other.example": account() | {"profile_id": "OTHER"}}
    assert gateway.account_for("Other.Example:443") == "other.example"
    assert form_of(gateway, account="other.example").fields["profile_id"] == "OTHER"
    session = begun(gateway, Money("10", "USD"))
    bench = CyberSourceBench(gateway, cybersource_api)
    bench.pay(session)
    with pytest.raises(NoticeForged):
        gateway.open_notice(bench.notice(session)[0], {}, account="other.example")


def test_an_account_is_complete_or_says_what_it_lacks() -> None:
    assert cybersource_accounts({}, "", is_live=False) == ({}, [])
    accounts, missing = cybersource_accounts({**COMPLETE, "rest_secret": ""}, "", is_live=False)
    assert (accounts, missing) == ({}, ["CYBERSOURCE_REST_SECRET"])
    accounts, missing = cybersource_accounts(COMPLETE, json.dumps({"Shop.Example": COMPLETE}), is_live=True)
    assert (set(accounts), missing) == ({"", "shop.example"}, [])
    assert accounts[""]["is_live"]


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": null}', '{"a": {"merchant_id": "m"}}'])
def test_accounts_that_are_not_what_they_should_be_are_refused(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="CYBERSOURCE_ACCOUNTS"):
        cybersource_accounts({}, text, is_live=False)


def test_the_environment_has_to_fit_the_installation() -> None:
    test, _missing = cybersource_accounts(COMPLETE, "", is_live=False)
    live, _missing = cybersource_accounts(COMPLETE, "", is_live=True)
    assert cybersource_gateways({}, is_production=True, test_money=False) == []
    assert cybersource_gateways(live, is_production=True, test_money=False)
    assert cybersource_gateways(test, is_production=True, test_money=True)
    assert cybersource_gateways(test, is_production=False, test_money=True)
    with pytest.raises(ImproperlyConfigured, match="CYBERSOURCE_TEST_MODE"):
        cybersource_gateways(test, is_production=True, test_money=False)
    with pytest.raises(ImproperlyConfigured, match="is live"):
        cybersource_gateways(live, is_production=False, test_money=True)
    with pytest.raises(ImproperlyConfigured, match="CYBERSOURCE_ENVIRONMENT"):
        is_live_environment("prod")
