"""The codes of one course that people get theirs from: who on a list can have one, whether there are enough, which.

What acts on a stock holds the lock of its lot.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from b2b.codes import with_code_facts
from b2b.enums import WithdrawnBy
from b2b.errors.handouts import (
    CodesMissing,
    ContractRunUnknown,
    HandOutRefused,
    NoSeatsLeft,
    NoSeatToGive,
    SeatSaleUnknown,
    TooFewGroupSeats,
)
from b2b.models import ContractRun, ContractTerms, HandOut, Withdrawal
from b2b.seats import count_seats
from b2b.selectors.handouts import (
    has_closed,
    moved_to_open_run,
    seated_addresses,
    shared_codes,
    waiting_addresses,
)
from b2b.selectors.lots import ContractLot, Lot, SaleLot
from b2b.services.handouts.lots import lock_lots, refuse_closed_contract, refuse_closed_run, refuse_closed_sale
from b2b.services.handouts.mails import refuse_too_many, refuse_too_many_for_sale
from b2b.services.handouts.recipients import RecipientFacts
from courses.enums import EnrollmentMode
from courses.models import Enrollment
from ecommerce.codes import NEVER_TAKEN, in_state
from ecommerce.enums import CodeState
from ecommerce.models import BasketCode, DiscountCode, SeatSale


@dataclass(frozen=True, slots=True)
class Places:
    """How many more people have room before and after a hand-out (None without a limit), or why it is refused."""

    free_before: int | None = None
    free_after: int | None = None
    refusal: HandOutRefused | None = None


class CodeStock(ABC):
    """The codes of one course. With a shared code everyone is invited by the same one."""

    key: str
    is_shared: bool = False

    @property
    @abstractmethod
    def lot(self) -> Lot: ...

    @abstractmethod
    def refuse_closed(self, *, now: datetime) -> None:
        """Raise HandOutClosed if the codes would be useless."""

    @abstractmethod
    def load_facts(self, emails: Collection[str]) -> RecipientFacts:
        """Look up what decides about these addresses, in the same few queries for one and for five thousand."""

    @abstractmethod
    def count_places(self, people: Collection[str]) -> Places: ...

    @abstractmethod
    def free_codes(self) -> QuerySet[DiscountCode]: ...

    def refuse_too_many(self, count: int, *, by_id: int | None, now: datetime) -> None:
        """Raise TooManyMails if that many e-mails are too many at once."""
        refuse_too_many(count, by_id=by_id, now=now)

    @abstractmethod
    def make_hand_out(self, **fields: Any) -> HandOut: ...

    @abstractmethod
    def describe(self) -> dict[str, int | bool]:
        """Return what the log says about the stock."""

    def shared_code(self) -> DiscountCode | None:
        return None

    def lock_codes(self, count: int) -> list[DiscountCode]:
        """Lock this many free codes and return them; raises CodesMissing.

        Codes in someone's cart come last: a visitor may have been given one by other means.
        """
        in_cart = Exists(BasketCode.objects.filter(code=OuterRef("pk")))
        codes: list[DiscountCode] = []
        for condition in (~Q(in_cart), Q(in_cart)):
            if len(codes) < count:
                free = self.free_codes().filter(condition).order_by("pk").select_for_update(of=("self",), no_key=True)
                codes += free[: count - len(codes)]
        if len(codes) < count:
            raise CodesMissing(free=len(codes), wanted=count)
        return codes


class ContractStock(CodeStock):
    """The codes of a run of a contract: people's own, or without a cap the one that everyone shares."""

    def __init__(self, run: ContractRun, terms: ContractTerms) -> None:
        self.run, self.terms = run, terms
        self.key = str(run.pk)
        self.is_shared = terms.max_learners is None

    @classmethod
    def find(cls, contract_run_id: int) -> ContractStock:
        """Raises ContractRunUnknown for a run that is in no contract."""
        run = (
            ContractRun.objects.current()
            .filter(pk=contract_run_id, contract__terms__isnull=False)
            .select_related("contract__terms__organization", "course_run", "product")
            .first()
        )
        if run is None:
            raise ContractRunUnknown
        return cls(run, run.contract.terms)

    @classmethod
    def lock(cls, contract_run_id: int) -> ContractStock:
        """Return it with locked terms: seats and codes read from here on can't change before the commit."""
        run = cls.find(contract_run_id).run
        return cls(run, lock_lots([ContractLot(run.contract_id)]).terms[run.contract_id])

    @property
    def lot(self) -> ContractLot:
        return ContractLot(self.run.contract_id)

    def refuse_closed(self, *, now: datetime) -> None:
        refuse_closed_contract(self.terms, now=now)
        refuse_closed_run(self.run.course_run, now=now)

    def load_facts(self, emails: Collection[str]) -> RecipientFacts:
        if not emails:
            return RecipientFacts()
        enrolled = Enrollment.objects.active().filter(run=self.run.course_run_id, user__email__in=emails)
        codes = DiscountCode.objects.filter(discount__unlocks_id=self.run.product_id, assigned_email__in=emails)
        assigned = with_code_facts(codes).filter(in_state(CodeState.ASSIGNED))
        # Without a cap, people may still have a code of their own from the time when there was a cap.
        has_code = set(assigned.values_list("assigned_email", flat=True))
        if self.is_shared:
            # Used or not: everyone's invitation has the same code, so a second one would bring nothing new.
            invited = HandOut.objects.open().filter(contract_run=self.run, is_shared=True, email__in=emails)
            has_code.update(invited.values_list("email", flat=True))
        withdrawals = Withdrawal.objects.standing().filter(contract_id=self.terms.pk, user__email__in=emails)
        if not self.is_shared:  # a code of their own lifts what a manager withdrew
            withdrawals = withdrawals.exclude(authority=WithdrawnBy.MANAGER)
        return RecipientFacts(
            has_course=set(enrolled.values_list("user__email", flat=True)),
            # A seat in a free contract opens every course; where courses are paid for, each needs its own code.
            has_seat=seated_addresses(self.terms.pk, emails) if self.terms.is_free else (),
            has_code=has_code,
            withdrawn=set(withdrawals.values_list("user__email", flat=True)),
        )

    def count_places(self, people: Collection[str]) -> Places:
        if self.is_shared:
            has_code = self.shared_code() is not None
            return Places() if has_code else Places(refusal=CodesMissing(free=0, wanted=len(people)))
        seats = count_seats([self.terms.pk])[self.terms.pk]
        free = seats.free or 0
        taken = waiting_addresses(self.terms.pk).without_seat | seated_addresses(self.terms.pk, people)
        newcomers = set(people) - taken
        free_after = max(0, free - len(newcomers))
        refusal: HandOutRefused | None = None
        if not seats.has_room_for(len(newcomers)):
            short = NoSeatToGive if free else NoSeatsLeft
            refusal = short(free=free, wanted=len(newcomers))
        elif (codes := self.free_codes()[: len(people)].count()) < len(people):
            refusal = CodesMissing(free=codes, wanted=len(people))
        return Places(free_before=free, free_after=free_after, refusal=refusal)

    def free_codes(self) -> QuerySet[DiscountCode]:
        return DiscountCode.objects.filter(NEVER_TAKEN, discount__unlocks_id=self.run.product_id)

    def shared_code(self) -> DiscountCode | None:
        return shared_codes([self.run]).get(self.run.pk)

    def make_hand_out(self, **fields: Any) -> HandOut:
        return HandOut(contract_run=self.run, **fields)

    def describe(self) -> dict[str, int | bool]:
        return {"run": self.run.pk}


