"""Buying for a group in the browser's way: course page, cart, details, receipt, e-mail."""

from __future__ import annotations

import csv
from io import StringIO

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ecommerce.events import OrderFulfilled
from ecommerce.models import BasketItem, DiscountCode, Order, SeatSale
from ecommerce.receivers import email_receipt
from ecommerce.services.discounts.codes import use_code
from mitxonline.users.models import User
from tests.factories import NOON, make_code, make_course, make_discount, make_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_course_page
from tests.factories.seats import make_group_order, make_seat_sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> User:
    return make_user(name="Amara Okafor")


@pytest.fixture
def signed_in(client: Client, buyer: User) -> Client:
    client.force_login(buyer)
    return client


def seats_in_cart() -> list[int | None]:
    return list(BasketItem.objects.order_by("pk").values_list("seats", flat=True))


def add(client: Client, product_id: int, seats: str, who: str = "group") -> None:
    client.post("/cart/add/", {"product_id": product_id, "who": who, "seats": seats})


def test_the_course_page_offers_the_course_for_me_and_for_a_group(client: Client) -> None:
    course = make_course()
    make_product(make_run(course))
    make_course_page(course)
    text = client.get(f"/courses/{course.readable_id}/").content.decode()
    assert "For me" in text
    assert "For a group" in text
    assert 'name="seats"' in text


def test_who_has_the_course_finds_the_way_to_buy_it_for_a_group(signed_in: Client, buyer: User) -> None:
    course = make_course()
    product = make_product(make_run(course))
    make_course_page(course)
    make_paid_order(product, buyer=buyer)
    text = signed_in.get(f"/courses/{course.readable_id}/").content.decode()
    assert f"/cart/group/?product_id={product.pk}" in text


def test_a_visitor_sees_price_and_total_before_signing_in(client: Client) -> None:
    product = make_product(price="19.99")
    make_discount(amount="10", automatic=True, name="Spring sale", for_groups=True)
    make_discount(amount="50", automatic=True, name="For one person")
    text = client.get(f"/cart/group/?product_id={product.pk}&seats=40").content.decode()
    assert "$19.99 for each seat" in text
    assert "40 seats × $19.99" in text
    assert "Spring sale: −$79.96" in text
    assert "$719.64" in text
    add(client, product.pk, "40")
    cart = client.get("/cart/").content.decode()
    assert "40 seats × $19.99" in cart
    assert "$719.64" in cart


def test_htmx_gets_the_sum_alone(client: Client) -> None:
    product = make_product(price="20")
    answer = client.get(f"/cart/group/?product_id={product.pk}&seats=3", headers={"HX-Request": "true"})
    assert "<html" not in answer.content.decode()
    assert "$60.00" in answer.content.decode()
    answer = client.get(f"/cart/group/?product_id={product.pk}&seats=3.5", headers={"HX-Request": "true"})
    assert "without decimals" in answer.content.decode()


@pytest.mark.parametrize(
    ("seats", "sentence"),
    [
        ("0", "Enter at least 1 seat."),
        ("1001", "up to 1,000 seats"),
        ("3.5", "without decimals"),
        ("abc", "in digits"),
        ("", "Enter how many seats you want"),
    ],
)
def test_a_number_that_is_none_gets_a_sentence_and_changes_nothing(client: Client, seats: str, sentence: str) -> None:
    product = make_product()
    answer = client.post("/cart/add/", {"product_id": product.pk, "who": "group", "seats": seats})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert f'value="{seats}"' in answer.content.decode() or not seats
    assert seats_in_cart() == []

    add(client, product.pk, "40")
    answer = client.post("/cart/seats/", {"product_id": product.pk, "group": "1", "who": "group", "seats": seats})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert seats_in_cart() == [40]


def test_the_number_changes_in_the_cart_and_both_lines_of_a_course_stay_apart(client: Client) -> None:
    product = make_product(price="10")
    add(client, product.pk, "", who="me")
    add(client, product.pk, "40")
    client.post("/cart/seats/", {"product_id": product.pk, "group": "1", "who": "group", "seats": "12"})
    assert seats_in_cart() == [None, 12]
    assert "$130.00" in client.get("/cart/").content.decode()
    client.post("/cart/remove/", {"product_id": product.pk, "group": "1"})
    assert seats_in_cart() == [None]


def test_the_summary_counts_a_groups_seats_and_ones_own_course(client: Client) -> None:
    product = make_product()
    add(client, product.pk, "1")
    assert "<dt>1 seat for a group</dt>" in client.get("/cart/").content.decode()
    add(client, product.pk, "3")
    add(client, product.pk, "", who="me")
    assert "<dt>1 course and 3 seats for a group</dt>" in client.get("/cart/").content.decode()


