"""What an organization's managers see of their own organization: seats, codes by state, and invitations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext_lazy as _

from b2b.codes import OF_REMOVED_RUN, in_managed_state, managed_state, product_url, with_code_facts
from b2b.enums import (
    ContractStanding,
    IntegrationType,
    MailState,
    ManagedCodeState,
    MembershipSource,
    MembershipState,
    WithdrawnBy,
)
from b2b.errors.handouts import HandOutUnknown, InvitationUnclear
from b2b.models import (
    ContractMembership,
    ContractRun,
    ContractTerms,
    HandOut,
    HandOutMail,
    OrganizationMembership,
    Withdrawal,
)
from b2b.seats import SeatCount, count_seats
from b2b.selectors.codes import CodeFilter, matching
from b2b.selectors.handouts import shared_codes, used_hand_outs
from b2b.selectors.lots import ContractLot, Lot
from courses.rules import is_enrollable
from ecommerce.codes import COUNTED_USE_STATES, EVER_TAKEN, code_state, redeem_url
from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel import clock
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_code
from mitxonline.users.models import User

PER_PAGE = 25
# No id has as many.
DIGITS_OF_IDS = 19
NO_FILTER = CodeFilter()
# A code that is handed out under one of these leads somewhere, now or later. Contracts are listed in the order below.
ADMITTING = (ContractStanding.OPEN, ContractStanding.NOT_STARTED)
IN_ORDER = (*ADMITTING, ContractStanding.ENDED, ContractStanding.INACTIVE)
# An invitation by the shared code is never free, nor off.
INVITATION_STATES = (
    ManagedCodeState.INVITED,
    ManagedCodeState.HELD,
    ManagedCodeState.JOINED,
    ManagedCodeState.FAILED,
    ManagedCodeState.WITHDRAWN,
)


@dataclass(frozen=True, slots=True)
class ManagedSeats(SeatCount):
    """The seats of one contract, with the number of members by source."""

    by_source: Mapping[str, int] = field(default_factory=dict)

    @property
    def source_sentences(self) -> list[str]:
        """How members joined; empty if all of them used a code."""
        counts = {source: count for source, count in self.by_source.items() if count}
        if not set(counts) - {MembershipSource.CODE}:
            return []
        sentences = {
            MembershipSource.CODE: _("%(count)d by a code"),
            MembershipSource.SSO: _("%(count)d by single sign-on"),
            MembershipSource.STAFF: _("%(count)d added by staff"),
            MembershipSource.API: _("%(count)d added by another system"),
        }
        return [str(text) % {"count": counts[source]} for source, text in sentences.items() if source in counts]


@dataclass(frozen=True, slots=True)
class ManagedRun:
    """One course of a contract; its codes can be handed out while `is_open`."""

    contract_run: ContractRun
    is_open: bool

    @property
    def pk(self) -> int:
        return self.contract_run.pk

    @property
    def title(self) -> str:
        return self.contract_run.course_run.title

    @property
    def link(self) -> str:
        return product_url(self.contract_run.product_id)


@dataclass(frozen=True, slots=True)
class ManagedContract:
    """One contract with its seats and courses."""

    terms: ContractTerms
    seats: ManagedSeats
    runs: tuple[ManagedRun, ...]
    today: date

    @property
    def name(self) -> str:
        return self.terms.page.name

    @property
    def has_cap(self) -> bool:
        """Whether each person gets a code of their own."""
        return self.terms.max_learners is not None

    @property
    def has_codes(self) -> bool:
        return self.terms.needs_codes

    @property
    def price(self) -> Money:
        """What a learner pays for each course."""
        return self.terms.money

    @property
    def standing(self) -> ContractStanding:
        return self.terms.standing_on(self.today)

    @property
    def shows_links(self) -> bool:
        """Whether members sign in through their organization and then pay: they need links to the courses."""
        return self.terms.integration_type == IntegrationType.SSO and not self.terms.is_free

    @property
    def can_hand_out(self) -> bool:
        return self.has_codes and self.standing in ADMITTING and any(run.is_open for run in self.runs)


@dataclass(frozen=True, slots=True)
class ManagedCode:
    """One line of a manager's list: a code, or an invitation by the shared code."""

    pk: int
    text: str
    state: ManagedCodeState
    title: str = ""
    contract_run_id: int | None = None
    email: str = ""
    name: str = ""
    given_at: datetime | None = None
    used_by: str = ""
    used_name: str = ""
    used_at: datetime | None = None
    held_until: datetime | None = None
    is_withdrawn_by_staff: bool = False
    hand_out_id: int | None = None
    mail: MailState | None = None
    mail_reason: str = ""
    mail_at: datetime | None = None
    reminded_on: date | None = None

    @property
    def is_used_by_another(self) -> bool:
        return bool(self.used_by and self.email and self.used_by != self.email)

    @property
    def is_waiting(self) -> bool:
        """Whether the person can be reminded and the code can be taken back."""
        return self.state in (ManagedCodeState.INVITED, ManagedCodeState.FAILED)

    @property
    def is_free(self) -> bool:
        return self.state == ManagedCodeState.FREE

    @property
    def is_off(self) -> bool:
        return self.state == ManagedCodeState.OFF


