"""Finance's pages about invoices in the Wagtail admin, from a new customer to the last payment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse

from ecommerce.enums import InvoiceState, Role
from ecommerce.events import InvoiceIssued
from ecommerce.models import Customer, DiscountCode, Invoice, InvoiceEntry, Product, ShopRole
from ecommerce.receivers import email_invoice
from ecommerce.services.invoices import entries
from mitxonline.kernel import clock
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.invoices import issue, line_of, make_customer, make_draft, make_invoice, pay, set_seller
from tests.support.forms import read_form
from tests.support.pdf import words_of_pdf
from tests.support.reading import Page, form_data, read

pytestmark = pytest.mark.django_db


def now_invoice(*lines: Any, **fields: Any) -> Invoice:
    return make_invoice(*lines, now=clock.now(), **fields)


def url_of(invoice: Invoice, part: str = "") -> str:
    return f"/cms/invoices/{invoice.pk}/{part}"


def fill_in(page: Page, **values: str) -> dict[str, Any]:
    """Return what the page's form would send, with these fields filled in; two underscores stand for a dash."""
    form = read_form(str(page.soup), having="csrfmiddlewaretoken")
    return {**form, **{name.replace("__", "-"): value for name, value in values.items()}}


def new_product(**fields: Any) -> Product:
    return make_product(make_run(enrollment_end=None, **fields))


def test_an_invoice_from_a_customer_to_its_payment(desk: Client) -> None:
    set_seller(payment_instructions="IBAN IE29")
    customer, product = make_customer(), new_product()
    form = fill_in(
        read(desk.get(f"/cms/invoices/add/?customer={customer.pk}")),
        po_number="PO-4711",
        lines__0__product=str(product.pk),
        lines__0__seats="40",
        lines__0__unit_price="199.50",
        lines__0__discount_percent="10",
    )
    page = read(desk.post("/cms/invoices/add/", form, follow=True))
    assert "The draft is saved" in page.soup.text
    draft = Invoice.objects.get()
    assert (draft.total, draft.po_number, draft.company) == (7182, "PO-4711", "Northgate Health")

    preview = desk.get(url_of(draft, "pdf/"))
    words, pages = words_of_pdf(preview.content)
    assert "Draft – not an invoice" in words
    assert pages == 1

    plan = read(desk.get(url_of(draft, "issue/")))
    assert "40 registration codes are created" in plan.text
    assert "ap@northgate.example" in plan.text
    answer = desk.post(url_of(draft, "issue/"), form_data(plan), follow=True)
    draft.refresh_from_db()
    assert f"Invoice {draft.number} is issued" in read(answer).soup.text
    assert DiscountCode.objects.count() == 40
    again = desk.post(url_of(draft, "issue/"), form_data(plan), follow=True)
    assert "has already been issued" in read(again).soup.text
    assert DiscountCode.objects.count() == 40

    email_invoice(InvoiceIssued(invoice_id=draft.pk, number=draft.number, at=NOON))
    (message,) = mail.outbox
    assert message.to == ["ap@northgate.example", "ines@northgate.example"]
    assert [name for name, _content, _kind in message.attachments] == [
        f"{draft.number}.pdf",
        f"{draft.number}-codes.csv",
    ]
    code = DiscountCode.objects.first()
    assert code is not None
    assert code.text in str(message.attachments[1][1])

    payment = fill_in(read(desk.get(url_of(draft, "pay/"))), amount="7182.01")
    refused = desk.post(url_of(draft, "pay/"), payment)
    assert refused.status_code == 422
    assert "is more than the $7,182.00 still due" in read(refused).text
    euros = desk.post(url_of(draft, "pay/"), {**payment, "amount": "10", "currency": "eur"})
    assert "is in USD, so a payment in EUR can’t be recorded" in read(euros).text
    assert not InvoiceEntry.objects.exists()
    desk.post(url_of(draft, "pay/"), {**payment, "amount": "7182"})
    draft.refresh_from_db()
    assert draft.state == InvoiceState.PAID
    assert "Paid" in read(desk.get(url_of(draft))).text
    other_window = read(desk.post(url_of(draft, "pay/"), {**payment, "amount": "7182", "posted_as": str(uuid4())}))
    assert "Nothing is due on invoice" in other_window.text
    assert "$0.00 is still due" in other_window.text


