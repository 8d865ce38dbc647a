"""Downloading what is stored about oneself: everything of one's own, nothing of anyone else."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from social_django.models import UserSocialAuth

from b2b.enums import MembershipSource
from b2b.models import ContractPage, HandOut
from b2b.services.seats.membership import add_member
from ecommerce.enums import EnrollmentAfter, RefundState
from ecommerce.models import Basket, BasketItem, DiscountPerson, Order, Refund, RefundLine
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_product, make_run, make_user
from tests.factories.orders import make_paid_order

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "/account/data/"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def download(user: User) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(client_of(user).get(ADDRESS).content)
    return data


def give_everything(user: User, contract: ContractPage) -> Order:
    """Two paid orders, one refunded in part, a used code, a seat, a hand-out, a cart and a connection."""
    first, second = (make_product(make_run(), price=price) for price in ("40.00", "60.00"))
    order = make_paid_order(first, second, buyer=user)
    make_paid_order(make_product(make_run()), buyer=user)
    line = order.lines.get(product=second)
    refund = Refund.objects.create(
        order=order, attempt=order.attempts.get(), idempotency_key=f"key {order.pk}", gateway="sandbox", amount=20,
        currency="USD", reason="asked", state=RefundState.SUCCEEDED, enrollment_after=EnrollmentAfter.KEEP,
        recorded_at=NOON, settled_at=NOON + timedelta(hours=1),
    )  # fmt: skip
    RefundLine.objects.create(refund=refund, line=line, amount=20)
    run = make_contract_run(contract, codes=1)
    [code] = codes_of(run)
    assert run.product is not None
    make_paid_order(run.product, buyer=user, code=code)
    add_member(contract_id=contract.pk, user_id=user.pk, source=MembershipSource.STAFF, now=clock.now())
    HandOut.objects.create(contract_run=run, code=code, email=user.email, name=user.name, given_at=NOON)
    basket = Basket.objects.create(user=user, opened_at=NOON)
    BasketItem.objects.create(basket=basket, product=make_product(make_run()), added_at=NOON)
    UserSocialAuth.objects.create(user=user, provider="keycloak", uid=f"https://sso.example.org#{user.pk}")
    return order


def test_the_file_has_what_each_app_stores_about_its_owner_and_no_one_else() -> None:
    ada, bob = make_user("ada@example.org", name="Ada Lovelace"), make_user("bob@example.org", name="Bob Babbage")
    contract = make_contract(name="Clinical skills", seats=9)
    order = give_everything(ada, contract)
    his = give_everything(bob, contract)
    data = download(ada)
    assert list(data) == ["account", "courses", "shop", "organizations"]
    assert (data["account"]["email"], data["account"]["name"]) == ("ada@example.org", "Ada Lovelace")
    assert [each["id_there"] for each in data["account"]["connections"]] == [f"https://sso.example.org#{ada.pk}"]
    assert len(data["courses"]["enrollments"]) == 4
    assert data["courses"]["enrollments"][0]["reasons"][0]["source"] == "order"
    [found] = [each for each in data["shop"]["orders"] if each["number"] == order.number]
    assert [(each["price"], each["refunded"]) for each in found["lines"]] == [("40.00", "0.00"), ("60.00", "0.00")]
    assert [each["state"] for each in found["payments"]] == ["paid"]
    [refund] = found["refunds"]
    assert (refund["amount"], len(refund["lines"])) == ("20.00", 1)
    assert len(data["shop"]["orders"]) == 3
    assert [each["state"] for each in data["shop"]["codes_used"]] == ["confirmed"]
    assert [len(each["items"]) for each in data["shop"]["carts"]] == [1]
    assert [each["contract"] for each in data["organizations"]["seats"]] == ["Clinical skills"]
    assert len(data["organizations"]["codes_handed_out_to_you"]) == 1
    text = json.dumps(data)
    assert "bob@" not in text
    assert "Babbage" not in text
    assert his.number not in text


def test_it_is_a_private_file_for_people_who_are_signed_in() -> None:
    response = client_of(make_user("zoë@example.org", name="Zoë")).get(ADDRESS)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="account-')
    assert {"private", "no-store"} <= {each.strip() for each in response.headers["Cache-Control"].split(",")}
    assert "Zoë" in response.content.decode()
    stranger = Client().get(ADDRESS)
    assert stranger.status_code == HTTPStatus.FOUND
    assert "Zoë" not in stranger.content.decode()


def test_what_belongs_to_an_address_is_shown_once_it_is_confirmed() -> None:
    owner = make_user("ada@example.org", email_verified_at=None)
    contract = make_contract(seats=9)
    give_everything(owner, contract)
    code = codes_of(make_contract_run(contract, codes=1))[0]
    DiscountPerson.objects.create(discount=code.discount, email=owner.email, added_at=NOON)
    data = download(owner)
    assert data["organizations"]["codes_handed_out_to_you"] == []
    assert data["shop"]["discounts_for_you"] == []
    User.objects.filter(pk=owner.pk).update(email_verified_at=NOON)
    data = download(owner)
    assert len(data["organizations"]["codes_handed_out_to_you"]) == 1
    assert len(data["shop"]["discounts_for_you"]) == 1


def test_the_number_of_queries_does_not_grow_with_what_there_is() -> None:
    ada = make_user("ada@example.org")
    contract = make_contract(seats=9)
    numbers = []
    client = client_of(ada)
    give_everything(ada, contract)
    for _each in range(2):
        with CaptureQueriesContext(connection) as queries:
            assert client.get(ADDRESS).status_code == HTTPStatus.OK
        numbers.append(len(queries))
        for _more in range(3):
            make_paid_order(make_product(make_run()), make_product(make_run()), buyer=ada)
    assert numbers[0] == numbers[1]


def test_the_account_page_leads_to_it() -> None:
    assert f'href="{ADDRESS}"' in client_of(make_user()).get("/account/").content.decode()
