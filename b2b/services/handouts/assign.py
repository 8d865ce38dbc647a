"""Hand codes out by e-mail, remind people of them, and replace the code that everyone shares.

In a contract with a cap each person gets a code of their own; without one they are invited with the shared link. The
list is judged as a whole before anything is written or sent, under the lock of the contract's terms, so that members,
holds and the addresses that wait for a seat never pass the cap together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from b2b.codes import IN_CONTRACT, with_code_facts
from b2b.enums import ContractStanding, MailKind, MailState, WithdrawnBy
from b2b.errors.handouts import (
    CodeNotAssigned,
    CodeNotFree,
    CodesMissing,
    ContractInactiveForCodes,
    ContractOverForCodes,
    ContractRunUnknown,
    EnrollmentOverForCodes,
    HandOutRefused,
    NobodyToGiveTo,
    NoCodesHere,
    NoSeatsLeft,
    NoSeatToGive,
    NoSharedCode,
    PersonRefused,
    RemindedToday,
)
from b2b.models import ContractPage, ContractRun, ContractTerms, HandOut, HandOutMail, Withdrawal
from b2b.seats import count_seats, lock_terms
from b2b.selectors.handouts import (
    seated_addresses,
    shared_codes,
    used_hand_outs,
    waiting_addresses,
)
from b2b.services.handouts.mails import queue_mails, refuse_too_many
from b2b.services.handouts.revoke import (
    end_hand_outs,
)
from courses.models import Enrollment
from ecommerce.codes import NEVER_TAKEN, in_state
from ecommerce.enums import CodeState
from ecommerce.models import BasketCode, DiscountCode
from ecommerce.services.discounts.batches import Assignment, assign_codes, remove_from_baskets, replace_code
from mitxonline.kernel import clock
from mitxonline.kernel.audit import record
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.fingerprint import fingerprint, refuse_unless_seen
from mitxonline.kernel.names import ADDRESS_IN_NAME, clean_name, has_address
from mitxonline.kernel.people.lines import is_email_address
from mitxonline.kernel.text import normalize_email

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

NAME_MAX_LENGTH = 255

# The condition is part of the write, so of two reminders on the same day the second changes no row.
REMIND = """
UPDATE b2b_handout SET reminded_on = %(today)s
WHERE id = ANY(%(hand_outs)s) AND ended_at IS NULL AND (reminded_on IS NULL OR reminded_on < %(today)s)
RETURNING id
"""


class RecipientOutcome(StrEnum):
    GETS_CODE = "gets_code"
    INCOMPLETE = "incomplete"
    UNCLEAR = "unclear"
    ADDRESS_IN_NAME = "address_in_name"
    DUPLICATE = "duplicate"
    HAS_COURSE = "has_course"
    HAS_SEAT = "has_seat"
    HAS_CODE = "has_code"
    WITHDRAWN = "withdrawn"


SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.GETS_CODE: _("Gets a code by e-mail."),
    RecipientOutcome.INCOMPLETE: _("This address is incomplete."),
    RecipientOutcome.UNCLEAR: _("We can’t tell the name from the address. Write one person per line: name, address."),
    RecipientOutcome.ADDRESS_IN_NAME: ADDRESS_IN_NAME,
    RecipientOutcome.DUPLICATE: _("Listed twice. We’ll use the first."),
    RecipientOutcome.HAS_COURSE: _("Already has this course."),
    RecipientOutcome.HAS_SEAT: _("Already has a seat, so this course is included."),
    RecipientOutcome.HAS_CODE: _("Already has an unused code for this course. You can send a reminder."),
    RecipientOutcome.WITHDRAWN: _("This person’s access was withdrawn, and only we can restore it. Ask us about it."),
}
# Staff can do themselves what managers have to ask for.
STAFF_SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.WITHDRAWN: _(
        "Access was withdrawn, and a code doesn’t restore it. Add the person under “Members”."
    ),
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone on a list. With `is_unclear`, `email` is what was written and couldn't be read."""

    email: str
    name: str = ""
    is_unclear: bool = False


@dataclass(frozen=True, slots=True)
class HandOutRequest:
    """Hand codes of one course of a contract to these people."""

    contract_run_id: int
    recipients: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class RecipientRow:
    email: str
    name: str
    outcome: RecipientOutcome

    @property
    def is_receiving_code(self) -> bool:
        return self.outcome is RecipientOutcome.GETS_CODE

    @property
    def sentence(self) -> str:
        return str(SENTENCES[self.outcome])

    @property
    def staff_sentence(self) -> str:
        return str(STAFF_SENTENCES.get(self.outcome, SENTENCES[self.outcome]))


