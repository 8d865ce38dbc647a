"""The list of invoices: its filters, totals and files."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.filters import DateRangePickerWidget, WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.widgets.button import HeaderButton
from wagtail.snippets.widgets import AdminSnippetChooser

from ecommerce.enums import InvoiceAge, InvoiceStanding
from ecommerce.forms.invoices import CustomerInput
from ecommerce.models import Customer, Invoice, InvoiceQuerySet
from ecommerce.selectors.invoices import invoices_at_desk, matching_invoices, sum_invoices
from ecommerce.wagtail_hooks.invoice_policies import customers_of, invoice_scope
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_day
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_shop
from mitxonline.staff.lists import StaffIndexView, StateColumn

INVOICES = "shop_invoices"
# Other apps offer other ways to a new invoice: functions of the request that return buttons.
INVOICE_BUTTONS = "register_invoice_buttons"

INVOICE_TONES: dict[str, str] = {
    InvoiceStanding.DRAFT: "quiet",
    InvoiceStanding.ISSUED: "plain",
    InvoiceStanding.PART_PAID: "plain",
    InvoiceStanding.OVERDUE: "bad",
    InvoiceStanding.PAID: "good",
    InvoiceStanding.CREDITED: "quiet",
    InvoiceStanding.VOID: "quiet",
}


def invoice_url(pk: int, name: str = "invoice", *args: object) -> str:
    return reverse(f"{INVOICES}:{name}", args=[pk, *args])


class InvoiceFilters(WagtailFilterSet):
    state = django_filters.ChoiceFilter(
        label=_("State"),
        choices=InvoiceStanding.choices,
        empty_label=_("All"),
        widget=forms.RadioSelect,
        method="filter_state",
    )
    age = django_filters.ChoiceFilter(
        label=_("Open since it was due"),
        choices=InvoiceAge.choices,
        empty_label=_("All"),
        widget=forms.RadioSelect,
        method="filter_age",
    )
    currency = django_filters.ChoiceFilter(
        label=_("Currency"),
        choices=lambda: [(each, each) for each in current_shop().currencies],
        empty_label=_("All"),
        widget=forms.RadioSelect,
    )
    customer = django_filters.ModelChoiceFilter(
        label=_("Customer"), queryset=lambda request: customers_of(request.user), widget=AdminSnippetChooser(Customer)
    )
    issued_on = django_filters.DateFromToRangeFilter(label=_("Issued"), widget=DateRangePickerWidget)
    due_on = django_filters.DateFromToRangeFilter(label=_("Due"), widget=DateRangePickerWidget)

    class Meta:
        model = Invoice
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.form.fields["customer"].widget = CustomerInput(customers_of(self.request.user))

    def filter_state(self, found: InvoiceQuerySet, _name: str, value: str) -> InvoiceQuerySet:
        return found.standing(value, clock.today())

    def filter_age(self, found: InvoiceQuerySet, _name: str, value: str) -> InvoiceQuerySet:
        return found.aged(value, clock.today())


def standing_of(invoice: Invoice) -> InvoiceStanding:
    return invoice.standing_on(clock.today())


def open_money(invoice: Any) -> Money:
    return Money(invoice.open_amount, invoice.currency)


def name_age(invoice: Any) -> str:
    return str(InvoiceAge(invoice.age).label) if invoice.age else ""


class InvoiceIndex(StaffIndexView):
    model = Invoice
    page_title = _("Invoices")
    header_icon = "doc-full"
    results_template_name = "ecommerce/admin/invoices_results.html"
    index_url_name = f"{INVOICES}:index"
    index_results_url_name = f"{INVOICES}:index_results"
    add_item_label = _("Create invoice")
    verbose_name_plural = _("invoices")
    filterset_class = InvoiceFilters
    is_searchable = True
    default_ordering = ("-issued_at", "-pk")
    columns: ClassVar[list[Column]] = [
        TitleColumn(
            "number",
            label=_("Invoice"),
            accessor=lambda invoice: invoice.number or _("Draft %(id)d") % {"id": invoice.pk},
            get_url=lambda invoice: invoice_url(invoice.pk),
            sort_key="number",
            classname="desk-number",
        ),
        Column("company", label=_("Customer"), sort_key="company"),
        StateColumn("state", label=_("State"), tones=INVOICE_TONES, accessor=standing_of),
        Column(
            "issued_on",
            label=_("Issued"),
            accessor=lambda invoice: format_day(invoice.issued_on) if invoice.issued_on else "–",
            sort_key="issued_on",
        ),
        Column(
            "due_on",
            label=_("Due"),
            accessor=lambda invoice: format_day(invoice.due_on) if invoice.due_on else "–",
            sort_key="due_on",
        ),
        Column("total", label=_("Total"), accessor="money.formatted", sort_key="total"),
        Column(
            "open", label=_("Open"), accessor=lambda invoice: open_money(invoice).formatted(), sort_key="open_amount"
        ),
    ]
    export_filename = "invoices"
    export_columns: ClassVar[list[Column]] = [
        Column("number", label=_("Number")),
        Column("state", label=_("State"), accessor=lambda invoice: standing_of(invoice).label),
        Column("issued_on", label=_("Issued")),
        Column("due_on", label=_("Due")),
        Column("company", label=_("Customer")),
        Column("customer_id", label=_("Customer id")),
        Column("contact_name", label=_("Contact")),
        Column("tax_id", label=_("Buyer’s tax number")),
        Column("country", label=_("Country")),
        Column("po_number", label=_("Purchase order")),
        Column("internal_reference", label=_("Our reference")),
        Column("net", label=_("Net"), accessor="net.amount"),
        Column("tax", label=_("Tax"), accessor="tax.amount"),
        Column("total", label=_("Total"), accessor="money.amount"),
        Column("paid", label=_("Paid"), accessor="paid.amount"),
        Column("credited", label=_("Credited"), accessor="credited.amount"),
        Column("open", label=_("Open"), accessor=lambda invoice: open_money(invoice).amount),
        Column(
            "owed",
            label=_("Owed to the customer"),
            accessor=lambda invoice: Money(invoice.owed_amount, invoice.currency).amount,
        ),
        Column("currency", label=_("Currency")),
        Column("age", label=_("Open since it was due"), accessor=name_age),
    ]

    def get_base_queryset(self) -> InvoiceQuerySet:
        return invoices_at_desk(clock.today(), invoice_scope(self.request.user, "view"))

    def search_queryset(self, queryset: QuerySet[Invoice]) -> QuerySet[Invoice]:
        return queryset.filter(matching_invoices(self.search_query)) if self.is_searching else queryset

    def get_add_url(self) -> str | None:
        return reverse(f"{INVOICES}:add") if self.user_has_permission("issue") else None

    @cached_property
    def header_buttons(self) -> list[HeaderButton]:
        more = [button for hook in hooks.get_hooks(INVOICE_BUTTONS) for button in hook(request=self.request)]
        return [*super().header_buttons, *more]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        # Of everything that the filters find, not of the page shown.
        return context | {"totals": sum_invoices(self.queryset_found, clock.today()), "ages": InvoiceAge.choices}

    def get_queryset(self) -> QuerySet[Invoice]:
        found: QuerySet[Invoice] = super().get_queryset()
        self.queryset_found = found
        return found
