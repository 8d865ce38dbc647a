"""Handing codes out by e-mail, reminding, and replacing the code that everyone shares.

In a contract with a cap each person gets a code of their own; without one they are invited with the shared link. A list
is looked at as a whole before anything is written or sent, under the lock of the contract's terms: distinct addresses
that wait for a seat, members and holds together never pass the cap (design 5.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from b2b.codes import IN_CONTRACT, NEVER_TAKEN, in_state, with_code_facts
from b2b.enums import CodeState, ContractStanding, MailKind, MailState, WithdrawnBy
from b2b.errors.handouts import (
    CodeNotAssigned,
    CodeNotFree,
    CodesMissing,
    HandOutRefused,
    NobodyToGiveTo,
    NoCodesHere,
    NoSeatToGive,
    PersonRefused,
    RemindedToday,
    TooLateToGive,
)
from b2b.errors.seats import NotAMember
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
from ecommerce.models import BasketCode, DiscountCode
from ecommerce.services.discounts.batches import Assignment, assign_codes, empty_baskets_of, replace_code
from mitxonline.kernel import clock
from mitxonline.kernel.addresses import is_email_address
from mitxonline.kernel.audit import record
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.fingerprint import fingerprint, refuse_unless_seen
from mitxonline.kernel.text import normalize_email

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

LONGEST_NAME = 255

# Whoever comes second in a day finds a row that no longer matches.
REMIND = """
UPDATE b2b_handout SET reminded_on = %(today)s
WHERE id = ANY(%(hand_outs)s) AND ended_at IS NULL AND (reminded_on IS NULL OR reminded_on < %(today)s)
RETURNING id
"""


class RecipientOutcome(StrEnum):
    """What a list says of one address."""

    GIVES = "gives"
    INCOMPLETE = "incomplete"
    TWICE = "twice"
    HAS_COURSE = "has_course"
    HAS_SEAT = "has_seat"
    GIVEN = "given"
    WITHDRAWN = "withdrawn"


SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.GIVES: _("Gets a code by e-mail."),
    RecipientOutcome.INCOMPLETE: _("This is not a complete address."),
    RecipientOutcome.TWICE: _("Listed twice. We'll use the first."),
    RecipientOutcome.HAS_COURSE: _("Has this course already."),
    RecipientOutcome.HAS_SEAT: _("Already has a seat, which includes this course."),
    RecipientOutcome.GIVEN: _("Has an unused code for this course already. You can send a reminder."),
    RecipientOutcome.WITHDRAWN: _("We withdrew this person’s access, and only we can give it back. Ask us about it."),
}
# What staff read in place of that: it is they who are asked.
STAFF_SENTENCES: dict[RecipientOutcome, StrOrPromise] = {
    RecipientOutcome.WITHDRAWN: _(
        "Access was withdrawn, and a code doesn’t give it back. Add the person under “Members”."
    ),
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone who shall get a code."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class HandOutRequest:
    """Hand codes of one course of a contract to these people."""

    contract_run_id: int
    recipients: Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """One line of the list, and what comes of it."""

    email: str
    name: str
    outcome: RecipientOutcome

    @property
    def gives(self) -> bool:
        """Whether this person gets a code."""
        return self.outcome is RecipientOutcome.GIVES

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        return str(SENTENCES[self.outcome])

    @property
    def staff_sentence(self) -> str:
        """The outcome in words for staff."""
        return str(STAFF_SENTENCES.get(self.outcome, SENTENCES[self.outcome]))


@dataclass(frozen=True, slots=True)
class HandOutPlan:
    """What handing out would do, line by line. With a ``refusal`` it does nothing at all.

    ``free_before`` and ``free_after`` are seats no one has and no one was promised; None without a cap.
    """

    contract_run: ContractRun
    rows: tuple[RecipientRow, ...]
    is_shared: bool
    free_before: int | None = None
    free_after: int | None = None
    refusal: HandOutRefused | None = None

    @property
    def gives(self) -> int:
        """How many people get a code."""
        return sum(row.gives for row in self.rows)

    @property
    def fingerprint(self) -> str:
        """Of who gets a code and who doesn't. Seats that others take meanwhile don't change it."""
        people = [(row.email, row.name, row.outcome.value) for row in self.rows]
        return fingerprint(self.contract_run.pk, self.is_shared, people)

    def with_outcome(self, *outcomes: RecipientOutcome) -> list[RecipientRow]:
        """The lines that came to this."""
        return [row for row in self.rows if row.outcome in outcomes]


@dataclass(frozen=True, slots=True)
class ReminderReport:
    """What became of reminding several people."""

    sent: int = 0
    too_soon: int = 0
    over: int = 0


def plan_hand_out(request: HandOutRequest, *, now: datetime) -> HandOutPlan:
    """What handing this course's codes to these people would do; writes nothing, constant queries.

    Raises NotAMember for a run that is in no contract.
    """
    run = _run(request.contract_run_id)
    return _plan(run, run.contract.terms, request.recipients, now=now)


def hand_out(request: HandOutRequest, *, by_id: int | None, now: datetime, seen: str | None = None) -> HandOutPlan:
    """Give each of these people a code and have it mailed to them: all who can have one, or no one.

    ``seen`` is the fingerprint of the plan that was confirmed, None where nobody was shown one.

    Raises what stands in the way as a whole (NoSeatToGive, CodesMissing, TooLateToGive, NoCodesHere, NobodyToGiveTo),
    PlanChanged, TooManyMails.
    """
    with transaction.atomic():
        run, terms = _lock_run(request.contract_run_id)
        plan = _plan(run, terms, request.recipients, now=now)
        if plan.refusal is not None:
            raise plan.refusal
        if seen is not None:
            refuse_unless_seen(seen, plan.fingerprint)
        people = plan.with_outcome(RecipientOutcome.GIVES)
        refuse_too_many(len(people), by_id=by_id, now=now)
        codes = [shared_codes([run])[run.pk]] * len(people) if plan.is_shared else _take_codes(run, len(people))
        _give(plan, codes, by_id=by_id, now=now)
    return plan


def assign_code(*, code_id: int, email: str, name: str = "", by_id: int | None, now: datetime) -> HandOut:
    """Give this very code to this person and have it mailed to them; a shared code invites them.

    Raises CodeNotFree, PersonRefused with the reason, or what ``hand_out`` raises.
    """
    run_id = DiscountCode.objects.filter(pk=code_id).values_list("discount__unlocks__contract_run", flat=True).first()
    if run_id is None:
        raise CodeNotFree
    with transaction.atomic():
        run, terms = _lock_run(run_id)
        plan = _plan(run, terms, [Recipient(email, name)], now=now)
        row = plan.rows[0]
        if not row.gives:
            raise PersonRefused(row.staff_sentence)
        if plan.refusal is not None:
            raise plan.refusal
        shared = shared_codes([run]).get(run.pk) if plan.is_shared else None
        code = _free_codes(run).filter(pk=code_id).select_for_update(of=("self",), no_key=True).first()
        if plan.is_shared and (shared is None or shared.pk != code_id):
            raise CodeNotFree
        chosen = shared or code
        if chosen is None:
            raise CodeNotFree
        return _give(plan, [chosen], by_id=by_id, now=now)[0]


def remind(*, hand_out_ids: Sequence[int], by_id: int | None, now: datetime) -> ReminderReport:
    """Remind people of codes they haven't used: each at most once a day, by one conditional write.

    Raises TooLateToGive where the contract admits no one any more, TooManyMails.
    """
    with transaction.atomic():
        found = list(
            HandOut.objects.open()
            .filter(pk__in=hand_out_ids, code__active=True)
            .exclude(is_shared=True, code__max_uses__isnull=False)
            .select_related("contract_run")
            .order_by("pk")
        )
        # Taking back locks the same rows after the terms: whoever has those goes first through all of them.
        for terms in lock_terms(each.contract_run.contract_id for each in found).values():
            _refuse_late(terms, now=now)
        used = used_hand_outs(found)
        waiting = {each.pk: each for each in found if each.pk not in used}
        params = {"hand_outs": list(waiting), "today": clock.date_of(now)}
        due = sorted(pk for (pk,) in fetch_sql(REMIND, params))
        queue_mails([waiting[pk] for pk in due], kind=MailKind.REMINDER, by_id=by_id, now=now)
        for contract_id, pks in _by_contract([waiting[pk] for pk in due]).items():
            record(ContractPage.objects.get(pk=contract_id), "b2b.code.remind", by_id=by_id, data={"hand_outs": pks})
    return ReminderReport(sent=len(due), too_soon=len(waiting) - len(due), over=len(set(hand_out_ids)) - len(waiting))


def remind_codes(*, contract_id: int, code_ids: Sequence[int], by_id: int | None, now: datetime) -> ReminderReport:
    """Remind the people these codes of the contract were given to."""
    with transaction.atomic():
        lock_terms([contract_id])
        mine = DiscountCode.objects.filter(pk__in=code_ids, **{IN_CONTRACT: contract_id})
        report = remind(hand_out_ids=_hand_outs_of(mine), by_id=by_id, now=now)
    return replace(report, over=len(set(code_ids)) - report.sent - report.too_soon)


def remind_code(*, code_id: int, by_id: int | None, now: datetime) -> None:
    """Remind the person a code was given to. Raises CodeNotAssigned, RemindedToday, or what ``remind`` raises."""
    this = DiscountCode.objects.filter(pk=code_id)
    with transaction.atomic():
        lock_terms(each for each in this.values_list(IN_CONTRACT, flat=True) if each is not None)
        report = remind(hand_out_ids=_hand_outs_of(this), by_id=by_id, now=now)
    if report.too_soon:
        raise RemindedToday
    if not report.sent:
        raise CodeNotAssigned


def replace_shared_code(
    *, contract_run_id: int, by_id: int | None, now: datetime, resend: bool = False
) -> DiscountCode:
    """Have another code take the place of the one that everyone shares; the old link opens nothing any more.

    Who used it keeps their seat. Open invitations end, or with ``resend`` the invited get the new link by mail.
    Raises CodeNotFree where the course has no shared code.
    """
    with transaction.atomic():
        run, _terms = _lock_run(contract_run_id)
        old = shared_codes([run]).get(run.pk)
        if old is None:
            raise CodeNotFree
        new = replace_code(old)
        empty_baskets_of([old.pk])
        invited = list(HandOut.objects.open().filter(contract_run=run, is_shared=True).order_by("pk"))
        used = used_hand_outs(invited)
        waiting = [each for each in invited if each.pk not in used]
        if resend:
            HandOut.objects.filter(pk__in=[each.pk for each in waiting]).update(code=new)
            # An invitation that waits to be sent will have the new link in it.
            queued = HandOutMail.objects.filter(hand_out__in=waiting, state=MailState.QUEUED)
            coming = set(queued.values_list("hand_out_id", flat=True))
            told = [each for each in waiting if each.pk not in coming]
            queue_mails(told, kind=MailKind.NEW_LINK, by_id=by_id, now=now)
        else:
            end_hand_outs([each.pk for each in waiting], by_id=by_id, now=now)
        data = {"run": run.pk, "code": new.pk, "invitations": len(waiting), "resend": resend}
        record(ContractPage.objects.get(pk=run.contract_id), "b2b.code.replace", by_id=by_id, data=data)
    return new


# --- Looking at a list -----------------------------------------------------------------------------------------------


def _run(contract_run_id: int) -> ContractRun:
    run = (
        ContractRun.objects.current()
        .filter(pk=contract_run_id, contract__terms__isnull=False)
        .select_related("contract__terms__organization", "course_run", "product")
        .first()
    )
    if run is None:
        raise NotAMember
    return run


def _lock_run(contract_run_id: int) -> tuple[ContractRun, ContractTerms]:
    """The run, and its terms locked: what is read from here on stays so."""
    run = _run(contract_run_id)
    return run, lock_terms([run.contract_id])[run.contract_id]


def _plan(run: ContractRun, terms: ContractTerms, recipients: Sequence[Recipient], *, now: datetime) -> HandOutPlan:
    is_shared = terms.max_learners is None
    rows = _rows(run, terms, recipients)
    plan = HandOutPlan(contract_run=run, rows=rows, is_shared=is_shared)
    try:
        _refuse_late(terms, now=now)
        _refuse_closed(run, now=now)
        plan = _add_seat_counts(plan, terms)
    except HandOutRefused as refusal:
        plan = replace(plan, refusal=refusal)
    if plan.refusal is None and not plan.gives:
        plan = replace(plan, refusal=NobodyToGiveTo())
    return plan


def _add_seat_counts(plan: HandOutPlan, terms: ContractTerms) -> HandOutPlan:
    """The plan with what is free before and after it, or refused because there isn't enough."""
    people = {row.email for row in plan.rows if row.gives}
    if terms.max_learners is None:
        if plan.contract_run.pk not in shared_codes([plan.contract_run]):
            return replace(plan, refusal=CodesMissing(free=0, wanted=len(people)))
        return plan
    seats = count_seats([terms.pk])[terms.pk]
    free = seats.free or 0
    newcomers = people - waiting_addresses(terms.pk).without_seat - seated_addresses(terms.pk, people)
    plan = replace(plan, free_before=free, free_after=max(0, free - len(newcomers)))
    if not seats.has_room_for(len(newcomers)):
        return replace(plan, refusal=NoSeatToGive(free=free, wanted=len(newcomers)))
    codes = _free_codes(plan.contract_run)[: len(people)].count()
    if codes < len(people):
        return replace(plan, refusal=CodesMissing(free=codes, wanted=len(people)))
    return plan


