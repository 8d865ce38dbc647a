"""Invoices as finance sees them: one with everything about it, the totals of a list, and what issuing one would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from courses.models import CourseRun
from courses.places import count_left, find_refusal
from ecommerce.enums import InvoiceAge, InvoiceEntryKind, InvoiceState
from ecommerce.errors.invoices import InvoiceUnknown
from ecommerce.models import (
    Customer,
    Invoice,
    InvoiceEntry,
    InvoiceLine,
    InvoiceQuerySet,
    InvoiceReminder,
    Product,
    ShopSettings,
)
from ecommerce.models.invoice import PARTY_FIELDS
from ecommerce.roles import WHOLE_SHOP, ShopScope
from ecommerce.selectors.discount_text import percent_text
from mitxonline.kernel.dates import format_day
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money
from mitxonline.users.models import User

# What a draft says, by the name of its column. Issuing adds the seller, the number and the days.
DRAFT_FIELDS = (
    "customer_id",
    *PARTY_FIELDS,
    "series",
    "currency",
    "po_number",
    "internal_reference",
    "payment_days",
    "due_on",
    "note",
    "tax_rate",
    "is_reverse_charge",
)


@dataclass(frozen=True, slots=True)
class LineOfInvoice:
    """A line with what was credited of it."""

    line: InvoiceLine
    unit_price: Money
    net: Money
    tax: Money
    credited_seats: int
    credited: Money

    @property
    def gross(self) -> Money:
        return self.net + self.tax

    @property
    def discount(self) -> str:
        return percent_text(self.line.discount_percent) if self.line.discount_percent else ""

    @property
    def seats_left(self) -> int:
        return self.line.seats - self.credited_seats

    @property
    def sum_left(self) -> Money:
        """What wasn't credited yet, tax included."""
        return self.gross - self.credited

    @property
    def can_be_credited(self) -> bool:
        """Whether seats are left, or part of a lump sum: of that amounts are credited, not seats."""
        return not self.sum_left.is_zero if self.line.is_lump_sum else self.seats_left > 0


@dataclass(frozen=True, slots=True)
class InvoiceFile:
    """Everything about one invoice."""

    invoice: Invoice
    lines: tuple[LineOfInvoice, ...]
    entries: tuple[InvoiceEntry, ...]
    reminders: tuple[InvoiceReminder, ...]

    @property
    def credit_notes(self) -> list[InvoiceEntry]:
        return [entry for entry in self.entries if entry.kind == InvoiceEntryKind.CREDIT_NOTE]


@dataclass(frozen=True, slots=True)
class CurrencyTotals:
    """The sums of a list of invoices in one currency; drafts and void invoices aren't in them."""

    currency: str
    count: int
    total: Money
    paid: Money
    credited: Money
    open: Money
    ages: tuple[tuple[InvoiceAge, Money], ...]


@dataclass(frozen=True, slots=True)
class PlannedLine:
    line: InvoiceLine
    codes: int


@dataclass(frozen=True, slots=True)
class IssuePlan:
    """What issuing a draft will do. `number` is the next one; another invoice may be issued first and get it."""

    invoice: Invoice
    number: str
    issued_on: date
    due_on: date
    lines: tuple[PlannedLine, ...]
    seller: tuple[str, ...]
    account: User | None  # whose group page shows the seats
    problems: tuple[str, ...]

    @property
    def code_count(self) -> int:
        return sum(each.codes for each in self.lines)

    def fingerprint(self) -> str:
        return fingerprint(
            draft_fingerprint(self.invoice, [each.line for each in self.lines]),
            self.issued_on,
            self.due_on,
            self.seller,
            self.account.pk if self.account is not None else None,
            [each.codes for each in self.lines],
        )


def find_invoice(invoice_id: int) -> Invoice:
    """Return an invoice with its customer. Raises InvoiceUnknown."""
    invoice = Invoice.objects.select_related("customer", "issued_by").filter(pk=invoice_id).first()
    if invoice is None:
        raise InvoiceUnknown
    return invoice


def read_invoice(invoice_id: int) -> InvoiceFile:
    """Return an invoice with everything about it, in a fixed number of queries. Raises InvoiceUnknown."""
    invoice = find_invoice(invoice_id)
    entries = invoice.entries.select_related("recorded_by", "reversal", "reverses").prefetch_related("lines__line")
    return InvoiceFile(
        invoice=invoice,
        lines=read_lines(invoice),
        entries=tuple(entries.order_by("recorded_at", "pk")),
        reminders=tuple(invoice.reminders.all()),
    )


