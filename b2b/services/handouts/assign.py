"""Hand codes out by e-mail, remind people of them, and replace the code that everyone shares.

In a contract with a cap each person gets a code of their own; without one they are invited with the shared link. The
list is judged as a whole before anything is written or sent, under the lock of the contract's terms, so that members,
holds and the addresses that wait for a seat never pass the cap together.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from b2b.codes import IN_CONTRACT
from b2b.enums import MailKind, MailState
from b2b.errors.handouts import (
    CodeNotAssigned,
    CodeNotFree,
    CodesMissing,
    HandOutRefused,
    NobodyToGiveTo,
    NoSeatToGive,
    NoSharedCode,
    PersonRefused,
    RemindedToday,
)
from b2b.models import HandOut, HandOutMail
from b2b.selectors.handouts import used_hand_outs
from b2b.selectors.lots import ContractLot, Lot
from b2b.services.handouts.lots import lock_lots, lot_of, record_in_lot
from b2b.services.handouts.mails import queue_mails
from b2b.services.handouts.recipients import Recipient, RecipientList, RecipientOutcome, RecipientRow
from b2b.services.handouts.revoke import cancel_invitation, end_hand_outs, revoke_code
from b2b.services.handouts.stocks import CodeStock, ContractStock, SaleStock
from ecommerce.models import DiscountCode
from ecommerce.services.discounts.batches import Assignment, assign_codes, remove_from_baskets, replace_code
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.fingerprint import fingerprint, refuse_unless_seen

# The condition is part of the write, so of two reminders on the same day the second changes no row.
REMIND = """
UPDATE b2b_handout SET reminded_on = %(today)s
WHERE id = ANY(%(hand_outs)s) AND ended_at IS NULL AND (reminded_on IS NULL OR reminded_on < %(today)s)
RETURNING id
"""


@dataclass(frozen=True)
class AnyHandOutRequest(ABC):
    """Hand codes to these people."""

    recipients: Sequence[Recipient] = field(kw_only=True)

    @abstractmethod
    def find_stock(self, *, now: datetime) -> CodeStock: ...

    @abstractmethod
    def lock_stock(self, *, now: datetime) -> CodeStock: ...


@dataclass(frozen=True)
class HandOutRequest(AnyHandOutRequest):
    """Hand codes of one course of a contract to these people."""

    contract_run_id: int

    def find_stock(self, *, now: datetime) -> CodeStock:
        return ContractStock.find(self.contract_run_id)

    def lock_stock(self, *, now: datetime) -> CodeStock:
        return ContractStock.lock(self.contract_run_id)


@dataclass(frozen=True)
class SaleHandOutRequest(AnyHandOutRequest):
    """Hand codes of a group purchase to these people."""

    seat_sale_id: int

    def find_stock(self, *, now: datetime) -> CodeStock:
        return SaleStock.find(self.seat_sale_id, now=now)

    def lock_stock(self, *, now: datetime) -> CodeStock:
        return SaleStock.lock(self.seat_sale_id, now=now)


@dataclass(frozen=True, slots=True)
class HandOutPlan:
    """What handing out would do, line by line. With a `refusal` it does nothing.

    `free_before` and `free_after` are seats that are neither taken nor promised; None without a cap.
    """

    stock: CodeStock
    rows: tuple[RecipientRow, ...]
    free_before: int | None = None
    free_after: int | None = None
    refusal: HandOutRefused | None = None

    @property
    def is_shared(self) -> bool:
        return self.stock.is_shared

    @property
    def people_count(self) -> int:
        return sum(row.is_receiving_code for row in self.rows)

    @property
    def told_rows(self) -> tuple[RecipientRow, ...]:
        """The lines to tell: of a list that is refused, no one gets a code."""
        return self.rows if self.refusal is None else tuple(row for row in self.rows if not row.is_receiving_code)

    @property
    def fingerprint(self) -> str:
        """Changes with who gets a code and who doesn't, but not with seats that others take meanwhile."""
        people = [(row.email, row.name, row.outcome.value) for row in self.rows]
        return fingerprint(self.stock.key, self.is_shared, people)

    def with_outcome(self, *outcomes: RecipientOutcome) -> list[RecipientRow]:
        return [row for row in self.rows if row.outcome in outcomes]


@dataclass(frozen=True, slots=True)
class ReminderReport:
    """How many reminders were sent, and how many weren't: reminded today already, or no longer waiting."""

    sent: int = 0
    too_soon: int = 0
    over: int = 0


def plan_hand_out(request: AnyHandOutRequest, *, now: datetime) -> HandOutPlan:
    """Tell what handing these codes out would do, in constant queries; writes nothing.

    Raises ContractRunUnknown for a run that is in no contract.
    """
    return _make_plan(request.find_stock(now=now), request.recipients, now=now)


