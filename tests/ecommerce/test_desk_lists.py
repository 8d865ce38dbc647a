"""Finding orders at the desk, what an order's page shows besides the order, and the files for accounting."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.test import Client
from openpyxl import load_workbook

from ecommerce.enums import AttemptState, OrderState
from ecommerce.gateways.stripe import StripeGateway
from ecommerce.models import Order, OrderNote
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.orders.notes import REPEATED_WITHIN, add_note
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.ecommerce.desk import desk_url, make_second_payment
from tests.factories import NOON, make_course, make_discount, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_content_page
from tests.support.together import Together

pytestmark = pytest.mark.django_db


def found(desk: Client, words: str) -> set[str]:
    return {order.number for order in desk.get("/cms/orders/", {"q": words}).context["object_list"]}


def make_two_orders() -> tuple[Order, Order]:
    python = make_product(make_run(make_course("PY101", title="Programming with Python, properly")), price="249")
    care = make_product(make_run(make_course("HE201", title="Safer care")), price="1249.50")
    return make_paid_order(python, buyer=make_user("ada@x.example", name="Ada Lovelace")), make_paid_order(
        care, make_product(price="10"), buyer=make_user("bo@y.example", name="Bo Ek")
    )


@pytest.mark.parametrize(
    ("words", "which"),
    [
        ("safer care", 1),
        ("PY101", 0),
        ("249", 0),
        ("$249.00", 0),
        ("1,249.50", 1),
        ("1.249,50 €", 1),
        ("1259.50", 1),
        ("USD 1249.5", 1),
        ("lovelace", 0),
        ("bo@y", 1),
    ],
)
def test_orders_are_found_by_course_amount_and_buyer(desk: Client, words: str, which: int) -> None:
    orders = make_two_orders()
    assert found(desk, words) == {orders[which].number}


def test_orders_are_found_by_the_ids_of_payments_and_refunds(desk: Client) -> None:
    one, other = make_two_orders()
    refund = refund_order(order_id=other.pk, choice=RefundChoice(reason="x"), now=NOON, by_id=None)
    assert found(desk, one.attempts.get().payment_id) == {one.number}
    assert found(desk, f" {one.attempts.get().session_id} ") == {one.number}
    assert found(desk, refund.gateway_refund_id) == {other.number}
    assert found(desk, "no such thing") == set()


def test_paid_is_what_was_paid(desk: Client) -> None:
    order = make_paid_order(make_product(price="195"), state=OrderState.PENDING)
    order.attempts.update(state=AttemptState.PROCESSING, settled_at=None)
    html = desk.get(desk_url(order)).content.decode()
    assert "<dt>Paid</dt><dd>$0.00</dd>" in html
    paid = make_paid_order(make_product(price="30"))
    make_second_payment(paid)
    assert "<dt>Paid</dt><dd>$60.00</dd>" in desk.get(desk_url(paid)).content.decode()


def test_the_buyers_other_orders_are_on_the_page(desk: Client) -> None:
    buyer = make_user("ada@x.example")
    orders = [make_paid_order(make_product(), buyer=buyer) for _each in range(3)]
    stranger = make_paid_order(make_product())
    html = desk.get(desk_url(orders[0])).content.decode()
    assert all(desk_url(order) in html for order in orders[1:])
    assert desk_url(stranger) not in html


def test_staff_leave_notes(desk: Client, finance: User) -> None:
    order, other = make_paid_order(make_product()), make_paid_order(make_product())
    answer = desk.post(desk_url(order), {"text": "Called.\nWants <b>spring</b>."}, follow=True)
    html = answer.content.decode()
    assert "Called.<br>Wants &lt;b&gt;spring&lt;/b&gt;." in html
    assert finance.name in html
    empty = desk.post(desk_url(order), {"text": " "})
    assert empty.status_code == 422
    assert "Write a note first." in empty.content.decode()
    assert OrderNote.objects.get().order == order
    assert "Called." not in desk.get(desk_url(other)).content.decode()


def test_a_note_that_is_sent_twice_is_written_once(desk: Client, finance: User) -> None:
    order, other = make_paid_order(make_product()), make_paid_order(make_product())
    for url in (desk_url(order), desk_url(order), desk_url(other)):
        desk.post(url, {"text": "Called."})
    assert [note.order_id for note in OrderNote.objects.order_by("pk")] == [order.pk, other.pk]
    desk.post(desk_url(order), {"text": "Called again."})
    desk.post(desk_url(order), {"text": "Called."})
    add_note(order_id=order.pk, text="Called.", by_id=make_user().pk, now=clock.now())
    desk.post(desk_url(order), {"text": "Called."})
    assert order.notes.count() == 5
    later = clock.now() + REPEATED_WITHIN
    add_note(order_id=order.pk, text="Called.", by_id=finance.pk, now=later)
    assert order.notes.count() == 6


def test_a_note_that_is_sent_several_times_at_once_is_written_once(together: Together) -> None:
    order = make_paid_order(make_product())
    add = partial(add_note, order_id=order.pk, text="Called.", by_id=order.purchaser_id, now=NOON)
    together(*[add] * 4)
    assert order.notes.count() == 1


@pytest.mark.parametrize(
    ("session", "payment", "url"),
    [
        ("cs_test_1", "pi_1", "https://dashboard.stripe.com/test/payments/pi_1"),
        ("cs_live_1", "pi_1", "https://dashboard.stripe.com/payments/pi_1"),
        ("cs_test_1", "", "https://dashboard.stripe.com/test/checkout/sessions/cs_test_1"),
        ("", "", ""),
        ("cs_live_1", "pi/../x", "https://dashboard.stripe.com/payments/pi%2F..%2Fx"),
    ],
)
def test_a_payment_links_to_its_page_at_stripe(session: str, payment: str, url: str) -> None:
    assert StripeGateway().dashboard_url(session_id=session, payment_id=payment) == url


def test_the_order_page_links_to_the_gateway(desk: Client, settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.stripe.StripeGateway"]
    order = make_paid_order(make_product(), gateway="stripe")
    order.attempts.update(session_id="cs_test_a", payment_id="pi_a")
    assert 'href="https://dashboard.stripe.com/test/payments/pi_a"' in desk.get(desk_url(order)).content.decode()


def export(desk: Client, url: str) -> list[dict[str, str]]:
    answer = desk.get(url, {"export": "csv"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_file_of_orders_has_a_row_for_each_line(desk: Client) -> None:
    one = make_paid_order(
        make_product(make_run(make_course("PY101", title="Python")), price="100"),
        make_product(price="50"),
        discount="10",
        buyer=make_user(name="Ada"),
    )
    lines = list(one.lines.order_by("pk"))
    choice = RefundChoice(line_ids=(lines[1].pk,), reason="x")
    refund_order(order_id=one.pk, choice=choice, now=NOON + timedelta(days=1), by_id=None)
    Order.objects.filter(pk=one.pk).update(tax_total=Decimal("13.01"))
    free = make_paid_order(make_product(price="0"))
    rows = export(desk, "/cms/orders/")
    mine = [row for row in rows if row["Number"] == one.number]
    assert len(rows) == 3
    assert [(r["List price"], r["Discount"], r["Price"], r["Paid"], r["Refunded"]) for r in mine] == [
        ("100.00", "10.00", "90.00", "90.00", "0.00"),
        ("50.00", "10.00", "40.00", "40.00", "40.00"),
    ]
    assert sum(Decimal(row["Tax included"]) for row in mine) == Decimal("13.01")
    attempt = one.attempts.get()
    first = mine[0]
    assert (first["Course"], first["Buyer"], first["State"]) == ("Python", "Ada", "Partially refunded")
    assert (first["Gateway"], first["Currency"]) == ("Sandbox (no real payment)", "USD")
    assert first["Payment"] == attempt.payment_id
    assert len(first["Placed (UTC)"]) == len("2026-11-28 14:05")
    assert next(row for row in rows if row["Number"] == free.number)["Tax included"] == ""


def test_the_tax_of_the_file_is_what_the_gateway_reported(desk: Client) -> None:
    """Also when that is more than the order's total: it happens if a price was changed at the gateway."""
    order = make_paid_order(make_product(price="100"), make_product(price="50"))
    Order.objects.filter(pk=order.pk).update(tax_total=Decimal("160.01"))
    assert [row["Tax included"] for row in export(desk, "/cms/orders/")] == ["110.01", "50.00"]


