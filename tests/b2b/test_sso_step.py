"""The sign-in step that follows the claim: it shows messages and never blocks a sign-in."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest
from django.test import RequestFactory

from b2b import receivers
from b2b.enums import JoinState, SignInChange
from b2b.errors.organizations import (
    KeycloakNotConfigured,
    KeycloakOrganizationsOff,
    KeycloakReadDenied,
    KeycloakSecretWrong,
    KeycloakUnavailable,
)
from b2b.models import ContractMembership, KeycloakJoin, OrganizationMembership, OrganizationPage, SignInFact
from b2b.receivers import follow_organizations
from mitxonline.users.models import User
from tests.factories import NOON, make_contract, make_organization, make_user

ACME: dict[str, Any] = {"organization": {"acme": {}}}


@pytest.fixture
def request_() -> HttpRequest:
    request = RequestFactory().get("/complete/keycloak/")
    request.session = SessionStore()
    request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
    return request


def sign_in(
    request: HttpRequest | None, user: User | None, response: dict[str, Any] | None, *, backend: str = "keycloak"
) -> None:
    follow_organizations(
        strategy=SimpleNamespace(request=request),
        backend=SimpleNamespace(name=backend),
        user=user,
        response=response,
        details={},
        is_new=False,
    )


def told(request: HttpRequest) -> list[str]:
    return [str(message) for message in get_messages(request)]


def acme_contract(**terms: Any) -> OrganizationPage:
    make_contract(integration_type="sso", **terms)
    OrganizationPage.objects.update(org_key="acme")
    organization: OrganizationPage = OrganizationPage.objects.get()
    return organization


def test_people_are_attached_without_a_word(request_: HttpRequest) -> None:
    acme_contract()
    sign_in(request_, make_user(), ACME)
    assert ContractMembership.objects.count() == 1
    assert told(request_) == []


@pytest.mark.parametrize("manager", ["Dana Whitfield", ""])
def test_a_full_contract_names_whom_to_ask(request_: HttpRequest, manager: str) -> None:
    organization = acme_contract(seats=1, name="Campus")
    follow_organizations(
        strategy=SimpleNamespace(request=None),
        backend=SimpleNamespace(name="keycloak"),
        user=make_user(),
        response=ACME,
    )
    if manager:
        OrganizationMembership.objects.create(
            organization=organization, user=make_user(name=manager), source="staff", is_manager=True, since=NOON
        )
    sign_in(request_, make_user(), ACME)
    whom = manager or "Northgate Health"
    assert told(request_) == [
        f"All seats of “Campus” are taken or promised to others, so there isn’t one for you yet. Ask {whom} for a seat."
    ]


@pytest.mark.parametrize("response", [{}, None, {"organization": None}])
def test_without_the_claim_nothing_happens(request_: HttpRequest, response: dict[str, Any] | None) -> None:
    organization, sam = acme_contract(), make_user()
    OrganizationMembership.objects.create(
        organization=organization, user=sam, source="sso", seen_in_claim=True, since=NOON
    )
    sign_in(request_, sam, response)
    assert OrganizationMembership.objects.count() == 1
    assert SignInFact.objects.count() == 0


OFF = KeycloakOrganizationsOff(realm="tessera")


@pytest.mark.parametrize(
    ("answer", "stays"),
    [
        (None, False),  # organizations are on, so the person has really left
        (OFF, True),
        (KeycloakUnavailable(), True),
        # No one to ask, as far as this is concerned.
        (KeycloakNotConfigured(missing=("KEYCLOAK_URL",)), False),
        (KeycloakReadDenied(client_id="sync", realm="tessera"), False),
        (KeycloakSecretWrong(client_id="sync", realm="tessera"), False),
    ],
    ids=["on", "off", "away", "no service account", "no role", "wrong secret"],
)
@pytest.mark.parametrize("scope", ["openid email", None])
def test_a_realm_without_organizations_removes_no_one(
    request_: HttpRequest, monkeypatch: pytest.MonkeyPatch, answer: Exception | None, stays: bool, scope: str | None
) -> None:
    """Two people, two contracts; whose claim says nothing of organizations is asked about, and no one else."""
    first, second = make_organization("Acme", org_key="acme"), make_organization("Orchard", org_key="orchard")
    for organization in (first, second):
        make_contract(organization, integration_type="sso")
    sam, lea = make_user(), make_user()
    everything: dict[str, Any] = {"organization": {"acme": {}, "orchard": {}}}
    for person in (sam, lea):
        sign_in(request_, person, everything)
    asked: list[int] = []

    class Asked:
        def check_organizations(self) -> None:
            asked.append(1)
            if answer is not None:
                raise answer

    monkeypatch.setattr("b2b.services.organizations.sign_in.KeycloakGateway.from_settings", lambda: Asked())
    empty: dict[str, Any] = {"scope": scope} if scope else {"organization": {}}
    sign_in(request_, sam, empty)
    assert ContractMembership.objects.filter(user=sam).count() == (2 if stays else 0)
    assert ContractMembership.objects.filter(user=lea).count() == 2
    failures = SignInFact.objects.filter(change=SignInChange.FAILED)
    assert [fact.user for fact in failures] == ([sam] if stays else [])
    assert asked == [1]
    assert told(request_) == [], "nothing is lost that they would have to know of"
    sign_in(request_, sam, {"organization": {"acme": {}}})
    sign_in(request_, make_user(), empty)
    assert asked == [1], "naming one, and never having been in one, need no asking"
    assert OrganizationMembership.objects.filter(user=sam, organization=second).count() == 0


def test_other_ways_of_signing_in_say_nothing_about_organizations(request_: HttpRequest) -> None:
    acme_contract()
    sign_in(request_, make_user(), ACME, backend="edx-oauth2")
    sign_in(request_, None, ACME)
    assert OrganizationMembership.objects.count() == 0


def test_a_failure_lets_people_in_is_logged_and_rolled_back(
    request_: HttpRequest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    acme_contract()
    sam = make_user("sam@example.com")

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise ZeroDivisionError("sam@example.com")

    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr("b2b.services.organizations.sign_in._record_changes", fail)
        sign_in(request_, sam, ACME)

    assert OrganizationMembership.objects.count() == ContractMembership.objects.count() == 0
    fact = SignInFact.objects.get()
    assert (fact.user, fact.change, fact.detail) == (sam, SignInChange.FAILED, "ZeroDivisionError")
    records = [record for record in caplog.records if record.name == receivers.__name__]
    assert [record.user for record in records] == [sam.pk]  # type: ignore[attr-defined]
    (sentence,) = told(request_)
    assert sentence.startswith("You’re signed in, but we couldn’t look up your organizations.")

    sign_in(request_, sam, ACME)
    assert ContractMembership.objects.count() == 1


def test_a_first_sign_in_resumes_an_unlinked_join(request_: HttpRequest, settings: Any) -> None:
    settings.KEYCLOAK_URL = "https://id.example"
    organization, sam = acme_contract(), make_user()
    KeycloakJoin.objects.create(organization=organization, user=sam, state=JoinState.UNLINKED, asked_at=NOON)
    sign_in(request_, sam, {})
    assert KeycloakJoin.objects.get().state == JoinState.WAITING


def test_the_step_is_the_one_the_settings_name(settings: Any) -> None:
    assert f"{receivers.__name__}.{follow_organizations.__name__}" in settings.SOCIAL_AUTH_PIPELINE
