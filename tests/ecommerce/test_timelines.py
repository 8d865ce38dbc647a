"""“I paid and I’m not in my course. What happened?” is answered by one page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from social_django.models import UserSocialAuth

from ecommerce.enums import OrderState, RefundState, UseState
from ecommerce.models import CodeUse, Dispute, GatewayNotice, MoneyAlert, Order, OrderNote, Refund, RefundRequest
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products, apply_code
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.management.trace import print_traces
from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.replay import give_up, replay_delivery
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.timeline import (
    EntryGroup,
    EntryKind,
    SubjectKind,
    Timeline,
    Viewer,
    get_subject,
    tell_timeline,
    timeline_url,
    write_text,
)
from mitxonline.kernel.trace import open_trace
from mitxonline.users.models import EmailChange, User
from tests.ecommerce.paying import check_out, completed_event, latest_attempt, post_event
from tests.factories import NOON, make_code, make_discount, make_product, make_run, make_user
from tests.factories.orders import make_paid_order, make_payment
from tests.support.counting import queries
from tests.support.stripe import StripeServer

pytestmark = pytest.mark.django_db


def tell(kind: SubjectKind, key: object, user: User | None = None) -> Timeline:
    viewer = Viewer(user)
    subject = get_subject(kind, str(key), viewer=viewer)
    assert subject is not None
    return tell_timeline(subject, viewer=viewer)


def sentences(timeline: Timeline) -> list[str]:
    return [str(entry.sentence) for entry in timeline.entries]


def run_deliveries() -> None:
    """Run what waits, as a worker does, and what that publishes."""
    while waiting := list(Delivery.objects.filter(state="pending", attempts=0).order_by("pk")):
        for delivery in waiting:
            run_delivery(delivery_id=delivery.pk, now=timezone.now())


@pytest.fixture
def buyer() -> User:
    return make_user("grace@people.example", name="Grace Hopper")


@pytest.fixture
def order(stripe_api: StripeServer, buyer: User) -> Order:
    """An order with a code, paid at Stripe, in as many requests as a visitor makes."""
    owner, now = BasketOwner(user_id=buyer.pk), clock.now() - timedelta(minutes=1)
    code = make_code(make_discount(amount="20"), text="WELCOME20")
    with open_trace("a-visit-to-the-course"):
        add_products(owner=owner, product_ids=[make_product().pk], now=now)
    with open_trace("a-code-is-applied"):
        apply_code(owner=owner, user_id=buyer.pk, text=code.text, now=now + timedelta(seconds=1))
    with open_trace("the-checkout-request"):
        placed = check_out(buyer, now=now + timedelta(seconds=2)).order
    stripe_api.pay(latest_attempt(placed).session_id)
    with open_trace("what-stripe-sent"):
        assert post_event(completed_event(stripe_api, placed)).status_code == 200
    run_deliveries()
    placed.refresh_from_db()
    return placed


def test_an_order_reads_as_a_story(order: Order, buyer: User) -> None:
    timeline = tell(SubjectKind.ORDER, order.pk)
    told = sentences(timeline)
    story = [
        "The cart was opened.",
        "The code WELC… was applied to the cart.",
        f"Order {order.number} was placed.",
        "The code WELC… was held for the order.",
        "A payment through Stripe was started.",
        "Stripe sent a notice: checkout.session.completed.",
        "The payment arrived.",
        "The order was fulfilled.",
        "Grace Hopper (grace@people.example) was enrolled in",
    ]
    places = [next(n for n, sentence in enumerate(told) if sentence.startswith(begin)) for begin in story]
    assert places == sorted(places), told
    assert any(
        "was e-mailed to Grace Hopper (grace@people.example): the mail server accepted it" in each for each in told
    )
    assert any(each == "“process received notice” was done after NoticeReceived." for each in told)
    assert any(each == "“email receipt” was done after OrderFulfilled." for each in told)
    assert timeline.problems == []
    attempt = latest_attempt(order)
    details = "\n".join(detail for entry in timeline.entries for detail in entry.details)
    assert attempt.session_id in details
    assert attempt.payment_id in details
    assert "WELCOME20" not in "\n".join((*told, details))


def test_what_one_request_did_is_a_group(order: Order) -> None:
    groups = [sentences_of(group) for group in tell(SubjectKind.ORDER, order.pk).groups()]
    checkout = next(told for told in groups if f"Order {order.number} was placed." in told)
    assert "The code WELC… was held for the order." in checkout
    assert "A payment through Stripe was started." in checkout
    assert "The order was fulfilled." not in checkout
    paid = next(told for told in groups if "The order was fulfilled." in told)
    assert "Stripe sent a notice: checkout.session.completed." in paid
    assert "The payment arrived." in paid
    assert any("was enrolled in" in sentence for sentence in paid)


def sentences_of(group: EntryGroup) -> list[str]:
    return [str(entry.sentence) for entry in group.entries]


def test_a_trace_tells_of_its_own_request_only(order: Order) -> None:
    told = sentences(tell(SubjectKind.TRACE, "the-checkout-request"))
    assert f"Order {order.number} was placed." in told
    assert "The order was fulfilled." not in told
    assert "The order was fulfilled." in sentences(tell(SubjectKind.TRACE, order.notices.get().trace_id))


@pytest.mark.parametrize("style", ["table", "json", "csv"])
def test_the_command_line_tells_the_same(order: Order, style: str) -> None:
    told = sentences(tell(SubjectKind.ORDER, order.pk))
    out = StringIO()
    call_command("commerce_routes", "trace", f" {order.number.lower()} ", f"--format={style}", stdout=out)
    printed = out.getvalue()
    for sentence in told:
        assert sentence in printed
    assert "WELCOME20" not in printed
    for text in ("grace@people.example", "welcome20", "the-checkout-request", str(Delivery.objects.earliest("pk").pk)):
        print_traces(StringIO(), what=text, style=style)


def test_an_unknown_subject_gets_a_sentence() -> None:
    with pytest.raises(CommandError, match="There is nothing by that name"):
        call_command("commerce_routes", "trace", "TS-2026-NOSUCHNO")


def test_a_dead_delivery_is_a_problem_with_a_way_on(client: Client, order: Order) -> None:
    dead = Delivery.objects.filter(handler__endswith="email_receipt").get()
    Delivery.objects.filter(pk=dead.pk).update(state="dead")
    client.force_login(make_user("admin@staff.example", is_staff=True, is_superuser=True))
    address = timeline_url(SubjectKind.ORDER, order.pk)
    page = client.get(address, {"kind": "problems"}).content.decode()
    assert "“email receipt” is dead" in page
    replay = reverse("deliveries:replay", args=[dead.pk])
    assert f'action="{replay}"' in page
    client.post(replay)
    dead.refresh_from_db()
    assert dead.state == "pending"


def test_a_replay_and_a_give_up_are_told_once_with_the_person(order: Order, finance: User) -> None:
    first, second = Delivery.objects.filter(state="done").order_by("-pk")[:2]
    Delivery.objects.filter(pk__in=[first.pk, second.pk]).update(state="dead")
    replay_delivery(delivery_id=first.pk, by_id=finance.pk, now=clock.now())
    give_up(delivery_id=second.pk, reason="Told by telephone", by_id=finance.pk, now=clock.now())
    told = [entry for entry in tell(SubjectKind.ORDER, order.pk, finance).entries if entry.person]
    [replayed] = [entry for entry in told if "Replayed" in entry.sentence]
    [over] = [entry for entry in told if "Told by telephone" in entry.details]
    assert replayed.kind == over.kind == EntryKind.WORK
    assert finance.email in replayed.person
    assert finance.email in over.person


# Searching, and who may


def search(client: Client, text: str) -> Any:
    return client.post(reverse("timeline:search"), {"q": text})


def test_the_search_leads_to_what_a_person_has_in_hand(desk: Client, order: Order, finance: User) -> None:
    to_order = timeline_url(SubjectKind.ORDER, order.pk)
    assert search(desk, f" {order.number.lower()} ").headers["Location"] == to_order
    code_id = order.lines.get().code_id
    assert search(desk, "welcome-20").headers["Location"] == timeline_url(SubjectKind.CODE, code_id)
    # Finance may see neither accounts nor deliveries; the answer is the one for what doesn't exist.
    unknown = search(desk, "nobody@people.example")
    for text in ("grace@people.example", "the-checkout-request", str(Delivery.objects.earliest("pk").pk)):
        answer = search(desk, text)
        assert answer.status_code == unknown.status_code == 422
        assert "There is nothing by that name, or it isn’t yours to see." in answer.content.decode()
    permissions = Permission.objects.filter(codename__in=["view_user", "view_delivery"])
    finance.user_permissions.set(permissions)
    person = timeline_url(SubjectKind.PERSON, order.purchaser_id)
    assert search(desk, "GRACE@people.example").headers["Location"] == person
    trace = timeline_url(SubjectKind.TRACE, "the-checkout-request")
    assert search(desk, "the-checkout-request").headers["Location"] == trace
    for address in (to_order, person, trace, timeline_url(SubjectKind.CODE, code_id)):
        assert desk.get(address).status_code == 200


def test_an_address_that_no_row_can_have_is_not_found(desk: Client) -> None:
    for key in ("\x00", "trace\x00one"):
        assert desk.get(timeline_url(SubjectKind.TRACE, key)).status_code == 404


def test_nothing_to_search_for_is_said(desk: Client) -> None:
    answer = search(desk, "  ")
    assert answer.status_code == 422
    assert "Enter what you are looking for." in answer.content.decode()


def with_permissions(*codenames: str) -> Client:
    user = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", *codenames]))
    client = Client()
    client.force_login(user)
    return client


def test_support_without_rights_to_orders_reads_no_money_of_a_person(order: Order) -> None:
    support = with_permissions("view_user")
    page = support.get(timeline_url(SubjectKind.PERSON, order.purchaser_id)).content.decode()
    assert "was enrolled in" in page
    assert "The payment arrived." not in page
    assert order.number not in page
    assert "WELC" not in page
    assert support.get(timeline_url(SubjectKind.ORDER, order.pk)).status_code == 404
    assert support.get(timeline_url(SubjectKind.ORDER, 0)).status_code == 404


def test_codes_are_linked_for_those_who_may_open_them(order: Order) -> None:
    to_code = timeline_url(SubjectKind.CODE, order.lines.get().code_id)
    for permissions, may_open in ((["view_order"], False), (["view_order", "view_discount"], True)):
        reader = with_permissions(*permissions)
        page = reader.get(timeline_url(SubjectKind.ORDER, order.pk)).content.decode()
        assert "The code WELC… was applied to the cart." in page
        assert (to_code in page) is may_open
        assert (reader.get(to_code).status_code == 200) is may_open


def test_who_sees_no_addresses_reads_none(order: Order) -> None:
    marketing = with_permissions("view_discount")
    page = marketing.get(timeline_url(SubjectKind.CODE, order.lines.get().code_id)).content.decode()
    assert "was held for the order" in page
    assert "Grace Hopper" in page
    assert "grace@people.example" not in page
    assert order.number not in page


def test_the_text_for_a_ticket_is_what_the_page_shows(desk: Client, order: Order) -> None:
    answer = desk.get(timeline_url(SubjectKind.ORDER, order.pk), {"format": "text"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    text = answer.content.decode()
    assert f"Order {order.number} was placed." in text
    assert "UTC" in text
    assert "WELCOME20" not in text


def test_a_name_forges_no_lines_of_the_text(order: Order, buyer: User) -> None:
    User.objects.filter(pk=buyer.pk).update(name="Grace\n2026-01-01 09:00:00 UTC  The refund was approved.")
    timeline = tell(SubjectKind.ORDER, order.pk)
    assert any("\n" in entry.person for entry in timeline.entries)
    assert not [line for line in write_text(timeline).splitlines() if line.lstrip().startswith("2026-01-01")]


def test_a_person_tells_of_a_cart_that_is_still_there(order: Order, buyer: User) -> None:
    owner, now = BasketOwner(user_id=buyer.pk), clock.now() - timedelta(minutes=1)
    add_products(owner=owner, product_ids=[make_product(make_run()).pk], now=now)
    code = make_code(make_discount(amount="15"), text="AGAIN-15")
    apply_code(owner=owner, user_id=buyer.pk, text=code.text, now=now)
    told = sentences(tell(SubjectKind.PERSON, buyer.pk))
    assert "A cart was opened that is still there." in told
    assert "The code AGAI… was applied to the cart." in told
    assert f"Order {order.number} was placed." in told


@pytest.mark.parametrize("size", [2, 29])
def test_a_person_costs_the_same_for_any_number_of_orders(buyer: User, size: int) -> None:
    for _each in range(size):
        fill(make_paid_order(make_product(), buyer=buyer), 1)
    client = Client()
    client.force_login(make_user("admin@staff.example", is_staff=True, is_superuser=True))
    address = timeline_url(SubjectKind.PERSON, buyer.pk)
    client.get(address)
    with queries(exactly=25):
        client.get(address)


def test_a_person_tells_of_every_sign_in_and_the_change_of_address(buyer: User) -> None:
    for provider in ("edx-oauth2", "keycloak"):
        UserSocialAuth.objects.create(user=buyer, provider=provider, uid=provider)
    EmailChange.objects.create(user=buyer, new_email="new@people.example", asked_at=NOON)
    told = tell(SubjectKind.PERSON, buyer.pk)
    assert {each for each in sentences(told) if "was connected" in each} == {
        "A sign-in through edx-oauth2 was connected.",
        "A sign-in through keycloak was connected.",
    }
    assert [entry.at for entry in told.entries if "change of the e-mail address" in entry.sentence] == [NOON]


def test_requests_and_disputes_keep_who_when_and_how_much(buyer: User, finance: User) -> None:
    orders = [make_paid_order(make_product(make_run()), buyer=buyer) for _each in range(2)]
    for number, order in enumerate(orders, start=1):
        at = NOON + timedelta(hours=number)
        RefundRequest.objects.create(
            order=order,
            why="other",
            text=f"please {number}",
            state="denied",
            asked_at=at,
            decided_at=at + timedelta(minutes=5),
            decided_by=finance,
            answer=f"no {number}",
        )
        RefundRequest.objects.create(order=order, why="other", text="again", asked_at=at + timedelta(minutes=10))
        Dispute.objects.create(
            order=order,
            attempt=make_payment(order),
            gateway="stripe",
            dispute_id=f"dp_{number}",
            amount=Decimal(f"{number}0.10"),
            currency="USD",
            state="lost",
            reason="fraudulent",
            opened_at=at,
            funds_withdrawn_at=at + timedelta(minutes=1),
            closed_at=at + timedelta(days=1),
        )
    told = tell(SubjectKind.PERSON, buyer.pk).entries
    denied = [entry for entry in told if entry.sentence == "The refund was denied."]
    assert [(entry.at, entry.details, finance.email in entry.person) for entry in denied] == [
        (NOON + timedelta(hours=number, minutes=5), (f"no {number}",), True) for number in (1, 2)
    ]
    assert sum(entry.sentence == "The buyer requested a refund." for entry in told) == 4
    disputed = [entry for entry in told if "disputes the payment" in entry.sentence]
    assert [(entry.details, entry.money) for entry in disputed] == [
        (("fraudulent", f"dispute: dp_{number}"), Money(Decimal(f"{number}0.10"), "USD")) for number in (1, 2)
    ]
    lost = [entry for entry in told if entry.sentence.startswith("The dispute ended: ")]
    assert [(entry.at, entry.is_problem) for entry in lost] == [
        (NOON + timedelta(days=1, hours=number), True) for number in (1, 2)
    ]


def test_state_changes_keep_their_reasons(buyer: User) -> None:
    order = make_paid_order(make_product(), buyer=buyer, state=OrderState.PENDING)
    order.move(OrderState.CANCELED, at=NOON + timedelta(minutes=1), reason="not paid in time")
    told = tell(SubjectKind.ORDER, order.pk)
    [entry] = [entry for entry in told.entries if entry.sentence == "The order was canceled."]
    assert (entry.details, entry.at) == (("not paid in time",), NOON + timedelta(minutes=1))


def fill(order: Order, size: int) -> None:
    """Give the order `size` rows of every kind that can repeat."""
    for number in range(size):
        at = NOON + timedelta(seconds=number)
        make_payment(order)
        OrderNote.objects.create(order=order, text=f"note {number}", written_at=at)
        MoneyAlert.objects.create(order=order, kind="review", about=f"{number}", raised_at=at, mailed_at=at)
        CodeUse.objects.create(
            code=make_code(), user=order.purchaser, order=order, state=UseState.CONFIRMED, created_at=at, changed_at=at
        )
        GatewayNotice.objects.create(
            gateway="sandbox", event_id=f"{order.pk}-{number}", kind="paid", received_at=at, order=order
        )
        Refund.objects.create(
            order=order,
            attempt=order.attempts.latest("pk"),
            idempotency_key=f"{order.pk}-{number}",
            gateway="sandbox",
            amount=1,
            currency="USD",
            reason="x",
            state=RefundState.RECORDED,
            enrollment_after="keep",
            recorded_at=at,
        )
        Delivery.objects.create(
            event_type="ecommerce.events.OrderInReview",
            payload={"order_id": order.pk, "purchaser_id": order.purchaser_id},
            handler="ecommerce.receivers.email_review",
            created_at=at,
        )


@pytest.mark.parametrize("size", [2, 29])
def test_an_order_costs_the_same_with_twenty_and_two_hundred_rows(desk: Client, buyer: User, size: int) -> None:
    products = [make_product(make_run()) for _each in range(2)]
    order = make_paid_order(*products, buyer=buyer)
    fill(order, size)
    address = timeline_url(SubjectKind.ORDER, order.pk)
    desk.get(address)
    with queries(exactly=22):
        response = desk.get(address)
    assert len(response.context["view"].timeline.entries) >= (20 if size == 2 else 200)
