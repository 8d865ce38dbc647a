"""Invoices of a contract: the list on its workbench, and a new one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.widgets.button import HeaderButton
from wagtail.snippets.widgets import AdminSnippetChooser

from b2b.models import ContractInvoice, ContractPage
from b2b.selectors.contracts import list_contracts
from b2b.services.contracts.invoices import ContractInvoiceRequest, describe_contract, draft_contract_invoice
from b2b.wagtail_hooks.base import NAMESPACE, ContractPageView, contract_url
from ecommerce.forms.invoices import SeatsField
from ecommerce.models import Customer, Invoice
from ecommerce.models.fields import find_amount_problem
from ecommerce.roles import Action, may
from mitxonline.kernel import clock
from mitxonline.kernel.shop import current_shop
from mitxonline.staff.pages import StaffFormPage

SEATS, LUMP_SUM = "seats", "lump_sum"
# Hooks of the pages about invoices (ecommerce.wagtail_hooks).
INVOICE_LINKS = "register_invoice_links"
INVOICE_BUTTONS = "register_invoice_buttons"


class ContractInvoicesView(ContractPageView):
    """The invoices of a contract."""

    tab = "invoices"
    template_name = "b2b/admin/invoices.html"

    def user_has_permission(self, permission: str) -> bool:
        return may(self.request.user, Action.INVOICE_VIEW)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = clock.today()
        rows = ContractInvoice.objects.filter(contract=self.contract.pk).select_related("invoice")
        return super().get_context_data(
            invoices=[(row.invoice, row.invoice.standing_on(today)) for row in rows],
            add_url=f"{reverse(f'{NAMESPACE}:add_invoice')}?contract={self.contract.pk}"
            if may(self.request.user, Action.INVOICE_ISSUE)
            else "",
            **kwargs,
        )


class ContractInvoiceForm(forms.Form):
    contract = forms.ModelChoiceField(
        label=gettext_lazy("Contract"),
        queryset=ContractPage.objects.none(),
        error_messages={"required": gettext_lazy("Choose the contract.")},
    )
    customer = forms.ModelChoiceField(
        label=gettext_lazy("Customer"),
        queryset=Customer.objects.all(),
        help_text=gettext_lazy("The address on the invoice is copied from the customer."),
        error_messages={"required": gettext_lazy("Choose the customer. Save a new one under Customers first.")},
    )
    what = forms.ChoiceField(
        label=gettext_lazy("What is invoiced"),
        choices=[
            (SEATS, gettext_lazy("Seats, each at the price below")),
            (LUMP_SUM, gettext_lazy("A lump sum: the price below")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": gettext_lazy("Choose what is invoiced.")},
    )
    seats = SeatsField(label=gettext_lazy("Seats"), required=False, has_codes=False)
    price = forms.DecimalField(
        label=gettext_lazy("Price"),
        max_digits=12,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Enter the price.")},
    )
    currency = forms.ChoiceField(label=gettext_lazy("Currency"))
    title = forms.CharField(
        label=gettext_lazy("Description"),
        max_length=255,
        required=False,
        help_text=gettext_lazy("Printed on the invoice. Empty: the contract’s name."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        contracts = self.fields["contract"]
        contracts.queryset = list_contracts(today=clock.today())  # type: ignore[attr-defined]
        contracts.label_from_instance = lambda page: f"{page.organization_name}: {page.name}"  # type: ignore[attr-defined]
        self.fields["customer"].widget = AdminSnippetChooser(Customer)
        self.fields["currency"].choices = [(each, each) for each in current_shop().currencies]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if cleaned.get("what") == SEATS and cleaned.get("seats") is None and "seats" not in self.errors:
            self.add_error("seats", _("Enter the number of seats."))
        price, seats = cleaned.get("price"), cleaned.get("seats") or 1
        if price is not None and (problem := find_amount_problem(price * seats, cleaned.get("currency") or "USD")):
            self.add_error("price", problem)
        return cleaned

    def to_request(self) -> ContractInvoiceRequest:
        data = self.cleaned_data
        return ContractInvoiceRequest(
            contract=data["contract"],
            customer=data["customer"],
            price=data["price"],
            currency=data["currency"],
            seats=data["seats"] if data["what"] == SEATS else None,
            title=data["title"],
        )


class AddContractInvoiceView(StaffFormPage):
    """A draft of an invoice over a contract."""

    model = Invoice
    permission_required = "issue"
    header_icon = "doc-full"
    page_title = gettext_lazy("Invoice a contract")
    form_class = ContractInvoiceForm
    template_name = "b2b/admin/add_invoice.html"

    def user_has_permission(self, permission: str) -> bool:
        # A contract isn't of one course, so a role for some courses doesn't cover it.
        return may(self.request.user, Action.INVOICE_ISSUE)

    @cached_property
    def contract(self) -> Any:
        key = self.request.GET.get("contract", "")
        return list_contracts(today=clock.today()).filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None

    def get_initial(self) -> dict[str, Any]:
        if (contract := self.contract) is None:
            return {"currency": current_shop().currency}
        price = contract.enrollment_fixed_price
        return {
            "contract": contract.pk,
            "what": SEATS if contract.max_learners and price else "",
            "seats": contract.max_learners,
            "price": f"{price.normalize():f}" if price else "",
            "currency": contract.currency,
            "title": describe_contract(contract),
        }

    def perform(self, form: ContractInvoiceForm) -> str:
        invoice = draft_contract_invoice(form.to_request(), by_id=self.request.user.pk)
        self.made_id = invoice.pk
        return _("The draft is saved. Look at its preview, then issue it.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        back = contract_url("invoices", self.contract.pk) if self.contract else reverse("shop_invoices:index")
        return super().get_context_data(back_url=back, **kwargs)

    def get_success_url(self) -> str:
        return reverse("shop_invoices:invoice", args=[self.made_id])


@hooks.register(INVOICE_LINKS)
def link_contract(request: HttpRequest, invoice: Invoice) -> list[tuple[str, str]]:
    """Name the contract that an invoice is about."""
    row = ContractInvoice.objects.filter(invoice=invoice).select_related("contract").first()
    return [(row.contract.name, contract_url("invoices", row.contract_id))] if row is not None else []


@hooks.register(INVOICE_BUTTONS)
def offer_contract_invoice(request: HttpRequest) -> list[HeaderButton]:
    if not may(request.user, Action.INVOICE_ISSUE):
        return []
    return [HeaderButton(_("Invoice a contract"), url=reverse(f"{NAMESPACE}:add_invoice"), icon_name="clipboard-list")]
