"""What Keycloak says about someone's organizations, in every shape its releases have said it."""

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
    """One organization someone belongs to in Keycloak; its id only where Keycloak was asked to say it."""

    alias: str
    keycloak_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The organizations someone belongs to, or None where Keycloak said nothing about them.

    ``complete`` is false where a part could not be read, or not all of them were asked for: whoever is not named then
    must not be taken for gone.
    """

    organizations: frozenset[ClaimedOrganization] | None = None
    complete: bool = True

    @property
    def is_unknown(self) -> bool:
        """Whether nothing was said."""
        return self.organizations is None


UNKNOWN = Claim()


NONE = Claim(organizations=frozenset())


def claim_of(response: Mapping[str, Any] | None) -> Claim:
    """The claim among the verified statements of an ID token and of userinfo, with the answer of the token endpoint.

    Absent is unknown, unless Keycloak shows that there was nothing to say: it grants the scope of all organizations
    only to those who belong to one, and refuses the whole sign-in where the scope isn't set up (ADR 0016).
    """
    known = response or {}
    value = known.get(settings.KEYCLOAK_ORGANIZATION_CLAIM)
    if value is None and _withheld(known.get("scope")):
        return NONE
    claim = parse_claim(value)
    return claim if claim.is_unknown or _names_all(known.get("scope")) else replace(claim, complete=False)


def _names_all(granted: Any) -> bool:
    """Whether all organizations were asked for, and that was granted.

    The plain scope names the one a person chose at Keycloak, `organization:alias` that one: neither says who left.
    """
    every = {scope for scope in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if scope.endswith(":*")}
    return bool(every) and (not _says_scopes(granted) or not every.isdisjoint(granted.split()))


def _says_scopes(granted: Any) -> TypeGuard[str]:
    """An answer without scopes means that all were granted (RFC 6749, 5.1)."""
    return isinstance(granted, str) and bool(granted.strip())


def _withheld(granted: Any) -> bool:
    """Whether the scope of all organizations was asked for and not granted, among others that were."""
    if not _says_scopes(granted):
        return False
    names = {scope.partition(":")[0] for scope in granted.split()}
    return any(scope.endswith(":*") and scope[:-2] not in names for scope in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE)


def parse_claim(value: Any) -> Claim:
    """Read the claim: an alias, a list of aliases, a map from alias to facts, or a list of such maps.

    An id counts only if it is the text of a UUID; groups, roles and attributes are none of ours. What can't be read is
    logged by its type alone.
    """
    if value is None:
        return UNKNOWN
    reading = _Reading()
    reading.read(value)
    if reading.ignored:
        logger.warning("parts of the organization claim not understood", extra={"types": sorted(reading.ignored)})
    if not isinstance(value, str | list | dict) or (reading.ignored and not reading.ids):
        return UNKNOWN
    return Claim(organizations=frozenset(reading.organizations()), complete=not reading.ignored)


@dataclass(slots=True)
class _Reading:
    """The ids said for each alias, and the types of what was no organization."""

    ids: dict[str, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    ignored: set[str] = field(default_factory=set)

    def read(self, value: Any) -> None:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, str):
                self._alias(part, None)
            elif isinstance(part, dict):
                for alias, facts in part.items():
                    self._alias(alias, facts)
            else:
                self.ignored.add(type(part).__name__)

    def organizations(self) -> Iterator[ClaimedOrganization]:
        for alias, ids in self.ids.items():
            if not ids:
                yield ClaimedOrganization(alias=alias)
            for keycloak_id in ids:
                yield ClaimedOrganization(alias=alias, keycloak_id=keycloak_id)

    def _alias(self, alias: str, facts: Any) -> None:
        if not alias.strip() or not _can_be_looked_up(alias):
            self.ignored.add("unusable alias")
            return
        keycloak_id = _uuid(facts.get("id")) if isinstance(facts, dict) else None
        self.ids[alias].update({keycloak_id} if keycloak_id else ())


def _can_be_looked_up(alias: str) -> bool:
    """Whether the database takes the text: neither a zero byte nor half a pair of surrogates."""
    return "\0" not in alias and not any("\ud800" <= letter <= "\udfff" for letter in alias)


def _uuid(value: Any) -> UUID | None:
    """The id, if it is the text of one. An attribute that is called “id” comes as a list, and is none."""
    if not isinstance(value, str):
        return None
    try:
        keycloak_id = UUID(value)
    except ValueError:
        return None
    return keycloak_id if str(keycloak_id) == value.lower() else None
