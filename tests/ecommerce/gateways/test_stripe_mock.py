"""Our requests against Stripe's own mock server, which refuses unknown parameters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from ecommerce.gateways.base import PaymentFailed, PaymentOutcome, RefundInstruction, Session
from ecommerce.gateways.stripe import StripeGateway
from mitxonline.kernel.money import Money
from tests.ecommerce.gateways.examination import a_request
from tests.factories import NOON

pytestmark = [pytest.mark.needs("go"), pytest.mark.timeout(900)]


@pytest.fixture
def gateway(stripe_mock: str, settings: Any) -> StripeGateway:
    settings.STRIPE_ACCOUNTS = {"": {"secret_key": "sk_test_mock", "webhook_secrets": ["whsec_mock"]}}
    settings.STRIPE_API_BASE = stripe_mock
    settings.STRIPE_RETRIES = 0
    return StripeGateway()


def session(session_id: str = "cs_test_1") -> Session:
    return Session(session_id=session_id, reference=uuid4(), total=Money("10", "USD"), idempotency_key="expire:1")


@pytest.mark.parametrize("total", [Money("249.00", "USD"), Money("1500", "JPY"), Money("12.340", "KWD")], ids=str)
def test_a_session_is_begun_as_stripe_specifies(gateway: StripeGateway, total: Money) -> None:
    begun = gateway.start(a_request(total))
    assert begun.session_id
    assert begun.url


def test_a_session_is_looked_up_and_ended_as_stripe_specifies(gateway: StripeGateway) -> None:
    assert gateway.look_up(session()).outcome in set(PaymentOutcome)
    assert gateway.expire(session()).outcome is PaymentOutcome.EXPIRED


def test_money_is_given_back_as_stripe_specifies(gateway: StripeGateway) -> None:
    request = RefundInstruction(
        payment_id="pi_1", amount=Money("10", "USD"), idempotency_key="refund:1", reason="", reference="1"
    )
    made = gateway.refund(request)
    assert gateway.look_up_refund(request, made.refund_id) is not None
    assert gateway.refunds_of("pi_1", "")
    assert gateway.disputes_of("pi_1", "")


def test_movements_are_listed_as_stripe_specifies(gateway: StripeGateway) -> None:
    day = timedelta(days=1)
    (found, *_more) = gateway.movements("", since=NOON, until=NOON + day)
    assert found.movement_id


def test_the_mock_does_judge(gateway: StripeGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what Stripe doesn't know is refused."""
    monkeypatch.setattr("ecommerce.gateways.stripe._session_params", lambda payment: {"mode": "no such mode"})
    with pytest.raises(PaymentFailed) as failed:
        gateway.start(a_request(Money("10", "USD")))
    assert not failed.value.retriable
