"""Lists: their columns, and their files, in which no cell is a formula."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.middleware.csrf import get_token
from django.utils.functional import Promise
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic import IndexView

from mitxonline.kernel.text import escape_formula
from mitxonline.staff.pages import StaffPageMixin

ROWS_AT_ONCE = 2000


class StateColumn(Column):
    """A state in words, with a color beside it. `tones` names the color: good, plain, quiet, warn or bad."""

    cell_template_name = "staff/state_cell.html"

    def __init__(self, name: str, *, tones: Mapping[Any, str], **options: Any) -> None:
        super().__init__(name, **options)
        self.tones = tones

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        state = self.get_value(instance)
        return context | {"label": getattr(state, "label", state), "tone": self.tones.get(state, "plain")}


class TemplateColumn(Column):
    """A cell with a template of its own, which may hold a form."""

    def __init__(self, name: str, *, template: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.cell_template_name = template

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        # Wagtail doesn't pass the token on to cells.
        return context | {"csrf_token": get_token(parent_context["request"])}


def plain_amount(amount: Decimal) -> str:
    """Write an amount without an exponent: two digits after the point, three only where they count."""
    return f"{amount:.3f}".removesuffix("0")


class StaffIndexView(StaffPageMixin, IndexView):
    """A list that the database searches.

    `export_columns` are the columns of its CSV and XLSX files, declared like those of the table. Their texts are made
    safe for spreadsheets, and the rows are read in portions.
    """

    any_permission_required = None
    search_backend_name = None
    paginate_by = 50
    export_columns: ClassVar[Sequence[Column]] = ()
    custom_value_preprocess: ClassVar[dict[Any, Any]] = IndexView.custom_value_preprocess | {
        (str, Promise): {style: lambda text: escape_formula(str(text)) for style in IndexView.FORMATS},
        Decimal: {"csv": plain_amount},
    }

    def get_list_buttons(self, instance: Any) -> list[Any]:
        """Offer no buttons: the title leads to everything."""
        return []

    @property
    def list_export(self) -> list[str]:
        return [column.name for column in self.export_columns]

    @property
    def export_headings(self) -> dict[str, Any]:
        return {column.name: column.label for column in self.export_columns}

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        return {column.name: column.get_value(item) for column in self.export_columns}

    def as_spreadsheet(self, queryset: QuerySet[Any], spreadsheet_format: str) -> Any:
        rows: Iterable[Any] = queryset.iterator(chunk_size=ROWS_AT_ONCE)
        return super().as_spreadsheet(rows, spreadsheet_format)
