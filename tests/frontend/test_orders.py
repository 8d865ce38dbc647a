"""Receipts and the list of orders: only the buyer's own, in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives
from django.test import Client
from wagtail.models import Site

from ecommerce.enums import AttemptState, EnrollmentAfter, OrderState, RefundRequestState, ReviewCause
from ecommerce.events import OrderFulfilled
from ecommerce.models import Order, OrderLine, PaymentAttempt, Product, RefundRequest, ShopSettings
from ecommerce.receivers import email_receipt
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.refunds.refunds import refund_order
from ecommerce.services.refunds.requests import deny_request
from frontend.pages.buy_panel import buy_panel
from frontend.pages.receipt import receipt_page
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_deadline
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.factories import NOON, make_course, make_product, make_program_product, make_run, make_user
from tests.factories.orders import make_paid_order, make_payment
from tests.frontend.conftest import SignIn
from tests.support.counting import queries
from tests.support.pdf import words_of_pdf
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def make_order(
    buyer: User, *products: Product, state: str = OrderState.FULFILLED, number: str = "TS-2026-7K3M9X2Q"
) -> Order:
    total = sum(product.price for product in products)
    order = Order.objects.create(
        number=number,
        purchaser=buyer,
        state=state,
        currency="USD",
        list_total=total,
        discount_total=0,
        total=total,
        fingerprint="",
        placed_at=NOON,
        fulfilled_at=NOON if state == OrderState.FULFILLED else None,
        hold_until=NOON if state == OrderState.PENDING else None,
        review_cause=ReviewCause.REFUSED if state == OrderState.REVIEW else "",
    )
    for product in products:
        OrderLine.objects.create(
            order=order,
            product=product,
            title=product.title,
            item_id=product.item_id,
            sku=product.sku,
            mode=product.mode,
            list_price=product.price,
            discount_amount=0,
            due=product.price,
            currency="USD",
            requires_code=False,
        )
    return order


def receipt(client: Client, order: Order) -> str:
    return f"/checkout/receipt/?order_number={order.number}"


def test_a_receipt_says_what_was_bought(learners_client: Client, learner: User) -> None:
    order = make_order(learner, make_product(), make_product(price="149.00"))
    page = read(learners_client.get(receipt(learners_client, order)))
    assert page.h1 == "You’re in, Amara"
    assert "Your courses are on your dashboard." in page.text
    assert "Paid on 2 March 2026, 12:00" in page.text
    assert "Billed to Amara Okafor" in page.text
    assert "Total paid $398.00" in page.text
    assert "Paid with No payment recorded" in page.text  # staff gave it; it isn't still to be paid
    assert page.links()["Go to my dashboard"] == "/dashboard/"
    assert "Print" in page.buttons()


@pytest.mark.parametrize("discount", [0, 40])
def test_a_receipt_tells_what_came_off_for_owned_courses(
    learners_client: Client, learner: User, mailoutbox: list[EmailMultiAlternatives], discount: int
) -> None:
    """The code's name beside the whole sum would say that the code took off all of it."""
    owned, other = make_run(), make_run()
    program = make_program_product(owned.course, other.course, price="690")
    order = make_paid_order(program, make_product(price="100"), buyer=learner)
    off = 95 + discount
    line = order.lines.get(product=program)
    label = "SPRING10" if discount else ""
    order.lines.filter(pk=line.pk).update(discount_amount=off, deducted=95, due=690 - off, discount_label=label)
    note = "courses you already had" + (" −$95.00, SPRING10 −$40.00" if discount else "")
    page = read(learners_client.get(f"/checkout/receipt/?order_number={order.number}"))
    assert note in page.text
    email_receipt(OrderFulfilled(order_id=order.pk, purchaser_id=learner.pk, number=order.number, at=NOON))
    assert f"$690.00 −${off}.00 ({note})" in mailoutbox[0].body
    pdf = learners_client.get(f"/checkout/receipt/pdf/?order_number={order.number}").content
    assert note in words_of_pdf(pdf)[0]


def test_a_number_typed_in_small_letters_is_found(learners_client: Client, learner: User) -> None:
    order = make_order(learner, make_product())
    make_order(learner, make_product(price="149.00"), number="TS-2026-11111111")
    page = read(learners_client.get(receipt(learners_client, order).replace(order.number, order.number.lower())))
    assert order.number in page.text


