"""People who came by code are added to their organization in Keycloak, where its page says so.

Found by a sweep, whatever door they came in by; carried to Keycloak as a delivery, after the commit and until it works.
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
AT_ONCE = 500
# By then its delivery was given up, because Keycloak was away or refused us; by then it may be back.
STUCK_AFTER = timedelta(days=2)
# Someone may have given the service account its roles meanwhile.
ASK_REFUSED_AFTER = timedelta(days=1)


class AddsMembers(Protocol):
    """What this needs of Keycloak."""

    def add_member(self, *, organization_id: UUID, subject: str) -> bool:
        """Add someone; whether they were not in it."""


def ask_for_joins(*, now: datetime) -> int:
    """Ask that those be added who hold a seat by code and were not asked for yet, and again for those long waiting.

    Whom Keycloak refused for want of roles are asked for again once a day.

    Once for each person and organization: whom Keycloak's people take out again stays out. Returns how many.
    """
    with transaction.atomic():
        # Two sweeps at once would both find the same people.
        transaction_lock(LOCK, "sweep")
        joins = KeycloakJoin.objects.bulk_create(
            KeycloakJoin(organization_id=organization_id, user_id=user_id, asked_at=now)
            for organization_id, user_id in _missing()
        )
        stuck = Q(state=JoinState.WAITING, asked_at__lt=now - STUCK_AFTER)
        refused = Q(state=JoinState.REFUSED, asked_at__lt=now - ASK_REFUSED_AFTER)
        again = _ask_again(KeycloakJoin.objects.filter(stuck | refused), now=now, at_most=AT_ONCE)
        _publish(each.pk for each in joins)
    return len(joins) + again


def ask_refused_again(*, now: datetime, ids: Iterable[int] | None = None) -> int:
    """Ask again for those whom Keycloak refused for want of roles, or for these of them; how many."""
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
    """Someone signed in through Keycloak: those who had no account there before can be added now; how many."""
    with transaction.atomic():
        return _ask_again(KeycloakJoin.objects.filter(user_id=user_id, state=JoinState.UNLINKED), now=now)


def join_in_keycloak(*, join_id: int, keycloak: AddsMembers, now: datetime) -> JoinState | None:
    """Add the person to the organization in Keycloak; safe to repeat. What became of it, or None if there is no need.

    Network, so outside any transaction. Raises KeycloakUnavailable and KeycloakSecretWrong: then it is tried again.
    Without the roles trying again doesn't help: that is its state until an operator or the next day asks again.
    """
    join = (
        KeycloakJoin.objects.filter(pk=join_id, state=JoinState.WAITING)
        .select_related("organization__keycloak", "user")
        .first()
    )
    if join is None:
        return None
    if not _is_wanted(join):
        # Switched off, or the seat given up meanwhile. Forgotten, so that it is asked again when that changes.
        join.delete()
        return None
    subject = find_subject(join.user, issuer())
    if subject is None:
        return _settle(join, JoinState.UNLINKED, now=None)
    try:
        keycloak.add_member(organization_id=join.organization.keycloak.keycloak_id, subject=subject)
    except KeycloakPersonUnknown:
        logger.warning("no one to add in Keycloak", extra={"join": join.pk, "user": join.user_id})
        return _settle(join, JoinState.IMPOSSIBLE, now=now)
    except KeycloakAddDenied as refusal:
        logger.error("not added in Keycloak", extra={"join": join.pk, "reason": refusal.code})
        return _settle(join, JoinState.REFUSED, now=now)
    return _settle(join, JoinState.DONE, now=now)


def may_ask_keycloak() -> bool:
    """Whether a Keycloak is administrated from here."""
    return bool(settings.KEYCLOAK_URL)


def _missing() -> Iterable[tuple[int, int]]:
    """Organizations whose switch is on, and their people by code whom Keycloak doesn't show and wasn't asked to add."""
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
    return rows[:AT_ONCE]


def _is_wanted(join: KeycloakJoin) -> bool:
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
