"""Signing in through Keycloak: joining and leaving organizations and contracts as its claim says."""

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

SIGN_IN_LOCK = "b2b.sso"
DETAIL_LENGTH = 255


@dataclass(frozen=True, slots=True)
class ClaimChanges:
    """What following a claim changed: ids of organizations and contracts, in order."""

    joined_organizations: tuple[int, ...] = ()
    left_organizations: tuple[int, ...] = ()
    joined_contracts: tuple[int, ...] = ()
    left_contracts: tuple[int, ...] = ()
    full_contracts: tuple[int, ...] = ()
    withdrawn_contracts: tuple[int, ...] = ()

    @property
    def has_changes(self) -> bool:
        return any((self.joined_organizations, self.left_organizations, self.joined_contracts, self.left_contracts))


def confirm_claim(*, user_id: int, claim: Claim, now: datetime) -> Claim:
    """Return the claim, or UNKNOWN if it names no organizations and Keycloak doesn't confirm that.

    Someone in no organization and a realm with organizations switched off send the same claim (ADR 0016); the admin API
    tells them apart. Without a service account that may ask, the claim is believed. Calls Keycloak, so never inside a
    transaction, and only for claims that would make someone leave.
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
        logger.error("claim without organizations not believed", extra={"user": user_id, "reason": refusal.code})
        note_failure(user_id=user_id, reason=str(refusal), now=now)
        return UNKNOWN
    return claim


def follow_claim(*, user_id: int, claim: Claim, now: datetime, connection_id: int | None = None) -> ClaimChanges:
    """Join the organizations of the claim and their free contracts, and leave those that it no longer names.

    All or nothing, and nothing where the claim is unknown. Seats by code, staff or API and enrollments stay untouched.
    A full contract is reported and not overfilled, and withdrawn access stays withdrawn. The number of queries doesn't
    depend on the number of organizations. The claim of a connection that has been undone gives nothing.
    """
    if claim.organizations is None:
        return ClaimChanges()
    with transaction.atomic():
        # One person's sign-ins are changes one after the other: an older claim can't undo a newer one halfway.
        transaction_lock(SIGN_IN_LOCK, user_id)
        if connection_id is not None and not UserSocialAuth.objects.filter(pk=connection_id).exists():
            return ClaimChanges()
        named, recreated = _match(claim.organizations)
        memberships = list(OrganizationMembership.objects.filter(user_id=user_id))
        to_join = [pk for pk, is_live in named.items() if is_live]
        # Contracts are locked before memberships are written (ADR 0003), in the order of their keys: redeeming a code
        # at the same moment does the same.
        terms = _lock_open_contracts(user_id, to_join, now=now)
        claimed = _take_seats(user_id, terms, now=now)
        by_seat = {terms[pk].organization_id for pk in claimed.seats}
        joined = _join(user_id, memberships, to_join=to_join, by_seat=by_seat, named=named, now=now)
        gone = [each.organization_id for each in memberships if each.seen_in_claim]
        gone = [pk for pk in gone if pk not in named and pk not in recreated]
        # An incomplete claim doesn't say which organizations someone left.
        left = leave_organizations(user_id=user_id, organization_ids=gone if claim.complete else [], now=now)
        changes = ClaimChanges(
            joined_organizations=joined,
            left_organizations=left.organizations,
            joined_contracts=tuple(sorted(claimed.seats)),
            left_contracts=left.contracts,
            full_contracts=tuple(sorted(claimed.full)),
            withdrawn_contracts=claimed.withdrawn,
        )
        _record_changes(user_id, changes, now=now)
    return changes


def leave_disconnected(*, user_id: int, now: datetime) -> ClaimChanges:
    """Remove the memberships and seats that came only from Keycloak's claim, once the account is disconnected.

    Managers were appointed by a person and stay members. Waits for a sign-in of the same person to finish.
    """
    with transaction.atomic():
        transaction_lock(SIGN_IN_LOCK, user_id)
        if is_connected(user_id=user_id, issuer=issuer()):
            return ClaimChanges()
        seen = OrganizationMembership.objects.filter(user_id=user_id, seen_in_claim=True)
        seen.filter(is_manager=True, source=MembershipSource.SSO).update(source=MembershipSource.STAFF)
        ids = list(seen.values_list("organization_id", flat=True))
        left = leave_organizations(user_id=user_id, organization_ids=ids, now=now)
        changes = ClaimChanges(left_organizations=left.organizations, left_contracts=left.contracts)
        _record_changes(user_id, changes, now=now)
    return changes


def leave_without_connection(*, contract_id: int, now: datetime) -> int:
    """Remove people who kept a seat here after disconnecting their account; return how many."""
    people = people_without_connection(contract_id)
    for user_id in people:
        leave_disconnected(user_id=user_id, now=now)
    return len(people)


def note_failure(*, user_id: int, reason: str, now: datetime) -> None:
    """Record for operators that someone signed in and their organizations couldn't be changes."""
    SignInFact.objects.create(user_id=user_id, at=now, change=SignInChange.FAILED, detail=reason[:DETAIL_LENGTH])


