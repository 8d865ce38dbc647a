"""Organizations and contracts as programs are shown them: each person theirs, administrators all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from b2b.enums import MembershipState
from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractRun,
    ContractTerms,
    OrganizationMembership,
    OrganizationPage,
)
from courses.models import Enrollment
from mitxonline.kernel import clock
from mitxonline.users.models import User
from mitxonline.users.sso.connections import find_connected
from mitxonline.users.sso.keycloak import issuer

# No id has as many.
DIGITS_OF_IDS = 19


def visible_contracts(user: User, *, now: datetime) -> QuerySet[ContractTerms]:
    """Return the contracts that are open today and in which the person has a seat; an administrator sees all."""
    terms = _open_contracts(now)
    seats = ContractMembership.objects.filter(contract=OuterRef("pk"), user=user, state=MembershipState.ACTIVE)
    return terms if user.is_superuser else terms.filter(Exists(seats))


def named_by(text: str) -> Q:
    """Match a contract by its slug or its id."""
    named = Q(page__slug=text)
    return named | Q(pk=int(text)) if text.isdecimal() and len(text) < DIGITS_OF_IDS else named


def visible_organizations(user: User, *, now: datetime) -> QuerySet[OrganizationPage]:
    """Return the organizations the person belongs to, each with the contracts they see."""
    organizations = OrganizationPage.objects.live().filter(alias_of__isnull=True)
    if not user.is_superuser:
        memberships = OrganizationMembership.objects.filter(organization=OuterRef("pk"), user=user)
        organizations = organizations.filter(Exists(memberships))
    return _with_contracts(organizations, visible_contracts(user, now=now))


def joined_organizations(user: User, *, now: datetime) -> QuerySet[OrganizationPage]:
    """Return the organizations someone belongs to, each with the open contracts they have a seat in."""
    memberships = OrganizationMembership.objects.filter(organization=OuterRef("pk"), user=user)
    seats = ContractMembership.objects.filter(contract=OuterRef("pk"), user=user, state=MembershipState.ACTIVE)
    organizations = OrganizationPage.objects.live().filter(Exists(memberships), alias_of__isnull=True)
    return _with_contracts(organizations, _open_contracts(now).filter(Exists(seats)))


def programs_of_seats(user: User, *, now: datetime) -> set[int]:
    """Return the programs in the open contracts that someone has a seat in."""
    seats = ContractMembership.objects.filter(contract=OuterRef("pk"), user=user, state=MembershipState.ACTIVE)
    contracts = _open_contracts(now).filter(Exists(seats)).values_list("pk", flat=True)
    return {pk for each in programs_of(contracts).values() for pk in each}


def contracts_by_run(contract_ids: Iterable[int]) -> dict[int, int]:
    """Return the runs of these contracts, each with its contract."""
    runs = ContractRun.objects.current().filter(contract_id__in=list(contract_ids))
    return dict(runs.values_list("course_run_id", "contract_id"))


@dataclass(frozen=True, slots=True)
class ContractOfRun:
    contract_id: int
    organization_id: int


def contracts_of_runs(run_ids: Iterable[int]) -> dict[int, ContractOfRun]:
    """Return the contracts that runs were made for, by run, removed ones included. Public runs have none."""
    runs = ContractRun.objects.filter(course_run_id__in=list(run_ids), contract__terms__isnull=False)
    rows = runs.values_list("course_run_id", "contract_id", "contract__terms__organization_id")
    return {run_id: ContractOfRun(contract_id, organization_id) for run_id, contract_id, organization_id in rows}


def managed_organizations(user: User, *, now: datetime) -> QuerySet[OrganizationPage]:
    """Return the organizations someone manages, each with its contracts that are open today."""
    managed = OrganizationMembership.objects.filter(organization=OuterRef("pk"), user=user, is_manager=True)
    return _with_contracts(OrganizationPage.objects.live().filter(Exists(managed)), _open_contracts(now))


def contracts_of_organization(organization_id: int) -> QuerySet[ContractTerms]:
    """Return the contracts of an organization, also those that aren't open, the latest first."""
    return ContractTerms.objects.filter(organization_id=organization_id).select_related("page").order_by("-pk")


def contracts_loaded(organizations: Sequence[OrganizationPage]) -> list[ContractTerms]:
    """Return the contracts that came with these organizations."""
    return [terms for each in organizations for terms in getattr(each, "loaded_contracts", ())]


def programs_of(contract_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return by contract the programs in it, in its order; one query, none for no contracts."""
    if not (ids := set(contract_ids)):
        return {}
    rows = ContractCourseware.objects.filter(contract_id__in=ids, program__isnull=False, removed_at__isnull=True)
    found: dict[int, list[int]] = {}
    for contract_id, program_id in rows.order_by("position", "pk").values_list("contract_id", "program_id"):
        if program_id is not None:
            found.setdefault(contract_id, []).append(program_id)
    return found


def find_contract_run(courseware_id: str) -> ContractRun | None:
    """Return the run with this key that is in a contract now, or None."""
    runs = ContractRun.objects.current().filter(course_run__courseware_id=courseware_id, product__isnull=False)
    return runs.filter(contract__terms__isnull=False).first()


def runs_with_course_runs(contract_id: int) -> QuerySet[ContractRun]:
    """Return the runs of a contract by title."""
    runs = ContractRun.objects.current().filter(contract_id=contract_id).select_related("course_run")
    return runs.order_by("course_run__title", "pk")


def enrollments_of_run(run_id: int) -> QuerySet[Enrollment]:
    """Return who is or was in a run, the latest first."""
    return Enrollment.objects.filter(run_id=run_id).select_related("user").order_by("-enrolled_at", "-pk")


def count_learners(contract_id: int) -> int:
    """Count the enrollments in the contract's courses."""
    runs = ContractRun.objects.current().filter(contract_id=contract_id).values("course_run")
    return Enrollment.objects.active().filter(run__in=runs).count()


def has_seat(user: User, contract_id: int) -> bool:
    return ContractMembership.objects.filter(contract_id=contract_id, user=user, state=MembershipState.ACTIVE).exists()


def manages_by_keycloak(*, organization_id: UUID, subject: str) -> bool:
    """Tell whether the person with this subject in Keycloak manages the organization with this id there."""
    user = find_connected(issuer=issuer(), subject=subject)
    managed = OrganizationMembership.objects.filter(
        user=user, is_manager=True, organization__live=True, organization__keycloak__keycloak_id=organization_id
    )
    return user is not None and managed.exists()


def _open_contracts(now: datetime) -> QuerySet[ContractTerms]:
    terms = ContractTerms.objects.valid_on(clock.date_of(now)).filter(page__live=True)
    return terms.select_related("page").order_by("page__name", "pk")


def _with_contracts(
    organizations: QuerySet[OrganizationPage], contracts: QuerySet[ContractTerms]
) -> QuerySet[OrganizationPage]:
    found: QuerySet[OrganizationPage] = organizations.select_related("logo", "keycloak").prefetch_related(
        Prefetch("terms", queryset=contracts, to_attr="loaded_contracts")
    )
    return found.order_by("name", "pk")
