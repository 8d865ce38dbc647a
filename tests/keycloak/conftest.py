"""The site connected to a real Keycloak, and people with browsers."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from b2b.models import ContractPage
from b2b.services.contracts.contracts import ModifyContract, modify_contract
from b2b.services.contracts.reconcile import run_reconcile
from mitxonline.kernel import clock
from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.browser.conftest import (  # noqa: F401 – fixtures
    OpenVisitor,
    Visitor,
    _django_beside_playwright,
    browser,
    open_visitor,
)
from tests.factories import make_course
from tests.support.keycloak import CLIENT, CLIENT_SECRET, LEA, PASSWORD, SAM, Keycloak
from tests.users.conftest import outbox  # noqa: F401 – a fixture

TITLE = "Statistics for people who make decisions"


@pytest.fixture
def site(live_server: Any, keycloak: Keycloak, settings: Any) -> Iterator[str]:
    """Connect the storefront as an operator does: sign-in, organizations and the client's addresses."""
    settings.SITE_BASE_URL = live_server.url
    settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = settings.SOCIAL_AUTH_KEYCLOAK_ISSUER = keycloak.issuer
    settings.SOCIAL_AUTH_KEYCLOAK_KEY, settings.SOCIAL_AUTH_KEYCLOAK_SECRET = CLIENT, CLIENT_SECRET
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "mitxonline.users.sso.keycloak.KeycloakBackend",
    ]
    policy = deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["form-action"].append(keycloak.url)
    settings.CONTENT_SECURITY_POLICY = policy
    keycloak.serve(live_server.url)
    for email in (SAM, LEA):
        keycloak.end_sessions(email)
    call_command("configure_wagtail", verbosity=0)
    yield live_server.url
    KeycloakBackend.get_openid_configuration.invalidate()
    KeycloakBackend.get_jwks_keys_for_uri.invalidate()


def make_campus(organization: str = "Larkfield University", *options: str) -> ContractPage:
    """Make a single sign-on contract with one course by the operators' commands, and link its organization."""
    course = make_course(title=TITLE)
    call_command("b2b_contract", "create", organization, "Campus", "sso", *options, verbosity=0)
    contract: ContractPage = ContractPage.objects.get(name="Campus")
    call_command("b2b_contract", "courseware", str(contract.pk), course.readable_id, verbosity=0)
    call_command("sync_keycloak_orgs", verbosity=0)
    return contract


def set_cap(contract: ContractPage, seats: int) -> None:
    modify_contract(ModifyContract(contract_id=contract.pk, changes={"max_learners": seats}), now=clock.now())
    run_reconcile(contract_id=contract.pk, now=clock.now())


def sign_in(visitor: Visitor, email: str, *, page: str = "/login/") -> None:
    """Sign in with the button, through Keycloak's pages."""
    visitor.opens(page)
    visitor.page.get_by_role("button", name="Continue with Keycloak").click()
    fill_in(visitor.page, email)


def fill_in(page: Page, email: str) -> None:
    """Fill in the name, then the password; with organizations Keycloak asks for them on two pages."""
    page.get_by_label("Username or email").fill(email)
    if not page.get_by_label("Password", exact=True).is_visible():
        page.get_by_role("button", name="Sign In").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()


def sees_course(visitor: Visitor) -> None:
    visitor.opens("/dashboard/")
    expect(visitor.page.get_by_role("main").get_by_text(TITLE).first).to_be_visible()


def sees_no_course(visitor: Visitor) -> None:
    visitor.opens("/dashboard/")
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    expect(visitor.page.get_by_text(TITLE)).to_have_count(0)
