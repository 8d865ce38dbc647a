"""The claim of Keycloak's tokens about someone's organizations, in every shape its releases have given it."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard
from uuid import UUID

from django.conf import settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimedOrganization:
    """An organization someone belongs to in Keycloak; with its id only where Keycloak is configured to add it."""

    alias: str
    keycloak_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The organizations someone belongs to, or None where Keycloak said nothing about them.

    ``complete`` is false where a part can't be read, or where not all organizations were requested: then an
    organization that isn't named may not be taken for left.
    """

    organizations: frozenset[ClaimedOrganization] | None = None
    complete: bool = True


UNKNOWN = Claim()
NONE = Claim(organizations=frozenset())


def claim_of(response: Mapping[str, Any] | None) -> Claim:
    """Read the claim from the verified ID token and userinfo, merged with the token endpoint's answer.

    An absent claim is unknown, unless the scope of all organizations was withheld: Keycloak grants it only to people
    who belong to one, and refuses the whole sign-in where the scope isn't set up (ADR 0016).
    """
    statements = response or {}
    value, granted = statements.get(settings.KEYCLOAK_ORGANIZATION_CLAIM), statements.get("scope")
    if value is None and _was_scope_withheld(granted):
        return NONE
    claim = parse_claim(value)
    if claim.organizations is None or _was_scope_granted(granted):
        return claim
    return replace(claim, complete=False)


def _was_scope_granted(granted: Any) -> bool:
    """Tell whether all organizations were requested, and that was granted.

    The plain scope names the organization a person chose at Keycloak, `organization:alias` that one: neither tells
    which ones someone left.
    """
    every = {scope for scope in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if scope.endswith(":*")}
    return bool(every) and (not _has_scopes(granted) or not every.isdisjoint(granted.split()))


def _has_scopes(granted: Any) -> TypeGuard[str]:
    # An answer without scopes means that all were granted (RFC 6749, section 5.1).
    return isinstance(granted, str) and bool(granted.strip())


def _was_scope_withheld(granted: Any) -> bool:
    """Tell whether the scope of all organizations was requested and not granted, while others were."""
    if not _has_scopes(granted):
        return False
    names = {scope.partition(":")[0] for scope in granted.split()}
    return any(scope.endswith(":*") and scope[:-2] not in names for scope in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE)


def parse_claim(value: Any) -> Claim:
    """Parse a claim: an alias, a list of aliases, a map from alias to details, or a list of such maps.

    An id counts only if it is the text of a UUID. What can't be read is logged by its type, never by its content.
    """
    if value is None:
        return UNKNOWN
    parser = _ClaimParser()
    parser.parse(value)
    if parser.ignored:
        logger.warning("parts of the organization claim can't be read", extra={"types": sorted(parser.ignored)})
    if not isinstance(value, str | list | dict) or (parser.ignored and not parser.ids):
        return UNKNOWN
    return Claim(organizations=frozenset(parser.organizations()), complete=not parser.ignored)


@dataclass(slots=True)
class _ClaimParser:
    """Collects the ids of each alias, and the types of what isn't an organization."""

    ids: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    ignored: set[str] = field(default_factory=set)

    def parse(self, value: Any) -> None:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, str):
                self._add(part, None)
            elif isinstance(part, dict):
                for alias, details in part.items():
                    self._add(alias, details)
            else:
                self.ignored.add(type(part).__name__)

    def organizations(self) -> Iterator[ClaimedOrganization]:
        for alias, ids in self.ids.items():
            if not ids:
                yield ClaimedOrganization(alias=alias)
            for keycloak_id in ids:
                yield ClaimedOrganization(alias=alias, keycloak_id=keycloak_id)

    def _add(self, alias: str, details: Any) -> None:
        if not alias.strip() or not _can_be_looked_up(alias):
            self.ignored.add("unusable alias")
            return
        keycloak_id = _parse_uuid(details.get("id")) if isinstance(details, dict) else None
        self.ids[alias].update({keycloak_id} if keycloak_id else ())


def _can_be_looked_up(alias: str) -> bool:
    # PostgreSQL takes neither a zero byte nor half a surrogate pair.
    return "\0" not in alias and not any("\ud800" <= letter <= "\udfff" for letter in alias)


def _parse_uuid(value: Any) -> UUID | None:
    # A custom attribute that is called “id” comes as a list; it isn't the organization's id.
    if not isinstance(value, str):
        return None
    try:
        keycloak_id = UUID(value)
    except ValueError:
        return None
    return keycloak_id if str(keycloak_id) == value.lower() else None
