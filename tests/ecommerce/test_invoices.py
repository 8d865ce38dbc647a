"""Invoices: amounts that add up, numbers without gaps, what issuing does, and that an issued one never changes."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from ecommerce.enums import InvoiceEntryKind, InvoiceStanding, InvoiceState
from ecommerce.errors.invoices import (
    CreditTooLarge,
    DraftChanged,
    InvoiceHasEntries,
    InvoiceIssuedAlready,
    InvoiceNotReady,
    NothingIsDue,
    NothingToPayBack,
    PaymentInFuture,
    PaymentInOtherCurrency,
    PaymentLongBefore,
    PaymentReversedAlready,
    PaymentTooLarge,
    SeatsAreUsed,
)
from ecommerce.events import InvoiceIssued
from ecommerce.models import DiscountCode, Invoice, InvoiceEntry, InvoiceLine, SeatSale
from ecommerce.selectors.invoice_amounts import compute_line, share_of
from ecommerce.selectors.invoice_seats import CreditRequest, count_seats
from ecommerce.selectors.invoices import draft_fingerprint, sum_invoices
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.invoices import entries
from ecommerce.services.invoices.drafts import delete_draft, save_draft
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.kernel.money import Money
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.invoices import (
    issue,
    line_of,
    make_customer,
    make_draft,
    make_invoice,
    moved,
    pay,
    set_seller,
)
from tests.support.events import deliveries_of

pytestmark = pytest.mark.django_db

TODAY = clock.date_of(NOON)


def use_codes(invoice: Invoice, count: int) -> None:
    """Use some of an invoice's codes, each by someone else, as redemption does."""
    codes = DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=invoice, uses=0, active=True)
    for code in codes.order_by("pk")[:count]:
        use_code(code=code, user_id=make_user().pk, now=NOON)


def credit(invoice: Invoice, seats: int, *, line: int = 0, takes_used: bool = False) -> InvoiceEntry:
    row = invoice.lines.order_by("pk")[line]
    request = CreditRequest({row.pk: seats}, "fewer people came", takes_used)
    plan = entries.plan_credit_note(request, invoice_id=invoice.pk)
    return entries.issue_credit_note(
        request, invoice_id=invoice.pk, seen=plan.fingerprint(), posted_as=uuid.uuid4(), by_id=None, now=NOON
    )


def void(invoice: Invoice, *, keeps_used: bool = False) -> Invoice:
    plan = entries.plan_voiding(invoice_id=invoice.pk)
    return entries.void_invoice(
        invoice_id=invoice.pk,
        reason="wrong customer",
        keeps_used=keeps_used,
        seen=plan.fingerprint(),
        by_id=None,
        now=NOON,
    )