@dataclass(frozen=True, slots=True)
class SharedCode:
    """The one code of a course that everyone in a contract without a cap shares.

    `used` counts people who used it, `waiting` invited people who haven't.
    """

    run: ManagedRun
    code: DiscountCode
    used: int
    waiting: int

    @property
    def link(self) -> str:
        return redeem_url(self.code.text)


def managed_membership(*, user_id: int, slug: str) -> OrganizationMembership | None:
    """Return the membership that makes someone a manager of this organization; None for everyone else."""
    return (
        OrganizationMembership.objects.filter(
            user_id=user_id, is_manager=True, organization__slug=slug, organization__live=True
        )
        .select_related("organization__logo")
        .first()
    )


def manages_any_organization(user: User) -> bool:
    """Tell whether someone manages an organization, even one that isn't published right now."""
    return OrganizationMembership.objects.filter(user_id=user.pk, is_manager=True).exists()


def managed_contracts(organization_id: int, *, now: datetime, contract_id: int | None = None) -> list[ManagedContract]:
    """Return an organization's contracts with seats and courses, open ones first, in constant queries."""
    found = ContractTerms.objects.filter(organization_id=organization_id)
    if contract_id is not None:
        found = found.filter(pk=contract_id)
    terms = list(found.select_related("page", "organization").order_by(F("end").desc(nulls_first=True), "pk"))
    if not terms:
        return []
    seats, runs, today = _load_seats(terms), _load_runs([each.pk for each in terms], now), clock.date_of(now)
    contracts = [
        ManagedContract(terms=each, seats=seats[each.pk], runs=tuple(runs.get(each.pk, ())), today=today)
        for each in terms
    ]
    return sorted(contracts, key=lambda contract: IN_ORDER.index(contract.standing))


def managed_contract(*, user_id: int, organization_id: int, contract_id: int) -> ContractTerms | None:
    """Return a contract of an organization that this person manages; None for every other."""
    return (
        ContractTerms.objects.filter(
            pk=contract_id,
            organization_id=organization_id,
            organization__live=True,
            organization__memberships__user_id=user_id,
            organization__memberships__is_manager=True,
        )
        .select_related("page", "organization")
        .first()
    )


def managed_runs(contract_id: int, *, now: datetime) -> list[ManagedRun]:
    """Return the courses of a contract by title; one query."""
    return _load_runs([contract_id], now).get(contract_id, [])


# --- Codes that someone has -------------------------------------------------------------------------------------------


