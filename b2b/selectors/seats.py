"""What members see of their organizations: contracts, courses and codes assigned to them, but never seats."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from b2b.codes import with_code_facts
from b2b.enums import ContractStanding, IntegrationType, MembershipSource, MembershipState
from b2b.models import (
    ContractMembership,
    ContractRun,
    ContractTerms,
    OrganizationMembership,
    OrganizationPage,
    Withdrawal,
)
from b2b.seats import Seats, seats_for
from b2b.selectors.contracts import initials
from courses.models import Course, Enrollment
from courses.rules import is_enrollable
from courses.selectors.dashboard import enrolled_run_ids
from ecommerce.codes import in_state
from ecommerce.enums import CodeState
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import join_titles, normalize_email
from mitxonline.users.models import User
from mitxonline.users.sso.connections import is_connected
from mitxonline.users.sso.keycloak import issuer
from mitxonline.users.sso.providers import KEYCLOAK


@dataclass(frozen=True, slots=True)
class MemberRun:
    """One course of a contract, from a member's point of view."""

    contract_run: ContractRun
    is_enrolled: bool
    is_open: bool
    can_start: bool
    is_over: bool = False

    @property
    def course(self) -> Course:
        return self.contract_run.course_run.course

    @property
    def title(self) -> str:
        return self.contract_run.course_run.title


@dataclass(frozen=True, slots=True)
class MemberContract:
    """One contract of an organization, from a member's point of view.

    `gives_seat_at_sign_in`: an open, free single sign-on contract in which they have no seat yet. Their next sign-in
    gives them one if the claim names the organization. `is_vouched_for`: the last sign-in did. `is_withdrawn`: they get
    none, because their access was withdrawn.
    """

    terms: ContractTerms
    standing: ContractStanding
    is_member: bool
    runs: tuple[MemberRun, ...]
    gives_seat_at_sign_in: bool = False
    is_withdrawn: bool = False
    is_vouched_for: bool = False

    @property
    def name(self) -> str:
        return self.terms.page.name

    @property
    def is_open(self) -> bool:
        return self.standing is ContractStanding.OPEN

    @property
    def keeps_courses(self) -> bool:
        """Whether the member has a course here that isn't over, even if the contract has ended."""
        return any(run.is_enrolled and not run.is_over for run in self.runs)

    @property
    def ended_courses(self) -> bool:
        """Whether the member had courses here that are all over."""
        return any(run.is_enrolled for run in self.runs) and not self.keeps_courses

    @property
    def price(self) -> Money:
        """What a member pays for each course."""
        return self.terms.money


@dataclass(frozen=True, slots=True)
class MemberOrganization:
    organization: OrganizationPage
    is_manager: bool
    contracts: tuple[MemberContract, ...]

    @property
    def initials(self) -> str:
        return initials(self.organization.name)


@dataclass(frozen=True, slots=True)
class WaitingCode:
    """An unused code that is assigned to the person's confirmed address."""

    code: DiscountCode
    contract_run: ContractRun
    organization: OrganizationPage
    given_by: str


def organizations_of(user_id: int, *, now: datetime, organization_id: int | None = None) -> list[MemberOrganization]:
    """Return a person's organizations with contracts and courses; constant queries."""
    memberships = OrganizationMembership.objects.filter(user_id=user_id).select_related("organization__logo")
    if organization_id is not None:
        memberships = memberships.filter(organization_id=organization_id)
    joined = list(memberships.order_by("organization__name", "pk"))
    if not joined:
        return []
    by_organization = _load_contracts(user_id, joined, now)
    return [
        MemberOrganization(
            organization=each.organization,
            is_manager=each.is_manager,
            contracts=tuple(by_organization.get(each.organization_id, ())),
        )
        for each in joined
    ]


def waiting_codes(user: User) -> list[WaitingCode]:
    """Return the codes assigned to the person for courses they don't have yet.

    One query, and none before the address is confirmed.
    """
    if user.email_verified_at is None:
        return []
    had = Enrollment.objects.active().of(user.pk).filter(run=OuterRef("discount__unlocks__course_run"))
    codes = (
        with_code_facts(DiscountCode.objects.filter(assigned_email=normalize_email(user.email)))
        .filter(
            in_state(CodeState.ASSIGNED), ~Exists(had), discount__unlocks__contract_run__contract__terms__active=True
        )
        .select_related(
            "assigned_by",
            "discount__unlocks__contract_run__contract__terms__organization",
            "discount__unlocks__contract_run__course_run__course__department",
        )
        .order_by("assigned_at", "pk")
    )
    return [_waiting(code) for code in codes]


def _waiting(code: DiscountCode) -> WaitingCode:
    run = code.discount.unlocks.contract_run  # type: ignore[union-attr]  # the query asks for codes that unlock one
    return WaitingCode(
        code=code,
        contract_run=run,
        organization=run.contract.terms.organization,
        given_by=code.assigned_by.name if code.assigned_by else "",
    )


