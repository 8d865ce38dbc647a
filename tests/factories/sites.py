"""A second site in the installation, with pages and a shop of its own."""

from __future__ import annotations

from typing import Any

from wagtail.models import Page, Site

from cms.models import CatalogPage, CourseIndexPage, HomePage, ProductIndexPage, ProgramIndexPage
from ecommerce.models import ShopSettings
from tests.factories.pages import make_home

SECOND_HOST = "two.shop.test"


def default_site() -> Site:
    site: Site = Site.objects.get(is_default_site=True)
    return site


def make_second_site(hostname: str = SECOND_HOST, **shop: Any) -> Site:
    """Make a site beside the default one. Make pages of the default site first: folders are found by their type."""
    make_home()
    home = HomePage(title="Second home", slug="second", hero_title="The second shop.")
    Page.objects.get(depth=1).add_child(instance=home)
    for page in (
        CatalogPage(title="Catalog", slug="catalog", show_in_menus=True),
        CourseIndexPage(title="Course pages", slug="courses"),
        ProgramIndexPage(title="Programs", slug="programs", show_in_menus=True),
        ProductIndexPage(title="Product pages", slug="products"),
    ):
        home.add_child(instance=page)
    site = Site.objects.create(hostname=hostname, port=80, site_name="Second school", root_page=home)
    ShopSettings.objects.create(site=site, **{"partner_code": "TWO", "partner_name": "Second school", **shop})
    return site