def run_now(sql: str) -> None:
    """Run a statement, and check what is otherwise checked at the end of the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


# Amounts


@pytest.mark.parametrize(
    ("price", "currency", "seats", "discount", "rate", "net", "tax"),
    [
        ("99.99", "USD", 3, "0", "23", "299.97", "68.99"),
        ("0.05", "USD", 1, "50", "10", "0.03", "0.00"),
        ("1000", "JPY", 3, "0", "10", "3000", "300"),
        ("999", "JPY", 1, "33.3", "10", "666", "67"),
        ("1.005", "KWD", 3, "0", "5", "3.015", "0.151"),
        ("100", "USD", 10, "100", "23", "0.00", "0.00"),
    ],
)
def test_each_line_is_rounded_by_itself(
    price: str, currency: str, seats: int, discount: str, rate: str, net: str, tax: str
) -> None:
    amounts = compute_line(
        unit_price=Money(price, currency), seats=seats, discount_percent=Decimal(discount), tax_rate=Decimal(rate)
    )
    assert (str(amounts.net.amount), str(amounts.tax.amount)) == (net, tax)


def test_the_totals_are_the_sums_of_the_lines() -> None:
    lines = [line_of(make_product(make_run()), seats=seats, price="33.33", discount="7.5") for seats in (1, 3, 7)]
    draft = make_draft(*lines, tax_rate=Decimal("19"))
    rows = list(draft.lines.all())
    assert draft.net_total == sum(row.net for row in rows)
    assert draft.tax_total == sum(row.tax for row in rows)
    assert draft.total == draft.net_total + draft.tax_total
    assert draft.tax_total == Decimal("64.43")


def test_shares_of_seats_come_to_exactly_the_whole() -> None:
    amount = Money("100.00", "USD")
    parts = [share_of(amount, whole=Decimal(3), before=Decimal(before), taken=Decimal(1)) for before in range(3)]
    assert [str(part.amount) for part in parts] == ["33.33", "33.34", "33.33"]
    assert Money.sum(parts, "USD") == amount


# Drafts


def test_a_draft_copies_from_the_customer_what_was_left_empty() -> None:
    customer = make_customer()
    draft = make_draft(customer=customer, contact_name="Someone Else")
    assert (draft.company, draft.contact_name, draft.city) == ("Northgate Health", "Someone Else", "Dublin")
    other = make_draft(customer=customer, street="9 Side Road")
    assert (other.street, other.city) == ("9 Side Road", "")


def test_a_draft_has_no_number_and_can_be_deleted() -> None:
    draft, other = make_draft(), make_draft()
    assert (draft.number, draft.state) == ("", InvoiceState.DRAFT)
    delete_draft(invoice_id=draft.pk, by_id=None)
    assert list(Invoice.objects.all()) == [other]


def test_saving_over_someone_elses_change_is_refused_and_says_what_changed() -> None:
    draft = make_draft()
    seen = draft_fingerprint(draft, list(draft.lines.order_by("pk")))
    theirs = Invoice.objects.get(pk=draft.pk)
    theirs.po_number = "PO-77"
    save_draft(theirs, [line_of(seats=5)], by_id=None, seen=seen)
    mine = Invoice.objects.get(pk=draft.pk)
    mine.po_number = "PO-1"
    with pytest.raises(DraftChanged, match="purchase order"):
        save_draft(mine, [line_of()], by_id=None, seen=seen)
    stored = Invoice.objects.get(pk=draft.pk)
    assert (stored.po_number, stored.lines.get().seats) == ("PO-77", 5)


# Issuing


def test_issuing_numbers_the_invoice_and_creates_its_codes() -> None:
    set_seller(payment_instructions="IBAN IE29 AIBK 9311 5212 3456 78")
    draft = make_draft(line_of(seats=4), line_of(make_product(make_run()), seats=2), po_number="PO-9")
    other = make_draft()
    invoice = issue(draft)
    assert (invoice.number, invoice.state) == (f"INV-{TODAY.year}-00001", InvoiceState.ISSUED)
    assert (invoice.issued_on, invoice.due_on) == (TODAY, TODAY + timedelta(days=30))
    assert invoice.seller_name == "Tessera Learning Ltd"
    sales = SeatSale.objects.filter(invoice_line__invoice=invoice).order_by("pk")
    assert [(sale.seats, sale.discount.codes.count(), sale.order_line) for sale in sales] == [
        (4, 4, None),
        (2, 2, None),
    ]
    assert sales[0].discount.name == f"Seats of invoice {invoice.number}"
    assert deliveries_of(InvoiceIssued).count() == 1
    assert issue(other).number == f"INV-{TODAY.year}-00002"


def test_each_series_and_year_has_its_own_numbers() -> None:
    later = NOON + timedelta(days=400)
    product = make_product(make_run(enrollment_end=None, end_date=None))
    numbers = [
        make_invoice(line_of(product), series=series, now=now).number
        for series, now in (("INV", NOON), ("EDU", NOON), ("INV", NOON), ("INV", later))
    ]
    assert numbers == [
        f"INV-{TODAY.year}-00001",
        f"EDU-{TODAY.year}-00001",
        f"INV-{TODAY.year}-00002",
        f"INV-{clock.date_of(later).year}-00001",
    ]


def test_issuing_twice_issues_once() -> None:
    draft = make_draft()
    set_seller()
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    first = issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)
    with pytest.raises(InvoiceIssuedAlready, match=first.number):
        issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)
    assert SeatSale.objects.count() == 1
    assert DiscountCode.objects.count() == 3


def test_a_draft_changed_since_the_plan_is_not_issued() -> None:
    draft = make_draft()
    set_seller()
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    save_draft(Invoice.objects.get(pk=draft.pk), [line_of(seats=50)], by_id=None)
    with pytest.raises(PlanChanged):
        issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)
    assert Invoice.objects.get(pk=draft.pk).is_draft
    assert not SeatSale.objects.exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"due_on": TODAY - timedelta(days=1)}, "has passed"),
        ({"customer": lambda: make_customer(recipients="")}, "e-mail address"),
        ({"customer": lambda: make_customer(street="", postal_code="", city="", country="")}, "address"),
        ({"is_reverse_charge": True}, "needs its note"),
    ],
)
def test_an_incomplete_draft_is_not_issued(fields: dict[str, Any], sentence: str) -> None:
    values = {name: value() if isinstance(value, Callable) else value for name, value in fields.items()}  # type: ignore[arg-type]
    with pytest.raises(InvoiceNotReady, match=sentence):
        make_invoice(**values)
    assert Invoice.objects.get().number == ""


def test_an_invoice_names_its_seller() -> None:
    draft = make_draft()
    set_seller(seller_name="")
    plan = plan_invoice(invoice_id=draft.pk, now=NOON)
    with pytest.raises(InvoiceNotReady, match="names its seller"):
        issue_invoice(invoice_id=draft.pk, seen=plan.fingerprint(), by_id=None, now=NOON)


def test_a_closed_course_is_not_invoiced() -> None:
    product = make_product(make_run(enrollment_end=NOON - timedelta(days=1)))
    with pytest.raises(InvoiceNotReady, match="no longer on sale"):
        make_invoice(line_of(product))


def test_an_invoice_over_nothing_is_paid_at_once() -> None:
    invoice = make_invoice(line_of(price="50", discount="100"))
    assert (str(invoice.state), invoice.balance) == ("paid", Money(0, "USD"))
    assert DiscountCode.objects.count() == 3


def count_queries(seats: int) -> int:
    draft = make_draft(line_of(make_product(make_run()), seats=seats))
    set_seller()
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    with CaptureQueriesContext(connection) as captured:
        issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)
    return len(captured)


def test_issuing_1000_seats_takes_as_many_queries_as_10() -> None:
    issue(make_draft())  # fills caches
    assert (count_queries(10), count_queries(1000)) == (ISSUE_QUERIES, ISSUE_QUERIES)
    assert ISSUE_QUERIES <= 45


ISSUE_QUERIES = 21


# Issued invoices never change

ADD_LINE = """
INSERT INTO ecommerce_invoiceline
    (invoice_id, title, item_id, mode, seats, unit_price, discount_percent, net, tax)
