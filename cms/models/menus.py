"""What editors put into header and footer, and the announcement above every page."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils.translation import gettext_lazy as _
from modelcluster.fields import ParentalKey
from modelcluster.models import ClusterableModel
from wagtail.admin.panels import FieldPanel, FieldRowPanel, InlinePanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting, register_setting
from wagtail.models import Orderable, Page

from cms.models.base import PublicPageQuerySet
from mitxonline.staff.settings import make_setting_form

ADDRESS_STARTS = ("https://", "http://", "mailto:")


def validate_link_address(address: str) -> None:
    is_on_this_site = address.startswith("/") and address[1:2] not in {"/", "\\"}  # browsers read both alike
    if not is_on_this_site and not address.startswith(ADDRESS_STARTS):
        raise ValidationError(_("Start with https://, mailto: or, for an address on this site, with /."))


def _page_key() -> models.ForeignKey[Page | None, Page | None]:
    return models.ForeignKey(
        Page, verbose_name=_("page"), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )


def _address_field() -> models.CharField[str, str]:
    return models.CharField(_("or address"), max_length=500, blank=True, validators=[validate_link_address])


@register_setting(icon="list-ul", order=90)
class SiteMenus(BaseSiteSetting, ClusterableModel):
    announcement = models.CharField(
        _("text"), max_length=200, blank=True, help_text=_("One sentence. Leave empty for no announcement.")
    )
    announcement_link = models.CharField(
        _("link text"), max_length=60, blank=True, help_text=_("For example “See what’s new”.")
    )
    announcement_page = _page_key()
    announcement_address = _address_field()
    announcement_from = models.DateField(_("first day"), null=True, blank=True)
    announcement_until = models.DateField(
        _("last day"), null=True, blank=True, help_text=_("The announcement is shown through this day.")
    )
    can_dismiss_announcement = models.BooleanField(
        _("visitors can dismiss it"), default=True, help_text=_("It stays away for them until you change its text.")
    )

    panels = [
        MultiFieldPanel(
            [
                FieldPanel("announcement"),
                FieldPanel("announcement_link"),
                FieldPanel("announcement_page"),
                FieldPanel("announcement_address"),
                FieldRowPanel([FieldPanel("announcement_from"), FieldPanel("announcement_until")]),
                FieldPanel("can_dismiss_announcement"),
            ],
            heading=_("Announcement above every page"),
        ),
        InlinePanel(
            "header_links",
            heading=_("More links in the header"),
            label=_("Link"),
            help_text=_(
                "Pages right under the home page get a link with “Show in menus” on their Promote tab, in the order "
                "of the page list. Add other links here."
            ),
        ),
        InlinePanel("footer_links", heading=_("More links in the footer"), label=_("Link")),
    ]

    edit_handler = make_setting_form(panels)

    class Meta:
        verbose_name = _("menus and announcement")
        verbose_name_plural = _("menus and announcements")

    def clean(self) -> None:
        super().clean()
        first, last = self.announcement_from, self.announcement_until
        if first and last and last < first:
            raise ValidationError({"announcement_until": _("The last day can’t be before the first day.")})
        if self.announcement_page and self.announcement_address:
            raise ValidationError({"announcement_address": _("Choose a page or enter an address, not both.")})
        has_target = self.announcement_page or self.announcement_address
        if has_target and not self.announcement_link:
            raise ValidationError({"announcement_link": _("Say where the link leads.")})
        if self.announcement_link and not has_target:
            raise ValidationError({"announcement_page": _("Choose where the link leads.")})


class MenuLink(Orderable):
    text = models.CharField(_("text"), max_length=60, blank=True, help_text=_("Leave empty to use the page’s title."))
    page = models.ForeignKey(
        Page, verbose_name=_("page"), null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    address = _address_field()

    panels = [FieldPanel("page"), FieldPanel("address"), FieldPanel("text")]

    class Meta(Orderable.Meta):
        abstract = True

    def clean(self) -> None:
        super().clean()
        if bool(self.page) == bool(self.address):
            raise ValidationError({"address": _("Choose a page or enter an address, one of the two.")})
        if self.address and not self.text:
            raise ValidationError({"text": _("A link to an address needs a text.")})


class HeaderLink(MenuLink):
    menus = ParentalKey(SiteMenus, on_delete=models.CASCADE, related_name="header_links")

    class Meta(MenuLink.Meta):
        abstract = False
        verbose_name = _("link in the header")
        verbose_name_plural = _("links in the header")


class FooterLink(MenuLink):
    menus = ParentalKey(SiteMenus, on_delete=models.CASCADE, related_name="footer_links")
    column = models.CharField(
        _("column"), max_length=40, help_text=_("The heading above it. An existing one, such as “Help”, or a new one.")
    )

    panels = [FieldPanel("column"), *MenuLink.panels]

    class Meta(MenuLink.Meta):
        abstract = False
        verbose_name = _("link in the footer")
        verbose_name_plural = _("links in the footer")


def select_pages_in_menu(site_root: str) -> QuerySet[Any]:
    """Select title and URL path of the visible pages right under a site's root that are shown in menus.

    `site_root` is the outer query's path to the root page.
    """
    pages = PublicPageQuerySet(Page).visible()
    return (  # type: ignore[no-any-return]  # Wagtail has no types
        pages.filter(
            path__startswith=OuterRef(f"{site_root}__path"),
            depth=OuterRef(f"{site_root}__depth") + 1,
            show_in_menus=True,
        )
        .order_by("path")
        .values(link=JSONObject(text="title", url_path="url_path"))
    )


def select_links(model: type[HeaderLink | FooterLink], site: str) -> QuerySet[Any]:
    """Select an editor's links; a link to a page that isn't live is left out."""
    extra = {"column": "column"} if model is FooterLink else {}
    links: QuerySet[Any] = (
        model.objects.filter(menus__site=OuterRef(site))
        .exclude(page__live=False)
        .order_by("sort_order", "pk")
        .values(
            link=JSONObject(
                text="text", title=F("page__title"), url_path=F("page__url_path"), address="address", **extra
            )
        )
    )
    return links


def select_announcement(site: str) -> Subquery:
    """Select the announcement with its days and where its link leads."""
    menus = SiteMenus.objects.filter(site=OuterRef(site)).exclude(announcement="")
    return Subquery(
        menus.values(
            found=JSONObject(
                text="announcement",
                link="announcement_link",
                url_path=F("announcement_page__url_path"),
                is_live=F("announcement_page__live"),
                address="announcement_address",
                first="announcement_from",
                last="announcement_until",
                can_be_dismissed="can_dismiss_announcement",
            )
        )[:1]
    )
