"""Many people sign in at once for one seat, and one person many times at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from b2b import seats
from b2b.models import ContractMembership, ContractTermsQuerySet, OrganizationMembership, OrganizationPage, SignInFact
from b2b.services.organizations import sign_in
from b2b.services.organizations.claims import parse_claim
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.models import DiscountCode
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_organization, make_user
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)


def signing_in(user: User, *organizations: OrganizationPage) -> Callable[[], Any]:
    claim = parse_claim([each.org_key for each in organizations])
    return lambda: sign_in.follow_claim(user_id=user.pk, claim=claim, now=NOON)


def attaching(user: User, code: DiscountCode) -> Callable[[], Any]:
    return lambda: redeem_enrollment_code(text=code.text, user_id=user.pk, now=NOON)


def test_one_seat_and_eight_people(together: Together) -> None:
    contract = make_contract(integration_type="sso", seats=1)
    organization = OrganizationPage.objects.get()
    answers = together(*(signing_in(make_user(), organization) for _each in range(8)))
    assert sorted(len(each.joined_contracts) for each in answers) == [0] * 7 + [1]
    assert sorted(len(each.full_contracts) for each in answers) == [0] + [1] * 7
    assert ContractMembership.objects.filter(contract=contract).count() == 1
    assert OrganizationMembership.objects.count() == 8
    assert SignInFact.objects.filter(change="contract_full").count() == 7


def test_without_the_contracts_lock_the_harness_overfills(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = make_contract(integration_type="sso", seats=1)
    people = [make_user() for _each in range(4)]
    organization = OrganizationPage.objects.get()
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    meeting = meet_at(seats, "seats_for", parties=4, patience=20.0)
    together(*(signing_in(each, organization) for each in people))
    assert meeting.happened
    assert ContractMembership.objects.filter(contract=contract).count() == 4  # else the test above proves nothing


def test_the_last_seat_by_code_or_by_signing_in(together: Together) -> None:
    contract = make_contract(integration_type="sso", seats=1)
    organization, run = OrganizationPage.objects.get(), make_contract_run(contract, codes=4)
    by_code = [attaching(make_user(), code) for code in codes_of(run)]
    together(*by_code, *(signing_in(make_user(), organization) for _each in range(4)))
    assert ContractMembership.objects.filter(contract=contract).count() == 1


def test_one_person_many_browsers(together: Together) -> None:
    contract = make_contract(integration_type="sso")
    organization, sam = OrganizationPage.objects.get(), make_user()
    answers = together(*(signing_in(sam, organization) for _each in range(6)))
    assert sorted(each.joined_contracts for each in answers) == [()] * 5 + [(contract.pk,)]
    assert ContractMembership.objects.count() == OrganizationMembership.objects.count() == 1
    assert SignInFact.objects.count() == 2


def test_contracts_are_locked_in_one_order(together: Together) -> None:
    """People whose organizations are named in opposite orders don't wait for one another for ever."""
    organizations = [make_organization(f"Org {number}") for number in range(4)]
    for each in organizations:
        make_contract(each, integration_type="sso", seats=100)
    calls = [signing_in(make_user(), *(organizations if number % 2 else organizations[::-1])) for number in range(8)]
    answers = together(*calls)
    assert [len(each.joined_contracts) for each in answers] == [4] * 8