@dataclass(frozen=True, slots=True)
class HandOutPlan:
    """What handing out would do, line by line. With a `refusal` it does nothing.

    `free_before` and `free_after` are seats that are neither taken nor promised; None without a cap.
    """

    contract_run: ContractRun
    rows: tuple[RecipientRow, ...]
    is_shared: bool
    free_before: int | None = None
    free_after: int | None = None
    refusal: HandOutRefused | None = None

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
        return fingerprint(self.contract_run.pk, self.is_shared, people)

    def with_outcome(self, *outcomes: RecipientOutcome) -> list[RecipientRow]:
        return [row for row in self.rows if row.outcome in outcomes]


@dataclass(frozen=True, slots=True)
class ReminderReport:
    """How many reminders were sent, and how many weren't: reminded today already, or no longer waiting."""

    sent: int = 0
    too_soon: int = 0
    over: int = 0


def plan_hand_out(request: HandOutRequest, *, now: datetime) -> HandOutPlan:
    """Tell what handing these codes out would do, in constant queries; writes nothing.

    Raises ContractRunUnknown for a run that is in no contract.
    """
    run = _find_run(request.contract_run_id)
    return _make_plan(run, run.contract.terms, request.recipients, now=now)


def hand_out(request: HandOutRequest, *, by_id: int | None, now: datetime, seen: str | None = None) -> HandOutPlan:
    """Give a code to everyone on the list who can have one, and queue the e-mails: for all of them or for no one.

    `seen` is the fingerprint of the plan that was confirmed; None if no one was shown a plan.

    Raises the plan's refusal (NoSeatToGive, CodesMissing, HandOutClosed, NoCodesHere, NobodyToGiveTo), PlanChanged,
    TooManyMails.
    """
    with transaction.atomic():
        run, terms = _lock_run(request.contract_run_id)
        plan = _make_plan(run, terms, request.recipients, now=now)
        if plan.refusal is not None:
            raise plan.refusal
        if seen is not None:
            refuse_unless_seen(seen, plan.fingerprint)
        refuse_too_many(plan.people_count, by_id=by_id, now=now)
        if plan.is_shared:
            codes = [shared_codes([run])[run.pk]] * plan.people_count
        else:
            codes = _lock_free_codes(run, plan.people_count)
        _record_hand_outs(plan, codes, by_id=by_id, now=now)
    return plan


def assign_code(*, code_id: int, email: str, name: str = "", by_id: int | None, now: datetime) -> HandOut:
    """Give this very code to a person and queue the e-mail; a shared code invites them.

    Raises CodeNotFree, PersonRefused with the reason, or what `hand_out` raises.
    """
    run_id = DiscountCode.objects.filter(pk=code_id).values_list("discount__unlocks__contract_run", flat=True).first()
    if run_id is None:
        raise CodeNotFree
    with transaction.atomic():
        run, terms = _lock_run(run_id)
        plan = _make_plan(run, terms, [Recipient(email, name)], now=now)
        row = plan.rows[0]
        if not row.is_receiving_code:
            raise PersonRefused(reason=row.staff_sentence)
        if plan.refusal is not None:
            raise plan.refusal
        if plan.is_shared:
            code = shared_codes([run]).get(run.pk)
        else:
            code = _free_codes(run).filter(pk=code_id).select_for_update(of=("self",), no_key=True).first()
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
        # Revoking locks the terms before the hand-outs. Locking the terms first here too, the two can't deadlock.
        for terms in lock_terms(each.contract_run.contract_id for each in hand_outs).values():
            _refuse_closed_contract(terms, now=now)
        used = used_hand_outs(hand_outs)
        waiting = {each.pk: each for each in hand_outs if each.pk not in used}
        params = {"hand_outs": list(waiting), "today": clock.date_of(now)}
        due = [waiting[pk] for pk in sorted(pk for (pk,) in fetch_sql(REMIND, params))]
        queue_mails(due, kind=MailKind.REMINDER, by_id=by_id, now=now)
        by_contract: dict[int, list[int]] = {}
        for each in due:
            by_contract.setdefault(each.contract_run.contract_id, []).append(each.pk)
        for contract_id, pks in by_contract.items():
            record(ContractPage.objects.get(pk=contract_id), "b2b.code.remind", by_id=by_id, data={"hand_outs": pks})
    return ReminderReport(sent=len(due), too_soon=len(waiting) - len(due), over=len(set(hand_out_ids)) - len(waiting))


def remind_codes(*, contract_id: int, code_ids: Sequence[int], by_id: int | None, now: datetime) -> ReminderReport:
    """Remind the people to whom these codes of the contract were assigned; raises what `remind` raises."""
    with transaction.atomic():
        lock_terms([contract_id])
        codes = DiscountCode.objects.filter(pk__in=code_ids, **{IN_CONTRACT: contract_id})
        report = remind(hand_out_ids=_ensure_hand_outs(codes), by_id=by_id, now=now)
    return replace(report, over=len(set(code_ids)) - report.sent - report.too_soon)