@pytest.mark.parametrize(
    ("state", "heading", "badge", "way"),
    [
        (OrderState.PENDING, "This order isn’t paid yet", "Waiting for payment", "Go to my cart"),
        (OrderState.REVIEW, "We’re checking your payment", "Being checked", "Go to my dashboard"),
        (OrderState.DECLINED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.ERRORED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.CANCELED, "This order wasn’t paid", "Not paid", "Go to my cart"),
        (OrderState.REFUNDED, "This order was refunded", "Refunded", "Go to my dashboard"),
        (OrderState.PARTIALLY_REFUNDED, "Part of this order was refunded", "Partly refunded", "Go to my dashboard"),
    ],
)
def test_every_state_has_its_words(
    learners_client: Client, learner: User, state: str, heading: str, badge: str, way: str
) -> None:
    order = make_order(learner, make_product(), state=state)
    page = read(learners_client.get(receipt(learners_client, order)))
    assert page.h1 == heading
    assert f"Status {badge}" in page.text
    assert way in page.links()


def test_a_payment_on_its_way_needs_no_waiting(learners_client: Client, learner: User) -> None:
    order = make_order(learner, make_product(), state=OrderState.PENDING)
    PaymentAttempt.objects.create(
        order=order,
        gateway="sandbox",
        idempotency_key="1",
        amount=249,
        currency="USD",
        state=AttemptState.PROCESSING,
        started_at=NOON,
    )
    assert read(learners_client.get(receipt(learners_client, order))).h1 == "Your payment is on its way"


@pytest.mark.parametrize("query", ["", "?order_number=", "?order_number=TS-1", "?order_number=%00", "?x=" + "y" * 999])
def test_a_number_that_is_not_mine_gets_the_same_answer(learners_client: Client, query: str) -> None:
    others = make_order(make_user(), make_product())
    answers = {
        read(learners_client.get(address)).text
        for address in (f"/checkout/receipt/{query}", receipt(learners_client, others))
    }
    assert len(answers) == 1
    response = learners_client.get(f"/checkout/receipt/{query}")
    assert response.status_code == 404
    assert "We can’t find that order in your account." in read(response).text
    assert read(response).links()


def test_signed_out_one_signs_in_and_comes_back(client: Client, learner: User) -> None:
    order = make_order(learner, make_product())
    response = client.get(receipt(client, order))
    assert response["Location"] == f"/login/?next=/checkout/receipt/%3Forder_number%3D{order.number}"
    assert client.get("/orders/history/")["Location"] == "/login/?next=/orders/history/"


def test_staff_see_no_more_than_others(sign_in: SignIn, learner: User) -> None:
    order = make_order(learner, make_product())
    staff = sign_in(make_user(is_staff=True, is_superuser=True))
    assert staff.get(receipt(staff, order)).status_code == 404
    assert "No orders yet." in read(staff.get("/orders/history/")).text


def test_the_list_names_every_order_of_mine(learners_client: Client, learner: User) -> None:
    assert "No orders yet." in read(learners_client.get("/orders/history/")).text
    mine = make_order(learner, make_product(), number="TS-2026-AAAAAAAA")
    make_order(learner, make_product(), number="TS-2026-BBBBBBBB", state=OrderState.REVIEW)
    make_order(make_user(), make_product(), number="TS-2026-CCCCCCCC")
    page = read(learners_client.get("/orders/history/"))
    assert "TS-2026-CCCCCCCC" not in page.text
    assert page.links()[f"Receipt {mine.number}"] == receipt(learners_client, mine)
    assert "Details TS-2026-BBBBBBBB" in page.links()


def test_an_order_of_several_courses_keeps_their_titles_apart(learners_client: Client, learner: User) -> None:
    products = [make_product(make_run(make_course(title=title))) for title in ("Safety, step by step", "Statistics")]
    make_paid_order(*products, buyer=learner)
    page = read(learners_client.get("/orders/history/"))
    assert page.headings(2) == ["“Safety, step by step” and “Statistics”"]


@pytest.mark.parametrize("page", ["", "2", "abc", "-1", "0"])
def test_long_lists_have_pages(learners_client: Client, learner: User, page: str) -> None:
    product = make_product()
    for each in range(21):
        make_order(learner, product, number=f"TS-2026-{each:08}")
    response = learners_client.get("/orders/history/", {"page": page} if page else {})
    assert response.status_code == 200
    assert len(read(response).select("main .order-row")) in {20, 1}
    assert learners_client.get("/orders/history/?page=3").headers["Location"] == "/orders/history/?page=2"


