"""The plan of a reconcile: whatever isn't as a contract's terms say. Dry runs show it, ``run_reconcile`` follows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from b2b.models import ContractCourseware, ContractRun, ContractTerms
from b2b.selectors.contracts import terms_in_force
from b2b.selectors.handouts import ReturningCodes
from b2b.services.products.codes import count_removed, count_stock
from b2b.services.products.runs import RunPlan, WantedRun, plan_runs, redemption_type, wanted_courses
from b2b.services.products.targets import CodeChange, Stock, decide, decide_removed
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, Product


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A product whose price, or whose discount, isn't what the terms say.

    ``is_repair``: no terms changed it, so someone wrote past the services.
    """

    product: Product
    title: str
    discount: Discount
    is_repair: bool = False


@dataclass(frozen=True, slots=True)
class CodeStep:
    """What is done to the codes of one product; ``discount_id`` is None for a discount that is yet to be created."""

    discount_id: int | None
    title: str
    key: str
    change: CodeChange


@dataclass(frozen=True, slots=True)
class Joining:
    """A run that is about to become the contract's."""

    course_id: int
    title: str
    key: str


@dataclass(frozen=True, slots=True)
class Supposed:
    """What a plan takes for granted although it isn't saved yet: other terms, and changed courseware."""

    terms: ContractTerms | None = None
    courseware: Sequence[ContractCourseware] = ()
    joining: Sequence[Joining] = ()
    returning: Collection[int] = ()
    leaving: Collection[int] = ()
    codes: ReturningCodes = field(default_factory=ReturningCodes)


@dataclass(frozen=True, slots=True)
class ReconcilePlan:
    """Everything that has to change. ``staying`` counts codes above the cap that stay on because someone has them."""

    terms: ContractTerms
    runs: tuple[RunPlan, ...] = ()
    missing_discounts: tuple[tuple[Product, str], ...] = ()
    prices: tuple[PriceStep, ...] = ()
    codes: tuple[CodeStep, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    staying: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.runs or self.missing_discounts or self.prices or self.codes)

    @property
    def first_change(self) -> CodeChange:
        """The codes that a product without any gets."""
        return decide(self.terms, Stock())

    @property
    def code_change(self) -> CodeChange:
        """The changes of all codes in sum."""
        return sum((step.change for step in self.codes), CodeChange())

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(run.warning for run in self.runs if run.warning)


def plan_reconcile(*, contract_id: int, now: datetime, supposed: Supposed | None = None) -> ReconcilePlan:
    """Plan a reconcile of the contract as it is, or as it is supposed to be; nothing is written.

    Raises ContractUnknown, ContractNotPublished, CourseKeyImpossible.
    """
    supposed = supposed or Supposed()
    terms = supposed.terms or terms_in_force(contract_id)
    runs = _ContractRuns(contract_id, supposed)
    new_runs = plan_runs(terms=terms, wanted=runs.find_missing(supposed), now=now)
    stocks = count_stock(terms=terms, discount_ids=[run.discount.pk for run in runs.current if run.discount])
    stocks = _with_returning(stocks, supposed.codes, terms)
    gone = count_removed([run.discount.pk for run in runs.removed if run.discount])
    steps = [run.to_step(decide(terms, stocks[run.discount.pk] if run.discount else Stock())) for run in runs.current]
    steps += [run.to_step(decide_removed(gone[run.discount.pk])) for run in runs.removed if run.discount]
    new = [(run.title, run.key) for run in new_runs] + [(run.title, run.key) for run in supposed.joining]
    first = decide(terms, Stock())
    steps += [CodeStep(discount_id=None, title=title, key=key, change=first) for title, key in new]
    asks_for_codes = terms.active and terms.needs_codes
    return ReconcilePlan(
        terms=terms,
        runs=tuple(new_runs),
        missing_discounts=tuple((run.product, run.title) for run in runs.current if not run.discount),
        prices=tuple(_price_steps(terms, runs.current)),
        codes=tuple(step for step in steps if step.change),
        counts=_counts(runs.current, stocks),
        staying=sum(stock.above(terms.max_learners) for stock in stocks.values()) if asks_for_codes else 0,
    )