def remind_code(*, code_id: int, by_id: int | None, now: datetime) -> None:
    """Remind the person a code was assigned to; raises CodeNotAssigned, RemindedToday, or what `remind` raises."""
    code = DiscountCode.objects.filter(pk=code_id)
    with transaction.atomic():
        lock_terms(contract_id for contract_id in code.values_list(IN_CONTRACT, flat=True) if contract_id is not None)
        report = remind(hand_out_ids=_ensure_hand_outs(code), by_id=by_id, now=now)
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
        run, _terms = _lock_run(contract_run_id)
        old = shared_codes([run]).get(run.pk)
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
        record(ContractPage.objects.get(pk=run.contract_id), "b2b.code.replace", by_id=by_id, data=data)
    return new


# --- Judging a list --------------------------------------------------------------------------------------------------


def _find_run(contract_run_id: int) -> ContractRun:
    run = (
        ContractRun.objects.current()
        .filter(pk=contract_run_id, contract__terms__isnull=False)
        .select_related("contract__terms__organization", "course_run", "product")
        .first()
    )
    if run is None:
        raise ContractRunUnknown
    return run


def _lock_run(contract_run_id: int) -> tuple[ContractRun, ContractTerms]:
    """Return the run and its locked terms: seats and codes read from here on can't change before the commit."""
    run = _find_run(contract_run_id)
    return run, lock_terms([run.contract_id])[run.contract_id]


def _make_plan(
    run: ContractRun, terms: ContractTerms, recipients: Sequence[Recipient], *, now: datetime
) -> HandOutPlan:
    rows = _judge_recipients(run, terms, recipients)
    plan = HandOutPlan(contract_run=run, rows=rows, is_shared=terms.max_learners is None)
    try:
        _refuse_closed_contract(terms, now=now)
        _refuse_closed_run(run, now=now)
        plan = _add_seat_counts(plan, terms)
    except HandOutRefused as refusal:
        plan = replace(plan, refusal=refusal)
    if plan.refusal is None and not plan.people_count:
        plan = replace(plan, refusal=NobodyToGiveTo())
    return plan


def _add_seat_counts(plan: HandOutPlan, terms: ContractTerms) -> HandOutPlan:
    """Add the free seats before and after, or the refusal if there are too few seats or codes."""
    people = {row.email for row in plan.rows if row.is_receiving_code}
    if plan.is_shared:
        if plan.contract_run.pk not in shared_codes([plan.contract_run]):
            return replace(plan, refusal=CodesMissing(free=0, wanted=len(people)))
        return plan
    seats = count_seats([terms.pk])[terms.pk]
    free = seats.free or 0
    newcomers = people - waiting_addresses(terms.pk).without_seat - seated_addresses(terms.pk, people)
    plan = replace(plan, free_before=free, free_after=max(0, free - len(newcomers)))
    if not seats.has_room_for(len(newcomers)):
        short = NoSeatToGive if free else NoSeatsLeft
        return replace(plan, refusal=short(free=free, wanted=len(newcomers)))
    codes = _free_codes(plan.contract_run)[: len(people)].count()
    if codes < len(people):
        return replace(plan, refusal=CodesMissing(free=codes, wanted=len(people)))
    return plan


def _judge_recipients(
    run: ContractRun, terms: ContractTerms, recipients: Sequence[Recipient]
) -> tuple[RecipientRow, ...]:
    """Return each line with its outcome, in the same few queries for one person and for five thousand."""
    listed = [_normalize(each) for each in recipients]
    complete = {each.email for each in listed if not each.is_unclear and is_email_address(each.email)}
    facts = _RecipientFacts.load(run, terms, complete)
    rows, seen = [], set()
    for each in listed:
        if each.is_unclear:
            outcome = RecipientOutcome.UNCLEAR
        elif each.email not in complete:
            outcome = RecipientOutcome.INCOMPLETE
        elif has_address(each.name):
            outcome = RecipientOutcome.ADDRESS_IN_NAME
        elif each.email in seen:
            outcome = RecipientOutcome.DUPLICATE
        else:
            seen.add(each.email)
            outcome = facts.outcome(each.email)
        rows.append(RecipientRow(email=each.email, name=each.name, outcome=outcome))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _RecipientFacts:
    """Prefetched enrollments, seats, codes and withdrawals of the addresses on a list."""

    has_course: frozenset[str] = frozenset()
    has_seat: frozenset[str] = frozenset()
    has_code: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()

    @classmethod
    def load(cls, run: ContractRun, terms: ContractTerms, emails: set[str]) -> _RecipientFacts:
        if not emails:
            return cls()
        is_shared = terms.max_learners is None
        enrolled = Enrollment.objects.active().filter(run=run.course_run_id, user__email__in=emails)
        codes = DiscountCode.objects.filter(discount__unlocks_id=run.product_id, assigned_email__in=emails)
        assigned = with_code_facts(codes).filter(in_state(CodeState.ASSIGNED))
        # Without a cap, people may still have a code of their own from the time when there was a cap.
        has_code = set(assigned.values_list("assigned_email", flat=True))
        if is_shared:
            # Used or not: everyone's invitation has the same code, so a second one would bring nothing new.
            invited = HandOut.objects.open().filter(contract_run=run, is_shared=True, email__in=emails)
            has_code.update(invited.values_list("email", flat=True))
        withdrawals = Withdrawal.objects.standing().filter(contract_id=terms.pk, user__email__in=emails)
        if not is_shared:  # a code of their own lifts what a manager withdrew
            withdrawals = withdrawals.exclude(authority=WithdrawnBy.MANAGER)
        return cls(
            has_course=frozenset(enrolled.values_list("user__email", flat=True)),
            # A seat in a free contract opens every course; where courses are paid for, each needs its own code.
            has_seat=frozenset(seated_addresses(terms.pk, emails) if terms.is_free else ()),
            has_code=frozenset(has_code),
            withdrawn=frozenset(withdrawals.values_list("user__email", flat=True)),
        )

    def outcome(self, email: str) -> RecipientOutcome:
        if email in self.has_course:
            return RecipientOutcome.HAS_COURSE
        if email in self.has_seat:
            return RecipientOutcome.HAS_SEAT
        if email in self.has_code:
            return RecipientOutcome.HAS_CODE
        return RecipientOutcome.WITHDRAWN if email in self.withdrawn else RecipientOutcome.GETS_CODE


