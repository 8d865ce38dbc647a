"""The admin's first page: what needs each role, in few queries, with counts that agree with their lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.test import Client, override_settings
from wagtail.admin.menu import admin_menu
from wagtail.models import GroupApprovalTask, Workflow, WorkflowTask

from b2b.enums import MailState
from b2b.models import HandOut, HandOutMail, Reconcile, SeatRequest
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from cms.models import CoursePage
from mitxonline.coordinator.models import Delivery, DeliveryState, ScheduledTask
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import permit
from tests.b2b.admin_people import make_staff, sign_in_as
from tests.b2b.worlds import ensure_organization_page, make_learner, make_source_course, publish_contract, take_seat
from tests.ecommerce.desk import make_dispute, make_second_payment
from tests.factories import make_course, make_product, make_run
from tests.factories.orders import make_paid_order
from tests.factories.pages import make_content_page, make_course_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

CARD = re.compile(
    r'<a class="staff-need [^"]*" href="([^"]*)">\s*<span class="staff-need__count">([^<]*)</span>\s*'
    r'<span class="staff-need__label">([^<]*)</span>'
)
QUIET = re.compile(r'<a href="([^"]*)">([^<]*)</a>')


def needs_of(client: Client) -> dict[str, tuple[str, str]]:
    """Return the cards of the first page: the number and the address by label."""
    html = client.get("/cms/").content.decode()
    return {unescape(label): (count, unescape(url)) for url, count, label in CARD.findall(html)}


def length_of_list(client: Client, url: str) -> int:
    response = client.get(url)
    assert response.status_code == 200, url
    context = response.context
    if "cl" in context:  # a list of the Django admin
        return int(context["cl"].result_count)
    return int(context["paginator"].count)


def make_editors_world(size: int = 1) -> None:
    now = clock.now()
    for number in range(size):
        draft = make_content_page(f"draft-{number}")
        draft.title = "Changed"
        draft.save_revision()
        scheduled = make_content_page(f"scheduled-{number}")
        scheduled.go_live_at = now + timedelta(days=2)
        scheduled.save_revision().publish()
        make_run(make_course(f"WR{number:03d}"), tag="2027W02", start_date=now + timedelta(days=30))
        page = make_course_page(make_course(f"NR{number:03d}"))
        assert isinstance(page, CoursePage)
        submitted = make_content_page(f"submitted-{number}")
        submitted.save_revision()
        workflow = Workflow.objects.create(name=f"Approval {number}")
        task = GroupApprovalTask.objects.create(name=f"Look {number}")
        WorkflowTask.objects.create(workflow=workflow, task=task)
        workflow.start(submitted, None)


def make_contracts_world(size: int = 1) -> None:
    today, now = clock.today(), clock.now()
    for number in range(size):
        organization = ensure_organization_page(f"Organization {number}")
        full = publish_contract(make_source_course(), cap=1, of=organization, name=f"Full {number}")
        take_seat(full, make_learner(f"full{number}@example.com"))
        ending = publish_contract(
            make_source_course(), cap=5, of=organization, name=f"Ending {number}", end=today + timedelta(days=30)
        )
        publish_contract(
            make_source_course(), cap=5, of=organization, name=f"Later {number}", end=today + timedelta(days=31)
        )
        failed = publish_contract(make_source_course(), cap=5, of=organization, name=f"Failed {number}")
        Reconcile.objects.create(contract=failed, state="failed", requested_at=now)
        waiting = publish_contract(make_source_course(), cap=5, of=organization, name=f"Waiting {number}")
        Reconcile.objects.create(contract=waiting, state="waiting", requested_at=now)
        waiting.name = "Renamed"
        waiting.save_revision()
        run = ending.contract_runs.get()
        people = [Recipient(f"a{number}@example.com"), Recipient(f"b{number}@example.com")]
        hand_out(HandOutRequest(run.pk, recipients=people),
                 by_id=None, now=now)  # fmt: skip
        mails = HandOutMail.objects.filter(hand_out__contract_run=run)
        mails.filter(hand_out=HandOut.objects.filter(contract_run=run).first()).update(state=MailState.FAILED)
        SeatRequest.objects.create(contract=full, seats=5, asked_at=now)


def make_finance_world(size: int = 1) -> None:
    yesterday = clock.start_of_day(clock.today()) - timedelta(hours=3)
    for _number in range(size):
        make_dispute(make_paid_order(make_product()))
        make_second_payment(make_paid_order(make_product()))
        make_run(make_course(f"UP{_number:03d}"), tag="2027W02", live=True, is_free=False)
        order = make_paid_order(make_product())
        type(order).objects.filter(pk=order.pk).update(fulfilled_at=yesterday)


def make_operators_world(size: int = 1) -> None:
    now = clock.now()
    for number in range(size):
        Delivery.objects.create(event_type="e", payload={}, handler="h", state=DeliveryState.DEAD, finished_at=now)
        Delivery.objects.create(event_type="e", payload={}, handler="h", next_attempt_at=now - timedelta(hours=2))
        name = f"a.task{number}"
        ScheduledTask.objects.create(name=name, known_since=now, succeeded_at=now - timedelta(days=number + 3))


WORLDS = {
    "editor": (
        make_editors_world,
        {"Drafts", "Waiting for approval", "Scheduled", "Course pages without a run", "Runs without a published page"},
    ),
    "manager": (
        make_contracts_world,
        {"Requests for seats", "Full", "Ending in 30 days", "Updates that failed", "Updates that wait",
         "Unpublished drafts", "Failed e-mails"},
    ),
    "finance": (make_finance_world, {"Disputes", "Second payments", "Runs without a price"}),
}  # fmt: skip


@pytest.mark.parametrize("who", WORLDS)
def test_each_count_is_the_length_of_the_list_it_links_to(who: str) -> None:
    make_world, labels = WORLDS[who]
    client = sign_in_as(who)
    make_world(2)
    needs = needs_of(client)
    assert labels <= set(needs)
    for label in labels:
        count, url = needs[label]
        assert int(count) == length_of_list(client, url) > 0, label


@pytest.mark.parametrize("who", [*WORLDS, "superuser"])
@pytest.mark.parametrize("size", [1, 4])
def test_the_first_page_costs_the_same_for_any_number_and_at_most_15_queries(who: str, size: int) -> None:
    user = make_staff(who)
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    make_editors_world(size)
    make_contracts_world(size)
    make_finance_world(size)
    make_operators_world(size)
    client.get("/cms/")
    with queries(exactly={"editor": 15, "manager": 14, "finance": 13, "superuser": 12}[who]):
        client.get("/cms/")


def test_an_operator_sees_what_stopped() -> None:
    schedule = {"a": {"task": "a.task0", "schedule": 60.0}, "b": {"task": "a.task1", "schedule": 60.0}}
    make_operators_world(2)
    user = make_staff("superuser")
    user.is_staff = True
    user.save()
    client = Client()
    client.force_login(user)
    with override_settings(CELERY_BEAT_SCHEDULE=schedule):
        needs = needs_of(client)
        assert needs["Age of the queue"][0].replace("\xa0", " ") == "2 hours"
        for label in ("Dead deliveries", "Sweeps that didn’t run"):
            count, url = needs[label]
            assert int(count) == length_of_list(client, url) == 2
        assert length_of_list(client, needs["Age of the queue"][1]) == 2


def test_yesterdays_sales_are_the_list_they_link_to() -> None:
    client = sign_in_as("finance")
    make_finance_world(2)
    label, (amount, url) = next((k, v) for k, v in needs_of(client).items() if k.startswith("Yesterday"))
    assert label == "Yesterday’s sales: 2 orders"
    assert length_of_list(client, url) == 2
    assert Decimal(re.sub(r"[^\d.]", "", amount)) > 0


@pytest.mark.parametrize(("who", "hidden"), [("editor", "contracts"), ("manager", "money"), ("finance", "contracts")])
def test_no_one_sees_what_they_have_no_right_to(who: str, hidden: str) -> None:
    client = sign_in_as(who)
    make_contracts_world()
    html = client.get("/cms/").content.decode()
    assert f'id="needs-{hidden}"' not in html
    assert "needs-operations" not in html
    if who != "manager":
        assert "Full 0" not in html


def menu_urls(client: Client, url: str = "/cms/") -> Iterator[str]:
    """Return the addresses of the menu, submenus included, as the page's script gets them."""
    request = client.get(url).wsgi_request

    def walk(items: list[Any]) -> Iterator[str]:
        for item in items:
            if hasattr(item, "menu_items"):
                yield from walk(item.menu_items)
            elif getattr(item, "url", "").startswith("/"):
                yield item.url

    yield from walk(admin_menu.render_component(request))


@pytest.mark.parametrize("who", ["editor", "manager", "finance", "superuser"])
def test_every_entry_of_the_menu_leads_somewhere(who: str) -> None:
    client = sign_in_as(who)
    make_editors_world()
    make_contracts_world()
    urls = list(menu_urls(client))
    assert len(urls) > 3
    for url in urls:
        answer = client.get(url, follow=True)
        assert answer.status_code == 200, url
        # Wagtail sends those without rights to the first page, with a message.
        assert answer.request["PATH_INFO"] != "/cms/", url
        assert "do not have permission" not in answer.content.decode(), url


def test_an_operator_sees_who_isnt_answering() -> None:
    client = sign_in_as("superuser")
    assert "Not answering" not in client.get("/cms/").content.decode()
    for name in ("openedx-lms", "stripe"):
        for _ in range(3):
            asked = permit(name, "worker", seconds=1)
            assert asked is not None
            asked.record_silence()
    page = client.get("/cms/").content.decode()
    assert "openedx-lms, stripe" in page