def handed_out_codes(
    contract_id: int, states: Iterable[ManagedCodeState], words: str, *, now: datetime
) -> QuerySet[DiscountCode]:
    """Return the codes in these states that were assigned or used, the used ones first."""
    codes = filter_codes(ContractLot(contract_id), CodeFilter(words=words), now=now)
    # Most of a million codes are free; they are left out before anything is looked up about them.
    taken = codes.filter(EVER_TAKEN).filter(_in_any(states))
    return taken.order_by("-uses", F("assigned_at").desc(nulls_last=True), "pk")


def handed_out_invitations(
    contract_id: int, states: Iterable[ManagedCodeState], words: str, *, now: datetime
) -> QuerySet[HandOut]:
    """Return the invitations in these states, the latest first."""
    return filter_invitations(contract_id, CodeFilter(words=words), now=now).filter(_in_any(states))


def find_line(terms: ContractTerms, runs: Sequence[ManagedRun], text: str, *, now: datetime) -> ManagedCode:
    """Return the line of a code; where everyone shares one, of the invitation with this code or this id.

    Raises HandOutUnknown, and InvitationUnclear if several people were invited with the code.
    """
    if terms.max_learners is not None:
        codes = filter_codes(ContractLot(terms.pk), NO_FILTER, now=now)
        found = list(codes.filter(normalized=normalize_code(text))[:1])
        lines = code_lines(found, runs, now=now)
    else:
        chosen = Q(code__normalized=normalize_code(text))
        if text.isdecimal() and len(text) < DIGITS_OF_IDS:
            chosen |= Q(pk=int(text))
        invitations = filter_invitations(terms.pk, NO_FILTER, now=now).filter(chosen)
        lines = invitation_lines(list(invitations[:2]), runs, now=now)
    if len(lines) > 1:
        raise InvitationUnclear
    if not lines:
        raise HandOutUnknown
    return lines[0]


def find_line_of_code(terms: ContractTerms, runs: Sequence[ManagedRun], code_id: int, *, now: datetime) -> ManagedCode:
    """Return the line of a code of the contract; raises HandOutUnknown."""
    codes = filter_codes(ContractLot(terms.pk), NO_FILTER, now=now).filter(pk=code_id)
    for line in code_lines(list(codes), runs, now=now):
        return line
    raise HandOutUnknown


def find_code_id(contract_id: int, text: str) -> int | None:
    """Return the code of a contract with this text, or None."""
    codes = ContractLot(contract_id).codes().filter(~OF_REMOVED_RUN, normalized=normalize_code(text))
    return codes.values_list("pk", flat=True).first()


def lines_of(
    terms: ContractTerms, runs: Sequence[ManagedRun], hand_outs: Sequence[HandOut], *, now: datetime
) -> list[ManagedCode]:
    """Return the lines of hand-outs: of their codes, or where everyone shares one, of the invitations."""
    if terms.max_learners is None:
        chosen = filter_invitations(terms.pk, NO_FILTER, now=now).filter(pk__in=[each.pk for each in hand_outs])
        return invitation_lines(list(chosen.order_by("pk")), runs, now=now)
    codes = filter_codes(ContractLot(terms.pk), NO_FILTER, now=now)
    chosen_codes = codes.filter(pk__in=[each.code_id for each in hand_outs]).order_by("pk")
    return code_lines(list(chosen_codes), runs, now=now)


def _in_any(states: Iterable[ManagedCodeState]) -> Q:
    return reduce(or_, (in_managed_state(state) for state in states))


# --- Codes of a contract with a cap ----------------------------------------------------------------------------------


def count_codes(lot: Lot, code_filter: CodeFilter = NO_FILTER, *, now: datetime) -> dict[str, int]:
    """Return how many codes of the filter are in each state, whatever state it asks for; one query."""
    return _count_states(filter_codes(lot, replace(code_filter, state=""), now=now).order_by(), ManagedCodeState)


def filter_codes(lot: Lot, code_filter: CodeFilter, *, now: datetime) -> QuerySet[DiscountCode]:
    """Return the codes the filter leaves, assigned ones first."""
    codes = _codes(lot, now)
    if code_filter.state:
        codes = codes.filter(in_managed_state(ManagedCodeState(code_filter.state)))
    if code_filter.run_id is not None:
        codes = codes.filter(discount__unlocks__contract_run=code_filter.run_id)
    if code_filter.words:
        codes = codes.filter(matching(code_filter.words))
    return codes.order_by(F("assigned_at").desc(nulls_last=True), "-uses", "pk")


