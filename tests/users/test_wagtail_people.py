"""People in the Wagtail admin: who can't be deleted, and what it says."""

from __future__ import annotations

import pytest
from django.test import Client

from mitxonline.users.models import User
from tests.factories import make_product, make_user
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db

DELETE = "/cms/users/delete/{}/"
BULK = "/cms/bulk/users/user/delete/"
SENTENCE = "Grace Hopper can’t be deleted because of their enrollments, orders. Make the account inactive instead."


@pytest.fixture
def buyer() -> User:
    buyer = make_user("grace@example.test", name="Grace Hopper")
    make_paid_order(make_product(), buyer=buyer)
    return buyer


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_buyer_is_not_deleted_and_a_sentence_says_why(admin_client: Client, buyer: User, method: str) -> None:
    response = getattr(admin_client, method)(DELETE.format(buyer.pk), follow=True)
    assert response.status_code == 200
    assert SENTENCE in response.content.decode()
    assert "Referenced 0 times" not in response.content.decode()
    assert User.objects.filter(pk=buyer.pk).exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_no_one_is_deleted_together_with_a_buyer(admin_client: Client, buyer: User, method: str) -> None:
    other = make_user()
    response = getattr(admin_client, method)(f"{BULK}?id={other.pk}&id={buyer.pk}", follow=True)
    assert response.status_code == 200
    assert SENTENCE in response.content.decode()
    assert User.objects.filter(pk__in=[other.pk, buyer.pk]).count() == 2


def test_a_person_without_orders_is_deleted(admin_client: Client, buyer: User) -> None:
    first, second = make_user(), make_user()
    admin_client.post(DELETE.format(first.pk))
    admin_client.post(f"{BULK}?id={second.pk}")
    assert not User.objects.filter(pk__in=[first.pk, second.pk]).exists()
    assert User.objects.filter(pk=buyer.pk).exists()