def hand_out(request: AnyHandOutRequest, *, by_id: int | None, now: datetime, seen: str | None = None) -> HandOutPlan:
    """Give a code to everyone on the list who can have one, and queue the e-mails: for all of them or for no one.

    `seen` is the fingerprint of the plan that was confirmed; None if no one was shown a plan.

    Raises the plan's refusal (NoSeatToGive, CodesMissing, HandOutClosed, NoCodesHere, NobodyToGiveTo), PlanChanged,
    TooManyMails.
    """
    with transaction.atomic():
        stock = request.lock_stock(now=now)
        plan = _make_plan(stock, request.recipients, now=now)
        if plan.refusal is not None:
            raise plan.refusal
        if seen is not None:
            refuse_unless_seen(seen, plan.fingerprint)
        stock.refuse_too_many(plan.people_count, by_id=by_id, now=now)
        shared = stock.shared_code() if stock.is_shared else None
        codes = [shared] * plan.people_count if shared is not None else stock.lock_codes(plan.people_count)
        _record_hand_outs(plan, codes, by_id=by_id, now=now)
    return plan


@dataclass(frozen=True, slots=True)
class PartialHandOut:
    """Whom a list gave codes, whom not, and the `shortage` for which the last of them got none."""

    hand_outs: tuple[HandOut, ...] = ()
    refused: tuple[RecipientRow, ...] = ()
    left_over: tuple[RecipientRow, ...] = ()
    shortage: HandOutRefused | None = None


def hand_out_while_any(request: AnyHandOutRequest, *, by_id: int | None, now: datetime) -> PartialHandOut:
    """Give codes to the people on the list who can have one, in its order, until none is left; queue the e-mails.

    Raises HandOutClosed, NoCodesHere, TooManyMails.
    """
    with transaction.atomic():
        stock = request.lock_stock(now=now)
        plan = _make_plan(stock, request.recipients, now=now)
        people = plan.with_outcome(RecipientOutcome.GETS_CODE)
        refused = tuple(row for row in plan.rows if not row.is_receiving_code)
        if plan.refusal is not None and not isinstance(plan.refusal, NoSeatToGive | CodesMissing | NobodyToGiveTo):
            raise plan.refusal
        fitting = len(people) if plan.refusal is None else _count_fitting(stock, people)
        given, left_over = people[:fitting], tuple(people[fitting:])
        hand_outs: list[HandOut] = []
        if given:
            stock.refuse_too_many(len(given), by_id=by_id, now=now)
            shared = stock.shared_code() if stock.is_shared else None
            codes = [shared] * len(given) if shared is not None else stock.lock_codes(len(given))
            hand_outs = _record_hand_outs(replace(plan, rows=tuple(given)), codes, by_id=by_id, now=now)
    return PartialHandOut(tuple(hand_outs), refused, left_over, plan.refusal if left_over else None)


def _count_fitting(stock: CodeStock, people: Sequence[RecipientRow]) -> int:
    """Return for how many of these people, from the first on, there is a seat and a code; in a few queries."""
    emails = [row.email for row in people]

    def is_too_many(count: int) -> bool:
        return stock.count_places(set(emails[:count])).refusal is not None

    return bisect_left(range(1, len(emails) + 1), True, key=is_too_many)


def reassign_code(*, code_id: int, email: str, name: str = "", by_id: int | None, now: datetime) -> HandOut:
    """Take an unused code back and give it to another person, with a new text; all or nothing.

    Raises what `revoke_code` and `assign_code` raise.
    """
    with transaction.atomic():
        revoke_code(code_id=code_id, by_id=by_id, now=now)
        return assign_code(code_id=code_id, email=email, name=name, by_id=by_id, now=now, is_staff=False)


def reinvite(*, hand_out_id: int, email: str, name: str = "", by_id: int | None, now: datetime) -> HandOut:
    """Cancel an invitation by the shared code and invite another person; all or nothing.

    Raises what `cancel_invitation` and `assign_code` raise.
    """
    with transaction.atomic():
        code_id = HandOut.objects.filter(pk=hand_out_id).values_list("code_id", flat=True).first()
        cancel_invitation(hand_out_id=hand_out_id, by_id=by_id, now=now)
        return assign_code(code_id=code_id or 0, email=email, name=name, by_id=by_id, now=now, is_staff=False)


