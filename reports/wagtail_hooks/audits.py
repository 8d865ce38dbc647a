"""The three audits: their terms with links to the rows, what differs, and files of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext, gettext_lazy, ngettext
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton

from ecommerce.gateways.registry import gateways
from ecommerce.roles import Action, ShopScope, may_somewhere, scope_of
from mitxonline.kernel import clock
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.dates import format_second
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.paging import PAGE, find_page
from mitxonline.kernel.people.files import FileUnreadable, SpellingUnclear, read_rows
from mitxonline.kernel.shop import current_shop
from mitxonline.kernel.spreadsheets import Cell, spreadsheet_response
from mitxonline.staff.needs import NEEDS, Need, NeedsSection
from mitxonline.staff.pages import UNPROCESSABLE, StaffButtonView, StaffFormPage, StaffPage
from reports.audits.base import Audit, AuditResult, AuditRow, AuditScope, RowChoice, Term, open_audit
from reports.audits.nightly import newest_runs
from reports.audits.registry import AUDITS
from reports.audits.statements import Statement, import_statement, newest_reports, read_gateway
from reports.audits.wording import file_rows
from reports.enums import EXPLAINED, AuditName, Cause
from reports.errors import StatementGatewayUnknown
from reports.forms import AuditForm
from reports.models import AuditRun, GatewayReport

NAMESPACE = "audits"
ROWS_ON_PAGE = 50
FETCH = "reports.tasks.fetch_gateway_reports"
MAX_FILE_BYTES = 20_000_000
EXAMPLE = (
    "id: Transaction ID\npayment: Reference Transaction ID\namount: Gross\nfee: Fee\ncurrency: Currency\nday: Date"
)


def audit_url(name: str, audit: str, **query: object) -> str:
    address = reverse(f"{NAMESPACE}:{name}", args=[audit])
    said = {key: value for key, value in query.items() if value not in ("", None)}
    return f"{address}?{urlencode(said)}" if said else address


class AuditMixin:
    """A page for those who may audit the shop or some of its courses."""

    request: HttpRequest
    kwargs: dict[str, Any]
    permission_required: ClassVar[str | None] = None
    header_icon = "clipboard-list"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self.access or (self.needs_whole_shop and not self.access.is_whole):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return response

    needs_whole_shop: ClassVar[bool] = False

    @cached_property
    def access(self) -> ShopScope:
        return scope_of(self.request.user, Action.AUDIT_VIEW)

    @cached_property
    def audit(self) -> Audit:
        if self.kwargs["audit"] not in AUDITS:
            raise Http404
        return AUDITS[AuditName(self.kwargs["audit"])]

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{NAMESPACE}:index"), gettext("Audits"))]


class AuditIndex(AuditMixin, StaffPage):
    """The three audits, and what last night's found."""

    template_name = "reports/admin/audits.html"
    page_title = gettext_lazy("Audits")

    def get_parents(self) -> list[tuple[str, object]]:
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        runs = {run.audit: run for run in newest_runs()} if self.access.is_whole else {}
        audits = [
            {"label": name.label, "question": QUESTIONS[name], "url": audit_url("audit", name), "run": runs.get(name)}
            for name in AUDITS
        ]
        return super().get_context_data(audits=audits, is_whole=self.access.is_whole, **kwargs)


QUESTIONS = {
    AuditName.ENROLLMENTS: gettext_lazy(
        "Does every enrollment have its reason: a purchase, a code, a seat, a decision?"
    ),
    AuditName.PAYMENTS: gettext_lazy("Is the money that gateways report the money that orders say was paid?"),
    AuditName.SEATS: gettext_lazy("How many seats were sold, and how many of their codes are used?"),
}


@dataclass(frozen=True, slots=True)
class ShownTerm:
    term: Term
    url: str


@dataclass(frozen=True, slots=True)
class ShownRow:
    row: AuditRow
    url: str


@dataclass(frozen=True, slots=True)
class CauseChip:
    """A cause with its number of rows, as a link to those alone."""

    label: str
    count: int
    url: str
    tone: str
    is_here: bool