@pytest.mark.parametrize(
    ("amount", "currency", "paid"),
    [
        ("65", "USD", ["43.33", "21.67"]),
        ("150", "USD", ["100.00", "50.00"]),
        ("170.50", "USD", ["120.50", "50.00"]),
        ("130", "EUR", ["", ""]),
    ],
)
def test_the_file_says_what_arrived_and_not_what_was_asked(
    desk: Client, amount: str, currency: str, paid: list[str]
) -> None:
    order = make_paid_order(make_product(price="100"), make_product(price="50"))
    order.attempts.update(paid_amount=Decimal(amount), paid_currency=currency)
    assert [row["Paid"] for row in export(desk, "/cms/orders/")] == paid


@pytest.mark.parametrize("size", [1, 4])
def test_a_file_costs_the_same_for_any_number_of_lines(desk: Client, size: int, django_assert_num_queries: Any) -> None:
    for _each in range(size):
        make_paid_order(*(make_product() for _other in range(size)))
    export(desk, "/cms/orders/")
    with django_assert_num_queries(10):
        assert len(export(desk, "/cms/orders/")) == size * size


def test_numbers_are_written_as_people_write_them(desk: Client) -> None:
    make_discount(amount="10")
    make_discount(amount="100")
    make_discount(amount="12.5")
    assert {row["Amount"] for row in export(desk, "/cms/shop/discounts/")} == {"10", "100", "12.5"}


