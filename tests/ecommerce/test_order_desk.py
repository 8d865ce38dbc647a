"""Orders and refunds in the Wagtail admin: rights, actions and confirmations."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from wagtail.models import ModelLogEntry

from courses.models import Enrollment
from ecommerce.enums import EnrollmentAfter, OrderState, RefundRequestState, RefundState
from ecommerce.events import ReceiptWanted, RefundDenied
from ecommerce.models import Refund, RefundRequest
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.order_desk import order_at_desk
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.orders.fulfillment import fulfill_order
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel.audit import record
from mitxonline.kernel.money import Money
from mitxonline.users.models import User
from tests.ecommerce.desk import EVERYTHING, desk_url, make_dispute, make_second_payment, read_order_page, submit_refund
from tests.ecommerce.tills import Till, install_till
from tests.factories import NOON, make_product, make_program_product, make_run, make_user
from tests.factories.orders import make_paid_order
from tests.support.counting import queries
from tests.support.events import deliveries_of
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db


def test_the_list_finds_orders_by_number_buyer_and_state(desk: Client) -> None:
    mine = make_paid_order(make_product(), make_product(), buyer=make_user("amara@northgate.example"))
    other = make_paid_order(make_product(), state=OrderState.REVIEW)
    everything = read(desk.get("/cms/orders/")).text
    assert mine.number in everything
    assert other.number in everything
    for query in ({"q": mine.number}, {"q": "amara@north"}, {"state": "fulfilled"}, {"placed_at_from": "2026-03-02"}):
        text = read(desk.get("/cms/orders/", query)).text
        assert text.count(mine.number) >= 1, query
    assert other.number not in read(desk.get("/cms/orders/", {"q": "amara@north"})).text
    assert mine.number not in read(desk.get("/cms/orders/results/", {"state": "review"})).text
    assert mine.number not in read(desk.get("/cms/orders/", {"placed_at_to": "2026-03-01"})).text


@pytest.mark.parametrize("kind", ["review", "dispute", "request", "twice", "failed"])
def test_orders_that_need_attention_can_be_filtered(desk: Client, settings: Any, kind: str) -> None:
    till = install_till(settings)
    order = make_paid_order(
        make_product(), state=OrderState.REVIEW if kind == "review" else OrderState.FULFILLED, gateway="till"
    )
    quiet = make_paid_order(make_product())
    if kind == "dispute":
        make_dispute(order)
    if kind == "request":
        RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    if kind == "twice":
        make_second_payment(order)
    if kind == "failed":
        till.says = ["no"]
        refund_order(order_id=order.pk, choice=RefundChoice(reason="x"), now=NOON, by_id=None)
    text = read(desk.get("/cms/orders/", {"attention": kind})).text
    assert order.number in text
    assert quiet.number not in text
    if kind == "failed":
        refund_order(order_id=order.pk, choice=RefundChoice(reason="x"), now=NOON, by_id=None)
        assert order.number not in read(desk.get("/cms/orders/", {"attention": kind})).text


def test_an_order_shows_everything_about_it(desk: Client) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    order.attempts.update(paid_with="Visa ending 4242")
    first = order.lines.all()[0]
    refund_order(
        order_id=order.pk, choice=RefundChoice(reason="wrong course", line_ids=(first.pk,)), now=NOON, by_id=None
    )
    make_dispute(order)
    RefundRequest.objects.create(order=order, why="no_time", text="My shifts changed.", asked_at=NOON)
    make_second_payment(order)
    text = read_order_page(desk, order).text
    for words in (
        "Partially refunded",
        "Refundable $149.00",
        "Visa ending 4242",
        "wrong course",
        "Needs a response",
        "My shifts changed.",
        "The order was paid a second time: $398.00",
        "Started a refund",
        "The gateway reported a dispute",
    ):
        assert words in text, words


@pytest.mark.parametrize("size", [1, 4])
def test_an_order_costs_the_same_whatever_happened_to_it(size: int) -> None:
    order = make_paid_order(*(make_product() for _each in range(size)))
    for _each in range(size):
        choice = RefundChoice(reason="x", amount=Money("1", "USD"), enrollment_after=EnrollmentAfter.KEEP)
        refund_order(order_id=order.pk, choice=choice, now=NOON, by_id=None)
    order_at_desk(order.pk)
    with queries(12):
        found = order_at_desk(order.pk)
    assert (len(found.lines), len(found.refunds)) == (size, size)


@pytest.mark.parametrize("size", [1, 4])
def test_the_lists_cost_the_same_for_any_number(desk: Client, size: int) -> None:
    for _each in range(size):
        order = make_paid_order(make_product())
        refund_order(order_id=order.pk, choice=RefundChoice(reason="x"), now=NOON, by_id=None)
    for address, number in (("/cms/orders/results/", 8), ("/cms/refunds/results/", 7)):
        desk.get(address)
        with queries(number):
            desk.get(address)


def test_a_refund_asks_twice_and_then_is_done_once(desk: Client, finance: User) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    assert not {"scope", "enrollment_after"} & set(form)
    asked = desk.post(desk_url(order, "refund/"), {**form, **EVERYTHING, "reason": "phone call"})
    page = read(asked)
    assert f"Refund $398.00 to {order.purchaser.email}" in page.text
    assert "The buyer loses access to these courses" in page.text
    assert not Refund.objects.exists()
    for _twice in range(2):
        answer = desk.post(desk_url(order, "refund/"), {**form_data(page), "confirmed": "1"}, follow=True)
    assert "$398.00 was refunded." in answer.content.decode()
    refund = Refund.objects.get()
    assert (refund.state, refund.begun_by, refund.reason) == (RefundState.SUCCEEDED, finance, "phone call")
    assert not Enrollment.objects.active().exists()
    entry = ModelLogEntry.objects.get(action="ecommerce.refund.record")
    assert (entry.user, entry.data["reason"]) == (finance, "phone call")


def test_a_refund_names_the_program_that_its_course_made_cheaper(desk: Client) -> None:
    """Else who buys a course, then its program for less, and gives the course back, has the rest for little."""
    run, other_run, elsewhere = make_run(), make_run(), make_run()
    order = make_paid_order(make_product(run), make_product(elsewhere, price="149.00"))
    program = make_program_product(run.course, other_run.course, sku="P1", price="300")
    owner = BasketOwner(user_id=order.purchaser_id)
    add_products(owner=owner, product_ids=[program.pk], now=NOON)
    bought = begin_checkout(owner=owner, user_id=order.purchaser_id, now=NOON).order
    assert bought.total == 51
    sentence = f"Order {bought.number} sold “Program P1” for $249.00 less because the buyer had “{run.course.title}”."
    for state in ("pending", "fulfilled"):
        assert bought.state == state
        form = read(desk.get(desk_url(order, "refund/")))
        asked = desk.post(desk_url(order, "refund/"), {**form_data(form), **EVERYTHING, "reason": "phone call"})
        assert sentence in form.text
        assert sentence in read(asked).text
        if state == "pending":
            bought = fulfill_order(order_id=bought.pk, now=NOON)
    course = order.lines.order_by("pk")[0].product
    other = make_paid_order(course)
    assert "less because" not in read(desk.get(desk_url(other, "refund/"))).text
    bought.lines.update(refunded=51)
    assert "less because" not in read(desk.get(desk_url(order, "refund/"))).text


def test_finance_decides_about_a_program_that_stays_cheaper(desk: Client) -> None:
    run, other_run, elsewhere = make_run(), make_run(), make_run()
    order = make_paid_order(make_product(run), make_product(elsewhere, price="149.00"))
    cheaper, unrelated = order.lines.order_by("pk")
    program = make_program_product(run.course, other_run.course, sku="P1", price="300")
    owner = BasketOwner(user_id=order.purchaser_id)
    add_products(owner=owner, product_ids=[program.pk], now=NOON)
    begin_checkout(owner=owner, user_id=order.purchaser_id, now=NOON)
    url = desk_url(order, "refund/")
    form = read(desk.get(url))
    assert not form.one("input[name=leaves_program_cheaper]").has_attr("checked")
    data = {**form_data(form), **EVERYTHING, "reason": "phone call"}
    lines = {**data, "scope": "lines"}
    for undecided in (data, {**lines, "lines": [cheaper.pk]}):
        page = read(desk.post(url, {**undecided, "confirmed": "1"}))
        assert "Refunding this leaves a program at a lower price." in page.text
        assert "See what will happen" in page.buttons()
    for fine in ({**lines, "lines": [unrelated.pk]}, {**data, "scope": "amount", "amount": "149"}):
        page = read(desk.post(url, fine))
        assert "Refund $149.00" in page.buttons()
        assert "lower price" not in page.text
    assert not Refund.objects.exists()
    page = read(desk.post(url, {**data, "leaves_program_cheaper": "on"}))
    assert "You chose to refund it anyway: the program stays at the lower price." in page.text
    desk.post(url, {**form_data(page), "confirmed": "1"})
    assert Refund.objects.get().amount == Decimal(398)


def test_going_back_keeps_the_entered_refund(desk: Client) -> None:
    order = make_paid_order(make_product())
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    asked = read(
        desk.post(
            desk_url(order, "refund/"),
            {**form, **EVERYTHING, "scope": "amount", "amount": "12.50", "reason": "kind words"},
        )
    )
    again = form_data(read(desk.post(desk_url(order, "refund/"), {**form_data(asked), "back": "1"})))
    assert (again["amount"], again["reason"], again["scope"]) == (["12.50"], ["kind words"], ["amount"])
    assert not Refund.objects.exists()


def test_chosen_courses_and_amounts_go_back(desk: Client) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    second = order.lines.all()[1]
    submit_refund(desk, order, scope="lines", lines=[str(second.pk)], enrollment_after="audit")
    assert Refund.objects.get().amount == 149
    submit_refund(desk, order, scope="amount", amount="9.99", enrollment_after="keep")
    assert sorted(str(each.money) for each in Refund.objects.all()) == ["149.00 USD", "9.99 USD"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"reason": ""}, "Enter a reason. It is kept in the log."),
        ({"scope": "lines", "lines": []}, "Choose at least one course."),
        ({"scope": "amount", "amount": ""}, "Enter an amount above zero."),
        ({"scope": "amount", "amount": "-3"}, "Enter an amount above zero."),
        ({"scope": "amount", "amount": "1.005"}, "Amounts in USD have at most 2 decimals."),
        ({"scope": "amount", "amount": "1000"}, "$1,000.00 is more than is left: you can refund at most $398.00."),
        ({"scope": "everything"}, "Select a valid choice"),
        ({"scope": ""}, "Choose how much is refunded."),
        ({"enrollment_after": ""}, "Choose what happens to the courses."),
        ({"amount": "10"}, "You entered an amount, but chose otherwise."),
        ({"amount": "ten"}, "You entered an amount, but chose otherwise."),
        ({"lines": ["1"], "scope": "lines", "amount": "10"}, "You entered an amount, but chose otherwise."),
        ({"reference": "x"}, "Open the refund again from the order."),
    ],
)
def test_bad_input_gets_a_sentence_and_loses_nothing(desk: Client, changes: dict[str, Any], sentence: str) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    answer = submit_refund(desk, order, **changes)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Refund.objects.exists()


def test_a_refusal_of_the_gateway_is_shown(desk: Client, settings: Any) -> None:
    till: Till = install_till(settings)
    order = make_paid_order(make_product(), gateway="till")
    till.says = ["no"]
    text = submit_refund(desk, order).content.decode()
    assert "The gateway refused: The card was closed. Nothing was refunded." in text
    till.says = ["away"]
    assert "we keep asking" in submit_refund(desk, order).content.decode()
    assert "There is nothing left to refund" in desk.get(desk_url(order, "refund/"), follow=True).content.decode()


def test_a_refund_made_meanwhile_is_shown_before_confirming(desk: Client) -> None:
    order = make_paid_order(make_product())
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    asked = read(desk.post(desk_url(order, "refund/"), {**form, **EVERYTHING, "reason": "x"}))
    refund_order(order_id=order.pk, choice=RefundChoice(reason="faster"), now=NOON, by_id=None)
    answer = desk.post(desk_url(order, "refund/"), {**form_data(asked), "confirmed": "1"})
    assert answer.status_code == 422
    assert "There is nothing left to refund" in answer.content.decode()
    assert Refund.objects.count() == 1


def test_courses_ticked_beside_everything_are_a_contradiction(desk: Client) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    answer = submit_refund(desk, order, scope="all", lines=[str(order.lines.all()[1].pk)])
    assert answer.status_code == 422
    assert "You ticked courses, but chose to refund everything." in answer.content.decode()
    assert not Refund.objects.exists()


@pytest.mark.parametrize("scope", [{"scope": "all"}, {"scope": "amount", "amount": "20"}])
def test_a_part_refunded_meanwhile_shows_the_new_plan(desk: Client, scope: dict[str, str]) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    asked = read(desk.post(desk_url(order, "refund/"), {**form, **EVERYTHING, **scope, "reason": "x"}))
    part = RefundChoice(reason="y", amount=Money("98", "USD"), enrollment_after=EnrollmentAfter.KEEP)
    refund_order(order_id=order.pk, choice=part, now=NOON, by_id=None)
    answer = desk.post(desk_url(order, "refund/"), {**form_data(asked), "confirmed": "1"})
    assert "Something changed in the meantime." in answer.content.decode()
    assert Refund.objects.count() == 1
    again = read(answer)
    assert ("$300.00" if scope["scope"] == "all" else "$280.00") in again.text
    desk.post(desk_url(order, "refund/"), {**form_data(again), "confirmed": "1"})
    assert Refund.objects.count() == 2


def test_a_buyers_request_is_approved_with_the_refund(desk: Client, finance: User) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    request = RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    request.lines.set([order.lines.all()[1]])
    page = read_order_page(desk, order)
    assert "Approve and refund" in page.text
    form = form_data(read(desk.get(desk_url(order, "refund/"))))
    assert not {"scope", "lines", "enrollment_after"} & set(form)
    submit_refund(desk, order, scope="lines", lines=[str(order.lines.all()[1].pk)])
    request.refresh_from_db()
    assert (request.state, request.decided_by) == (RefundRequestState.APPROVED, finance)
    assert Refund.objects.get().request == request


def test_the_activity_speaks_in_words(desk: Client) -> None:
    order = make_paid_order(make_product(), make_product(price="149.00"))
    record(order, "ecommerce.refund.ask", by_id=order.purchaser_id, data={"reason": "no_time"})
    submit_refund(desk, order, scope="lines", lines=[str(order.lines.all()[1].pk)], reason=["other"])
    record(order, "ecommerce.dispute.follow", by_id=None, data={"amount": "1249.00 USD", "state": "under_review"})
    told = {(entry.action, entry.reason, entry.details) for entry in order_at_desk(order.pk).log}
    assert told == {
        ("The buyer requested a refund", "I don’t have the time", ""),
        ("Started a refund", "other", "$149.00 · Recorded"),
        ("The refund arrived", "other", "$149.00 · Refunded"),
        ("The gateway reported a dispute", "", "$1,249.00 · With the bank"),
    }


def test_a_buyers_request_is_denied_with_a_sentence(desk: Client, finance: User) -> None:
    order = make_paid_order(make_product())
    request = RefundRequest.objects.create(order=order, why="no_time", asked_at=NOON)
    assert desk.post(desk_url(order, "deny/"), {"answer": " "}).status_code == 422
    desk.post(desk_url(order, "deny/"), {"answer": "The course is over."})
    request.refresh_from_db()
    assert (request.state, request.answer, request.decided_by) == ("denied", "The course is over.", finance)
    assert deliveries_of(RefundDenied).count() == 1
    assert (
        "Someone has already decided"
        in desk.post(desk_url(order, "deny/"), {"answer": "x"}, follow=True).content.decode()
    )
    assert "no open refund request" in desk.get(desk_url(order, "deny/"), follow=True).content.decode()


def test_an_order_in_review_is_fulfilled_by_hand(desk: Client) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    page = read_order_page(desk, order)
    assert "Fulfill the order" in page.text
    assert "Cancel the order" not in page.text
    assert desk.post(desk_url(order, "fulfill/"), {"reason": ""}).status_code == 422
    desk.post(desk_url(order, "fulfill/"), {"reason": "the bank confirmed it"})
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    assert Enrollment.objects.active().count() == 1
    assert ModelLogEntry.objects.get(action="ecommerce.order.fulfill").data["reason"] == "the bank confirmed it"
    again = desk.post(desk_url(order, "fulfill/"), {"reason": "again"})
    assert again.status_code == 422


def test_an_order_in_review_is_canceled_only_without_money(desk: Client) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    answer = desk.post(desk_url(order, "cancel/"), {"reason": "test"})
    assert "has been paid" in answer.content.decode()
    order.attempts.update(state="failed")
    assert "Cancel the order" in read_order_page(desk, order).text
    desk.post(desk_url(order, "cancel/"), {"reason": "test money"})
    order.refresh_from_db()
    assert (order.state, order.state_reason) == (OrderState.CANCELED, "test money")


def test_a_second_payment_goes_back_or_stays(desk: Client) -> None:
    order = make_paid_order(make_product())
    refund = make_second_payment(order)
    assert "$249.00 goes back" in read(desk.get(desk_url(order, f"second/{refund.pk}/send/"))).text
    desk.post(desk_url(order, f"second/{refund.pk}/send/"))
    refund.refresh_from_db()
    assert refund.state == RefundState.SUCCEEDED
    other = make_paid_order(make_product())
    kept = make_second_payment(other)
    desk.post(desk_url(other, f"second/{kept.pk}/keep/"), {"reason": "donation"})
    kept.refresh_from_db()
    assert (kept.state, kept.failure) == (RefundState.CANCELED, "donation")
    assert desk.get(desk_url(order, f"second/{kept.pk}/keep/")).status_code == 404


def test_the_gateway_is_asked_and_the_receipt_sent_again(desk: Client) -> None:
    order = make_paid_order(make_product())
    assert "We asked the gateway." in desk.post(desk_url(order, "check/"), follow=True).content.decode()
    desk.post(desk_url(order, "receipt/"))
    assert deliveries_of(ReceiptWanted).count() == 1
    waiting = make_paid_order(make_product(), state=OrderState.REVIEW)
    assert "no receipt to send" in desk.post(desk_url(waiting, "receipt/"), follow=True).content.decode()
    assert desk.get(desk_url(order, "check/")).status_code == 405


def test_lists_are_exported_with_cells_that_do_not_run(desk: Client) -> None:
    order = make_paid_order(make_product(), buyer=make_user("=cmd@evil.example"))
    refund_order(order_id=order.pk, choice=RefundChoice(reason="+sum(1)"), now=NOON, by_id=None)
    orders = exported(desk, "/cms/orders/")
    assert orders[0]["Number"] == order.number
    assert orders[0]["E-mail"] == "'=cmd@evil.example"
    refunds = exported(desk, "/cms/refunds/")
    assert (refunds[0]["Order"], refunds[0]["Amount"], refunds[0]["Reason"]) == (order.number, "249.00", "'+sum(1)")
    workbook = desk.get("/cms/refunds/", {"export": "xlsx"})
    assert workbook.status_code == 200
    workbook.close()


def exported(desk: Client, address: str) -> list[dict[str, str]]:
    answer = desk.get(address, {"export": "csv"})
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    "part", ["refund/", "deny/", "fulfill/", "cancel/", "check/", "receipt/", "second/1/send/", "second/1/keep/"]
)
def test_view_permission_allows_no_action(part: str) -> None:
    order = make_paid_order(make_product(), state=OrderState.REVIEW)
    looker = make_user(is_staff=True)
    for codename in ("access_admin", "view_order"):
        looker.user_permissions.add(Permission.objects.get(codename=codename))
    client = Client()
    client.force_login(looker)
    page = read(client.get(desk_url(order)))
    assert order.number in page.title
    assert not page.select("main form[method=post], main a.button")
    for answer in (
        client.get(desk_url(order, part)),
        client.post(desk_url(order, part), {"reason": "x", "answer": "x"}),
    ):
        assert answer.status_code in {302, 403, 405}
        assert answer.headers.get("Location", "/cms/") == "/cms/"
    order.refresh_from_db()
    assert order.state == OrderState.REVIEW


def test_an_order_that_is_not_there_is_not_found(desk: Client) -> None:
    for part in ("", "refund/", "deny/", "fulfill/", "cancel/", "second/1/send/"):
        assert desk.get(f"/cms/orders/987654/{part}").status_code == 404
    assert desk.post("/cms/orders/987654/check/").status_code == 404
    assert desk.post("/cms/orders/987654/receipt/").status_code == 404


def test_the_menu_links_to_the_desk(desk: Client) -> None:
    text = desk.get("/cms/").content.decode()
    assert "/cms/orders/" in text
    assert "/cms/refunds/" in text
