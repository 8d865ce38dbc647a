"""Moving members to another contract with their courses."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from wagtail.models import PageLogEntry

from b2b.errors.contracts import TooFewSeats
from b2b.errors.seats import AccessWithdrawn, MoveRefused
from b2b.models import ContractRun, OrganizationMembership, Withdrawal
from b2b.services.handouts.assign import HandOutRequest, hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.seats.membership import add_member
from b2b.services.seats.moving import MoveMembers, move_members, plan_move_members
from b2b.services.seats.redemption import redeem_enrollment_code
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import Enrollment
from courses.services.enrollments import enroll
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.users.models import User
from tests.b2b.moving import MovingWorld
from tests.factories import (
    NOON,
    codes_of,
    make_user,
)


def runs_of(person: User) -> set[int]:
    return set(Enrollment.objects.active().filter(user=person).values_list("run_id", flat=True))


def test_the_plan_is_what_happens(db: None) -> None:
    world = MovingWorld()
    (plan,) = plan_move_members(MoveMembers(from_id=world.old.pk, to_id=world.new.pk, emails=["lea@northgate.example"]))
    assert [(one.run_key, one.to) for one in plan.continuing] == [(world.both.course_run.courseware_id, world.target)]
    assert [one.run_key for one in plan.ending] == [world.only_old.course_run.courseware_id]
    assert world.seats(world.lea) == [world.old.pk], "nothing was written"
    world.move(world.lea)
    assert world.seats(world.lea) == [world.new.pk]
    assert runs_of(world.lea) == {world.target.course_run_id}
    assert (world.seats(world.ben), len(runs_of(world.ben))) == ([world.old.pk], 2), "others stay as they are"
    assert OrganizationMembership.objects.filter(user=world.lea).exists()
    assert not Withdrawal.objects.exists(), "who is moved is not thrown out"
    entries = PageLogEntry.objects.filter(action="b2b.seat.move")
    assert {(entry.page_id, entry.data["user"], entry.data["reason"]) for entry in entries} == {
        (page.pk, world.lea.pk, "next year") for page in (world.old, world.new)
    }


def test_codes_of_the_contract_they_leave_open_nothing_for_them() -> None:
    world = MovingWorld()
    DiscountCode.objects.filter(pk=codes_of(world.only_old)[1].pk).update(assigned_email="new@northgate.example")
    DiscountCode.objects.filter(pk=codes_of(world.only_old)[2].pk).update(assigned_email=world.lea.email)
    world.move(world.lea)
    assert CodeUse.objects.get(user=world.lea).state == UseState.RETIRED
    given = DiscountCode.objects.exclude(assigned_email="")
    assert list(given.values_list("assigned_email", flat=True)) == ["new@northgate.example"]
    with pytest.raises(AccessWithdrawn):
        redeem_enrollment_code(text=codes_of(world.both)[0].text, user_id=world.lea.pk, now=NOON)
    taken = redeem_enrollment_code(text=codes_of(world.both)[2].text, user_id=make_user().pk, now=NOON)
    assert not taken.was_redeemed_before, "the seat is free"


def test_the_cap_of_the_target_holds_promised_seats_included() -> None:
    world = MovingWorld(seats=2)
    hand_out(
        HandOutRequest(contract_run_id=world.target.pk, recipients=[Recipient("new@northgate.example")]),
        by_id=None,
        now=NOON,
    )
    with pytest.raises(TooFewSeats, match="2 seats are needed, but 1 is free"):
        world.move(world.lea, world.ben)
    assert (world.seats(world.lea), world.seats(world.ben)) == ([world.old.pk], [world.old.pk])
    world.move(world.lea)
    with pytest.raises(TooFewSeats):
        world.move(world.ben)


def test_a_right_of_another_kind_stays() -> None:
    world = MovingWorld()
    enroll(
        user_id=world.lea.pk,
        run_id=world.only_old.course_run_id,
        mode=EnrollmentMode.AUDIT,
        source=EnrollmentSource.MANUAL,
        now=NOON,
        granted_by_id=world.ben.pk,
        reason="goodwill",
    )
    world.move(world.lea)
    assert runs_of(world.lea) == {world.target.course_run_id, world.only_old.course_run_id}


def test_people_with_a_seat_there_need_no_other() -> None:
    world = MovingWorld(seats=1)
    add_member(contract_id=world.new.pk, user_id=world.lea.pk, now=NOON)
    world.move(world.lea)
    assert world.seats(world.lea) == [world.new.pk]


def test_a_removed_run_is_no_target() -> None:
    world = MovingWorld()
    ContractRun.objects.filter(pk=world.target.pk).update(removed_at=NOON)
    world.move(world.lea)
    assert runs_of(world.lea) == set()


def test_one_person_who_cannot_be_moved_stops_the_move() -> None:
    world = MovingWorld()
    stranger = make_user("new@northgate.example")
    with pytest.raises(MoveRefused, match=r"new@northgate\.example has no seat"):
        world.move(world.lea, stranger)
    with pytest.raises(MoveRefused, match="Choose another one"):
        move_members(
            MoveMembers(from_id=world.old.pk, to_id=world.old.pk, emails=[world.lea.email]), reason="", now=NOON
        )
    assert world.seats(world.lea) == [world.old.pk]


def test_the_command_plans_and_moves() -> None:
    world = MovingWorld()
    out = StringIO()
    line = ["b2b_contract", "move", str(world.old.pk), str(world.new.pk), world.lea.email, "--format", "csv"]
    call_command(*line, "--dry-run", stdout=out, stderr=StringIO())
    assert world.both.course_run.courseware_id in out.getvalue()
    assert world.seats(world.lea) == [world.old.pk]
    call_command(*line, stdout=StringIO(), stderr=StringIO())
    assert world.seats(world.lea) == [world.new.pk]