def assign_code(
    *, code_id: int, email: str, name: str = "", by_id: int | None, now: datetime, is_staff: bool = True
) -> HandOut:
    """Give this very code to a person and queue the e-mail; a shared code invites them.

    Who `is_staff` is told what staff can do about a refusal.

    Raises CodeNotFree, PersonRefused with the reason, or what `hand_out` raises.
    """
    run_id = DiscountCode.objects.filter(pk=code_id).values_list("discount__unlocks__contract_run", flat=True).first()
    if run_id is None:
        raise CodeNotFree
    with transaction.atomic():
        stock = ContractStock.lock(run_id)
        plan = _make_plan(stock, [Recipient(email, name)], now=now)
        row = plan.rows[0]
        if not row.is_receiving_code:
            raise PersonRefused(reason=row.staff_sentence if is_staff else row.sentence)
        if plan.refusal is not None:
            raise plan.refusal
        if stock.is_shared:
            code = stock.shared_code()
        else:
            code = stock.free_codes().filter(pk=code_id).select_for_update(of=("self",), no_key=True).first()
        if code is None or code.pk != code_id:
            raise CodeNotFree
        return _record_hand_outs(plan, [code], by_id=by_id, now=now)[0]


def remind(*, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> ReminderReport:
    """Remind people of unused codes, each at most once a day.

    Raises HandOutClosed if the contract no longer admits anyone, and TooManyMails.
    """
    with transaction.atomic():
        hand_outs = list(
            HandOut.objects.open()
            .filter(pk__in=hand_out_ids, code__active=True)
            .exclude(is_shared=True, code__max_uses__isnull=False)
            .select_related("contract_run")
            .order_by("pk")
        )
        # Revoking locks the lot before the hand-outs. Locking the lot first here too, the two can't deadlock.
        lock_lots({lot_of(each) for each in hand_outs}).refuse_closed(now=now)
        used = used_hand_outs(hand_outs)
        waiting = {each.pk: each for each in hand_outs if each.pk not in used}
        params = {"hand_outs": list(waiting), "today": clock.date_of(now)}
        due = [waiting[pk] for pk in sorted(pk for (pk,) in fetch_sql(REMIND, params))]
        queue_mails(due, kind=MailKind.REMINDER, by_id=by_id, now=now)
        by_lot: dict[Lot, list[int]] = {}
        for each in due:
            by_lot.setdefault(lot_of(each), []).append(each.pk)
        for lot, pks in by_lot.items():
            record_in_lot(lot, "b2b.code.remind", by_id=by_id, data={"hand_outs": pks})
    return ReminderReport(sent=len(due), too_soon=len(waiting) - len(due), over=len(set(hand_out_ids)) - len(waiting))


def remind_codes(lot: Lot, *, code_ids: Sequence[int], by_id: int | None, now: datetime) -> ReminderReport:
    """Remind the people to whom these codes of the lot were assigned; raises what `remind` raises."""
    with transaction.atomic():
        lock_lots([lot])
        codes = lot.codes().filter(pk__in=code_ids)
        report = remind(hand_out_ids=_ensure_hand_outs(codes), by_id=by_id, now=now)
    return replace(report, over=len(set(code_ids)) - report.sent - report.too_soon)


def remind_code(*, code_id: int, by_id: int | None, now: datetime) -> None:
    """Remind the person a code was assigned to; raises CodeNotAssigned, RemindedToday, or what `remind` raises."""
    code = DiscountCode.objects.filter(pk=code_id)
    with transaction.atomic():
        contract_ids = code.values_list(IN_CONTRACT, flat=True)
        lock_lots(ContractLot(contract_id) for contract_id in contract_ids if contract_id is not None)
        report = remind(hand_out_ids=_ensure_hand_outs(code), by_id=by_id, now=now)
    if report.too_soon:
        raise RemindedToday
    if not report.sent:
        raise CodeNotAssigned


def remind_invited(*, hand_out_id: int, by_id: int | None, now: datetime) -> None:
    """Remind someone who was invited; raises CodeNotAssigned, RemindedToday, or what `remind` raises."""
    report = remind(hand_out_ids=[hand_out_id], by_id=by_id, now=now)
    if report.too_soon:
        raise RemindedToday
    if not report.sent:
        raise CodeNotAssigned


def replace_shared_code(
    *, contract_run_id: int, by_id: int | None, now: datetime, resend: bool = False
) -> DiscountCode:
    """Replace the code that everyone shares, so that the old link stops working; people who used it keep their seats.

    Open invitations end, or with `resend` the invited people get the new link. Raises NoSharedCode.
    """
    with transaction.atomic():
        stock = ContractStock.lock(contract_run_id)
        old, run = stock.shared_code(), stock.run
        if old is None:
            raise NoSharedCode
        new = replace_code(old)
        remove_from_baskets([old.pk])
        invited = list(HandOut.objects.open().filter(contract_run=run, is_shared=True).order_by("pk"))
        used = used_hand_outs(invited)
        waiting = [each for each in invited if each.pk not in used]
        if resend:
            HandOut.objects.filter(pk__in=[each.pk for each in waiting]).update(code=new)
            # E-mails that are still queued are written when they are sent, with the new link.
            queued = HandOutMail.objects.filter(hand_out__in=waiting, state=MailState.QUEUED)
            queued_ids = set(queued.values_list("hand_out_id", flat=True))
            without_mail = [each for each in waiting if each.pk not in queued_ids]
            queue_mails(without_mail, kind=MailKind.NEW_LINK, by_id=by_id, now=now)
        else:
            end_hand_outs([each.pk for each in waiting], by_id=by_id, now=now)
        data = {"run": run.pk, "code": new.pk, "invitations": len(waiting), "resend": resend}
        record_in_lot(stock.lot, "b2b.code.replace", by_id=by_id, data=data)
    return new


# --- Judging a list --------------------------------------------------------------------------------------------------


def _make_plan(stock: CodeStock, recipients: Sequence[Recipient], *, now: datetime) -> HandOutPlan:
    listed = RecipientList.read(recipients)
    plan = HandOutPlan(stock=stock, rows=listed.judge(stock.load_facts(listed.addresses)))
    try:
        stock.refuse_closed(now=now)
    except HandOutRefused as refusal:
        return replace(plan, refusal=refusal)
    places = stock.count_places({row.email for row in plan.rows if row.is_receiving_code})
    plan = replace(plan, free_before=places.free_before, free_after=places.free_after, refusal=places.refusal)
    if plan.refusal is None and not plan.people_count:
        plan = replace(plan, refusal=NobodyToGiveTo())
    return plan


# --- Writing ---------------------------------------------------------------------------------------------------------


def _record_hand_outs(
    plan: HandOutPlan, codes: Sequence[DiscountCode], *, by_id: int | None, now: datetime
) -> list[HandOut]:
    """Assign the codes, write the hand-outs and queue the e-mails. The caller holds the lock of the lot."""
    people = plan.with_outcome(RecipientOutcome.GETS_CODE)
    if not plan.is_shared:
        _assign_codes(codes, people, by_id=by_id, now=now)
    hand_outs = HandOut.objects.bulk_create(
        [
            plan.stock.make_hand_out(
                code=code,
                is_shared=plan.is_shared,
                email=row.email,
                name=row.name,
                given_at=now,
                given_by_id=by_id,
            )
            for row, code in zip(people, codes, strict=True)
        ]
    )
    queue_mails(hand_outs, kind=MailKind.INVITATION, by_id=by_id, now=now)
    data = plan.stock.describe() | {"people": len(hand_outs), "shared": plan.is_shared}
    record_in_lot(plan.stock.lot, "b2b.code.assign", by_id=by_id, data=data)
    return hand_outs


def _assign_codes(
    codes: Sequence[DiscountCode], people: Sequence[RecipientRow], *, by_id: int | None, now: datetime
) -> None:
    # Everyone who was invited while these codes were shared knows their text, so they get a new one.
    once_shared = HandOut.objects.filter(code__in=codes, is_shared=True).values_list("code_id", flat=True)
    assigned = assign_codes(
        [Assignment(code.pk, row.email, row.name) for code, row in zip(codes, people, strict=True)],
        renew_text_of=set(once_shared),
        by_id=by_id,
        now=now,
    )
    if assigned != len(codes):  # the rows were free and are locked, so someone wrote past the lock
        raise CodeNotFree


def _ensure_hand_outs(codes: QuerySet[DiscountCode]) -> list[int]:
    """Return the open hand-outs of these assigned codes; codes that were assigned without one get it now."""
    assigned = list(
        codes.exclude(assigned_email="")
        .filter(
            Q(discount__unlocks__contract_run__isnull=False) | Q(discount__seat_sale__isnull=False),
            active=True,
        )
        .select_related("discount__unlocks__contract_run", "discount__seat_sale")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    existing = HandOut.objects.open().filter(code__in=assigned, is_shared=False)
    by_code = dict(existing.values_list("code_id", "pk"))
    missing = HandOut.objects.bulk_create(
        [
            HandOut(
                contract_run=code.discount.unlocks.contract_run if code.discount.unlocks is not None else None,
                seat_sale=None if code.discount.unlocks is not None else code.discount.seat_sale,
                code=code,
                email=code.assigned_email,
                name=code.assigned_name,
                given_at=code.assigned_at or code.created_at,
                given_by_id=code.assigned_by_id,
            )
            for code in assigned
            if code.pk not in by_code
        ]
    )
    return sorted([*by_code.values(), *(each.pk for each in missing)])
