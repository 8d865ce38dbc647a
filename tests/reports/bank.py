"""A gateway that keeps books of what moved, at the moments a test says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from ecommerce.enums import MovementKind
from ecommerce.gateways.base import Movement
from ecommerce.gateways.sandbox import SandboxGateway
from mitxonline.kernel.money import Money
from tests.factories import NOON

BANK = "tests.reports.bank.Bank"


class Bank(SandboxGateway):
    """The sandbox with an account of its own."""

    ledger: ClassVar[list[Movement]] = []
    now: ClassVar[datetime] = NOON

    @classmethod
    def open(cls) -> None:
        """Begin with an empty account."""
        cls.ledger, cls.now = [], NOON

    @classmethod
    def enter(cls, kind: MovementKind, payment_id: str, source_id: str, amount: Money, *, fee: str = "0") -> None:
        cls.ledger.append(
            Movement(
                movement_id=f"txn_{len(cls.ledger)}",
                kind=kind,
                payment_id=payment_id,
                source_id=source_id,
                amount=amount,
                fee=Money(fee, amount.currency),
                at=cls.now,
            )
        )

    def _book(self, kind: MovementKind, payment_id: str, source_id: str, amount: Money) -> None:
        if not any((each.kind, each.source_id) == (kind, source_id) for each in self.ledger):
            self.enter(kind, payment_id, source_id, amount, fee="0.30" if kind == MovementKind.PAYMENT else "0")

    def movements(self, account: str, *, since: datetime, until: datetime) -> Iterator[Movement]:
        return (each for each in self.ledger if since <= each.at < until)
