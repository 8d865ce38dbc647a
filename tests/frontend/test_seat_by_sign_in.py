"""A single sign-on contract published later tells signed-in people how to join."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from b2b.enums import MembershipSource
from b2b.models import ContractMembership, ContractPage, OrganizationMembership, OrganizationPage, Withdrawal
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import make_contract, make_contract_run, make_organization, make_user
from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import provider as provider
from tests.users.sso.conftest import sign_in

pytestmark = pytest.mark.django_db

AGAIN = "Sign in again to take your seat"


def text_of(page: str) -> str:
    main = re.search(r"<main.*?</main>", page, re.DOTALL)
    assert main
    return " ".join(re.sub(r"<[^>]+>", " ", main[0]).split())


def publish(organization: OrganizationPage | None = None, **terms: Any) -> ContractPage:
    contract = make_contract(organization, integration_type="sso", **terms)
    for _number in range(2):
        make_contract_run(contract)
    return contract


@pytest.fixture
def member(client: Client, provider: FakeProvider) -> OrganizationPage:
    """The visitor is signed in through Acme's Keycloak, which vouches for them, and has a seat in an older contract."""
    older = publish(name="Older")
    organization: OrganizationPage = older.terms.organization
    OrganizationPage.objects.filter(pk=organization.pk).update(org_key="acme")
    provider.claims["organization"] = {"acme": {}}
    sign_in(client, provider)
    assert ContractMembership.objects.get().contract_id == older.pk
    return organization


def pages(client: Client, organization: OrganizationPage) -> list[tuple[str, str]]:
    """The two pages that show contracts, with the address each is at."""
    addresses = ["/dashboard/", page_of(organization)]
    return [(address, client.get(address).content.decode()) for address in addresses]


def page_of(organization: OrganizationPage) -> str:
    return f"/organizations/{organization.slug}/"


def button_of(page: str) -> dict[str, str]:
    """Return the hidden fields of the form that gives the seat."""
    forms = re.findall(r'<form method="post" action="/login/keycloak/">.*?</form>', page, re.DOTALL)
    (form,) = [each for each in forms if "take your seat" in each]
    return dict(re.findall(r'<input type="hidden" name="(next|connect)" value="([^"]*)"', form))


def test_one_button_gives_the_seat_and_leads_back(
    client: Client, provider: FakeProvider, member: OrganizationPage
) -> None:
    late = publish(member, name="Late")
    for address, page in pages(client, member):
        text = text_of(page)
        assert f"{AGAIN} Late" in text
        assert f"{AGAIN} Older" not in text
        assert "Not open" not in text
        assert button_of(page) == {"next": address}

    response = sign_in(client, provider, next=page_of(member))
    assert response["Location"] == page_of(member)
    assert ContractMembership.objects.get(contract=late).source == MembershipSource.SSO
    for _address, page in pages(client, member):
        assert AGAIN not in page
        assert "No seat yet" not in page


def test_a_full_contract_says_so(client: Client, member: OrganizationPage) -> None:
    full = publish(member, name="Late", seats=1)
    ContractMembership.objects.create(contract=full, user=make_user(), source="staff", since=clock.now())
    for _address, page in pages(client, member):
        assert AGAIN not in page
        assert "All seats are taken." in text_of(page)


@pytest.mark.parametrize("terms", [{"active": False}, {"price": "49"}])
def test_where_signing_in_gives_no_seat_there_is_no_button(
    client: Client, member: OrganizationPage, terms: dict[str, Any]
) -> None:
    publish(member, name="Late", **terms)
    for _address, page in pages(client, member):
        assert "take your seat" not in page


def test_withdrawn_access_is_a_reason_and_no_button(client: Client, member: OrganizationPage) -> None:
    late = publish(member, name="Late")
    Withdrawal.objects.create(contract=late, user=User.objects.get(email="amara@northgate.example"), at=clock.now())
    for _address, page in pages(client, member):
        assert AGAIN not in page
        assert "Your access was withdrawn. If that’s a mistake, ask your organization." in text_of(page)


def test_unconnected_users_are_asked_to_connect(client: Client, provider: FakeProvider) -> None:
    late = publish(name="Late")
    organization: OrganizationPage = late.terms.organization
    OrganizationPage.objects.filter(pk=organization.pk).update(org_key="acme")
    user = make_user(email_verified_at=clock.now())
    OrganizationMembership.objects.create(organization=organization, user=user, source="staff", since=clock.now())
    client.force_login(user, backend="mitxonline.users.backends.EmailBackend")
    for address, page in pages(client, organization):
        assert "Connect Northgate to take your seat Late" in text_of(page)
        assert button_of(page) == {"next": address, "connect": "1"}

    provider.claims |= {"organization": {"acme": {}}, "email": user.email}
    sign_in(client, provider, next=page_of(organization), connect="1")
    assert ContractMembership.objects.get().user == user


def test_people_the_provider_does_not_list_are_told_whom_to_ask(
    client: Client, provider: FakeProvider, member: OrganizationPage
) -> None:
    other = publish(make_organization("Elsewhere"), name="Late").terms.organization
    user = User.objects.get(email="amara@northgate.example")
    OrganizationMembership.objects.create(organization=other, user=user, source="code", since=clock.now())
    for _address, page in pages(client, other):
        assert "Northgate doesn’t list you as a member of this organization." in text_of(page)
        assert button_of(page)["next"]


def test_without_a_provider_it_says_that_there_is_no_way(
    client: Client, member: OrganizationPage, settings: Any
) -> None:
    publish(member, name="Late")
    settings.AUTHENTICATION_BACKENDS = ["mitxonline.users.backends.EmailBackend"]
    client.force_login(User.objects.get(), backend="mitxonline.users.backends.EmailBackend")
    for _address, page in pages(client, member):
        assert "which isn’t available right now" in text_of(page)
        assert "/login/keycloak/" not in page
