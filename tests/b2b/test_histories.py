"""Random histories of a contract: after every step its codes match the terms, and no seat was given twice."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Unpack
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from social_django.models import UserSocialAuth

from b2b.enums import ReconcileState
from b2b.errors.seats import AlreadyHasCourseByOwnCode
from b2b.events import HoldsEnded
from b2b.models import ContractMembership, ContractPage, HandOut, Reconcile
from b2b.receivers import follow_ended_holds
from b2b.seats import SeatCount, count_seats
from b2b.selectors.lots import ContractLot
from b2b.services.contracts.checks import check_contracts
from b2b.services.contracts.contracts import ModifyContract, PageChanges
from b2b.services.contracts.terms_plan import plan_modify_contract
from b2b.services.courseware.courseware import (
    AddCourseware,
    RemoveCourseware,
    add_courseware,
    plan_add_courseware,
    plan_remove_courseware,
    remove_courseware,
)
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.handouts.revoke import take_back
from b2b.services.organizations.claims import parse_claim
from b2b.services.organizations.sign_in import follow_claim
from b2b.services.products.targets import CodeChange
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import put_in_link_basket, redeem_enrollment_code
from courses.models import Course
from ecommerce.enums import OrderState
from ecommerce.models import Order
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.checkout.checkout import cancel_order, place_order
from ecommerce.services.orders.fulfillment import fulfill_or_review
from mitxonline.coordinator.models import Delivery
from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import User
from tests.b2b.snapshots import CodeSnapshot, as_observed, rolled_back
from tests.b2b.worlds import (
    NON_SSO,
    NOW,
    SSO,
    change_terms,
    codes_of,
    make_learner,
    make_source_course,
    publish_contract,
    reconcile_contract,
    runs_of,
)
from tests.factories import make_user

PEOPLE = 4
Act = Callable[["World", int, int], None]


@dataclass
class World:
    """A contract of two courses beside another one of the same organization, and people with accounts."""

    page: ContractPage
    courses: tuple[Course, Course]
    people: tuple[User, ...]
    total: int = 0
    done: list[str] = field(default_factory=list)
    expected: tuple[CodeSnapshot, CodeChange] | None = None

    @classmethod
    def new(cls) -> World:
        courses = make_source_course(), make_source_course()
        page = publish_contract(*courses, cap=2)
        publish_contract(make_source_course(), name="Another", cap=1)
        people = tuple(make_user() for _each in range(PEOPLE))
        for each in people:
            UserSocialAuth.objects.create(user=each, provider="keycloak", uid=f"https://id.example#{each.pk}")
        return cls(page, courses, people)

    def expect(self, planned: CodeChange) -> None:
        """Remember what the plan says will happen to the codes."""
        self.expected = CodeSnapshot.now(self.page), as_observed(planned)

    def code(self, number: int) -> str:
        codes = [code for code in codes_of(self.page) if code.active] or codes_of(self.page)
        # A free contract by single sign-on without a cap has none, so someone tries a code that isn't there.
        return codes[number % len(codes)].text if codes else str(UUID(int=number))

    def learner(self, number: int) -> User:
        return self.people[number % PEOPLE]


def redeem(world: World, who: int, what: int) -> None:
    redeem_enrollment_code(text=world.code(what), user_id=world.learner(who).pk, now=NOW)


def buy(world: World, who: int, what: int) -> None:
    owner = BasketOwner(user_id=world.learner(who).pk)
    put_in_link_basket(text=world.code(what), owner=owner, user_id=world.learner(who).pk, now=NOW)
    place_order(owner=owner, user_id=world.learner(who).pk, now=NOW)


def pay(_world: World, _who: int, what: int) -> None:
    if (order := _pending(what)) is not None:
        fulfill_or_review(order_id=order.pk, now=NOW)


def give_up(_world: World, _who: int, what: int) -> None:
    if (order := _pending(what)) is not None:
        cancel_order(order_id=order.pk, now=NOW, reason="left")


def _pending(number: int) -> Order | None:
    orders = list(Order.objects.filter(state=OrderState.PENDING).order_by("pk"))
    return orders[number % len(orders)] if orders else None


def withdraw(world: World, who: int, _what: int) -> None:
    remove_member(contract_id=world.page.pk, user_id=world.learner(who).pk, reason="left", now=NOW)


def let_in(world: World, who: int, _what: int) -> None:
    add_member(contract_id=world.page.pk, user_id=world.learner(who).pk, now=NOW)


def invite(world: World, who: int, what: int) -> None:
    runs = list(world.page.contract_runs.order_by("pk"))
    address = world.learner(who).email if what % 3 else f"new{who}@elsewhere.example"
    hand_out(
        HandOutRequest(contract_run_id=runs[what % len(runs)].pk, recipients=[Recipient(address)]), by_id=None, now=NOW
    )


def uninvite(world: World, who: int, _what: int) -> None:
    given = HandOut.objects.open().filter(contract_run__contract=world.page).order_by("pk")
    ids = list(given.values_list("pk", flat=True))
    take_back(ContractLot(world.page.pk), hand_out_ids=ids[who : who + 1], by_id=None, now=NOW)


def sign_in(world: World, who: int, _what: int) -> None:
    key = world.page.terms.organization.org_key
    follow_claim(user_id=world.learner(who).pk, claim=parse_claim([key]), now=NOW)


def leave(world: World, who: int, _what: int) -> None:
    follow_claim(user_id=world.learner(who).pk, claim=parse_claim([]), now=NOW)


def cap(world: World, who: int, _what: int) -> None:
    publish(world, max_learners=(None, 1, 2, 3)[who % 4])


def price(world: World, who: int, _what: int) -> None:
    publish(world, enrollment_fixed_price=(None, Decimal(10))[who % 2])


def kind(world: World, who: int, _what: int) -> None:
    publish(world, integration_type=(SSO, NON_SSO)[who % 2])


def active(world: World, who: int, _what: int) -> None:
    publish(world, active=bool(who % 2))


def days(world: World, who: int, _what: int) -> None:
    publish(world, contract_end=(None, date(2026, 6, 30), date(2027, 6, 30))[who % 3])


def publish(world: World, **changes: Unpack[PageChanges]) -> None:
    plan = plan_modify_contract(ModifyContract(contract_id=world.page.pk, changes=changes), now=NOW)
    world.expect(plan.reconcile.code_change)
    moved = {one.key: (one.start, one.end) for one in plan.dates if not one.is_removed}
    before = {run.courseware_id: (run.start_date, run.end_date) for run in runs_of(world.page)}
    change_terms(world.page, **changes)
    after = {run.courseware_id: (run.start_date, run.end_date) for run in runs_of(world.page)}
    assert {key for key, dates in after.items() if dates != before[key]} == moved.keys(), world.done
    assert all(after[key] == dates for key, dates in moved.items()), world.done
    seats = seats_of(world)
    assert plan.seats == seats, world.done


def drop(world: World, who: int, _what: int) -> None:
    request = RemoveCourseware(contract_id=world.page.pk, readable_id=world.courses[who % 2].readable_id)
    removal, plan = plan_remove_courseware(request, now=NOW)
    world.expect(plan.code_change)
    assert len(remove_courseware(request, now=NOW).runs) == len(removal.runs)


def cover(world: World, who: int, what: int) -> None:
    readable_id = world.courses[who % 2].readable_id
    request = AddCourseware(contract_id=world.page.pk, readable_id=readable_id, rerun=what == 0)
    addition, plan = plan_add_courseware(request, now=NOW)
    world.expect(plan.code_change + CodeChange(switch_on=len(addition.codes.kept)))
    done = add_courseware(request, now=NOW)
    assert [code.pk for code in done.codes.beyond] == [code.pk for code in addition.codes.beyond]


ACTS: tuple[Act, ...] = (
    redeem, redeem, buy, pay, give_up, withdraw, let_in, invite, invite, uninvite, sign_in, leave, cap, price, kind,
    active, days, drop, cover,
)  # fmt: skip
numbers = st.integers(0, 5)
HISTORIES = st.lists(st.tuples(st.sampled_from(ACTS), numbers, numbers), min_size=3, max_size=10)


@pytest.mark.timeout(900)
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(history=HISTORIES)
@example(history=[(redeem, 0, 0), (withdraw, 0, 0), (let_in, 0, 0)])
@example(history=[(redeem, 0, 0), (drop, 0, 0), (withdraw, 0, 0), (let_in, 0, 0)])
@example(history=[(kind, 0, 0), (cap, 0, 0), (price, 1, 0), (invite, 0, 1), (price, 0, 0), (uninvite, 0, 0)])
@example(history=[(kind, 0, 0), (price, 1, 0), (redeem, 0, 0), (sign_in, 0, 0), (leave, 0, 0), (cap, 0, 0)])
@example(history=[(invite, 0, 0), (invite, 1, 1), (drop, 0, 0), (redeem, 2, 0), (let_in, 3, 0), (cover, 0, 1)])
@example(history=[(cap, 0, 0), (kind, 0, 0), (redeem, 0, 0), (buy, 0, 0)])
@example(history=[(invite, 0, 1), (invite, 1, 1), (cap, 1, 0), (uninvite, 0, 0), (redeem, 1, 0)])
@example(history=[(price, 1, 0), (buy, 0, 0), (buy, 1, 1), (cap, 1, 0), (give_up, 0, 0), (pay, 0, 0)])
@example(history=[(redeem, 0, 0), (invite, 5, 5), (redeem, 1, 3)])
def test_after_every_step_the_contract_is_in_line(db: None, history: list[tuple[Act, int, int]]) -> None:
    with rolled_back():
        world = World.new()
        for act, who, what in history:
            world.done.append(f"{act.__name__}({who}, {what})")
            try:
                act(world, who, what)
            except DomainError as refusal:
                world.done[-1] += f" {refusal.code}"
                world.expected = None
            work_off(world)
            as_planned(world)
            assert [each.sentence for each in check_contracts(now=NOW) if not each.is_note] == [], world.done
            no_seat_twice(world)
        the_invited_get_in(world)


def work_off(world: World) -> None:
    for delivery in Delivery.objects.filter(event_type=HoldsEnded.type_name()):
        follow_ended_holds(HoldsEnded(contract_ids=tuple(delivery.payload["contract_ids"])))
        delivery.delete()
    for record in list(Reconcile.objects.filter(state=ReconcileState.WAITING)):
        reconcile_contract(record.contract)


def as_planned(world: World) -> None:
    """The plan matched what happened, exactly."""
    if world.expected is not None:
        before, planned = world.expected
        assert before.what_became(CodeSnapshot.now(world.page)) == planned, world.done
        world.expected = None


def no_seat_twice(world: World) -> None:
    """Members exceed the cap only after the cap was lowered."""
    seats = seats_of(world)
    total = seats.taken + seats.invited
    assert seats.cap is None or total <= max(seats.cap, world.total), world.done
    world.total = total


def seats_of(world: World) -> SeatCount:
    return count_seats([world.page.pk])[world.page.pk]


def the_invited_get_in(world: World) -> None:
    """Each invited person can join with their own code, whatever happened to the cap."""
    world.page.refresh_from_db()
    if not world.page.terms.is_free or not world.page.terms.active:
        return
    for code in codes_of(world.page):
        user = User.objects.filter(email=code.assigned_email).first() or (
            make_learner(code.assigned_email) if code.assigned_email else None
        )
        if user is None or not code.active or code.uses or code.discount.unlocks is None:
            continue
        if not runs_of(world.page) or code.discount.unlocks.contract_run.removed_at is not None:
            continue
        with suppress(AlreadyHasCourseByOwnCode):  # they got in by a code that nobody was given
            redeem_enrollment_code(text=code.text, user_id=user.pk, now=NOW)
        assert ContractMembership.objects.filter(contract=world.page, user=user).exists(), world.done
