"""Adding people who joined by code to their organization in Keycloak, where its page asks for that.

A sweep finds them, through whichever door they came. A delivery takes each to Keycloak, after the commit, and is
retried until it works.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from b2b.enums import JoinState, MembershipSource, MembershipState
from b2b.errors.organizations import KeycloakAddDenied, KeycloakPersonUnknown
from b2b.events import KeycloakJoinRequested
from b2b.models import ContractMembership, KeycloakJoin, OrganizationMembership
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import transaction_lock
from mitxonline.users.sso.connections import find_subject
from mitxonline.users.sso.keycloak import issuer

logger = logging.getLogger(__name__)

LOCK = "b2b.keycloak_joins"
BATCH = 500
# By then a delivery has been given up, and Keycloak may be back.
STUCK_AFTER = timedelta(days=2)
# By then someone may have given the service account its roles.
ASK_REFUSED_AFTER = timedelta(days=1)


class AddsMembers(Protocol):
    """The part of ``KeycloakGateway`` that this needs."""

    def add_member(self, *, organization_id: UUID, subject: str) -> bool:
        """Add someone, and tell whether they weren't a member before."""


def ask_for_joins(*, now: datetime) -> int:
    """Request that people with a seat by code are added, and repeat requests that wait too long; how many.

    A request that Keycloak refused because roles are missing is repeated once a day. There is one request for each
    person and organization: someone who is removed in Keycloak stays removed.
    """
    with transaction.atomic():
        # Without the lock two sweeps at once would find the same people.
        transaction_lock(LOCK, "sweep")
        joins = KeycloakJoin.objects.bulk_create(
            KeycloakJoin(organization_id=organization_id, user_id=user_id, asked_at=now)
            for organization_id, user_id in _people_to_add()
        )
        stuck = Q(state=JoinState.WAITING, asked_at__lt=now - STUCK_AFTER)
        refused = Q(state=JoinState.REFUSED, asked_at__lt=now - ASK_REFUSED_AFTER)
        again = _ask_again(KeycloakJoin.objects.filter(stuck | refused), now=now, at_most=BATCH)
        _publish(each.pk for each in joins)
    return len(joins) + again


def ask_refused_again(*, now: datetime, ids: Iterable[int] | None = None) -> int:
    """Repeat requests that Keycloak refused because roles are missing, all or these; how many."""
    with transaction.atomic():
        refused = KeycloakJoin.objects.filter(state=JoinState.REFUSED)
        return _ask_again(refused if ids is None else refused.filter(pk__in=ids), now=now)


def _ask_again(joins: QuerySet[KeycloakJoin], *, now: datetime, at_most: int | None = None) -> int:
    ids = list(joins.select_for_update().order_by("pk").values_list("pk", flat=True)[:at_most])
    if ids:
        KeycloakJoin.objects.filter(pk__in=ids).update(state=JoinState.WAITING, asked_at=now, settled_at=None)
        _publish(ids)
    return len(ids)


def ask_again_for(*, user_id: int, now: datetime) -> int:
    """Repeat requests that waited for this person's account in Keycloak, now that they signed in there; how many."""
    with transaction.atomic():
        return _ask_again(KeycloakJoin.objects.filter(user_id=user_id, state=JoinState.UNLINKED), now=now)


def join_in_keycloak(*, join_id: int, keycloak: AddsMembers, now: datetime) -> JoinState | None:
    """Add the person to the organization in Keycloak; safe to repeat. None where that is no longer needed.

    Calls Keycloak, so never inside a transaction. Raises KeycloakUnavailable and KeycloakSecretWrong, and the delivery
    is retried. If roles are missing a retry doesn't help: the request is refused until an operator or the sweep repeats
    it.
    """
    join = (
        KeycloakJoin.objects.filter(pk=join_id, state=JoinState.WAITING)
        .select_related("organization__keycloak", "user")
        .first()
    )
    if join is None:
        return None
    if not _is_needed(join):
        # Switched off, or the seat is gone. Without the row the sweep requests it again if that changes.
        join.delete()
        return None
    subject = find_subject(join.user, issuer())
    if subject is None:
        return _settle(join, JoinState.UNLINKED, now=None)
    try:
        keycloak.add_member(organization_id=join.organization.keycloak.keycloak_id, subject=subject)
    except KeycloakPersonUnknown:
        logger.warning("person unknown in Keycloak", extra={"join": join.pk, "user": join.user_id})
        return _settle(join, JoinState.IMPOSSIBLE, now=now)
    except KeycloakAddDenied as refusal:
        logger.error("adding to Keycloak refused", extra={"join": join.pk, "reason": refusal.code})
        return _settle(join, JoinState.REFUSED, now=now)
    return _settle(join, JoinState.DONE, now=now)


def is_keycloak_configured() -> bool:
    """Tell whether this shop has access to a Keycloak's admin API."""
    return bool(settings.KEYCLOAK_URL)


def _people_to_add() -> Iterable[tuple[int, int]]:
    """Find people who joined by code, whom Keycloak doesn't know as members and wasn't asked to add yet."""
    seat = ContractMembership.objects.filter(
        contract__terms__organization_id=OuterRef("organization_id"),
        user_id=OuterRef("user_id"),
        source=MembershipSource.CODE,
        state=MembershipState.ACTIVE,
    )
    asked = KeycloakJoin.objects.filter(organization_id=OuterRef("organization_id"), user_id=OuterRef("user_id"))
    rows = (
        OrganizationMembership.objects.filter(
            Exists(seat),
            ~Exists(asked),
            source=MembershipSource.CODE,
            seen_in_claim=False,
            user__is_active=True,
            organization__live=True,
            organization__add_code_learners_to_sso=True,
            organization__keycloak__enabled=True,
            organization__keycloak__gone_since__isnull=True,
        )
        .order_by("pk")
        .values_list("organization_id", "user_id")
    )
    return rows[:BATCH]


def _is_needed(join: KeycloakJoin) -> bool:
    known = getattr(join.organization, "keycloak", None)
    return (
        join.organization.live
        and join.organization.add_code_learners_to_sso
        and known is not None
        and known.gone_since is None
        and join.user.is_active
        and ContractMembership.objects.filter(
            contract__terms__organization_id=join.organization_id,
            user_id=join.user_id,
            source=MembershipSource.CODE,
            state=MembershipState.ACTIVE,
        ).exists()
    )


def _settle(join: KeycloakJoin, state: JoinState, *, now: datetime | None) -> JoinState:
    KeycloakJoin.objects.filter(pk=join.pk, state=JoinState.WAITING).update(state=state, settled_at=now)
    return state


def _publish(join_ids: Iterable[int]) -> None:
    for join_id in join_ids:
        publish(KeycloakJoinRequested(join_id=join_id))