def code_lines(codes: Sequence[Any], runs: Iterable[ManagedRun], *, now: datetime) -> list[ManagedCode]:
    """Turn codes from `filter_codes` into lines; three queries for any number, four if some are withdrawn."""
    by_product = {run.contract_run.product_id: run for run in runs}
    uses = _load_uses(codes)
    withdrawn_by_staff = _withdrawn_by_staff(
        [uses[code.pk] for code in codes if code_state(code) is CodeState.WITHDRAWN and code.pk in uses]
    )
    lines = []
    for line, code in zip(_make_lines(codes, uses, now), codes, strict=True):
        run, use = by_product[code.discount.unlocks_id], uses.get(code.pk)
        lines.append(
            replace(
                line,
                title=run.title,
                contract_run_id=run.pk,
                is_withdrawn_by_staff=(
                    use is not None and (run.contract_run.contract_id, use.user_id) in withdrawn_by_staff
                ),
            )
        )
    return lines


def sale_code_lines(codes: Sequence[Any], *, title: str, now: datetime) -> list[ManagedCode]:
    """Turn codes of a group purchase from `filter_codes` into lines; three queries for any number."""
    lines = _make_lines(codes, _load_uses(codes), now)
    titles = [code.moved_to.title if code.moved_to is not None else title for code in codes]
    return [replace(line, title=own) for line, own in zip(lines, titles, strict=True)]


def find_member_by_code(code_id: int, *, contract_id: int) -> User | None:
    """Return the member of the contract who used this code of it, or None."""
    seats = ContractMembership.objects.filter(
        contract_id=contract_id, state=MembershipState.ACTIVE, user_id=OuterRef("user_id")
    )
    uses = CodeUse.objects.filter(
        Exists(seats),
        code_id=code_id,
        code__max_uses__isnull=False,
        code__discount__unlocks__contract_run__contract_id=contract_id,
        state=UseState.CONFIRMED,
    )
    use = uses.select_related("user").first()
    return use.user if use is not None else None


# --- Invitations of a contract without a cap -------------------------------------------------------------------------


def shared_code_lines(contract: ManagedContract) -> list[SharedCode]:
    """Return the shared code of each course with its numbers; five queries."""
    runs = {run.pk: run for run in contract.runs}
    codes = shared_codes([run.contract_run for run in contract.runs])
    confirmed = CodeUse.objects.filter(code__in=codes.values(), state=UseState.CONFIRMED).order_by()
    used = dict(confirmed.values_list("code_id").annotate(n=Count("pk")))
    invitations = list(HandOut.objects.open().filter(contract_run__in=list(runs), is_shared=True))
    used_ids = used_hand_outs(invitations)
    waiting = Counter(each.contract_run_id for each in invitations if each.pk not in used_ids)
    return [
        SharedCode(run=run, code=codes[pk], used=used.get(codes[pk].pk, 0), waiting=waiting[pk])
        for pk, run in runs.items()
        if pk in codes
    ]


def count_invitations(contract_id: int, code_filter: CodeFilter = NO_FILTER, *, now: datetime) -> dict[str, int]:
    """Return how many invitations of the filter are in each state, whatever state it asks for; one query."""
    invitations = filter_invitations(contract_id, replace(code_filter, state=""), now=now).order_by()
    return _count_states(invitations, INVITATION_STATES)


def filter_invitations(contract_id: int, code_filter: CodeFilter, *, now: datetime) -> QuerySet[HandOut]:
    """Return the invitations the filter leaves, the latest first."""
    invitations = _invitations(contract_id, now)
    if code_filter.state:
        invitations = invitations.filter(in_managed_state(ManagedCodeState(code_filter.state)))
    if code_filter.run_id is not None:
        invitations = invitations.filter(contract_run=code_filter.run_id)
    if code_filter.words:
        words = code_filter.words.strip()
        invitations = invitations.filter(Q(email__icontains=words) | Q(name__icontains=words))
    return invitations.select_related("code").order_by("-given_at", "-pk")


