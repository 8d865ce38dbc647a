"""The account of a customer: who may choose it, and whose group page shows the seats that were invoiced."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from b2b.models import Helper
from b2b.selectors.groups import sales_open_to
from ecommerce.enums import Role
from ecommerce.models import Customer, Invoice, SeatSale, ShopRole
from ecommerce.services.invoices.issuing import issue_invoice, plan_invoice
from mitxonline.kernel import clock
from mitxonline.kernel.fingerprint import PlanChanged
from mitxonline.users.models import User
from tests.factories import NOON, make_product, make_run, make_user
from tests.factories.invoices import line_of, make_customer, make_draft, make_invoice, set_seller
from tests.support.forms import read_form
from tests.support.reading import read

pytestmark = pytest.mark.django_db

CHOOSER = "/cms/shop/accounts/"


def edit(client: Client, customer: Customer, **values: str) -> int:
    url = f"/cms/snippets/ecommerce/customer/edit/{customer.pk}/"
    form = read_form(str(read(client.get(url)).soup), having="csrfmiddlewaretoken")
    return client.post(url, {**form, **values}).status_code


def sold(customer: Customer, *, courses: int = 1) -> Invoice:
    lines = [line_of(make_product(make_run(enrollment_end=None)), seats=2) for _number in range(courses)]
    return make_invoice(*lines, customer=customer, now=clock.now())


def test_seats_invoiced_before_and_after_are_on_the_page_of_the_account(desk: Client) -> None:
    customer, other = make_customer(), make_customer("Old Mill")
    sold(customer, courses=2)
    sold(other)
    person = make_user(email="ines@northgate.example", name="Ines Duarte")
    assert edit(desk, customer, account=str(person.pk)) == 302
    assert SeatSale.objects.filter(buyer=person).count() == 2
    assert SeatSale.objects.filter(buyer=None).count() == 1
    invoice = sold(customer)
    assert sales_open_to(person).count() == 3
    client = Client()
    client.force_login(person)
    sale = SeatSale.objects.get(invoice_line__invoice=invoice)
    assert sale.course_run.title in read(client.get("/group-purchases/")).soup.text
    assert invoice.number in read(client.get(f"/group-purchases/{sale.pk}/")).soup.text


def test_another_account_takes_the_seats_and_ends_what_was_shared(desk: Client) -> None:
    first, second = make_user(), make_user()
    customer = make_customer(account=first)
    sale = SeatSale.objects.get(invoice_line__invoice=sold(customer))
    assert sale.buyer == first
    Helper.objects.create(seat_sale=sale, email="helper@northgate.example", named_at=NOON, named_by=first)
    assert edit(desk, customer, account=str(second.pk)) == 302
    assert not sales_open_to(first).exists()
    assert list(sales_open_to(second)) == [sale]
    assert not Helper.objects.exists()
    assert edit(desk, customer, account="") == 302
    sale.refresh_from_db()
    assert sale.buyer is None


def test_other_changes_of_a_customer_leave_the_seats_alone(desk: Client) -> None:
    person = make_user()
    customer = make_customer(account=person)
    sold(customer)
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert edit(desk, customer, city="Cork") == 302
    customer.refresh_from_db()
    assert (customer.city, customer.account) == ("Cork", person)
    assert SeatSale.objects.get().buyer == person
    assert SeatSale.objects.get(invoice_line__invoice=sold(customer)).buyer is None  # closed: it sees nothing


def test_a_role_for_one_course_neither_sees_nor_sets_the_account() -> None:
    customer = make_customer()
    invoice = sold(customer)
    user, product = make_user(is_staff=True), invoice.lines.get().product
    assert product is not None
    assert product.course_run is not None
    ShopRole.objects.create(user=user, role=Role.SALES_ADMIN, course=product.course_run.course, given_at=NOON)
    client = Client()
    client.force_login(user)
    assert edit(client, customer, account=str(user.pk), city="Cork") == 302
    customer.refresh_from_db()
    assert (customer.city, customer.account) == ("Cork", None)
    assert SeatSale.objects.get(invoice_line__invoice=invoice).buyer is None
    for part in ("?q=a", "results/?q=a", f"chosen/{user.pk}/"):
        assert client.get(CHOOSER + part).status_code in {302, 403}


def test_people_are_found_by_name_or_address(desk: Client) -> None:
    make_user(email="ines@northgate.example", name="Ines Duarte")
    closed = make_user(email="gone@northgate.example", name="Ines Gone")
    User.objects.filter(pk=closed.pk).update(is_active=False)
    assert "ines@northgate.example" not in desk.get(CHOOSER + "results/").content.decode()
    for words in ("duarte", "northgate ines"):
        found = desk.get(CHOOSER + "results/", {"q": words}).content.decode()
        assert "ines@northgate.example" in found
        assert "gone@northgate.example" not in found
    assert desk.get(CHOOSER).status_code == 200
    assert desk.get(CHOOSER, {"multiple": "1"}).status_code == 200


def test_issuing_says_whose_page_shows_the_seats_and_notices_a_change() -> None:
    set_seller()
    customer = make_customer(account=make_user())
    draft = make_draft(customer=customer)
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    Customer.objects.filter(pk=customer.pk).update(account=make_user())
    with pytest.raises(PlanChanged):
        issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)


def test_issuing_waits_for_a_change_of_the_account() -> None:
    set_seller()
    draft = make_draft()
    seen = plan_invoice(invoice_id=draft.pk, now=NOON).fingerprint()
    with CaptureQueriesContext(connection) as queries:
        issue_invoice(invoice_id=draft.pk, seen=seen, by_id=None, now=NOON)
    locks = [each["sql"] for each in queries if "FOR NO KEY UPDATE" in each["sql"]]
    tables = ("ecommerce_invoice", "ecommerce_customer")
    assert [table for sql in locks for table in tables if f'FROM "{table}"' in sql] == list(tables)
