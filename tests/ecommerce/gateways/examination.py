"""What the exam needs of each gateway: the gateway, and a hand on its other side.

A new gateway is added by its entry in ``BENCHES``. One that is called over HTTP is a ``RemoteBench`` with an entry in
``PATHS``, and is also examined for what it does when its other side is slow, broken or silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable
from uuid import UUID, uuid4

import pytest

from ecommerce.gateways.base import PaymentGateway, PaymentLine, PaymentRequest, Session
from ecommerce.gateways.cybersource.gateway import CyberSourceGateway
from ecommerce.gateways.cybersource.words import write_amount
from ecommerce.gateways.paypal.gateway import PayPalGateway
from ecommerce.gateways.sandbox import SandboxGateway
from ecommerce.gateways.stripe import StripeGateway, to_units
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from tests.factories import NOON
from tests.support.cybersource import CyberSourceServer, encode
from tests.support.double import HttpDouble
from tests.support.paypal import PayPalServer
from tests.support.stripe import StripeServer, sign

# Where each verb of a gateway that is called over HTTP goes, as a regular expression for "POST /path". A verb without a
# call is left out.
PATHS: Mapping[str, Mapping[str, str]] = {
    "stripe": {
        "start": "POST /v1/checkout/sessions$",
        "look_up": "GET /v1/checkout/sessions/",
        "refund": "POST /v1/refunds$",
    },
    "paypal": {
        "start": "POST /v2/checkout/orders$",
        "look_up": "GET /v2/checkout/orders/",
        "refund": "POST /v2/payments/captures/.*/refund$",
    },
    "cybersource": {"look_up": "POST /tss/v2/searches$", "refund": "POST /pts/v2/payments/.*/refunds$"},
}
REMOTE = list(PATHS)
CALLS = [(name, verb) for name, verbs in PATHS.items() for verb in verbs]
WITH_SESSIONS = [name for name, verb in CALLS if verb == "start"]
# Notices of the others carry their signature in the body.
WITH_SIGNED_HEADERS = ["stripe", "paypal"]


class Bench(Protocol):
    """A gateway on the bench, and what its buyers and banks do."""

    @property
    def gateway(self) -> PaymentGateway: ...

    def pay(self, session: Session) -> None:
        """The buyer pays, and the money arrives."""

    def pay_later(self, session: Session) -> None:
        """The buyer pays by a way that takes the bank days."""

    def bank_declines(self, session: Session) -> None:
        """The bank declines what ``pay_later`` began."""

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        """The notice that the gateway sends about the present state of a paid session, with its headers."""


@runtime_checkable
class RemoteBench(Bench, Protocol):
    """A gateway that is called over HTTP, with its double."""

    @property
    def server(self) -> HttpDouble: ...

    def agree(self, session: Session) -> None:
        """The buyer does their part on the payment page. Where we then have to take the money, it hasn't moved yet."""

    def refund_there(self, payment_id: str, amount: Money) -> None:
        """Staff refund on the gateway's own pages."""

    def dispute(self, payment_id: str) -> None:
        """The buyer disputes the payment."""

    def sessions_begun(self) -> int: ...

    def refunds_made(self) -> int: ...

    def payments_made(self) -> int: ...


@dataclass(slots=True)
class SandboxBench:
    gateway: SandboxGateway

    def pay(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="accept")

    def pay_later(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="later")

    def bank_declines(self, session: Session) -> None:
        self.gateway.answer(session=session, answer="decline")

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        return self.gateway.notice_body(reference=session.reference, answer="accept", total=session.total), {}


@dataclass(slots=True)
class StripeBench:
    gateway: StripeGateway
    server: StripeServer

    def pay(self, session: Session) -> None:
        self.server.pay(session.session_id)

    def agree(self, session: Session) -> None:
        self.server.pay_if_open(session.session_id)

    def pay_later(self, session: Session) -> None:
        self.server.pay_later(session.session_id)

    def bank_declines(self, session: Session) -> None:
        self.server.bank_says(session.session_id, yes=False)

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        body = self.server.event("checkout.session.completed", self.server.sessions[session.session_id])
        return body, sign(body)

    def refund_there(self, payment_id: str, amount: Money) -> None:
        self.server.refund_in_dashboard(payment_id, to_units(amount))

    def dispute(self, payment_id: str) -> None:
        self.server.dispute(payment_id)

    def sessions_begun(self) -> int:
        return len(self.server.sessions)

    def refunds_made(self) -> int:
        return len(self.server.refunds)

    def payments_made(self) -> int:
        return len(self.server.payments)


