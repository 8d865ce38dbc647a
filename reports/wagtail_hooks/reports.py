"""Reports in the Wagtail admin: their list, and a page for each with its files."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet

from ecommerce.roles import ShopScope
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from mitxonline.kernel import clock
from mitxonline.kernel.spreadsheets import format_cell, spreadsheet_response
from mitxonline.staff.pages import UNPROCESSABLE, StaffButtonView, StaffPage
from reports.enums import JobState
from reports.errors import ReportRunning
from reports.exports.base import Asked, Report
from reports.exports.catalog import REPORTS
from reports.exports.jobs import find_open_job, may_fetch, start_job
from reports.forms import ReportForm
from reports.models import ReportJob

NAME = "shop_reports"
# What a page shows of a report. The files have everything.
ROWS_SHOWN = 50
STYLES = ("csv", "xlsx")


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell, with the heading of its column for narrow screens, on which each row is a list."""

    label: str
    text: str
    is_number: bool


def reports_of(user: Any) -> list[Report]:
    """Return the reports that someone may see, at least for some course."""
    return [report for report in REPORTS.values() if report.scope_of(user)]


class ReportIndex(StaffPage):
    template_name = "reports/reports.html"
    page_title = gettext_lazy("Reports")
    header_icon = "order"
    permission_required = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not reports_of(request.user):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        reports = [(reverse(f"{NAME}:report", args=[each.slug]), each) for each in reports_of(self.request.user)]
        return super().get_context_data(reports=reports, **kwargs)


class ReportView(StaffPage):
    """One report: its form, figures, charts and first rows; with `?file=csv` or `xlsx`, all rows as a file."""

    template_name = "reports/report.html"
    header_icon = "order"
    permission_required = None

    @cached_property
    def report(self) -> Report:
        report = REPORTS.get(self.kwargs["slug"])
        if report is None:
            raise Http404
        return report

    @cached_property
    def scope(self) -> ShopScope:
        return self.report.scope_of(self.request.user)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.scope:
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def get_page_title(self) -> str:
        return str(self.report.title)

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{NAME}:index"), _("Reports"))]

    @cached_property
    def form(self) -> ReportForm:
        asked = {name: value for name, value in self.request.GET.items() if name != "file"}
        # A day that is left out is the default one; a day that was emptied is a mistake to be told.
        return ReportForm(ReportForm.default_days() | asked, report=self.report, scope=self.scope)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]  # a file
        style = request.GET.get("file", "")
        if not self.form.is_valid():
            return self.render_to_response(self.get_context_data(), status=UNPROCESSABLE)
        if style in STYLES:
            return self.send_file(self.form.to_asked(), style)
        response: HttpResponseBase = super().get(request, *args, **kwargs)
        return response

    def send_file(self, asked: Asked, style: str) -> HttpResponseBase:
        rows = itertools.chain([self.report.head(asked)], self.report.rows(asked))
        return spreadsheet_response(rows, name=file_name(self.report, asked), title=str(self.report.title), style=style)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(form=self.form, report=self.report, **kwargs)
        if not self.form.is_valid():
            return context
        asked, report = self.form.to_asked(), self.report
        query = self.request.GET.copy()
        query.pop("file", None)
        for name, value in ReportForm.default_days().items():
            query.setdefault(name, value)
        count = report.count(asked)
        head = [(text, number in report.numbers) for number, text in enumerate(report.head(asked))]
        rows = [
            [ShownCell(label, format_cell(cell), is_number) for (label, is_number), cell in zip(head, row, strict=True)]
            for row in report.rows(asked, limit=ROWS_SHOWN)
        ]
        return context | {
            "asked": asked,
            "answer": report.answer(asked),
            "head": head,
            "rows": rows,
            "count": count,
            "is_cut": count > len(rows),
            "hidden": [(name, value) for name, value in query.items() if name in self.form.fields],
            "start_url": reverse(f"{NAME}:start", args=[report.slug]),
            "files": [(style.upper(), f"?{query.urlencode()}&file={style}") for style in STYLES],
        }


def file_name(report: Report, asked: Asked) -> str:
    return f"{report.slug}-{asked.first}-{asked.last}" if report.has_days else report.slug


