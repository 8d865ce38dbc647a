"""Paying at CyberSource: the hand-over, the answer by the browser, the notice, and neither."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from courses.models import Enrollment
from ecommerce.enums import AttemptState, NoticeState, OrderState, RefundState, ReviewCause
from ecommerce.models import GatewayNotice, Order, PaymentAttempt, Refund
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.payment import forms
from ecommerce.services.payment.notices import process_notice
from ecommerce.services.payment.payments import check_order
from ecommerce.services.payment.pending import check_due_payments
from ecommerce.services.refunds.refunds import look_up_refund, refund_order, sweep_refunds
from mitxonline.users.models import User
from tests.ecommerce.paying import latest_attempt, place_order
from tests.factories import make_user
from tests.support.cybersource import CyberSourceServer, account, encode, sign_answer
from tests.support.reading import read

pytestmark = pytest.mark.django_db

RETURN, WEBHOOK = "/payment/cybersource/return/", "/payment/cybersource/webhook/"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def buyer() -> User:
    return make_user(name="Amara Okafor")


@pytest.fixture
def order(cybersource_api: CyberSourceServer, buyer: User) -> Order:
    return place_order(buyer, now=timezone.now())


@pytest.fixture
def client_of_buyer(buyer: User) -> Client:
    client = Client()
    client.force_login(buyer)
    return client


class _Inputs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and "data-submit-now" in given:
            self.action = given["action"]
        if tag == "input" and self.action and given.get("name") != "csrfmiddlewaretoken":
            self.fields[given["name"]] = given["value"]


def hand_over_url(order: Order) -> str:
    return f"/payment/cybersource/form/{latest_attempt(order).reference}/"


def form_on(client: Client, order: Order) -> dict[str, str]:
    """Open the hand-over page and return the fields of its form."""
    parser = _Inputs()
    parser.feed(client.get(hand_over_url(order)).content.decode())
    return parser.fields


def pay(server: CyberSourceServer, client: Client, order: Order, decision: str = "ACCEPT", **options: str) -> bytes:
    """Go to the payment page with our form, decide there, and return the answer."""
    server.open_page(form_on(client, order))
    return encode(server.decide(str(latest_attempt(order).reference), decision, **options))


def post(address: str, body: bytes, **options: Any) -> Any:
    """Post an answer as browsers do from another site, and CyberSource's server does: without cookies."""
    return Client(enforce_csrf_checks=True).post(address, body, content_type=FORM, **options)


def notice_by_server(body: bytes) -> GatewayNotice:
    """Have CyberSource's server post the answer, and the worker process it."""
    assert post(WEBHOOK, body).status_code == 200
    notice = GatewayNotice.objects.latest("pk")
    return process_notice(notice_id=notice.pk, now=timezone.now())


def is_open_to(buyer: User) -> bool:
    return Enrollment.objects.filter(user=buyer).count() == 1


# The hand-over


