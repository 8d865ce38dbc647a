"""Contracts are invoiced over seats or a lump sum, without registration codes, and both name each other."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from b2b.models import ContractInvoice
from b2b.services.contracts.invoices import ContractInvoiceRequest, draft_contract_invoice
from ecommerce.enums import Role
from ecommerce.models import Invoice, SeatSale, ShopRole
from tests.factories import NOON, make_contract, make_course, make_user
from tests.factories.invoices import issue, make_customer
from tests.support.forms import read_form
from tests.support.reading import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_seats_times_price_or_a_lump_sum_make_no_codes() -> None:
    contract, customer = make_contract(), make_customer()
    seats = ContractInvoiceRequest(contract, customer, Decimal("49.50"), "USD", seats=2000)
    lump = ContractInvoiceRequest(contract, customer, Decimal("5000"), "USD", title="Second year")
    first, second = (issue(draft_contract_invoice(each, by_id=None)) for each in (seats, lump))
    assert (first.total, second.total) == (99000, 5000)
    assert first.lines.get().title == f"Contract “{contract.name}”"
    assert (second.lines.get().title, second.lines.get().is_lump_sum) == ("Second year", True)
    assert not SeatSale.objects.exists()
    assert set(ContractInvoice.objects.filter(contract=contract).values_list("invoice", flat=True)) == {
        first.pk,
        second.pk,
    }


def test_from_the_contract_to_the_invoice_and_back(boss: Client) -> None:
    contract, customer, other = make_contract(), make_customer(), make_contract()
    tab = read(boss.get(f"/cms/contracts/{contract.pk}/invoices/"))
    assert "hasn’t been invoiced" in tab.text
    url = f"/cms/contracts/invoices/add/?contract={contract.pk}"
    form = read_form(boss.get(url).content.decode(), having="what")
    assert form["contract"] == [str(contract.pk)]
    bad = boss.post(url, {**form, "what": "seats", "seats": "", "price": "10", "customer": str(customer.pk)})
    assert bad.status_code == 422
    assert "Enter the number of seats." in read(bad).text
    boss.post(url, {**form, "what": "seats", "seats": "40", "price": "10", "customer": str(customer.pk)})
    invoice = Invoice.objects.get()
    assert invoice.total == 400
    assert contract.name in read(boss.get(f"/cms/invoices/{invoice.pk}/")).links()
    assert f"Draft {invoice.pk}" in read(boss.get(f"/cms/contracts/{contract.pk}/invoices/")).links()
    assert "hasn’t been invoiced" in read(boss.get(f"/cms/contracts/{other.pk}/invoices/")).text
    edit = read_form(boss.get(f"/cms/invoices/{invoice.pk}/edit/").content.decode(), having="seen")
    boss.post(f"/cms/invoices/{invoice.pk}/edit/", {**edit, "lines-0-seats": "5000"})
    invoice.refresh_from_db()
    assert (invoice.total, invoice.lines.get().product) == (50000, None)
    assert ContractInvoice.objects.filter(contract=contract, invoice=invoice).exists()


def test_roles_for_a_course_do_not_cover_contracts() -> None:
    contract = make_contract()
    invoice = draft_contract_invoice(
        ContractInvoiceRequest(contract, make_customer(), Decimal(10), "USD", seats=1), by_id=None
    )
    user = make_user(is_staff=True)
    ShopRole.objects.create(user=user, role=Role.SALES_ADMIN, course=make_course(), given_at=NOON)
    client = Client()
    client.force_login(user)
    assert client.get(f"/cms/invoices/{invoice.pk}/").status_code == 404
    assert client.get("/cms/contracts/invoices/add/").status_code in {302, 403}
    assert client.get(f"/cms/contracts/{contract.pk}/invoices/").status_code in {302, 403}
