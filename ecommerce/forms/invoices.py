"""Forms of customers, invoices, and of what happens to an invoice."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms.formsets import BaseFormSet, formset_factory
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.widgets import AdminDateInput
from wagtail.snippets.widgets import AdminSnippetChooser

from courses.selectors.run_dates import format_run_dates
from ecommerce.models import MAX_SEATS, Customer, Invoice, Product, ShopSettings
from ecommerce.models.fields import find_amount_problem
from ecommerce.models.invoice import PARTY_FIELDS
from ecommerce.roles import WHOLE_SHOP, Action, ShopScope, may
from ecommerce.selectors.invoice_seats import CreditRequest, LineCodes
from ecommerce.selectors.invoices import LineOfInvoice, sellable_products
from ecommerce.services.invoices.drafts import DraftLine
from ecommerce.services.invoices.entries import MoneyMoved
from ecommerce.services.registration.buyers import give_seats_to_account
from mitxonline.kernel import clock
from mitxonline.kernel.countries import list_countries
from mitxonline.kernel.money import Money, minor_digits, read_currency
from mitxonline.kernel.people.lines import is_email_address, read_line, split_lines
from mitxonline.kernel.shop import current_shop
from mitxonline.kernel.text import normalize_email
from mitxonline.staff.pages import ReasonForm
from mitxonline.users.models import User

MAX_LINES = 100
MAX_RECIPIENTS = 20
MAX_FREE_SEATS = 100_000  # of a contract, whose seats aren't codes
DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}
BLANK_LINES = 3


def clean_recipients(text: str) -> str:
    """Return the addresses, one on each line and each once. Raises ValidationError naming those that aren't."""
    written = [part for line in split_lines(text) for part in _split_recipients(line)]
    addresses = list(dict.fromkeys(map(normalize_email, written)))
    wrong = [address for address in addresses if not is_email_address(address)]
    if wrong:
        raise ValidationError(
            _("These aren’t complete e-mail addresses: %(addresses)s. Fix them.") % {"addresses": ", ".join(wrong)}
        )
    if len(addresses) > MAX_RECIPIENTS:
        raise ValidationError(_("Enter at most %(count)d addresses.") % {"count": MAX_RECIPIENTS})
    return "\n".join(addresses)


def _split_recipients(line: str) -> list[str]:
    if "<" in line:  # from a mail program, with names
        return [person.email or person.name for person in read_line(line)]
    # Without brackets a word is no name: “ap@x.example, billing.x.example” has a mistake in it.
    return line.replace(",", " ").replace(";", " ").split()


class PartyFormMixin:
    """Cleans what customers and invoices have in common."""

    cleaned_data: dict[str, Any]

    def clean_recipients(self) -> str:
        return clean_recipients(self.cleaned_data["recipients"])


# An address changes as a whole: a street of one customer with the city of another would be nowhere.
ADDRESS = ("street", "postal_code", "city", "region", "country")
PARTS_OF_PARTY = (ADDRESS, *((name,) for name in PARTY_FIELDS if name not in ADDRESS))


def _write_percent(value: Decimal) -> str:
    """“12.5” rather than “12.500”, which some read as twelve thousand five hundred."""
    return f"{value.normalize():f}"


def _is_same(text: str | None, before: str | None) -> bool:
    """Whether two texts say the same; browsers send other line ends than are stored."""
    return (text or "").split() == (before or "").split()


class CountryField(forms.ChoiceField):
    """A country by name. A code that isn't known, from an old row, stays on offer."""

    def __init__(self, *, stored: str = "") -> None:
        countries = list_countries()
        unknown = [(stored, stored)] if stored and stored not in dict(countries) else []
        super().__init__(
            label=_("Country"),
            required=False,
            choices=[("", "–"), *countries, *unknown],
            error_messages={"invalid_choice": _("Choose a country from the list.")},
        )


