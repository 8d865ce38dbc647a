"""What happens in contracts, for those who listen."""

from __future__ import annotations

from dataclasses import dataclass

from mitxonline.coordinator.events import Event


@dataclass(frozen=True)
class ReconcileRequested(Event):
    """A contract's runs, products and codes shall be brought in line with its terms."""

    contract_id: int
