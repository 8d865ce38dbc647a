"""What is done alike to every lot of codes: locked, refused when it is closed, written into the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from b2b.enums import ContractStanding
from b2b.errors.handouts import (
    ContractInactiveForCodes,
    ContractOverForCodes,
    EnrollmentOverForCodes,
    NoCodesHere,
    SaleEnrollmentOver,
)
from b2b.models import ContractPage, ContractTerms, HandOut
from b2b.seats import lock_terms
from b2b.selectors.handouts import has_closed, moved_to_open_run
from b2b.selectors.lots import ContractLot, Lot, SaleLot
from courses.models import CourseRun
from ecommerce.models import DiscountCode, SeatSale
from mitxonline.kernel import clock
from mitxonline.kernel.audit import Detail, record


@dataclass(frozen=True, slots=True)
class LockedLots:
    """The locked terms of contracts, and the locked seat sales."""

    terms: Mapping[int, ContractTerms] = field(default_factory=dict)
    sales: Mapping[int, SeatSale] = field(default_factory=dict)

    def refuse_closed(self, *, now: datetime) -> None:
        """Raise HandOutClosed if any of them no longer admits anyone."""
        for terms in self.terms.values():
            refuse_closed_contract(terms, now=now)
        for sale in self.sales.values():
            refuse_closed_sale(sale, now=now)


def lot_of(hand_out: HandOut) -> Lot:
    if hand_out.contract_run is not None:
        return ContractLot(hand_out.contract_run.contract_id)
    return SaleLot(hand_out.seat_sale_id or 0)


def lock_lots(lots: Iterable[Lot]) -> LockedLots:
    """Lock the terms of contracts, which every door locks too, and then the seat sales.

    Nothing that redeems a registration code locks its sale: there, the row of the code decides.
    """
    wanted = list(lots)
    contract_ids = {lot.contract_id for lot in wanted if isinstance(lot, ContractLot)}
    sale_ids = {lot.sale_id for lot in wanted if isinstance(lot, SaleLot)}
    sales = SeatSale.objects.locked().filter(pk__in=sale_ids) if sale_ids else ()
    return LockedLots(terms=lock_terms(contract_ids) if contract_ids else {}, sales={sale.pk: sale for sale in sales})


def refuse_closed_contract(terms: ContractTerms, *, now: datetime) -> None:
    """Refuse a contract whose codes no longer open anything; one that starts later is fine."""
    if not terms.needs_codes:
        raise NoCodesHere
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        raise ContractInactiveForCodes
    if standing is ContractStanding.ENDED and terms.end is not None:
        raise ContractOverForCodes(ended=terms.end)


def refuse_closed_run(run: CourseRun, *, now: datetime) -> None:
    if has_closed(run, now=now):
        raise EnrollmentOverForCodes(course=run.title)


def refuse_closed_sale(sale: SeatSale, *, now: datetime) -> None:
    codes = DiscountCode.objects.filter(moved_to_open_run(now), discount=sale.discount_id, active=True)
    if has_closed(sale.course_run, now=now) and not codes.exists():
        raise SaleEnrollmentOver(course=sale.course_run.title)


def record_in_lot(lot: Lot, action: str, *, by_id: int | None, data: Mapping[str, Detail]) -> None:
    about = (
        ContractPage.objects.get(pk=lot.contract_id)
        if isinstance(lot, ContractLot)
        else SeatSale.objects.get(pk=lot.sale_id)
    )
    record(about, action, by_id=by_id, data=data)
