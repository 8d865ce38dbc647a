"""Lists: their columns, and their files, in which no cell is a formula."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.middleware.csrf import get_token
from django.utils.formats import date_format
from django.utils.functional import lazy
from django.utils.text import format_lazy
from django.utils.timezone import get_default_timezone_name, localtime
from wagtail.admin.ui.tables import Column
from wagtail.admin.views.generic import IndexView
from wagtail.snippets.views.snippets import IndexView as SnippetIndexView

from mitxonline.kernel import clock
from mitxonline.kernel.spreadsheets import Cell, spreadsheet_response
from mitxonline.staff.pages import StaffPageMixin
from mitxonline.staff.sites import SiteListMixin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

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


class PathColumn(Column):
    """A dotted path, a key or a user name, which wraps between its parts."""

    cell_template_name = "staff/path_cell.html"


class DayColumn(Column):
    """A day. Wagtail's own column calls every day to come “just now”."""

    def get_value(self, instance: Any) -> str:
        moment: datetime | None = super().get_value(instance)
        return date_format(localtime(moment), "DATE_FORMAT") if moment is not None else ""


class TemplateColumn(Column):
    """A cell with a template of its own, which may hold a form."""

    def __init__(self, name: str, *, template: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.cell_template_name = template

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        # Wagtail doesn't pass the token on to cells.
        return context | {"csrf_token": get_token(parent_context["request"])}


def day_in_file(moment: datetime | None) -> date | None:
    return clock.date_of(moment) if moment is not None else None


class MomentColumn(Column):
    """A moment in a file. The heading names the time zone; beside the time it would keep Excel from reading a date."""

    def __init__(self, name: str, *, label: StrOrPromise, **options: Any) -> None:
        zone = lazy(get_default_timezone_name, str)()
        super().__init__(name, label=format_lazy("{} ({})", label, zone), **options)


def find_listed(view_class: type[IndexView], request: HttpRequest) -> QuerySet[Any]:
    """Return the rows of all pages of a list, with the filters and the search of this request.

    Wagtail's script passes the list's query on to a bulk action on all of its rows.
    """
    view = view_class()
    view.setup(request)
    rows: QuerySet[Any] = view.get_queryset()
    return rows


class ExportMixin:
    """The CSV and XLSX files of a list, by the one writer of files (`kernel.spreadsheets`).

    `export_columns` are declared like the columns of the table. Rows are read in portions.
    """

    export_columns: ClassVar[Sequence[Column]] = ()
    export_filename = "list"

    @property
    def show_export_buttons(self) -> bool:
        return bool(self.export_columns)

    def get_export_rows(self, queryset: QuerySet[Any]) -> Iterator[Sequence[Cell]]:
        for row in queryset.iterator(chunk_size=ROWS_AT_ONCE):
            yield [column.get_value(row) for column in self.export_columns]

    def as_spreadsheet(self, queryset: QuerySet[Any], spreadsheet_format: str) -> HttpResponseBase:
        head = [str(column.label) for column in self.export_columns]
        rows = itertools.chain([head], self.get_export_rows(queryset))
        return spreadsheet_response(
            rows, name=self.export_filename, title=self.export_filename, style=spreadsheet_format
        )


def export_wagtails_list(view: Any, queryset: Any, spreadsheet_format: str) -> HttpResponseBase:
    """Write a list of Wagtail's own, such as a report, by the one writer of files too."""
    names = list(view.list_export)

    def rows() -> Iterator[Sequence[Cell]]:
        yield [view.get_heading(queryset, name) for name in names]
        for item in queryset:
            row = view.to_row_dict(item)
            yield [view.preprocess_field_value(name, row[name], view.FORMAT_CSV) for name in names]

    name = view.get_filename()
    return spreadsheet_response(rows(), name=name, title=name, style=spreadsheet_format)


def setup_without_empty_file(wagtails_setup: Callable[..., None]) -> Callable[..., None]:
    """Make `?export=` of a list without a file show the list: Wagtail writes a file with an empty line for each row."""

    def setup(view: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        wagtails_setup(view, request, *args, **kwargs)
        view.is_export = view.is_export and view.show_export_buttons

    return setup


class ExportingSnippetList(SiteListMixin, ExportMixin, SnippetIndexView):
    """Wagtail's list of a snippet, with our files."""


class StaffIndexView(SiteListMixin, ExportMixin, StaffPageMixin, IndexView):
    """A list that the database searches."""

    any_permission_required = None
    search_backend_name = None
    paginate_by = 50

    def get_list_buttons(self, instance: Any) -> list[Any]:
        """Offer no buttons: the title leads to everything."""
        return []