def test_control_characters_break_no_workbook(desk: Client) -> None:
    make_paid_order(make_product(price="1249.50"), buyer=make_user(name="Ada\x0bLove\x00lace".replace("\x00", "\x01")))
    answer = desk.get("/cms/orders/", {"export": "xlsx"})
    sheet = load_workbook(io.BytesIO(b"".join(answer.streaming_content))).active  # type: ignore[attr-defined]
    answer.close()
    head, row = ([cell.value for cell in line] for line in sheet.iter_rows())
    assert row[head.index("Buyer")] == "Ada Love lace"
    assert row[head.index("Price")] == 1249.5


def test_products_can_be_downloaded(desk: Client) -> None:
    product = make_product(make_run(make_course(title="=Python")), price="1249.5")
    [row] = export(desk, "/cms/snippets/ecommerce/product/")
    assert (row["SKU"], row["Course"], row["Price"], row["On sale"]) == (product.sku, "'=Python", "1249.50", "Yes")
    assert "export=csv" in desk.get("/cms/snippets/ecommerce/product/").content.decode()


def test_wagtails_own_reports_have_the_same_files(admin_client: Client) -> None:
    page = make_content_page("about")
    page.title = "=Evil\x0bName"
    page.save_revision(log_action=True, user=make_user(name="Ada\x0bLovelace"))
    answer = admin_client.get("/cms/reports/site-history/", {"export": "csv"})
    assert b"".join(answer.streaming_content).startswith("\ufeff".encode())  # type: ignore[attr-defined]
    book = admin_client.get("/cms/reports/site-history/", {"export": "xlsx"})
    assert load_workbook(io.BytesIO(b"".join(book.streaming_content))).active.max_row > 1  # type: ignore[attr-defined]
    book.close()