def test_a_line_becomes_a_groups_and_the_buyers_again(client: Client) -> None:
    product = make_product()
    add(client, product.pk, "", who="me")
    client.post("/cart/seats/", {"product_id": product.pk, "who": "group", "seats": "3"})
    assert seats_in_cart() == [3]
    client.post("/cart/seats/", {"product_id": product.pk, "group": "1", "who": "me", "seats": "3"})
    assert seats_in_cart() == [None]


def test_every_address_of_the_page_for_groups_refuses_what_has_no_seats(client: Client) -> None:
    hidden = make_product(is_active=False)
    for product_id in (hidden.pk, "x", ""):
        answer = client.get(f"/cart/group/?product_id={product_id}")
        assert answer.headers["Location"] == "/cart/"  # where a sentence says it


def test_a_group_is_asked_for_its_business_details_and_an_own_course_is_not(signed_in: Client) -> None:
    product = make_product(price="0")
    add(signed_in, product.pk, "", who="me")
    assert signed_in.get("/checkout/details/").headers["Location"] == "/cart/"
    assert 'action="/checkout/details/"' not in signed_in.get("/cart/").content.decode()
    add(signed_in, product.pk, "3")
    assert 'action="/checkout/details/"' in signed_in.get("/cart/").content.decode()
    assert "Business details" in signed_in.get("/checkout/details/").content.decode()


def form_of(client: Client) -> dict[str, str]:
    page = client.get("/checkout/details/").context["page"]
    return {"expected_total": str(page.priced.total), "seen": page.priced.fingerprint}


COMPANY = {
    "company": "Northgate Health",
    "contact_name": "Ines Roth",
    "contact_email": "ines@northgate.test",
    "street": "1 Harbor Way",
    "city": "Boston",
    "country": "US",
    "tax_id": "12-3456789",
    "po_number": "PO-1042",
}


def test_details_are_stored_and_printed_on_page_file_and_e_mail(signed_in: Client) -> None:
    product = make_product(price="0")
    add(signed_in, product.pk, "3")
    answer = signed_in.post("/checkout/details/", form_of(signed_in) | COMPANY)
    order = Order.objects.get()
    assert answer.headers["Location"] == f"/checkout/receipt/?order_number={order.number}"
    text = signed_in.get(answer.headers["Location"]).content.decode()
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=order.purchaser_id, number=order.number, at=NOON))
    (message,) = mail.outbox
    for part in ("Northgate Health", "Ines Roth, ines@northgate.test", "12-3456789", "Purchase order PO-1042"):
        assert part in text
        assert part in message.body


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"contact_email": "ines"}, "Enter an e-mail address such as"),
        ({"company": "", "street": "", "city": "", "country": "", "po_number": ""}, "Enter the company that"),
        ({"city": ""}, "Enter the city too."),
        ({"country": ""}, "Choose the country too."),
        ({"country": "XX"}, "Choose a country from the list."),
        ({"company": "x" * 300}, "Use up to 255 characters."),
    ],
)
def test_details_that_do_not_do_get_a_sentence_and_lose_nothing(
    signed_in: Client, wrong: dict[str, str], sentence: str
) -> None:
    add(signed_in, make_product(price="0").pk, "3")
    answer = signed_in.post("/checkout/details/", form_of(signed_in) | COMPANY | wrong)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert 'value="12-3456789"' in answer.content.decode()
    assert not Order.objects.exists()


def test_all_details_may_be_empty(signed_in: Client) -> None:
    add(signed_in, make_product(price="0").pk, "3")
    signed_in.post("/checkout/details/", form_of(signed_in))
    assert Order.objects.get().company == ""


def test_a_number_changed_in_another_tab_is_shown_with_what_was_typed(signed_in: Client) -> None:
    product = make_product(price="0")
    add(signed_in, product.pk, "3")
    seen = form_of(signed_in)
    add(signed_in, product.pk, "300")
    answer = signed_in.post("/checkout/details/", seen | COMPANY)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "300 seats" in text
    assert 'value="Northgate Health"' in text
    assert not Order.objects.exists()
    signed_in.post("/checkout/details/", form_of(signed_in) | COMPANY)
    assert SeatSale.objects.get().seats == 300


def test_the_receipt_lists_each_code_and_who_used_it(signed_in: Client, buyer: User) -> None:
    make_seat_sale(seats=4)  # someone else's
    order = make_group_order(seats=3, buyer=buyer)
    used, free, off = DiscountCode.objects.filter(discount__seat_sale__order_line__order=order).order_by("pk")
    use_code(code=used, user_id=make_user(name="Grace Hopper").pk, now=NOON)
    DiscountCode.objects.filter(pk=off.pk).update(active=False)
    text = signed_in.get("/checkout/receipt/", {"order_number": order.number}).content.decode()
    assert "Your 3 registration codes are ready" in text
    assert all(code.text in text for code in (used, free, off))
    assert all(f"/enrollmentcode/{code.text}/" in text for code in (used, free, off))
    assert text.count("Grace Hopper") == 1
    assert "Grace Hopper" in text
    assert "Switched off" in text


