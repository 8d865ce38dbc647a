"""Learners join through their organization's Keycloak, in a real browser."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.mail import EmailMessage
from playwright.sync_api import expect
from social_django.models import UserSocialAuth

from b2b.enums import MembershipSource, SignInChange
from b2b.models import ContractMembership, OrganizationMembership, OrganizationPage, SignInFact
from b2b.services.organizations.claims import Claim, claim_of
from b2b.services.organizations.managers import set_manager
from courses.models import Enrollment
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor, Visitor
from tests.factories import make_user
from tests.keycloak.conftest import TITLE, fill_in, make_campus, sees_course, sees_no_course, set_cap, sign_in
from tests.support.broker import until
from tests.support.keycloak import LARKFIELD, LEA, SAM, Keycloak, needs_keycloak

pytestmark = [*needs_keycloak, pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]


def is_signed_in(visitor: Visitor) -> bool:
    visitor.opens("/dashboard/")
    return not visitor.page.url.startswith(f"{visitor.base}/login/")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_from_the_button_to_the_course(open_visitor: OpenVisitor, site: str, scripts: bool) -> None:
    contract = make_campus()
    visitor = open_visitor(scripts=scripts, width=390)
    page = visitor.page

    sign_in(visitor, SAM)
    expect(page).to_have_url(f"{site}/dashboard/")
    sam = User.objects.get()
    assert (sam.email, sam.name, sam.email_verified_at is not None) == (SAM, "Sam Taylor", True)
    membership = OrganizationMembership.objects.get()
    assert (membership.source, membership.seen_in_claim) == (MembershipSource.SSO, True)
    seat = ContractMembership.objects.get()
    assert (seat.contract_id, seat.user_id, seat.source) == (contract.pk, sam.pk, MembershipSource.SSO)

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    if scripts:
        assert_accessible(page)
    enroll = page.get_by_role("button", name=f"Enroll {TITLE}")
    enroll.click()
    expect(enroll).to_have_count(0)
    enrollment = Enrollment.objects.get()
    assert (enrollment.user_id, enrollment.active) == (sam.pk, True)
    sees_course(visitor)


def test_out_of_the_organization_in_keycloak_is_out_at_the_next_sign_in(
    open_visitor: OpenVisitor, site: str, keycloak: Keycloak
) -> None:
    make_campus()
    first = open_visitor()
    sign_in(first, SAM)
    sees_course(first)

    with keycloak.without_member(LARKFIELD, SAM):
        second = open_visitor()
        sign_in(second, SAM)
        sees_no_course(second)
        assert not ContractMembership.objects.exists()
        assert not OrganizationMembership.objects.exists()
        left = SignInFact.objects.filter(change__in=[SignInChange.LEFT_ORGANIZATION, SignInChange.LEFT_CONTRACT])
        assert left.count() == 2

    third = open_visitor()
    sign_in(third, SAM)
    sees_course(third)
    assert User.objects.count() == 1


def test_people_without_an_organization_can_sign_in(open_visitor: OpenVisitor, site: str) -> None:
    make_campus()
    visitor = open_visitor()
    sign_in(visitor, LEA)
    sees_no_course(visitor)
    assert User.objects.get().email == LEA
    assert not OrganizationMembership.objects.exists()


def test_the_page_one_came_from_is_the_page_one_gets(open_visitor: OpenVisitor, site: str) -> None:
    make_campus()
    visitor = open_visitor()
    slug = "larkfield-university"
    sign_in(visitor, SAM, page=f"/login/?next=/organizations/{slug}/")
    expect(visitor.page).to_have_url(f"{site}/organizations/{slug}/")
    expect(visitor.page.get_by_role("heading", level=1, name="Larkfield University")).to_be_visible()


def test_a_full_contract_is_explained_and_not_overfilled(open_visitor: OpenVisitor, site: str) -> None:
    contract = make_campus()
    set_cap(contract, 1)
    ContractMembership.objects.create(
        contract=contract, user=make_user(), source=MembershipSource.STAFF, since=contract.first_published_at
    )
    visitor = open_visitor()
    sign_in(visitor, SAM)
    told = (
        "All seats of “Campus” are taken or promised to others, so there isn’t one for you yet. "
        "Ask Larkfield University for a seat."
    )
    expect(visitor.page.get_by_text(told)).to_be_visible()
    assert_accessible(visitor.page)
    assert ContractMembership.objects.count() == 1
    assert SignInFact.objects.filter(change=SignInChange.CONTRACT_FULL, contract=contract).count() == 1


def test_signing_out_ends_both_sessions(open_visitor: OpenVisitor, site: str, keycloak: Keycloak) -> None:
    make_campus()
    visitor = open_visitor()
    sign_in(visitor, SAM)
    assert keycloak.admin.get_sessions(keycloak.user_id(SAM))

    visitor.opens("/logout/")
    visitor.page.get_by_role("main").get_by_role("button", name="Sign out").click()
    expect(visitor.page).to_have_url(f"{site}/")
    assert not is_signed_in(visitor)
    assert keycloak.admin.get_sessions(keycloak.user_id(SAM)) == []

    # Keycloak has forgotten the browser too: it asks for the password again.
    visitor.opens("/login/")
    visitor.page.get_by_role("button", name="Continue with Keycloak").click()
    fill_in(visitor.page, SAM)
    expect(visitor.page).to_have_url(f"{site}/dashboard/")


def test_a_session_ended_in_keycloak_ends_only_its_own(
    open_visitor: OpenVisitor, site: str, keycloak: Keycloak
) -> None:
    make_campus()
    sam, lea = open_visitor(), open_visitor()
    sign_in(sam, SAM)
    sign_in(lea, LEA)

    keycloak.end_sessions(SAM)

    until(lambda: not is_signed_in(sam))
    assert is_signed_in(lea)


def test_keycloak_says_which_scope_it_granted(
    open_visitor: OpenVisitor, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim is complete only if all organizations were asked for, and granted in so many words."""
    make_campus()
    granted: list[str] = []

    def note(response: Any) -> Claim:
        granted.append(response["scope"])
        return claim_of(response)

    monkeypatch.setattr("b2b.receivers.claim_of", note)
    for email in (SAM, LEA):
        visitor = open_visitor()
        sign_in(visitor, email)
        expect(visitor.page).to_have_url(f"{site}/dashboard/")
    assert [sorted(each.split()) for each in granted] == [
        ["email", "openid", "organization:*", "profile"],
        ["email", "openid", "profile"],
    ]