def test_bad_input_is_said_and_nothing_typed_is_lost(desk: Client) -> None:
    customer, product = make_customer(), new_product()
    form = fill_in(
        read(desk.get(f"/cms/invoices/add/?customer={customer.pk}")),
        recipients="ap@northgate.example, nonsense",
        lines__0__product=str(product.pk),
        lines__0__seats="2.5",
        lines__0__unit_price="10.005",
        lines__1__seats="3",
        note="Thank you",
    )
    answer = desk.post("/cms/invoices/add/", form)
    page = read(answer)
    assert answer.status_code == 422
    for sentence in (
        "These aren’t complete e-mail addresses: nonsense.",
        "Enter a whole number of seats.",
        "Choose the course.",
        "Enter the price of one seat",
    ):
        assert sentence in page.text
    assert "Thank you" in page.soup.text
    assert form_data(page)["lines-0-seats"] == ["2.5"]
    assert not Invoice.objects.exists()


def test_more_lines_keep_what_was_typed(desk: Client) -> None:
    form = fill_in(read(desk.get("/cms/invoices/add/")), note="Thank you", lines__0__seats="7", more="1")
    page = read(desk.post("/cms/invoices/add/", form))
    data = form_data(page)
    assert data["lines-TOTAL_FORMS"] == ["8"]
    assert data["lines-0-seats"] == ["7"]
    assert "Thank you" in page.soup.text
    assert not page.select(".error-message")


def test_a_course_on_two_lines_is_refused_and_a_removed_line_ignored(desk: Client) -> None:
    customer, product = make_customer(), new_product()
    lines = {
        "lines__0__product": str(product.pk),
        "lines__0__seats": "1",
        "lines__0__unit_price": "5",
        "lines__1__product": str(product.pk),
        "lines__1__seats": "x",
        "lines__1__unit_price": "5",
    }
    form = fill_in(read(desk.get(f"/cms/invoices/add/?customer={customer.pk}")), **lines)
    refused = desk.post("/cms/invoices/add/", {**form, "lines-1-seats": "2"})
    assert "on another line already" in read(refused).text
    desk.post("/cms/invoices/add/", {**form, "lines-1-removed": "on"})
    assert Invoice.objects.get().total == 5


def test_editing_a_draft_that_someone_else_changed(desk: Client) -> None:
    draft = make_draft(line_of(new_product()))
    mine = fill_in(read(desk.get(url_of(draft, "edit/"))), note="Mine")
    theirs = fill_in(read(desk.get(url_of(draft, "edit/"))), note="Theirs")
    desk.post(url_of(draft, "edit/"), theirs)
    refused = desk.post(url_of(draft, "edit/"), mine)
    assert refused.status_code == 422
    assert "Someone changed this draft in the meantime" in read(refused).text
    assert Invoice.objects.get().note == "Theirs"
    desk.post(url_of(draft, "edit/"), fill_in(read(refused)))
    assert Invoice.objects.get().note == "Mine"


def test_an_issued_invoice_is_not_edited(desk: Client) -> None:
    invoice = now_invoice(line_of(new_product()))
    page = read(desk.get(url_of(invoice, "edit/"), follow=True))
    assert "has already been issued, so it can’t be changed" in page.soup.text
    assert "Edit" not in page.links()


def test_issuing_a_draft_that_changed_since_the_plan(desk: Client) -> None:
    set_seller()
    draft = make_draft(line_of(new_product()))
    plan = form_data(read(desk.get(url_of(draft, "issue/"))))
    edit = fill_in(read(desk.get(url_of(draft, "edit/"))), lines__0__seats="9")
    desk.post(url_of(draft, "edit/"), edit)
    refused = desk.post(url_of(draft, "issue/"), plan)
    assert refused.status_code == 422
    assert "Something changed in the meantime." in read(refused).text
    assert "9 registration codes" in read(refused).text
    assert not DiscountCode.objects.exists()


def test_a_credit_note_and_its_pdf(desk: Client) -> None:
    invoice = now_invoice(line_of(new_product(), seats=10))
    line = invoice.lines.get()
    form = fill_in(read(desk.get(url_of(invoice, "credit/"))), reason="fewer people")
    too_many = desk.post(url_of(invoice, "credit/"), {**form, f"line_{line.pk}": "11"})
    assert "At most 10 are left to credit." in read(too_many).text
    plan = desk.post(url_of(invoice, "credit/"), {**form, f"line_{line.pk}": "4"})
    assert "Credit $400.00 to Northgate Health" in read(plan).text
    confirmed = {**form_data(read(plan)), "confirmed": "1"}
    for _number in range(2):  # posted twice
        answer = desk.post(url_of(invoice, "credit/"), confirmed, follow=True)
    note = InvoiceEntry.objects.get()
    assert f"Credit note {note.number} is issued" in read(answer).soup.text
    words, _pages = words_of_pdf(desk.get(url_of(invoice, f"entries/{note.pk}/pdf/")).content)
    assert note.number in words
    assert invoice.number in words
    assert DiscountCode.objects.filter(active=False).count() == 4