def test_checking_out_leads_to_the_form_that_leads_to_the_page(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    assert latest_attempt(order).pay_url == hand_over_url(order)
    response = client_of_buyer.get(hand_over_url(order))
    page = read(response)
    assert page.h1 == "Pay $249.00"
    assert order.number in page.text
    assert f"form-action 'self' {cybersource_api.url};" in response["Content-Security-Policy"] + ";"
    assert response["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    form = form_on(client_of_buyer, order)
    assert form["reference_number"].startswith(order.number)
    cybersource_api.open_page(form)
    assert form_on(client_of_buyer, order) == form  # a second tab has the same form, and pays once


def test_no_one_else_sees_the_form(order: Order) -> None:
    other = Client()
    other.force_login(make_user())
    assert other.get(hand_over_url(order)).status_code == 404
    assert Client().get(hand_over_url(order)).status_code == 302
    assert other.get(f"/payment/cybersource/form/{uuid4()}/").status_code == 404


@pytest.mark.parametrize("minutes", [15, 31])
def test_an_old_hand_over_page_gives_no_form(client_of_buyer: Client, order: Order, minutes: int) -> None:
    PaymentAttempt.objects.update(started_at=timezone.now() - timedelta(minutes=minutes))
    page = read(client_of_buyer.get(hand_over_url(order)))
    assert page.h1 == "This payment page has closed"
    assert form_on(client_of_buyer, order) == {}


@pytest.mark.parametrize(
    "state", [AttemptState.PAID, AttemptState.CLOSING, AttemptState.EXPIRED, AttemptState.PROCESSING]
)
def test_an_attempt_that_is_over_gives_no_form(client_of_buyer: Client, order: Order, state: str) -> None:
    PaymentAttempt.objects.update(state=state)
    assert form_on(client_of_buyer, order) == {}


# The answer


@pytest.mark.parametrize("ways", ["browser", "server", "browser server", "server browser", "browser browser"])
def test_however_the_answer_comes_the_course_opens_once(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order, ways: str
) -> None:
    cybersource_api.is_search_late = True
    body = pay(cybersource_api, client_of_buyer, order)
    for way in ways.split():
        if way == "server":
            notice_by_server(body)
        else:
            response = post(RETURN, body)
            assert response.status_code == 303
            page = read(client_of_buyer.get(response["Location"], follow=True))
            assert page.h1 == "You’re in, Amara"
            assert "Visa ending 1111" in page.text
    order.refresh_from_db()
    assert (order.state, order.billing_name) == (OrderState.FULFILLED, "Amara Okafor, née Bello")
    assert is_open_to(buyer)
    assert GatewayNotice.objects.count() == 1
    assert latest_attempt(order).payment_id == cybersource_api.payment(latest_attempt(order).session_id)["id"]


def test_the_browsers_post_leaves_its_cookies_alone(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    body = pay(cybersource_api, client_of_buyer, order)
    for each in (body, b"forged=1", b""):
        response = post(RETURN, each, headers={"Origin": "https://testsecureacceptance.cybersource.com"})
        assert response.status_code == 303
        assert not response.cookies


def test_without_any_answer_the_sweep_finds_the_payment(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    cybersource_api.is_search_late = True
    pay(cybersource_api, client_of_buyer, order)
    soon = timezone.now() + timedelta(minutes=6)
    assert check_due_payments(now=soon) == 1
    assert not is_open_to(buyer)
    cybersource_api.catch_up()
    assert check_due_payments(now=soon + timedelta(minutes=25)) == 1
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert is_open_to(buyer)


def test_nobody_paid_and_the_page_is_over(cybersource_api: CyberSourceServer, order: Order) -> None:
    PaymentAttempt.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    check_due_payments(now=timezone.now() + timedelta(minutes=40))
    assert latest_attempt(order).state == AttemptState.EXPIRED


def test_a_declined_card_can_be_followed_by_another(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    response = post(RETURN, pay(cybersource_api, client_of_buyer, order, "DECLINE", reason="204"))
    page = read(client_of_buyer.get(response["Location"], follow=True))
    assert "There isn’t enough money on your card. You weren’t charged." in page.text
    assert latest_attempt(order).state == AttemptState.DECLINED
    order = place_order(buyer, now=timezone.now())
    post(RETURN, pay(cybersource_api, client_of_buyer, order))
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED


def test_a_payment_in_review_waits_and_then_opens_or_not(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    response = post(RETURN, pay(cybersource_api, client_of_buyer, order, "REVIEW"))
    page = read(client_of_buyer.get(response["Location"], follow=True))
    assert latest_attempt(order).state == AttemptState.PROCESSING
    assert "You weren’t charged" not in page.text
    assert not is_open_to(buyer)
    cybersource_api.review(latest_attempt(order).session_id, accept=True)
    check_due_payments(now=timezone.now() + timedelta(hours=7))
    assert is_open_to(buyer)


def test_a_review_that_ends_badly_ends_the_order(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    post(RETURN, pay(cybersource_api, client_of_buyer, order, "REVIEW"))
    cybersource_api.review(latest_attempt(order).session_id, accept=False)
    check_due_payments(now=timezone.now() + timedelta(hours=7))
    order.refresh_from_db()
    assert order.state == OrderState.DECLINED


def test_a_buyer_who_cancels_reads_so(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    response = post(RETURN, pay(cybersource_api, client_of_buyer, order, "CANCEL"))
    page = read(client_of_buyer.get(response["Location"], follow=True))
    assert "You canceled the payment. You weren’t charged" in page.text
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED


def test_an_error_leaves_open_what_happened(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    response = post(RETURN, pay(cybersource_api, client_of_buyer, order, "ERROR"))
    page = read(client_of_buyer.get(response["Location"], follow=True))
    assert latest_attempt(order).state == AttemptState.STARTED
    assert "weren’t charged" not in page.text


# Hostile buyers


def other_order(cybersource_api: CyberSourceServer, *, price: str = "1") -> tuple[Client, Order]:
    user = make_user(name="Mallory")
    client = Client()
    client.force_login(user)
    return client, place_order(user, price=price, now=timezone.now())


def test_an_answer_for_another_order_pays_that_order_only(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    mallory, cheap = other_order(cybersource_api)
    body = pay(cybersource_api, mallory, cheap)
    post(RETURN, body)
    order.refresh_from_db()
    cheap.refresh_from_db()
    assert (order.state, cheap.state) == (OrderState.PENDING, OrderState.FULFILLED)
    named = body.replace(str(latest_attempt(cheap).reference).encode(), str(latest_attempt(order).reference).encode())
    assert post(RETURN, named)["Location"] == RETURN
    assert post(WEBHOOK, named).status_code == 400
    assert not is_open_to(buyer)


def test_a_smaller_amount_signed_by_cybersource_opens_nothing(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    post(RETURN, pay(cybersource_api, client_of_buyer, order, reason="110", amount="1.00"))
    order.refresh_from_db()
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.AMOUNT_DIFFERS)
    assert not is_open_to(buyer)


def test_another_currency_goes_to_review(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    cybersource_api.open_page(form_on(client_of_buyer, order))
    answer = cybersource_api.decide(str(latest_attempt(order).reference))
    post(RETURN, encode(sign_answer({**answer, "req_currency": "JPY", "auth_amount": "249"})))
    order.refresh_from_db()
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.CURRENCY_DIFFERS)
    assert not is_open_to(buyer)


def test_an_authorization_without_the_money_opens_nothing(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    cybersource_api.open_page(form_on(client_of_buyer, order))
    answer = cybersource_api.decide(str(latest_attempt(order).reference))
    post(RETURN, encode(sign_answer({**answer, "req_transaction_type": "authorization"})))
    order.refresh_from_db()
    assert (order.state, order.review_cause) == (OrderState.REVIEW, ReviewCause.IN_DOUBT)
    assert not is_open_to(buyer)


def test_two_tabs_pay_once(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    first = pay(cybersource_api, client_of_buyer, order)
    second = encode(cybersource_api.decide(str(latest_attempt(order).reference)))
    canceled = encode(cybersource_api.decide(str(latest_attempt(order).reference), "CANCEL"))
    for body in (second, first, canceled):
        post(RETURN, body)
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert [each.state for each in order.attempts.all()] == [AttemptState.PAID]


def test_a_second_payment_of_one_form_waits_for_finance(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    """Two tabs are opened in the last minute of the form, and paid more than fifteen minutes apart."""
    first = pay(cybersource_api, client_of_buyer, order)
    attempt = latest_attempt(order)
    cybersource_api.payment(attempt.session_id)["at"] -= timedelta(minutes=16)
    second = encode(cybersource_api.decide(str(attempt.reference)))
    for body in (first, second, first, second):
        post(RETURN, body)
    check_order(order_id=order.pk, now=timezone.now())
    order.refresh_from_db()
    one, other = order.attempts.order_by("pk")
    assert order.state == OrderState.FULFILLED
    assert (one.state, one.is_surplus) == (AttemptState.PAID, False)
    assert (other.state, other.is_surplus, other.paid_money) == (AttemptState.PAID, True, order.money)
    assert {one.payment_id, other.payment_id} == set(cybersource_api.transactions)
    assert [refund.state for refund in other.refunds.all()] == [RefundState.MARKED]
    cybersource_api.refund_in_business_center(other.payment_id, "249.00")["status"] = "TRANSMITTED"
    check_order(order_id=order.pk, now=timezone.now())
    other.refresh_from_db()
    assert other.refunded_money == order.money
    assert not other.refunds.filter(state=RefundState.MARKED).exists()


def test_an_answer_of_another_account_is_only_a_hint(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order, settings: Any
) -> None:
    """The shop of another host has its own profile, and whoever has its key could sign an answer for our order."""
    answer = sign_answer(dict(parse_qsl(pay(cybersource_api, client_of_buyer, order).decode())), secret="theirs")
    cybersource_api.transactions.clear()
    settings.ALLOWED_HOSTS = ["*"]
    settings.CYBERSOURCE_ACCOUNTS = {"": account(), "other.example": account() | {"secret_keys": ["theirs"]}}
    post(RETURN, encode(answer), headers={"Host": "other.example"})
    order.refresh_from_db()
    assert GatewayNotice.objects.get().account == "other.example"
    assert order.state == OrderState.PENDING


def test_an_answer_that_cannot_be_processed_now_leads_on(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error page would replace the buyer's cookies, and say nothing of the order."""
    body = pay(cybersource_api, client_of_buyer, order)
    with monkeypatch.context() as patch:
        patch.setattr(forms, "process_notice", Mock(side_effect=OperationalError("deadlock detected")))
        assert post(RETURN, body)["Location"] == f"/payment/completed/{latest_attempt(order).reference}/"
    process_notice(notice_id=GatewayNotice.objects.get().pk, now=timezone.now())
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED


def test_money_for_an_attempt_that_was_given_up_is_not_lost(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, buyer: User, order: Order
) -> None:
    body = pay(cybersource_api, client_of_buyer, order)
    cybersource_api.is_search_late = True
    cybersource_api._late.update(cybersource_api.transactions)
    client_of_buyer.get(f"/payment/canceled/{latest_attempt(order).reference}/")
    order.refresh_from_db()
    assert order.state == OrderState.CANCELED
    post(RETURN, body)
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert is_open_to(buyer)


def test_a_replayed_answer_does_not_undo_a_refund(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    body = pay(cybersource_api, client_of_buyer, order)
    post(RETURN, body)
    refund_order(order_id=order.pk, choice=RefundChoice(reason="asked for"), now=timezone.now(), by_id=None)
    refund = Refund.objects.get()
    assert refund.state == RefundState.PENDING
    cybersource_api.refunds()[0]["status"] = "TRANSMITTED"
    look_up_refund(refund_id=refund.pk, now=timezone.now())
    for address in (RETURN, WEBHOOK):
        post(address, body)
    notice = GatewayNotice.objects.get()
    assert process_notice(notice_id=notice.pk, now=timezone.now()).state == NoticeState.DONE
    order.refresh_from_db()
    assert order.state == OrderState.REFUNDED
    assert len(cybersource_api.refunds()) == 1


# Refunds


def test_a_refund_whose_answer_got_lost_is_made_once(
    cybersource_api: CyberSourceServer, client_of_buyer: Client, order: Order
) -> None:
    post(RETURN, pay(cybersource_api, client_of_buyer, order))
    cybersource_api.is_search_late = True
    cybersource_api.fail("/refunds$", 500, after=True)
    refund_order(order_id=order.pk, choice=RefundChoice(reason="asked for"), now=timezone.now(), by_id=None)
    assert Refund.objects.get().state == RefundState.SENT
    for minutes in (3, 6, 9):
        sweep_refunds(now=timezone.now() + timedelta(minutes=minutes))
    assert Refund.objects.get().state == RefundState.SENT
    cybersource_api.catch_up()
    sweep_refunds(now=timezone.now() + timedelta(minutes=12))
    assert Refund.objects.get().state == RefundState.PENDING
    assert len(cybersource_api.refunds()) == 1


def test_a_forged_answer_is_in_the_log_and_on_a_page(
    cybersource_api: CyberSourceServer, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(RETURN, b"decision=ACCEPT&signature=x")
    assert "answer refused" in caplog.text
    page = read(Client().get(response["Location"]))
    assert page.h1 == "We couldn’t read the payment’s result"
    assert post(WEBHOOK, b"decision=ACCEPT").status_code == 400
    assert not GatewayNotice.objects.exists()


def test_without_cybersource_its_addresses_are_unknown(client_of_buyer: Client, settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.sandbox.SandboxGateway"]
    assert post(RETURN, b"decision=ACCEPT").status_code in (400, 404)
    assert post(WEBHOOK, b"decision=ACCEPT").status_code in (400, 404)
