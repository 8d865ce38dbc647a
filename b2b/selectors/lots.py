"""What codes are handed out from, together and under one lock: those of a contract, or of a group purchase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from django.db.models import QuerySet

from b2b.codes import IN_CONTRACT
from b2b.models import HandOut
from ecommerce.models import DiscountCode


@dataclass(frozen=True, slots=True)
class ContractLot:
    """The codes of a contract, of all its courses."""

    contract_id: int

    def codes(self) -> QuerySet[DiscountCode]:
        return DiscountCode.objects.filter(**{IN_CONTRACT: self.contract_id})

    def hand_outs(self) -> QuerySet[HandOut]:
        return HandOut.objects.open().filter(contract_run__contract_id=self.contract_id)


@dataclass(frozen=True, slots=True)
class SaleLot:
    """The registration codes of a seat sale."""

    sale_id: int

    def codes(self) -> QuerySet[DiscountCode]:
        return DiscountCode.objects.filter(discount__seat_sale=self.sale_id)

    def hand_outs(self) -> QuerySet[HandOut]:
        return HandOut.objects.open().filter(seat_sale=self.sale_id)


Lot: TypeAlias = ContractLot | SaleLot
