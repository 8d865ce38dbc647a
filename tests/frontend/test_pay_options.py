"""A buyer chooses between several gateways, changes their mind, and pays once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ecommerce.enums import AttemptState, OrderState
from ecommerce.gateways.base import PaymentFailed
from ecommerce.models import GatewayNotice, Order, PaymentAttempt
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.payment.notices import process_notice
from ecommerce.services.payment.payments import confirm_attempt
from ecommerce.services.payment.pending import check_unsettled_payments
from mitxonline.users.models import User
from tests.ecommerce.paying import latest_attempt
from tests.factories import make_product, make_user
from tests.support.double import DROPPED
from tests.support.paypal import PayPalServer
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db

STRIPE = "ecommerce.gateways.stripe.StripeGateway"
PAYPAL = "ecommerce.gateways.paypal.gateway.PayPalGateway"


@pytest.fixture
def both(stripe_api: StripeServer, paypal_api: PayPalServer, settings: Any) -> tuple[StripeServer, PayPalServer]:
    settings.PAYMENT_GATEWAYS = [STRIPE, PAYPAL]
    return stripe_api, paypal_api


class Buyer:
    """A browser whose buyer has two courses in the cart."""

    def __init__(self, *, currency: str = "USD", price: str = "100", user: User | None = None) -> None:
        self.user = user or make_user()
        self.client = Client()
        self.client.force_login(self.user)
        products = [make_product(price=price, currency=currency).pk for _each in range(2)]
        add_products(owner=BasketOwner(user_id=self.user.pk), product_ids=products, now=timezone.now())

    def cart(self, **more: Any) -> str:
        return self.client.get("/cart/", **more).content.decode()

    def check_out(self, gateway: str | None = None, *, follow: bool = False) -> Any:
        data = {} if gateway is None else {"gateway": gateway}
        return self.client.post("/checkout/", data, follow=follow)

    @property
    def order(self) -> Order:
        return Order.objects.get(purchaser=self.user)

    def come_back(self, attempt: PaymentAttempt) -> Any:
        return self.client.get(f"/payment/completed/{attempt.reference}/", follow=True)


def post_notice(server: PayPalServer, order_id: str, now: Any) -> None:
    body = server.event("CHECKOUT.ORDER.APPROVED", server.orders[order_id])
    headers: Mapping[str, str] = server.sign(body)
    address = "/payment/paypal/webhook/"
    assert Client().post(address, body, content_type="application/json", headers=dict(headers)).status_code == 200
    process_notice(notice_id=GatewayNotice.objects.latest("pk").pk, now=now)


def test_the_cart_offers_both_by_name_without_asking_either(both: tuple[StripeServer, PayPalServer]) -> None:
    stripe, paypal = both
    page = Buyer().cart()
    assert page.index("Pay with") < page.index('value="stripe" checked') < page.index('value="paypal"')
    assert ">PayPal</span>" in page
    assert page.count('class="pay-mark"') == 2
    assert (stripe.calls, paypal.calls) == ([], [])


@pytest.mark.parametrize("only", [STRIPE, PAYPAL])
def test_one_gateway_is_no_choice(both: Any, settings: Any, only: str) -> None:
    settings.PAYMENT_GATEWAYS = [only]
    buyer = Buyer()
    assert "Pay with" not in buyer.cart()
    assert buyer.check_out()["Location"].startswith("https://")
    assert latest_attempt(buyer.order).gateway == only.rpartition(".")[2].removesuffix("Gateway").lower()


def test_a_free_cart_has_no_choice(both: Any) -> None:
    buyer = Buyer(price="0")
    assert "Pay with" not in buyer.cart()
    assert "/checkout/receipt/" in buyer.check_out()["Location"]


@pytest.mark.parametrize(
    ("currency", "price", "offered"), [("KWD", "10", False), ("HUF", "500", True), ("JPY", "500", True)]
)
def test_one_that_does_not_take_the_amount_is_not_offered(both: Any, currency: str, price: str, offered: bool) -> None:
    buyer = Buyer(currency=currency, price=price)
    assert ('value="paypal"' in buyer.cart()) is offered
    if not offered:
        assert "You can’t pay that way right now." in buyer.check_out("paypal", follow=True).content.decode()
        assert not Order.objects.exists()
    buyer.check_out("stripe")
    assert latest_attempt(buyer.order).gateway == "stripe"


def test_one_with_an_account_for_another_host_only_is_not_offered(both: Any, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PAYPAL_ACCOUNTS = {"two.shop.test": settings.PAYPAL_ACCOUNTS[""]}
    buyer = Buyer()
    assert 'value="paypal"' in buyer.cart(headers={"Host": "two.shop.test:8000"})
    assert "Pay with" not in buyer.cart()
    assert "You can’t pay that way right now." in buyer.check_out("paypal", follow=True).content.decode()
    assert not Order.objects.exists()
    assert "stripe" in buyer.check_out()["Location"]


@pytest.mark.parametrize("gateway", ["stripe", "paypal"])
def test_the_buyer_goes_where_they_chose_and_finds_it_chosen_again(both: Any, gateway: str) -> None:
    buyer = Buyer()
    location = buyer.check_out(gateway)["Location"]
    assert gateway in location
    assert latest_attempt(buyer.order).gateway == gateway
    assert f'value="{gateway}" checked' in buyer.cart()


def test_a_form_from_before_there_was_a_choice_goes_to_the_first(both: Any) -> None:
    buyer = Buyer()
    assert "stripe" in buyer.check_out()["Location"]


@pytest.mark.parametrize("gateway", ["cybersource", "sandbox"])
def test_one_that_is_not_offered_is_refused_and_nothing_is_lost(both: Any, gateway: str) -> None:
    buyer = Buyer()
    answer = buyer.check_out(gateway, follow=True)
    assert "You can’t pay that way right now." in answer.content.decode()
    assert not Order.objects.exists()
    assert "Check out" in buyer.cart()


def test_the_choice_survives_signing_in(both: Any, client: Client) -> None:
    product = make_product(price="100")
    client.get(f"/cart/add/?product_id={product.pk}")
    page = client.get("/cart/").content.decode()
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    client.post("/checkout/", {"gateway": "paypal", "seen": seen, "expected_total": "100.00 USD"})
    client.force_login(make_user())
    assert "paypal" in client.get("/checkout/")["Location"]


class TestSwitching:
    def test_the_stripe_page_is_ended_before_paypals_begins(self, both: tuple[StripeServer, PayPalServer]) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("stripe")
        buyer.check_out("paypal")
        (session,) = stripe.sessions.values()
        assert session["status"] == "expired"
        assert sorted(buyer.order.attempts.values_list("gateway", "state")) == [
            ("paypal", AttemptState.STARTED),
            ("stripe", AttemptState.EXPIRED),
        ]
        assert len(paypal.orders) == 1

    def test_one_who_paid_on_the_page_they_left_pays_nothing_more(
        self, both: tuple[StripeServer, PayPalServer]
    ) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("stripe")
        stripe.pay(latest_attempt(buyer.order).session_id)
        answer = buyer.check_out("paypal")
        assert "/checkout/receipt/" in answer["Location"]
        assert (buyer.order.state, paypal.orders) == (OrderState.FULFILLED, {})

    def test_while_the_first_page_cannot_be_ended_no_other_begins(
        self, both: tuple[StripeServer, PayPalServer]
    ) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("stripe")
        for _time in range(2):
            stripe.fail("/expire$", DROPPED)
        assert buyer.check_out("paypal").status_code != 302
        assert not paypal.orders
        stripe.failures.clear()
        assert "paypal" in buyer.check_out("paypal")["Location"]

    @pytest.mark.parametrize("news", ["return", "notice", "sweep"])
    def test_an_approval_in_the_old_tab_takes_no_money(
        self, both: tuple[StripeServer, PayPalServer], news: str
    ) -> None:
        """The buyer leaves PayPal's page open, chooses Stripe, and approves in the old tab nevertheless."""
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        old = latest_attempt(buyer.order)
        buyer.check_out("stripe")
        paypal.approve(old.session_id)
        if news == "return":
            page = buyer.come_back(old).content.decode()
            assert "You weren’t charged there." in page
        elif news == "notice":
            post_notice(paypal, old.session_id, timezone.now())
        else:
            confirm_attempt(attempt_id=old.pk, now=timezone.now())
        assert (buyer.order.state, paypal.captures) == (OrderState.PENDING, {})
        stripe.pay(latest_attempt(buyer.order).session_id)
        buyer.come_back(latest_attempt(buyer.order))
        assert (buyer.order.state, paypal.captures) == (OrderState.FULFILLED, {})

    def test_an_approval_before_the_switch_is_ended_by_it(self, both: tuple[StripeServer, PayPalServer]) -> None:
        _stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        old = latest_attempt(buyer.order)
        paypal.approve(old.session_id)
        assert "stripe" in buyer.check_out("stripe")["Location"]
        old.refresh_from_db()
        assert (old.state, paypal.captures) == (AttemptState.EXPIRED, {})

    def test_while_paypal_takes_the_money_nothing_else_begins(self, both: tuple[StripeServer, PayPalServer]) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        old = latest_attempt(buyer.order)
        paypal.approve(old.session_id)
        paypal.fail("/capture$", DROPPED, after=True)
        with pytest.raises(PaymentFailed):
            confirm_attempt(attempt_id=old.pk, now=timezone.now())
        old.refresh_from_db()
        assert (old.state, old.capture_until is None) == (AttemptState.PROCESSING, False)
        answer = buyer.check_out("stripe")
        assert answer.status_code != 302
        assert stripe.sessions == {}
        list(check_unsettled_payments(now=timezone.now(), older_than=timedelta(0), dry_run=False))
        old.refresh_from_db()
        assert (old.state, old.capture_until, buyer.order.state) == (AttemptState.PAID, None, OrderState.FULFILLED)
        assert len(paypal.captures) == 1

    def test_one_whose_paypal_was_refused_pays_by_card(self, both: tuple[StripeServer, PayPalServer]) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        old = latest_attempt(buyer.order)
        paypal.approve(old.session_id)
        paypal.capturing[old.session_id] = "INSTRUMENT_DECLINED"
        page = buyer.come_back(old).content.decode()
        assert "Your payment was declined. You weren’t charged." in page
        assert buyer.order.state == OrderState.PENDING
        assert "stripe" in buyer.check_out("stripe")["Location"]
        stripe.pay(latest_attempt(buyer.order).session_id)
        buyer.come_back(latest_attempt(buyer.order))
        assert (buyer.order.state, paypal.captures) == (OrderState.FULFILLED, {})

    def test_one_who_leaves_paypal_is_told_that_nothing_was_charged(
        self, both: tuple[StripeServer, PayPalServer]
    ) -> None:
        _stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        attempt = latest_attempt(buyer.order)
        page = buyer.client.get(f"/payment/canceled/{attempt.reference}/", follow=True).content.decode()
        assert "You weren’t charged" in page
        assert 'value="paypal" checked' in page
        paypal.approve(attempt.session_id)  # and after that approves in a tab that stayed open
        buyer.come_back(attempt)
        assert (buyer.order.state, paypal.captures) == (OrderState.CANCELED, {})

    def test_one_who_approves_and_then_cancels_is_not_charged(self, both: tuple[StripeServer, PayPalServer]) -> None:
        _stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        attempt = latest_attempt(buyer.order)
        paypal.approve(attempt.session_id)
        page = buyer.client.get(f"/payment/canceled/{attempt.reference}/", follow=True).content.decode()
        assert "You weren’t charged" in page
        assert (buyer.order.state, paypal.captures) == (OrderState.CANCELED, {})
        post_notice(paypal, attempt.session_id, timezone.now())
        assert (buyer.order.state, paypal.captures) == (OrderState.CANCELED, {})

    def test_no_money_is_taken_once_the_hold_is_over(self, both: tuple[StripeServer, PayPalServer]) -> None:
        """The code or the seat may be someone else's by now, and the sweep is about to cancel the order."""
        _stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        attempt = latest_attempt(buyer.order)
        paypal.approve(attempt.session_id)
        Order.objects.update(hold_until=timezone.now() - timedelta(seconds=1))
        assert "You weren’t charged there." in buyer.come_back(attempt).content.decode()
        assert (buyer.order.state, paypal.captures) == (OrderState.PENDING, {})

    def test_an_answer_nobody_knows_opens_no_second_page(self, both: tuple[StripeServer, PayPalServer]) -> None:
        """PayPal says a word of tomorrow about the money: it may have moved."""
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        attempt = latest_attempt(buyer.order)
        paypal.approve(attempt.session_id)
        capture = {"id": "C1", "status": "TOMORROW", "amount": {"currency_code": "USD", "value": "200.00"}}
        told = {"id": attempt.session_id, "status": "COMPLETED"}
        paypal.fail("/capture$", 201, told | {"purchase_units": [{"payments": {"captures": [capture]}}]})
        assert "weren’t charged" not in buyer.come_back(attempt).content.decode()
        assert latest_attempt(buyer.order).state == AttemptState.PROCESSING
        assert buyer.check_out("stripe").status_code != 302
        assert stripe.sessions == {}

    def test_a_page_that_ended_nobody_knows_how_is_not_replaced(self, both: tuple[StripeServer, PayPalServer]) -> None:
        stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        paypal.orders[latest_attempt(buyer.order).session_id]["status"] = "TOMORROW"
        assert buyer.check_out("stripe").status_code != 302
        assert stripe.sessions == {}

    def test_a_claim_that_took_nothing_is_open_again(self, both: tuple[StripeServer, PayPalServer]) -> None:
        """PayPal wants the buyer back, and the process that read so died before it wrote it down."""
        _stripe, paypal = both
        buyer = Buyer()
        buyer.check_out("paypal")
        attempt = latest_attempt(buyer.order)
        paypal.orders[attempt.session_id]["status"] = "PAYER_ACTION_REQUIRED"
        now = timezone.now()
        PaymentAttempt.objects.update(state=AttemptState.PROCESSING, capture_until=now)
        confirm_attempt(attempt_id=attempt.pk, now=now - timedelta(seconds=1))
        attempt.refresh_from_db()
        assert attempt.state == AttemptState.PROCESSING
        confirm_attempt(attempt_id=attempt.pk, now=now)
        attempt.refresh_from_db()
        assert (attempt.state, attempt.capture_until) == (AttemptState.STARTED, None)


