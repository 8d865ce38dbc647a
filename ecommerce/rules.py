"""The rules that may refuse a purchase, asked twice: to show the cart, and under the lock.

The setting ``CHECKOUT_RULES`` names them in the order of asking. Apps above this one add theirs there; ecommerce knows
only the protocol.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Protocol

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from courses.enums import EnrollmentMode
from courses.errors import EnrollmentRefused
from courses.rules import refuse_unless_enrollable
from ecommerce.errors.checkout import (
    AlreadyEnrolled,
    CourseInProgram,
    CourseTwice,
    NotForSale,
    PartlyEnrolled,
    PaymentUnderWay,
    SameCourseTwice,
)
from ecommerce.errors.codes import CheckoutRefused
from ecommerce.models import DiscountCode, Order, Product
from ecommerce.ownership import (
    RunsByCourse,
    UnsettledOrder,
    find_enrolled_runs,
    find_owned_courses,
    find_product_runs,
    find_unsettled_orders,
    sells_partly_owned_programs,
)
from mitxonline.kernel.db import transaction_lock
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One product that someone wants to buy, with the code that prices it.

    ``knows_code``: its own code was applied, working or not; only people with a code are told whose it is. ``is_kept``:
    it is kept for later and not bought now.
    """

    product: Product
    code: DiscountCode | None
    knows_code: bool = False
    is_kept: bool = False


@dataclass(frozen=True)
class Purchase:
    """What the rules judge. ``user_id`` is None while the visitor is signed out."""

    lines: tuple[PurchaseLine, ...]
    user_id: int | None
    now: datetime

    @cached_property
    def runs(self) -> dict[int, RunsByCourse]:
        """The runs that each product gives, by the product's id."""
        return find_product_runs([line.product for line in self.lines], now=self.now)


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule says of one product: a refusal, a right that replaces the code, who pays for it, or a note to show.

    ``vouches``: this rule watches over the product. A product that needs a code is sold only if a rule vouches for it,
    so that a rule missing from the settings lets no one in.
    """

    product_id: int
    refusal: DomainError | None = None
    vouches: bool = False
    entitlement: str = ""
    provider: str = ""
    contact: str = ""
    note: str = ""


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
        RuleVerdict(product_id=line.product.pk, refusal=NotForSale(title=line.product.title))
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


def refuse_closed_products(products: Sequence[Product], *, now: datetime) -> None:
    """Raise why one of these products can't be bought by anyone now."""
    purchase = Purchase(tuple(PurchaseLine(product, None) for product in products), user_id=None, now=now)
    for refusal in first_refusals(Sellable().check(purchase)).values():
        refusal.retry_url = refusal.retry_url or CheckoutRefused.retry_url
        raise refusal


def first_refusals(verdicts: Sequence[RuleVerdict]) -> dict[int, DomainError]:
    refusals: dict[int, DomainError] = {}
    for verdict in verdicts:
        if verdict.refusal is not None:
            refusals.setdefault(verdict.product_id, verdict.refusal)
    return refusals


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
    """The product is on sale and enrollment is open: in the run, or in a run of the program."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        return [
            RuleVerdict(product_id=line.product.pk, refusal=refusal)
            for line in purchase.lines
            if (refusal := self._refusal(line.product, purchase.runs, purchase.now)) is not None
        ]

    def _refusal(self, product: Product, given: Mapping[int, RunsByCourse], now: datetime) -> DomainError | None:
        run = product.course_run
        if not product.is_active or not given[product.pk]:
            return NotForSale(title=product.title)
        if run is None:
            return None
        if (
            run.is_contract_only and not product.requires_code
        ):  # otherwise this product would be a way around the contract
            return NotForSale(title=product.title)
        try:
            refuse_unless_enrollable(run, now=now)
        except EnrollmentRefused as refusal:
            return refusal
        return None


class NotAlreadyEnrolled(_ReadOnlyRule):
    """No one pays for a course that they have or are paying for."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge with a constant number of queries. A buyer who audits a course may still buy the upgrade.

        Whether a learner has a product that needs a code is judged by the rule that vouches for it.
        """
        if purchase.user_id is None:
            return []
        unsettled = find_unsettled_orders(purchase.user_id)
        plain = [line.product for line in purchase.lines if not line.product.requires_code]
        courses = {course_id for product in plain for course_id in purchase.runs[product.pk]}
        enrolled = find_enrolled_runs(purchase.user_id, courses, now=purchase.now)
        verdicts = []
        for line in purchase.lines:
            runs = purchase.runs[line.product.pk]
            if (number := _find_unsettled_order(line.product, runs, unsettled)) is not None:
                verdicts.append(RuleVerdict(product_id=line.product.pk, refusal=PaymentUnderWay(number=number)))
            elif not line.product.requires_code and (owned := find_owned_courses(line.product, runs, enrolled)):
                verdicts.append(_judge_owned_courses(line.product, runs, owned))
        return verdicts


class EachCourseOnce(_ReadOnlyRule):
    """No two lines give the same course: a program and its course, two products of a run, two programs."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Refuse the lesser line of each pair: a course beside its program, auditing beside verified, the later one."""
        lines = [line.product for line in purchase.lines if not line.is_kept]
        kept: list[Product] = []
        verdicts = []
        for product in sorted(lines, key=_rank, reverse=True):  # stable: of equals the first one stays
            courses = set(purchase.runs[product.pk])
            beside = next((each for each in kept if courses & set(purchase.runs[each.pk])), None)
            if beside is None:
                kept.append(product)
                continue
            twice = CourseTwice
            if product.course_run is not None:
                twice = CourseInProgram if beside.course_run is None else SameCourseTwice
            refusal = twice(title=product.title, beside=beside.title, beside_id=beside.pk)
            verdicts.append(RuleVerdict(product_id=product.pk, refusal=refusal))
        return verdicts


def ownership_refusal(product: Product, runs: RunsByCourse, owned: Mapping[int, str]) -> AlreadyEnrolled:
    """Return the refusal for a buyer who has all of a product's courses, or some of a program's."""
    if len(owned) == len(runs):
        return AlreadyEnrolled(title=product.title)
    return PartlyEnrolled(title=product.title, owned=tuple(sorted(owned.values())), count=len(runs))


def _judge_owned_courses(product: Product, runs: RunsByCourse, owned: Mapping[int, str]) -> RuleVerdict:
    refusal = ownership_refusal(product, runs, owned)
    if isinstance(refusal, PartlyEnrolled) and sells_partly_owned_programs():
        note = _("You already have: %(had)s. The price doesn’t change.") % {"had": ", ".join(refusal.owned)}
        return RuleVerdict(product_id=product.pk, note=note)
    return RuleVerdict(product_id=product.pk, refusal=refusal)


def _find_unsettled_order(product: Product, runs: RunsByCourse, orders: Sequence[UnsettledOrder]) -> str | None:
    """Return the number of the order that is being paid for a course of this product.

    A contract's product counts as the same only as itself, because its seat gives more than the course.
    """
    for order in orders:
        shares_course = not product.requires_code and not order.course_ids.isdisjoint(runs)
        if shares_course or product.pk in order.product_ids:
            return order.number
    return None


def _rank(product: Product) -> tuple[bool, bool]:
    return product.course_run is None, product.mode == EnrollmentMode.VERIFIED
