"""Setting up a site and its shop in one step: the page tree, the address, and what the shop stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _
from wagtail.models import Site

from b2b.services.organizations.organizations import create_organization_index
from cms.models import HomePage
from cms.services.site_setup import STANDARD_PORTS, create_site, move_site
from ecommerce.models.shop_values import is_development
from ecommerce.services.shops import ShopChange, change_shop, find_value_problems
from frontend.site.site_setup import configure
from mitxonline.kernel.db import transaction_lock
from mitxonline.kernel.hosts import is_host, is_placeholder
from mitxonline.kernel.shop import Shop, forget_shops, shop_of_site

MOST_LETTERS = 255  # of a site's name, which its home page has too


class SetupRefused(Exception):
    """The site can't be set up like this; each sentence says what is wrong and what to do."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = sentences
        super().__init__("\n".join(sentences))


@dataclass(frozen=True, slots=True)
class SiteWish:
    """Which site is meant, and what it is to be called. ``domain`` may have a port: shop.test:8000."""

    site_id: int | None = None
    domain: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class SetUpSite:
    """The site, its shop as it is now, and the differences, with the site's own under “site …”."""

    site: Site
    shop: Shop
    changes: list[ShopChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@transaction.atomic
def set_up_site(wish: SiteWish, values: Mapping[str, str | int | None]) -> SetUpSite:
    """Create or change a site and its shop. Raises ShopRefused with all that is wrong, and changes nothing then."""
    transaction_lock("site-setup", 0)  # one run after another, so that the later one finds what the earlier one made
    notes = [] if HomePage.objects.exists() else configure(base_url=settings.SITE_BASE_URL)
    try:
        site, changes, more = _ensure_site(wish)
    except SetupRefused as refused:
        known = Site.objects.filter(pk=wish.site_id).first()
        shop = shop_of_site(known.pk) if known is not None else None
        raise ShopRefused(find_value_problems(values), shop=shop, sentences=refused.sentences) from refused
    problems: dict[str, list[str]] = {}
    try:
        changes += change_shop(site, values)
    except ValidationError as error:
        problems = error.message_dict
    forget_shops()
    if problems:
        raise ShopRefused(problems, shop=shop_of_site(site.pk))
    return SetUpSite(site, shop_of_site(site.pk), changes, notes + more)


class ShopRefused(Exception):
    """Values that a shop can't have, by their names, and what is wrong with the site itself.

    ``shop`` is the shop as it would be; None where there is no site for it.
    """

    def __init__(
        self, problems: Mapping[str, list[str]], *, shop: Shop | None = None, sentences: tuple[str, ...] = ()
    ) -> None:
        self.problems = problems
        self.shop = shop
        self.sentences = sentences
        super().__init__(str(problems))


def find_site(wish: SiteWish) -> Site | None:
    """Return the site that is meant: by its id, else by its domain. Without either it is the default one."""
    if wish.site_id is not None and (site := Site.objects.filter(pk=wish.site_id).first()) is not None:
        return site
    if wish.domain:
        return _find_by_domain(wish.domain)
    return Site.objects.filter(is_default_site=True).first() if wish.site_id is None else None


def _ensure_site(wish: SiteWish) -> tuple[Site, list[ShopChange], list[str]]:
    if len(wish.name) > MOST_LETTERS:
        raise SetupRefused(_("--site-name: at most %(n)d letters fit.") % {"n": MOST_LETTERS})
    site = find_site(wish)
    if site is None and not wish.domain:
        sentence = _("--site-id: there is no site %(id)d. Leave it out, and write --site-domain for a new site.")
        raise SetupRefused(sentence % {"id": wish.site_id})
    if site is None:
        hostname, port = split_domain(wish.domain)
        site, setup = create_site(hostname=hostname, port=port, name=wish.name)
        index = create_organization_index(site.root_page_id)
        notes = [*setup.changes, _("Created the page “%(title)s”.") % {"title": index.title}]
        return site, [ShopChange("site", "", f"{hostname}:{port}")], notes
    before = (site.hostname, site.port, site.site_name)
    hostname, port = split_domain(wish.domain, port=site.port) if wish.domain else before[:2]
    _refuse_taken(site, hostname, port)
    name = wish.name or site.site_name
    changes = []
    if (hostname, port) != before[:2]:
        changes.append(ShopChange("site_domain", f"{before[0]}:{before[1]}", f"{hostname}:{port}"))
    if name != before[2]:
        changes.append(ShopChange("site_name", before[2], name))
    if changes:
        move_site(site, hostname=hostname, port=port, name=name)
    return site, changes, []


def split_domain(domain: str, *, port: int | None = None) -> tuple[str, int]:
    """Return host and port. Raises SetupRefused for what isn't a domain, and for a placeholder."""
    if is_placeholder(domain, in_development=is_development()):
        raise SetupRefused(
            _("--site-domain: “%(domain)s” is a placeholder from a document. Replace it with your own.")
            % {"domain": domain}
        )
    try:
        parts = urlsplit(f"//{domain}")
        hostname, own_port = (parts.hostname or ""), parts.port
    except ValueError:
        hostname, own_port = "", None
    if not is_host(hostname) or parts.path or parts.username:
        sentence = _("--site-domain: “%(domain)s” isn’t a domain. Write the host alone: shop.your-school.edu.")
        raise SetupRefused(sentence % {"domain": domain})
    usual = STANDARD_PORTS.get(urlsplit(settings.SITE_BASE_URL).scheme, 443)
    return hostname, own_port or port or usual


def _find_by_domain(domain: str) -> Site | None:
    hostname, port = split_domain(domain)
    sites = list(Site.objects.filter(hostname__iexact=hostname))
    return next((site for site in sites if site.port == port), sites[0] if sites and ":" not in domain else None)


def _refuse_taken(site: Site, hostname: str, port: int) -> None:
    owner = Site.objects.filter(hostname__iexact=hostname, port=port).exclude(pk=site.pk).first()
    if owner is None:
        return
    sentence = _(
        "--site-domain: %(domain)s is the domain of site %(id)d (%(name)s). To change that site, write "
        "--site-id=%(id)d or leave --site-id out. To give its domain to site %(mine)d, give site %(id)d another one "
        "first."
    )
    names = {"domain": hostname, "id": owner.pk, "name": owner.site_name or owner.hostname, "mine": site.pk}
    raise SetupRefused(sentence % names)
