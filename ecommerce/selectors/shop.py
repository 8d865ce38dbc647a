"""The settings of the shop."""

from __future__ import annotations

from django.db import Error, transaction
from wagtail.models import Site

from ecommerce.models import ShopSettings
from ecommerce.models.shop_values import unseal
from mitxonline.kernel.shop import StoredShop
from mitxonline.kernel.text import split_list
from mitxonline.settings.parts.mail import sender_address


def shop_settings(site_id: int | None = None) -> ShopSettings:
    """Return the settings of a site, such as an order's, else of the request's, in a task of the default one.

    Unsaved defaults where it stores none. One query.
    """
    return ShopSettings.of_site(site_id)


def load_shops() -> tuple[StoredShop, ...] | None:
    """Return what each site stores, for `SHOPS`. One query.

    None where the database doesn't answer, or its tables aren't as this code needs them.
    """
    try:
        with transaction.atomic():  # an error here must not end the transaction of whoever asks
            return tuple(map(_read, Site.objects.select_related("shopsettings").order_by("pk")))
    except Error:
        return None


def _read(site: Site) -> StoredShop:
    shop: ShopSettings = getattr(site, "shopsettings", None) or ShopSettings()
    return StoredShop(
        site_id=site.pk,
        hostname=site.hostname.lower(),
        port=site.port,
        is_default=site.is_default_site,
        partner_name=shop.partner_name,
        partner_code=shop.partner_code,
        lms_url=shop.lms_url_root.rstrip("/"),
        lms_public_url=shop.lms_public_url_root.rstrip("/"),
        sso_client_id=shop.sso_client_id,
        sso_client_secret=unseal(shop.sso_client_secret),
        backend_client_id=shop.backend_service_client_id,
        backend_client_secret=unseal(shop.backend_service_client_secret),
        discovery_url=shop.discovery_api_url.rstrip("/"),
        payment_processors=tuple(split_list(shop.payment_processors)),
        sender=sender_address(shop.from_email) if shop.from_email else "",
        support_email=shop.support_email,
        support_url=shop.support_url,
        cookie_domain=shop.base_cookie_domain.removeprefix("."),
        currencies=tuple(split_list(shop.currencies)),
        order_number_prefix=shop.order_number_prefix,
    )
