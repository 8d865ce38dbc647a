"""The codes of invoiced seats, and what taking seats back from an invoice would do to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.db.models import Count, Q

from ecommerce.models import Invoice, SeatSale
from ecommerce.selectors.invoice_amounts import share_of
from ecommerce.selectors.invoices import LineOfInvoice, read_lines
from mitxonline.kernel.fingerprint import fingerprint
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class LineCodes:
    """The codes of one line: `used` by someone, `free` to be used, and `off`."""

    used: int = 0
    free: int = 0
    off: int = 0


@dataclass(frozen=True, slots=True)
class CreditRequest:
    """The seats to take back by line, and the amounts of lump sums, tax included.

    ``takes_used`` also seats that are used: their people keep the course.
    """

    seats: Mapping[int, int]
    reason: str
    takes_used: bool = False
    amounts: Mapping[int, Money] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreditedLine:
    """What a credit note takes from one line."""

    line: LineOfInvoice
    seats: int
    net: Money
    tax: Money
    codes_off: int
    used: int  # of the seats: whose people keep their course

    @property
    def gross(self) -> Money:
        return self.net + self.tax


@dataclass(frozen=True, slots=True)
class CreditPlan:
    """What a credit note will do."""

    invoice: Invoice
    request: CreditRequest
    lines: tuple[CreditedLine, ...]

    @property
    def amount(self) -> Money:
        return Money.sum((each.gross for each in self.lines), self.invoice.currency)

    @property
    def tax(self) -> Money:
        return Money.sum((each.tax for each in self.lines), self.invoice.currency)

    @property
    def codes_off(self) -> int:
        return sum(each.codes_off for each in self.lines)

    @property
    def used(self) -> int:
        return sum(each.used for each in self.lines)

    @property
    def balance_after(self) -> Money:
        return self.invoice.balance - self.amount

    def fingerprint(self) -> str:
        return fingerprint(
            self.invoice.number,
            str(self.balance_after),
            self.request.reason,
            [(each.line.line.pk, each.seats, str(each.gross), each.codes_off, each.used) for each in self.lines],
        )


@dataclass(frozen=True, slots=True)
class VoidPlan:
    """What voiding will do: `free` codes are switched off, people who `used` one keep their course."""

    invoice: Invoice
    counts: Mapping[int, LineCodes] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return sum(each.free for each in self.counts.values())

    @property
    def used(self) -> int:
        return sum(each.used for each in self.counts.values())

    def fingerprint(self) -> str:
        return fingerprint(self.invoice.number, str(self.invoice.state), self.free, self.used)


def count_seats(invoice: Invoice) -> dict[int, LineCodes]:
    """Return the codes of each line that has any, by the line's id. One query."""
    is_used, is_active = Q(discount__codes__uses__gt=0), Q(discount__codes__active=True)
    rows = SeatSale.objects.filter(invoice_line__invoice=invoice).order_by()
    counted = rows.values_list("invoice_line").annotate(
        used=Count("discount__codes", filter=is_used),
        free=Count("discount__codes", filter=is_active & ~is_used),
        off=Count("discount__codes", filter=~is_active & ~is_used),
    )
    return {line_id: LineCodes(used, free, off) for line_id, used, free, off in counted}


def plan_credit(invoice: Invoice, request: CreditRequest) -> CreditPlan:
    """Return what the credit note will do; whether it may is checked by the service."""
    counts = count_seats(invoice)
    lines = []
    for line in read_lines(invoice):
        amount, seats = request.amounts.get(line.line.pk), request.seats.get(line.line.pk)
        if line.line.is_lump_sum and amount:
            lines.append(_plan_sum(line, amount))
        elif seats and not line.line.is_lump_sum:
            lines.append(_plan_line(line, seats, counts.get(line.line.pk, LineCodes())))
    return CreditPlan(invoice, request, tuple(lines))


def plan_void(invoice: Invoice) -> VoidPlan:
    return VoidPlan(invoice, count_seats(invoice))


def _plan_line(line: LineOfInvoice, seats: int, counts: LineCodes) -> CreditedLine:
    # After it, no more codes work than seats are paid for. Codes that staff switched off before count towards it.
    seats_after = max(line.seats_left - seats, 0)
    kept = max(seats_after - counts.used, 0)
    before, whole = Decimal(line.credited_seats), Decimal(line.line.seats)
    taken = Decimal(min(seats, line.seats_left))
    return CreditedLine(
        line=line,
        seats=seats,
        net=share_of(line.net, whole=whole, before=before, taken=taken),
        tax=share_of(line.tax, whole=whole, before=before, taken=taken),
        codes_off=max(counts.free - kept, 0),
        used=max(counts.used - seats_after, 0),
    )


def _plan_sum(line: LineOfInvoice, amount: Money) -> CreditedLine:
    """Split an amount of a lump sum. Its tax is the share in what is credited so far, so that all comes to the line."""
    taken, whole = min(amount, line.sum_left), line.gross
    tax = whole.zero
    if not whole.is_zero:
        tax = share_of(line.tax, whole=whole.amount, before=line.credited.amount, taken=taken.amount)
    return CreditedLine(line=line, seats=0, net=amount - tax, tax=tax, codes_off=0, used=0)
