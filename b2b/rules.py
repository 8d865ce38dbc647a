"""The contracts' say in what may be bought (named in CHECKOUT_RULES).

Membership is the entitlement in a free contract; the code is how one becomes a member. Asked twice: to show, and
under the lock of the contract's terms, where seats are counted and held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Q

from b2b.enums import ContractStanding, MembershipSource, MembershipState, WithdrawnBy
from b2b.errors.seats import (
    AccessWithdrawn,
    AlreadyHasCourse,
    AlreadyHasCourseByOwnCode,
    AlreadySeated,
    ContractClosed,
    ContractEnded,
    ContractFull,
    ContractInactive,
    ContractNotStarted,
    ContractPromised,
    PriceChanging,
    course_not_open,
)
from b2b.models import ContractRun, ContractTerms, OrganizationMembership
from b2b.seats import Seats, claim_seat, lock_terms, seats_for
from courses.errors import EnrollmentRefused
from courses.models import Enrollment
from courses.rules import refuse_unless_enrollable
from ecommerce.enums import UseState
from ecommerce.errors.codes import CodeAddressUnconfirmed, CodeForSomebodyElse, CodeUnknown
from ecommerce.models import CodeUse, DiscountCode, Order
from ecommerce.rules import Purchase, PurchaseLine, RuleVerdict
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one learner in one contract before anything is decided."""

    contact: str = ""
    is_insider: bool = False
    seats: Seats = field(default_factory=Seats)
    user: User | None = None
    has_course: bool = False
    use: CodeUse | None = None
    withdrawn: bool = False

    @property
    def seat(self) -> str | None:
        """The state of the learner's seat, or None without one."""
        return self.seats.state

    @property
    def is_member(self) -> bool:
        """Whether the learner has a seat that gives access."""
        return self.seat == MembershipState.ACTIVE


class ContractSeats:
    """A contract product is bought with its own code, or by a member of a free contract, while a seat is free."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge the contract lines without a lock; queries don't grow with them."""
        found = _gather(purchase)
        contacts, insiders = _people(found, purchase.user_id)
        return [
            self._finding(
                purchase,
                line,
                run,
                replace(
                    standing,
                    contact=contacts.get(run.contract.terms.organization_id, ""),
                    is_insider=run.contract.terms.organization_id in insiders,
                ),
            )
            for line, run, standing in found
        ]

    def lock(self, product_ids: Collection[int]) -> None:
        """Lock the terms of the contracts these products belong to."""
        lock_terms(ContractRun.objects.filter(product_id__in=product_ids).values_list("contract_id", flat=True))

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        """Lock the terms, judge again, and hold a seat for the order in every contract it touches."""
        wanted = [line.product.pk for line in purchase.lines if line.product.requires_code]
        if not wanted:
            return []
        runs = ContractRun.objects.current().filter(product_id__in=wanted)
        terms = lock_terms(runs.values_list("contract_id", flat=True))
        refuse_replaced([line.code for line in purchase.lines if line.code is not None])
        findings, seated = [], set()
        for line, run, standing in _gather(purchase):  # only now: what was read before the lock could be stale
            finding = self._finding(purchase, line, run, standing)
            if finding.refusal is not None:
                raise next((named.refusal for named in self.check(purchase) if named.refusal), finding.refusal)
            if not _is_at_price(line, run.contract.terms):
                raise PriceChanging(title=line.product.title)
            if line.code is not None and not standing.is_member and run.contract_id not in seated:
                claim_seat(
                    terms=terms[run.contract_id],
                    user_id=order.purchaser_id,
                    state=MembershipState.HELD,
                    source=MembershipSource.CODE,
                    code_ids=[each.code.pk for each in purchase.lines if each.code is not None],
                    order=order,
                    now=purchase.now,
                    contact=finding.contact,
                    lifts_withdrawal=True,  # or it would have been refused above
                )
                seated.add(run.contract_id)
            findings.append(finding)
        return findings

    def _finding(self, purchase: Purchase, line: PurchaseLine, run: ContractRun, standing: Standing) -> RuleVerdict:
        terms = run.contract.terms
        entitled = terms.is_free and standing.is_member
        # Product numbers can be counted through. Whose customer is whose is told to its own people, and to whoever
        # holds a code (API-01).
        is_told = line.code is not None or line.knows_code or standing.seat is not None or standing.is_insider
        return RuleVerdict(
            product_id=line.product.pk,
            refusal=self._refusal(purchase, line, run, standing) if line.code or entitled else None,
            vouches=True,
            entitlement=f"contract {terms.pk}" if entitled else "",
            provider=terms.organization.name if is_told else "",
            contact=standing.contact if is_told else "",
        )

    def _refusal(
        self, purchase: Purchase, line: PurchaseLine, run: ContractRun, standing: Standing
    ) -> DomainError | None:
        terms = run.contract.terms
        if standing.withdrawn:
            return AccessWithdrawn(organization=terms.organization.name, contact=standing.contact)
        if standing.has_course:
            same = standing.use is not None or line.code is None
            return AlreadySeated() if same else _has_course(line.code, standing)
        if (refusal := refuse_entry(terms, now=purchase.now)) is not None:
            return refusal if line.code is not None else ContractClosed(contract=run.contract.name)
        if line.code is not None and (refusal := refuse_person(terms, line.code, standing.user)) is not None:
            return refusal
        if standing.seats.is_full:
            full = ContractPromised if standing.seats.count.invited else ContractFull
            return full(contact=standing.contact)
        try:
            refuse_unless_enrollable(run.course_run, now=purchase.now)
        except EnrollmentRefused as closed:
            return course_not_open(closed)
        return None


