"""Pages of lists that may have millions of rows, which no one counts."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property
from wagtail.admin.paginator import WagtailPaginator

# A filter leads further than page 20 would.
COUNTED = 1_000


class _CappedCount:
    object_list: Any

    @cached_property
    def found(self) -> int:
        """How many rows there are, or one more than are counted."""
        found: int = self.object_list.order_by().values("pk")[: COUNTED + 1].count()
        return found

    @cached_property
    def count(self) -> int:
        return min(self.found, COUNTED)

    @property
    def is_capped(self) -> bool:
        return self.found > COUNTED


class CappedPaginator(_CappedCount, Paginator):  # type: ignore[type-arg]  # Django’s can’t be subscripted
    """Counts up to `COUNTED` rows and shows no more: for the Django admin."""


class CappedWagtailPaginator(_CappedCount, WagtailPaginator):  # type: ignore[misc]  # Wagtail has no types
    """The same for Wagtail's lists."""

    @cached_property
    def items_count_label(self) -> str:
        label: str = super().items_count_label
        return f"> {label}" if self.is_capped else label