def _load_contracts(
    user_id: int, memberships: list[OrganizationMembership], now: datetime
) -> dict[int, list[MemberContract]]:
    """Return by organization the contracts the person is in, and all single sign-on contracts."""
    organization_ids = [each.organization_id for each in memberships]
    vouched_for = {each.organization_id for each in memberships if each.seen_in_claim}
    seated = set(
        ContractMembership.objects.filter(user_id=user_id, state=MembershipState.ACTIVE).values_list(
            "contract_id", flat=True
        )
    )
    terms = list(
        ContractTerms.objects.filter(organization_id__in=organization_ids)
        .filter(Q(pk__in=seated) | Q(integration_type=IntegrationType.SSO))
        .select_related("page")
        .order_by("end", "pk")
    )
    runs = _load_runs([each.pk for each in terms])
    enrolled = enrolled_run_ids(user_id)
    seats = seats_for([each.pk for each in terms], user_id)
    standings = {each.pk: _standing_for_person(each, seats[each.pk], now=now) for each in terms}
    by_sign_in = [
        each.pk
        for each in terms
        if each.pk not in seated
        and each.integration_type == IntegrationType.SSO
        and each.is_free
        and standings[each.pk] is ContractStanding.OPEN
    ]
    withdrawn = _withdrawn_from(user_id, by_sign_in)
    found: dict[int, list[MemberContract]] = defaultdict(list)
    for each in terms:
        standing = standings[each.pk]
        startable = each.pk in seated and each.is_free and standing is ContractStanding.OPEN
        found[each.organization_id].append(
            MemberContract(
                terms=each,
                standing=standing,
                is_member=each.pk in seated,
                runs=tuple(_member_runs(runs.get(each.pk, []), enrolled, startable=startable, now=now)),
                gives_seat_at_sign_in=each.pk in by_sign_in and each.pk not in withdrawn,
                is_withdrawn=each.pk in withdrawn,
                is_vouched_for=each.organization_id in vouched_for,
            )
        )
    return found


def _withdrawn_from(user_id: int, contract_ids: list[int]) -> set[int]:
    """Return the contracts from which the person's access was withdrawn; no query for an empty list."""
    if not contract_ids:
        return set()
    standing = Withdrawal.objects.standing().filter(user_id=user_id, contract_id__in=contract_ids)
    return set(standing.values_list("contract_id", flat=True))


def _load_runs(contract_ids: list[int]) -> dict[int, list[ContractRun]]:
    found: dict[int, list[ContractRun]] = defaultdict(list)
    rows = ContractRun.objects.current().filter(contract_id__in=contract_ids)
    for run in rows.select_related("course_run__course__department", "product").order_by("pk"):
        found[run.contract_id].append(run)
    return found


def _member_runs(
    runs: Iterable[ContractRun], enrolled: frozenset[int], *, startable: bool, now: datetime
) -> Iterable[MemberRun]:
    for run in runs:
        is_enrolled = run.course_run_id in enrolled
        is_open = is_enrollable(run.course_run, now=now)
        yield MemberRun(
            contract_run=run,
            is_enrolled=is_enrolled,
            is_open=is_open,
            can_start=startable and is_open and not is_enrolled,
            is_over=run.course_run.end_date is not None and run.course_run.end_date < now,
        )


def _standing_for_person(terms: ContractTerms, seats: Seats, *, now: datetime) -> ContractStanding:
    # A full contract matters only to people without a seat in it.
    standing = terms.standing_on(clock.date_of(now))
    return ContractStanding.FULL if seats.is_full and standing is ContractStanding.OPEN else standing


# --- Connections with Keycloak ----------------------------------------------------------------------------------


def people_without_connection(contract_id: int) -> list[int]:
    """Return the ids of people with a single sign-on seat whose account has no connection with Keycloak.

    People who were never named in a claim are left out: their seats come from elsewhere, such as demo content.
    """
    seen = OrganizationMembership.objects.filter(
        user=OuterRef("user"), organization=OuterRef("contract__terms__organization"), seen_in_claim=True
    )
    connections = UserSocialAuth.objects.filter(user=OuterRef("user"), provider=KEYCLOAK)
    seats = ContractMembership.objects.filter(
        Exists(seen),
        ~Exists(connections),
        contract_id=contract_id,
        source=MembershipSource.SSO,
        state=MembershipState.ACTIVE,
    )
    return list(seats.order_by("user_id").values_list("user_id", flat=True))


def losses_of(connection: UserSocialAuth) -> list[str]:
    """Describe what a person loses with their connection to Keycloak, one sentence per organization."""
    user_id = connection.user_id
    if connection.provider != KEYCLOAK or is_connected(user_id=user_id, issuer=issuer(), besides=connection.pk):
        return []
    memberships = OrganizationMembership.objects.filter(user_id=user_id, seen_in_claim=True)
    seats: dict[int, list[str]] = defaultdict(list)
    for organization_id, name in (
        ContractMembership.objects.filter(user_id=user_id, source=MembershipSource.SSO, state=MembershipState.ACTIVE)
        .order_by("contract__name", "contract_id")
        .values_list("contract__terms__organization_id", "contract__name")
    ):
        seats[organization_id].append(name)
    sentences = []
    for each in memberships.select_related("organization").order_by("organization__name", "pk"):
        leaves = each.source == MembershipSource.SSO and not each.is_manager
        names = {"organization": each.organization.name, "contracts": join_titles(seats[each.organization_id])}
        if leaves and names["contracts"]:
            sentences.append(_("You’ll leave %(organization)s and give up your seat in %(contracts)s.") % names)
        elif leaves:
            sentences.append(_("You’ll leave %(organization)s.") % names)
        elif names["contracts"]:
            sentences.append(_("You’ll give up your seat in %(contracts)s of %(organization)s.") % names)
    return sentences