def _with_returning(stocks: Mapping[int, Stock], codes: ReturningCodes, terms: ContractTerms) -> dict[int, Stock]:
    """Count the assigned codes of returning runs: as theirs again, or as spare where there is no seat for them."""
    counted = dict(stocks)
    for code in codes.kept:
        stock, is_loose = counted[code.discount_id], code.max_uses is None
        counted[code.discount_id] = replace(
            stock,
            active=stock.active + 1,
            counting=stock.counting + 1,
            limited=stock.limited + (not is_loose),
            loose=stock.loose + is_loose,
        )
    # A contract that asks for no codes has no spare ones either.
    if terms.active and terms.needs_codes:
        for code in codes.beyond:
            stock = counted[code.discount_id]
            counted[code.discount_id] = replace(stock, spare=stock.spare + 1)
    return counted


@dataclass(frozen=True, slots=True)
class _PlannedRun:
    """A run that the contract has or had, with its product and discount."""

    title: str
    key: str
    product: Product
    discount: Discount | None

    @classmethod
    def of(cls, run: ContractRun, product: Product) -> _PlannedRun:
        return cls(
            title=run.course_run.title,
            key=run.course_run.courseware_id,
            product=product,
            discount=getattr(product, "unlocked_by", None),
        )

    def to_step(self, change: CodeChange) -> CodeStep:
        discount_id = self.discount.pk if self.discount else None
        return CodeStep(discount_id=discount_id, title=self.title, key=self.key, change=change)


class _ContractRuns:
    """The contract's runs and courseware, in three queries."""

    def __init__(self, contract_id: int, supposed: Supposed) -> None:
        self.contract_id = contract_id
        rows = (
            ContractRun.objects.filter(contract_id=contract_id)
            .select_related("course_run", "product__unlocked_by")
            .order_by("pk")
        )
        self.current: list[_PlannedRun] = []
        self.removed: list[_PlannedRun] = []
        # A course that the contract has or had a run of gets no other automatically: a removed run comes back only when
        # its course is added again.
        self.known = {run.course_id for run in supposed.joining}
        for row in rows:
            self.known.add(row.course_run.course_id)
            is_there = (row.removed_at is None or row.pk in supposed.returning) and row.pk not in supposed.leaving
            if row.product is not None:
                (self.current if is_there else self.removed).append(_PlannedRun.of(row, row.product))

    def find_missing(self, supposed: Supposed) -> list[WantedRun]:
        """Find courses that should have a run and never had one."""
        courseware = ContractCourseware.objects.filter(contract_id=self.contract_id, removed_at__isnull=True)
        courses = wanted_courses([*courseware.select_related("course"), *supposed.courseware])
        return [
            WantedRun(course=course, courseware_id=courseware_id)
            for course, courseware_id in courses
            if course.pk not in self.known
        ]


def _price_steps(terms: ContractTerms, runs: Sequence[_PlannedRun]) -> list[PriceStep]:
    steps = []
    for run in runs:
        if run.discount is None:
            continue
        product, discount, price = run.product, run.discount, terms.money
        discount_price = (discount.amount, discount.currency)
        # Product and discount get their price together; where only one of them has it, someone else changed it.
        moves = product.money != price and discount_price == (product.price, product.currency)
        differs = product.money != price or discount_price != (price.amount, price.currency)
        is_repair = not product.requires_code or _is_foreign(discount) or (differs and not moves)
        # Where the contract asks for no codes, those that stay keep their redemption type.
        is_redeemed_otherwise = terms.needs_codes and discount.redemption_type != redemption_type(terms)
        if moves or is_repair or is_redeemed_otherwise:
            steps.append(PriceStep(product=product, title=run.title, discount=discount, is_repair=is_repair))
    return steps


def _is_foreign(discount: Discount) -> bool:
    """Tell whether the discount isn't one that a contract makes."""
    return (
        discount.discount_type != DiscountType.FIXED_PRICE
        or discount.payment_type != PaymentType.SALES
        or not discount.is_bulk
        or not discount.is_active
        or discount.for_chosen_people
        or discount.activates_at is not None
        or discount.expires_at is not None
    )


def _counts(runs: Sequence[_PlannedRun], stocks: Mapping[int, Stock]) -> dict[str, int]:
    active = sum(stock.active for stock in stocks.values())
    return {
        "runs": len(runs),
        "products": sum(run.product.is_active for run in runs),
        "codes": active,
        "codes_off": sum(stock.total for stock in stocks.values()) - active,
    }