@pytest.mark.parametrize("orders", [1, 5])
def test_the_list_costs_the_same_for_any_number(learners_client: Client, learner: User, orders: int) -> None:
    for each in range(orders):
        make_order(learner, make_product(), number=f"TS-2026-{each:08}")
    learners_client.get("/orders/history/")
    with queries(9):
        learners_client.get("/orders/history/")


def refunded(order: Order) -> None:
    """Refund one cent of each line."""
    attempt = make_payment(order)
    for _line in order.lines.all():
        refund = refund_order(
            order_id=order.pk,
            choice=RefundChoice(reason="x", amount=Money("0.01", "USD"), enrollment_after=EnrollmentAfter.KEEP),
            now=NOON,
            by_id=None,
        )
        assert refund.attempt_id == attempt.pk


@pytest.mark.parametrize("lines", [1, 5])
def test_a_receipt_costs_the_same_for_any_number_of_lines(learners_client: Client, learner: User, lines: int) -> None:
    order = make_order(learner, *(make_product() for _each in range(lines)))
    refunded(order)
    learners_client.get(receipt(learners_client, order))
    with queries(12):
        learners_client.get(receipt(learners_client, order))


def test_the_receipt_is_mailed_with_a_way_back(learner: User, mailoutbox: list[EmailMultiAlternatives]) -> None:
    order = make_order(learner, make_product(), make_product(price="149.00"))
    email_receipt(OrderFulfilled(order_id=order.pk, number=order.number, purchaser_id=learner.pk, at=NOON))
    (mail,) = mailoutbox
    html = str(mail.alternatives[0][0])
    assert mail.subject == f"Your receipt {order.number}"
    assert mail.to == [learner.email]
    for text in (str(mail.body), html):
        assert "You’re in, Amara" in text
        assert "Your courses are on your dashboard." in text
        assert "$398.00" in text
        assert f"http://testserver/checkout/receipt/?order_number={order.number}" in text


# Receipts as they are kept


def test_the_receipt_says_who_sold_it_who_paid_how_and_the_tax(learners_client: Client, learner: User) -> None:
    ShopSettings.objects.create(
        site=Site.objects.get(is_default_site=True),
        seller_name="Tessera Learning",
        seller_address="2 Mosaic Yard\nGalway, Ireland",
        seller_tax_id="VAT IE 0000000X",
        support_email="orders@tessera.example",
    )
    order = make_paid_order(make_product(), buyer=learner)
    order.attempts.update(paid_with="Visa ending 4242")
    Order.objects.update(
        billing_name="Amara N. Okafor",
        billing_street="14 Quay Street",
        billing_city="Galway",
        billing_country="IE",
        tax_total="46.56",
    )
    text = read(learners_client.get(receipt(learners_client, order))).text
    for words in (
        "Paid with Visa ending 4242",
        "Billed to Amara N. Okafor14 Quay Street, Galway, Ireland",
        "Tax (included) $46.56",
        "Tessera Learning, 2 Mosaic Yard, Galway, Ireland · VAT IE 0000000X",
        "orders@tessera.example",
    ):
        assert words in text, text


def test_a_receipt_says_what_went_back_and_when(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), buyer=learner)
    choice = RefundChoice(reason="x", line_ids=(order.lines.all()[0].pk,))
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    page = read(learners_client.get(receipt(learners_client, order)))
    assert page.h1 == "Part of this order was refunded"
    assert "Refunded on 2 March 2026 −$249.00" in page.text
    assert "Net paid $149.00" in page.text


