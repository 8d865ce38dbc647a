"""Deliveries in Wagtail's admin, for the people who may see or replay them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.test import Client, override_settings
from django.urls import reverse

from mitxonline.coordinator import deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import capped_lists, clock
from mitxonline.users.models import User
from tests.coordinator.world import OrderMoved, SeatTaken, SeatWatched
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

LIST = reverse("deliveries:index")


def sign_in(client: Client, *permissions: str, is_staff: bool = False) -> User:
    user = User.objects.create_user(f"staff{User.objects.count()}@example.org", is_staff=is_staff, name="Olga Prater")
    group = Group.objects.create(name=f"group {user.pk}")
    group.permissions.set(Permission.objects.filter(codename__in=[*permissions, "access_admin"]))
    user.groups.add(group)
    client.force_login(user)
    return user


def make_dead(seat: int = 1) -> Delivery:
    with transaction.atomic():
        publish(SeatWatched(seat))
    delivery = Delivery.objects.filter(handler__endswith=".stumble").latest("pk")
    with override_settings(DELIVERY_MAX_ATTEMPTS=1):
        deliveries.run_delivery(delivery_id=delivery.pk, now=clock.now())
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DEAD
    return delivery


def url(delivery: Delivery, name: str = "delivery") -> str:
    return reverse(f"deliveries:{name}", args=[delivery.pk])


def numbers(client: Client, query: str) -> set[int]:
    return {each.pk for each in client.get(f"{LIST}?{query}").context["object_list"]}


def says(client: Client, address: str, **data: str) -> str:
    response = client.post(address, data, follow=True)
    return response.content.decode()


def test_the_list_shows_each_delivery_and_why_it_is_not_done(client: Client) -> None:
    sign_in(client, "view_delivery")
    dead = make_dead()
    html = client.get(LIST).content.decode().replace("<wbr>", "")
    assert f"{dead.pk} · SeatWatched" in html
    assert "LookupError at coordinator/world.py" in html
    assert "[e-mail] is not there" in html
    assert "Replay all" not in html
    assert "data-bulk-action-checkbox" not in html


@pytest.mark.parametrize("permissions", [(), ("view_scheduledtask",)])
def test_others_see_nothing(client: Client, permissions: tuple[str, ...]) -> None:
    sign_in(client, *permissions)
    dead = make_dead()
    for address in (LIST, url(dead), url(dead, "give_up")):
        assert client.get(address).status_code in (302, 403)
    for address in (url(dead, "replay"), url(dead, "give_up"), reverse("deliveries:replay_receiver")):
        assert client.post(address, {"reason": "x", "receiver": dead.handler}).status_code in (302, 403)
    bulk = f"/cms/bulk/coordinator/delivery/replay/?id={dead.pk}&next={LIST}"
    assert "SeatWatched" not in client.get(bulk).content.decode()
    client.post(bulk)
    dead.refresh_from_db()
    assert dead.state == DeliveryState.DEAD


def test_who_may_only_look_can_change_nothing(client: Client) -> None:
    sign_in(client, "view_delivery")
    dead = make_dead()
    assert 'type="submit">Replay' not in client.get(url(dead)).content.decode()
    client.post(url(dead, "replay"))
    client.post(url(dead, "give_up"), {"reason": "x"})
    client.post(reverse("deliveries:replay_receiver"), {"receiver": dead.handler})
    client.post(f"/cms/bulk/coordinator/delivery/replay/?id={dead.pk}&next={LIST}")
    dead.refresh_from_db()
    assert dead.state == DeliveryState.DEAD


def test_the_list_is_filtered_by_state_receiver_event_and_age(client: Client) -> None:
    sign_in(client, "view_delivery")
    dead, other = make_dead(), make_dead(2)
    with transaction.atomic():
        publish(SeatTaken(1))
    taken = set(Delivery.objects.filter(event_type__endswith="SeatTaken").values_list("pk", flat=True))
    Delivery.objects.filter(pk=other.pk).update(created_at=clock.now() - timedelta(days=8))
    gone = Delivery.objects.create(event_type="old.events.Gone", payload={}, handler="old.receivers.hear")
    assert numbers(client, "state=dead") == {dead.pk, other.pk}
    assert numbers(client, "state=dead&age=week") == {other.pk}
    assert numbers(client, "state=dead&age=hour") == {dead.pk}
    assert numbers(client, "event=tests.coordinator.world.SeatTaken") == taken
    assert numbers(client, "receiver=tests.coordinator.world.stumble") == {dead.pk, other.pk}
    assert numbers(client, "receiver=old.receivers.hear") == {gone.pk}
    assert numbers(client, "event=old.events.Gone") == {gone.pk}
    waiting = Delivery.objects.filter(state=DeliveryState.PENDING).values_list("pk", flat=True)
    assert numbers(client, "state=due") == set(waiting)
    assert numbers(client, "state=nonsense&age=nonsense&receiver=nonsense") == set(
        Delivery.objects.values_list("pk", flat=True)
    )


def test_a_number_or_a_trace_finds_a_delivery(client: Client) -> None:
    sign_in(client, "view_delivery")
    dead, other = make_dead(), make_dead(2)
    Delivery.objects.filter(pk=other.pk).update(trace_id="request-77")
    assert numbers(client, f"q={dead.pk}") == {dead.pk}
    assert numbers(client, "q=request-77") == {other.pk}
    for nothing in ("request", "9" * 30, "%25", "' OR 1=1"):
        assert numbers(client, f"q={nothing}") == set()


def test_a_long_list_is_counted_no_further_than_it_shows(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capped_lists, "COUNTED", 2)
    sign_in(client, "view_delivery")
    for seat in range(3):
        make_dead(seat)
    html = client.get(f"{LIST}?state=dead").content.decode()
    assert "The list ends after the newest 2." in html
    assert "The list ends" not in client.get(f"{LIST}?q=nothing").content.decode()


def test_a_delivery_shows_its_attempts(client: Client) -> None:
    sign_in(client, "view_delivery")
    dead = make_dead()
    html = client.get(url(dead)).content.decode().replace("<wbr>", "")
    attempt = dead.history.get()
    assert attempt.process in html
    assert "[e-mail] is not there" in html
    assert "example.org is not there" not in html
    assert "&quot;seat&quot;: 1" in html
    assert client.get(reverse("deliveries:delivery", args=[10**9])).status_code == 404


def test_a_dead_delivery_is_replayed_and_the_log_says_by_whom(client: Client) -> None:
    sign_in(client, "change_delivery")
    dead, other = make_dead(), make_dead(2)
    assert "The delivery will be made again." in says(client, url(dead, "replay"))
    dead.refresh_from_db()
    other.refresh_from_db()
    assert (dead.state, dead.attempts, other.state) == (DeliveryState.PENDING, 1, DeliveryState.DEAD)
    html = client.get(url(dead)).content.decode()
    assert "Replayed the delivery" in html
    assert "Olga Prater" in html


def test_what_must_not_be_replayed_is_refused_with_the_reason(client: Client) -> None:
    sign_in(client, "change_delivery")
    done, running, given_up, gone = make_dead(), make_dead(2), make_dead(3), make_dead(4)
    now = clock.now()
    change = Delivery.objects.filter
    change(pk=done.pk).update(state=DeliveryState.DONE)
    change(pk=running.pk).update(state=DeliveryState.RUNNING, lease_until=now, finished_at=None)
    change(pk=given_up.pk).update(state=DeliveryState.GIVEN_UP, reason="Paid by hand.")
    change(pk=gone.pk).update(handler="old.receivers.hear")
    assert f"Delivery {done.pk} is already done." in says(client, url(done, "replay"))
    assert f"A worker is making delivery {running.pk} at this moment." in says(client, url(running, "replay"))
    assert f"Delivery {given_up.pk} was given up: Paid by hand." in says(client, url(given_up, "replay"))
    refused = says(client, url(gone, "replay"))
    assert f"The receiver of delivery {gone.pk} no longer exists: old.receivers.hear." in refused
    assert set(Delivery.objects.filter(handler__endswith="stumble").values_list("state", flat=True)) == {
        "done", "running", "given_up",
    }  # fmt: skip
    assert client.post(reverse("deliveries:replay", args=[10**9])).status_code == 404


def test_one_that_waits_for_another_says_so_and_is_not_replayed(client: Client) -> None:
    sign_in(client, "change_delivery")
    with transaction.atomic():
        publish(OrderMoved("A", -1))
        publish(OrderMoved("A", 2))
        publish(OrderMoved("B", 3))
    first, second, other = Delivery.objects.filter(handler__endswith=".follow_order").order_by("pk")
    with override_settings(DELIVERY_MAX_ATTEMPTS=1):
        deliveries.run_delivery(delivery_id=first.pk, now=clock.now())
    listed = client.get(LIST).content.decode()
    assert listed.count(f"Waits for delivery {first.pk}") == 1
    html = client.get(url(second)).content.decode()
    assert f"Waits for delivery {first.pk}, which comes first (Dead)." in html
    assert "Waits for delivery" not in client.get(url(other)).content.decode()
    assert "which comes first" in says(client, url(second, "replay"))
    says(client, url(first, "give_up"), reason="Done by hand.")
    assert "Waits for delivery" not in client.get(url(second)).content.decode()


def test_giving_up_needs_a_reason_and_keeps_who_and_when(client: Client) -> None:
    user = sign_in(client, "change_delivery")
    dead, other = make_dead(), make_dead(2)
    response = client.post(url(dead, "give_up"), {"reason": "  "})
    assert response.status_code == 422
    assert "Enter a reason." in response.content.decode()
    assert "The delivery is given up." in says(client, url(dead, "give_up"), reason="Written by hand.")
    dead.refresh_from_db()
    other.refresh_from_db()
    assert (dead.state, dead.reason, dead.given_up_by) == (DeliveryState.GIVEN_UP, "Written by hand.", user)
    assert other.state == DeliveryState.DEAD
    html = client.get(url(dead)).content.decode()
    assert "Given up: Written by hand." in html
    again = client.post(url(dead, "give_up"), {"reason": "Again."})
    assert again.status_code == 422
    assert f"Delivery {dead.pk} was given up: Written by hand." in again.content.decode()
    assert numbers(client, "state=given_up") == {dead.pk}


def test_all_dead_ones_of_a_receiver_are_replayed(client: Client) -> None:
    sign_in(client, "change_delivery")
    dead, _other = make_dead(), make_dead(2)
    elsewhere = make_dead(3)
    Delivery.objects.filter(pk=elsewhere.pk).update(handler="tests.coordinator.world.wait_at_gate")
    html = client.get(LIST).content.decode()
    assert html.count("Replay all") == 2
    answer = says(client, reverse("deliveries:replay_receiver"), receiver=dead.handler)
    assert "2 deliveries will be made again." in answer
    assert set(Delivery.objects.filter(state=DeliveryState.DEAD)) == {elsewhere}
    assert "0 deliveries will be made again." in says(client, reverse("deliveries:replay_receiver"), receiver="nobody")


def test_several_are_replayed_and_those_that_are_not_say_why(client: Client) -> None:
    sign_in(client, "change_delivery")
    dead, other, left = make_dead(), make_dead(2), make_dead(3)
    Delivery.objects.filter(pk=other.pk).update(state=DeliveryState.DONE)
    address = f"/cms/bulk/coordinator/delivery/replay/?id={dead.pk}&id={other.pk}&next={LIST}"
    assert client.get(f"{address}&id=x").status_code == 400, "no list sends that"
    page = client.get(address).content.decode()
    assert "2 deliveries selected:" in page
    assert f"Delivery {other.pk} is already done." in page
    answer = client.post(address, follow=True).content.decode()
    assert "1 delivery will be made again." in answer
    assert f"Delivery {other.pk} is already done." in answer
    left.refresh_from_db()
    assert left.state == DeliveryState.DEAD


@override_settings(DELIVERY_SWEEP_SIZE=2)
def test_all_of_the_list_are_the_dead_ones_that_its_filters_show(client: Client) -> None:
    sign_in(client, "change_delivery")
    dead = [make_dead(seat) for seat in range(3)]
    bulk = f"/cms/bulk/coordinator/delivery/replay/?id=all&next={LIST}"
    assert "2 deliveries selected:" in client.get(bulk).content.decode(), "as many as one go takes"
    assert "1 delivery selected:" in client.get(f"{bulk}&q={dead[1].pk}").content.decode()
    client.post(f"{bulk}&q={dead[1].pk}")
    states = dict(Delivery.objects.filter(pk__in=[each.pk for each in dead]).values_list("pk", "state"))
    assert [states[each.pk] for each in dead] == ["dead", "pending", "dead"]


@override_settings(DELIVERY_SWEEP_SIZE=2)
def test_more_than_can_be_replayed_at_once_are_left_for_the_next_time(client: Client) -> None:
    sign_in(client, "change_delivery")
    dead = [make_dead(seat) for seat in range(3)]
    answer = says(client, reverse("deliveries:replay_receiver"), receiver=dead[0].handler)
    assert "2 deliveries will be made again." in answer
    assert "1 delivery is left for the next time." in answer


@pytest.mark.parametrize("size", [2, 12])
def test_the_pages_cost_the_same_for_any_number(client: Client, size: int) -> None:
    sign_in(client, "change_delivery")
    dead = [make_dead(seat) for seat in range(size)]
    for page, count in ((LIST, 16), (url(dead[0]), 15)):
        client.get(page)
        with queries(exactly=count):
            client.get(page)


@pytest.mark.parametrize("permission", ["view_delivery", "change_delivery"])
def test_the_django_admins_first_page_counts_dead_ones(client: Client, permission: str) -> None:
    sign_in(client, permission, is_staff=True)
    make_dead()
    make_dead(2)
    given_up = make_dead(3)
    Delivery.objects.filter(pk=given_up.pk).update(state=DeliveryState.GIVEN_UP, reason="By hand.")
    html = client.get("/admin/").content.decode()
    assert 'href="/admin/coordinator/delivery/?state__exact=dead">Dead deliveries</a>: 2' in html
    assert client.get("/admin/coordinator/delivery/?state__exact=dead").context["cl"].result_count == 2
    assert 'href="/cms/deliveries/?state=dead"' in client.get("/cms/").content.decode()


def test_the_first_pages_say_nothing_to_others(client: Client) -> None:
    sign_in(client, "view_order", is_staff=True)
    make_dead()
    assert "Dead deliveries" not in client.get("/admin/").content.decode()
    assert "Dead deliveries" not in client.get("/cms/").content.decode()
