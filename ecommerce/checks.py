"""System checks of what operators enter in the admin."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError

from ecommerce.models import Product
from ecommerce.selectors.shop import shop_settings


def check_seller(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that receipts of a shop that sells something name the seller’s address, as most countries require."""
    try:
        has_address = bool(shop_settings().seller_address.strip())
        is_complete = has_address or not Product.objects.active().filter(price__gt=0).exists()
    except DatabaseError:  # no server, or not migrated yet: other commands say so
        return []
    if is_complete:
        return []
    hint = "Enter it in the Wagtail admin: Settings, Shop, “Seller’s address”."
    return [Warning("Receipts have no address of the seller.", hint=hint, id="ecommerce.W003")]
