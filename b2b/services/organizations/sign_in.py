"""Signing in through Keycloak: joining and leaving organizations and contracts as its claim says."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
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
        # One person's claims are followed one after the other, so an older one can't undo half of a newer one.
        transaction_lock(SIGN_IN_LOCK, user_id)
        if connection_id is not None and not UserSocialAuth.objects.filter(pk=connection_id).exists():
            return ClaimChanges()
        matched = _match_organizations(claim.organizations)
        memberships = list(OrganizationMembership.objects.filter(user_id=user_id))
        # Contracts are locked before memberships are written (ADR 0003), in the order of their keys: redeeming a code
        # at the same moment does the same.
        terms = _lock_open_contracts(user_id, matched.live_ids, now=now)
        claimed = ClaimedSeats()
        if terms:
            claimed = claim_seats(
                terms=terms, user_id=user_id, state=MembershipState.ACTIVE, source=MembershipSource.SSO, now=now
            )
        joined_with_seat_ids = {terms[pk].organization_id for pk in claimed.seats}
        joined_ids = _join_organizations(user_id, memberships, matched.live_ids, joined_with_seat_ids, now=now)
        _mark_seen_in_claim(user_id, memberships, joined_ids, matched.named_ids)
        no_longer_named_ids: list[int] = []
        if claim.complete:  # an incomplete claim doesn't say which organizations someone left
            still_named = {*matched.named_ids, *matched.recreated_ids}
            seen_ids = [each.organization_id for each in memberships if each.seen_in_claim]
            no_longer_named_ids = [pk for pk in seen_ids if pk not in still_named]
        left = leave_organizations(user_id=user_id, organization_ids=no_longer_named_ids, now=now)
        changes = ClaimChanges(
            joined_organizations=joined_ids,
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
    """Record for operators that someone signed in, but their organizations couldn't be read."""
    SignInFact.objects.create(user_id=user_id, at=now, change=SignInChange.FAILED, detail=reason[:DETAIL_LENGTH])


# --- Organizations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MatchedOrganizations:
    """The organizations that a claim names, of these the live ones, and those that were recreated.

    Recreated ones are named by their alias, but with another id: created again in Keycloak, or restored without ids.
    Until an operator links them, the claim lets no one in and makes no one leave.
    """

    named_ids: list[int] = field(default_factory=list)
    live_ids: list[int] = field(default_factory=list)
    recreated_ids: set[int] = field(default_factory=set)


def _match_organizations(organizations: Iterable[ClaimedOrganization]) -> MatchedOrganizations:
    """Find the organizations that the claim names; one query.

    Keycloak's id decides. The alias counts only where the page has no Keycloak id or the claim has none: it is compared
    with the alias that Keycloak gave us, else with the organization's key.
    """
    wanted = list(organizations)
    if not wanted:
        return MatchedOrganizations()
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
    return MatchedOrganizations(
        named_ids=sorted(named), live_ids=[pk for pk in sorted(named) if live[pk]], recreated_ids=recreated
    )


def _join_organizations(
    user_id: int,
    memberships: Iterable[OrganizationMembership],
    organization_ids: Iterable[int],
    joined_with_seat_ids: Collection[int],
    *,
    now: datetime,
) -> tuple[int, ...]:
    """Join these organizations; return those the person wasn't a member of. A seat has already joined some of them."""
    before = {each.organization_id for each in memberships}
    missing = tuple(pk for pk in organization_ids if pk not in before)
    if without_seat := set(missing) - set(joined_with_seat_ids):
        join_organizations(organization_ids=without_seat, user_id=user_id, source=MembershipSource.SSO, now=now)
    return missing


def _mark_seen_in_claim(
    user_id: int,
    memberships: Iterable[OrganizationMembership],
    joined_ids: Collection[int],
    named_ids: Collection[int],
) -> None:
    """Mark the memberships in the organizations that Keycloak named; no query if all are marked."""
    unmarked = {each.organization_id for each in memberships if not each.seen_in_claim}
    if joined_ids or not unmarked.isdisjoint(named_ids):
        OrganizationMembership.objects.filter(
            user_id=user_id, organization_id__in=named_ids, seen_in_claim=False
        ).update(seen_in_claim=True)


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
