"""What happened to an invoice, a credit note or a customer is told like everything else."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client

from courses.models import CourseRun
from ecommerce.enums import Role
from ecommerce.models import DiscountCode, Invoice, InvoiceEntry, InvoiceReminder, ShopRole
from ecommerce.selectors.invoice_seats import CreditRequest
from ecommerce.services.discounts.codes import use_code
from ecommerce.services.invoices import entries
from ecommerce.services.invoices.issuing import send_again
from mitxonline.kernel.timeline import (
    SubjectKind,
    Timeline,
    TimelineUnknown,
    Viewer,
    find_subjects,
    get_subject,
    tell_timeline,
    timeline_url,
)
from mitxonline.kernel.trace import open_trace
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_user
from tests.factories.invoices import line_of, make_customer, make_draft, make_invoice, pay
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

LATER = NOON + timedelta(hours=1)


def tell(kind: SubjectKind, key: object, user: User | None = None) -> Timeline:
    viewer = Viewer(user)
    subject = get_subject(kind, str(key), viewer=viewer)
    assert subject is not None
    return tell_timeline(subject, viewer=viewer)


def sentences(timeline: Timeline) -> list[str]:
    return [str(entry.sentence) for entry in timeline.entries]


def credit(invoice: Invoice, seats: int = 1) -> InvoiceEntry:
    line = invoice.lines.order_by("pk")[0]
    request = CreditRequest({line.pk: seats}, "fewer people came")
    plan = entries.plan_credit_note(request, invoice_id=invoice.pk)
    return entries.issue_credit_note(
        request, invoice_id=invoice.pk, seen=plan.fingerprint(), posted_as=uuid.uuid4(), by_id=None, now=LATER
    )


@pytest.fixture
def invoice() -> Invoice:
    """An invoice to a customer that has another one, of which something happened to each part."""
    customer = make_customer("Northgate Health")
    invoice = make_invoice(line_of(seats=3), line_of(seats=2), customer=customer, po_number="PO-4711")
    make_invoice(line_of(seats=1), customer=customer)
    with open_trace("finance-records-a-payment"):
        pay(invoice, "200", now=LATER)
    credit(invoice)
    code = DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=invoice, active=True).first()
    assert code is not None
    use_code(code=code, user_id=make_user("ada@northgate.example").pk, now=LATER)
    InvoiceReminder.objects.create(invoice=invoice, days=7, queued_at=LATER, sent_at=LATER)
    send_again(invoice_id=invoice.pk, by_id=None)
    return invoice


def test_an_invoice_tells_its_issue_money_credit_codes_reminders_and_mails(invoice: Invoice) -> None:
    told = tell(SubjectKind.INVOICE, invoice.pk)
    said = sentences(told)
    assert f"Invoice {invoice.number} was issued to Northgate Health." in said
    note = invoice.entries.get(kind="credit_note")
    assert f"Credit note {note.number} was issued." in said
    for sentence in (
        "A payment was recorded.",
        "A reminder was sent.",
        "Sent an invoice again.",
        "Created an invoice.",
    ):
        assert sentence in said, sentence
    assert any("was used" in sentence for sentence in said)
    assert any(entry.kind == "work" and "InvoiceIssued" in str(entry.sentence) for entry in told.entries)
    assert said.count("A payment was recorded.") == 1
    assert not any("Recorded a payment" in sentence or "Issued an invoice" in sentence for sentence in said)
    credited = next(entry for entry in told.entries if str(entry.sentence).startswith("Credit note"))
    assert credited.details == ("fewer people came", "1 seat was taken back.", "1 code was switched off.")
    other = Invoice.objects.exclude(pk=invoice.pk).get()
    assert not any(other.number in sentence for sentence in said)


def test_a_credit_note_a_customer_and_a_draft_have_their_own(invoice: Invoice) -> None:
    note = invoice.entries.get(kind="credit_note")
    told = tell(SubjectKind.CREDIT_NOTE, note.pk)
    assert sentences(told)[0] == f"Credit note {note.number} was issued."
    assert "A payment was recorded." not in sentences(told)
    assert get_subject(SubjectKind.CREDIT_NOTE, str(invoice.entries.get(kind="payment").pk), viewer=Viewer()) is None
    said = sentences(tell(SubjectKind.CUSTOMER, invoice.customer_id))
    assert sum("was issued to" in sentence for sentence in said) == 2
    draft = make_draft(customer=invoice.customer)
    assert sentences(tell(SubjectKind.INVOICE, draft.pk)) == ["Created an invoice."]


@pytest.mark.parametrize("what", ["number", "lower", "note", "company"])
def test_the_command_finds_it_by_what_is_printed_on_it(invoice: Invoice, what: str) -> None:
    note = invoice.entries.get(kind="credit_note").number
    words = {"number": invoice.number, "lower": invoice.number.lower(), "note": note, "company": "northgate health"}
    out = StringIO()
    call_command("commerce_routes", "trace", words[what], stdout=out)
    assert f"Credit note {note} was issued" in out.getvalue()


def test_what_is_unknown_is_said_so() -> None:
    with pytest.raises((CommandError, TimelineUnknown)):
        call_command("commerce_routes", "trace", "INV-2027-99999", stdout=StringIO())


def test_a_trace_and_a_code_lead_to_the_invoice(invoice: Invoice) -> None:
    assert "A payment was recorded." in sentences(tell(SubjectKind.TRACE, "finance-records-a-payment"))
    code = DiscountCode.objects.filter(discount__seat_sale__invoice_line__invoice=invoice).first()
    assert code is not None
    told = tell(SubjectKind.CODE, code.pk)
    links = [link.url for entry in told.entries for link in entry.links]
    assert timeline_url(SubjectKind.INVOICE, invoice.pk) in links


def test_only_those_who_see_the_invoice_read_it(invoice: Invoice) -> None:
    note = invoice.entries.get(kind="credit_note")
    keys = {
        SubjectKind.INVOICE: invoice.pk,
        SubjectKind.CREDIT_NOTE: note.pk,
        SubjectKind.CUSTOMER: invoice.customer_id,
    }

    def seen_by(user: User) -> set[SubjectKind]:
        return {kind for kind, key in keys.items() if get_subject(kind, str(key), viewer=Viewer(user)) is not None}

    assert seen_by(make_user()) == set()
    finance = make_user()
    finance.user_permissions.add(Permission.objects.get(codename="view_invoice"))
    assert seen_by(User.objects.get(pk=finance.pk)) == set(keys)
    of_course, elsewhere = make_user(), make_user()
    for line in invoice.lines.all():
        run: CourseRun | None = line.product.course_run if line.product is not None else None
        assert run is not None
        ShopRole.objects.create(user=of_course, role=Role.SALES_ADMIN, course=run.course, given_at=NOON)
    other = make_product().course_run
    assert other is not None
    ShopRole.objects.create(user=elsewhere, role=Role.SALES_ADMIN, course=other.course, given_at=NOON)
    assert seen_by(of_course) == {SubjectKind.INVOICE, SubjectKind.CREDIT_NOTE}
    assert seen_by(elsewhere) == set()
    assert find_subjects(invoice.number, viewer=Viewer(elsewhere)) == []


def test_the_pages_link_it_and_show_it(client: Client, invoice: Invoice) -> None:
    client.force_login(User.objects.create_superuser("boss@example.org", "x"))
    url = timeline_url(SubjectKind.INVOICE, invoice.pk)
    assert url in client.get(f"/cms/invoices/{invoice.pk}/").text
    page = client.get(url).text
    assert "A payment was recorded." in page
    customer = timeline_url(SubjectKind.CUSTOMER, invoice.customer_id)
    assert customer in client.get(f"/cms/snippets/ecommerce/customer/edit/{invoice.customer_id}/").text
    assert client.get(customer).status_code == 200


def test_it_takes_as_many_queries_for_many_rows_as_for_few(invoice: Invoice) -> None:
    tell(SubjectKind.INVOICE, invoice.pk)  # so that content types are known
    with queries(exactly=10):
        tell(SubjectKind.INVOICE, invoice.pk)
    for _number in range(3):
        pay(invoice, "1", now=LATER)
    credit(invoice)
    with queries(exactly=10):
        tell(SubjectKind.INVOICE, invoice.pk)
