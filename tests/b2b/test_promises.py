"""A seat promised by e-mail is kept at every door until the hand-out is taken back (ADR 0010)."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from b2b.enums import MembershipSource, MembershipState
from b2b.errors.contracts import TooFewSeats
from b2b.errors.handouts import NoSeatToGive
from b2b.errors.seats import ContractFull
from b2b.models import ContractMembership, ContractPage, ContractRun, ContractTerms, OrganizationPage, Reconcile
from b2b.seats import SeatCount, count_seats, leave_organizations
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import revoke_code
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.sign_in import follow_claim
from b2b.services.seats.bulk import ChangeMembers, MembershipChange, change_members
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import put_in_link_basket, redeem_enrollment_code
from ecommerce.models import DiscountCode
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.checkout.checkout import cancel_order, place_order
from mitxonline.users.models import User
from tests.factories import NOON, codes_of, make_contract, make_contract_run, make_organization, make_user

INVITED = ("ines@northgate.example", "omar@northgate.example")

pytestmark = pytest.mark.django_db


def promised(**terms: object) -> tuple[ContractRun, ContractRun]:
    """Two courses with two seats, both promised with codes of the first; the other course's codes are free."""
    contract = make_contract(**{"seats": 2} | terms)  # type: ignore[arg-type]
    runs = make_contract_run(contract, codes=3), make_contract_run(contract, codes=3)
    give(runs[0], *INVITED)
    return runs


def give(run: ContractRun, *emails: str) -> None:
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient(each) for each in emails]), by_id=None, now=NOON
    )


def code_for(email: str) -> DiscountCode:
    return DiscountCode.objects.get(assigned_email=email)


def attach(code: DiscountCode, user: User) -> None:
    redeem_enrollment_code(text=code.text, user_id=user.pk, now=NOON)


def buy(code: DiscountCode, user: User) -> int:
    owner = BasketOwner(user_id=user.pk)
    put_in_link_basket(text=code.text, owner=owner, user_id=user.pk, now=NOON)
    return place_order(owner=owner, user_id=user.pk, now=NOON).pk


def seats(run: ContractRun) -> SeatCount:
    return count_seats([run.contract_id])[run.contract_id]


def full_for_others(run: ContractRun) -> None:
    """Fail unless every door refuses people who weren't invited."""
    stranger, spare = make_user(), codes_of(run)[-1]
    with pytest.raises(ContractFull, match="kept for people who were invited"):
        attach(spare, stranger)
    with pytest.raises(TooFewSeats, match="1 seat is needed, but 0 are free and 2 are kept for invited people"):
        add_member(contract_id=run.contract_id, user_id=stranger.pk, now=NOON)
    with pytest.raises(TooFewSeats, match="0 are free"):
        change_members(
            ChangeMembers(contract_id=run.contract_id, changes=[MembershipChange(stranger.email, True)]),
            reason="",
            now=NOON,
        )
    with pytest.raises(CommandError, match="0 are free and 2 are kept"):
        call_command("b2b_contract", "members", str(run.contract_id), "--add", stranger.email)
    with pytest.raises(NoSeatToGive):
        give(run, "somebody@else.example")
    assert not ContractMembership.objects.filter(user=stranger).exists()


def test_promised_seats_are_kept_for_the_invited() -> None:
    first, other = promised()
    assert seats(first) == SeatCount(joined=0, held=0, invited=2, cap=2)
    full_for_others(other)
    for email in INVITED:
        attach(code_for(email), make_user(email))
    assert seats(first) == SeatCount(joined=2, held=0, invited=0, cap=2)


def test_checkout_holds_no_seat_that_was_promised() -> None:
    first, other = promised(price="49")
    with pytest.raises(ContractFull, match="invited"):
        buy(codes_of(other)[-1], make_user())
    order_id = buy(code_for(INVITED[0]), make_user(INVITED[0]))
    assert seats(first) == SeatCount(joined=0, held=1, invited=1, cap=2)
    cancel_order(order_id=order_id, now=NOON, reason="")
    assert seats(first) == SeatCount(joined=0, held=0, invited=2, cap=2)


def test_signing_in_takes_no_seat_that_was_promised() -> None:
    run, _other = promised()
    ContractTerms.objects.update(integration_type="sso")
    claim = parse_claim([OrganizationPage.objects.get().org_key])
    assert follow_claim(user_id=make_user().pk, claim=claim, now=NOON).full_contracts == (run.contract_id,)
    assert follow_claim(user_id=make_user(INVITED[0]).pk, claim=claim, now=NOON).joined_contracts == (run.contract_id,)
    assert seats(run) == SeatCount(joined=1, held=0, invited=1, cap=2)


