"""The codes of a contract: the list, and the files."""

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

from b2b.enums import CodeState
from b2b.selectors.codes import (
    COUNTED,
    MOST_IN_WORKBOOK,
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
from b2b.wagtail_hooks.columns import TONES
from b2b.wagtail_hooks.contracts import contract_url
from b2b.wagtail_hooks.workbench import ContractListView, ContractView
from ecommerce.models import DiscountCode
from mitxonline.kernel import audit, clock
from mitxonline.kernel.spreadsheets import spreadsheet_response
from mitxonline.staff.lists import StateColumn, TemplateColumn


class CodeFilters(WagtailFilterSet):
    """What the list of codes can be narrowed to; the list itself looks them up."""

    state = django_filters.ChoiceFilter(
        label=_("State"), choices=CodeState.choices, empty_label=_("All"), widget=forms.RadioSelect
    )
    run = django_filters.ChoiceFilter(label=_("Course"), choices=[], empty_label=_("All"), widget=forms.Select)

    class Meta:
        model = DiscountCode
        fields: list[str] = []

    def __init__(self, *args: Any, runs: list[RunOfContract], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.filters["run"].extra["choices"] = [(str(run.pk), named(run)) for run in runs]


class CodesView(ContractListView):
    """The codes, a page at a time."""

    works = True
    tab = "codes"
    results_name = "codes_results"
    template_name = "b2b/admin/codes.html"
    results_template_name = "b2b/admin/codes_results.html"
    model = DiscountCode
    search_fields = ["text"]
    paginate_by = None
    filterset_class = CodeFilters
    verbose_name_plural = _("codes")
    FORMATS: ClassVar[tuple[str, ...]] = ()  # files have an address of their own
    columns = [
        TemplateColumn("code", label=_("Code"), template="b2b/admin/code_cell.html"),
        StateColumn("state", label=_("State"), tones=TONES),
        TemplateColumn("course", label=_("Course"), template="b2b/admin/code_course_cell.html"),
        TemplateColumn("who", label=_("Who has it"), template="b2b/admin/code_who_cell.html"),
        TemplateColumn("act", label=_("Acts"), template="b2b/admin/code_act_cell.html"),
    ]

    @cached_property
    def runs(self) -> list[RunOfContract]:
        """What codes can be asked by."""
        return runs_of(self.contract.pk)

    @cached_property
    def code_filter(self) -> CodeFilter:
        asked = self.filters.form.cleaned_data if self.filters and self.filters.is_valid() else {}
        run = asked.get("run") or ""
        return CodeFilter(
            state=asked.get("state") or "", run_id=int(run) if run else None, words=self.search_query.strip()
        )

    @cached_property
    def page(self) -> CodePage:
        """The page of the list."""
        asked = self.request.GET
        after, before = CodeCursor.parse(asked.get("after", "")), CodeCursor.parse(asked.get("before", ""))
        return code_page(runs=self.runs, code_filter=self.code_filter, now=clock.now(), after=after, before=before)

    def get_filterset_kwargs(self) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_filterset_kwargs()
        return kwargs | {"runs": self.runs}

    def get_queryset(self) -> list[CodeLine]:
        return list(self.page.lines)

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        if not any(not run.is_removed for run in self.runs):
            return []
        url = contract_url("hand_out", self.contract.pk)
        return [HeaderButton(gettext("Assign codes"), url=url, icon_name="mail")]

    @cached_property
    def header_more_buttons(self) -> list[Button]:
        buttons = [self._export_button(gettext("Download all"), CodeFilter(), priority=20)]
        if self.code_filter != CodeFilter():
            buttons.insert(0, self._export_button(gettext("Download these"), self.code_filter, priority=10))
        return [button for pair in buttons for button in pair]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        page = self.page
        asked = self.request.GET.copy()
        for name in ("after", "before", "_w_filter_fragment"):
            asked.pop(name, None)
        here = asked.urlencode()
        context |= {
            "items_count": page.count if page.is_counted else COUNTED,
            "is_counted": page.is_counted,
            "is_narrowed": self.code_filter != CodeFilter(),
            "previous_url": f"?before={page.before}&{here}" if page.before else "",
            "next_url": f"?after={page.after}&{here}" if page.after else "",
            "list_url": self.get_index_url(),
        }
        return context

    def _export_button(self, label: str, code_filter: CodeFilter, *, priority: int) -> list[Button]:
        asked = {"state": code_filter.state, "run": code_filter.run_id or "", "q": code_filter.words}
        query = urlencode({name: value for name, value in asked.items() if value})
        return [
            Button(
                f"{label} ({style.upper()})",
                url=f"{contract_url(f'export_{style}', self.contract.pk)}?{query}",
                icon_name="download",
                priority=priority + order,
            )
            for order, style in enumerate(("csv", "xlsx"))
        ]


class ExportView(ContractView, View):
    """The codes as a file: all of them, or those asked for."""

    works = True
    tab = "codes"

    def get(self, request: HttpRequest, pk: int, style: str) -> HttpResponseBase:
        """It is noted who took the codes along; nothing is counted, nothing is kept in memory."""
        code_filter = _parse_filter(request)
        if style == "xlsx" and exceeds_workbook(contract_id=pk, code_filter=code_filter):
            sentence = gettext("A workbook holds at most %(most)s of these codes. Download them as CSV.")
            messages.error(request, sentence % {"most": f"{MOST_IN_WORKBOOK:,}"})
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


def named(run: RunOfContract) -> str:
    """A run as people choose it."""
    name = f"{run.title} ({run.key})"
    return gettext("%(course)s – removed") % {"course": name} if run.is_removed else name


def _parse_filter(request: HttpRequest) -> CodeFilter:
    """What an address asks for; nonsense asks for nothing in particular."""
    state, run = request.GET.get("state", ""), request.GET.get("run", "")
    return CodeFilter(
        state=state if state in CodeState.values else "",
        run_id=int(run) if run.isdecimal() else None,
        words=request.GET.get("q", "").strip(),
    )
