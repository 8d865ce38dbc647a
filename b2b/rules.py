"""The checkout rule for products of contracts (named in CHECKOUT_RULES).

In a free contract membership is the entitlement, and a code is how one becomes a member. The rule is checked twice: to
show the cart, and under the lock of the contract's terms, where seats are counted and held.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

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
)
from b2b.models import ContractRun, ContractTerms, OrganizationMembership
from b2b.seats import Seats, claim_seat, lock_terms, seats_for
from courses.errors import EnrollmentRefused
from courses.models import Enrollment
from courses.places import refuse_if_full
from courses.rules import refuse_unless_enrollable
from ecommerce.enums import LIVE_USE_STATES, UseState
from ecommerce.errors.checkout import AlreadyEnrolled
from ecommerce.errors.codes import CodeAddressUnconfirmed, CodeForSomebodyElse, CodeUnknown, course_not_open
from ecommerce.models import CodeUse, DiscountCode, Order
from ecommerce.rules import Purchase, PurchaseLine, RuleVerdict
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import Money
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class LearnerFacts:
    """Prefetched facts about one learner in one contract.

    `contact` is a manager they may ask; `is_insider`, whether they belong to the organization; `use`, their live use of
    the code on the line.
    """

    contact: str = ""
    is_insider: bool = False
    seats: Seats = field(default_factory=Seats)
    user: User | None = None
    has_course: bool = False
    use: CodeUse | None = None
    withdrawn: bool = False

    @property
    def seat(self) -> str | None:
        return self.seats.state

    @property
    def is_member(self) -> bool:
        return self.seat == MembershipState.ACTIVE


class ContractSeats:
    """Contract products need one of the contract's codes, or membership in a free contract, and a free seat."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge the contract lines without a lock, in constant queries."""
        lines = _load_lines(purchase)
        contacts, insiders = _load_contacts(lines, purchase.user_id)
        return [
            self._judge_line(
                purchase,
                line,
                run,
                replace(
                    facts,
                    contact=contacts.get(run.contract.terms.organization_id, ""),
                    is_insider=run.contract.terms.organization_id in insiders,
                ),
            )
            for line, run, facts in lines
        ]

    def lock(self, product_ids: Collection[int]) -> None:
        lock_terms(ContractRun.objects.filter(product_id__in=product_ids).values_list("contract_id", flat=True))

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        """Lock the terms, judge the lines again, and hold a seat for the order in each of their contracts."""
        product_ids = [line.product.pk for line in purchase.lines if line.product.requires_code]
        if not product_ids:
            return []
        runs = ContractRun.objects.current().filter(product_id__in=product_ids)
        terms = lock_terms(runs.values_list("contract_id", flat=True))
        refuse_replaced([line.code for line in purchase.lines if line.code is not None])
        verdicts, seated = [], set()
        for line, run, facts in _load_lines(purchase):  # read after the lock, so that nothing is stale
            verdict = self._judge_line(purchase, line, run, facts)
            if verdict.refusal is not None:
                # The same refusal with the contact's name, which is only looked up for refusals.
                raise next((each.refusal for each in self.check(purchase) if each.refusal), verdict.refusal)
            if not _is_at_price(line, run.contract.terms):
                raise PriceChanging(title=line.product.title)
            if line.code is not None and not facts.is_member and run.contract_id not in seated:
                claim_seat(
                    terms=terms[run.contract_id],
                    user_id=order.purchaser_id,
                    state=MembershipState.HELD,
                    source=MembershipSource.CODE,
                    code_ids=[each.code.pk for each in purchase.lines if each.code is not None],
                    order=order,
                    now=purchase.now,
                    contact=verdict.contact,
                    lifts_withdrawal=True,  # a withdrawal that stays was refused above
                )
                seated.add(run.contract_id)
            verdicts.append(verdict)
        return verdicts

    def _judge_line(self, purchase: Purchase, line: PurchaseLine, run: ContractRun, facts: LearnerFacts) -> RuleVerdict:
        terms = run.contract.terms
        is_entitled = terms.is_free and facts.is_member
        refusal = self._refusal(purchase, line, run, facts) if line.code or is_entitled else None
        if line.code is None and facts.has_course and refusal is None and not facts.withdrawn:
            refusal = AlreadyEnrolled(titles=(line.product.title,))
        # Product ids can be enumerated, so only the organization's people and holders of a code learn whose contract
        # a product belongs to.
        shows_organization = line.code is not None or line.knows_code or facts.seat is not None or facts.is_insider
        return RuleVerdict(
            product_id=line.product.pk,
            refusal=refusal,
            vouches=True,
            entitlement=f"contract {terms.pk}" if is_entitled else "",
            provider=terms.organization.name if shows_organization else "",
            contact=facts.contact if shows_organization else "",
        )

    def _refusal(
        self, purchase: Purchase, line: PurchaseLine, run: ContractRun, facts: LearnerFacts
    ) -> DomainError | None:
        terms = run.contract.terms
        if facts.withdrawn:
            return AccessWithdrawn(organization=terms.organization.name, contact=facts.contact)
        if facts.has_course:
            if facts.use is not None or line.code is None:
                return AlreadySeated()
            if facts.user is not None and _is_assigned_to(line.code, facts.user):
                return AlreadyHasCourseByOwnCode()
            return AlreadyHasCourse(contact=facts.contact)
        if (refusal := find_entry_refusal(terms, now=purchase.now)) is not None:
            return refusal if line.code is not None else ContractClosed(contract=run.contract.name)
        if line.code is not None and (refusal := find_person_refusal(terms, line.code, facts.user)) is not None:
            return refusal
        if facts.seats.is_full:
            full = ContractPromised if facts.seats.count.invited else ContractFull
            return full(contact=facts.contact)
        try:
            refuse_unless_enrollable(run.course_run, now=purchase.now)
            refuse_if_full(run.course_run, except_for=purchase.user_id)
        except EnrollmentRefused as closed:
            return course_not_open(closed, hint=_("Choose another course in your contract."))
        return None


