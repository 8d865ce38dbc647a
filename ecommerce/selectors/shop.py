"""The settings of the shop."""

from __future__ import annotations

from ecommerce.models import ShopSettings


def shop_settings() -> ShopSettings:
    """Return the settings of the default site, or unsaved defaults. One query."""
    return ShopSettings.current()