def read_lines(invoice: Invoice) -> tuple[LineOfInvoice, ...]:
    lines = (
        invoice.lines.select_related("product__course_run__course")
        .annotate(
            taken=Sum("credit_note_lines__seats"),
            taken_net=Sum("credit_note_lines__net"),
            taken_tax=Sum("credit_note_lines__tax"),
        )
        .order_by("pk")
    )
    currency = invoice.currency
    return tuple(
        LineOfInvoice(
            line=line,
            unit_price=Money(line.unit_price, currency),
            net=Money(line.net, currency),
            tax=Money(line.tax, currency),
            credited_seats=line.taken or 0,
            credited=Money((line.taken_net or 0) + (line.taken_tax or 0), currency),
        )
        for line in lines
    )


def invoices_at_desk(today: date, scope: ShopScope = WHOLE_SHOP) -> InvoiceQuerySet:
    """Return the invoices within someone's scope, with what is open on them and how old that is."""
    found: InvoiceQuerySet = invoices_in(scope).select_related("customer").with_amounts().with_age(today)
    return found


def invoices_in(scope: ShopScope) -> InvoiceQuerySet:
    """Return the invoices within a scope: with roles in some courses, those over nothing but these courses."""
    if scope.is_whole:
        return Invoice.objects.all()
    lines = InvoiceLine.objects.filter(invoice=OuterRef("pk"))
    inside = Q(product__course_run__course__in=scope.courses)
    return Invoice.objects.filter(Exists(lines), ~Exists(lines.exclude(inside)))


def customers_in(scope: ShopScope, *, user_id: int | None) -> QuerySet[Customer]:
    """Return the customers of invoices within a scope; with a role for the whole shop, all of them.

    Someone who saved a new customer finds it until it has an invoice.
    """
    if scope.is_whole:
        return Customer.objects.all()
    if not scope:
        return Customer.objects.none()
    invoices = Invoice.objects.filter(customer=OuterRef("pk"))
    inside = invoices_in(scope).filter(customer=OuterRef("pk"))
    return Customer.objects.filter(Exists(inside) | Q(~Exists(invoices), created_by=user_id))


def matching_invoices(words: str) -> Q:
    """Match invoices by number, customer, contact, references, course, or the number of a credit note."""
    words = words.strip()
    lines = InvoiceLine.objects.filter(Q(title__icontains=words) | Q(item_id__icontains=words))
    notes = InvoiceEntry.objects.filter(Q(number__icontains=words) | Q(reference__icontains=words))
    return (
        Q(number__icontains=words)
        | Q(company__icontains=words)
        | Q(contact_name__icontains=words)
        | Q(recipients__icontains=words)
        | Q(po_number__icontains=words)
        | Q(internal_reference__icontains=words)
        | Q(pk__in=lines.values("invoice"))
        | Q(pk__in=notes.values("invoice"))
    )


def sum_invoices(found: QuerySet[Invoice], today: date) -> list[CurrencyTotals]:
    """Return the totals of these invoices in each currency, with what is open by age. One query."""
    ids = found.order_by().values("pk")
    counted: QuerySet[Any] = (
        Invoice.objects.filter(pk__in=ids)
        .exclude(state__in=(InvoiceState.DRAFT, InvoiceState.VOID))
        .with_amounts()
        .with_age(today)
    )
    rows = (
        counted.order_by("currency")
        .values_list("currency", "age")
        .annotate(Count("pk"), Sum("total"), Sum("paid_total"), Sum("credited_total"), Sum("open_amount"))
    )
    sums: dict[str, list[Decimal]] = {}
    ages: dict[str, dict[str, Decimal]] = {}
    for currency, age, *numbers in rows:
        before = sums.setdefault(currency, [Decimal(0)] * 5)
        sums[currency] = [one + other for one, other in zip(before, numbers, strict=True)]
        ages.setdefault(currency, {})[age] = numbers[-1]
    return [
        CurrencyTotals(
            currency=currency,
            count=int(count),
            total=Money(total, currency),
            paid=Money(paid, currency),
            credited=Money(credited, currency),
            open=Money(still_open, currency),
            ages=tuple((age, Money(ages[currency].get(age, Decimal(0)), currency)) for age in InvoiceAge),
        )
        for currency, (count, total, paid, credited, still_open) in sums.items()
    ]


def draft_fingerprint(invoice: Invoice, lines: Sequence[InvoiceLine]) -> str:
    """Digest what a draft says, so that a form can tell whether someone else has changed it."""
    return fingerprint(*draft_facts(invoice, lines).items())


