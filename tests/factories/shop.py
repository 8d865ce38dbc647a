"""The settings of the shop."""

from __future__ import annotations

from wagtail.models import Site

from ecommerce.enums import OwnedCourses
from ecommerce.models import ShopSettings


def set_policy(policy: OwnedCourses) -> None:
    """Set what a program costs people who have some of its courses."""
    site = Site.objects.get(is_default_site=True)
    ShopSettings.objects.update_or_create(site=site, defaults={"owned_courses": policy})