def test_the_invited_take_their_own_seat_by_any_door() -> None:
    first, other = promised()
    attach(codes_of(other)[0], make_user(INVITED[0]))  # a code no one was given, of the other course
    add_member(contract_id=first.contract_id, user_id=make_user(INVITED[1]).pk, now=NOON)
    assert seats(first) == SeatCount(joined=2, held=0, invited=0, cap=2)


def test_with_another_address_the_codes_promise_is_used_up() -> None:
    first, other = promised()
    attach(code_for(INVITED[0]), make_user("ines.private@home.example"))
    assert seats(first) == SeatCount(joined=1, held=0, invited=1, cap=2)
    with pytest.raises(ContractFull):
        attach(codes_of(other)[0], make_user(INVITED[0]))


def test_an_address_with_a_second_code_is_still_promised_its_seat() -> None:
    first, other = promised()
    give(other, INVITED[0])
    assert seats(first).invited == 2
    with pytest.raises(ContractFull):  # Ines has a code left, so this one is no seat of its own
        attach(DiscountCode.objects.get(assigned_email=INVITED[0], discount__unlocks=first.product), make_user())


def test_a_seat_held_by_an_order_is_counted_once() -> None:
    first, _other = promised(price="49")
    order_id = buy(code_for(INVITED[0]), make_user())
    assert seats(first) == SeatCount(joined=0, held=1, invited=1, cap=2)
    cancel_order(order_id=order_id, now=NOON, reason="")
    assert seats(first) == SeatCount(joined=0, held=0, invited=2, cap=2)


def test_a_lower_cap_keeps_promises_and_admits_no_one_else() -> None:
    first, other = promised()
    ContractTerms.objects.update(max_learners=1)
    assert (seats(first).free, seats(first).over_cap) == (0, 1)
    for email in INVITED:
        attach(code_for(email), make_user(email))
    with pytest.raises(ContractFull):
        attach(codes_of(other)[-1], make_user())
    assert ContractMembership.objects.count() == 2


def test_taken_back_the_seat_is_free() -> None:
    first, other = promised()
    revoke_code(code_id=code_for(INVITED[0]).pk, by_id=None, now=NOON)
    attach(codes_of(other)[0], make_user())
    assert seats(first) == SeatCount(joined=1, held=0, invited=1, cap=2)


def test_other_contracts_promises_are_their_own() -> None:
    first, _other = promised()
    elsewhere = make_contract_run(make_contract(first.contract.terms.organization, name="Other", seats=1), codes=1)
    attach(codes_of(elsewhere)[0], make_user())
    assert (seats(elsewhere).joined, seats(first).invited) == (1, 2)


def test_without_a_cap_nothing_needs_promising() -> None:
    first, _other = promised()
    ContractTerms.objects.update(max_learners=None)
    assert seats(first).free is None
    add_member(contract_id=first.contract_id, user_id=make_user().pk, now=NOON)


# --- Giving seats up ------------------------------------------------------------------------------------------------


def waiting(contract: ContractPage) -> bool:
    return Reconcile.objects.filter(contract=contract, state="waiting").exists()


def test_freeing_a_seat_requests_a_reconcile() -> None:
    first, _other = promised()
    lea = make_user(INVITED[0])
    attach(code_for(INVITED[0]), lea)
    assert not waiting(first.contract), "who comes in by a code changes nothing about them"
    remove_member(contract_id=first.contract_id, user_id=lea.pk, reason="left", now=NOON)
    assert waiting(first.contract)
    Reconcile.objects.all().delete()
    add_member(contract_id=first.contract_id, user_id=lea.pk, now=NOON)
    assert waiting(first.contract), "a code was left behind and serves a seat again"


def test_a_code_taken_back_asks() -> None:
    first, _other = promised()
    revoke_code(code_id=code_for(INVITED[0]).pk, by_id=None, now=NOON)
    assert waiting(first.contract)


def test_leaving_ends_what_came_by_signing_in_alone() -> None:
    organization, other = make_organization("One"), make_organization("Two")
    by_sso, by_code = make_contract(organization, integration_type="sso"), make_contract(organization, name="Codes")
    elsewhere = make_contract(other, integration_type="sso")
    sam = make_user()
    for contract, source in (
        (by_sso, MembershipSource.SSO),
        (by_code, MembershipSource.STAFF),
        (elsewhere, MembershipSource.SSO),
    ):
        add_member(contract_id=contract.pk, user_id=sam.pk, now=NOON, source=source)
    left = leave_organizations(user_id=sam.pk, organization_ids=[organization.pk], now=NOON)
    assert (left.organizations, left.contracts) == ((), (by_sso.pk,))
    left = leave_organizations(user_id=sam.pk, organization_ids=[other.pk], now=NOON)
    assert (left.organizations, left.contracts) == ((other.pk,), (elsewhere.pk,))
    kept = ContractMembership.objects.get()
    assert (kept.contract_id, kept.state) == (by_code.pk, MembershipState.ACTIVE)