# --- Organizations --------------------------------------------------------------------------------------------------


def _match(organizations: Iterable[ClaimedOrganization]) -> tuple[dict[int, bool], set[int]]:
    """Find the organizations that the claim names, with whether each is live, and those that were recreated; one query.

    Recreated ones are named by their alias, but with another id: created again in Keycloak, or restored without ids.
    Until an operator links them, the claim lets no one in and makes no one leave.

    Keycloak's id decides. The alias counts only where the page has no Keycloak id or the claim has none: it is compared
    with the alias that Keycloak gave us, else with the organization's key.
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
            # Of two with the same alias the later row wins: by the order above it is still there in Keycloak.
            by_id[keycloak_id] = by_alias[alias] = pk
    named, recreated = set(), set()
    for each in wanted:
        known = by_id.get(each.keycloak_id) if each.keycloak_id else by_alias.get(each.alias)
        found = known or by_key.get(each.alias)
        if found is not None:
            named.add(found)
        elif each.alias in by_alias:
            recreated.add(by_alias[each.alias])
    return {pk: live[pk] for pk in sorted(named)}, recreated


def _join(
    user_id: int,
    memberships: Iterable[OrganizationMembership],
    *,
    to_join: Iterable[int],
    by_seat: Collection[int],
    named: Iterable[int],
    now: datetime,
) -> tuple[int, ...]:
    """Join the organizations that a seat didn't make someone a member of, and mark those that Keycloak named."""
    seen = {each.organization_id: each.seen_in_claim for each in memberships}
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
    """Lock the open SSO contracts the person isn't in yet, so most sign-ins take no lock."""
    if not organization_ids:
        return {}
    seat = ContractMembership.objects.filter(contract=OuterRef("pk"), user_id=user_id, state=MembershipState.ACTIVE)
    terms = ContractTerms.objects.locked().filter(
        ~Exists(seat),
        organization_id__in=organization_ids,
        integration_type=IntegrationType.SSO,
        price__isnull=True,
    )
    return {each.pk: each for each in terms.valid_on(clock.date_of(now))}


def _take_seats(user_id: int, terms: Mapping[int, ContractTerms], *, now: datetime) -> ClaimedSeats:
    if not terms:
        return ClaimedSeats()
    return claim_seats(terms=terms, user_id=user_id, state=MembershipState.ACTIVE, source=MembershipSource.SSO, now=now)


# --- The record -----------------------------------------------------------------------------------------------------


def _record_changes(user_id: int, changes: ClaimChanges, *, now: datetime) -> None:
    """Record each change. A seat that couldn't be given is recorded once, until that changes."""
    refused = [
        *((pk, SignInChange.CONTRACT_FULL) for pk in changes.full_contracts),
        *((pk, SignInChange.WITHDRAWN) for pk in changes.withdrawn_contracts),
    ]
    recorded = _last_changes(user_id, [pk for pk, _change in refused]) if refused else {}
    in_contracts = [
        *((pk, SignInChange.JOINED_CONTRACT) for pk in changes.joined_contracts),
        *((pk, SignInChange.LEFT_CONTRACT) for pk in changes.left_contracts),
        *((pk, change) for pk, change in refused if recorded.get(pk) != change),
    ]
    in_organizations = [
        *((pk, SignInChange.JOINED_ORGANIZATION) for pk in changes.joined_organizations),
        *((pk, SignInChange.LEFT_ORGANIZATION) for pk in changes.left_organizations),
    ]
    SignInFact.objects.bulk_create(
        [
            *(
                SignInFact(user_id=user_id, at=now, change=change, organization_id=pk)
                for pk, change in in_organizations
            ),
            *(SignInFact(user_id=user_id, at=now, change=change, contract_id=pk) for pk, change in in_contracts),
        ]
    )


def _last_changes(user_id: int, contract_ids: list[int]) -> dict[int | None, str]:
    """The last recorded change of the person in each of these contracts."""
    facts = SignInFact.objects.filter(user_id=user_id, contract_id__in=contract_ids)
    return dict(facts.order_by("contract_id", "-pk").distinct("contract_id").values_list("contract_id", "change"))
