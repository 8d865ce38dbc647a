"""What a role for one course, a stale page or a large sum must not do to invoices."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from wagtail.models import ModelLogEntry

from ecommerce.enums import InvoiceEntryKind, InvoiceState, Role
from ecommerce.errors.invoices import InvoiceNotReady
from ecommerce.models import Invoice, InvoiceEntry, Product, ShopRole
from ecommerce.services.invoices.entries import plan_voiding, void_invoice
from mitxonline.kernel import clock
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.invoices import line_of, make_customer, make_draft, make_invoice, pay
from tests.support.forms import read_form
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def new_product() -> Product:
    return make_product(make_run(enrollment_end=None))


def role_client(role: Role, product: Product) -> Client:
    assert product.course_run is not None
    user = make_user(is_staff=True)
    ShopRole.objects.create(user=user, role=role, course=product.course_run.course, given_at=NOON)
    client = Client()
    client.force_login(user)
    return client


def void(invoice: Invoice) -> None:
    seen = plan_voiding(invoice_id=invoice.pk).fingerprint()
    void_invoice(invoice_id=invoice.pk, reason="wrong", keeps_used=False, seen=seen, by_id=None, now=clock.now())


def test_a_payment_is_reversed_through_its_own_invoice_alone() -> None:
    mine, other = new_product(), new_product()
    own = make_invoice(line_of(mine), now=clock.now())
    foreign = make_invoice(line_of(other), now=clock.now())
    paid, theirs = pay(own, "10", now=clock.now()), pay(foreign, "20", now=clock.now())
    client = role_client(Role.FINANCE_ADMIN, mine)
    reversal = {"reason": "bounced", "posted_as": str(uuid.uuid4())}
    answer = client.post(f"/cms/invoices/{own.pk}/entries/{theirs.pk}/reverse/", reversal)
    assert answer.status_code in {404, 422}
    assert not InvoiceEntry.objects.filter(kind=InvoiceEntryKind.REVERSAL).exists()
    client.post(f"/cms/invoices/{own.pk}/entries/{paid.pk}/reverse/", reversal)
    assert InvoiceEntry.objects.get(kind=InvoiceEntryKind.REVERSAL).reverses == paid


def test_a_role_for_one_course_invoices_nothing_but_courses() -> None:
    product, customer = new_product(), make_customer()
    client = role_client(Role.SALES_ADMIN, product)
    form: dict[str, Any] = read_form(
        str(read(client.get(f"/cms/invoices/add/?customer={customer.pk}")).soup), having="csrfmiddlewaretoken"
    )
    free = {"lines-0-is_free_text": "True", "lines-0-title": "Anything", "lines-0-seats": "1"}
    answer = client.post("/cms/invoices/add/", {**form, **free, "lines-0-unit_price": "500"})
    assert answer.status_code == 422
    assert not Invoice.objects.exists()


def test_a_page_that_is_older_than_the_voiding_pauses_and_sends_nothing(desk: Client) -> None:
    invoice = make_invoice(line_of(new_product()), now=clock.now())
    void(invoice)
    mail.outbox.clear()
    for part, data in (("pause/", {"paused": "1"}), ("send/", {})):
        answer = desk.post(f"/cms/invoices/{invoice.pk}/{part}", data, follow=True)
        assert "is void, so nothing more is recorded on it" in read(answer).soup.text
    invoice.refresh_from_db()
    assert (invoice.state, invoice.reminders_paused) == (InvoiceState.VOID, False)


def test_a_total_too_large_for_its_column_is_refused() -> None:
    lines = [line_of(seats=1, price="99999999") for _number in range(11)]
    with pytest.raises(InvoiceNotReady, match="below 100,000,000"):
        make_draft(*lines)
    assert make_draft(line_of(seats=1, price="99999999")).total == Decimal(99999999)


def test_who_downloads_codes_is_recorded(desk: Client) -> None:
    invoice = make_invoice(line_of(new_product(), seats=2), now=clock.now())
    assert desk.get(f"/cms/invoices/{invoice.pk}/codes/").status_code == 200
    entry = ModelLogEntry.objects.get(action="ecommerce.invoice.export")
    assert (entry.object_id, entry.data["codes"]) == (str(invoice.pk), 2)