def test_the_pdf_is_a_pdf_and_says_it_all(
    learners_client: Client, learner: User, caplog: pytest.LogCaptureFixture
) -> None:
    learner.name = "Ámara Õkafor Łukasz Ελένη Дарья"
    learner.save()
    order = make_paid_order(*(make_product() for _each in range(40)), buyer=learner)
    choice = RefundChoice(reason="x", amount=Money("10", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    response = learners_client.get("/checkout/receipt/pdf/", {"order_number": order.number})
    assert response.status_code == 200
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == f'attachment; filename="{order.number}.pdf"'
    assert "no-store" in response["Cache-Control"]
    assert not [record for record in caplog.records if record.name.startswith("fontTools")]
    text, pages = words_of_pdf(response.content)
    assert pages > 1
    assert text.count("You paid") == pages, "every page has the headings of the table"
    for words in (
        order.number,
        learner.name,
        "Refunded on 2 March 2026",
        "−$10.00",
        "$9,960.00",
        "Net paid",
    ):
        assert words in text, text


@pytest.mark.parametrize("state", [OrderState.PENDING, OrderState.REVIEW, OrderState.CANCELED])
def test_an_order_that_is_not_completed_has_no_file(learners_client: Client, learner: User, state: str) -> None:
    order = make_order(learner, make_product(), state=state)
    assert learners_client.get("/checkout/receipt/pdf/", {"order_number": order.number}).status_code == 404


# Asking for the money


def ask(client: Client, order: Order, **fields: object) -> Any:
    return client.post("/orders/refund/", {"order_number": order.number, "why": "no_time", **fields})


@pytest.fixture
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=14))


@pytest.mark.usefixtures("_today")
def test_a_buyer_asks_on_the_last_day_and_is_answered_by_people(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(), buyer=learner)
    links = read(learners_client.get(receipt(learners_client, order))).links()
    assert links["request a refund"] == f"/orders/refund/?order_number={order.number}"
    page = read(learners_client.get(links["request a refund"]))
    assert "You can request a refund until 16 March 2026." in page.text
    assert page.buttons() == ["Send request"]
    response = ask(learners_client, order, text="My shifts changed.")
    assert response["Location"] == receipt(learners_client, order)
    request = RefundRequest.objects.get()
    assert (request.why, request.text, request.state) == ("no_time", "My shifts changed.", RefundRequestState.ASKED)
    text = read(learners_client.get(receipt(learners_client, order))).text
    assert "You requested a refund on 16 March 2026." in text
    again = ask(learners_client, order)
    assert again.status_code == 409
    assert "You requested a refund on 16 March 2026." in read(again).text
    assert RefundRequest.objects.count() == 1


@pytest.mark.usefixtures("_today")
def test_a_refund_request_can_name_some_of_the_courses(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"), buyer=learner)
    first, _second = order.lines.all()
    response = ask(learners_client, order)
    assert response.status_code == 422
    assert read(response).error_summary is not None
    assert "Choose the courses you want a refund for." in read(response).text
    assert ask(learners_client, order, lines=["999999"]).status_code == 422
    assert ask(learners_client, order, lines=[str(first.pk)]).status_code == 302
    assert [line.pk for line in RefundRequest.objects.get().lines.all()] == [first.pk]


@pytest.mark.usefixtures("_today")
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"why": ""}, "Choose why you’re requesting a refund."),
        ({"why": "because"}, "Choose one of the reasons shown here."),
        ({"why": "other", "text": " "}, "Tell us in a sentence what happened."),
        ({"text": "x" * 2001}, "Use up to 2000 characters."),
    ],
)
def test_missing_fields_are_named_and_input_is_kept(
    learners_client: Client, learner: User, fields: dict[str, str], sentence: str
) -> None:
    order = make_paid_order(make_product(), buyer=learner)
    response = ask(learners_client, order, **{"text": "kept words", **fields})
    assert response.status_code == 422
    page = read(response)
    assert sentence in page.text
    assert page.error_summary is not None
    if "text" not in fields:
        assert page.one("textarea").text.strip() == "kept words"
    assert not RefundRequest.objects.exists()


@pytest.mark.parametrize(
    ("days", "start", "self_paced", "until"),
    [
        (14, None, False, ""),
        (15, None, False, "16 March 2026"),
        (24, 10, False, ""),
        (25, 10, False, "26 March 2026"),
        (15, 10, True, "16 March 2026"),
    ],
)
def test_the_time_for_asking_begins_with_the_course(
    learners_client: Client,
    learner: User,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    start: int | None,
    self_paced: bool,
    until: str,
) -> None:
    starts = NOON + timedelta(days=start) if start else None
    run = make_run(start_date=starts, is_self_paced=self_paced)
    order = make_paid_order(make_product(run), buyer=learner)
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=days))
    response = ask(learners_client, order)
    assert response.status_code == (409 if until else 302)
    if until:
        assert f"You could request a refund until {until}" in read(response).text