def _normalize(recipient: Recipient) -> Recipient:
    email = recipient.email if recipient.is_unclear else normalize_email(recipient.email)
    return replace(recipient, email=email, name=_clean_name(recipient.name))


def _clean_name(text: str) -> str:
    return clean_name(text)[:NAME_MAX_LENGTH].strip()


def _refuse_closed_contract(terms: ContractTerms, *, now: datetime) -> None:
    """Refuse a contract whose codes no longer open anything; one that starts later is fine."""
    if not terms.needs_codes:
        raise NoCodesHere
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        raise ContractInactiveForCodes
    if standing is ContractStanding.ENDED and terms.end is not None:
        raise ContractOverForCodes(ended=terms.end)


def _refuse_closed_run(run: ContractRun, *, now: datetime) -> None:
    ends = [moment for moment in (run.course_run.enrollment_end, run.course_run.end_date) if moment is not None]
    if not run.course_run.live or (ends and now > min(ends)):
        raise EnrollmentOverForCodes(course=run.course_run.title)


# --- Writing ---------------------------------------------------------------------------------------------------------


def _free_codes(run: ContractRun) -> QuerySet[DiscountCode]:
    return DiscountCode.objects.filter(NEVER_TAKEN, discount__unlocks_id=run.product_id)


def _lock_free_codes(run: ContractRun, count: int) -> list[DiscountCode]:
    """Lock this many free codes and return them; raises CodesMissing.

    Codes in someone's cart come last: a visitor may have been given one by other means.
    """
    in_cart = Exists(BasketCode.objects.filter(code=OuterRef("pk")))
    codes: list[DiscountCode] = []
    for condition in (~Q(in_cart), Q(in_cart)):
        if len(codes) < count:
            free = _free_codes(run).filter(condition).order_by("pk").select_for_update(of=("self",), no_key=True)
            codes += free[: count - len(codes)]
    if len(codes) < count:
        raise CodesMissing(free=len(codes), wanted=count)
    return codes


def _record_hand_outs(
    plan: HandOutPlan, codes: Sequence[DiscountCode], *, by_id: int | None, now: datetime
) -> list[HandOut]:
    """Assign the codes, write the hand-outs and queue the e-mails. The caller holds the lock of the terms."""
    people = plan.with_outcome(RecipientOutcome.GETS_CODE)
    if not plan.is_shared:
        _assign_codes(codes, people, by_id=by_id, now=now)
    hand_outs = HandOut.objects.bulk_create(
        [
            HandOut(
                contract_run=plan.contract_run,
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
    page = ContractPage.objects.get(pk=plan.contract_run.contract_id)
    data = {"run": plan.contract_run.pk, "people": len(hand_outs), "shared": plan.is_shared}
    record(page, "b2b.code.assign", by_id=by_id, data=data)
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
        .filter(active=True, discount__unlocks__contract_run__isnull=False)
        .select_related("discount__unlocks__contract_run")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    existing = HandOut.objects.open().filter(code__in=assigned, is_shared=False)
    by_code = dict(existing.values_list("code_id", "pk"))
    missing = HandOut.objects.bulk_create(
        [
            HandOut(
                contract_run=code.discount.unlocks.contract_run,  # type: ignore[union-attr]  # the query asks for it
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
