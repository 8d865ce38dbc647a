"""What is done alike to every lot of codes: locked, refused when it is closed, written into the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from b2b.enums import ContractStanding
from b2b.errors.handouts import ContractInactiveForCodes, ContractOverForCodes, NoCodesHere
from b2b.models import ContractPage, ContractTerms, HandOut
from b2b.seats import lock_terms
from b2b.selectors.lots import ContractLot, Lot
from mitxonline.kernel import clock
from mitxonline.kernel.audit import Detail, record


def lot_of(hand_out: HandOut) -> Lot:
    return ContractLot(hand_out.contract_run.contract_id)


def lock_lots(lots: Iterable[Lot]) -> dict[int, ContractTerms]:
    """Lock the terms of contracts. Every door locks them too, so no code is used meanwhile."""
    return lock_terms(lot.contract_id for lot in lots)


def refuse_closed_contract(terms: ContractTerms, *, now: datetime) -> None:
    """Refuse a contract whose codes no longer open anything; one that starts later is fine."""
    if not terms.needs_codes:
        raise NoCodesHere
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        raise ContractInactiveForCodes
    if standing is ContractStanding.ENDED and terms.end is not None:
        raise ContractOverForCodes(ended=terms.end)


def record_in_lot(lot: Lot, action: str, *, by_id: int | None, data: Mapping[str, Detail]) -> None:
    record(ContractPage.objects.get(pk=lot.contract_id), action, by_id=by_id, data=data)