def _has_course(code: DiscountCode | None, standing: Standing) -> DomainError:
    """What someone with the course and another code is told."""
    if code is not None and standing.user is not None and _is_given_to(code, standing.user):
        return AlreadyHasCourseByOwnCode()
    return AlreadyHasCourse(contact=standing.contact)


def _is_at_price(line: PurchaseLine, terms: ContractTerms) -> bool:
    """Whether product and code have followed the contract's price, which its terms have as soon as it is published."""
    discount = line.code.discount if line.code is not None else None
    return line.product.money == terms.money and (
        discount is None or Money(discount.amount, discount.currency) == terms.money
    )


def _is_given_to(code: DiscountCode, user: User) -> bool:
    return normalize_email(code.assigned_email) == normalize_email(user.email)


def refuse_entry(terms: ContractTerms, *, now: datetime) -> DomainError | None:
    """Why no one can come into the contract on this day, or None (B2B-05: both ends included)."""
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        return ContractInactive(organization=terms.organization.name)
    if standing is ContractStanding.NOT_STARTED and terms.start is not None:
        return ContractNotStarted(opens=terms.start)
    if standing is ContractStanding.ENDED and terms.end is not None:
        return ContractEnded(ended=terms.end, organization=terms.organization.name)
    return None


def refuse_person(terms: ContractTerms, code: DiscountCode, user: User | None) -> DomainError | None:
    """Why this person can't use a code that was given to another address, or None: only where the contract says so.

    Whom a signed-out visitor turns out to be is judged after they signed in.
    """
    if user is None or not terms.codes_only_for_assignee or not code.assigned_email:
        return None
    if not _is_given_to(code, user):
        return CodeForSomebodyElse()
    return None if user.email_verified_at is not None else CodeAddressUnconfirmed()


def refuse_replaced(codes: Iterable[DiscountCode]) -> None:
    """Raise CodeUnknown for a code that got another text while someone came with the old one.

    Only what was handed out is taken back or replaced, under the lock of the terms, which the caller holds too.
    """
    texts = {code.pk: code.text for code in codes if code.assigned_email or code.max_uses is None}
    if texts and dict(DiscountCode.objects.filter(pk__in=texts).values_list("pk", "text")) != texts:
        raise CodeUnknown


def contacts_of(organization_ids: Iterable[int]) -> dict[int, str]:
    """The name of each organization's first manager, whom a learner may ask; left out where there is none."""
    managers = OrganizationMembership.objects.filter(
        organization_id__in=set(organization_ids), is_manager=True, user__is_active=True
    )
    return dict(managers.order_by("-pk").values_list("organization_id", "user__name"))


