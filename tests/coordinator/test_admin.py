import pytest
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import Client
from django.urls import reverse

from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.coordinator.world import SeatTaken

pytestmark = pytest.mark.django_db

LIST = reverse("admin:coordinator_delivery_changelist")


@pytest.fixture
def delivery() -> Delivery:
    with transaction.atomic():
        publish(SeatTaken(1))
    delivery = Delivery.objects.order_by("pk")[0]
    Delivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.DEAD, attempts=30, finished_at=clock.now(), last_error="LookupError at x.py:1"
    )
    return delivery


def staff(client: Client, *permissions: str) -> None:
    user = User.objects.create_user("staff@example.org", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)


def replay(client: Client, delivery: Delivery) -> int:
    response = client.post(LIST, {"action": "replay", "_selected_action": [delivery.pk]})
    delivery.refresh_from_db()
    return response.status_code


def test_deliveries_are_shown_and_nothing_can_be_changed(client: Client, delivery: Delivery) -> None:
    staff(client, "view_delivery", "add_delivery", "delete_delivery")
    page = client.get(LIST).content.decode()
    assert "SeatTaken" in page
    assert "LookupError at x.py:1" in page
    detail = client.get(reverse("admin:coordinator_delivery_change", args=[delivery.pk])).content.decode()
    assert "&quot;seat&quot;: 1" in detail
    assert 'name="_save"' not in detail
    assert client.get(reverse("admin:coordinator_delivery_add")).status_code == 403
    assert client.post(reverse("admin:coordinator_delivery_delete", args=[delivery.pk])).status_code == 403


def test_change_permission_allows_a_replay(client: Client, delivery: Delivery) -> None:
    staff(client, "change_delivery")
    assert replay(client, delivery) == 302
    assert (delivery.state, delivery.attempts, delivery.attempts_before_replay) == (DeliveryState.PENDING, 30, 30)


def test_view_permission_does_not_allow_a_replay(client: Client, delivery: Delivery) -> None:
    staff(client, "view_delivery")
    replay(client, delivery)
    assert delivery.state == DeliveryState.DEAD


def test_others_see_nothing(client: Client, delivery: Delivery) -> None:
    staff(client)
    assert client.get(LIST).status_code == 403


@pytest.mark.parametrize("count", [2, 10])
def test_the_list_costs_the_same_for_any_number(client: Client, django_assert_num_queries: object, count: int) -> None:
    staff(client, "view_delivery")
    with transaction.atomic():
        for seat in range(count // 2):
            publish(SeatTaken(seat))
    with django_assert_num_queries(8):  # type: ignore[operator]
        client.get(LIST)