def test_1000_codes_are_paged_with_as_many_queries_as_10(signed_in: Client, buyer: User) -> None:
    signed_in.get("/checkout/receipt/", {"order_number": make_group_order(buyer=buyer).number})  # fills caches
    counted = []
    for seats in (10, 1000):
        order = make_group_order(seats=seats, buyer=buyer)
        for code in SeatSale.objects.get(order_line__order=order).discount.codes.order_by("pk")[:5]:
            use_code(code=code, user_id=make_user().pk, now=NOON)
        with CaptureQueriesContext(connection) as captured:
            page = signed_in.get("/checkout/receipt/", {"order_number": order.number, "page": "1"}).context["page"]
        counted.append(len(captured))
        assert len(page.code_rows) == min(seats, 50)
    assert counted[0] == counted[1]


def test_the_buyer_downloads_the_codes_and_no_one_else(signed_in: Client, buyer: User) -> None:
    order, foreign = make_group_order(seats=3, buyer=buyer), make_group_order(seats=3)
    answer = signed_in.get("/checkout/receipt/codes/", {"order_number": order.number})
    rows = list(csv.reader(StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert rows[0] == ["Course name", "Registration code", "Link"]
    assert len(rows) == 4
    assert signed_in.get("/checkout/receipt/codes/", {"order_number": foreign.number}).status_code == 404
    assert signed_in.get("/checkout/receipt/codes/", {"order_number": "x"}).status_code == 404


def test_one_e_mail_has_the_list_the_file_and_the_receipt(buyer: User) -> None:
    order = make_group_order(seats=3, buyer=buyer)
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=buyer.pk, number=order.number, at=NOON))
    (message,) = mail.outbox
    texts = DiscountCode.objects.values_list("text", flat=True)
    assert message.subject == f"Your 3 registration codes and receipt {order.number}"
    assert all(f"/enrollmentcode/{text}/" in message.body for text in texts)
    names = [attachment.filename for attachment in message.attachments]
    assert names == [f"{order.number}.pdf", f"{order.number}-codes.csv"]


def test_a_typed_registration_code_leads_from_the_cart_to_where_it_is_redeemed(signed_in: Client) -> None:
    sale = make_seat_sale(seats=2)
    code = sale.discount.codes.first()
    assert code is not None
    add(signed_in, make_product().pk, "", who="me")
    answer = signed_in.post("/cart/code/", {"code": f" {code.text.lower()} "})
    assert answer.headers["Location"] == f"/enrollmentcode/{code.text}/"
    answer = signed_in.post("/cart/code/", {"code": code.text}, headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == f"/enrollmentcode/{code.text}/"


def test_a_code_for_one_person_is_refused_for_a_group_in_a_sentence(client: Client) -> None:
    product = make_product(price="100")
    make_code(make_discount(amount="100"), text="ONE-PERSON")
    add(client, product.pk, "1000")
    answer = client.post("/cart/code/", {"code": "one-person"}, follow=True)
    text = answer.content.decode()
    assert "it doesn’t lower the price of seats for a group" in text
    assert "Ask whoever gave it to you for a code that is also for groups." in text
    assert "$100,000.00" in text


def test_the_cart_says_why_a_code_is_idle_once_a_line_is_for_a_group(client: Client) -> None:
    product = make_product(price="100")
    make_code(make_discount(amount="100"), text="ONE-PERSON")
    add(client, product.pk, "", who="me")
    client.post("/cart/code/", {"code": "ONE-PERSON"})
    client.post("/cart/seats/", {"product_id": product.pk, "who": "group", "seats": "3"})
    text = client.get("/cart/").content.decode()
    assert "It’s for one person’s course and doesn’t lower the price of seats for a group." in text
    assert "$300.00" in text


def test_40_seats_at_100_percent_off_complete_without_payment(signed_in: Client) -> None:
    product = make_product(price="100")
    code = make_code(make_discount(amount="100", for_groups=True), text="FREE-FOR-ALL")
    add(signed_in, product.pk, "40")
    signed_in.post("/cart/code/", {"code": code.text})
    assert "Complete the order" in signed_in.get("/checkout/details/").content.decode()
    signed_in.post("/checkout/details/", form_of(signed_in))
    assert SeatSale.objects.get().discount.codes.count() == 40
