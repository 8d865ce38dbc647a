"""Signing in through Keycloak: people follow what it says about their organizations."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from social_django.models import UserSocialAuth

from b2b.enums import IntegrationType, MembershipSource, MembershipState, SignInChange
from b2b.errors.organizations import (
    KeycloakDenied,
    KeycloakNotConfigured,
    KeycloakOrganizationsOff,
    KeycloakUnavailable,
)
from b2b.gateways.keycloak import KeycloakGateway
from b2b.models import (
    ContractMembership,
    ContractTerms,
    OrganizationMembership,
    OrganizationPage,
    SignInFact,
)
from b2b.seats import (
    ClaimedSeats,
    claim_seats,
    join_organizations,
    leave_organizations,
)
from b2b.selectors.seats import people_without_connection
from b2b.services.organizations.claims import UNKNOWN, Claim, ClaimedOrganization
from mitxonline.kernel import clock
from mitxonline.kernel.db import transaction_lock
from mitxonline.kernel.remote import without_queueing
from mitxonline.users.sso.connections import is_connected
from mitxonline.users.sso.keycloak import issuer

logger = logging.getLogger(__name__)

LOCK = "b2b.sso"
DETAIL_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Followed:
    """What following the claim came to: ids of organizations and contracts, in order."""

    joined_organizations: tuple[int, ...] = ()
    left_organizations: tuple[int, ...] = ()
    joined_contracts: tuple[int, ...] = ()
    left_contracts: tuple[int, ...] = ()
    full_contracts: tuple[int, ...] = ()
    withdrawn_contracts: tuple[int, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any((self.joined_organizations, self.left_organizations, self.joined_contracts, self.left_contracts))


def confirm_claim(*, user_id: int, claim: Claim, now: datetime) -> Claim:
    """The claim; or unknown where it would have someone leave everything and Keycloak doesn't confirm that it may.

    Someone in no organization and a realm with organizations off look the same (ADR 0016); the admin API tells them
    apart. A service account that may not ask is like none: the claim is then believed. Network, so outside any
    transaction; no one else's sign-in asks.
    """
    if claim.organizations is None or claim.organizations:
        return claim
    if not OrganizationMembership.objects.filter(user_id=user_id, seen_in_claim=True).exists():
        return claim
    try:
        with without_queueing():
            KeycloakGateway.from_settings().check_organizations()
    except (KeycloakNotConfigured, KeycloakDenied):
        return claim
    except (KeycloakOrganizationsOff, KeycloakUnavailable) as refusal:
        logger.error("a claim without organizations is not believed", extra={"user": user_id, "reason": refusal.code})
        note_failure(user_id=user_id, reason=str(refusal), now=now)
        return UNKNOWN
    return claim


def follow_claim(*, user_id: int, claim: Claim, now: datetime, connection_id: int | None = None) -> Followed:
    """Join the organizations of the claim and their free contracts, leave those that are gone; all or nothing.

    Nothing is touched where the claim is unknown. Seats by code, staff or API and enrollments never are; a full
    contract is reported and not overfilled, and no one comes back whose access was withdrawn. One person's sign-ins
    follow one another; seats are counted under the locks of the contracts, in primary key order. The number of queries
    doesn't depend on the number of organizations. The claim of a connection that was undone meanwhile gives nothing.
    """
    if claim.organizations is None:
        return Followed()
    with transaction.atomic():
        transaction_lock(LOCK, user_id)
        if connection_id is not None and not UserSocialAuth.objects.filter(pk=connection_id).exists():
            return Followed()
        named, made_anew = _match(claim.organizations)
        mine = list(OrganizationMembership.objects.filter(user_id=user_id))
        to_join = [pk for pk, live in named.items() if live]
        # Contracts are locked before members are written (ADR 0003): a code used at the same moment comes the same way.
        terms = _lock_open_contracts(user_id, to_join, now=now)
        claimed = _take_seats(user_id, terms, now=now)
        by_seat = {terms[pk].organization_id for pk in claimed.seats}
        joined = _join(user_id, mine, to_join=to_join, by_seat=by_seat, named=named, now=now)
        still = named.keys() | made_anew
        gone = [each for each in mine if each.seen_in_claim and each.organization_id not in still]
        left = leave_organizations(
            user_id=user_id, organization_ids=[each.organization_id for each in gone if claim.complete], now=now
        )
        followed = Followed(
            joined_organizations=joined,
            left_organizations=left.organizations,
            joined_contracts=tuple(sorted(claimed.seats)),
            left_contracts=left.contracts,
            full_contracts=tuple(sorted(claimed.full)),
            withdrawn_contracts=claimed.withdrawn,
        )
        _write_down(user_id, followed, now=now)
    return followed


def leave_disconnected(*, user_id: int, now: datetime) -> Followed:
    """Leave what Keycloak's word alone gave someone whose account isn't connected with it any more.

    Managers were appointed by a person and stay members. Waits for a sign-in of theirs that is following the claim.
    """
    with transaction.atomic():
        transaction_lock(LOCK, user_id)
        if is_connected(user_id=user_id, issuer=issuer()):
            return Followed()
        seen = OrganizationMembership.objects.filter(user_id=user_id, seen_in_claim=True)
        seen.filter(is_manager=True, source=MembershipSource.SSO).update(source=MembershipSource.STAFF)
        ids = list(seen.values_list("organization_id", flat=True))
        left = leave_organizations(user_id=user_id, organization_ids=ids, now=now)
        followed = Followed(left_organizations=left.organizations, left_contracts=left.contracts)
        _write_down(user_id, followed, now=now)
    return followed


def leave_without_connection(*, contract_id: int, now: datetime) -> int:
    """Have those leave who kept a seat of this contract when their connection was undone; how many were asked."""
    people = people_without_connection(contract_id)
    for user_id in people:
        leave_disconnected(user_id=user_id, now=now)
    return len(people)


def note_failure(*, user_id: int, reason: str, now: datetime) -> None:
    """Write down, for the operator, that someone signed in and their organizations could not be followed."""
    SignInFact.objects.create(user_id=user_id, at=now, change=SignInChange.FAILED, detail=reason[:DETAIL_LENGTH])


# --- Organizations --------------------------------------------------------------------------------------------------


def _match(organizations: Iterable[ClaimedOrganization]) -> tuple[dict[int, bool], set[int]]:
    """The organizations here that are named, and whether each is live. At most one for each name; one query.

    And those whose alias is named with another id: made anew in Keycloak, or brought back from a copy without ids.
    Until an operator links them, no one comes into them by that and no one is thrown out.

    By Keycloak's id first. By the alias only where the page has no Keycloak id or the claim carries none: against the
    alias Keycloak told us, else against the organization's key.
    """
    wanted = list(organizations)
    if not wanted:
        return {}, set()
    aliases = {each.alias for each in wanted}
    rows = OrganizationPage.objects.filter(
        Q(keycloak__keycloak_id__in={each.keycloak_id for each in wanted if each.keycloak_id})
        | Q(keycloak__alias__in=aliases)
        | Q(keycloak__isnull=True, org_key__in=aliases)
    ).order_by(F("keycloak__gone_since").desc(nulls_last=True), "-pk")
    by_id: dict[UUID, int] = {}
    by_alias: dict[str, int] = {}
    by_key: dict[str, int] = {}
    live: dict[int, bool] = {}
    for pk, is_live, org_key, keycloak_id, alias in rows.values_list(
        "pk", "live", "org_key", "keycloak__keycloak_id", "keycloak__alias"
    ):
        live[pk] = is_live
        if keycloak_id is None:
            by_key[org_key] = pk
        else:
            # Of two with one alias the later in this order counts: the one that is still there in Keycloak.
            by_id[keycloak_id], by_alias[alias] = pk, pk
    named, made_anew = set(), set()
    for each in wanted:
        known = by_id.get(each.keycloak_id) if each.keycloak_id else by_alias.get(each.alias)
        found = known or by_key.get(each.alias)
        if found is not None:
            named.add(found)
        elif each.alias in by_alias:
            made_anew.add(by_alias[each.alias])
    return {pk: live[pk] for pk in sorted(named)}, made_anew


def _join(
    user_id: int,
    mine: Iterable[OrganizationMembership],
    *,
    to_join: Iterable[int],
    by_seat: Collection[int],
    named: Iterable[int],
    now: datetime,
) -> tuple[int, ...]:
    """Become a member where that is missing, unless a seat made them one, and remember where Keycloak knows them."""
    seen = {each.organization_id: each.seen_in_claim for each in mine}
    missing = [pk for pk in to_join if pk not in seen]
    if outside := set(missing) - set(by_seat):
        join_organizations(organization_ids=outside, user_id=user_id, source=MembershipSource.SSO, now=now)
    if missing or not all(seen.get(pk, True) for pk in named):
        OrganizationMembership.objects.filter(user_id=user_id, organization_id__in=named, seen_in_claim=False).update(
            seen_in_claim=True
        )
    return tuple(missing)


# --- Seats ----------------------------------------------------------------------------------------------------------


def _lock_open_contracts(user_id: int, organization_ids: list[int], *, now: datetime) -> dict[int, ContractTerms]:
    """Lock the contracts that sign-in opens and the person isn't in yet; whoever is in everywhere waits for no one."""
    if not organization_ids:
        return {}
    mine = ContractMembership.objects.filter(contract=OuterRef("pk"), user_id=user_id, state=MembershipState.ACTIVE)
    terms = ContractTerms.objects.locked().filter(
        ~Exists(mine),
        organization_id__in=organization_ids,
        integration_type=IntegrationType.SSO,
        price__isnull=True,
    )
    return {each.pk: each for each in terms.valid_on(clock.date_of(now))}


