"""Sets up the page tree, the site's address and the brand.

What exists is left alone, as it belongs to the editors. Only the address follows the settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TypeVar
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _
from wagtail.models import Page, Site

from cms.models import (
    CatalogPage,
    ContentPage,
    CourseIndexPage,
    HomePage,
    ProductIndexPage,
    ProgramIndexPage,
    SiteBrand,
)
from cms.services.starting_content import HERO_TEXT, HERO_TITLE, PAGES, home_body
from mitxonline.kernel.db import transaction_lock

WELCOME = "Welcome to your new Wagtail site!"
STANDARD_PORTS = {"http": 80, "https": 443}

P = TypeVar("P", bound=Page)


@dataclass
class SiteSetup:
    """What a setup changed, as sentences for the operator."""

    changes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        self.changes.append(sentence)


def configure_site(*, base_url: str) -> SiteSetup:
    """Create missing pages and the brand, and set the address. A second run changes nothing.

    Content pages are created only together with the home page, so that a page an editor deleted stays deleted.
    """
    setup = SiteSetup()
    with transaction.atomic():
        transaction_lock("site-setup", 0)
        home, is_new = ensure_home(setup)
        site = ensure_site(home, base_url=base_url, setup=setup)
        for page in _index_pages():
            ensure_child(home, page, setup)
        content_pages: dict[str, ContentPage] = {}
        if is_new:
            content_pages = {page.slug: ensure_child(home, page, setup) for page in _content_pages()}
            _fill_home(home, content_pages["for-organizations"])
        ensure_brand(site, content_pages, setup)
    return setup


def create_site(*, hostname: str, port: int, name: str) -> tuple[Site, SiteSetup]:
    """Create another site beside the first, with pages and a brand of its own."""
    setup = SiteSetup()
    with transaction.atomic():
        transaction_lock("site-setup", 0)
        home = _create_home(slug=slugify(hostname.replace(".", "-")), title=name or hostname)
        setup.note(_("Created the home page."))
        site = Site.objects.create(hostname=hostname, port=port, site_name=name, root_page=home)
        for page in _index_pages():
            ensure_child(home, page, setup)
        content_pages = {page.slug: ensure_child(home, page, setup) for page in _content_pages()}
        _fill_home(home, content_pages["for-organizations"])
        brand = ensure_brand(site, content_pages, setup)
        if name:
            SiteBrand.objects.filter(pk=brand.pk).update(brand_name=name[:60])
    return site, setup


def move_site(site: Site, *, hostname: str, port: int, name: str) -> None:
    """Set a site's address and name."""
    site.hostname, site.port, site.site_name = hostname, port, name
    site.save()


def ensure_home(setup: SiteSetup) -> tuple[HomePage, bool]:
    """Return the home page and whether it is new."""
    home = HomePage.objects.order_by("path").first()
    if home is not None:
        return home, False
    root = Page.objects.get(depth=1)
    # Wagtail's welcome page has the slug "home". It is deleted once the site points to our page.
    slug = "home" if not Page.objects.child_of(root).filter(slug="home").exists() else "start"
    home = _create_home(slug=slug, title=_("Home"))
    setup.note(_("Created the home page."))
    return home, True


def _create_home(*, slug: str, title: str) -> HomePage:
    root = Page.objects.get(depth=1)
    taken = set(Page.objects.child_of(root).values_list("slug", flat=True))
    free = next(each for each in chain([slug], (f"{slug}-{n}" for n in count(2))) if each not in taken)
    home = HomePage(title=title, slug=free, hero_title=str(HERO_TITLE), hero_text=str(HERO_TEXT), live=False)
    root.add_child(instance=home)
    _publish(home)
    return home


def ensure_site(home: HomePage, *, base_url: str, setup: SiteSetup) -> Site:
    """Set the default site's address, and its home page unless someone chose another one."""
    address = urlsplit(base_url)
    hostname, port = address.hostname or "localhost", address.port or STANDARD_PORTS.get(address.scheme, 80)
    site = Site.objects.filter(is_default_site=True).first() or Site(is_default_site=True)
    if site.root_page_id is None or not HomePage.objects.filter(pk=site.root_page_id).exists():
        site.root_page = home
        setup.note(_("Set the site’s home page."))
    if (site.hostname, site.port) != (hostname, port):
        site.hostname, site.port = hostname, port
        setup.note(_("Set the site’s address to %(address)s.") % {"address": base_url})
    site.save()
    _delete_welcome_page(setup)
    return site


def ensure_child(home: HomePage, page: P, setup: SiteSetup) -> P:
    """Return the page of this type under the home page (for content pages: with this slug), or publish this one."""
    siblings = type(page).objects.child_of(home)
    if isinstance(page, ContentPage):
        siblings = siblings.filter(slug=page.slug)
    existing: P | None = siblings.first()
    if existing is not None:
        return existing
    home.add_child(instance=page)
    _publish(page)
    setup.note(_("Created the page “%(title)s”.") % {"title": page.title})
    return page


def ensure_brand(site: Site, content_pages: dict[str, ContentPage], setup: SiteSetup) -> SiteBrand:
    """Return the site's brand. A new one links to the content pages."""
    existing: SiteBrand | None = SiteBrand.objects.filter(site=site).first()
    if existing is not None:
        return existing
    links = {page.link: content_pages[page.slug] for page in PAGES if page.link and page.slug in content_pages}
    setup.note(_("Created the brand settings."))
    brand: SiteBrand = SiteBrand.objects.create(site=site, **links)
    return brand


def _index_pages() -> list[Page]:
    """Pages whose slugs are part of other pages' addresses."""
    return [
        CatalogPage(title=_("Catalog"), slug="catalog", show_in_menus=True, live=False),
        CourseIndexPage(title=_("Course pages"), slug="courses", live=False),
        ProgramIndexPage(
            title=_("Programs"),
            slug="programs",
            introduction=_("Courses that build on each other, at one price."),
            show_in_menus=True,
            live=False,
        ),
        ProductIndexPage(title=_("Product pages"), slug="products", live=False),
    ]


def _content_pages() -> list[ContentPage]:
    return [
        ContentPage(
            title=str(page.title),
            slug=page.slug,
            introduction=str(page.introduction),
            body=json.dumps(page.body),
            live=False,
        )
        for page in PAGES
    ]


def _fill_home(home: HomePage, organizations_page: ContentPage) -> None:
    home.body = json.dumps(home_body(organizations_page.pk))
    _publish(home)


def _delete_welcome_page(setup: SiteSetup) -> None:
    """Delete the page that Wagtail creates, unless someone has changed its title or added pages to it."""
    welcome = Page.objects.filter(depth=2, title=WELCOME, numchild=0, content_type__model="page").first()
    if welcome is not None:
        welcome.delete()
        setup.note(_("Deleted Wagtail’s welcome page."))


def _publish(page: Page) -> None:
    page.save_revision(log_action=True).publish(log_action=True)
