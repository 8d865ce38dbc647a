"""Appointing the managers of an organization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.db import transaction

from b2b.enums import MembershipSource
from b2b.models import OrganizationMembership, OrganizationPage
from mitxonline.kernel.audit import record
from mitxonline.kernel.fingerprint import fingerprint, refuse_unless_seen
from mitxonline.kernel.people.lines import ListedPerson, is_email_address
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


class ManagerOutcome(Enum):
    """What naming someone a manager comes to."""

    NAMED = "named"
    MANAGES_ALREADY = "manages_already"
    NO_ACCOUNT = "no_account"
    NO_ADDRESS = "no_address"


@dataclass(frozen=True, slots=True)
class PlannedManager:
    email: str
    name: str
    outcome: ManagerOutcome
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class ManagersPlan:
    """What naming these people comes to, each person once, in the order of the list."""

    organization_id: int
    rows: tuple[PlannedManager, ...]

    @property
    def named(self) -> list[PlannedManager]:
        return [row for row in self.rows if row.outcome is ManagerOutcome.NAMED]

    @property
    def fingerprint(self) -> str:
        rows = tuple((row.email, row.outcome.value, row.user_id) for row in self.rows)
        return fingerprint(self.organization_id, rows)


def plan_managers(*, organization_id: int, people: Sequence[ListedPerson]) -> ManagersPlan:
    emails = {person: normalize_email(person.email) for person in people}
    users = {user.email: user for user in User.objects.filter(email__in=set(emails.values()), is_active=True)}
    managing = set(
        OrganizationMembership.objects.filter(
            organization_id=organization_id, is_manager=True, user__in=users.values()
        ).values_list("user_id", flat=True)
    )
    rows: dict[str, PlannedManager] = {}
    for person, email in emails.items():
        user = users.get(email)
        if person.is_unclear or not is_email_address(email):
            outcome = ManagerOutcome.NO_ADDRESS
        elif user is None:
            outcome = ManagerOutcome.NO_ACCOUNT
        else:
            outcome = ManagerOutcome.MANAGES_ALREADY if user.pk in managing else ManagerOutcome.NAMED
        shown = email or person.email or person.name
        rows.setdefault(
            shown,
            PlannedManager(shown, user.display_name if user else person.name, outcome, user.pk if user else None),
        )
    return ManagersPlan(organization_id, tuple(rows.values()))


def name_managers(
    *, organization_id: int, people: Sequence[ListedPerson], seen: str, by_id: int | None, now: datetime
) -> ManagersPlan:
    """Name those whom the plan names, if it is still the plan that was seen. Raises PlanChanged."""
    with transaction.atomic():
        # Rights are given one list after another, so that what is compared is what is done.
        OrganizationPage.objects.select_for_update(of=("self",), no_key=True).get(pk=organization_id)
        plan = plan_managers(organization_id=organization_id, people=people)
        refuse_unless_seen(seen, plan.fingerprint)
        for user_id in sorted(row.user_id for row in plan.named if row.user_id is not None):
            set_manager(organization_id=organization_id, user_id=user_id, is_manager=True, by_id=by_id, now=now)
    return plan


def set_manager(
    *, organization_id: int, user_id: int, is_manager: bool, by_id: int | None, now: datetime
) -> OrganizationMembership:
    """Make someone a manager of an organization, or no longer one. A person who isn't a member becomes one."""
    with transaction.atomic():
        membership, _is_new = OrganizationMembership.objects.select_for_update(no_key=True).get_or_create(
            organization_id=organization_id,
            user_id=user_id,
            defaults={"source": MembershipSource.STAFF, "since": now},
        )
        if membership.is_manager != is_manager:
            membership.is_manager = is_manager
            membership.save(update_fields=["is_manager"])
            organization = OrganizationPage.objects.get(pk=organization_id)
            record(organization, "b2b.manager.set", by_id=by_id, data={"user": user_id, "is_manager": is_manager})
    return membership
