"""Invoices to organizations that pay outside the shop, and the customers they go to.

An issued invoice never changes: triggers refuse it, also to raw SQL (migration “invoices_stay_as_issued”). What happens
to it afterwards are entries, which are only ever added.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from courses.enums import EnrollmentMode
from ecommerce.enums import (
    OPEN_INVOICE_STATES,
    InvoiceAge,
    InvoiceEntryKind,
    InvoiceStanding,
    InvoiceState,
)
from ecommerce.models.fields import amount_field, currency_field
from ecommerce.models.product import MAX_SEATS, Product, default_currency
from mitxonline.kernel.addresses import format_address
from mitxonline.kernel.db import LockableQuerySet
from mitxonline.kernel.models import TracedModel
from mitxonline.kernel.money import Money

MAX_PAYMENT_DAYS = 365
COUNTRY = RegexValidator(r"^[A-Z]{2}$", _("Enter the country’s two letters, such as US or IE."))


def percent_field(verbose_name: Any, **options: Any) -> models.DecimalField[Any, Any]:
    """Make a column for a percentage from 0 to 100."""
    limits = [MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(100))]
    return models.DecimalField(verbose_name, max_digits=6, decimal_places=3, validators=limits, **options)


class BilledParty(models.Model):
    """Whom an invoice is made out to. Customers have it to be copied, invoices to be printed."""

    company = models.CharField(_("company"), max_length=255)
    contact_name = models.CharField(_("contact"), max_length=255, blank=True)
    recipients = models.TextField(
        _("send invoices to"), max_length=2000, blank=True, help_text=_("E-mail addresses, one on each line.")
    )
    street = models.TextField(_("street"), max_length=255, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=40, blank=True)
    city = models.CharField(_("city"), max_length=255, blank=True)
    region = models.CharField(_("state or region"), max_length=255, blank=True)
    country = models.CharField(
        _("country"), max_length=2, blank=True, validators=[COUNTRY], help_text=_("Two letters (ISO 3166).")
    )
    tax_id = models.CharField(_("buyer’s tax number"), max_length=60, blank=True)

    class Meta:
        abstract = True

    @property
    def addresses(self) -> list[str]:
        return self.recipients.split()

    @property
    def address_lines(self) -> list[str]:
        return format_address(
            street=self.street,
            postal_code=self.postal_code,
            city=self.city,
            region=self.region,
            country=self.country,
        )


PARTY_FIELDS = tuple(field.name for field in BilledParty._meta.local_fields)


class Customer(BilledParty):
    """A company that gets invoices, kept so that it needn't be typed again."""

    note = models.TextField(_("note"), max_length=2000, blank=True, help_text=_("Only staff can read this."))
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("The person who sees the seats that are invoiced and hands out their codes. May be empty."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("created by"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = LockableQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        ordering = ["company", "pk"]

    def __str__(self) -> str:
        return f"{self.company} ({self.city})" if self.city else self.company


class InvoiceQuerySet(LockableQuerySet["Invoice"]):
    def issued(self) -> Self:
        return self.exclude(state=InvoiceState.DRAFT)

    def open(self) -> Self:
        """Return the invoices on which something is still due."""
        return self.filter(state__in=OPEN_INVOICE_STATES)

    def overdue(self, today: date) -> Self:
        """Return the open invoices whose due date has passed. On the due date itself an invoice isn't overdue."""
        return self.open().filter(due_on__lt=today)

    def standing(self, standing: str, today: date) -> Self:
        """Return the invoices that people see in this state today."""
        if standing == InvoiceStanding.OVERDUE:
            return self.overdue(today)
        found = self.filter(state=standing)
        return found.filter(due_on__gte=today) if standing in OPEN_INVOICE_STATES else found

    def aged(self, age: str, today: date) -> Self:
        """Return the open invoices of this age, counted in days after the due date."""
        first, last = _AGES[InvoiceAge(age)]
        found = self.open()
        if first is not None:
            found = found.filter(due_on__lte=today - timedelta(days=first))
        return found if last is None else found.filter(due_on__gte=today - timedelta(days=last))

    def with_amounts(self) -> Self:
        """Annotate what is still to be paid (`open_amount`), and what is owed to the customer (`owed_amount`)."""
        left = F("total") - F("credited_total") - F("paid_total")
        is_settled = Q(state__in=(InvoiceState.DRAFT, InvoiceState.VOID))
        zero = Value(Decimal(0))
        return self.annotate(
            open_amount=Case(When(is_settled, then=zero), default=Greatest(left, zero)),
            owed_amount=Case(When(is_settled, then=zero), default=Greatest(-left, zero)),
        )

    def with_age(self, today: date) -> Self:
        """Annotate `age`, empty where nothing is due."""
        is_open = Q(state__in=OPEN_INVOICE_STATES)
        whens = [
            When(is_open & Q(due_on__gte=today - timedelta(days=last)), then=Value(str(age)))
            for age, (_first, last) in _AGES.items()
            if last is not None
        ]
        return self.annotate(
            age=Case(
                *whens,
                When(is_open, then=Value(str(InvoiceAge.OVER_90))),
                default=Value(""),
                output_field=CharField(),
            )
        )


# The first and the last day after the due date.
_AGES: dict[InvoiceAge, tuple[int | None, int | None]] = {
    InvoiceAge.NOT_DUE: (None, 0),
    InvoiceAge.UP_TO_30: (1, 30),
    InvoiceAge.UP_TO_60: (31, 60),
    InvoiceAge.UP_TO_90: (61, 90),
    InvoiceAge.OVER_90: (91, None),
}


class Invoice(BilledParty):
    """A demand for payment. As a draft it has no number and can change; issuing numbers and freezes it."""

    customer = models.ForeignKey(
        Customer, verbose_name=_("customer"), on_delete=models.PROTECT, related_name="invoices"
    )
    state = models.CharField(_("state"), max_length=20, choices=InvoiceState, default=InvoiceState.DRAFT)
    series = models.CharField(_("series"), max_length=12)
    year = models.PositiveSmallIntegerField(_("year"), null=True, blank=True, editable=False)
    sequence = models.PositiveIntegerField(_("number in the series and year"), null=True, blank=True, editable=False)
    number = models.CharField(_("number"), max_length=32, blank=True, editable=False)
    currency = currency_field(_("currency"), default=default_currency)
    po_number = models.CharField(
        _("purchase order"),
        max_length=100,
        blank=True,
        help_text=_("The customer’s reference, printed on the invoice."),
    )
    internal_reference = models.CharField(
        _("our reference"), max_length=100, blank=True, help_text=_("Only staff can read this.")
    )
    payment_days = models.PositiveSmallIntegerField(
        _("days to pay"),
        default=30,
        validators=[MaxValueValidator(MAX_PAYMENT_DAYS)],
        help_text=_("Counted from the day it is issued."),
    )
    due_on = models.DateField(
        _("due date"), null=True, blank=True, help_text=_("Leave it empty to count the days to pay.")
    )
    note = models.TextField(_("note to the customer"), max_length=1000, blank=True)
    tax_rate = percent_field(_("tax rate in percent"), null=True, blank=True)
    is_reverse_charge = models.BooleanField(_("reverse charge"), default=False, db_default=False)
    # Copied from the shop's settings when it is issued.
    tax_name = models.CharField(_("name of the tax"), max_length=40, blank=True, editable=False)
    tax_note = models.TextField(_("note on the tax"), max_length=500, blank=True, editable=False)
    seller_name = models.CharField(_("seller"), max_length=255, blank=True, editable=False)
    seller_address = models.TextField(_("seller’s address"), max_length=500, blank=True, editable=False)
    seller_tax_id = models.CharField(_("seller’s tax number"), max_length=60, blank=True, editable=False)
    payment_instructions = models.TextField(_("how to pay"), max_length=1000, blank=True, editable=False)
    net_total = amount_field(_("net"), default=0)
    tax_total = amount_field(_("tax"), default=0)
    total = amount_field(_("total"), default=0)
    paid_total = amount_field(_("paid"), default=0, editable=False)
    credited_total = amount_field(_("credited"), default=0, editable=False)
    reminders_paused = models.BooleanField(_("reminders are paused"), default=False, db_default=False)
    issued_at = models.DateTimeField(_("issued"), null=True, blank=True, editable=False)
    issued_on = models.DateField(_("invoice date"), null=True, blank=True, editable=False)
    issued_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("issued by"), null=True, on_delete=models.PROTECT, related_name="+"
    )
    voided_at = models.DateTimeField(_("voided"), null=True, blank=True, editable=False)
    void_reason = models.CharField(_("voided because"), max_length=255, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)

    objects = InvoiceQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        ordering = ["-issued_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "due_on"], name="invoice_state_due"),
            models.Index(fields=["customer", "-issued_at"], name="invoice_customer_issued"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["number"], condition=~Q(number=""), name="invoice_number_once"),
            models.UniqueConstraint(fields=["series", "year", "sequence"], name="invoice_sequence_once"),
            models.CheckConstraint(
                condition=Q(state=InvoiceState.DRAFT, number="", year=None, sequence=None, issued_at=None)
                | ~Q(state=InvoiceState.DRAFT)
                & ~Q(number="")
                & Q(year__isnull=False, sequence__gte=1, issued_at__isnull=False, issued_on__isnull=False)
                & Q(due_on__isnull=False, due_on__gte=F("issued_on")),
                name="invoice_issued_has_a_number",
            ),
            models.CheckConstraint(
                condition=Q(total=F("net_total") + F("tax_total"), net_total__gte=0, tax_total__gte=0),
                name="invoice_totals_add_up",
            ),
            models.CheckConstraint(
                condition=Q(paid_total__gte=0, credited_total__gte=0)
                & Q(paid_total__lte=F("total"), credited_total__lte=F("total")),
                name="invoice_not_overpaid",
            ),
            models.CheckConstraint(
                condition=Q(is_reverse_charge=False) | Q(tax_total=0), name="invoice_reverse_charge_has_no_tax"
            ),
            models.CheckConstraint(
                condition=Q(state=InvoiceState.VOID, voided_at__isnull=False) & ~Q(void_reason="")
                | ~Q(state=InvoiceState.VOID) & Q(voided_at=None, void_reason=""),
                name="invoice_void_has_a_reason",
            ),
            models.CheckConstraint(
                condition=Q(state__in=(InvoiceState.DRAFT, InvoiceState.VOID), paid_total=0, credited_total=0)
                | Q(state=InvoiceState.ISSUED, paid_total=0, credited_total=0, total__gt=0)
                | Q(state=InvoiceState.PART_PAID, total__gt=F("paid_total") + F("credited_total"))
                & (Q(paid_total__gt=0) | Q(credited_total__gt=0))
                | Q(state=InvoiceState.PAID, total__lte=F("paid_total") + F("credited_total"))
                & (Q(credited_total__lt=F("total")) | Q(total=0))
                | Q(state=InvoiceState.CREDITED, credited_total=F("total"), total__gt=0),
                name="invoice_state_follows_amounts",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.pk}"

    @property
    def is_draft(self) -> bool:
        return self.state == InvoiceState.DRAFT

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_INVOICE_STATES

    @property
    def is_alive(self) -> bool:
        """Whether it was issued and isn't void."""
        return self.state not in {InvoiceState.DRAFT, InvoiceState.VOID}

    def standing_on(self, today: date) -> InvoiceStanding:
        is_overdue = self.is_open and self.due_on is not None and self.due_on < today
        return InvoiceStanding.OVERDUE if is_overdue else InvoiceStanding(self.state)

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def net(self) -> Money:
        return Money(self.net_total, self.currency)

    @property
    def tax(self) -> Money:
        return Money(self.tax_total, self.currency)

    @property
    def paid(self) -> Money:
        return Money(self.paid_total, self.currency)

    @property
    def credited(self) -> Money:
        return Money(self.credited_total, self.currency)

    @property
    def balance(self) -> Money:
        """What is still to be paid. Below zero: what we owe the customer after a credit note."""
        return self.money - self.credited - self.paid if self.is_alive else self.money.zero

    def settle_state(self) -> InvoiceState:
        """Return the state that the amounts of an issued invoice come to."""
        if self.total and self.credited_total == self.total:
            return InvoiceState.CREDITED
        if self.paid_total + self.credited_total >= self.total:
            return InvoiceState.PAID
        return InvoiceState.PART_PAID if self.paid_total or self.credited_total else InvoiceState.ISSUED


class InvoiceLine(models.Model):
    """Seats of one course, or what a contract costs: then there is no product, and no codes are made."""

    invoice = models.ForeignKey(Invoice, verbose_name=_("invoice"), on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(
        Product,
        verbose_name=_("course"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="invoice_lines",
    )
    title = models.CharField(_("description"), max_length=255)
    item_id = models.CharField(_("course key"), max_length=255, blank=True)
    mode = models.CharField(_("mode"), max_length=20, choices=EnrollmentMode, blank=True)
    seats = models.PositiveIntegerField(_("seats"), validators=[MinValueValidator(1), MaxValueValidator(MAX_SEATS)])
    is_lump_sum = models.BooleanField(_("lump sum"), default=False, db_default=False)
    unit_price = amount_field(_("unit price"))
    discount_percent = percent_field(_("discount in percent"), default=0)
    net = amount_field(_("net"))
    tax = amount_field(_("tax"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("invoice line")
        verbose_name_plural = _("invoice lines")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["invoice", "product"], name="invoice_line_once_per_product"),
            models.CheckConstraint(
                condition=Q(seats__gte=1, unit_price__gte=0, net__gte=0, tax__gte=0),
                name="invoice_line_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(product=None) | Q(is_lump_sum=False, seats__lte=MAX_SEATS),
                name="invoice_line_of_course_counts_seats",
            ),
            models.CheckConstraint(condition=Q(is_lump_sum=False) | Q(seats=1), name="invoice_line_lump_sum_is_one"),
            models.CheckConstraint(
                condition=Q(discount_percent__gte=0, discount_percent__lte=100), name="invoice_line_discount_in_percent"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seats} × {self.title}"

    @property
    def gives_codes(self) -> bool:
        return self.product_id is not None


class InvoiceEntry(TracedModel):
    """A payment, its reversal, money paid back, or a credit note. Amounts are positive; the kind says their sign."""

    invoice = models.ForeignKey(Invoice, verbose_name=_("invoice"), on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(_("what"), max_length=20, choices=InvoiceEntryKind)
    amount = amount_field(_("amount"))
    tax = amount_field(_("tax"), default=0, help_text=_("Contained in the amount of a credit note."))
    currency = currency_field(_("currency"))
    happened_on = models.DateField(_("day"))
    reference = models.CharField(_("reference"), max_length=255, blank=True)
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    reverses = models.OneToOneField(
        "self", verbose_name=_("reverses"), null=True, blank=True, on_delete=models.PROTECT, related_name="reversal"
    )
    series = models.CharField(_("series"), max_length=12, blank=True)
    year = models.PositiveSmallIntegerField(_("year"), null=True, blank=True)
    sequence = models.PositiveIntegerField(_("number in the series and year"), null=True, blank=True)
    number = models.CharField(_("number"), max_length=32, blank=True)
    posted_as = models.UUIDField(
        _("form"), unique=True, editable=False, help_text=_("Names the form, so that one posted twice counts once.")
    )
    recorded_at = models.DateTimeField(_("recorded"))
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("recorded by"), null=True, on_delete=models.PROTECT, related_name="+"
    )

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("entry of an invoice")
        verbose_name_plural = _("entries of invoices")
        ordering = ["recorded_at", "pk"]
        indexes = [models.Index(fields=["trace_id"], condition=~Q(trace_id=""), name="invoice_entry_by_trace")]
        constraints = [
            # A credit note over seats that cost nothing takes them back for nothing.
            models.CheckConstraint(
                condition=Q(amount__gt=0, tax__gte=0) | Q(kind=InvoiceEntryKind.CREDIT_NOTE, amount=0, tax=0),
                name="invoice_entry_has_an_amount",
            ),
            models.UniqueConstraint(fields=["number"], condition=~Q(number=""), name="credit_note_number_once"),
            models.UniqueConstraint(fields=["series", "year", "sequence"], name="credit_note_sequence_once"),
            models.CheckConstraint(
                condition=Q(kind=InvoiceEntryKind.CREDIT_NOTE, year__isnull=False, sequence__gte=1)
                & ~Q(number="")
                & ~Q(reason="")
                | ~Q(kind=InvoiceEntryKind.CREDIT_NOTE) & Q(number="", series="", year=None, sequence=None, tax=0),
                name="invoice_entry_credit_note_has_a_number",
            ),
            models.CheckConstraint(
                condition=Q(kind=InvoiceEntryKind.REVERSAL, reverses__isnull=False)
                | ~Q(kind=InvoiceEntryKind.REVERSAL) & Q(reverses=None),
                name="invoice_entry_reversal_of_a_payment",
            ),
        ]

    def __str__(self) -> str:
        return self.number or f"{self.get_kind_display()} {self.amount} {self.currency}"

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def can_be_reversed(self) -> bool:
        """Whether it is a payment that wasn't reversed. Read with `reversal`."""
        return self.kind == InvoiceEntryKind.PAYMENT and not hasattr(self, "reversal")


class CreditNoteLine(models.Model):
    """How many seats of a line a credit note takes back, and their share of the line's amounts.

    Of a lump sum it takes an amount and no seats.
    """

    entry = models.ForeignKey(
        InvoiceEntry, verbose_name=_("credit note"), on_delete=models.PROTECT, related_name="lines"
    )
    line = models.ForeignKey(
        InvoiceLine, verbose_name=_("line"), on_delete=models.PROTECT, related_name="credit_note_lines"
    )
    seats = models.PositiveIntegerField(_("seats"))
    net = amount_field(_("net"))
    tax = amount_field(_("tax"))
    codes_off = models.PositiveIntegerField(_("codes switched off"), default=0)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("line of a credit note")
        verbose_name_plural = _("lines of credit notes")
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["entry", "line"], name="credit_note_line_once"),
            models.CheckConstraint(
                condition=Q(net__gte=0, tax__gte=0) & (Q(seats__gte=1) | Q(net__gt=0) | Q(tax__gt=0)),
                name="credit_note_line_counts",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seats} × {self.line_id}"


class InvoiceReminder(models.Model):
    """A reminder that is or was sent: one for each invoice and stage, so that none is sent twice."""

    invoice = models.ForeignKey(Invoice, verbose_name=_("invoice"), on_delete=models.CASCADE, related_name="reminders")
    days = models.SmallIntegerField(_("days after the due date"), help_text=_("Below zero: before it."))
    queued_at = models.DateTimeField(_("queued"))
    claimed_at = models.DateTimeField(_("being sent since"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("payment reminder")
        verbose_name_plural = _("payment reminders")
        ordering = ["queued_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["invoice", "days"], name="invoice_reminder_once")]

    def __str__(self) -> str:
        return f"{self.invoice_id}: {self.days:+d}"
