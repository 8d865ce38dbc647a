"""The admin's first page: what needs the person who signs in, with counts that lead to the lists of exactly these rows.

Each app registers a function with the hook `NEEDS` that returns a section for a request, or None without the rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from wagtail import hooks
from wagtail.admin.auth import user_has_any_page_permission
from wagtail.admin.ui.components import Component

from mitxonline.kernel.db import count_together

NEEDS = "register_staff_needs"


@dataclass(frozen=True, slots=True)
class Need:
    """Rows that wait for someone. `url` is the list with the same rows and no others."""

    label: str | Promise
    rows: QuerySet[Any]
    url: str
    tone: str = "warn"


@dataclass(frozen=True, slots=True)
class SectionFact:
    """Something to know rather than to do; `url` may be empty."""

    label: str | Promise
    value: str
    url: str = ""
    tone: str = "plain"


@dataclass(frozen=True, slots=True)
class NeedsSection:
    """`links_label` stands before the links and says what they have in common."""

    name: str
    heading: str | Promise
    needs: tuple[Need, ...]
    facts: tuple[SectionFact, ...] = ()
    links: tuple[SectionFact, ...] = field(default=())
    links_label: str | Promise = ""


@dataclass(frozen=True, slots=True)
class CountedNeed:
    need: Need
    count: int


@dataclass(frozen=True, slots=True)
class CountedSection:
    section: NeedsSection
    needs: tuple[CountedNeed, ...]

    @property
    def waiting(self) -> list[CountedNeed]:
        return [each for each in self.needs if each.count]

    @property
    def quiet(self) -> list[CountedNeed]:
        return [each for each in self.needs if not each.count]


def count_needs(sections: list[NeedsSection]) -> list[CountedSection]:
    """Count the rows of all sections in one query."""
    numbers = iter(count_together([need.rows for section in sections for need in section.needs]))
    return [
        CountedSection(section, tuple(CountedNeed(need, next(numbers)) for need in section.needs))
        for section in sections
    ]


class NeedsPanel(Component):
    name = "needs"
    order = 100
    template_name = "staff/needs.html"

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def get_context_data(self, parent_context: Any) -> Mapping[str, Any]:
        found = [register(self.request) for register in hooks.get_hooks(NEEDS)]
        sections = count_needs([section for section in found if section is not None])
        return {"sections": sections, "has_pages": user_has_any_page_permission(self.request.user)}