class AuditView(AuditMixin, StaffPage):
    """One audit: made when the page is opened, from one snapshot."""

    template_name = "reports/admin/audit.html"

    def get_page_title(self) -> str:
        return str(self.audit.name.label)

    @cached_property
    def form(self) -> AuditForm:
        has_currency = self.audit.name != AuditName.ENROLLMENTS
        is_asked = bool(self.request.GET) or self.access.is_whole
        return AuditForm(self.request.GET if is_asked else None, scope=self.access, has_currency=has_currency)

    @cached_property
    def query(self) -> dict[str, object]:
        return {name: self.request.GET.get(name, "") for name in self.form.fields}

    def choose_rows(self) -> RowChoice:
        cause = self.request.GET.get("cause", "")
        return RowChoice(cause=cause if cause in Cause.values else "")

    def find_number(self, choice: RowChoice, result: AuditResult) -> int:
        """How many rows there are to page through."""
        return sum(each.count for each in result.causes if choice.cause in ("", each.cause))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        context: dict[str, Any] = {}
        if self.form.is_valid():
            style = request.GET.get("export", "")
            with refusals_on(self.form):
                if style in ("csv", "xlsx"):
                    return self.export(style)
                context = self.make_audit()
        status = UNPROCESSABLE if self.form.is_bound and self.form.errors else 200
        return self.render_to_response(self.get_context_data(form=self.form, **context), status=status)

    def make_audit(self) -> dict[str, Any]:
        choice = self.choose_rows()
        asked = self.request.GET.get(PAGE, "")
        number = max(1, int(asked)) if asked.isascii() and asked.isdigit() and len(asked) < 8 else 1
        portion = RowChoice(
            term=choice.term,
            standing=choice.standing,
            cause=choice.cause,
            offset=(number - 1) * ROWS_ON_PAGE,
            limit=ROWS_ON_PAGE,
        )
        with open_audit(self.audit, self.form.to_scope(), portion, by_day=self.has_days) as (result, found):
            rows = [ShownRow(row, self.get_row_url(row)) for row in found]
        page = find_page(Paginator(range(self.find_number(choice, result)), ROWS_ON_PAGE), asked)
        return {
            "result": result,
            "rows": rows,
            "page": page,
            "sections": [
                (section, [ShownTerm(term, self.get_term_url(term)) for term in section.terms])
                for section in result.sections
            ],
            "as_of": gettext("As of %(moment)s") % {"moment": format_second(result.taken_at)},
            "chips": self.list_chips(result, choice),
            "reports": newest_reports() if self.audit.has_money else [],
            "has_courses": self.audit.name != AuditName.PAYMENTS,
            "query": urlencode({key: value for key, value in self.list_query().items() if value}),
        }

    @property
    def has_days(self) -> bool:
        return self.audit.has_money

    def list_query(self) -> dict[str, object]:
        """What the address says besides the page."""
        return {**self.query, "cause": self.request.GET.get("cause", "")}

    def get_term_url(self, term: Term) -> str:
        return (
            audit_url("rows", self.audit.name, term=term.rows, standing=term.standing, **self.query)
            if term.rows
            else ""
        )

    def get_row_url(self, row: AuditRow) -> str:
        user = self.request.user
        if row.order_id is not None and user.has_perm("ecommerce.view_order"):
            return reverse("shop_orders:order", args=[row.order_id])
        if row.enrollment_id is not None and user.has_perm("courses.view_enrollment"):
            return reverse("enrollments:enrollment", args=[row.enrollment_id])
        return ""

    def list_chips(self, result: AuditResult, choice: RowChoice) -> list[CauseChip]:
        counts: dict[Cause, int] = {}
        for each in result.causes:
            counts[each.cause] = counts.get(each.cause, 0) + each.count
        return [
            CauseChip(
                label=str(cause.label),
                count=count,
                url=audit_url("audit", self.audit.name, **self.query, cause="" if choice.cause == cause else cause),
                tone="quiet" if cause in EXPLAINED else "bad",
                is_here=choice.cause == cause,
            )
            for cause, count in sorted(counts.items(), key=lambda each: each[0] in EXPLAINED)
        ]

    def export(self, style: str) -> HttpResponseBase:
        self.form.to_scope().params()  # refused here rather than in the middle of a file
        name = f"audit-{self.audit.name}"
        rows = partial(_read_file, self.audit, self.form.to_scope(), self.choose_rows())
        return spreadsheet_response(rows(), name=name, title=name, style=style)

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if not (self.audit.has_money and self.access.is_whole):
            return []
        return [
            HeaderButton(
                label=gettext("Read a statement"),
                url=reverse(f"{NAMESPACE}:statement"),
                icon_name="upload",
            )
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            audit=self.audit, question=QUESTIONS[self.audit.name], is_whole=self.access.is_whole, **kwargs
        )


