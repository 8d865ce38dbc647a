"""Where courses and programs are taught: on one site, or with an empty `site` on all of them (ADR 0049)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from wagtail.models import Site


def site_field(**options: Any) -> models.ForeignKey[Site | None, Site | None]:
    """Make a column of rows that belong to one site, or empty to all of them."""
    return models.ForeignKey(
        "wagtailcore.Site",
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        **options,
    )


def is_of_site(site_id: int | None, *, path: str = "site") -> Q:
    """Match the rows of a site: its own ones, and those of all sites. ``path`` leads to the column."""
    is_everywhere = Q(**{f"{path}__isnull": True})
    return is_everywhere if site_id is None else is_everywhere | Q(**{path: site_id})