def _rows(run: ContractRun, terms: ContractTerms, recipients: Sequence[Recipient]) -> tuple[RecipientRow, ...]:
    """Each line with its outcome; the same few queries for one person and for five thousand."""
    asked = [(normalize_email(each.email), _as_name(each.name)) for each in recipients]
    complete = {email for email, _name in asked if is_email_address(email)}
    known = _RecipientFacts.of(run, terms, complete)
    rows, seen = [], set()
    for email, name in asked:
        if email not in complete:
            outcome = RecipientOutcome.INCOMPLETE
        elif email in seen:
            outcome = RecipientOutcome.TWICE
        else:
            seen.add(email)
            outcome = known.outcome(email)
        rows.append(RecipientRow(email=email, name=name, outcome=outcome))
    return tuple(rows)


@dataclass(frozen=True, slots=True)
class _RecipientFacts:
    """What the addresses of a list have in this contract."""

    has_course: frozenset[str]
    has_seat: frozenset[str]
    given: frozenset[str]
    withdrawn: frozenset[str]

    @classmethod
    def of(cls, run: ContractRun, terms: ContractTerms, emails: set[str]) -> _RecipientFacts:
        """Ask after all of them at once."""
        if not emails:
            return cls(frozenset(), frozenset(), frozenset(), frozenset())
        is_shared = terms.max_learners is None
        enrolled = Enrollment.objects.active().filter(run=run.course_run_id, user__email__in=emails)
        return cls(
            has_course=frozenset(enrolled.values_list("user__email", flat=True)),
            # A seat in a free contract opens every course; where courses are paid each needs its code.
            has_seat=frozenset(seated_addresses(terms.pk, emails) if terms.is_free else ()),
            # Without a cap someone may still have a code of their own from when there was one.
            given=frozenset(
                _addresses_with_codes(run, emails) | (_addresses_with_invitations(run, emails) if is_shared else set())
            ),
            withdrawn=frozenset(_withdrawn(terms, emails, is_shared=is_shared)),
        )

    def outcome(self, email: str) -> RecipientOutcome:
        """The first reason against giving this person a code, or that they get one."""
        if email in self.has_course:
            return RecipientOutcome.HAS_COURSE
        if email in self.has_seat:
            return RecipientOutcome.HAS_SEAT
        if email in self.given:
            return RecipientOutcome.GIVEN
        return RecipientOutcome.WITHDRAWN if email in self.withdrawn else RecipientOutcome.GIVES


