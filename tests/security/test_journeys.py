"""One person's orders, receipts and payments stay theirs, also in the logs."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.core import mail
from django.test import Client
from django.utils import timezone

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Order, PaymentAttempt, Product, RefundRequest
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery
from mitxonline.logs import JsonFormatter
from mitxonline.users.models import User
from tests.ecommerce.desk import submit_refund
from tests.factories import make_code, make_discount, make_product, make_user
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db

PASSWORD = "correct-horse-battery-staple"
NOBODYS = "11111111-1111-4111-8111-111111111111"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def someone(email: str) -> User:
    user = make_user(email)
    user.set_password(PASSWORD)
    user.save()
    return user


def answer(client: Client, address: str, method: str = "get") -> tuple[int, str]:
    """Return the page without what always differs: tokens and the address."""
    response = getattr(client, method)(address)
    text = re.sub(r'(csrfmiddlewaretoken" value=|nonce=|data-csrf=)"[^"]*"', "", response.content.decode())
    return response.status_code, text.replace(address, "").replace(address.partition("?")[0], "")


def check_out(client: Client, product: Product) -> PaymentAttempt:
    """Put something into the cart and go to the payment page."""
    client.get("/cart/add/", {"product_id": product.pk})
    response = client.post("/checkout/", {})
    assert response.status_code == 302, response.content
    return PaymentAttempt.objects.latest("pk")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("mine", "nobodys"),
    [
        ("/checkout/receipt/?order_number={number}", "/checkout/receipt/?order_number=TS-2026-ZZZZZZZZ"),
        ("/checkout/receipt/pdf/?order_number={number}", "/checkout/receipt/pdf/?order_number=TS-2026-ZZZZZZZZ"),
        ("/orders/refund/?order_number={number}", "/orders/refund/?order_number=TS-2026-ZZZZZZZZ"),
        ("/payment/completed/{reference}/", f"/payment/completed/{NOBODYS}/"),
        ("/payment/canceled/{reference}/", f"/payment/canceled/{NOBODYS}/"),
        ("/payment/sandbox/{reference}/", f"/payment/sandbox/{NOBODYS}/"),
    ],
)
def test_foreign_objects_answer_404_like_missing_ones(mine: str, nobodys: str, method: str) -> None:
    order = make_paid_order(make_product(), buyer=make_user())
    reference = order.attempts.get().reference
    address = mine.format(number=order.number, reference=reference)
    for client in (client_of(make_user()), client_of(make_user(is_staff=True, is_superuser=True)), Client()):
        assert answer(client, address, method) == answer(client, nobodys, method)


def test_the_payment_return_does_not_sign_in() -> None:
    buyer = make_user()
    attempt = check_out(client_of(buyer), make_product())
    for address in (f"/payment/completed/{attempt.reference}/", f"/payment/canceled/{attempt.reference}/"):
        stranger = Client()
        response = stranger.get(address)
        assert response.headers["Location"].startswith("/login/")
        assert "_auth_user_id" not in stranger.session
        other = client_of(make_user())
        assert other.get(address).status_code == 404
    attempt.refresh_from_db()
    assert attempt.state == AttemptState.STARTED


def test_the_way_back_can_be_gone_again_and_changes_nothing() -> None:
    buyer = client_of(make_user())
    attempt = check_out(buyer, make_product())
    buyer.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "accept"})
    for _again in range(3):
        response = buyer.get(f"/payment/completed/{attempt.reference}/")
        assert response.headers["Location"].startswith("/checkout/receipt/?order_number=")
    buyer.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "decline"})
    assert Order.objects.get().state == OrderState.FULFILLED


def test_payment_attempts_are_rate_limited(settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "checkouts": {"user": (2, 600), "address": (100, 600)}}
    buyer = client_of(make_user())
    for _each in range(2):
        check_out(buyer, make_product())
    buyer.get("/cart/add/", {"product_id": make_product().pk})
    response = buyer.post("/checkout/", {}, follow=True)
    assert response.redirect_chain == [("/cart/", 303)]
    assert "Too many payment attempts. Wait 10 minutes" in response.content.decode()
    assert Order.objects.count() == 2


class Listener(logging.Handler):
    """Collects every log line, formatted as in production."""

    def __init__(self) -> None:
        super().__init__(level=logging.INFO)
        chain = django_settings.LOGGING["formatters"]["all"]["foreign_pre_chain"]
        self.setFormatter(JsonFormatter(foreign_pre_chain=chain))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def listener() -> Any:
    heard = Listener()
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    root.addHandler(heard)
    yield heard
    root.removeHandler(heard)
    root.setLevel(before)


def test_the_logs_of_a_whole_journey_hold_ids_only(listener: Listener, settings: Any) -> None:
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    buyer, finance = someone("amara.okafor@northgate.example"), someone("robin.hale@staff.example")
    finance.groups.add(Group.objects.get(name=FINANCE))
    code = make_code(make_discount(amount="10"), text="SPRING-TEN-OFF")
    product = make_product()

    shopper = Client()
    shopper.post("/login/", {"username": buyer.email, "password": "wrong"})
    shopper.post("/login/", {"username": buyer.email, "password": PASSWORD})
    shopper.get("/cart/add/", {"product_id": product.pk})
    for typed in ("NOSUCHCODE-77", code.text):
        shopper.post("/cart/code/", {"code": typed})
        shopper.get(f"/enrollmentcode/{typed}/")
    shopper.post("/checkout/", {})
    attempt = PaymentAttempt.objects.get()
    shopper.post(f"/payment/sandbox/{attempt.reference}/", {"answer": "accept"})
    order = Order.objects.get()
    assert order.state == OrderState.FULFILLED
    shopper.get("/checkout/receipt/pdf/", {"order_number": order.number})
    shopper.post("/orders/refund/", {"order_number": order.number, "why": "other", "text": "Call 01632 960123."})
    assert RefundRequest.objects.exists()
    desk = client_of(finance)
    submit_refund(desk, order)
    assert Order.objects.get().state == OrderState.REFUNDED
    for delivery in Delivery.objects.order_by("pk"):
        run_delivery(delivery_id=delivery.pk, now=timezone.now())
    shopper.get("/checkout/receipt/", {"order_number": "TS-2026-NOTMINE"})
    shopper.post("/payment/sandbox/webhook/", {"email": buyer.email})

    assert {buyer.email} <= {to for each in mail.outbox for to in each.to}
    written = "\n".join(listener.lines)
    assert written
    secrets = {
        "buyer": buyer.email,
        "finance": finance.email,
        "code": code.text,
        "wrong code": "NOSUCHCODE-77",
        "password": PASSWORD,
        "words": "01632 960123",
        "session": str(shopper.session.session_key),
        "csrf": str(desk.cookies["csrftoken"].value) if "csrftoken" in desk.cookies else "no-token",
    }
    assert [name for name, secret in secrets.items() if secret in written] == []
