"""Setting the site up: its tree of pages, its address, its brand.

Made once and then the editors': what is there is left as it is. Only the address follows the settings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.db import transaction
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
    """What was made or changed, as sentences for whoever ran it."""

    changes: list[str] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        """Remember one change."""
        self.changes.append(sentence)


def configure_site(*, base_url: str) -> SiteSetup:
    """Make what the site lacks: home page, catalog, folders, plain pages, brand; set the address.

    A second run changes nothing. Plain pages are made together with the home page only, so that one an editor deleted
    stays deleted.
    """
    setup = SiteSetup()
    with transaction.atomic():
        transaction_lock("site-setup", 0)
        home, is_new = ensure_home(setup)
        site = ensure_site(home, base_url=base_url, setup=setup)
        for page in _structure():
            ensure_child(home, page, setup)
        plain = {page.slug: ensure_child(home, page, setup) for page in _plain_pages()} if is_new else {}
        if is_new:
            _fill_home(home, plain)
        ensure_brand(site, plain, setup)
    return setup


def ensure_home(setup: SiteSetup) -> tuple[HomePage, bool]:
    """The home page, made under the tree's root where there is none; whether it is new."""
    home = HomePage.objects.order_by("path").first()
    if home is not None:
        return home, False
    root = Page.objects.get(depth=1)
    # Wagtail's own first page has the slug "home"; it goes once the site points at ours.
    slug = "home" if not Page.objects.child_of(root).filter(slug="home").exists() else "start"
    home = HomePage(title=_("Home"), slug=slug, hero_title=str(HERO_TITLE), hero_text=str(HERO_TEXT), live=False)
    root.add_child(instance=home)
    _publish(home)
    setup.note(_("Made the home page."))
    return home, True


def ensure_site(home: HomePage, *, base_url: str, setup: SiteSetup) -> Site:
    """The default site, at the address of the settings; it keeps a home page someone chose for it."""
    address = urlsplit(base_url)
    hostname, port = address.hostname or "localhost", address.port or STANDARD_PORTS.get(address.scheme, 80)
    site = Site.objects.filter(is_default_site=True).first() or Site(is_default_site=True)
    if site.root_page_id is None or not HomePage.objects.filter(pk=site.root_page_id).exists():
        site.root_page = home
        setup.note(_("The site starts at the home page."))
    if (site.hostname, site.port) != (hostname, port):
        site.hostname, site.port = hostname, port
        setup.note(_("The site is at %(address)s.") % {"address": base_url})
    site.save()
    _drop_welcome_page(setup)
    return site


def ensure_child(home: HomePage, page: P, setup: SiteSetup) -> P:
    """The page of this type (of a plain page: with this slug) under the home page, made where it is missing."""
    model = type(page)
    same = model.objects.child_of(home)
    if isinstance(page, ContentPage):
        same = same.filter(slug=page.slug)
    found: P | None = same.first()
    if found is not None:
        return found
    home.add_child(instance=page)
    _publish(page)
    setup.note(_("Made the page “%(title)s”.") % {"title": page.title})
    return page


def ensure_brand(site: Site, plain: dict[str, ContentPage], setup: SiteSetup) -> SiteBrand:
    """The site's brand; a new one links to the plain pages that were made."""
    found: SiteBrand | None = SiteBrand.objects.filter(site=site).first()
    if found is not None:
        return found
    links = {page.link: plain[page.slug] for page in PAGES if page.link and page.slug in plain}
    setup.note(_("Made the brand settings."))
    brand: SiteBrand = SiteBrand.objects.create(site=site, **links)
    return brand


def _structure() -> list[Page]:
    """The pages others' addresses rely on."""
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


def _plain_pages() -> list[ContentPage]:
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


def _fill_home(home: HomePage, plain: dict[str, Any]) -> None:
    """Give a new home page its parts, now that there is something to lead to."""
    organizations = plain.get("for-organizations")
    home.body = json.dumps(home_body(organizations.pk if organizations else None))
    _publish(home)


def _drop_welcome_page(setup: SiteSetup) -> None:
    """Wagtail's own first page says nothing to visitors; gone, unless someone made something of it."""
    welcome = Page.objects.filter(depth=2, title=WELCOME, numchild=0, content_type__model="page").first()
    if welcome is not None:
        welcome.delete()
        setup.note(_("Removed Wagtail’s welcome page."))


def _publish(page: Page) -> None:
    page.save_revision(log_action=True).publish(log_action=True)
