"""Rules asked before anything is sold: once to show, once under the lock.

The rules are named in the setting ``CHECKOUT_RULES``, in the order of asking. Apps above this one add theirs there;
ecommerce knows the protocol only.
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
    """One product someone means to buy, with the code that prices it.

    ``knows_code``: a code of its own was applied, whether it still works or not; whoever has one may hear whose it is.
    ``is_kept``: it waits beside the cart, and isn't bought now.
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
        """What each product gives, by its key."""
        return find_product_runs([line.product for line in self.lines], now=self.now)


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """What a rule says of one product: a refusal, a right that replaces the code, who pays for it, or a note to read.

    ``vouches`` says that this rule watches over the product. One that needs a code and that no rule vouches for is
    not sold at all, so a rule missing from the settings lets no one in (design 3.9).
    """

    product_id: int
    refusal: DomainError | None = None
    vouches: bool = False
    entitlement: str = ""
    provider: str = ""
    contact: str = ""
    note: str = ""


class CheckoutRule(Protocol):
    """Something that has a say in what may be bought."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge without writing or locking; also what grays out the button."""

    def lock(self, product_ids: Collection[int]) -> None:
        """Lock what the rule counts for these products, before anyone touches their codes."""

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        """Judge again under the lock and reserve what runs out; raise to refuse the whole order."""


@cache
def checkout_rules() -> tuple[CheckoutRule, ...]:
    """The rules of this installation, in their order."""
    return tuple(import_string(path)() for path in settings.CHECKOUT_RULES)


@receiver(setting_changed)
def _forget_rules(*, setting: str, **_kwargs: object) -> None:
    if setting == "CHECKOUT_RULES":
        checkout_rules.cache_clear()


def check_rules(purchase: Purchase) -> list[RuleVerdict]:
    """Ask all rules, in their order. A product that needs a code and that no rule vouches for isn't for sale."""
    findings = [finding for rule in checkout_rules() for finding in rule.check(purchase)]
    vouched = {finding.product_id for finding in findings if finding.vouches}
    return findings + [
        RuleVerdict(product_id=line.product.pk, refusal=NotForSale(title=line.product.title))
        for line in purchase.lines
        if line.product.requires_code and line.product.pk not in vouched
    ]


def lock_for(product_ids: Collection[int]) -> None:
    """Let the rules take their locks for these products: they come before the codes' (ADR 0003)."""
    for rule in checkout_rules():
        rule.lock(product_ids)


def lock_courses_of(user_id: int) -> None:
    """Let no one else buy or be given courses for this learner until the transaction ends.

    Two orders that give the same course by different runs share no row; what is asked after this lock stays true. It
    comes after the learner's orders and before the rules' locks (ADR 0003).
    """
    transaction_lock("ecommerce.courses_of", user_id)


def refuse_owned_courses(purchase: Purchase) -> None:
    """Raise what stands against selling the buyer a course they have, whatever else was judged before."""
    for refusal in first_refusals(NotAlreadyEnrolled().check(purchase)).values():
        raise refusal


def first_refusals(findings: Sequence[RuleVerdict]) -> dict[int, DomainError]:
    """The first refusal of each product, in the order of asking."""
    refusals: dict[int, DomainError] = {}
    for finding in findings:
        if finding.refusal is not None:
            refusals.setdefault(finding.product_id, finding.refusal)
    return refusals


class _ReadOnlyRule(ABC):
    """A rule that holds nothing: under the lock it only asks again."""

    @abstractmethod
    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge without writing or locking."""

    def lock(self, product_ids: Collection[int]) -> None:  # noqa: B027  a rule that counts nothing locks nothing
        """Nothing is counted here."""

    def hold(self, purchase: Purchase, order: Order) -> Sequence[RuleVerdict]:
        """Ask again and raise the first refusal, which leads back to the cart."""
        findings = self.check(purchase)
        for refusal in first_refusals(findings).values():
            refusal.retry_url = refusal.retry_url or CheckoutRefused.retry_url
            raise refusal
        return findings


class Sellable(_ReadOnlyRule):
    """The product is on sale and enrollment is open: in the run, or in some course of the program."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Judge each line by its product and its runs' dates."""
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
        if run.is_contract_only and not product.requires_code:  # whoever made it: no way around the contract
            return NotForSale(title=product.title)
        try:
            refuse_unless_enrollable(run, now=now)
        except EnrollmentRefused as refusal:
            return refusal
        return None


