"""The last free seat: handed out, redeemed, taken by sign-in and given by staff, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from b2b import seats
from b2b.models import ContractMembership, ContractRun, ContractTermsQuerySet, OrganizationPage
from b2b.seats import count_seats
from b2b.services.handouts import stocks
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.sign_in import follow_claim
from b2b.services.seats.membership import add_member
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.models import DiscountCode
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_user
from tests.support.together import MeetAt, Together

pytestmark = pytest.mark.django_db(transaction=True)

INES = "ines@northgate.example"


def one_free_of_two() -> tuple[ContractRun, ContractRun]:
    """Two seats of a single sign-on contract with codes, one of them promised already; two courses."""
    contract = make_contract(integration_type="sso", seats=2)
    runs = make_contract_run(contract, codes=4), make_contract_run(contract, codes=4)
    code = codes_of(runs[0])[0]
    DiscountCode.objects.filter(pk=code.pk).update(assigned_email=INES)
    return runs


def promising(run: ContractRun) -> Callable[[], Any]:
    people = [Recipient("omar@northgate.example")]
    return lambda: hand_out(HandOutRequest(contract_run_id=run.pk, recipients=people), by_id=None, now=NOON)


def everybody(runs: tuple[ContractRun, ContractRun]) -> list[Callable[[], Any]]:
    """Those who want the free seat."""
    codes = codes_of(runs[1])
    claim = parse_claim([OrganizationPage.objects.get().org_key])
    learners = [make_user() for _each in range(4)]
    return [
        lambda: redeem_enrollment_code(text=codes[0].text, user_id=learners[0].pk, now=NOON),
        lambda: redeem_enrollment_code(text=codes[1].text, user_id=learners[1].pk, now=NOON),
        lambda: follow_claim(user_id=learners[2].pk, claim=claim, now=NOON),
        lambda: add_member(contract_id=runs[0].contract_id, user_id=learners[3].pk, now=NOON),
    ]


@pytest.fixture(autouse=True)
def priced_for_hand_outs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract with both doors has a price; here its codes are free, so that one call is one seat."""
    monkeypatch.setattr(stocks, "refuse_closed_contract", lambda terms, *, now: None)


def test_the_last_free_seat_goes_once_and_the_promised_one_is_kept(together: Together) -> None:
    runs = one_free_of_two()
    together(*everybody(runs), promising(runs[1]))
    counted = count_seats([runs[0].contract_id])[runs[0].contract_id]
    assert counted.taken + counted.invited == 2
    ines = make_user(INES)
    redeem_enrollment_code(text=codes_of(runs[0])[0].text, user_id=ines.pk, now=NOON)
    assert ContractMembership.objects.filter(user=ines).exists()


def test_without_the_contracts_lock_the_harness_passes_the_cap(
    together: Together, meet_at: MeetAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = one_free_of_two()
    monkeypatch.setattr(ContractTermsQuerySet, "locked", lambda self: self)
    calls = everybody(runs)
    meeting = meet_at(seats, "_find_and_lock_seats", parties=len(calls), patience=20.0)
    together(*calls)
    assert meeting.happened
    counted = count_seats([runs[0].contract_id])[runs[0].contract_id]
    assert counted.taken + counted.invited > 2  # else the test above proves nothing