def test_voiding_from_the_page(desk: Client) -> None:
    invoice = now_invoice(line_of(new_product(), seats=3))
    page = read(desk.get(url_of(invoice, "void/")))
    assert "because no one has used them: 3" in page.text
    answer = desk.post(url_of(invoice, "void/"), fill_in(page, reason="wrong customer"), follow=True)
    assert "is void" in read(answer).soup.text
    assert not DiscountCode.objects.filter(active=True).exists()
    paid = now_invoice(line_of(new_product()))
    pay(paid, "1", now=clock.now())
    assert "has payments or credit notes" in read(desk.get(url_of(paid, "void/"), follow=True)).soup.text


def test_the_list_filters_sums_and_exports(desk: Client, settings: LazySettings) -> None:
    settings.CURRENCIES = ["USD", "EUR"]
    now = clock.now()
    long_ago = now - timedelta(days=70)
    overdue = make_invoice(line_of(new_product()), now=long_ago, customer=make_customer("Old Mill"))
    fresh = now_invoice(line_of(new_product()), currency="EUR")
    make_draft(company="Only a draft")
    page = read(desk.get("/cms/invoices/"))
    assert {"$300.00", "€300.00", "Overdue", "Draft"} <= set(page.text.split())
    found = read(desk.get("/cms/invoices/results/?state=overdue")).text
    assert overdue.number in found
    assert fresh.number not in found
    assert overdue.number in read(desk.get("/cms/invoices/results/?age=31-60")).text
    assert overdue.number not in read(desk.get("/cms/invoices/results/?age=0-30")).text
    assert overdue.number in read(desk.get("/cms/invoices/results/?q=mill")).text
    rows = b"".join(desk.get("/cms/invoices/?export=csv&state=overdue")).decode().splitlines()
    assert len(rows) == 2
    assert overdue.number in rows[1]
    workbook = desk.get("/cms/invoices/?export=xlsx")
    assert b"".join(workbook)[:2] == b"PK"
    workbook.close()


def two_customers() -> tuple[Customer, Customer]:
    mill = {
        "street": "4 Mill Lane\nUnit 2",
        "postal_code": "M1 2AB",
        "city": "Leeds",
        "country": "GB",
        "tax_id": "GB99",
    }
    return make_customer(), make_customer("Old Mill", contact_name="Tom Becker", recipients="tom@mill.example", **mill)


def test_another_customer_brings_its_address_but_nothing_typed_is_lost(desk: Client) -> None:
    first, second = two_customers()
    draft = make_draft(line_of(new_product()), customer=first)
    edit = url_of(draft, "edit/")
    form = fill_in(read(desk.get(edit)), customer=str(second.pk), recipients="own@mill.example", country="IE")
    form["street"] = draft.street.replace("\n", "\r\n")
    answer = desk.post(edit, form, follow=True)
    assert "Contact and address are this customer’s now" in read(answer).text
    draft = Invoice.objects.get(pk=draft.pk)
    assert (draft.company, draft.contact_name, draft.tax_id) == ("Old Mill", "Tom Becker", "GB99")
    assert draft.address_lines == ["4 Mill Lane", "Unit 2", "M1 2AB Leeds", "United Kingdom"]
    assert draft.recipients == "own@mill.example"
    # Saved again with the same customer, it keeps what it says.
    form = fill_in(read(desk.get(edit)), company="Old Mill Ltd", country="GB")
    desk.post(edit, form)
    assert Invoice.objects.get(pk=draft.pk).company == "Old Mill Ltd"


def test_an_address_that_was_typed_stays_as_a_whole(desk: Client) -> None:
    first, second = two_customers()
    draft = make_draft(line_of(new_product()), customer=first)
    edit = url_of(draft, "edit/")
    desk.post(edit, fill_in(read(desk.get(edit)), customer=str(second.pk), city="Cork", country="IE"))
    draft = Invoice.objects.get(pk=draft.pk)
    assert draft.address_lines == ["1 High Street", "D02 X285 Cork", "Ireland"]
    assert draft.company == "Old Mill"


def test_a_new_draft_follows_the_customer_that_is_chosen_on_it(desk: Client) -> None:
    first, second = two_customers()
    add = f"/cms/invoices/add/?customer={first.pk}"
    lines = {"lines-0-product": str(new_product().pk), "lines-0-seats": "2", "lines-0-unit_price": "10"}
    form = fill_in(read(desk.get(add)), customer=str(second.pk), country="IE", currency="USD", series="INV", **lines)
    desk.post(add, form)
    assert Invoice.objects.get().city == "Leeds"


def test_the_list_is_filtered_by_a_customer_that_one_searches_for(desk: Client) -> None:
    first, second = two_customers()
    mine, theirs = (now_invoice(line_of(new_product()), customer=each) for each in (first, second))
    page = read(desk.get("/cms/invoices/"))
    assert page.select('[data-chooser-url*="customer"]')
    found = read(desk.get(f"/cms/invoices/results/?customer={second.pk}")).text
    assert theirs.number in found
    assert mine.number not in found
    assert (
        "Old Mill" in desk.get(reverse("wagtailsnippetchoosers_ecommerce_customer:choose_results"), {"q": "leeds"}).text
    )