class AccountField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """The person who looks after a customer's seats. A closed account stays until another is chosen."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            User.objects.filter(is_active=True),
            label=gettext_lazy("Account"),
            required=False,
            help_text=gettext_lazy(
                "This person sees all seats that were or will be invoiced to the customer under “Group purchases”, and "
                "hands out their codes. Whoever was chosen before no longer sees them. No one is told by e-mail."
            ),
            error_messages={"invalid_choice": gettext_lazy("This account is closed or gone. Choose another.")},
            **options,
        )


class CustomerForm(PartyFormMixin, WagtailAdminModelForm):  # type: ignore[misc]  # untyped
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"] = CountryField(stored=self.instance.country)
        if (account := self.fields.get("account")) is None:
            return
        # With it come the codes of all courses, so a role for some courses doesn't cover it.
        if self.for_user is None or not may(self.for_user, Action.INVOICE_ISSUE):
            del self.fields["account"]
            return
        field = AccountField(widget=account.widget)
        field.queryset = User.objects.filter(Q(is_active=True) | Q(pk=self.instance.account_id))
        self.fields["account"] = field

    def save(self, commit: bool = True) -> Any:
        if self.instance.pk is None and self.for_user is not None:
            self.instance.created_by = self.for_user
        with transaction.atomic():
            customer = super().save(commit=commit)
            if commit and "account" in self.changed_data:
                give_seats_to_account(customer_id=customer.pk, by_id=self.for_user.pk)
        return customer


class CustomerInput(AdminSnippetChooser):  # type: ignore[misc]  # untyped
    """Names no customer beside those that can be chosen."""

    def __init__(self, customers: QuerySet[Customer]) -> None:
        super().__init__(Customer)
        self.customers = customers

    def get_instance(self, value: Any) -> Customer | None:
        instance: Customer | None = super().get_instance(value)
        return self.customers.filter(pk=instance.pk).first() if instance is not None else None


class PercentField(forms.DecimalField):
    def __init__(self, **options: Any) -> None:
        outside = gettext_lazy("Enter a percentage from 0 to 100.")
        super().__init__(
            required=False,
            max_digits=6,
            decimal_places=3,
            min_value=0,
            max_value=100,
            widget=forms.TextInput(attrs=DECIMAL),
            error_messages={"invalid": outside, "min_value": outside, "max_value": outside},
            **options,
        )


class InvoiceForm(PartyFormMixin, forms.ModelForm):  # type: ignore[type-arg]
    """What an invoice says, beside its lines."""

    company = forms.CharField(label=gettext_lazy("Company"), required=False, max_length=255)
    tax_rate = PercentField(
        label=gettext_lazy("Tax rate in percent"), help_text=gettext_lazy("Leave it empty to charge no tax.")
    )

    class Meta:
        model = Invoice
        fields = (
            "customer",
            *PARTY_FIELDS,
            "po_number",
            "internal_reference",
            "series",
            "currency",
            "payment_days",
            "due_on",
            "tax_rate",
            "is_reverse_charge",
            "note",
        )
        widgets = {
            "street": forms.Textarea(attrs={"rows": 2}),
            "recipients": forms.Textarea(attrs={"rows": 3}),
            "note": forms.Textarea(attrs={"rows": 3}),
            "due_on": AdminDateInput,
        }
        error_messages = {
            "customer": {"required": gettext_lazy("Choose the customer. Save a new one under Customers first.")}
        }

    # Title and fields of each part of the page.
    GROUPS = (
        (gettext_lazy("Customer"), ("customer",)),
        (
            gettext_lazy("Billed to"),
            ("company", "contact_name", "recipients", "street", "postal_code", "city", "region", "country", "tax_id"),
        ),
        (gettext_lazy("References"), ("po_number", "internal_reference", "series")),
        (
            gettext_lazy("Terms"),
            ("currency", "payment_days", "due_on", "tax_rate", "is_reverse_charge", "note"),
        ),
    )

    def __init__(self, *args: Any, shop: ShopSettings, customers: QuerySet[Customer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"] = CountryField(stored=self.instance.country)
        if isinstance(rate := self.initial.get("tax_rate"), Decimal):
            self.initial["tax_rate"] = _write_percent(rate)
        self.fields["customer"].queryset = customers  # type: ignore[attr-defined]
        self.fields["customer"].widget = CustomerInput(customers)
        self.fields["customer"].help_text = _("What you leave empty below is copied from the customer.")
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), choices=[(each, each) for each in current_shop().currencies]
        )
        self.fields["series"] = forms.ChoiceField(
            label=_("Series"),
            choices=[(each, each) for each in settings.INVOICE_SERIES],
            help_text=_("Numbers have no gaps in each series and year."),
        )
        if len(settings.INVOICE_SERIES) == 1:
            self.fields["series"].widget = forms.HiddenInput()
        if not (shop.reverse_charge_note or self.instance.is_reverse_charge):
            del self.fields["is_reverse_charge"]
        else:
            self.fields["is_reverse_charge"].help_text = _("The customer owes the tax: none is charged.")

    def clean(self) -> dict[str, Any]:
        """Take the address of another customer, where the one before it was left as it was."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        customer, before = cleaned.get("customer"), self.initial.get("customer")
        self.has_new_customer = customer is not None and before is not None and customer.pk != before
        if self.has_new_customer:
            for part in PARTS_OF_PARTY:
                if all(_is_same(cleaned.get(name), self.initial.get(name)) for name in part):
                    cleaned |= {name: getattr(customer, name) for name in part}
        return cleaned

    def get_groups(self) -> list[tuple[Any, list[forms.BoundField]]]:
        return [
            (title, [self[name] for name in names if name in self.fields and not self.fields[name].widget.is_hidden])
            for title, names in self.GROUPS
        ]

    @staticmethod
    def initial_for(customer: Customer | None, shop: ShopSettings) -> dict[str, Any]:
        initial: dict[str, Any] = {
            "series": settings.INVOICE_SERIES[0],
            "currency": current_shop().currency,
            "payment_days": shop.invoice_payment_days,
            "tax_rate": _write_percent(shop.invoice_tax_rate) if shop.invoice_tax_rate is not None else "",
        }
        if customer is not None:
            initial |= {"customer": customer.pk, **{name: getattr(customer, name) for name in PARTY_FIELDS}}
        return initial