def invitation_lines(hand_outs: Sequence[Any], runs: Iterable[ManagedRun], *, now: datetime) -> list[ManagedCode]:
    """Turn hand-outs from `filter_invitations` into lines; two queries for any number."""
    titles = {run.pk: run.title for run in runs}
    mail_of = _last_mails([each.pk for each in hand_outs])
    shared = [each for each in hand_outs if each.is_shared]
    matches = Q(code__in=[each.code_id for each in hand_outs if not each.is_shared]) | Q(
        code__in={each.code_id for each in shared}, user__email__in={each.email for each in shared}
    )
    uses = list(CodeUse.objects.filter(matches, state__in=COUNTED_USE_STATES).select_related("user").order_by("pk"))
    by_person = {(use.code_id, use.user.email): use for use in uses}
    by_code = {use.code_id: use for use in uses}
    return [
        ManagedCode(
            pk=each.pk,
            text=each.code.text if each.code is not None else "",
            state=managed_state(each),
            title=titles.get(each.contract_run_id, ""),
            contract_run_id=each.contract_run_id,
            email=each.email,
            name=each.name,
            given_at=each.given_at,
            hand_out_id=each.pk,
            reminded_on=each.reminded_on,
            **_use_fields(by_person.get((each.code_id, each.email)) if each.is_shared else by_code.get(each.code_id)),
            **_mail_fields(mail_of.get(each.pk), now),
        )
        for each in hand_outs
    ]


# --- Queries ---------------------------------------------------------------------------------------------------------


def _load_seats(terms: Sequence[ContractTerms]) -> dict[int, ManagedSeats]:
    ids = [each.pk for each in terms]
    members = ContractMembership.objects.filter(contract_id__in=ids, state=MembershipState.ACTIVE).order_by()
    by_source: dict[int, dict[str, int]] = {}
    for contract_id, source, n in members.values_list("contract_id", "source").annotate(n=Count("pk")):
        by_source.setdefault(contract_id, {})[source] = n
    return {
        pk: ManagedSeats(
            joined=seats.joined,
            held=seats.held,
            invited=seats.invited,
            cap=seats.cap,
            by_source=by_source.get(pk, {}),
        )
        for pk, seats in count_seats(ids).items()
    }


def _load_runs(contract_ids: Sequence[int], now: datetime) -> dict[int, list[ManagedRun]]:
    found: dict[int, list[ManagedRun]] = {}
    runs = ContractRun.objects.current().filter(contract_id__in=contract_ids).select_related("course_run", "product")
    for run in runs.order_by("course_run__title", "pk"):
        start = run.course_run.enrollment_start
        # Codes of a course that opens later can be handed out today.
        is_open = is_enrollable(run.course_run, now=max(now, start) if start is not None else now)
        found.setdefault(run.contract_id, []).append(ManagedRun(contract_run=run, is_open=is_open))
    return found


def _count_states(rows: QuerySet[Any], states: Iterable[ManagedCodeState]) -> dict[str, int]:
    counts: dict[str, int] = rows.aggregate(
        **{state.value: Count("pk", filter=in_managed_state(state)) for state in states}
    )
    return counts


def _codes(lot: Lot, now: datetime) -> QuerySet[DiscountCode]:
    """The codes of the lot, without those of removed runs, with the facts that decide their state."""
    return with_managed_facts(lot.codes().filter(~OF_REMOVED_RUN), now=now).select_related("discount", "moved_to")