@pytest.mark.usefixtures("_today")
def test_the_shops_own_window_counts(learners_client: Client, learner: User) -> None:
    shop = ShopSettings.objects.create(site=Site.objects.get(is_default_site=True), refund_window_days=13)
    order = make_paid_order(make_product(), buyer=learner)
    assert "You could request a refund until 15 March 2026" in read(ask(learners_client, order)).text
    shop.refund_window_days = 0
    shop.save()
    response = learners_client.get("/orders/refund/", {"order_number": order.number})
    assert "You can’t request refunds here." in read(response).text
    assert "request a refund" not in read(learners_client.get(receipt(learners_client, order))).links()


@pytest.mark.usefixtures("_today")
def test_the_page_says_why_a_refund_cannot_be_requested(learners_client: Client, learner: User) -> None:
    free = make_paid_order(make_product(), buyer=learner, discount="249")
    assert "You paid nothing for this order" in read(ask(learners_client, free)).text
    waiting = make_order(learner, make_product(), state=OrderState.PENDING)
    assert "This order isn’t completed" in read(ask(learners_client, waiting)).text
    back = make_paid_order(make_product(), buyer=learner)
    refund_order(order_id=back.pk, choice=RefundChoice(reason="x"), now=NOON, by_id=None)
    assert "has already been refunded" in read(ask(learners_client, back)).text
    denied = make_paid_order(make_product(), buyer=learner)
    ask(learners_client, denied)
    deny_request(request_id=RefundRequest.objects.get().pk, answer="The course is over.", now=clock.now(), by_id=None)
    assert "We answered your request on 16 March 2026." in read(ask(learners_client, denied)).text
    assert "The course is over." in read(learners_client.get(receipt(learners_client, denied))).text


@pytest.mark.usefixtures("_today")
def test_foreign_orders_answer_404_like_missing_ones(learners_client: Client, learner: User, client: Client) -> None:
    others = make_paid_order(make_product())
    assert ask(learners_client, others).status_code == 404
    assert read(ask(learners_client, others)).text == read(ask(learners_client, Order(number="TS-1"))).text
    assert ask(client, others)["Location"] == "/login/?next=/orders/history/"
    assert not RefundRequest.objects.exists()


@pytest.mark.usefixtures("_today")
def test_a_receipt_of_two_starts_says_the_refund_day_of_each(learners_client: Client, learner: User) -> None:
    dated = make_product(make_run(start_date=NOON + timedelta(days=30)))
    any_time = make_product(make_run(is_self_paced=True))
    order = make_paid_order(dated, any_time, buyer=learner)
    text = read(learners_client.get(receipt(learners_client, order))).text
    assert "Refund until 15 April 2026" in text
    assert "Refund until 16 March 2026" in text
    assert "Refunds until the day beside each course" in text


@pytest.mark.usefixtures("_today")
def test_panel_receipt_and_refund_page_name_one_day(learners_client: Client, learner: User) -> None:
    for run in (make_run(start_date=NOON + timedelta(days=30)), make_run(is_self_paced=True)):
        product = make_product(run)
        promise = buy_panel(run.course, user_id=None, now=NOON).refunds[0].removeprefix("Full refund until ")
        order = make_paid_order(product, buyer=learner)
        page = receipt_page(user_id=learner.pk, number=order.number, now=NOON)
        assert page.ask_until is not None
        assert format_deadline(page.ask_until, today=clock.date_of(NOON)) == promise


@pytest.mark.usefixtures("_today")
def test_times_are_in_the_zone_the_account_names_or_the_sites(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(), buyer=learner)
    page = learners_client.get(receipt(learners_client, order)).content.decode()
    assert f'<time datetime="{NOON.isoformat()}" data-zone="moment">2 March 2026, 12:00 UTC</time>' in page
    User.objects.update(time_zone="America/New_York")
    page = learners_client.get(receipt(learners_client, order)).content.decode()
    assert f'<time datetime="{NOON.isoformat()}">2 March 2026, 07:00 EST</time>' in page


@pytest.mark.usefixtures("_today")
def test_a_refused_request_says_error_once(learners_client: Client, learner: User) -> None:
    order = make_paid_order(make_product(make_run(start_date=NOON + timedelta(days=30))), buyer=learner)
    page = read(learners_client.post("/orders/refund/", {"order_number": order.number}))
    assert page.title.startswith("Error: Request a refund")
