"""The rules that may refuse a purchase, asked twice: to show the cart, and under the lock.

The setting ``CHECKOUT_RULES`` names them in the order of asking. Apps above this one add theirs there; ecommerce knows
only the protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Protocol

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from courses.enums import EnrollmentMode
from courses.errors import EnrollmentRefused
from courses.models import CourseRun, Enrollment
from courses.places import count_left, find_refusal
from courses.rules import refuse_unless_enrollable
from ecommerce.enums import OwnedCourses
from ecommerce.errors.checkout import (
    AlreadyEnrolled,
    CourseInProgram,
    CourseTwice,
    LastStartClosed,
    NotForSale,
    PartlyEnrolled,
    PaymentUnderWay,
    SameCourseTwice,
    SeatsNotSold,
    StartClosed,
)
from ecommerce.errors.codes import CheckoutRefused
from ecommerce.models import DiscountCode, LineKey, Order, Product
from ecommerce.ownership import (
    RunsByCourse,
    UnsettledOrder,
    find_enrolled_runs,
    find_owned_courses,
    find_unsettled_orders,
)
from ecommerce.programs import ProgramTerms, describe_programs, start_text
from mitxonline.kernel.db import transaction_lock
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One product that someone wants to buy, with the code that prices it and, for a program, its terms.

    ``knows_code``: its own code was applied, working or not; only people with a code are told whose it is. ``is_kept``:
    it is kept for later and not bought now. With ``seats`` it is bought for a group.
    """

    product: Product
    code: DiscountCode | None
    knows_code: bool = False
    is_kept: bool = False
    program: ProgramTerms = field(default_factory=ProgramTerms)
    seats: int | None = None

    @property
    def is_group(self) -> bool:
        return self.seats is not None

    @property
    def key(self) -> LineKey:
        return self.product.pk, self.is_group

    @property
    def runs(self) -> RunsByCourse:
        """The runs that the product gives this buyer: none if it is for a group."""
        if self.is_group:
            return {}
        run = self.product.course_run
        return {run.course_id: run.pk} if run is not None else self.program.runs

    @property
    def limited_runs(self) -> list[CourseRun]:
        """The runs in which the product gives places, if they have a number of places."""
        run = self.product.course_run
        runs = [run] if run is not None else [each.run for each in self.program.given]
        return [each for each in runs if each is not None and each.places is not None]


@dataclass(frozen=True)
class Purchase:
    """What the rules judge. ``user_id`` is None while the visitor is signed out.

    ``site_id`` is where it is bought; None for an order that is paid: what it sells may have moved since.
    """

    lines: tuple[PurchaseLine, ...]
    user_id: int | None
    now: datetime
    site_id: int | None = None

    def is_sold_here(self, product: Product) -> bool:
        return self.site_id is None or product.site_id in (None, self.site_id)


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule says of one line: a refusal, a right that replaces the code, or who pays for it.

    ``vouches``: this rule watches over the product. A product that needs a code is sold only if a rule vouches for it,
    so that a rule missing from the settings lets no one in.
    """

    product_id: int
    refusal: DomainError | None = None
    vouches: bool = False
    entitlement: str = ""
    provider: str = ""
    contact: str = ""
    is_group: bool = False

    @property
    def key(self) -> LineKey:
        return self.product_id, self.is_group


class CheckoutRule(Protocol):
    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge without writing or locking, to show the cart."""

    def lock(self, product_ids: Collection[int]) -> None:
        """Lock what the rule counts for these products, before their codes are locked."""

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        """Judge again under the lock, and reserve what can run out. Raise a refusal to stop the whole order."""


@cache
def checkout_rules() -> tuple[CheckoutRule, ...]:
    return tuple(import_string(path)() for path in settings.CHECKOUT_RULES)


@receiver(setting_changed)
def _forget_rules(*, setting: str, **_kwargs: object) -> None:
    if setting == "CHECKOUT_RULES":
        checkout_rules.cache_clear()


def check_rules(purchase: Purchase) -> list[RuleVerdict]:
    """Ask all rules, in their order. A product that needs a code and that no rule vouches for isn't for sale."""
    verdicts = [verdict for rule in checkout_rules() for verdict in rule.check(purchase)]
    vouched = {verdict.product_id for verdict in verdicts if verdict.vouches}
    return verdicts + [
        _refuse(line, NotForSale(title=line.product.title))
        for line in purchase.lines
        if line.product.requires_code and line.product.pk not in vouched
    ]


