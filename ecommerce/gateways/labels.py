"""The names by which people know the gateways, also those whose payments are older than today's settings."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class GatewayLabel:
    """A gateway's name, and what the buyer reads beside it. ``mark`` is "card" for a picture of one, else a word."""

    name: str | Promise
    pays_with: str | Promise
    mark: str | Promise


LABELS = {
    "stripe": GatewayLabel(name="Stripe", pays_with=_("Card and the methods your country uses"), mark="card"),
    "paypal": GatewayLabel(name="PayPal", pays_with=_("Your PayPal account"), mark="PayPal"),
    "cybersource": GatewayLabel(name="CyberSource", pays_with=_("Credit or debit card"), mark="card"),
    "sandbox": GatewayLabel(
        name=_("Sandbox (no real payment)"), pays_with=_("Choose how the payment ends"), mark=_("Test")
    ),
}


def label_of(gateway: str) -> GatewayLabel:
    return LABELS.get(gateway) or GatewayLabel(name=gateway.replace("_", " ").title(), pays_with="", mark="")


def gateway_name(gateway: str) -> str:
    """Return the name by which people know a gateway; empty for none."""
    return str(label_of(gateway).name) if gateway else ""