def _is_at_price(line: PurchaseLine, terms: ContractTerms) -> bool:
    """Whether product and code already have the terms' price; publishing updates the terms first."""
    discount = line.code.discount if line.code is not None else None
    return line.product.money == terms.money and (
        discount is None or Money(discount.amount, discount.currency) == terms.money
    )


def _is_assigned_to(code: DiscountCode, user: User) -> bool:
    return normalize_email(code.assigned_email) == normalize_email(user.email)


def find_entry_refusal(terms: ContractTerms, *, now: datetime) -> DomainError | None:
    """Return why no one can join the contract today, or None. Its first and last day are included."""
    standing = terms.standing_on(clock.date_of(now))
    if standing is ContractStanding.INACTIVE:
        return ContractInactive(organization=terms.organization.name)
    if standing is ContractStanding.NOT_STARTED and terms.start is not None:
        return ContractNotStarted(opens=terms.start)
    if standing is ContractStanding.ENDED and terms.end is not None:
        return ContractEnded(ended=terms.end, organization=terms.organization.name)
    return None


def find_person_refusal(terms: ContractTerms, code: DiscountCode, user: User | None) -> DomainError | None:
    """Return why this person can't use a code assigned to another address, or None.

    Only contracts with `codes_only_for_assignee` refuse. A visitor is judged once they have signed in.
    """
    if user is None or not terms.codes_only_for_assignee or not code.assigned_email:
        return None
    if not _is_assigned_to(code, user):
        return CodeForSomebodyElse()
    return None if user.email_verified_at is not None else CodeAddressUnconfirmed()


def refuse_replaced(codes: Iterable[DiscountCode]) -> None:
    """Raise CodeUnknown if a code got another text after it was read.

    Assigned and shared codes are revoked and replaced under the lock of the terms. The caller holds that lock, so the
    text can't change after this check.
    """
    texts = {code.pk: code.text for code in codes if code.assigned_email or code.max_uses is None}
    if texts and dict(DiscountCode.objects.filter(pk__in=texts).values_list("pk", "text")) != texts:
        raise CodeUnknown


