"""Links and announcement that editors wrote, as the query for the brand loads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from django.urls import reverse

from cms.models import SiteBrand
from frontend.site.navigation import ColumnLink, Link


@dataclass(frozen=True, slots=True)
class Announcement:
    """A sentence above every page. Both days are included; None is no limit."""

    text: str
    link: Link | None
    first: date | None
    last: date | None
    can_be_dismissed: bool

    @property
    def key(self) -> str:
        """Changes with the text, so that who dismissed one announcement sees the next."""
        link = (self.link.text, self.link.url) if self.link else ()
        return sha256(repr((self.text, link)).encode()).hexdigest()[:12]

    def is_shown_on(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


def read_links(row: SiteBrand, name: str) -> Iterator[Link]:
    """The links of the annotation with this name; a new brand has none yet."""
    for each in getattr(row, name, None) or ():
        if url := _url(row, each):
            yield Link(each["text"] or each["title"], url)


def read_footer_links(row: SiteBrand) -> Iterator[ColumnLink]:
    for each in getattr(row, "footer_links", None) or ():
        if url := _url(row, each):
            yield ColumnLink(each["column"], Link(each["text"] or each["title"], url))


def read_announcement(row: SiteBrand) -> Announcement | None:
    found: dict[str, Any] | None = getattr(row, "announcement", None)
    if not found:
        return None
    url = "" if found["is_live"] is False else _url(row, found)
    return Announcement(
        text=found["text"],
        link=Link(found["link"], url) if found["link"] and url else None,
        first=_day(found["first"]),
        last=_day(found["last"]),
        can_be_dismissed=found["can_be_dismissed"],
    )


def _url(row: SiteBrand, link: dict[str, Any]) -> str:
    """Where the link leads; empty for a page of another site."""
    if address := link.get("address"):
        return str(address)
    path, root = link["url_path"] or "", getattr(row, "root_url_path", None)
    if not root or not path.startswith(root):
        return ""
    return reverse("wagtail_serve", args=[path.removeprefix(root)])


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