VALUES ({invoice}, 'x', '', '', 1, 1, 0, 1, 0)
"""
SKIP_A_NUMBER = """
UPDATE ecommerce_invoice SET state = 'issued', number = 'INV-2026-00009', year = 2026, sequence = 9,
    issued_at = now(), issued_on = now(), due_on = now() + interval '9 days'
WHERE id = {draft}
"""


ADD_ENTRY = """
INSERT INTO ecommerce_invoiceentry
    (invoice_id, kind, amount, tax, currency, happened_on, reference, reason, series, number, posted_as,
     recorded_at, trace_id)
VALUES ({invoice}, 'payment', 5, 0, 'USD', now(), '', '', '', '', gen_random_uuid(), now(), '')
"""
REVIVE = "UPDATE ecommerce_invoice SET state = 'issued', voided_at = NULL, void_reason = '' WHERE state = 'void'"


def add_entry(invoice: str, currency: str) -> str:
    return ADD_ENTRY.replace("{invoice}", invoice).replace("USD", currency)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ecommerce_invoice SET total = 1, net_total = 1 WHERE id = {invoice}",
        "UPDATE ecommerce_invoice SET number = 'INV-2000-00001' WHERE id = {invoice}",
        "UPDATE ecommerce_invoice SET company = 'Other' WHERE id = {invoice}",
        "UPDATE ecommerce_invoice SET due_on = due_on + 30 WHERE id = {invoice}",
        "UPDATE ecommerce_invoice SET state = 'draft' WHERE id = {invoice}",
        "UPDATE ecommerce_invoice SET state = 'paid' WHERE id = {invoice}",
        "DELETE FROM ecommerce_invoice WHERE id = {invoice}",
        "UPDATE ecommerce_invoiceline SET seats = 1 WHERE invoice_id = {invoice}",
        "UPDATE ecommerce_invoiceline SET invoice_id = {draft} WHERE invoice_id = {invoice}",
        "UPDATE ecommerce_invoiceline SET invoice_id = {invoice} WHERE invoice_id = {draft}",
        "DELETE FROM ecommerce_invoiceline WHERE invoice_id = {invoice}",
        ADD_LINE,
        "UPDATE ecommerce_invoiceentry SET amount = 1 WHERE invoice_id = {invoice}",
        "DELETE FROM ecommerce_invoiceentry WHERE invoice_id = {invoice}",
        "UPDATE ecommerce_creditnoteline SET seats = 2",
        "DELETE FROM ecommerce_creditnoteline",
        "UPDATE ecommerce_invoice SET paid_total = paid_total + 1 WHERE id = {invoice}",
        add_entry("{invoice}", "EUR"),
        add_entry("{invoice}", "USD"),
        add_entry("{draft}", "USD"),
        SKIP_A_NUMBER,
    ],
)
def test_the_database_refuses_to_change_what_was_issued(sql: str) -> None:
    invoice, draft = make_invoice(line_of(seats=4)), make_draft()
    pay(invoice, "100")
    credit(invoice, 1)
    before = list(Invoice.objects.order_by("pk").values())
    with pytest.raises(IntegrityError):
        run_now(sql.format(invoice=invoice.pk, draft=draft.pk))
    assert list(Invoice.objects.order_by("pk").values()) == before
    assert InvoiceLine.objects.get(invoice=invoice).seats == 4


def test_a_void_invoice_stays_void() -> None:
    void(make_invoice())
    with pytest.raises(IntegrityError):
        run_now(REVIVE)
    assert Invoice.objects.get().state == InvoiceState.VOID


def test_a_draft_may_change_by_any_way() -> None:
    draft = make_draft()
    Invoice.objects.filter(pk=draft.pk).update(company="Other")
    draft.lines.update(title="Other")
    draft.delete()
    assert not Invoice.objects.exists()


# Payments


def test_payments_move_the_state_and_more_than_the_balance_is_refused() -> None:
    invoice, other = make_invoice(), make_invoice()
    pay(invoice, "100")
    invoice.refresh_from_db()
    assert (str(invoice.state), invoice.balance) == ("part_paid", Money(200, "USD"))
    with pytest.raises(PaymentTooLarge, match=r"\$200.01 is more than the \$200.00 still due"):
        pay(invoice, "200.01")
    pay(invoice, "200")
    invoice.refresh_from_db()
    assert (str(invoice.state), invoice.balance) == ("paid", Money(0, "USD"))
    with pytest.raises(NothingIsDue):
        pay(invoice, "1")
    other.refresh_from_db()
    assert (other.state, other.paid_total) == (InvoiceState.ISSUED, 0)


def test_a_payment_in_another_currency_is_refused() -> None:
    invoice = make_invoice()
    with pytest.raises(PaymentInOtherCurrency, match="is in USD, so a payment in EUR"):
        entries.record_payment(invoice_id=invoice.pk, moved=moved("10", currency="EUR"), by_id=None, now=NOON)
    tomorrow = moved("10", on=TODAY + timedelta(days=1))
    with pytest.raises(PaymentInFuture):
        entries.record_payment(invoice_id=invoice.pk, moved=tomorrow, by_id=None, now=NOON)
    assert not InvoiceEntry.objects.exists()


def test_a_payment_may_come_before_the_invoice_but_not_years_before() -> None:
    invoice = make_invoice()
    assert invoice.issued_on is not None
    mistyped = moved("10", on=invoice.issued_on - timedelta(days=367))
    with pytest.raises(PaymentLongBefore, match=r"more than a year before invoice INV-.* was issued. Check the year"):
        entries.record_payment(invoice_id=invoice.pk, moved=mistyped, by_id=None, now=NOON)
    assert not InvoiceEntry.objects.exists()
    early = moved("10", on=invoice.issued_on - timedelta(days=366))
    entries.record_payment(invoice_id=invoice.pk, moved=early, by_id=None, now=NOON)
    assert InvoiceEntry.objects.get().happened_on == early.happened_on


def test_a_payment_posted_twice_counts_once() -> None:
    invoice = make_invoice()
    payment = moved("100")
    first, second = (
        entries.record_payment(invoice_id=invoice.pk, moved=payment, by_id=None, now=NOON) for _number in range(2)
    )
    assert first == second
    invoice.refresh_from_db()
    assert invoice.paid_total == 100


def test_a_payment_is_reversed_once_by_another_entry() -> None:
    invoice = make_invoice()
    payment, other = pay(invoice, "100"), pay(invoice, "50")
    entries.reverse_payment(
        invoice_id=payment.invoice_id,
        entry_id=payment.pk,
        reason="bounced",
        posted_as=uuid.uuid4(),
        by_id=None,
        now=NOON,
    )
    invoice.refresh_from_db()
    assert (invoice.paid_total, invoice.state) == (50, InvoiceState.PART_PAID)
    with pytest.raises(PaymentReversedAlready):
        entries.reverse_payment(
            invoice_id=payment.invoice_id,
            entry_id=payment.pk,
            reason="again",
            posted_as=uuid.uuid4(),
            by_id=None,
            now=NOON,
        )
    entries.reverse_payment(
        invoice_id=other.invoice_id, entry_id=other.pk, reason="bounced", posted_as=uuid.uuid4(), by_id=None, now=NOON
    )
    invoice.refresh_from_db()
    assert (invoice.paid_total, invoice.state, invoice.entries.count()) == (0, InvoiceState.ISSUED, 4)


# Credit notes and voiding


def test_a_credit_note_takes_seats_and_their_codes() -> None:
    set_seller()
    product = make_product(make_run())
    invoice = make_invoice(line_of(seats=40, price="9.99"), line_of(product, seats=5), tax_rate=Decimal(23))
    use_codes(invoice, 10)
    note = credit(invoice, 12)
    invoice.refresh_from_db()
    assert (note.number, note.kind) == (f"CN-{TODAY.year}-00001", InvoiceEntryKind.CREDIT_NOTE)
    assert note.amount == Decimal("147.45")  # 12/40 of 399.60 and of 91.91
    assert invoice.credited_total == note.amount
    assert invoice.state == InvoiceState.PART_PAID
    first, second = (count_seats(invoice)[line.pk] for line in invoice.lines.order_by("pk"))
    assert (first.used, first.free, first.off) == (10, 18, 12)
    assert (second.used, second.free, second.off) == (0, 5, 0)


def test_used_seats_are_credited_only_expressly() -> None:
    invoice = make_invoice(line_of(seats=5))
    use_codes(invoice, 3)
    with pytest.raises(SeatsAreUsed, match="1 of these seats are used"):
        credit(invoice, 3)
    assert not InvoiceEntry.objects.exists()
    credit(invoice, 3, takes_used=True)
    counts = count_seats(invoice)[invoice.lines.get().pk]
    assert (counts.used, counts.free, counts.off) == (3, 0, 2)


def test_credit_notes_end_at_exactly_the_total() -> None:
    invoice = make_invoice(line_of(seats=3, price="33.335"), tax_rate=Decimal("19"))
    notes = [credit(invoice, 1) for _number in range(3)]
    invoice.refresh_from_db()
    assert sum(note.amount for note in notes) == invoice.total == invoice.credited_total
    assert invoice.state == InvoiceState.CREDITED
    assert [note.sequence for note in notes] == [1, 2, 3]
    with pytest.raises(CreditTooLarge):
        credit(invoice, 1)


def test_a_paid_invoice_can_be_credited_and_the_money_paid_back() -> None:
    invoice = make_invoice()
    pay(invoice, "300")
    credit(invoice, 2)
    invoice.refresh_from_db()
    assert (str(invoice.state), invoice.balance) == ("paid", Money(-200, "USD"))
    with pytest.raises(NothingToPayBack):
        entries.record_payout(invoice_id=invoice.pk, moved=moved("200.01"), by_id=None, now=NOON)
    entries.record_payout(invoice_id=invoice.pk, moved=moved("200"), by_id=None, now=NOON)
    invoice.refresh_from_db()
    assert (str(invoice.state), invoice.balance, invoice.paid) == ("paid", Money(0, "USD"), Money(100, "USD"))


def test_a_code_used_since_the_plan_stops_the_credit_note() -> None:
    invoice = make_invoice(line_of(seats=2))
    request = CreditRequest({invoice.lines.get().pk: 1}, "one fewer")
    plan = entries.plan_credit_note(request, invoice_id=invoice.pk)
    use_codes(invoice, 2)
    with pytest.raises(SeatsAreUsed):
        entries.issue_credit_note(
            request, invoice_id=invoice.pk, seen=plan.fingerprint(), posted_as=uuid.uuid4(), by_id=None, now=NOON
        )
    assert not InvoiceEntry.objects.exists()


def test_voiding_switches_unused_codes_off() -> None:
    invoice, other = make_invoice(), make_invoice()
    voided = void(invoice)
    assert (str(voided.state), voided.balance) == ("void", Money(0, "USD"))
    assert not DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=invoice, active=True).exists()
    assert DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=other, active=True).count() == 3
    assert make_invoice().sequence == 3  # the number of the void one is never used again


def test_voiding_with_used_codes_needs_a_decision() -> None:
    invoice = make_invoice()
    use_codes(invoice, 1)
    with pytest.raises(SeatsAreUsed):
        void(invoice)
    assert DiscountCode.objects.filter(active=True).count() == 3
    assert void(invoice, keeps_used=True).state == InvoiceState.VOID
    counts = count_seats(invoice)[invoice.lines.get().pk]
    assert (counts.used, counts.free, counts.off) == (1, 0, 2)


def test_an_invoice_with_money_on_it_is_not_voided() -> None:
    invoice = make_invoice()
    payment = pay(invoice, "1")
    with pytest.raises(InvoiceHasEntries):
        void(invoice)
    entries.reverse_payment(
        invoice_id=payment.invoice_id,
        entry_id=payment.pk,
        reason="wrong invoice",
        posted_as=uuid.uuid4(),
        by_id=None,
        now=NOON,
    )
    assert void(Invoice.objects.get(pk=invoice.pk)).state == InvoiceState.VOID


# Overdue and aging


@pytest.mark.parametrize(
    ("days", "standing", "age"),
    [
        (0, InvoiceStanding.ISSUED, "not_due"),
        (1, InvoiceStanding.OVERDUE, "0-30"),
        (30, InvoiceStanding.OVERDUE, "0-30"),
        (31, InvoiceStanding.OVERDUE, "31-60"),
        (60, InvoiceStanding.OVERDUE, "31-60"),
        (61, InvoiceStanding.OVERDUE, "61-90"),
        (90, InvoiceStanding.OVERDUE, "61-90"),
        (91, InvoiceStanding.OVERDUE, "over-90"),
    ],
)
def test_an_invoice_is_overdue_from_the_day_after_it_was_due(days: int, standing: InvoiceStanding, age: str) -> None:
    invoice = make_invoice(due_on=TODAY + timedelta(days=10))
    paid = make_invoice(due_on=TODAY + timedelta(days=10))
    pay(paid, "300")
    today = TODAY + timedelta(days=10 + days)
    assert invoice.standing_on(today) == standing
    assert list(Invoice.objects.standing(standing, today)) == [invoice]
    assert list(Invoice.objects.aged(age, today)) == [invoice]
    assert [each.age for each in Invoice.objects.with_age(today).order_by("pk")] == [age, ""]  # type: ignore[attr-defined]
    assert not Invoice.objects.standing(InvoiceStanding.ISSUED, today).exclude(pk=invoice.pk).exists()


def test_totals_are_by_currency_without_drafts_and_void_ones(settings: LazySettings) -> None:
    settings.CURRENCIES = ["USD", "EUR"]
    first = make_invoice(due_on=TODAY)
    make_invoice(line_of(make_product(make_run()), seats=1, price="70"), currency="EUR", due_on=TODAY)
    pay(first, "100")
    make_draft()
    void(make_invoice())
    euros, dollars = sum_invoices(Invoice.objects.all(), TODAY + timedelta(days=40))
    assert [str(each) for each in (dollars.total, dollars.paid, dollars.open)] == [
        "300.00 USD",
        "100.00 USD",
        "200.00 USD",
    ]
    assert dollars.count == 1
    assert euros.open.amount == 70
    assert [money.amount for _age, money in dollars.ages] == [0, 0, 200, 0, 0]
