"""A site’s brand for templates: name, mark, colors and links, from its settings in Wagtail."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404, HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import cached_property
from wagtail.models import Site

from cms.models import SiteBrand
from frontend.site.brand import Colors
from frontend.site.menus import Announcement, read_announcement, read_footer_links, read_links
from frontend.site.navigation import Navigation, build_navigation
from mitxonline.kernel.shop import current_site_id

if TYPE_CHECKING:
    from wagtail.images.models import Image


@dataclass(frozen=True)
class Brand:
    name: str
    tagline: str = ""
    about: str = ""
    support_email: str = ""
    copyright_owner: str = ""
    copyright_note: str = ""
    mark: Image | None = None
    colors: Colors = field(default_factory=Colors)
    navigation: Navigation = field(default_factory=build_navigation)
    announcement: Announcement | None = None

    @cached_property
    def stylesheet_url(self) -> str:
        """Empty if the site uses the default colors."""
        if self.colors.are_default:
            return ""
        return f"{reverse('brand-stylesheet')}?v={self.colors.digest}"

    @cached_property
    def icon_url(self) -> str:
        """The icon of the browser tab: the uploaded mark, else ours in the site’s colors."""
        if self.mark is not None:
            return str(self.mark.file.url)
        if self.colors.are_default:
            return static("frontend/mark.svg")
        return f"{reverse('brand-mark')}?v={self.colors.digest}"


def default_brand() -> Brand:
    """The brand of error pages, which may not query the database."""
    return Brand(name=settings.WAGTAIL_SITE_NAME, copyright_owner=settings.WAGTAIL_SITE_NAME)


def brand_of(request: HttpRequest) -> Brand:
    """The brand of the request’s site. Wagtail caches the settings on the request.

    Raises Http404 if no site has this host and none is the default.
    """
    if Site.find_for_request(request) is None:
        raise Http404
    return _build_brand(SiteBrand.for_request(request))


def mail_brand() -> Brand:
    """The brand of e-mails and their files, which have no request: that of the site whose shop is the current one."""
    site = Site.objects.filter(pk=current_site_id()).first()
    return _build_brand(SiteBrand.for_site(site)) if site else default_brand()


def _build_brand(row: SiteBrand) -> Brand:
    return Brand(
        name=row.brand_name,
        tagline=row.tagline,
        about=row.about,
        support_email=row.support_email,
        copyright_owner=row.copyright_owner,
        copyright_note=row.copyright_note,
        mark=row.mark,
        colors=Colors(brand=row.brand_color, accent=row.accent_color),
        navigation=build_navigation(
            for_organizations=row.page_url("organizations"),
            help=row.page_url("help"),
            refunds=row.page_url("refunds"),
            accessibility=row.page_url("accessibility"),
            terms=row.page_url("terms"),
            privacy=row.page_url("privacy"),
            support_email=row.support_email,
            in_menu=tuple(read_links(row, "pages_in_menu")),
            in_header=tuple(read_links(row, "header_links")),
            in_footer=tuple(read_footer_links(row)),
        ),
        announcement=read_announcement(row),
    )
