"""Rules asked before anything is sold: once to show, once under the lock.

The rules are named in the setting ``CHECKOUT_RULES``, in the order of asking. Apps above this one add theirs there;
ecommerce knows the protocol only.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from ecommerce.errors import AlreadyEnrolled, NotForSale
from ecommerce.models import DiscountCode, Order, Product
from mitxonline.kernel.errors import DomainError


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One product somebody means to buy, with the code of its own that was applied, if it needs one."""

    product: Product
    code: DiscountCode | None


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


def first_refusals(findings: Sequence[Finding]) -> dict[int, DomainError]:
    """The first refusal of each product, in the order of asking."""
    refusals: dict[int, DomainError] = {}
    for finding in findings:
        if finding.refusal is not None:
            refusals.setdefault(finding.product_id, finding.refusal)
    return refusals


class _Judging:
    """A rule that holds nothing: under the lock it only asks again."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        raise NotImplementedError

    def hold(self, purchase: Purchase, order: Order) -> Sequence[Finding]:
        """Ask again and raise the first refusal."""
        findings = self.check(purchase)
        for refusal in first_refusals(findings).values():
            raise refusal
        return findings


class Sellable(_Judging):
    """The product is on sale and, for a run, enrollment is open."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """Judge each line by its product and its run's dates."""
        return [
            Finding(product_id=line.product.pk, refusal=refusal)
            for line in purchase.lines
            if (refusal := self._refusal(line.product, purchase.now)) is not None
        ]

    def _refusal(self, product: Product, now: datetime) -> DomainError | None:
        if not product.is_active:
            return NotForSale(title=product.title)
        if product.course_run is None:
            return None
        try:
            refuse_unless_enrollable(product.course_run, now=now)
        except EnrollmentRefused as refusal:
            return refusal
        return None


class NotAlreadyEnrolled(_Judging):
    """Nobody pays twice for the same course run (K2)."""

    def check(self, purchase: Purchase) -> Sequence[Finding]:
        """One query for all lines; a buyer who only audits may still upgrade.

        Products that need a code are judged by the rule that vouches for them: it knows whose seat it is.
        """
        plain = [line.product for line in purchase.lines if not line.product.requires_code]
        runs = {product.course_run_id: product for product in plain if product.course_run_id}
        if purchase.user_id is None or not runs:
            return []
        enrolled = Enrollment.objects.active().of(purchase.user_id).filter(run_id__in=list(runs))
        return [
            Finding(product_id=runs[run_id].pk, refusal=AlreadyEnrolled(title=runs[run_id].title))
            for run_id, mode in enrolled.values_list("run_id", "mode")
            if mode == runs[run_id].mode or mode == EnrollmentMode.VERIFIED
        ]