class AuditRowsView(AuditView):
    """The rows of one term."""

    template_name = "reports/admin/audit_rows.html"

    def get_page_subtitle(self) -> str:
        return ""

    def get_parents(self) -> list[tuple[str, object]]:
        return [*super().get_parents(), (audit_url("audit", self.audit.name, **self.query), self.audit.name.label)]

    def choose_rows(self) -> RowChoice:
        term = self.request.GET.get("term", "")
        if not term:
            raise Http404
        return RowChoice(term=term, standing=self.request.GET.get("standing", ""))

    def find_number(self, choice: RowChoice, result: AuditResult) -> int:
        return sum(
            total.count
            for total in result.totals
            if total.term == choice.term and choice.standing in ("", total.standing)
        )

    @property
    def has_days(self) -> bool:
        return False

    def list_query(self) -> dict[str, object]:
        return {**self.query, "term": self.request.GET["term"], "standing": self.request.GET.get("standing", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        terms = (term for section, _shown in kwargs.get("sections", ()) for term in section.terms)
        term = next((each for each in terms if each.rows == self.request.GET.get("term")), None)
        return super().get_context_data(term=term, **kwargs)


def _read_file(audit: Audit, scope: AuditScope, choice: RowChoice) -> Iterator[tuple[Cell, ...]]:
    with open_audit(audit, scope, choice) as (result, rows):
        yield from file_rows(result, rows)


class AskGatewaysView(AuditMixin, StaffButtonView):
    needs_whole_shop = True

    def perform(self) -> str:
        if send_tasks(FETCH, [()]):
            return gettext("The gateways are being asked. Open the audit again in a minute.")
        return gettext("No worker could be told. Try again shortly; the gateways are asked every night, too.")

    def get_success_url(self) -> str:
        return audit_url("audit", AuditName.PAYMENTS)


class StatementForm(forms.Form):
    gateway = forms.CharField(
        label=gettext_lazy("Gateway"),
        max_length=40,
        help_text=gettext_lazy("As orders name it, such as paypal."),
        widget=forms.TextInput(attrs={"list": "gateways", "autocomplete": "off"}),
    )
    file = forms.FileField(label=gettext_lazy("File"), help_text=gettext_lazy("CSV or Excel, with headings."))
    columns = forms.CharField(
        label=gettext_lazy("Columns"),
        widget=forms.Textarea(attrs={"rows": 7, "spellcheck": "false"}),
        help_text=gettext_lazy(
            "A line for each column: what it is, a colon, and the file’s heading. Needed are amount and day; there are "
            "also id, payment, refund, kind, fee, currency, and format for days such as %d.%m.%Y."
        ),
    )
    currency = forms.ChoiceField(
        label=gettext_lazy("Currency"), help_text=gettext_lazy("Of amounts whose currency the file doesn’t name.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["currency"].choices = [(code, code) for code in current_shop().currencies]  # type: ignore[attr-defined]

    def clean_gateway(self) -> str:
        try:
            return read_gateway(self.cleaned_data["gateway"])
        except StatementGatewayUnknown as unknown:
            raise forms.ValidationError(str(unknown)) from unknown

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(gettext("The file is larger than 20 MB. Divide it by months."))
        try:
            self.cleaned_data["rows"] = read_rows(file.read())
        except FileUnreadable as error:
            raise forms.ValidationError(str(error.sentence)) from error
        except SpellingUnclear as error:
            raise forms.ValidationError(gettext("Save the file as CSV (UTF-8): its letters are unclear.")) from error
        return file


class StatementView(AuditMixin, StaffFormPage):
    """Read the statement of a gateway that can't be asked."""

    needs_whole_shop = True
    form_class = StatementForm
    template_name = "reports/admin/statement.html"
    page_title = gettext_lazy("Read a gateway’s statement")
    header_icon = "upload"

    def get_parents(self) -> list[tuple[str, object]]:
        payments = AuditName.PAYMENTS
        return [*super().get_parents(), (audit_url("audit", payments), payments.label)]

    def get_initial(self) -> dict[str, object]:
        """Begin with the columns of the last file, which is usually of the same gateway."""
        last = GatewayReport.objects.exclude(file_name="").first()
        columns = last.columns if last is not None else EXAMPLE
        return {"columns": columns, "gateway": last.gateway if last else "", "currency": current_shop().currency}

    def perform(self, form: StatementForm) -> str:
        said = form.cleaned_data
        statement = Statement(said["gateway"], said["rows"], said["columns"], said["currency"], said["file"].name)
        report = import_statement(statement, now=clock.now(), by_id=self.request.user.pk)
        sentence = ngettext("Read %(n)d entry.", "Read %(n)d entries.", report.entries)
        return sentence % {"n": report.entries}

    def get_success_url(self) -> str:
        return audit_url("audit", AuditName.PAYMENTS)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(gateways=list(gateways()), **kwargs)


class AuditMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return may_somewhere(request.user, Action.AUDIT_VIEW)


class AuditViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "audits"
    icon = "clipboard-list"
    menu_hook = "register_reports_menu_item"
    menu_label = gettext_lazy("Audits")
    menu_name = "audits"
    menu_order = 200
    menu_item_class = AuditMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", AuditIndex.as_view(), name="index"),
            path("ask/", AskGatewaysView.as_view(), name="ask"),
            path("statement/", StatementView.as_view(), name="statement"),
            path("<slug:audit>/", AuditView.as_view(), name="audit"),
            path("<slug:audit>/rows/", AuditRowsView.as_view(), name="rows"),
        ]


@hooks.register("register_admin_viewset")
def register_audits() -> ViewSet:
    return AuditViewSet()


@hooks.register(NEEDS, order=35)
def add_audit_needs(request: HttpRequest) -> NeedsSection | None:
    """Tell finance of the audits that found something last night."""
    if not scope_of(request.user, Action.AUDIT_VIEW).is_whole:
        return None
    newest = AuditRun.objects.order_by("audit", "-taken_at", "-pk").distinct("audit").values("pk")
    differing = AuditRun.objects.filter(pk__in=newest, unexplained__gt=0)
    need = Need(gettext("Audits with differences"), differing, reverse(f"{NAMESPACE}:index"), "bad")
    return NeedsSection("audits", gettext("Audits"), (need,))