def test_a_refund_is_asked_for_where_its_payment_is(both: tuple[StripeServer, PayPalServer], settings: Any) -> None:
    """The notice comes to a host that has got an account of its own since."""
    _stripe, paypal = both
    buyer = Buyer()
    buyer.check_out("paypal")
    paypal.approve(latest_attempt(buyer.order).session_id)
    buyer.come_back(latest_attempt(buyer.order))
    refund = paypal.refund_on_the_site(latest_attempt(buyer.order).payment_id, "200.00")
    settings.ALLOWED_HOSTS = ["*"]
    keys = settings.PAYPAL_ACCOUNTS[""]
    settings.PAYPAL_ACCOUNTS = {"": keys, "two.shop.test": {**keys, "client_id": "another", "client_secret": "another"}}
    body = paypal.event("PAYMENT.CAPTURE.REFUNDED", refund)
    headers = {**paypal.sign(body), "Host": "two.shop.test"}
    Client().post("/payment/paypal/webhook/", body, content_type="application/json", headers=headers)
    process_notice(notice_id=GatewayNotice.objects.get().pk, now=timezone.now())
    assert buyer.order.state == OrderState.REFUNDED


def test_capturing_is_claimed_by_one(both: tuple[StripeServer, PayPalServer]) -> None:
    """The buyer's return while the notice's call is running asks for nothing twice."""
    _stripe, paypal = both
    buyer = Buyer()
    buyer.check_out("paypal")
    attempt = latest_attempt(buyer.order)
    paypal.approve(attempt.session_id)
    now = timezone.now()
    PaymentAttempt.objects.filter(pk=attempt.pk).update(
        state=AttemptState.PROCESSING, capture_until=now + timedelta(seconds=60)
    )
    page = buyer.come_back(attempt).content.decode()
    assert "confirm" in page
    assert paypal.captures == {}
    assert buyer.order.state == OrderState.PENDING
