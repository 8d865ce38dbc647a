"""Events of contracts."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class ReconcileRequested(Event):
    """A contract has to be reconciled: its runs, products and codes follow its terms."""

    contract_id: int


@dataclass(frozen=True)
class HoldsEnded(Event):
    """An order no longer holds seats or codes of these contracts."""

    contract_ids: tuple[int, ...]


@dataclass(frozen=True)
class HandOutMailsQueued(Event):
    """E-mails about codes are to be sent; a large hand-out is several of these events."""

    mail_ids: tuple[int, ...]


@dataclass(frozen=True)
class HelperNamed(Event):
    """A buyer lets someone hand out codes. ``language`` is the buyer's."""

    helper_id: int
    language: str


@dataclass(frozen=True)
class ExampleRequested(Event):
    """A manager wants to see what invited people get. ``language`` is the manager's."""

    contract_id: int
    course: str
    email: str
    sender_id: int
    language: str


@dataclass(frozen=True)
class KeycloakJoinRequested(Event):
    """Someone who joined by code is to be added to their organization in Keycloak."""

    join_id: int


@dataclass(frozen=True)
class SeatsRequested(Event):
    """A manager of an organization asks for more seats."""

    request_id: int


@dataclass(frozen=True)
class SeatRequestClosed(Event):
    """Staff answered a request for seats."""

    request_id: int
