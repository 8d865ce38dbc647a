"""The gateways of this installation, as `PAYMENT_GATEWAYS` (mitxonline/settings/parts/payments.py) lists them."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from ecommerce.gateways.base import PaymentGateway
from mitxonline.kernel.money import Money

# Whose notices come to /payment/webhook/, which is older than the second gateway.
UNNAMED = "stripe"


@cache
def gateways() -> dict[str, PaymentGateway]:
    """Return the gateways of ``PAYMENT_GATEWAYS`` by name."""
    configured: list[PaymentGateway] = [import_string(path)() for path in settings.PAYMENT_GATEWAYS]
    return {gateway.name: gateway for gateway in configured}


def offered_gateways() -> dict[str, PaymentGateway]:
    """Return the gateways of new payments by name, in the order in which a buyer reads them."""
    return gateways()


def gateways_for(total: Money) -> dict[str, PaymentGateway]:
    """Return the gateways that take this amount; all where none does, so that the refusal is about the amount."""
    offered = offered_gateways()
    return {name: gateway for name, gateway in offered.items() if gateway.can_take(total)} or offered


@receiver(setting_changed)
def _forget_gateways(*, setting: str, **_kwargs: object) -> None:
    if setting == "PAYMENT_GATEWAYS":
        gateways.cache_clear()
