"""Links of header and footers. Pages that editors choose come from the site settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True, slots=True)
class Link:
    """A link; without a URL it isn’t shown."""

    text: StrPromise | str
    url: str


@dataclass(frozen=True, slots=True)
class ColumnLink:
    """A link that editors put under a heading of the footer."""

    column: str
    link: Link


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step of a breadcrumb trail. The page itself has no address."""

    title: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class FooterColumn:
    title: StrPromise | str
    links: tuple[Link, ...]


CATALOG = Link(_("Catalog"), "/catalog/")
PROGRAMS = Link(_("Programs"), "/programs/")
REDEEM = Link(_("Redeem a code"), "/enrollmentcode/")
CART = Link(_("Cart"), "/cart/")
DASHBOARD = Link(_("Dashboard"), "/dashboard/")
MANAGE_SEATS = Link(_("Manage seats"), "/manage-seats/")
GROUPS = Link(_("Group purchases"), "/group-purchases/")
ORDERS = Link(_("Orders and receipts"), "/orders/history/")
ACCOUNT = Link(_("Account settings"), "/account/")
SIGN_IN = Link(_("Sign in"), "/login/")
SIGN_OUT = Link(_("Sign out"), "/logout/")
REGISTER = Link(_("Create an account"), "/register/")


@dataclass(frozen=True)
class Navigation:
    """All links of header and footers."""

    main: tuple[Link, ...]
    footer: tuple[FooterColumn, ...]
    legal: tuple[Link, ...]
    slim: tuple[Link, ...]
    help: Link
    privacy: Link

    catalog: Link = CATALOG
    redeem: Link = REDEEM
    cart: Link = CART
    dashboard: Link = DASHBOARD
    orders: Link = ORDERS
    groups: Link = GROUPS
    account: Link = ACCOUNT
    sign_in: Link = SIGN_IN
    sign_out: Link = SIGN_OUT
    register: Link = REGISTER


def build_navigation(
    *,
    for_organizations: str = "",
    help: str = "",
    refunds: str = "",
    accessibility: str = "",
    terms: str = "",
    privacy: str = "",
    support_email: str = "",
    in_menu: tuple[Link, ...] = (CATALOG, PROGRAMS),
    in_header: tuple[Link, ...] = (),
    in_footer: tuple[ColumnLink, ...] = (),
) -> Navigation:
    """Build the links of a site. An empty URL is a page the site doesn’t have.

    `in_menu` are pages shown in menus; `in_header` and `in_footer` are the links that editors added.
    """
    organizations = Link(_("For organizations"), for_organizations)
    help_link = Link(_("Help"), help)
    support = Link(_("Contact support"), f"mailto:{support_email}" if support_email else "")
    refunds_link = Link(_("Refunds"), refunds)
    privacy_link = Link(_("Privacy"), privacy)
    legal = _visible_links(Link(_("Terms"), terms), privacy_link)
    columns = (
        FooterColumn(_("Learn"), (CATALOG, PROGRAMS, REDEEM)),
        FooterColumn(_("Organizations"), _visible_links(Link(_("Buy seats"), for_organizations), MANAGE_SEATS)),
        FooterColumn(
            _("Help"), _visible_links(help_link, support, refunds_link, Link(_("Accessibility"), accessibility))
        ),
    )
    return Navigation(
        main=_without_repeats(_visible_links(*in_menu, organizations, *in_header)),
        footer=_with_links_added(columns, in_footer),
        legal=legal,
        slim=_visible_links(help_link, refunds_link) + legal,
        help=help_link,
        privacy=privacy_link,
    )


def _visible_links(*links: Link) -> tuple[Link, ...]:
    return tuple(link for link in links if link.url)


def _without_repeats(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """Keep the first link to each address."""
    return tuple({link.url: link for link in reversed(links)}[url] for url in dict.fromkeys(link.url for link in links))


def _with_links_added(columns: tuple[FooterColumn, ...], added: tuple[ColumnLink, ...]) -> tuple[FooterColumn, ...]:
    """Put each link at the end of the column with its heading, or into a new column."""
    found = {str(column.title).casefold(): column for column in columns}
    for each in added:
        column = found.get(each.column.casefold(), FooterColumn(each.column, ()))
        found[each.column.casefold()] = FooterColumn(column.title, _without_repeats((*column.links, each.link)))
    return tuple(column for column in found.values() if column.links)