def _addresses_with_codes(run: ContractRun, emails: set[str]) -> set[str]:
    codes = with_code_facts(DiscountCode.objects.filter(discount__unlocks_id=run.product_id, assigned_email__in=emails))
    return set(codes.filter(in_state(CodeState.ASSIGNED)).values_list("assigned_email", flat=True))


def _addresses_with_invitations(run: ContractRun, emails: set[str]) -> set[str]:
    """Everyone with an open invitation, used or not: it is the same code for ever."""
    invited = HandOut.objects.open().filter(contract_run=run, is_shared=True, email__in=emails)
    return set(invited.values_list("email", flat=True))


def _withdrawn(terms: ContractTerms, emails: set[str], *, is_shared: bool) -> set[str]:
    """Addresses a code of this contract doesn't let back in."""
    standing = Withdrawal.objects.standing().filter(contract_id=terms.pk, user__email__in=emails)
    if not is_shared:  # a code of their own lifts what a manager withdrew
        standing = standing.exclude(authority=WithdrawnBy.MANAGER)
    return set(standing.values_list("user__email", flat=True))


def _as_name(text: str) -> str:
    """A name as it can be kept and read: no control characters, not endless."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:LONGEST_NAME]


def _refuse_late(terms: ContractTerms, *, now: datetime) -> None:
    """A code that opens nothing any more is no gift; one that opens later is."""
    if not terms.needs_codes:
        raise NoCodesHere
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        raise TooLateToGive(_("The contract isn’t active, so its codes open nothing at the moment."))
    if standing is ContractStanding.ENDED and terms.end is not None:
        day = date_format(terms.end, "DATE_FORMAT")
        raise TooLateToGive(_("The contract ended on %(day)s, so its codes open nothing any more.") % {"day": day})


def _refuse_closed(run: ContractRun, *, now: datetime) -> None:
    ends = [moment for moment in (run.course_run.enrollment_end, run.course_run.end_date) if moment is not None]
    if not run.course_run.live or (ends and now > min(ends)):
        raise TooLateToGive(
            _("Enrollment for “%(course)s” is over. Choose another course: a seat opens all of them.")
            % {"course": run.course_run.title}
        )


# --- Giving ----------------------------------------------------------------------------------------------------------


def _free_codes(run: ContractRun) -> QuerySet[DiscountCode]:
    """The run's codes for one person that no one was given and no one has used."""
    return DiscountCode.objects.filter(NEVER_TAKEN, discount__unlocks_id=run.product_id)