def lock_for(product_ids: Collection[int]) -> None:
    """Let the rules take their locks for these products. They come before the codes' (ADR 0003)."""
    for rule in checkout_rules():
        rule.lock(product_ids)


def lock_courses_of(user_id: int) -> None:
    """Let no other transaction sell or give courses to this learner until this one ends.

    Two orders that give the same course by different runs share no row that could be locked. This lock comes after the
    learner's orders and before the rules' locks (ADR 0003).
    """
    transaction_lock("ecommerce.courses_of", user_id)


def refuse_owned_courses(purchase: Purchase) -> None:
    """Raise the refusal of a course that the buyer has or is paying for, whichever rules are configured."""
    for refusal in first_refusals(NotAlreadyEnrolled().check(purchase)).values():
        raise refusal


def refuse_closed_products(
    products: Sequence[Product], *, user_id: int | None, now: datetime, seats: int | None = None
) -> None:
    """Raise why one of these products can't be bought now: by anyone, or because no place is left for this buyer."""
    programs = describe_programs(products, user_id=None, now=now)
    lines = (PurchaseLine(each, None, program=programs.get(each.pk, ProgramTerms()), seats=seats) for each in products)
    purchase = Purchase(tuple(lines), user_id=user_id, now=now)
    for refusal in first_refusals([*Sellable().check(purchase), *PlacesLeft().check(purchase)]).values():
        refusal.retry_url = refusal.retry_url or CheckoutRefused.retry_url
        raise refusal


def first_refusals(verdicts: Sequence[RuleVerdict]) -> dict[LineKey, DomainError]:
    refusals: dict[LineKey, DomainError] = {}
    for verdict in verdicts:
        if verdict.refusal is not None:
            refusals.setdefault(verdict.key, verdict.refusal)
    return refusals


def _refuse(line: PurchaseLine, refusal: DomainError) -> RuleVerdict:
    return RuleVerdict(product_id=line.product.pk, refusal=refusal, is_group=line.is_group)


class _ReadOnlyRule(ABC):
    """A rule that reserves nothing: under the lock it only asks again."""

    @abstractmethod
    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]: ...

    def lock(self, product_ids: Collection[int]) -> None:  # noqa: B027  nothing is counted, so nothing is locked
        pass

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        verdicts = self.check(purchase)
        for refusal in first_refusals(verdicts).values():
            refusal.retry_url = refusal.retry_url or CheckoutRefused.retry_url
            raise refusal
        return verdicts


class Sellable(_ReadOnlyRule):
    """The product is on sale and enrollment is open: in the run, or in the starts chosen for the program."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        return [
            _refuse(line, refusal) for line in purchase.lines if (refusal := self._refusal(line, purchase)) is not None
        ]

    def _refusal(self, line: PurchaseLine, purchase: Purchase) -> DomainError | None:
        product, run = line.product, line.product.course_run
        if not product.is_active or not purchase.is_sold_here(product):
            return NotForSale(title=product.title)
        if line.is_group and not product.sells_seats:
            return SeatsNotSold(title=product.title)
        if run is None:
            return _judge_starts(line)
        if (
            run.is_contract_only and not product.requires_code
        ):  # otherwise this product would be a way around the contract
            return NotForSale(title=product.title)
        try:
            refuse_unless_enrollable(run, now=purchase.now)
        except EnrollmentRefused as refusal:
            return refusal
        return None


def _judge_starts(line: PurchaseLine) -> DomainError | None:
    """Refuse a program that gives nothing to anyone, and one with a start that has closed since it was chosen."""
    terms = line.program
    if not terms.given and not terms.owned:
        return NotForSale(title=line.product.title)
    course = terms.closed_start
    if course is None or course.closed_start is None:
        return None
    closed = StartClosed if course.starts else LastStartClosed
    return closed(title=course.course.title, start=start_text(course.closed_start))


class NotAlreadyEnrolled(_ReadOnlyRule):
    """No one pays for a course that they have or are paying for. Who has it may still buy it for a group."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge with a constant number of queries. A buyer who audits a course may still buy the upgrade.

        Whether a learner has a product that needs a code is judged by the rule that vouches for it.
        """
        if purchase.user_id is None:
            return []
        unsettled = find_unsettled_orders(purchase.user_id)
        plain = [line for line in purchase.lines if line.product.course_run and not line.product.requires_code]
        courses = {course_id for line in plain for course_id in line.runs}
        enrolled = find_enrolled_runs(purchase.user_id, courses, now=purchase.now)
        verdicts = []
        for line in purchase.lines:
            verdict = None
            if (number := _find_unsettled_order(line, unsettled)) is not None:
                verdict = _refuse(line, PaymentUnderWay(number=number))
            elif line.is_group:
                continue
            elif line.product.course_run is None:
                verdict = _judge_owned_courses(line)
            elif not line.product.requires_code and find_owned_courses(line.product, line.runs, enrolled):
                verdict = _refuse(line, AlreadyEnrolled(titles=(line.product.title,)))
            if verdict is not None:
                verdicts.append(verdict)
        return verdicts


class EachCourseOnce(_ReadOnlyRule):
    """No two lines give the same course: a program and its course, two products of a run, two programs."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Refuse the lesser line of each pair: a course beside its program, auditing beside verified, the later one."""
        kept: list[PurchaseLine] = []
        verdicts = []
        # The sort is stable: of equals the first one stays.
        for line in sorted((each for each in purchase.lines if not each.is_kept), key=_rank, reverse=True):
            beside = next((each for each in kept if set(line.runs) & set(each.runs)), None)
            if beside is None:
                kept.append(line)
                continue
            product, other = line.product, beside.product
            twice = CourseTwice
            if product.course_run is not None:
                twice = CourseInProgram if other.course_run is None else SameCourseTwice
            shared = tuple(
                each.course.title
                for each in line.program.courses
                if each.course.pk in line.runs and each.course.pk in beside.runs
            )
            refusal = twice(title=product.title, beside=other.title, beside_id=other.pk, shared=shared)
            verdicts.append(_refuse(line, refusal))
        return verdicts


