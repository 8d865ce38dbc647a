"""Random invoices, credited bit by bit: what is printed adds up to the cent, and nothing is credited twice."""

from __future__ import annotations

import random
import uuid
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.db import connection

from ecommerce.enums import InvoiceState
from ecommerce.errors.invoices import CreditTooLarge, InvoiceRefused, NothingToCredit, SumTooLarge
from ecommerce.models import Invoice, InvoiceEntry, Product, ShopSettings
from ecommerce.selectors.invoice_document import SalesDocument, credit_note_document, invoice_document
from ecommerce.selectors.invoice_seats import CreditRequest
from ecommerce.selectors.invoices import LineOfInvoice, read_lines
from ecommerce.services.invoices import entries
from ecommerce.services.invoices.drafts import DraftLine
from mitxonline.kernel.money import Money, minor_digits
from tests.factories import NOON, make_product
from tests.factories.invoices import make_customer, make_invoice, set_seller

pytestmark = pytest.mark.django_db

RATES = (None, "0", "7", "19", "23", "8.375", "100")
DISCOUNTS = ("0", "0", "10", "33.333", "99.999", "100")
CURRENCIES = ("USD", "EUR", "JPY", "KWD")


@pytest.fixture(autouse=True)
def shop(settings: LazySettings) -> ShopSettings:
    settings.CURRENCIES = list(CURRENCIES)
    return set_seller(reverse_charge_note="Reverse charge")


@pytest.fixture
def products() -> list[Product]:
    return [make_product() for _number in range(3)]


def make_random_invoice(rng: random.Random, products: list[Product]) -> Invoice:
    currency = rng.choice(CURRENCIES)

    def price() -> Decimal:
        return Money.from_minor(rng.choice([0, 1, 3, 99, 33333, rng.randrange(10**6)]), currency).amount

    courses = [
        DraftLine(rng.choice([1, 3, 7, 40]), price(), product, discount_percent=Decimal(rng.choice(DISCOUNTS)))
        for product in products[: rng.randrange(1, 4)]
    ]
    sums = [
        DraftLine(1, price(), title="Year", discount_percent=Decimal(rng.choice(DISCOUNTS)), is_lump_sum=True)
        for _number in range(rng.randrange(3))
    ]
    rate, is_reverse_charge = rng.choice(RATES), rng.random() < 0.1
    return make_invoice(
        *courses,
        *sums,
        customer=make_customer(),
        currency=currency,
        tax_rate=Decimal(rate) if rate is not None else None,
        is_reverse_charge=is_reverse_charge,
    )


def check_document(document: SalesDocument) -> None:
    currency = document.total.currency
    assert Money.sum((line.net for line in document.lines), currency) == document.net
    assert Money.sum((line.tax for line in document.lines), currency) == document.tax
    assert Money.sum((line.gross for line in document.lines), currency) == document.total == document.net + document.tax
    assert not any(line.net.is_negative or line.tax.is_negative for line in document.lines)


def choose_credit(rng: random.Random, line: LineOfInvoice) -> tuple[dict[int, int], dict[int, Money]]:
    if not line.line.is_lump_sum:
        return {line.line.pk: rng.randint(1, line.seats_left)}, {}
    units = line.sum_left.minor_units
    return {}, {line.line.pk: Money.from_minor(rng.choice([1, units, rng.randint(1, units)]), line.gross.currency)}


def credit(invoice: Invoice, seats: dict[int, int], amounts: dict[int, Money]) -> InvoiceEntry:
    request = CreditRequest(seats, "fewer people came", amounts=amounts)
    plan = entries.plan_credit_note(request, invoice_id=invoice.pk)
    entry = entries.issue_credit_note(
        request, invoice_id=invoice.pk, seen=plan.fingerprint(), posted_as=uuid.uuid4(), by_id=None, now=NOON
    )
    with connection.cursor() as cursor:  # what the database checks at the end of a transaction
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    return entry


@pytest.mark.parametrize("seed", range(25))
def test_lines_come_to_the_totals_and_credits_to_no_more_than_was_invoiced(
    seed: int, products: list[Product], shop: ShopSettings
) -> None:
    rng = random.Random(seed)  # noqa: S311 – for tests, repeatable
    invoice = make_random_invoice(rng, products)
    check_document(invoice_document(invoice, shop=shop, now=NOON))
    credited = Money(0, invoice.currency)
    while left := [line for line in read_lines(invoice) if line.can_be_credited]:
        seats: dict[int, int] = {}
        amounts: dict[int, Money] = {}
        for line in rng.sample(left, rng.randint(1, len(left))):
            for known, chosen in zip((seats, amounts), choose_credit(rng, line), strict=True):
                known.update(chosen)  # type: ignore[attr-defined]  # each the kind it chose
        entry = credit(invoice, seats, amounts)
        document = credit_note_document(entry, shop=shop)
        check_document(document)
        credited += document.total
        assert credited.amount == Invoice.objects.get(pk=invoice.pk).credited_total <= invoice.total
    assert credited == invoice.money
    for line in read_lines(invoice):
        assert line.credited == line.gross
        refused: type[InvoiceRefused] = SumTooLarge if line.line.is_lump_sum else CreditTooLarge
        one = Money.from_minor(1, invoice.currency)
        with pytest.raises(refused):
            credit(invoice, {line.line.pk: 1}, {line.line.pk: one})
    state = Invoice.objects.get(pk=invoice.pk).state
    assert state == (InvoiceState.CREDITED if invoice.total else InvoiceState.PAID)


def test_a_lump_sum_is_credited_in_parts(shop: ShopSettings) -> None:
    sums = [DraftLine(1, Decimal("1000"), title=title, is_lump_sum=True) for title in ("First year", "Second year")]
    invoice = make_invoice(*sums, tax_rate=Decimal(23))
    first, second = (line.line.pk for line in read_lines(invoice))
    entry = credit(invoice, {}, {first: Money("500.01", "USD")})
    line = entry.lines.get()
    assert (line.seats, line.net, line.tax) == (0, Decimal("406.51"), Decimal("93.50"))
    printed = credit_note_document(entry, shop=shop).lines[0]
    assert (printed.seats, printed.unit_price) == ("", None)
    assert [each.sum_left.amount for each in read_lines(invoice)] == [Decimal("729.99"), 1230]
    with pytest.raises(SumTooLarge, match=r"Only \$729\.99 of “First year” is left"):
        credit(invoice, {}, {first: Money("730", "USD")})
    for nothing in ("0", "-1"):
        with pytest.raises(NothingToCredit):
            credit(invoice, {}, {second: Money(nothing, "USD")})
    assert InvoiceEntry.objects.count() == 1


def test_seats_that_cost_nothing_are_taken_back_for_nothing() -> None:
    free, paid = (DraftLine(3, Decimal(price), make_product()) for price in ("0", "100"))
    invoice = make_invoice(free, paid)
    line = read_lines(invoice)[0].line
    entry = credit(invoice, {line.pk: 2}, {})
    assert (entry.amount, entry.lines.get().seats, entry.lines.get().codes_off) == (0, 2, 2)
    assert Invoice.objects.get(pk=invoice.pk).state == InvoiceState.ISSUED
    assert [each.seats_left for each in read_lines(invoice)] == [1, 3]


def test_a_share_that_rounds_to_nothing_can_be_credited() -> None:
    invoice = make_invoice(DraftLine(40, Decimal("0.01"), make_product(), discount_percent=Decimal("99")))
    assert invoice.total == 0
    assert credit(invoice, {read_lines(invoice)[0].line.pk: 1}, {}).amount == 0
    assert minor_digits(invoice.currency) == 2
