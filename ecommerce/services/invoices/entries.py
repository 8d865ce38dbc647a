"""What happens to issued invoices: payments, their reversal, money paid back, credit notes, and voiding.

Each of them locks the invoice and adds an entry; the invoice's sums and state follow from its entries.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from ecommerce.enums import InvoiceEntryKind, InvoiceState
from ecommerce.errors.invoices import (
    CreditTooLarge,
    InvoiceHasEntries,
    InvoiceIsVoid,
    InvoiceNotIssued,
    InvoiceUnknown,
    NothingIsDue,
    NothingToCredit,
    NothingToPayBack,
    PaymentAmountNeeded,
    PaymentInFuture,
    PaymentInOtherCurrency,
    PaymentIsSpent,
    PaymentLongBefore,
    PaymentReversedAlready,
    PaymentTooLarge,
    SeatsAreUsed,
    SumTooLarge,
)
from ecommerce.events import CreditNoteIssued, InvoiceVoided
from ecommerce.models import CreditNoteLine, Invoice, InvoiceEntry, SeatSale
from ecommerce.selectors.invoice_seats import CreditPlan, CreditRequest, VoidPlan, plan_credit, plan_void
from ecommerce.selectors.invoices import find_invoice
from ecommerce.services.invoices.numbers import allocate_number
from ecommerce.services.registration.codes import switch_off_unredeemed
from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit, clock
from mitxonline.kernel.fingerprint import PlanChanged, refuse_unless_seen
from mitxonline.kernel.money import Money, minor_digits
from mitxonline.kernel.text import require_text

DAYS_PAID_BEFORE = 366  # some pay before the invoice is issued; a day long before that is a mistyped year


@dataclass(frozen=True, slots=True)
class MoneyMoved:
    """Money that came or went, as finance enters it. ``posted_as`` names the form: posted twice, it counts once."""

    money: Money
    happened_on: date
    posted_as: uuid.UUID
    reference: str = ""


def record_payment(*, invoice_id: int, moved: MoneyMoved, by_id: int | None, now: datetime) -> InvoiceEntry:
    """Record money that arrived for an invoice.

    Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, PaymentInOtherCurrency, PaymentAmountNeeded,
    PaymentInFuture, PaymentLongBefore, NothingIsDue, PaymentTooLarge. More than the balance is refused rather than kept
    as credit: nothing here could say later whose money it is.
    """
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        if (entry := _find_posted(invoice, moved.posted_as)) is not None:
            return entry
        _check_money(invoice, moved, today=clock.date_of(now))
        left = invoice.balance
        if left.is_zero or left.is_negative:
            raise NothingIsDue(number=invoice.number)
        if moved.money > left:
            raise PaymentTooLarge(number=invoice.number, paid=moved.money.formatted(), left=left.formatted())
        return _add_moved(invoice, InvoiceEntryKind.PAYMENT, moved, by_id=by_id, now=now)


def record_payout(*, invoice_id: int, moved: MoneyMoved, by_id: int | None, now: datetime) -> InvoiceEntry:
    """Record money that we returned because a credit note left the customer with too much paid.

    Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, PaymentInOtherCurrency, PaymentAmountNeeded,
    PaymentInFuture, PaymentLongBefore, NothingToPayBack.
    """
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        if (entry := _find_posted(invoice, moved.posted_as)) is not None:
            return entry
        _check_money(invoice, moved, today=clock.date_of(now))
        owed = -invoice.balance if invoice.balance.is_negative else invoice.balance.zero
        if moved.money > owed:
            raise NothingToPayBack(number=invoice.number, owed=owed.formatted(), amount=moved.money.formatted())
        return _add_moved(invoice, InvoiceEntryKind.PAYOUT, moved, by_id=by_id, now=now)


def reverse_payment(
    *, invoice_id: int, entry_id: int, reason: str, posted_as: uuid.UUID, by_id: int | None, now: datetime
) -> InvoiceEntry:
    """Take back a payment of this invoice that was recorded by mistake or bounced. The payment itself stays.

    Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, PaymentReversedAlready, PaymentIsSpent.
    """
    reason = require_text(reason)
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        payment = invoice.entries.filter(pk=entry_id, kind=InvoiceEntryKind.PAYMENT).first()
        if payment is None:
            raise InvoiceUnknown
        if (entry := _find_posted(invoice, posted_as)) is not None:
            return entry
        if InvoiceEntry.objects.filter(reverses=payment).exists():
            raise PaymentReversedAlready
        if payment.amount > invoice.paid_total:
            raise PaymentIsSpent
        reversal = InvoiceEntry(
            kind=InvoiceEntryKind.REVERSAL,
            amount=payment.amount,
            happened_on=clock.date_of(now),
            reason=reason[:255],
            reverses=payment,
            posted_as=posted_as,
        )
        return _add_entry(invoice, reversal, by_id=by_id, now=now)


def plan_credit_note(request: CreditRequest, *, invoice_id: int) -> CreditPlan:
    """Return what a credit note will do. Raises InvoiceUnknown and what `issue_credit_note` raises."""
    invoice = find_invoice(invoice_id)
    _refuse_unless_alive(invoice)
    plan = plan_credit(invoice, request)
    _check_credit(plan)
    return plan


def issue_credit_note(
    request: CreditRequest, *, invoice_id: int, seen: str, posted_as: uuid.UUID, by_id: int | None, now: datetime
) -> InvoiceEntry:
    """Take seats back from an invoice: their share of its amounts, and as many codes that no one has used.

    Of lump sums it takes amounts. Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, NothingToCredit,
    CreditTooLarge, SumTooLarge, SeatsAreUsed, PlanChanged.
    """
    require_text(request.reason)
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        if (entry := _find_posted(invoice, posted_as)) is not None:
            return entry
        plan = plan_credit(invoice, request)
        _check_credit(plan)
        refuse_unless_seen(seen, plan.fingerprint())
        today = clock.date_of(now)
        number = allocate_number(InvoiceEntry, series=settings.CREDIT_NOTE_SERIES, on=today)
        note = InvoiceEntry(
            kind=InvoiceEntryKind.CREDIT_NOTE,
            amount=plan.amount.amount,
            tax=plan.tax.amount,
            happened_on=today,
            reason=request.reason[:255],
            series=number.series,
            year=number.year,
            sequence=number.sequence,
            number=str(number),
            posted_as=posted_as,
        )
        entry = _add_entry(invoice, note, by_id=by_id, now=now)
        _add_credited_lines(entry, plan, by_id=by_id, now=now)
        publish(CreditNoteIssued(invoice_id=invoice.pk, entry_id=entry.pk))
    return entry


def plan_voiding(*, invoice_id: int) -> VoidPlan:
    """Return what voiding will do. Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, InvoiceHasEntries."""
    invoice = find_invoice(invoice_id)
    _refuse_to_void(invoice)
    return plan_void(invoice)


def void_invoice(
    *, invoice_id: int, reason: str, keeps_used: bool, seen: str, by_id: int | None, now: datetime
) -> Invoice:
    """End an unpaid invoice: it keeps its number, nothing is due on it, and its unused codes are switched off.

    ``keeps_used`` decides that people who used a code keep their course; without it, used seats refuse. Raises
    InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid, InvoiceHasEntries, SeatsAreUsed, PlanChanged.
    """
    reason = require_text(reason)
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        _refuse_to_void(invoice)
        plan, sales = plan_void(invoice), _seat_sales_of(invoice)
        refuse_unless_seen(seen, plan.fingerprint())
        if plan.used and not keeps_used:
            titles = ", ".join(sale.invoice_line.title for sale in sales if sale.invoice_line is not None)
            raise SeatsAreUsed(used=plan.used, title=titles)
        off = sum(switch_off_unredeemed(sale, seats=None, reason=reason, by_id=by_id, now=now) for sale in sales)
        if off < plan.free:
            raise PlanChanged  # someone used one of them at this moment
        invoice.state, invoice.voided_at, invoice.void_reason = InvoiceState.VOID, now, reason[:255]
        invoice.save(update_fields=["state", "voided_at", "void_reason", "updated_at"])
        data: dict[str, audit.Detail] = {"reason": reason, "codes": off, "used": plan.used}
        audit.record(invoice, "ecommerce.invoice.void", by_id=by_id, data=data)
        publish(InvoiceVoided(invoice_id=invoice.pk))
    return invoice


def pause_reminders(*, invoice_id: int, is_paused: bool, by_id: int | None) -> Invoice:
    """Pause or resume the reminders of an invoice. Raises InvoiceUnknown, InvoiceNotIssued, InvoiceIsVoid."""
    with transaction.atomic():
        invoice = _lock_issued(invoice_id)
        if invoice.reminders_paused != is_paused:
            invoice.reminders_paused = is_paused
            invoice.save(update_fields=["reminders_paused", "updated_at"])
            action = "ecommerce.invoice.pause" if is_paused else "ecommerce.invoice.resume"
            audit.record(invoice, action, by_id=by_id)
    return invoice


def _lock_issued(invoice_id: int) -> Invoice:
    invoice = Invoice.objects.locked().filter(pk=invoice_id).first()
    if invoice is None:
        raise InvoiceUnknown
    _refuse_unless_alive(invoice)
    return invoice


def _refuse_unless_alive(invoice: Invoice) -> None:
    if invoice.is_draft:
        raise InvoiceNotIssued
    if invoice.state == InvoiceState.VOID:
        raise InvoiceIsVoid(number=invoice.number)


def _refuse_to_void(invoice: Invoice) -> None:
    _refuse_unless_alive(invoice)
    if invoice.paid_total or invoice.credited_total:
        raise InvoiceHasEntries(number=invoice.number)


def _find_posted(invoice: Invoice, posted_as: uuid.UUID) -> InvoiceEntry | None:
    return invoice.entries.filter(posted_as=posted_as).first()


def _check_money(invoice: Invoice, moved: MoneyMoved, *, today: date) -> None:
    if moved.money.currency != invoice.currency:
        raise PaymentInOtherCurrency(number=invoice.number, currency=invoice.currency, paid=moved.money.currency)
    if moved.money.is_zero or moved.money.is_negative:
        raise PaymentAmountNeeded(digits=minor_digits(invoice.currency))
    if moved.happened_on > today:
        raise PaymentInFuture
    if invoice.issued_on is not None and moved.happened_on < invoice.issued_on - timedelta(days=DAYS_PAID_BEFORE):
        raise PaymentLongBefore(number=invoice.number)


def _check_credit(plan: CreditPlan) -> None:
    if not plan.lines:
        raise NothingToCredit
    for each in plan.lines:
        title = each.line.line.title
        if each.line.line.is_lump_sum:
            if each.gross.is_zero or each.gross.is_negative:
                raise NothingToCredit
            if each.gross > each.line.sum_left:
                raise SumTooLarge(left=each.line.sum_left.formatted(), title=title)
        elif each.seats < 1:
            raise NothingToCredit
        elif each.seats > each.line.seats_left:
            raise CreditTooLarge(left=each.line.seats_left, title=title)
        if each.used and not plan.request.takes_used:
            raise SeatsAreUsed(used=each.used, title=title)


def _add_moved(
    invoice: Invoice, kind: InvoiceEntryKind, moved: MoneyMoved, *, by_id: int | None, now: datetime
) -> InvoiceEntry:
    entry = InvoiceEntry(
        kind=kind,
        amount=moved.money.amount,
        happened_on=moved.happened_on,
        reference=moved.reference[:255],
        posted_as=moved.posted_as,
    )
    return _add_entry(invoice, entry, by_id=by_id, now=now)


def _add_entry(invoice: Invoice, entry: InvoiceEntry, *, by_id: int | None, now: datetime) -> InvoiceEntry:
    entry.invoice, entry.currency = invoice, invoice.currency
    entry.recorded_at, entry.recorded_by_id = now, by_id
    entry.save(force_insert=True)
    if entry.kind == InvoiceEntryKind.CREDIT_NOTE:
        invoice.credited_total += entry.amount
    elif entry.kind == InvoiceEntryKind.PAYMENT:
        invoice.paid_total += entry.amount
    else:
        invoice.paid_total -= entry.amount
    invoice.state = invoice.settle_state()
    invoice.save(update_fields=["paid_total", "credited_total", "state", "updated_at"])
    data: dict[str, audit.Detail] = {"amount": entry.money.formatted(), "reason": entry.reason, "entry_id": entry.pk}
    audit.record(invoice, f"ecommerce.invoice.{entry.kind}", by_id=by_id, data=data)
    return entry


def _add_credited_lines(entry: InvoiceEntry, plan: CreditPlan, *, by_id: int | None, now: datetime) -> None:
    sales = {sale.invoice_line_id: sale for sale in _seat_sales_of(plan.invoice)}
    rows = []
    for each in plan.lines:
        sale, off = sales.get(each.line.line.pk), 0
        if sale is not None and each.codes_off:
            off = switch_off_unredeemed(sale, seats=each.codes_off, reason=entry.reason, by_id=by_id, now=now)
            if off < each.codes_off:
                raise PlanChanged  # someone used one of them at this moment
        rows.append(
            CreditNoteLine(
                entry=entry,
                line=each.line.line,
                seats=each.seats,
                net=each.net.amount,
                tax=each.tax.amount,
                codes_off=off,
            )
        )
    CreditNoteLine.objects.bulk_create(rows)


def _seat_sales_of(invoice: Invoice) -> list[SeatSale]:
    sales = SeatSale.objects.filter(invoice_line__invoice=invoice)
    return list(sales.select_related("invoice_line").order_by("pk"))