def contacts_of(organization_ids: Iterable[int]) -> dict[int, str]:
    """Return by organization the name of its first manager, whom learners may ask."""
    managers = OrganizationMembership.objects.filter(
        organization_id__in=set(organization_ids), is_manager=True, user__is_active=True
    )
    return dict(managers.order_by("-pk").values_list("organization_id", "user__name"))


def _load_contacts(
    lines: list[tuple[PurchaseLine, ContractRun, LearnerFacts]], user_id: int | None
) -> tuple[dict[int, str], set[int]]:
    """Return each organization's contact, and the organizations the visitor belongs to; one query."""
    ids = {run.contract.terms.organization_id for _line, run, _facts in lines}
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


def _load_lines(purchase: Purchase) -> list[tuple[PurchaseLine, ContractRun, LearnerFacts]]:
    """Return the contract lines with their runs, terms and the learner's facts; constant queries."""
    lines = {line.product.pk: line for line in purchase.lines if line.product.requires_code}
    if not lines:
        return []
    runs = list(
        ContractRun.objects.current()
        .filter(product_id__in=list(lines), contract__terms__isnull=False)
        .select_related("contract__terms__organization", "course_run")
        .order_by("pk")
    )
    facts = _load_facts(purchase, [lines[run.product_id or 0] for run in runs], runs)
    return [(lines[run.product_id or 0], run, each) for run, each in zip(runs, facts, strict=True)]


def _load_facts(purchase: Purchase, lines: list[PurchaseLine], runs: list[ContractRun]) -> list[LearnerFacts]:
    """Return the learner's facts for each run, in the same few queries for one run and for fifty."""
    codes = [line.code for line in lines if line.code]
    seats = seats_for([run.contract_id for run in runs], purchase.user_id, code_ids=[code.pk for code in codes])
    if purchase.user_id is None:
        return [LearnerFacts(seats=seats[run.contract_id]) for run in runs]
    # Only an assigned code is compared with the person's address.
    user = User.objects.get(pk=purchase.user_id) if any(code.assigned_email for code in codes) else None
    enrollments = Enrollment.objects.active().of(purchase.user_id).filter(run__in=[run.course_run_id for run in runs])
    enrolled = set(enrollments.values_list("run_id", flat=True))
    uses: dict[int, list[CodeUse]] = {}
    for use in CodeUse.objects.filter(user_id=purchase.user_id, code__in=codes) if codes else ():
        uses.setdefault(use.code_id, []).append(use)
    facts = []
    for line, run in zip(lines, runs, strict=True):
        uses_here = uses.get(line.code.pk, []) if line.code else []
        seats_here = seats[run.contract_id]
        is_withdrawn = _was_withdrawn(uses_here) or _stays_withdrawn(seats_here, line.code, user)
        facts.append(
            LearnerFacts(
                seats=seats_here,
                user=user,
                has_course=run.course_run_id in enrolled,
                use=next((use for use in uses_here if use.state in LIVE_USE_STATES), None),
                withdrawn=seats_here.state is None and is_withdrawn,
            )
        )
    return facts


def _stays_withdrawn(seats: Seats, code: DiscountCode | None, user: User | None) -> bool:
    """Tell whether a withdrawal stays. Only staff lift theirs; a code assigned afterwards lifts a manager's."""
    if seats.withdrawn_at is None:
        return False
    if seats.withdrawn_as != WithdrawnBy.MANAGER:
        return True
    if code is None or user is None or code.assigned_at is None:
        return True
    return not (_is_assigned_to(code, user) and code.assigned_at > seats.withdrawn_at)


def _was_withdrawn(uses: list[CodeUse]) -> bool:
    return (
        bool(uses)
        and all(use.state != UseState.CONFIRMED for use in uses)
        and any(use.state == UseState.RETIRED for use in uses)
    )