class JobMixin:
    """A page about one's own report in the background. That of someone else is like none, and so is one whose rows
    the person may no longer see."""

    request: HttpRequest
    kwargs: dict[str, Any]

    @cached_property
    def job(self) -> ReportJob:
        job = ReportJob.objects.filter(pk=self.kwargs["pk"], asked_by=self.request.user.pk).first()
        if job is None or not may_fetch(job, self.request.user):  # type: ignore[arg-type]  # signed in: they have jobs
            raise Http404
        return job


class StartJobView(StaffButtonView):
    """Asks a worker for a file, and leads to its page; or to that of the one that is still being written."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.report = REPORTS.get(kwargs["slug"])
        if self.report is None:
            raise Http404
        self.scope = self.report.scope_of(request.user)
        if not self.scope:
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        report, user = REPORTS[self.kwargs["slug"]], request.user
        form = ReportForm(request.POST.dict(), report=report, scope=self.scope)
        style = request.POST.get("file", "")
        if not form.is_valid() or style not in STYLES:
            asked = request.POST.copy()
            asked.pop("csrfmiddlewaretoken", None)  # addresses are written to logs
            return redirect(reverse(f"{NAME}:report", args=[report.slug]) + f"?{asked.urlencode()}")
        try:
            job = start_job(report=report, asked=form.to_asked(), style=style, user=user, now=clock.now())  # type: ignore[arg-type]  # signed in
        except ReportRunning as refusal:
            messages.warning(request, str(refusal))
            running = find_open_job(user.pk, report.slug)  # type: ignore[arg-type]  # signed in
            if running is None:
                return redirect(f"{NAME}:report", report.slug)
            job = running
        return redirect(f"{NAME}:job", job.pk)


class JobView(JobMixin, StaffPage):
    """How far a file is. With `?state`, only the part that changes."""

    template_name = "reports/job.html"
    header_icon = "order"
    permission_required = None
    page_subtitle = gettext_lazy("In the background")

    def get_page_title(self) -> str:
        return str(REPORTS[self.job.report].title)

    def get_parents(self) -> list[tuple[str, object]]:
        report = reverse(f"{NAME}:report", args=[self.job.report])
        return [(reverse(f"{NAME}:index"), _("Reports")), (report, self.get_page_title())]

    def get_template_names(self) -> list[str]:
        return ["reports/job_state.html"] if "state" in self.request.GET else super().get_template_names()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        here = reverse(f"{NAME}:job", args=[self.job.pk])
        return super().get_context_data(
            job=self.job,
            job_url=here,
            state_url=f"{here}?state",
            file_url=reverse(f"{NAME}:job_file", args=[self.job.pk]),
            report_url=reverse(f"{NAME}:report", args=[self.job.report]),
            **kwargs,
        )


class JobFileView(JobMixin, StaffPage):
    permission_required = None

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:  # type: ignore[override]  # a file
        job = self.job
        if job.state != JobState.DONE or not default_storage.exists(job.file):
            return redirect(f"{NAME}:job", job.pk)
        name = f"{job.report}-{job.asked['first']}-{job.asked['last']}.{job.style}"
        response = FileResponse(default_storage.open(job.file), as_attachment=True, filename=name)
        response["Cache-Control"] = "no-store"
        return response


class ReportsMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(reports_of(request.user))


class ReportViewSet(ViewSet):
    name = NAME
    url_prefix = "shop/reports"
    icon = "order"
    menu_hook = SHOP_MENU
    menu_label = gettext_lazy("Reports")
    menu_name = "shop-reports"
    menu_order = 800
    menu_item_class = ReportsMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", ReportIndex.as_view(), name="index"),
            path("files/<int:pk>/", JobView.as_view(), name="job"),
            path("files/<int:pk>/file/", JobFileView.as_view(), name="job_file"),
            path("<slug:slug>/background/", StartJobView.as_view(), name="start"),
            path("<slug:slug>/", ReportView.as_view(), name="report"),
        ]


@hooks.register("register_admin_viewset")
def register_reports() -> ViewSet:
    return ReportViewSet()


@hooks.register("insert_global_admin_css")
def add_report_css() -> SafeString:
    return format_html('<link rel="stylesheet" href="{}">', static("reports/reports.css"))