class SeatsField(forms.IntegerField):
    """A number of seats. Decimals are refused, never cut off."""

    def __init__(self, *, has_codes: bool = True, **options: Any) -> None:
        super().__init__(
            min_value=1,
            max_value=MAX_SEATS if has_codes else MAX_FREE_SEATS,
            widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
            error_messages={
                "invalid": gettext_lazy("Enter a whole number of seats."),
                "min_value": gettext_lazy("Enter at least 1 seat."),
                "max_value": gettext_lazy("Enter at most 1,000 seats; use another invoice for more.")
                if has_codes
                else gettext_lazy("Enter at most 100,000 seats."),
            },
            **options,
        )


class InvoiceLineForm(forms.Form):
    """Seats of one course. A line without a course keeps what it is: seats or a sum of a contract."""

    product = forms.ModelChoiceField(
        label=gettext_lazy("Course"), queryset=Product.objects.none(), required=False, empty_label=gettext_lazy("–")
    )
    title = forms.CharField(label=gettext_lazy("Description"), max_length=255, required=False)
    seats = SeatsField(label=gettext_lazy("Seats"), required=False)
    unit_price = forms.DecimalField(
        label=gettext_lazy("Unit price"), required=False, max_digits=12, widget=forms.TextInput(attrs=DECIMAL)
    )
    discount_percent = PercentField(label=gettext_lazy("Discount in percent"))
    is_lump_sum = forms.BooleanField(required=False, widget=forms.HiddenInput)
    is_free_text = forms.BooleanField(required=False, widget=forms.HiddenInput)
    removed = forms.BooleanField(label=gettext_lazy("Remove"), required=False)

    def __init__(self, *args: Any, products: Sequence[Product], currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.by_id = {product.pk: product for product in products}
        field = cast("forms.ModelChoiceField[Product]", self.fields["product"])
        field.queryset = Product.objects.filter(pk__in=self.by_id)
        field.choices = [("", "–"), *((product.pk, name_product(product)) for product in products)]
        self.is_free = self._reads("is_free_text")
        if self.is_free:
            del self.fields["product"]
            self.fields["seats"] = SeatsField(label=_("Seats"), required=False, has_codes=False)
        else:
            self.fields["title"].help_text = _("Empty: the course’s title.")
        if self._reads("is_lump_sum"):
            self.fields["seats"].widget = forms.HiddenInput()

    @property
    def is_empty(self) -> bool:
        data = self.cleaned_data
        return bool(data.get("removed")) or not any(
            data.get(name) for name in ("product", "title", "seats", "unit_price", "discount_percent")
        )

    def full_clean(self) -> None:
        super().full_clean()
        if self.is_bound and self.cleaned_data.get("removed"):
            self.errors.clear()  # whatever is wrong with a line that is taken out

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors or self.is_empty:
            return cleaned
        if not self.is_free and cleaned.get("product") is None:
            self.add_error("product", _("Choose the course."))
        if self.is_free and not cleaned.get("title"):
            self.add_error("title", _("Describe what is invoiced."))
        if cleaned.get("seats") is None:
            self.add_error("seats", _("Enter the number of seats."))
        price = cleaned.get("unit_price")
        if price is None:
            self.add_error("unit_price", _("Enter the price of one seat; 0 for nothing."))
        elif (problem := find_amount_problem(price, self.currency)) is not None:
            self.add_error("unit_price", problem)
        elif price * (cleaned.get("seats") or 1) >= Decimal(10) ** 8:
            self.add_error("unit_price", _("The line must be below 100,000,000."))
        return cleaned

    def to_line(self) -> DraftLine:
        data = self.cleaned_data
        return DraftLine(
            product=self.by_id[data["product"].pk] if data.get("product") is not None else None,
            title=data["title"],
            seats=data["seats"],
            unit_price=data["unit_price"],
            discount_percent=data["discount_percent"] or Decimal(0),
            is_lump_sum=self.is_free and data["is_lump_sum"] and data["seats"] == 1,
        )

    def _reads(self, name: str) -> bool:
        field = self.fields[name]
        value = self[name].value()
        return bool(field.clean(value)) if value not in (None, "", "False", False) else False


class BaseLineFormSet(BaseFormSet[InvoiceLineForm]):
    def clean(self) -> None:
        """Refuse an invoice that has a course twice."""
        seen: set[int] = set()
        for form in self.forms:
            if form.errors or form.is_empty or (product := form.cleaned_data.get("product")) is None:
                continue
            if product.pk in seen:
                form.add_error("product", _("This course is on another line already. Put all its seats on one line."))
            seen.add(product.pk)

    def to_lines(self) -> list[DraftLine]:
        return [form.to_line() for form in self.forms if not form.is_empty]


LineFormSet = formset_factory(
    InvoiceLineForm, formset=BaseLineFormSet, extra=0, max_num=MAX_LINES, absolute_max=MAX_LINES
)


def products_to_invoice(invoice: Invoice | None, scope: ShopScope = WHOLE_SHOP) -> list[Product]:
    """Return the products on offer, and those that the draft has even if they are no longer on sale."""
    products = list(sellable_products(clock.now(), scope))
    known = {product.pk for product in products}
    if invoice is not None and invoice.pk is not None:
        lines = invoice.lines.select_related("product__course_run__course").exclude(product=None)
        products += [line.product for line in lines if line.product is not None and line.product_id not in known]
    return products


def name_product(product: Product) -> str:
    """“Statistics, 12 Jan – 9 Mar 2027 ($249.00)”."""
    run = product.course_run
    dates = format_run_dates(run, clock.now()) if run is not None else ""
    title = ", ".join(part for part in (product.title, dates) if part)
    return f"{title} ({product.money.formatted()}, {product.get_mode_display()})"


def initial_lines(invoice: Invoice | None, *, blank: int = BLANK_LINES) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    if invoice is not None and invoice.pk is not None:
        lines = [
            {
                "product": line.product_id,
                "title": line.title if line.product is None or line.title != line.product.title else "",
                "seats": line.seats,
                "unit_price": Money(line.unit_price, invoice.currency).amount,
                "discount_percent": _write_percent(line.discount_percent) if line.discount_percent else "",
                "is_lump_sum": line.is_lump_sum,
                "is_free_text": line.product_id is None,
            }
            for line in invoice.lines.select_related("product__course_run").order_by("pk")
        ]
    return lines + [{} for _number in range(blank if not lines else 1)]


def read_typed_lines(data: QueryDict, prefix: str, *, more: int) -> list[dict[str, Any]]:
    """Return what was typed into the lines, unchecked, and some empty lines."""
    total = data.get(f"{prefix}-TOTAL_FORMS", "0")
    count = min(int(total) if total.isdecimal() and len(total) < 5 else 0, MAX_LINES)
    names = list(InvoiceLineForm.base_fields)
    lines = [{name: data.get(f"{prefix}-{number}-{name}", "") for name in names} for number in range(count)]
    return [*lines, *({} for _number in range(min(more, MAX_LINES - count)))]


class MoneyMovedForm(forms.Form):
    """Money that came or went. The currency is asked too, because banks credit in any."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount"),
        max_digits=12,
        widget=forms.TextInput(attrs=DECIMAL),
        error_messages={
            "required": gettext_lazy("Enter the amount."),
            "invalid": gettext_lazy("Enter an amount, such as 1249.00."),
        },
    )
    currency = forms.CharField(label=gettext_lazy("Currency"), max_length=3)
    happened_on = forms.DateField(
        label=gettext_lazy("Day"),
        widget=AdminDateInput,
        error_messages={"required": gettext_lazy("Enter the day on which the money moved.")},
    )
    reference = forms.CharField(
        label=gettext_lazy("Reference"),
        required=False,
        max_length=255,
        help_text=gettext_lazy("Such as the bank’s number of the transfer."),
    )
    # Names this payment, so that a form posted twice records one.
    posted_as = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice = invoice

    @staticmethod
    def initial_for(invoice: Invoice, amount: Money) -> dict[str, Any]:
        return {
            "amount": amount.amount,
            "currency": invoice.currency,
            "happened_on": clock.today(),
            "posted_as": uuid.uuid4(),
        }

    def clean_currency(self) -> str:
        currency = read_currency(self.cleaned_data["currency"])
        try:
            minor_digits(currency)
        except ValueError:
            raise ValidationError(_("“%(code)s” is no currency.") % {"code": currency}) from None
        return currency

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        amount, currency = cleaned.get("amount"), cleaned.get("currency")
        if amount is not None and currency and (problem := find_amount_problem(amount, currency)) is not None:
            self.add_error("amount", problem)
        return cleaned

    def to_moved(self) -> MoneyMoved:
        data = self.cleaned_data
        return MoneyMoved(
            money=Money(data["amount"], data["currency"]),
            happened_on=data["happened_on"],
            posted_as=data["posted_as"],
            reference=data["reference"],
        )


class ReversalForm(ReasonForm):
    posted_as = forms.UUIDField(widget=forms.HiddenInput)


class VoidForm(ReasonForm):
    """Why an invoice is voided. Where seats are used, what becomes of them is decided expressly."""

    keeps_used = forms.BooleanField(required=False)
    field_order = ("keeps_used", "reason")

    def __init__(self, *args: Any, used: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not used:
            del self.fields["keeps_used"]
            return
        self.fields["keeps_used"].label = _("People who used a code keep their course: %(count)d") % {"count": used}


class SumField(forms.DecimalField):
    """An amount of a lump sum, tax included."""

    def __init__(self, line: LineOfInvoice) -> None:
        self.left = line.sum_left
        super().__init__(
            label=_("Amount to credit: %(title)s") % {"title": line.line.title},
            required=False,
            min_value=0,
            max_digits=12,
            widget=forms.TextInput(attrs=DECIMAL),
            help_text=_("Up to %(left)s, tax included.") % {"left": self.left.formatted()},
            error_messages={"invalid": _("Enter an amount, such as 1249.00.")},
        )

    def clean(self, value: Any) -> Money | None:
        amount = super().clean(value)
        if amount is None:
            return None
        if (problem := find_amount_problem(amount, self.left.currency)) is not None:
            raise ValidationError(problem)
        if amount > self.left.amount:
            raise ValidationError(_("At most %(left)s is left to credit.") % {"left": self.left.formatted()})
        return Money(amount, self.left.currency)


class CreditForm(ReasonForm):
    """How many seats of each line, and how much of each lump sum, are credited, and why."""

    posted_as = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, lines: Sequence[LineOfInvoice], counts: dict[int, LineCodes], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].help_text = _("Printed on the credit note.")
        self.lines = [each for each in lines if each.can_be_credited]
        for each in self.lines:
            self.fields[_name_line(each)] = (
                SumField(each) if each.line.is_lump_sum else _seats_field(each, counts.get(each.line.pk))
            )
        if any(count.used for count in counts.values()):
            self.fields["takes_used"] = forms.BooleanField(
                label=_("Credit seats that are used too; those people keep their course"), required=False
            )
        self.order_fields([*map(_name_line, self.lines), "takes_used", "reason"])

    def to_request(self) -> CreditRequest:
        data = self.cleaned_data
        return CreditRequest(
            seats={each.line.pk: data[_name_line(each)] or 0 for each in self.lines if not each.line.is_lump_sum},
            reason=data["reason"],
            takes_used=bool(data.get("takes_used")),
            amounts={
                each.line.pk: data[_name_line(each)]
                for each in self.lines
                if each.line.is_lump_sum and data[_name_line(each)] is not None
            },
        )

    @property
    def hidden_inputs(self) -> list[tuple[str, str]]:
        """What was entered, for the page that asks to confirm it."""
        return [(name, str(self.data.get(name))) for name in self.fields if self.data.get(name) not in (None, "")]


def _name_line(line: LineOfInvoice) -> str:
    return f"line_{line.line.pk}"


def _seats_field(line: LineOfInvoice, count: LineCodes | None) -> forms.IntegerField:
    return forms.IntegerField(
        label=_("Seats to credit: %(title)s") % {"title": line.line.title},
        required=False,
        min_value=0,
        max_value=line.seats_left,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text=_describe_left(line, count),
        error_messages={
            "min_value": _("Enter a number of seats, or leave it empty."),
            "max_value": _("At most %(left)d are left to credit.") % {"left": line.seats_left},
            "invalid": _("Enter a whole number of seats."),
        },
    )


def _describe_left(line: LineOfInvoice, count: LineCodes | None) -> str:
    left = _("%(left)d of %(seats)d seats can be credited.") % {"left": line.seats_left, "seats": line.line.seats}
    if count is None:
        return left
    return f"{left} " + _("Codes: %(used)d used, %(free)d unused.") % {"used": count.used, "free": count.free}
