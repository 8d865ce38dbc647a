"""What the shop says of itself."""

from __future__ import annotations

from ecommerce.models import ShopSettings


def shop_settings() -> ShopSettings:
    """The default site's shop settings, or what holds where no one has saved any; one query."""
    return ShopSettings.objects.filter(site__is_default_site=True).first() or ShopSettings()