class NotAlreadyEnrolled(_ReadOnlyRule):
    """No one pays twice for the same course (K2): neither for one they have nor for one they are paying for."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """The same few queries for any number of lines; a buyer who only audits may still upgrade.

        Whether someone has a product that needs a code is judged by the rule that vouches for it: it knows whose seat
        it is.
        """
        if purchase.user_id is None:
            return []
        awaited = find_unsettled_orders(purchase.user_id)
        plain = [line.product for line in purchase.lines if not line.product.requires_code]
        courses = {course_id for product in plain for course_id in purchase.runs[product.pk]}
        places = find_enrolled_runs(purchase.user_id, courses, now=purchase.now)
        findings = []
        for line in purchase.lines:
            given = purchase.runs[line.product.pk]
            if (number := _find_unsettled_order(line.product, given, awaited)) is not None:
                refusal = PaymentUnderWay(number=number)
                findings.append(RuleVerdict(product_id=line.product.pk, refusal=refusal))
            elif not line.product.requires_code and (had := find_owned_courses(line.product, given, places)):
                findings.append(_judge_owned_courses(line.product, given, had))
        return findings


class EachCourseOnce(_ReadOnlyRule):
    """No two lines give the same course: a program and one of its courses, two products of a run, two programs."""

    def check(self, purchase: Purchase) -> Sequence[RuleVerdict]:
        """Name the line to be removed of each two: a course before its program, what is less, what came later."""
        lines = [line.product for line in purchase.lines if not line.is_kept]
        keeps = sorted(lines, key=_rank, reverse=True)  # stable: of equals the first one stays
        kept: list[Product] = []
        findings = []
        for product in keeps:
            courses = set(purchase.runs[product.pk])
            beside = next((each for each in kept if courses & set(purchase.runs[each.pk])), None)
            if beside is None:
                kept.append(product)
                continue
            twice = CourseTwice
            if product.course_run is not None:
                twice = CourseInProgram if beside.course_run is None else SameCourseTwice
            refusal = twice(title=product.title, beside=beside.title, beside_id=beside.pk)
            findings.append(RuleVerdict(product_id=product.pk, refusal=refusal))
        return findings


def ownership_refusal(product: Product, given: RunsByCourse, had: Mapping[int, str]) -> AlreadyEnrolled:
    """What a buyer is told who has these courses of a product: all of them, or some of a program's."""
    if len(had) == len(given):
        return AlreadyEnrolled(title=product.title)
    return PartlyEnrolled(title=product.title, owned=tuple(sorted(had.values())), count=len(given))


def _judge_owned_courses(product: Product, given: RunsByCourse, had: Mapping[int, str]) -> RuleVerdict:
    refusal = ownership_refusal(product, given, had)
    if isinstance(refusal, PartlyEnrolled) and sells_partly_owned_programs():
        note = _("You already have: %(had)s. The price doesn’t change.") % {"had": ", ".join(refusal.owned)}
        return RuleVerdict(product_id=product.pk, note=note)
    return RuleVerdict(product_id=product.pk, refusal=refusal)


def _find_unsettled_order(product: Product, given: RunsByCourse, awaited: Sequence[UnsettledOrder]) -> str | None:
    """The order that is being paid for the same; a contract's product is the same only as itself."""
    for order in awaited:
        shares = not product.requires_code and not order.course_ids.isdisjoint(given)
        if shares or product.pk in order.product_ids:
            return order.number
    return None


def _rank(product: Product) -> tuple[bool, bool]:
    return product.course_run is None, product.mode == EnrollmentMode.VERIFIED
