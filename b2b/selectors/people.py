"""An organization's people: the same rows for its managers and for staff, so that their pages agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from b2b.enums import MembershipSource, MembershipState
from b2b.models import ContractMembership, ContractRun, OrganizationMembership
from courses.models import Enrollment
from mitxonline.users.models import User


def seats_of_organization(organization_id: int, *, contract_id: int | None = None) -> QuerySet[ContractMembership]:
    """Return the seats that people have in the organization's contracts: what their pages count as “joined”."""
    seats = ContractMembership.objects.filter(
        contract__terms__organization_id=organization_id, state=MembershipState.ACTIVE
    )
    if contract_id is not None:
        seats = seats.filter(contract_id=contract_id)
    return seats.select_related("user", "contract")


def search_seats(seats: QuerySet[ContractMembership], words: str) -> QuerySet[ContractMembership]:
    return seats.filter(Q(user__name__icontains=words) | Q(user__email__icontains=words)) if words else seats


@dataclass(frozen=True, slots=True)
class PersonWithSeat:
    """One person's seat in one contract, with the contract's courses they are enrolled in."""

    seat: ContractMembership
    courses: tuple[str, ...]

    @property
    def user(self) -> User:
        return self.seat.user

    @property
    def joined_by(self) -> str:
        return str(MembershipSource(self.seat.source).label)


def with_courses(seats: Iterable[ContractMembership]) -> list[PersonWithSeat]:
    """Add the courses of these seats; one query for any number."""
    rows = list(seats)
    contracts = {seat.contract_id for seat in rows}
    runs = ContractRun.objects.filter(contract__in=contracts).values("course_run")
    enrollments = Enrollment.objects.active().filter(run__in=runs, user__in={seat.user_id for seat in rows})
    titles: dict[tuple[int, int], list[str]] = defaultdict(list)
    found = enrollments.order_by("run__title", "pk").values_list(
        "user_id", "run__contract_run__contract_id", "run__title"
    )
    for user_id, contract_id, title in found:
        titles[user_id, contract_id].append(title)
    return [PersonWithSeat(seat, tuple(titles[seat.user_id, seat.contract_id])) for seat in rows]


def people_of(organization_id: int) -> QuerySet[User]:
    """Return everyone who belongs to the organization: its members, and those with a seat in one of its contracts."""
    members = OrganizationMembership.objects.filter(organization=organization_id).values("user")
    seated = seats_of_organization(organization_id).values("user")
    return User.objects.filter(Q(pk__in=members) | Q(pk__in=seated))


@dataclass(frozen=True, slots=True)
class PersonOfOrganization:
    """A person with their membership, if they have one, and their seats."""

    user: User
    membership: OrganizationMembership | None
    seats: tuple[ContractMembership, ...]

    @property
    def is_manager(self) -> bool:
        return self.membership is not None and self.membership.is_manager

    @property
    def since(self) -> datetime | None:
        moments = [seat.since for seat in self.seats]
        return min([*moments, self.membership.since] if self.membership is not None else moments, default=None)

    @property
    def joined_by(self) -> str:
        sources = [seat.source for seat in self.seats] or ([self.membership.source] if self.membership else [])
        return ", ".join(dict.fromkeys(str(MembershipSource(source).label) for source in sources))


def describe_people(users: Iterable[User], organization_id: int) -> list[PersonOfOrganization]:
    """Add memberships and seats; two queries for any number."""
    people = list(users)
    memberships = {
        each.user_id: each
        for each in OrganizationMembership.objects.filter(organization=organization_id, user__in=people)
    }
    seats: dict[int, list[ContractMembership]] = defaultdict(list)
    for seat in seats_of_organization(organization_id).filter(user__in=people).order_by("contract__name", "pk"):
        seats[seat.user_id].append(seat)
    return [PersonOfOrganization(each, memberships.get(each.pk), tuple(seats[each.pk])) for each in people]
