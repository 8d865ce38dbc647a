"""The audits in the Wagtail admin: who sees them, what they show, and their files."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import load_workbook
from wagtail.models import Site

from courses.models import CourseRun, EnrollmentGrant
from ecommerce.enums import Role
from ecommerce.models import Order, ShopRole, ShopSettings
from mitxonline.users.models import User
from reports.audits import nightly
from reports.models import AuditRun, GatewayEntry, GatewayReport
from tests.factories import NOON, make_product, make_user
from tests.factories.orders import make_paid_order
from tests.support.reading import Page, form_data, read
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def finance() -> Client:
    user = make_user("finance@staff.example")
    ShopRole.objects.create(user=user, role=Role.FINANCE_ADMIN, given_at=NOON)
    return sign_in(user)


@pytest.fixture
def orders() -> list[Order]:
    product = make_product(price="100")
    return [make_paid_order(product, gateway="stripe") for _number in range(2)]


def set_finance_address(address: str) -> None:
    site = Site.objects.get(is_default_site=True)
    ShopSettings.objects.update_or_create(site=site, defaults={"finance_email": address})


def course_of(order: Order) -> Any:
    return CourseRun.objects.get(products__order_lines__order=order).course


def open_audit(client: Client, name: str, **query: str | int) -> Page:
    answer = client.get(f"/cms/audits/{name}/", query)
    assert answer.status_code == 200
    return read(answer)


def test_each_term_leads_to_its_rows(finance: Client, orders: list[Order]) -> None:
    page = open_audit(finance, "enrollments")
    (link,) = [a for a in page.select("a") if a.get_text(strip=True) == "Single purchases"]
    rows = read(finance.get(str(link["href"])))
    assert {order.number for order in orders} <= set(rows.text.split())
    assert "The books agree" in page.text
    assert "As of" in page.text


def test_what_differs_is_listed_with_a_link_to_its_order(finance: Client, orders: list[Order]) -> None:
    EnrollmentGrant.objects.filter(reference=orders[0].number).delete()
    page = open_audit(finance, "enrollments")
    assert "1 row needs someone" in page.text
    (link,) = [a for a in page.select("table a") if a.get_text(strip=True) == orders[0].number]
    assert str(link["href"]) == f"/cms/orders/{orders[0].pk}/"
    only = open_audit(finance, "enrollments", cause="grant_missing")
    assert orders[0].number in only.text
    assert orders[0].number not in open_audit(finance, "enrollments", cause="no_reason").text


def test_differences_are_paged(finance: Client) -> None:
    product = make_product()
    for _number in range(53):
        make_paid_order(product)
    EnrollmentGrant.objects.all().delete()
    first, second = (open_audit(finance, "enrollments", page=number) for number in (1, 2))
    assert [len(page.select(".desk-table tbody td .staff-state--bad")) for page in (first, second)] == [50, 3]
    assert finance.get("/cms/audits/enrollments/", {"page": 3}).status_code == 302


def test_the_scope_is_chosen_on_the_page(finance: Client, orders: list[Order]) -> None:
    other = make_paid_order(make_product())
    text = open_audit(finance, "seats", course=course_of(other).readable_id).text
    assert " ".join(text.split()).count("Seats sold 1") == 1
    day = (NOON + timedelta(days=1)).date()
    assert "Seats sold 0" in " ".join(open_audit(finance, "seats", first=day.isoformat()).text.split())


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"course": "course-v1:No+such"}, "No course or run has the key “course-v1:No+such”."),
        ({"first": "2026-02-02", "last": "2026-02-01"}, "The last day can’t be before the first."),
        ({"first": "yesterday"}, "Enter a day like 2027-06-30."),
    ],
)
def test_what_cannot_be_meant_is_said_on_the_form(finance: Client, query: dict[str, str], sentence: str) -> None:
    answer = finance.get("/cms/audits/seats/", query)
    assert answer.status_code == 422
    page = read(answer)
    assert sentence in page.text
    for name, value in query.items():
        chosen = [str(option["value"]) for option in page.select(f'select[name="{name}"] option[selected]')]
        assert form_data(page).get(name, chosen) == [value]


@pytest.mark.parametrize("style", ["csv", "xlsx"])
def test_the_file_has_the_terms_and_the_rows(finance: Client, orders: list[Order], style: str) -> None:
    EnrollmentGrant.objects.filter(reference=orders[0].number).delete()
    answer: Any = finance.get("/cms/audits/enrollments/", {"export": style})
    content = b"".join(answer.streaming_content)
    if style == "xlsx":
        sheet = load_workbook(BytesIO(content)).active
        text = "\n".join(",".join(str(cell) for cell in row) for row in sheet.iter_rows(values_only=True))
    else:
        text = content.decode()
    assert "Active enrollments,2" in text
    assert orders[0].number in text
    assert orders[1].number not in text


class TestAccess:
    def test_of_a_course_alone_only_that_course(self, orders: list[Order]) -> None:
        other = make_paid_order(make_product())
        user = make_user("one@staff.example")
        ShopRole.objects.create(user=user, role=Role.FINANCE_ADMIN, course=course_of(orders[0]), given_at=NOON)
        client = sign_in(user)
        page = open_audit(client, "enrollments")
        assert "Active enrollments" not in page.text
        mine = open_audit(client, "enrollments", course=course_of(orders[0]).readable_id)
        assert "Active enrollments" in mine.text
        for query in ({"course": course_of(other).readable_id}, {"course": ""}, {"export": "csv"}):
            assert client.get("/cms/audits/enrollments/", query).status_code == 422
            assert client.get("/cms/audits/enrollments/rows/", {**query, "term": "purchase"}).status_code == 422
        assert client.post("/cms/audits/ask/").status_code == 302
        assert client.get("/cms/audits/statement/").status_code == 302
        assert not GatewayReport.objects.exists()

    def test_others_see_neither_page_nor_menu(self, orders: list[Order]) -> None:
        user = make_user("sales@staff.example")
        ShopRole.objects.create(user=user, role=Role.SALES_ADMIN, given_at=NOON)
        client = sign_in(user)
        for address in ("", "enrollments/", "payments/rows/?term=single", "statement/"):
            answer = client.get(f"/cms/audits/{address}")
            assert answer.status_code == 302
            assert b"TS-2026" not in answer.content

    def test_an_audit_that_does_not_exist(self, finance: Client) -> None:
        assert finance.get("/cms/audits/nothing/").status_code == 404
        assert finance.get("/cms/audits/seats/rows/").status_code == 404


class TestStatementPage:
    def test_a_statement_is_read(self, finance: Client) -> None:
        order = make_paid_order(make_product(price="100"), gateway="paypal")
        ident = order.attempts.get().payment_id
        file = SimpleUploadedFile("may.csv", f"Date,Gross,Reference\n2026-03-02 12:00,100,{ident}\n".encode())
        said = {"gateway": "paypal", "file": file, "columns": "day: Date\namount: Gross\npayment: Reference"}
        answer = finance.post("/cms/audits/statement/", {**said, "currency": "USD"}, follow=True)
        text = " ".join(read(answer).text.split())
        assert "Read 1 entry." in text
        assert "The books agree" in text
        assert "PayPal reported until" in text
        again = read(finance.get("/cms/audits/statement/"))
        assert "payment: Reference" in again.text

    def test_a_wrong_column_keeps_what_was_typed(self, finance: Client) -> None:
        file = SimpleUploadedFile("may.csv", b"Date,Gross\n2026-03-02,100\n")
        said = {"gateway": "paypal", "file": file, "columns": "day: Date\namount: Net", "currency": "USD"}
        answer = finance.post("/cms/audits/statement/", said)
        assert answer.status_code == 422
        text = read(answer).text
        assert "The columns don’t fit at “Net”." in text
        assert "amount: Net" in text
        assert not GatewayEntry.objects.exists()

    def test_an_unknown_gateway_is_refused_and_one_as_people_write_it_is_read(self, finance: Client) -> None:
        said = {"columns": "day: Date\namount: Gross", "currency": "USD"}
        for typed, gateway in (("paypall", ""), (" PayPal ", "paypal")):
            file = SimpleUploadedFile("may.csv", b"Date,Gross\n2026-03-02 12:00,100\n")
            answer = finance.post("/cms/audits/statement/", {**said, "file": file, "gateway": typed}, follow=True)
            assert ("There is no gateway “paypall”." in read(answer).text) == (not gateway)
            assert set(GatewayEntry.objects.values_list("gateway", flat=True)) == ({gateway} if gateway else set())


class TestNightly:
    @pytest.fixture(autouse=True)
    def address(self, finance: Client) -> None:
        User.objects.filter(email="finance@staff.example").update(is_superuser=False)

    def test_books_that_agree_send_no_mail(self, mailoutbox: list[Any], settings: Any) -> None:
        settings.PAYMENT_GATEWAYS = []
        product = make_product()
        make_paid_order(product)
        GatewayReport.objects.all().delete()
        runs = {run.audit: run.unexplained for run in nightly.audit_all(now=NOON)}
        assert (runs["enrollments"], runs["seats"]) == (0, 0)

    def test_finance_hears_of_differences_once(
        self, mailoutbox: list[Any], stripe_api: StripeServer, finance: Client, settings: Any
    ) -> None:
        set_finance_address("books@example.test")
        product = make_product(price="100")
        order, other = (make_paid_order(product, gateway="stripe") for _number in range(2))
        for each in (order, other):
            stripe_api.moment = NOON.timestamp
            source = {"id": f"ch_{each.pk}", "object": "charge", "payment_intent": each.attempts.get().payment_id}
            stripe_api.move("charge", 10000, source)
        later = NOON + timedelta(days=3)
        nightly.audit_all(now=later)
        assert mailoutbox == []
        EnrollmentGrant.objects.filter(reference=order.number).delete()
        nightly.audit_all(now=later)
        (mail,) = mailoutbox
        assert mail.to == ["books@example.test"]
        assert "Enrollments: 1 row needs someone" in mail.body
        assert order.purchaser.email not in mail.body
        nightly.audit_all(now=later)
        assert len(mailoutbox) == 1  # the same again
        EnrollmentGrant.objects.filter(reference=other.number).delete()
        nightly.audit_all(now=later)
        assert len(mailoutbox) == 2
        page = read(finance.get("/cms/audits/"))
        assert "2 rows need someone" in page.text
        assert AuditRun.objects.filter(audit="enrollments").count() == 4

    def test_a_gateway_without_an_answer_is_told_too(self, mailoutbox: list[Any], stripe_api: StripeServer) -> None:
        set_finance_address("books@example.test")
        stripe_api.fail("balance_transactions", 500)
        nightly.audit_all(now=NOON)
        (mail,) = mailoutbox
        assert "no report from Stripe" in mail.body
