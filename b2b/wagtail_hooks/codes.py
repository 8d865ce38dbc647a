"""The codes of a contract: the list, and its files."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.widgets.button import Button, HeaderButton

from b2b.selectors.codes import (
    COUNTED,
    MAX_WORKBOOK_ROWS,
    CodeCursor,
    CodeFilter,
    CodeLine,
    CodePage,
    RunOfContract,
    code_file,
    code_page,
    exceeds_workbook,
    runs_of,
)
from b2b.wagtail_hooks.base import TONES, ContractListView, ContractMixin, contract_url
from ecommerce.enums import CodeState
from ecommerce.models import DiscountCode
from mitxonline.kernel import audit, clock
from mitxonline.kernel.spreadsheets import spreadsheet_response
from mitxonline.staff.lists import StateColumn, TemplateColumn


class CodeFilters(WagtailFilterSet):
    """The form of the list's filters. ``CodesView`` reads its values; it has no queryset to filter."""

    state = django_filters.ChoiceFilter(
        label=_("State"), choices=CodeState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    run = django_filters.ChoiceFilter(label=_("Course"), choices=[], empty_label=_("All"), widget=forms.Select)

    class Meta:
        model = DiscountCode
        fields: list[str] = []

    def __init__(self, *args: Any, runs: list[RunOfContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["run"].extra["choices"] = [(str(run.pk), name_run(run)) for run in runs]


class CodesView(ContractListView):
    """The codes, a page at a time: a contract may have 20,000 of them."""

    tab = "codes"
    results_name = "codes_results"
    template_name = "b2b/admin/codes.html"
    results_template_name = "b2b/admin/codes_results.html"
    model = DiscountCode
    search_fields = ["text"]
    paginate_by = None  # type: ignore[assignment]  # ``code_page`` reads a page by its cursor
    filterset_class = CodeFilters
    verbose_name_plural = _("codes")
    FORMATS: ClassVar[tuple[str, ...]] = ()  # files have an address of their own
    columns = [
        TemplateColumn("code", label=_("Code"), template="b2b/admin/code_cell.html"),
        StateColumn("state", label=_("State"), tones=TONES),
        TemplateColumn("course", label=_("Course"), template="b2b/admin/code_course_cell.html"),
        TemplateColumn("who", label=_("Who has it"), template="b2b/admin/code_who_cell.html"),
        TemplateColumn("act", label=_("Actions"), template="b2b/admin/code_act_cell.html"),
    ]

    @cached_property
    def runs(self) -> list[RunOfContract]:
        return runs_of(self.contract.pk)

    @cached_property
    def code_filter(self) -> CodeFilter:
        values = self.filters.form.cleaned_data if self.filters and self.filters.is_valid() else {}
        run = values.get("run") or ""
        return CodeFilter(
            state=values.get("state") or "", run_id=int(run) if run else None, words=self.search_query.strip()
        )

    @cached_property
    def page(self) -> CodePage:
        query = self.request.GET
        after, before = CodeCursor.parse(query.get("after", "")), CodeCursor.parse(query.get("before", ""))
        return code_page(runs=self.runs, code_filter=self.code_filter, now=clock.now(), after=after, before=before)

    def get_filterset_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_filterset_kwargs()
        return kwargs | {"runs": self.runs}

    def get_queryset(self) -> list[CodeLine]:
        return list(self.page.lines)

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        if all(run.is_removed for run in self.runs):
            return []
        url = contract_url("hand_out", self.contract.pk)
        return [HeaderButton(gettext("Assign codes"), url=url, icon_name="mail")]

    @cached_property
    def header_more_buttons(self) -> list[Button]:
        buttons = self._export_buttons(gettext("Download all"), CodeFilter(), priority=20)
        if self.code_filter != CodeFilter():
            buttons = [*self._export_buttons(gettext("Download these"), self.code_filter, priority=10), *buttons]
        return buttons

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        page = self.page
        query = self.request.GET.copy()
        for name in ("after", "before", "_w_filter_fragment"):
            query.pop(name, None)
        filters = query.urlencode()
        context |= {
            "items_count": page.count if page.is_counted else COUNTED,
            "is_counted": page.is_counted,
            "is_narrowed": self.code_filter != CodeFilter(),
            "previous_url": f"?before={page.before}&{filters}" if page.before else "",
            "next_url": f"?after={page.after}&{filters}" if page.after else "",
            "list_url": self.get_index_url(),
        }
        return context

    def _export_buttons(self, label: str, code_filter: CodeFilter, *, priority: int) -> list[Button]:
        values = {"state": code_filter.state, "run": code_filter.run_id or "", "q": code_filter.words}
        query = urlencode({name: value for name, value in values.items() if value})
        return [
            Button(
                f"{label} ({style.upper()})",
                url=f"{contract_url(f'export_{style}', self.contract.pk)}?{query}",
                icon_name="download",
                priority=priority + order,
            )
            for order, style in enumerate(("csv", "xlsx"))
        ]


class ExportView(ContractMixin, View):
    """The codes as a file, all of them or those that a filter finds. The log records who downloaded it."""

    requires_edit = True
    tab = "codes"

    def get(self, request: HttpRequest, pk: int, style: str) -> HttpResponseBase:
        code_filter = _parse_filter(request)
        if style == "xlsx" and exceeds_workbook(contract_id=pk, code_filter=code_filter):
            sentence = gettext("An Excel file holds at most %(most)s codes. Download them as CSV.")
            messages.error(request, sentence % {"most": f"{MAX_WORKBOOK_ROWS:,}"})
            return redirect(contract_url("codes", pk))
        with transaction.atomic():
            audit.record(
                self.contract,
                "b2b.code.export",
                by_id=request.user.pk,
                data={"format": style, "state": code_filter.state},
            )
        rows = code_file(contract_id=pk, code_filter=code_filter)
        return spreadsheet_response(rows, name=f"codes-{pk}", title=gettext("Codes"), style=style)


def name_run(run: RunOfContract) -> str:
    name = f"{run.title} ({run.key})"
    return gettext("%(course)s – removed") % {"course": name} if run.is_removed else name


def _parse_filter(request: HttpRequest) -> CodeFilter:
    """Read the filter of an address; values that can't be are ignored."""
    state, run = request.GET.get("state", ""), request.GET.get("run", "")
    return CodeFilter(
        state=state if state in CodeState.values else "",
        run_id=int(run) if run.isdecimal() else None,
        words=request.GET.get("q", "").strip(),
    )