def draft_facts(invoice: Invoice, lines: Sequence[InvoiceLine]) -> Mapping[str, object]:
    """Return what a draft says, by what it is called on the form."""
    facts: dict[str, object] = {_name_field(name): _plain(getattr(invoice, name)) for name in DRAFT_FIELDS}
    facts[str(_("lines"))] = [
        (
            line.product_id,
            line.title,
            line.seats,
            line.is_lump_sum,
            _plain(line.unit_price),
            _plain(line.discount_percent),
        )
        for line in lines
    ]
    return facts


def plan_issue(invoice: Invoice, *, number: str, shop: ShopSettings, now: datetime, today: date) -> IssuePlan:
    """Return what issuing this draft today will do, and what is missing for it."""
    lines = list(invoice.lines.select_related("product__course_run").order_by("pk"))
    due_on = invoice.due_on or today + timedelta(days=invoice.payment_days)
    account = invoice.customer.account
    return IssuePlan(
        invoice=invoice,
        number=number,
        issued_on=today,
        due_on=due_on,
        lines=tuple(PlannedLine(line, line.seats if line.gives_codes else 0) for line in lines),
        seller=(
            shop.seller,
            shop.seller_address,
            shop.seller_tax_id,
            shop.invoice_tax_name,
            shop.reverse_charge_note if invoice.is_reverse_charge else "",
            shop.payment_instructions,
        ),
        account=account if account is not None and account.is_active else None,
        problems=tuple(_find_problems(invoice, lines, due_on, shop, now=now, today=today)),
    )


def sellable_products(now: datetime, scope: ShopScope = WHOLE_SHOP) -> QuerySet[Product]:
    """Return the products whose seats can be invoiced: runs on sale that people can enroll in."""
    runs = CourseRun.objects.enrollable(now)
    if not scope.is_whole:
        runs = runs.filter(course__in=scope.courses)
    products: QuerySet[Product] = Product.objects.public().filter(course_run__in=runs.values("pk"))
    return products.select_related("course_run__course").order_by("course_run__title", "course_run__start_date", "pk")


def _find_problems(
    invoice: Invoice, lines: Sequence[InvoiceLine], due_on: date, shop: ShopSettings, *, now: datetime, today: date
) -> list[str]:
    problems = []
    if not lines:
        problems.append(_("The invoice has no lines yet."))
    if not invoice.addresses:
        problems.append(_("Enter at least one e-mail address that the invoice is sent to."))
    if not invoice.address_lines:
        problems.append(_("Enter the customer’s address."))
    if not shop.seller or not shop.seller_address:
        problems.append(_("An invoice names its seller. Enter the seller and its address in the shop’s settings."))
    if invoice.is_reverse_charge and not shop.reverse_charge_note:
        problems.append(_("Reverse charge needs its note. Enter it in the shop’s settings."))
    if invoice.is_reverse_charge and not (invoice.tax_id and shop.seller_tax_id):
        problems.append(_("Reverse charge needs both tax numbers: the customer’s, and yours in the shop’s settings."))
    if due_on < today:
        problems.append(_("The due date, %(day)s, has passed.") % {"day": format_day(due_on)})
    wanted = {line.product_id: line.title for line in lines if line.product_id is not None}
    sold = set(sellable_products(now).filter(pk__in=wanted).values_list("pk", flat=True)) if wanted else set()
    for product_id, title in wanted.items():
        if product_id not in sold:
            problems.append(_("“%(title)s” is no longer on sale, or its enrollment has closed.") % {"title": title})
    return [*problems, *_find_missing_places(lines)]


def _find_missing_places(lines: Sequence[InvoiceLine]) -> list[str]:
    """Say which runs have fewer places left than the lines sell seats."""
    seats: Counter[int] = Counter()
    runs: dict[int, CourseRun] = {}
    for line in lines:
        run = line.product.course_run if line.product is not None and line.gives_codes else None
        if run is not None and run.places is not None:
            seats[run.pk] += line.seats
            runs[run.pk] = run
    left = count_left(runs) if runs else {}
    refusals = (find_refusal(run.title, left=left.get(pk, 0), places=seats[pk]) for pk, run in runs.items())
    return [str(refusal) for refusal in refusals if refusal is not None]


def _name_field(name: str) -> str:
    # “tax_id” is a name of its own; “customer_id” is the column of a relation.
    return str(next(field for field in Invoice._meta.fields if name in {field.name, field.attname}).verbose_name)


def _plain(value: object) -> object:
    """Make equal amounts equal, whatever zeros they are written with."""
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
