"""The gateways of this installation, as `PAYMENT_GATEWAYS` (mitxonline/settings/parts/payments.py) lists them."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from ecommerce.gateways.base import PaymentGateway

# Whose notices come to /payment/webhook/, which is older than the second gateway.
UNNAMED = "stripe"


@cache
def gateways() -> dict[str, PaymentGateway]:
    """Return the gateways of ``PAYMENT_GATEWAYS`` by name; the first one is the default."""
    configured: list[PaymentGateway] = [import_string(path)() for path in settings.PAYMENT_GATEWAYS]
    return {gateway.name: gateway for gateway in configured}


def default_gateway() -> PaymentGateway | None:
    """Return the gateway of new payments, or None where none is configured."""
    return next(iter(gateways().values()), None)


@receiver(setting_changed)
def _forget_gateways(*, setting: str, **_kwargs: object) -> None:
    if setting == "PAYMENT_GATEWAYS":
        gateways.cache_clear()