class PlacesLeft(_ReadOnlyRule):
    """Each run has a place for everyone who gets one by the lines together. `claim_places` counts under the lock."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge without a query where no run has a number of places."""
        wanted = [(line, run) for line in purchase.lines for run in line.limited_runs]
        if not wanted:
            return []
        ids = {run.pk for _line, run in wanted}
        left = count_left(ids, except_for=purchase.user_id)
        entered = Enrollment.objects.active().filter(user=purchase.user_id, run__in=ids)
        mine = set(entered.values_list("run", flat=True)) if purchase.user_id is not None else set()
        verdicts = []
        for line, run in wanted:
            places = 0 if run.pk in mine and not line.is_group else line.seats or 1
            refusal = find_refusal(run.title, left=left.get(run.pk, places), places=places) if places else None
            if refusal is not None:
                verdicts.append(_refuse(line, refusal))
            elif not line.is_kept and run.pk in left:
                left[run.pk] -= places
        return verdicts


def refuse_program(product: Product, terms: ProgramTerms, *, user_id: int | None, now: datetime) -> DomainError | None:
    """Return why this buyer can't buy a program now, as the cart would say."""
    purchase = Purchase((PurchaseLine(product, None, program=terms),), user_id=user_id, now=now)
    verdicts = [*Sellable().check(purchase), *NotAlreadyEnrolled().check(purchase), *PlacesLeft().check(purchase)]
    return first_refusals(verdicts).get((product.pk, False))


def _judge_owned_courses(line: PurchaseLine) -> RuleVerdict | None:
    """Judge a program of which the buyer has all courses that it gives, or some."""
    terms, title = line.program, line.product.title
    if not terms.owned:
        return None
    if not terms.given:
        return _refuse(line, AlreadyEnrolled(titles=(title,)))
    if terms.policy == OwnedCourses.NOT_SOLD:
        owned = tuple(sorted(each.course.title for each in terms.owned))
        refusal = PartlyEnrolled(titles=(title,), owned=owned, count=len(terms.courses))
        return _refuse(line, refusal)
    return None


def _find_unsettled_order(line: PurchaseLine, orders: Sequence[UnsettledOrder]) -> str | None:
    """Return the number of the order that is being paid for a course of this product.

    A contract's product counts as the same only as itself, because its seat gives more than the course.
    """
    product = line.product
    for order in orders:
        shares_course = not product.requires_code and not order.course_ids.isdisjoint(line.runs)
        if shares_course or line.key in order.line_keys:
            return order.number
    return None


def _rank(line: PurchaseLine) -> tuple[bool, bool]:
    return line.product.course_run is None, line.product.mode == EnrollmentMode.VERIFIED
