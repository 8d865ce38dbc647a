"""What codes are handed out from, together and under one lock: those of a contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from django.db.models import QuerySet

from b2b.codes import IN_CONTRACT
from b2b.models import HandOut
from ecommerce.models import DiscountCode


@dataclass(frozen=True, slots=True, order=True)
class ContractLot:
    """The codes of a contract, of all its courses."""

    contract_id: int

    def codes(self) -> QuerySet[DiscountCode]:
        return DiscountCode.objects.filter(**{IN_CONTRACT: self.contract_id})

    def hand_outs(self) -> QuerySet[HandOut]:
        return HandOut.objects.open().filter(contract_run__contract_id=self.contract_id)


Lot: TypeAlias = ContractLot
