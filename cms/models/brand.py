"""The site's name, colors and footer links. Nothing else may hard-code them."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.images.models import Image
from wagtail.models import Page, Site

from cms.models.menus import FooterLink, HeaderLink, select_announcement, select_links, select_pages_in_menu
from mitxonline.kernel.color import (
    ACCENT_INK,
    DEEP,
    SIGN_CONTRAST,
    TEXT_CONTRAST,
    contrast,
    is_hex_color,
    text_color_on,
)
from mitxonline.staff.settings import make_setting_form

LINKS = ("organizations_page", "help_page", "refunds_page", "accessibility_page", "terms_page", "privacy_page")


def validate_color(color: str) -> None:
    if not is_hex_color(color):
        raise ValidationError(_("“%(color)s” isn’t a color. Write it like #00694F."), params={"color": color})


def validate_carries_text(color: str) -> None:
    """Raise ValidationError if neither white nor dark text has a contrast of 4.5:1 on this color."""
    if is_hex_color(color) and text_color_on(color) is None:
        raise ValidationError(
            _(
                "Neither white nor dark text is readable on %(color)s (it needs a contrast of 4.5:1). "
                "Choose a darker or lighter shade."
            ),
            params={"color": color},
        )


def validate_accent(color: str) -> None:
    """Raise ValidationError if dark text isn't readable on this color, or the color isn't visible on dark areas."""
    if is_hex_color(color) and (contrast(color, ACCENT_INK) < TEXT_CONTRAST or contrast(color, DEEP) < SIGN_CONTRAST):
        raise ValidationError(
            _("Dark text isn’t readable on %(color)s. Choose a lighter shade."), params={"color": color}
        )


def _page_link(verbose_name: Any) -> models.ForeignKey[Page | None, Page | None]:
    return models.ForeignKey(
        Page, verbose_name=verbose_name, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )


@register_setting(icon="cog", order=100)
class SiteBrand(BaseSiteSetting):
    brand_name = models.CharField(_("name"), max_length=60, default="Tessera")
    tagline = models.CharField(_("tagline"), max_length=120, blank=True, default="Courses that fit together.")
    about = models.CharField(
        _("about"),
        max_length=255,
        blank=True,
        default="Courses that fit together. Learn one piece at a time, on your own or with your organization.",
        help_text=_("A sentence or two for the footer."),
    )
    mark = models.ForeignKey(
        Image,
        verbose_name=_("mark"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("A square picture. Leave empty for the three tiles and the golden disc."),
    )
    brand_color = models.CharField(
        _("brand color"), max_length=7, default="#00694F", validators=[validate_color, validate_carries_text]
    )
    accent_color = models.CharField(
        _("accent color"), max_length=7, default="#FFB224", validators=[validate_color, validate_accent]
    )
    support_email = models.EmailField(_("support address"), blank=True)
    copyright_name = models.CharField(_("name in the copyright line"), max_length=120, blank=True)
    copyright_note = models.CharField(
        _("after the copyright line"), max_length=120, blank=True, help_text=_("For example “A demo brand.”")
    )
    social_image = models.ForeignKey(
        Image,
        verbose_name=_("picture for sharing"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("1200 × 630 pixels. Used where a page has no picture of its own."),
    )
    organizations_page = _page_link(_("for organizations"))
    help_page = _page_link(_("help"))
    refunds_page = _page_link(_("refunds"))
    accessibility_page = _page_link(_("accessibility"))
    terms_page = _page_link(_("terms"))
    privacy_page = _page_link(_("privacy"))

    # Wagtail loads the setting once per request; this loads what it refers to in the same query.
    select_related = ["mark", "social_image", *LINKS]

    panels = [
        MultiFieldPanel(
            [
                FieldPanel("brand_name"),
                FieldPanel("tagline"),
                FieldPanel("about"),
                FieldPanel("mark"),
                FieldPanel("social_image"),
            ],
            heading=_("Name and mark"),
        ),
        MultiFieldPanel([FieldPanel("brand_color"), FieldPanel("accent_color")], heading=_("Colors")),
        MultiFieldPanel(
            [FieldPanel("support_email"), FieldPanel("copyright_name"), FieldPanel("copyright_note")],
            heading=_("Contact and copyright"),
        ),
        MultiFieldPanel([FieldPanel(name) for name in LINKS], heading=_("Pages in header and footer")),
    ]

    edit_handler = make_setting_form(panels)

    class Meta:
        verbose_name = _("brand")
        verbose_name_plural = _("brands")

    @classmethod
    def base_queryset(cls) -> QuerySet[SiteBrand]:
        """Load menus and announcement along, because every page shows them."""
        brands: QuerySet[SiteBrand] = super().base_queryset()
        annotated: QuerySet[SiteBrand] = brands.annotate(
            root_url_path=F("site__root_page__url_path"),
            pages_in_menu=ArraySubquery(select_pages_in_menu("site__root_page")),
            header_links=ArraySubquery(select_links(HeaderLink, "site")),
            footer_links=ArraySubquery(select_links(FooterLink, "site")),
            announcement=select_announcement("site"),
        )
        return annotated

    @classmethod
    def for_site(cls, site: Site | None) -> SiteBrand:
        brand: SiteBrand = super().for_site(site)
        # One that was just created has none of what the query adds.
        return brand if hasattr(brand, "pages_in_menu") else cls.base_queryset().get(pk=brand.pk)

    def page_url(self, name: str, request: HttpRequest | None = None) -> str:
        """Return the URL of ``<name>_page``, or "" if there is none or it isn't live. Makes no query."""
        page: Page | None = getattr(self, f"{name}_page")
        if page is None or not page.live:
            return ""
        return page.get_url(request or getattr(self, "_request", None)) or ""

    @property
    def copyright_owner(self) -> str:
        return self.copyright_name or self.brand_name