@dataclass(slots=True)
class PayPalBench:
    gateway: PayPalGateway
    server: PayPalServer

    def agree(self, session: Session) -> None:
        self.server.approve(session.session_id)

    def pay(self, session: Session) -> None:
        self.server.approve(session.session_id)
        self.gateway.capture(session)

    def pay_later(self, session: Session) -> None:
        self.server.capturing[session.session_id] = "PENDING"
        self.pay(session)

    def bank_declines(self, session: Session) -> None:
        self.server.bank_says(session.session_id, yes=False)

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        order = self.server.orders[session.session_id]
        payments = order["purchase_units"][0].get("payments")
        told = (
            ("PAYMENT.CAPTURE.COMPLETED", payments["captures"][0]) if payments else ("CHECKOUT.ORDER.APPROVED", order)
        )
        body = self.server.event(*told)
        return body, self.server.sign(body)

    def refund_there(self, payment_id: str, amount: Money) -> None:
        self.server.refund_on_the_site(payment_id, str(amount.amount))

    def dispute(self, payment_id: str) -> None:
        self.server.dispute(payment_id)

    def sessions_begun(self) -> int:
        return len(self.server.orders)

    def refunds_made(self) -> int:
        return len(self.server.refunds)

    def payments_made(self) -> int:
        return len(self.server.captures)


@dataclass(slots=True)
class CyberSourceBench:
    gateway: CyberSourceGateway
    server: CyberSourceServer
    answers: dict[str, dict[str, str]] = field(default_factory=dict)

    def pay(self, session: Session) -> None:
        self.answer(session, "ACCEPT")

    def agree(self, session: Session) -> None:
        self.pay(session)

    def pay_later(self, session: Session) -> None:
        self.answer(session, "REVIEW")

    def bank_declines(self, session: Session) -> None:
        self.server.review(session.session_id, accept=False)

    def notice(self, session: Session) -> tuple[bytes, Mapping[str, str]]:
        return encode(self.answers[session.session_id]), {}

    def answer(self, session: Session, decision: str) -> None:
        """Post our form to the payment page, as the buyer's browser does, and decide there."""
        request = a_request(session.total, reference=session.reference)
        form = self.gateway.make_form(request, session_id=session.session_id, signed_at=clock.now())
        self.server.open_page(dict(form.fields))
        self.answers[session.session_id] = self.server.decide(str(session.reference), decision)

    def refund_there(self, payment_id: str, amount: Money) -> None:
        self.server.refund_in_business_center(payment_id, write_amount(amount))

    def dispute(self, payment_id: str) -> None:
        self.server.charge_back(payment_id)

    def sessions_begun(self) -> int:
        return len(self.server.forms)

    def refunds_made(self) -> int:
        return len(self.server.refunds())

    def payments_made(self) -> int:
        return sum(each["kind"] == "payment" for each in self.server.transactions.values())


# The fixture that starts a gateway's double also makes it the shop's only gateway.
BENCHES: dict[str, Callable[[pytest.FixtureRequest], Bench]] = {
    "sandbox": lambda _request: SandboxBench(SandboxGateway()),
    "stripe": lambda request: StripeBench(StripeGateway(), request.getfixturevalue("stripe_api")),
    "paypal": lambda request: PayPalBench(PayPalGateway(), request.getfixturevalue("paypal_api")),
    "cybersource": lambda request: CyberSourceBench(CyberSourceGateway(), request.getfixturevalue("cybersource_api")),
}


def remote_bench(request: pytest.FixtureRequest, name: str) -> RemoteBench:
    bench = BENCHES[name](request)
    assert isinstance(bench, RemoteBench)
    return bench


def a_request(total: Money, *, reference: UUID | None = None, locale: str = "en") -> PaymentRequest:
    """A payment of one line."""
    reference = reference or uuid4()
    return PaymentRequest(
        reference=reference,
        order_number="TS-2026-7K3M9X2Q",
        total=total,
        lines=(PaymentLine(title="Programming with Python, properly", due=total),),
        buyer_email="amara@example.test",
        return_url=f"https://shop.example/payment/completed/{reference}/",
        cancel_url=f"https://shop.example/payment/canceled/{reference}/",
        idempotency_key=f"checkout:{reference}",
        locale=locale,
        expires_at=NOON + timedelta(minutes=30),
    )


def begun(gateway: PaymentGateway, total: Money) -> Session:
    """A session that was started for this total."""
    request = a_request(total)
    return session_of(request, gateway.start(request).session_id)


def session_of(request: PaymentRequest, session_id: str) -> Session:
    return Session(
        session_id=session_id,
        reference=request.reference,
        total=request.total,
        idempotency_key=f"expire:{request.reference}",
    )


def accounts_setting(settings: Any, gateway: PaymentGateway) -> dict[str, dict[str, Any]]:
    accounts: dict[str, dict[str, Any]] = getattr(settings, f"{gateway.name.upper()}_ACCOUNTS")
    return accounts