def _take_codes(run: ContractRun, count: int) -> list[DiscountCode]:
    """So many free codes, locked; those that lie in someone's cart come last. Raises CodesMissing."""
    in_cart = Exists(BasketCode.objects.filter(code=OuterRef("pk")))
    codes: list[DiscountCode] = []
    for which in (~Q(in_cart), Q(in_cart)):
        if len(codes) < count:
            found = _free_codes(run).filter(which).order_by("pk").select_for_update(of=("self",), no_key=True)
            codes += found[: count - len(codes)]
    if len(codes) < count:
        raise CodesMissing(free=len(codes), wanted=count)
    return codes


def _give(plan: HandOutPlan, codes: Sequence[DiscountCode], *, by_id: int | None, now: datetime) -> list[HandOut]:
    """Write down who gets which code, and queue the mails; the caller holds the lock and has judged."""
    people = plan.with_outcome(RecipientOutcome.GIVES)
    if not plan.is_shared:
        _assign(codes, people, by_id=by_id, now=now)
    given = HandOut.objects.bulk_create(
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
    queue_mails(given, kind=MailKind.INVITATION, by_id=by_id, now=now)
    page = ContractPage.objects.get(pk=plan.contract_run.contract_id)
    data = {"run": plan.contract_run.pk, "people": len(given), "shared": plan.is_shared}
    record(page, "b2b.code.assign", by_id=by_id, data=data)
    return given


def _assign(codes: Sequence[DiscountCode], people: Sequence[RecipientRow], *, by_id: int | None, now: datetime) -> None:
    # Codes people were invited with while everyone shared them: they all know the text.
    known = HandOut.objects.filter(code__in=codes, is_shared=True).values_list("code_id", flat=True)
    assigned = assign_codes(
        [Assignment(code.pk, row.email, row.name) for code, row in zip(codes, people, strict=True)],
        renew_text_of=set(known),
        by_id=by_id,
        now=now,
    )
    if assigned != len(codes):  # the rows are locked and were free: someone wrote past the lock
        raise CodeNotFree


def _hand_outs_of(codes: QuerySet[DiscountCode]) -> list[int]:
    """The open hand-outs of these assigned codes; one that was assigned without is written down now."""
    assigned = list(
        codes.exclude(assigned_email="")
        .filter(active=True, discount__unlocks__contract_run__isnull=False)
        .select_related("discount__unlocks__contract_run")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
    there = HandOut.objects.open().filter(code__in=assigned, is_shared=False)
    by_code = dict(there.values_list("code_id", "pk"))
    missing = HandOut.objects.bulk_create(
        [
            HandOut(
                contract_run=code.discount.unlocks.contract_run,  # type: ignore[union-attr]  # asked for above
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


def _by_contract(hand_outs: Sequence[HandOut]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for each in hand_outs:
        found.setdefault(each.contract_run.contract_id, []).append(each.pk)
    return found