def with_managed_facts(codes: QuerySet[DiscountCode], *, now: datetime) -> QuerySet[DiscountCode]:
    """Annotate what `in_managed_state` asks."""
    failed = Exists(HandOutMail.objects.to_send_again(now=now).filter(hand_out__code=OuterRef("pk")))
    facts = with_code_facts(codes)
    return facts.annotate(is_failed=Case(When(~Q(assigned_email=""), then=failed), default=Value(False)))


def _invitations(contract_id: int, now: datetime) -> QuerySet[HandOut]:
    """Open invitations, and personal codes from when the contract had a cap, with the facts of a code.

    A shared code counts as used if the invited person used it; a personal code, if anyone used it.
    """
    uses = CodeUse.objects.filter(code=OuterRef("code"))

    def has(state: UseState) -> Case:
        by_invited = uses.filter(user__email=OuterRef("email"), state=state)
        return Case(When(is_shared=True, then=Exists(by_invited)), default=Exists(uses.filter(state=state)))

    return (
        HandOut.objects.open()
        .filter(contract_run__contract_id=contract_id, contract_run__removed_at__isnull=True)
        .annotate(
            is_used=has(UseState.CONFIRMED),
            is_held=has(UseState.HELD),
            is_spent=has(UseState.RETIRED),
            is_off=Value(False),
            is_assigned=Value(True),
            is_failed=Exists(HandOutMail.objects.to_send_again(now=now).filter(hand_out=OuterRef("pk"))),
        )
    )


def _load_uses(codes: Sequence[Any]) -> dict[int, CodeUse]:
    """Return the last use of each code with a limit."""
    limited = [code.pk for code in codes if code.max_uses is not None]
    uses = CodeUse.objects.filter(code_id__in=limited, state__in=COUNTED_USE_STATES).select_related("user")
    return {use.code_id: use for use in uses.order_by("-pk")}


def _make_lines(codes: Sequence[Any], uses: Mapping[int, CodeUse], now: datetime) -> list[ManagedCode]:
    """Turn codes into lines without their course; two queries."""
    hand_outs = HandOut.objects.open().filter(code_id__in=[code.pk for code in codes], is_shared=False)
    hand_out_of = {each.code_id: each for each in hand_outs if each.code_id is not None}
    mail_of = _last_mails([each.pk for each in hand_out_of.values()])
    lines = []
    for code in codes:
        hand_out = hand_out_of.get(code.pk)
        lines.append(
            ManagedCode(
                pk=code.pk,
                text=code.text,
                state=managed_state(code),
                email=code.assigned_email,
                name=code.assigned_name,
                given_at=code.assigned_at,
                hand_out_id=hand_out.pk if hand_out is not None else None,
                reminded_on=hand_out.reminded_on if hand_out is not None else None,
                **_use_fields(uses.get(code.pk)),
                **_mail_fields(mail_of.get(hand_out.pk) if hand_out is not None else None, now),
            )
        )
    return lines


def _last_mails(hand_out_ids: Sequence[int]) -> dict[int, HandOutMail]:
    mails = HandOutMail.objects.filter(hand_out__in=hand_out_ids).order_by("pk")
    return {mail.hand_out_id: mail for mail in mails}


def _withdrawn_by_staff(uses: Sequence[CodeUse]) -> set[tuple[int, int]]:
    """Contract and user ids of withdrawals that only staff can lift, for the people behind these uses."""
    if not uses:
        return set()
    withdrawals = Withdrawal.objects.standing().filter(
        user_id__in=[use.user_id for use in uses], authority=WithdrawnBy.STAFF
    )
    return set(withdrawals.values_list("contract_id", "user_id"))


def _use_fields(use: CodeUse | None) -> dict[str, Any]:
    if use is None:
        return {}
    return {
        "used_by": use.user.email,
        "used_name": use.user.name,
        "used_at": use.changed_at,
        "held_until": use.held_until,
    }


def _mail_fields(mail: HandOutMail | None, now: datetime) -> dict[str, Any]:
    if mail is None:
        return {}
    return {
        "mail": mail.current_state(now=now),
        "mail_reason": mail.reason,
        "mail_at": mail.finished_at or mail.queued_at,
    }