def test_customers_are_saved_searched_and_checked(desk: Client) -> None:
    add = "/cms/snippets/ecommerce/customer/add/"
    form = fill_in(read(desk.get(add)), company="Acme", recipients="a@acme.example; b@acme.example", country="IE")
    desk.post(add, form)
    customer = Customer.objects.get()
    assert (customer.addresses, customer.country) == (["a@acme.example", "b@acme.example"], "IE")
    refused = read(desk.post(add, {**form, "recipients": "nobody"}))
    assert "These aren’t complete e-mail addresses" in refused.soup.text
    assert "Acme" in read(desk.get("/cms/snippets/ecommerce/customer/?q=acm")).soup.text


def role_client(role: Role, course: Any = None) -> Client:
    user = make_user(is_staff=True)
    ShopRole.objects.create(user=user, role=role, course=course, given_at=NOON)
    client = Client()
    client.force_login(user)
    return client


def test_sales_may_issue_but_not_touch_money() -> None:
    invoice, draft = now_invoice(line_of(new_product())), make_draft(line_of(new_product()))
    sales = role_client(Role.SALES_ADMIN)
    assert sales.get("/cms/invoices/").status_code == 200
    assert sales.get(url_of(draft, "issue/")).status_code == 200
    links = read(sales.get(url_of(invoice))).links()
    assert "Record a payment" not in links
    assert "Credit note" not in links
    for part in ("pay/", "credit/", "void/"):
        assert sales.get(url_of(invoice, part)).status_code in {302, 403}
        assert sales.post(url_of(invoice, part), {"reason": "x"}).status_code in {302, 403}
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.ISSUED


def test_a_role_for_one_course_sees_and_invoices_that_course_alone() -> None:
    mine, other = new_product(), new_product()
    assert mine.course_run is not None
    own, foreign = now_invoice(line_of(mine)), now_invoice(line_of(other))
    both = now_invoice(line_of(mine), line_of(other))
    sales = role_client(Role.SALES_ADMIN, mine.course_run.course)
    listed = read(sales.get("/cms/invoices/")).text
    assert own.number in listed
    assert foreign.number not in listed
    assert both.number not in listed
    assert sales.get(url_of(foreign)).status_code == 404
    assert sales.get(url_of(both, "pdf/")).status_code == 404
    choices = [option["value"] for option in read(sales.get("/cms/invoices/add/")).select("#id_lines-0-product option")]
    assert choices == ["", str(mine.pk)]


def test_course_staff_and_editors_see_no_invoices() -> None:
    invoice = now_invoice(line_of(new_product()))
    client = Client()
    client.force_login(make_user(is_staff=True))
    assert client.get(url_of(invoice)).status_code in {302, 403, 404}
    assert client.get("/cms/invoices/").status_code in {302, 403}


def test_a_draft_is_issued_by_no_one_twice(desk: Client) -> None:
    draft = make_draft(line_of(new_product()))
    issue(draft, now=clock.now())
    assert "has already been issued" in read(desk.get(url_of(draft, "issue/"), follow=True)).soup.text


def test_an_invoice_goes_to_those_pasted_from_a_mail_program(desk: Client) -> None:
    customer, product = make_customer(), new_product()
    form = fill_in(
        read(desk.get(f"/cms/invoices/add/?customer={customer.pk}")),
        recipients='"Payable, Ann" <AP@northgate.example>; Bo Lind <bo@northgate.example>\nap@northgate.example',
        lines__0__product=str(product.pk),
        lines__0__seats="2",
        lines__0__unit_price="10",
    )
    desk.post("/cms/invoices/add/", form)
    assert Invoice.objects.get().recipients.split() == ["ap@northgate.example", "bo@northgate.example"]


def test_a_payment_while_an_invoice_is_voided_leads_back_to_it(desk: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, void_invoice = now_invoice(), entries.void_invoice

    def void_late(**options: Any) -> Invoice:
        pay(invoice, "10")
        return void_invoice(**options)

    monkeypatch.setattr(entries, "void_invoice", void_late)
    form = form_data(read(desk.get(url_of(invoice, "void/"))))
    answer = desk.post(url_of(invoice, "void/"), {**form, "reason": "Made out to the wrong company"}, follow=True)
    assert answer.redirect_chain == [(url_of(invoice), 302)]
    assert "has payments or credit notes" in read(answer).soup.text
    invoice.refresh_from_db()
    assert invoice.state == InvoiceState.PART_PAID
