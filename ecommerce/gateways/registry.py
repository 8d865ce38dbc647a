"""The gateways of this installation, as `PAYMENT_GATEWAYS` (mitxonline/settings/parts/payments.py) lists them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from ecommerce.gateways.base import PaymentGateway
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_host, current_shop

# What configures a gateway that is part of this code.
VARIABLES = {
    "stripe": "STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS",
    "paypal": "PAYPAL_CLIENT_ID, PAYPAL_CLIENT_SECRET, PAYPAL_WEBHOOK_IDS",
    "cybersource": "CYBERSOURCE_MERCHANT_ID, _PROFILE_ID, _ACCESS_KEY, _SECRET_KEY, _REST_KEY_ID, _REST_SECRET",
}

# Whose notices come to /payment/webhook/, which is older than the second gateway.
UNNAMED = "stripe"


@cache
def gateways() -> dict[str, PaymentGateway]:
    """Return the gateways of ``PAYMENT_GATEWAYS`` by name."""
    configured: list[PaymentGateway] = [import_string(path)() for path in settings.PAYMENT_GATEWAYS]
    return {gateway.name: gateway for gateway in configured}


def offered_gateways() -> dict[str, PaymentGateway]:
    """Return the gateways of new payments by name, in the order of the site's shop; all where it names none.

    One that has accounts for other hosts only isn't among them.
    """
    host, chosen = current_host(), current_shop().payment_processors
    configured = {name: gateway for name, gateway in gateways().items() if not host or _has_account(gateway, host)}
    return {name: configured[name] for name in chosen if name in configured} if chosen else configured


def _has_account(gateway: PaymentGateway, host: str) -> bool:
    return gateway.account_for(host) in (gateway.accounts() or ("",))


def gateways_for(total: Money) -> dict[str, PaymentGateway]:
    """Return the gateways that take this amount; all where none does, so that the refusal is about the amount."""
    offered = offered_gateways()
    return {name: gateway for name, gateway in offered.items() if gateway.can_take(total)} or offered


def describe_unusable(names: Iterable[str]) -> list[str]:
    """Say of each name why no one can pay with it: there is no such gateway, or it isn't configured."""
    sentences = []
    for name in names:
        if name in gateways():
            continue
        if name in VARIABLES:
            sentence = _("“%(name)s” isn’t configured. Set %(variables)s first; docs/payments.md explains them.")
            sentences.append(sentence % {"name": name, "variables": VARIABLES[name]})
        else:
            sentence = _("There is no payment gateway “%(name)s”. Configured are: %(names)s.")
            sentences.append(sentence % {"name": name, "names": ", ".join(gateways()) or _("none")})
    return sentences


@receiver(setting_changed)
def _forget_gateways(*, setting: str, **_kwargs: object) -> None:
    if setting == "PAYMENT_GATEWAYS":
        gateways.cache_clear()
