"""Who the site says it is: name, mark and colors from the site settings, as templates use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.functional import cached_property
from wagtail.models import Site

from cms.models import SiteBrand
from frontend.site.brand import Colors
from frontend.site.navigation import Places, places

if TYPE_CHECKING:
    from wagtail.images.models import Image


@dataclass(frozen=True)
class Brand:
    """The brand of one site."""

    name: str
    tagline: str = ""
    about: str = ""
    support_email: str = ""
    copyright_owner: str = ""
    copyright_note: str = ""
    mark: Image | None = None
    colors: Colors = field(default_factory=Colors)
    places: Places = field(default_factory=places)

    @cached_property
    def stylesheet_url(self) -> str:
        """The address of the site's own colors; empty while they are the default ones."""
        if self.colors.are_default:
            return ""
        return f"{reverse('brand-stylesheet')}?v={self.colors.digest}"

    @cached_property
    def icon_url(self) -> str:
        """The address of the sign in a browser's tab: the mark that was uploaded, else ours in the site's colors."""
        if self.mark is not None:
            return str(self.mark.file.url)
        if self.colors.are_default:
            return static("frontend/mark.svg")
        return f"{reverse('brand-mark')}?v={self.colors.digest}"


def default_brand() -> Brand:
    """The brand of error pages that may not ask the database."""
    return Brand(name=settings.WAGTAIL_SITE_NAME, copyright_owner=settings.WAGTAIL_SITE_NAME)


def brand_of(request: HttpRequest) -> Brand:
    """The brand of the site this request came to; Wagtail keeps the settings on the request."""
    return _as_chosen(SiteBrand.for_request(request))


def mail_brand() -> Brand:
    """The brand of mails, which belong to no request: the default site's."""
    site = Site.objects.filter(is_default_site=True).first()
    return _as_chosen(SiteBrand.for_site(site)) if site else default_brand()


def _as_chosen(chosen: SiteBrand) -> Brand:
    return Brand(
        name=chosen.brand_name,
        tagline=chosen.tagline,
        about=chosen.about,
        support_email=chosen.support_email,
        copyright_owner=chosen.copyright_owner,
        copyright_note=chosen.copyright_note,
        mark=chosen.mark,
        colors=Colors(brand=chosen.brand_color, accent=chosen.accent_color),
        places=places(
            for_organizations=chosen.organizations_url,
            help=chosen.help_url,
            refunds=chosen.refunds_url,
            accessibility=chosen.accessibility_url,
            terms=chosen.terms_url,
            privacy=chosen.privacy_url,
            support_email=chosen.support_email,
        ),
    )