def _people(
    found: list[tuple[PurchaseLine, ContractRun, Standing]], user_id: int | None
) -> tuple[dict[int, str], set[int]]:
    """Each organization's contact, and the organizations this visitor belongs to; one query."""
    ids = {run.contract.terms.organization_id for _line, run, _standing in found}
    if not ids:
        return {}, set()
    rows = OrganizationMembership.objects.filter(organization_id__in=ids).order_by("-pk")
    rows = rows.filter(Q(is_manager=True, user__is_active=True) | Q(user_id=user_id))
    contacts: dict[int, str] = {}
    insiders: set[int] = set()
    for organization_id, member_id, name, is_manager, is_active in rows.values_list(
        "organization_id", "user_id", "user__name", "is_manager", "user__is_active"
    ):
        if is_manager and is_active:
            contacts[organization_id] = name
        if member_id == user_id:
            insiders.add(organization_id)
    return contacts, insiders


def _gather(purchase: Purchase) -> list[tuple[PurchaseLine, ContractRun, Standing]]:
    """The contract lines with their runs, terms, and what the learner has there; constant queries."""
    wanted = {line.product.pk: line for line in purchase.lines if line.product.requires_code}
    if not wanted:
        return []
    runs = list(
        ContractRun.objects.current()
        .filter(product_id__in=list(wanted), contract__terms__isnull=False)
        .select_related("contract__terms__organization", "course_run")
        .order_by("pk")
    )
    standings = _standings(purchase, [wanted[run.product_id or 0] for run in runs], runs)
    return [(wanted[run.product_id or 0], run, standing) for run, standing in zip(runs, standings, strict=True)]


def _standings(purchase: Purchase, lines: list[PurchaseLine], runs: list[ContractRun]) -> list[Standing]:
    """What the learner has in each run's contract; the same few queries for one run and for fifty."""
    codes = [line.code for line in lines if line.code]
    seats = seats_for([run.contract_id for run in runs], purchase.user_id, code_ids=[code.pk for code in codes])
    if purchase.user_id is None:
        return [Standing(seats=seats[run.contract_id]) for run in runs]
    given = any(line.code.assigned_email for line in lines if line.code)
    user = User.objects.get(pk=purchase.user_id) if given else None
    in_these = Enrollment.objects.active().of(purchase.user_id).filter(run__in=[run.course_run_id for run in runs])
    enrolled = set(in_these.values_list("run_id", flat=True))
    uses: dict[int, list[CodeUse]] = {}
    for use in CodeUse.objects.filter(user_id=purchase.user_id, code__in=codes) if codes else ():
        uses.setdefault(use.code_id, []).append(use)
    return [
        _standing(line, run, seats[run.contract_id], user, enrolled, uses.get(line.code.pk, []) if line.code else [])
        for line, run in zip(lines, runs, strict=True)
    ]


def _standing(
    line: PurchaseLine, run: ContractRun, seats: Seats, user: User | None, enrolled: set[int], uses: list[CodeUse]
) -> Standing:
    return Standing(
        seats=seats,
        user=user,
        has_course=run.course_run_id in enrolled,
        use=_live(uses),
        withdrawn=seats.state is None and (_was_withdrawn(uses) or _stays_withdrawn(seats, line.code, user)),
    )


def _stays_withdrawn(seats: Seats, code: DiscountCode | None, user: User | None) -> bool:
    """Whether access stays withdrawn. What staff withdrew, staff lift; what a manager withdrew, a code given since."""
    if seats.withdrawn_at is None:
        return False
    if seats.withdrawn_as != WithdrawnBy.MANAGER:
        return True
    given = code is not None and user is not None and _is_given_to(code, user)
    return not (given and code is not None and code.assigned_at is not None and code.assigned_at > seats.withdrawn_at)


def _live(uses: list[CodeUse]) -> CodeUse | None:
    return next((use for use in uses if use.state in {UseState.HELD, UseState.CONFIRMED}), None)


def _was_withdrawn(uses: list[CodeUse]) -> bool:
    return (
        bool(uses)
        and all(use.state != UseState.CONFIRMED for use in uses)
        and any(use.state == UseState.RETIRED for use in uses)
    )
