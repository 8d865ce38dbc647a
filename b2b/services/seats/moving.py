"""Move people from one contract to another with their courses: planned first, then all of them or no one.

Courses that both contracts have continue in the target's run. Grants from orders or staff stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from b2b.enums import IntegrationType, MembershipSource, MembershipState
from b2b.errors.contracts import TooFewSeats
from b2b.errors.seats import MoveToSameContract, MoveWithoutSeat
from b2b.models import ContractMembership, ContractPage, ContractRun, ContractTerms
from b2b.seats import end_seat, lock_terms, seats_for
from b2b.selectors.contracts import terms_in_force
from b2b.services.handouts.revoke import end_hand_outs_to
from b2b.services.seats.membership import add_member, end_enrollments, products_of
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import EnrollmentGrant
from courses.services.enrollments import enroll
from ecommerce.services.discounts.codes import retire_uses
from mitxonline.kernel.audit import Detail, record
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class MoveMembers:
    """Move the people with these addresses from one contract to another."""

    from_id: int
    to_id: int
    emails: Sequence[str]


@dataclass(frozen=True, slots=True)
class CourseMove:
    """A course the person has through the contract they leave; `to` is None if the target doesn't have it."""

    title: str
    run_key: str
    to: ContractRun | None


@dataclass(frozen=True, slots=True)
class PersonMove:
    user_id: int
    email: str
    courses: tuple[CourseMove, ...]
    needs_seat: bool
    comes_back_by_sign_in: bool

    @property
    def continuing(self) -> tuple[CourseMove, ...]:
        return tuple(course for course in self.courses if course.to is not None)

    @property
    def ending(self) -> tuple[CourseMove, ...]:
        return tuple(course for course in self.courses if course.to is None)


def plan_move_members(request: MoveMembers) -> tuple[PersonMove, ...]:
    """Tell what moving these people would do; writes nothing.

    Raises MoveToSameContract, MoveWithoutSeat, TooFewSeats, ContractUnknown, ContractNotPublished.
    """
    return _make_plan(terms_in_force(request.from_id), terms_in_force(request.to_id), request.emails)


def move_members(
    request: MoveMembers, *, reason: str, now: datetime, by_id: int | None = None
) -> tuple[PersonMove, ...]:
    """Move these people with their courses: all of them or no one. Raises what `plan_move_members` raises.

    Their old seats are free, the codes they used stay used, and unused codes assigned to them are revoked. The activity
    of both contracts says who moved whom and why.
    """
    from_id, to_id = request.from_id, request.to_id
    terms_in_force(from_id)
    terms_in_force(to_id)
    with transaction.atomic():
        locked = lock_terms([from_id, to_id])
        moves = _make_plan(locked[from_id], locked[to_id], request.emails)
        for move in moves:
            _move_person(move, locked[from_id], to_id, reason=reason, now=now, by_id=by_id)
    return moves


def _move_person(
    move: PersonMove, leaving: ContractTerms, to_id: int, *, reason: str, now: datetime, by_id: int | None
) -> None:
    # The new seat comes first, so that a membership in an organization with both contracts never ends in between.
    add_member(contract_id=to_id, user_id=move.user_id, now=now, added_by_id=by_id)
    for course in move.continuing:
        if course.to is not None:
            enroll(
                user_id=move.user_id,
                run_id=course.to.course_run_id,
                mode=EnrollmentMode.VERIFIED,
                source=EnrollmentSource.CONTRACT,
                reference=f"contract {to_id}",
                now=now,
            )
    codes = retire_uses(user_id=move.user_id, product_ids=products_of(leaving.pk), now=now)
    hand_outs = end_hand_outs_to(terms=leaving, email=move.email, by_id=by_id, now=now)
    end_enrollments(leaving, user_id=move.user_id, by_id=by_id, reason=reason, now=now)
    end_seat(contract_id=leaving.pk, user_id=move.user_id, now=now)
    data: dict[str, Detail] = {
        "user": move.user_id,
        "reason": reason,
        "from": leaving.pk,
        "to": to_id,
        "codes": codes,
        "hand_outs": hand_outs,
        "courses": [course.run_key for course in move.continuing],
        "courses_ended": [course.run_key for course in move.ending],
    }
    for page in ContractPage.objects.filter(pk__in=[leaving.pk, to_id]).order_by("pk"):
        record(page, "b2b.seat.move", by_id=by_id, data=data)


def _make_plan(leaving: ContractTerms, joining: ContractTerms, emails: Sequence[str]) -> tuple[PersonMove, ...]:
    if leaving.pk == joining.pk:
        raise MoveToSameContract
    addresses = list(dict.fromkeys(normalize_email(each) for each in emails))
    seats = ContractMembership.objects.filter(
        contract_id=leaving.pk, state=MembershipState.ACTIVE, user__email__in=addresses
    ).select_related("user")
    by_email = {seat.user.email: seat for seat in seats}
    if missing := [email for email in addresses if email not in by_email]:
        raise MoveWithoutSeat(people=tuple(missing))
    users = [by_email[email].user for email in addresses]
    courses = _load_courses(leaving, joining, [user.pk for user in users])
    moves = tuple(_plan_person(user, by_email[user.email], leaving, joining, courses[user.pk]) for user in users)
    count = seats_for([joining.pk], None)[joining.pk].count
    needed = sum(move.needs_seat for move in moves)
    if not count.has_room_for(needed):
        raise TooFewSeats(left=count.free or 0, needed=needed, invited=count.invited)
    return moves


def _plan_person(
    user: User,
    seat: ContractMembership,
    leaving: ContractTerms,
    joining: ContractTerms,
    courses: tuple[CourseMove, ...],
) -> PersonMove:
    there = seats_for([joining.pk], user.pk)[joining.pk]
    return PersonMove(
        user_id=user.pk,
        email=user.email,
        courses=courses,
        needs_seat=there.seat_id is None and not there.has_promise,
        comes_back_by_sign_in=(
            leaving.integration_type == IntegrationType.SSO and leaving.is_free and seat.source == MembershipSource.SSO
        ),
    )


def _load_courses(
    leaving: ContractTerms, joining: ContractTerms, user_ids: Sequence[int]
) -> dict[int, tuple[CourseMove, ...]]:
    """Return by user the courses they have through the contract they leave, with the target's runs."""
    targets: dict[int, ContractRun] = {}
    current = ContractRun.objects.current().filter(contract_id=joining.pk)
    for link in current.select_related("course_run").order_by("pk"):
        targets[link.course_run.course_id] = link  # the newest run of the course
    grants = (
        EnrollmentGrant.objects.filter(
            enrollment__user_id__in=user_ids,
            enrollment__run__contract_run__contract_id=leaving.pk,
            source__in=[EnrollmentSource.CODE, EnrollmentSource.CONTRACT],
            revoked_at__isnull=True,
        )
        .select_related("enrollment__run")
        .order_by("enrollment__run_id", "pk")
    )
    found: dict[int, dict[int, CourseMove]] = {pk: {} for pk in user_ids}
    for grant in grants:
        run = grant.enrollment.run
        found[grant.enrollment.user_id][run.pk] = CourseMove(
            title=run.title, run_key=run.courseware_id, to=targets.get(run.course_id)
        )
    return {pk: tuple(moves.values()) for pk, moves in found.items()}
