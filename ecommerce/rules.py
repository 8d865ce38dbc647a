"""Rules asked before anything is sold: once to show, once under the lock.

The rules are named in the setting ``CHECKOUT_RULES``, in the order of asking. Apps above this one add theirs there;
ecommerce knows the protocol only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Protocol

from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.utils.module_loading import import_string

from courses.enums import EnrollmentMode
from courses.errors import EnrollmentRefused
from courses.models import Enrollment
from courses.rules import refuse_unless_enrollable
from courses.selectors.programs import open_runs_of_programs
from ecommerce.errors import AlreadyEnrolled, CheckoutRefused, NotForSale
from ecommerce.models import DiscountCode, Order, Product
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One product somebody means to buy, with the code that prices it.

    ``knows_code``: a code of its own was applied, whether it still works or not; whoever has one may hear whose it is.
    """

    product: Product
    code: DiscountCode | None
    knows_code: bool = False


@dataclass(frozen=True, slots=True)
class Purchase:
    """What the rules judge. ``user_id`` is None while the visitor is signed out."""

    lines: tuple[PurchaseLine, ...]
    user_id: int | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of one product: a refusal, a right that replaces the code, or who pays for it.

    ``vouches`` says that this rule watches over the product. One that needs a code and that no rule vouches for is
    not sold at all, so a rule missing from the settings lets nobody in (design 3.9).
    """

    product_id: int
    refusal: DomainError | None = None
    vouches: bool = False
    entitlement: str = ""
    provider: str = ""
    contact: str = ""


class CheckoutRule(Protocol):
    """Something that has a say in what may be bought."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """Judge without writing or locking; also what greys out the button."""

    def lock(self, product_ids: Collection[int]) -> None:
        """Lock what the rule counts for these products, before anybody touches their codes."""

    def hold(self, purchase: Purchase, order: Order) -> Sequence[Finding]:
        """Judge again under the lock and reserve what runs out; raise to refuse the whole order."""


@cache
def checkout_rules() -> tuple[CheckoutRule, ...]:
    """The rules of this installation, in their order."""
    return tuple(import_string(path)() for path in settings.CHECKOUT_RULES)


@receiver(setting_changed)
def _forget_rules(*, setting: str, **_kwargs: object) -> None:
    if setting == "CHECKOUT_RULES":
        checkout_rules.cache_clear()


def lock_for(product_ids: Collection[int]) -> None:
    """Let the rules take their locks for these products: they come before the codes' (ADR 0003)."""
    for rule in checkout_rules():
        rule.lock(product_ids)


def first_refusals(findings: Sequence[Finding]) -> dict[int, DomainError]:
    """The first refusal of each product, in the order of asking."""
    refusals: dict[int, DomainError] = {}
    for finding in findings:
        if finding.refusal is not None:
            refusals.setdefault(finding.product_id, finding.refusal)
    return refusals


class _Judging(ABC):
    """A rule that holds nothing: under the lock it only asks again."""

    @abstractmethod
    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """Judge without writing or locking."""

    def lock(self, product_ids: Collection[int]) -> None:  # noqa: B027  a rule that counts nothing locks nothing
        """Nothing is counted here."""

    def hold(self, purchase: Purchase, order: Order) -> Sequence[Finding]:
        """Ask again and raise the first refusal, which leads back to the cart."""
        findings = self.check(purchase)
        for refusal in first_refusals(findings).values():
            refusal.retry_url = refusal.retry_url or CheckoutRefused.retry_url
            raise refusal
        return findings


class Sellable(_Judging):
    """The product is on sale and enrollment is open: in the run, or in some course of the program."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """Judge each line by its product and its runs' dates."""
        programs = open_runs_of_programs(_programs(purchase), now=purchase.now)
        return [
            Finding(product_id=line.product.pk, refusal=refusal)
            for line in purchase.lines
            if (refusal := self._refusal(line.product, programs, purchase.now)) is not None
        ]

    def _refusal(self, product: Product, programs: Mapping[int, list[int]], now: datetime) -> DomainError | None:
        run = product.course_run
        if not product.is_active or (run is None and not programs.get(product.program_id or 0)):
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


class NotAlreadyEnrolled(_Judging):
    """Nobody pays twice for the same course run (K2)."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """The same few queries for any number of lines; a buyer who only audits may still upgrade.

        A program is had already when each run it would give is. Products that need a code are judged by the rule that
        vouches for them: it knows whose seat it is.
        """
        if purchase.user_id is None:
            return []
        programs = open_runs_of_programs(_programs(purchase), now=purchase.now)
        gives = {
            line.product: [line.product.course_run_id]
            if line.product.course_run_id
            else programs.get(line.product.program_id or 0, [])
            for line in purchase.lines
            if not line.product.requires_code
        }
        had = runs_had(purchase.user_id, [run_id for run_ids in gives.values() for run_id in run_ids])
        return [
            Finding(product_id=product.pk, refusal=AlreadyEnrolled(title=product.title))
            for product, run_ids in gives.items()
            if run_ids and all(had.get(run_id) in {product.mode, EnrollmentMode.VERIFIED} for run_id in run_ids)
        ]


def runs_had(user_id: int, run_ids: Collection[int]) -> dict[int, str]:
    """Which of these runs somebody is in, and in which mode; one query, none without runs."""
    if not run_ids:
        return {}
    enrolled = Enrollment.objects.active().of(user_id).filter(run_id__in=run_ids)
    return dict(enrolled.values_list("run_id", "mode"))


def _programs(purchase: Purchase) -> list[int]:
    return [line.product.program_id for line in purchase.lines if line.product.program_id is not None]
