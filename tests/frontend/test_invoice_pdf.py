"""Invoices as PDF: what a sales document names, amounts that add up, every script, and many pages."""

from __future__ import annotations

import re
from decimal import Decimal
from io import BytesIO
from itertools import pairwise

import pytest
from django.conf import LazySettings
from pypdf import PdfReader

from ecommerce.models import Invoice
from ecommerce.services.invoices.drafts import DraftLine
from ecommerce.services.invoices.files import draw_invoice_file
from tests.factories import NOON
from tests.factories.invoices import line_of, make_customer, make_draft, make_invoice, set_seller
from tests.support.pdf import fonts_of_pdf, words_of_pdf

pytestmark = pytest.mark.django_db


def words(invoice: Invoice) -> tuple[str, int]:
    return words_of_pdf(draw_invoice_file(invoice, now=NOON))


def test_it_names_both_parties_their_tax_numbers_and_the_tax() -> None:
    set_seller(invoice_tax_name="VAT", payment_instructions="IBAN IE29 AIBK 9311 5212 3456 78")
    invoice = make_invoice(line_of(seats=3, price="99.99"), tax_rate=Decimal(23), po_number="PO-4711")
    text, pages = words(invoice)
    for said in (
        invoice.number,
        "Tessera Learning Ltd",
        "IE1234567X",
        "Northgate Health",
        "IE7654321W",
        "PO-4711",
        "VAT 23%",
        "$299.97",
        "$68.99",
        "$368.96",
        "IBAN IE29 AIBK",
        "Due date",
    ):
        assert said in text, said
    assert pages == 1


def test_reverse_charge_is_noted_and_charges_nothing() -> None:
    set_seller(invoice_tax_name="VAT", reverse_charge_note="Reverse charge: the recipient owes the VAT.")
    invoice = make_invoice(line_of(), is_reverse_charge=True, tax_rate=Decimal(23))
    text, _pages = words(invoice)
    assert "VAT 0% (reverse charge)" in text
    assert "the recipient owes the VAT" in text
    assert invoice.tax_total == 0


def test_what_was_issued_is_printed_the_same_after_the_settings_changed() -> None:
    invoice = make_invoice()
    before = words(invoice)
    set_seller(seller_name="Another Ltd", seller_tax_id="X", payment_instructions="elsewhere")
    invoice.customer.company = "Renamed"
    invoice.customer.save()
    assert words(Invoice.objects.get(pk=invoice.pk)) == before


def test_yen_have_no_decimals(settings: LazySettings) -> None:
    settings.CURRENCIES = ["USD", "JPY"]
    invoice = make_invoice(line_of(seats=3, price="999", discount="33.3"), currency="JPY", tax_rate=Decimal(10))
    text, _pages = words(invoice)
    assert (invoice.net_total, invoice.tax_total, invoice.total) == (1999, 200, 2199)
    assert "¥2,199" in text
    assert not re.search(r"¥[\d,]+\.", text)


def test_sixty_lines_take_several_pages_with_headings_and_totals_together() -> None:
    set_seller()
    lines = [DraftLine(title=f"Workshop {number}", seats=2, unit_price=Decimal("10.01")) for number in range(60)]
    invoice = make_draft(*lines)
    text, pages = words(invoice)
    assert pages > 1
    assert text.count("Unit price") == pages or text.count("Unit price") == pages - 1
    assert all(f"Workshop {number}" in text for number in range(60))
    assert "$1,201.20" in text
    assert all(f"Page {number} of {pages}" in text for number in range(1, pages + 1))


def test_each_page_begins_with_what_the_pages_before_it_come_to() -> None:
    set_seller(invoice_tax_name="VAT")
    lines = [DraftLine(title=f"Workshop {number}", seats=1, unit_price=Decimal("10.01")) for number in range(60)]
    file = draw_invoice_file(make_draft(*lines, tax_rate=Decimal(23)), now=NOON)
    pages = [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(file)).pages]
    printed = 0
    for before, after in pairwise(pages):
        printed += before.count("Workshop ")
        if "Workshop " in after:
            carried = f"${printed * Decimal('12.31'):,}"
            assert f"Carried forward {carried}" in before
            assert f"Brought forward {carried}" in after
    assert printed + pages[-1].count("Workshop ") == 60
    assert "Carried forward" not in pages[-1]


def test_each_line_has_its_rate_tax_and_gross_and_the_country_is_named() -> None:
    set_seller(invoice_tax_name="VAT")
    first, second = line_of(seats=3, price="99.99"), line_of(seats=1, price="0.10", discount="50")
    text, _pages = words(make_invoice(first, second, tax_rate=Decimal("8.375")))
    assert "3 $99.99 $299.97 8.375% $25.12 $325.09" in text
    assert "1 $0.10 50% $0.05 8.375% $0.00 $0.05" in text
    assert "Ireland" in text
    assert " IE " not in text


def test_a_huge_amount_is_printed_smaller_not_cut() -> None:
    set_seller()
    text, _pages = words(make_draft(line_of(seats=1, price="99999999.98")))
    assert "$99,999,999.98" in text


def test_names_in_any_script_are_printed() -> None:
    customer = make_customer("株式会社サンプル", contact_name="Αλέξανδρος Ιωάννου", street="شارع الملك", city="กรุงเทพ")
    file = draw_invoice_file(make_draft(customer=customer), now=NOON)
    text, _pages = words_of_pdf(file)
    assert "株式会社サンプル" in text
    assert "Αλέξανδρος" in text
    assert len(fonts_of_pdf(file)) >= 3