class SaleStock(CodeStock):
    """The registration codes of a group purchase, one for each person."""

    def __init__(self, sale: SeatSale, *, now: datetime) -> None:
        self.sale, self.now = sale, now
        self.key = f"sale {sale.pk}"

    @classmethod
    def find(cls, sale_id: int, *, now: datetime) -> SaleStock:
        """Raises SeatSaleUnknown."""
        sale = SeatSale.objects.filter(pk=sale_id).select_related("course_run").first()
        if sale is None:
            raise SeatSaleUnknown
        return cls(sale, now=now)

    @classmethod
    def lock(cls, sale_id: int, *, now: datetime) -> SaleStock:
        lock_lots([SaleLot(sale_id)])
        return cls.find(sale_id, now=now)

    @property
    def lot(self) -> SaleLot:
        return SaleLot(self.sale.pk)

    def refuse_closed(self, *, now: datetime) -> None:
        refuse_closed_sale(self.sale, now=now)

    def load_facts(self, emails: Collection[str]) -> RecipientFacts:
        if not emails:
            return RecipientFacts()
        enrolled = Enrollment.objects.active().filter(run=self.sale.course_run_id, user__email__in=emails)
        if self.sale.mode != EnrollmentMode.AUDIT:  # to someone who audits the course, the code gives more
            enrolled = enrolled.exclude(mode=EnrollmentMode.AUDIT)
        # Of all purchases of this buyer: two codes for one course would help no one.
        same_buyer = Q(pk=self.sale.pk)
        if self.sale.buyer_id is not None:
            same_buyer |= Q(buyer=self.sale.buyer_id, course_run=self.sale.course_run_id)
        sales = SeatSale.objects.filter(same_buyer)
        codes = DiscountCode.objects.filter(discount__seat_sale__in=sales, assigned_email__in=emails)
        assigned = with_code_facts(codes).filter(in_state(CodeState.ASSIGNED))
        return RecipientFacts(
            has_course=set(enrolled.values_list("user__email", flat=True)),
            has_code=set(assigned.values_list("assigned_email", flat=True)),
        )

    def count_places(self, people: Collection[str]) -> Places:
        free = self.free_codes().count()
        refusal = TooFewGroupSeats(free=free, wanted=len(people)) if len(people) > free else None
        return Places(free_before=free, free_after=max(0, free - len(people)), refusal=refusal)

    def free_codes(self) -> QuerySet[DiscountCode]:
        """Return those that no one has and that open something: staff may have moved some to another start."""
        can_open = moved_to_open_run(self.now)
        if not has_closed(self.sale.course_run, now=self.now):
            can_open |= Q(moved_to__isnull=True)
        return self.lot.codes().filter(NEVER_TAKEN).filter(can_open)

    def lock_codes(self, count: int) -> list[DiscountCode]:
        # Nothing that redeems a code locks the sale. A code that is being redeemed is passed over.
        free = self.free_codes().order_by("pk").select_for_update(of=("self",), no_key=True, skip_locked=True)
        codes = list(free[:count])
        if len(codes) < count:
            raise TooFewGroupSeats(free=len(codes), wanted=count)
        return codes

    def refuse_too_many(self, count: int, *, by_id: int | None, now: datetime) -> None:
        super().refuse_too_many(count, by_id=by_id, now=now)
        refuse_too_many_for_sale(count, sale=self.sale, now=now)

    def make_hand_out(self, **fields: Any) -> HandOut:
        return HandOut(seat_sale=self.sale, **fields)

    def describe(self) -> dict[str, int | bool]:
        return {"run": self.sale.course_run_id}
