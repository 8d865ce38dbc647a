"""URLs of organizations and orders."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import reverse

from b2b.models import OrganizationPage


def organization_url(organization: OrganizationPage) -> str:
    return f"/organizations/{organization.slug}/"


def order_url(number: str) -> str:
    """The buyer’s page of an order; also where its payment page sends them back to."""
    return f"{reverse('receipt')}?{urlencode({'order_number': number})}"
