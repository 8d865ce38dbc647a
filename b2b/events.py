"""What happens in contracts, for those who listen."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class ReconcileRequested(Event):
    """A contract's runs, products and codes shall be brought in line with its terms."""

    contract_id: int


@dataclass(frozen=True)
class HoldsEnded(Event):
    """An order that held seats or codes of these contracts came to nothing, or holds nothing any more."""

    contract_ids: tuple[int, ...]


@dataclass(frozen=True)
class HandOutMailsQueued(Event):
    """Mails about codes that were handed out shall go off; a large hand-out is several of these."""

    mail_ids: tuple[int, ...]


@dataclass(frozen=True)
class KeycloakJoinRequested(Event):
    """Someone who came by code shall belong to their organization in Keycloak too."""

    join_id: int