def test_a_manager_of_an_organization_is_connected_by_the_mailed_link(
    open_visitor: OpenVisitor, site: str, outbox: list[EmailMessage]
) -> None:
    """The realm confirms the address; that alone doesn't open what the account manages."""
    make_campus()
    manager = User.objects.create_user(SAM, "a password of one's own", email_verified_at=clock.now())
    organization = OrganizationPage.objects.get(name="Larkfield University")
    set_manager(organization_id=organization.pk, user_id=manager.pk, is_manager=True, by_id=None, now=clock.now())
    manage = f"/organizations/{organization.slug}/manage/"

    visitor = open_visitor(width=390)
    page = visitor.page
    sign_in(visitor, SAM, page=f"/login/?next={manage}")
    expect(page.get_by_role("heading", name="Connect your account first")).to_be_visible()
    assert_accessible(page)
    assert not UserSocialAuth.objects.exists()
    page.get_by_role("button", name="E-mail me a link").click()
    expect(page.get_by_role("heading", name="Check your inbox")).to_be_visible()
    assert_accessible(page)
    (mail,) = outbox
    (link,) = re.findall(r"http://\S+/login/connect/\S+/", str(mail.body))
    visitor.opens(link.removeprefix(site))
    assert_accessible(page)
    page.get_by_role("button", name="Connect Keycloak to this account").click()
    expect(page).to_have_url(f"{site}{manage}")
    assert UserSocialAuth.objects.get().user == manager


def test_rights_by_a_role_end_in_an_older_session(
    open_visitor: OpenVisitor, site: str, keycloak: Keycloak, settings: Any
) -> None:
    """Two browsers; the role comes between their sign-ins, and no one signs in again."""
    phone, laptop = open_visitor(), open_visitor()
    sign_in(phone, LEA)
    expect(phone.page).to_have_url(f"{site}/dashboard/")
    role = keycloak.admin.get_realm_role("storefront-admin")
    lea = keycloak.user_id(LEA)
    keycloak.admin.assign_realm_roles(lea, [role])
    try:
        sign_in(laptop, LEA)
        expect(laptop.page).to_have_url(f"{site}/dashboard/")
        phone.opens("/admin/")
        expect(phone.page).to_have_url(f"{site}/admin/")
        settings.SIGN_IN_STAFF_SECONDS = 0  # the twelve hours are over
        phone.opens("/admin/")
        expect(phone.page).not_to_have_url(f"{site}/admin/")
        assert not User.objects.filter(is_staff=True).exists()
    finally:
        keycloak.admin.delete_realm_roles_of_user(lea, [role])