def _take_seats(user_id: int, terms: Mapping[int, ContractTerms], *, now: datetime) -> ClaimedSeats:
    """Take a seat in each of these contracts that has one for the person."""
    if not terms:
        return ClaimedSeats()
    return claim_seats(terms=terms, user_id=user_id, state=MembershipState.ACTIVE, source=MembershipSource.SSO, now=now)


# --- The record -----------------------------------------------------------------------------------------------------


def _write_down(user_id: int, followed: Followed, *, now: datetime) -> None:
    """One line for each change. What could not be given is written once, until something changes about it."""
    refused = [
        *((pk, SignInChange.CONTRACT_FULL) for pk in followed.full_contracts),
        *((pk, SignInChange.WITHDRAWN) for pk in followed.withdrawn_contracts),
    ]
    said = _last_said(user_id, [pk for pk, _change in refused]) if refused else {}
    in_contracts = [
        *((pk, SignInChange.JOINED_CONTRACT) for pk in followed.joined_contracts),
        *((pk, SignInChange.LEFT_CONTRACT) for pk in followed.left_contracts),
        *((pk, change) for pk, change in refused if said.get(pk) != change),
    ]
    in_organizations = [
        *((pk, SignInChange.JOINED_ORGANIZATION) for pk in followed.joined_organizations),
        *((pk, SignInChange.LEFT_ORGANIZATION) for pk in followed.left_organizations),
    ]
    SignInFact.objects.bulk_create(
        [
            *(SignInFact(user_id=user_id, at=now, change=what, organization_id=pk) for pk, what in in_organizations),
            *(SignInFact(user_id=user_id, at=now, change=what, contract_id=pk) for pk, what in in_contracts),
        ]
    )


def _last_said(user_id: int, contract_ids: list[int]) -> dict[int | None, str]:
    """What was last written down about the person in each of these contracts."""
    facts = SignInFact.objects.filter(user_id=user_id, contract_id__in=contract_ids)
    return dict(facts.order_by("contract_id", "-pk").distinct("contract_id").values_list("contract_id", "change"))
