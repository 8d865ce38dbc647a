"""What it would take to bring a contract in line with its terms: read only, for the dry run and for the doing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from b2b.models import ContractCourseware, ContractRun, ContractTerms
from b2b.selectors.contracts import terms_in_force
from b2b.selectors.handouts import ReturningCodes
from b2b.services.products.codes import count_removed, count_stock
from b2b.services.products.runs import RunPlan, WantedRun, plan_runs, redemption_type, wanted_courses
from b2b.services.products.targets import CodeChange, Stock, decide, decide_removed
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, Product
from mitxonline.kernel.money import Money


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A product whose price, or whose discount's amount, isn't what the terms say."""

    product: Product
    title: str
    price: Decimal
    discount: Discount
    # Something is set right that no terms changed: someone wrote past the services.
    is_repair: bool = False


@dataclass(frozen=True, slots=True)
class CodeStep:
    """What is done to the codes of one product; ``discount_id`` is None where that is still to be made."""

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
    """What isn't so yet, and a plan shall take for granted: other terms, and changed courseware."""

    terms: ContractTerms | None = None
    courseware: Sequence[ContractCourseware] = ()
    joining: Sequence[Joining] = ()
    returning: Collection[int] = ()
    leaving: Collection[int] = ()
    codes: ReturningCodes = field(default_factory=ReturningCodes)


@dataclass(frozen=True, slots=True)
class ReconcilePlan:
    """Everything that isn't in line."""

    terms: ContractTerms
    runs: tuple[RunPlan, ...] = ()
    missing_discounts: tuple[tuple[Product, str], ...] = ()
    prices: tuple[PriceStep, ...] = ()
    codes: tuple[CodeStep, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    # Codes beyond the cap that stay on, because someone has them.
    staying: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.runs or self.missing_discounts or self.prices or self.codes)

    @property
    def first_change(self) -> CodeChange:
        """What a product without any code gets."""
        return decide(self.terms, Stock())

    @property
    def code_change(self) -> CodeChange:
        """What is done to codes, in all."""
        return sum((step.change for step in self.codes), CodeChange())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know before or after."""
        return tuple(run.warning for run in self.runs if run.warning)


def plan_reconcile(*, contract_id: int, now: datetime, supposed: Supposed | None = None) -> ReconcilePlan:
    """What a reconcile would do now, or would do under what is supposed; nothing is written.

    Raises ContractUnknown, ContractNotPublished where no terms are in force, CourseKeyImpossible.
    """
    supposed = supposed or Supposed()
    terms = supposed.terms or terms_in_force(contract_id)
    runs = _Runs(contract_id, supposed)
    new_runs = plan_runs(terms=terms, wanted=runs.wanted(supposed), now=now)
    stocks = count_stock(terms=terms, discount_ids=[run.discount.pk for run in runs.current if run.discount])
    stocks = _with_returning(stocks, supposed.codes, terms)
    gone = count_removed([run.discount.pk for run in runs.removed if run.discount])
    steps = [run.step(decide(terms, stocks[run.discount.pk] if run.discount else Stock())) for run in runs.current]
    steps += [run.step(decide_removed(gone[run.discount.pk])) for run in runs.removed if run.discount]
    coming = [(run.title, run.key) for run in new_runs] + [(run.title, run.key) for run in supposed.joining]
    first = decide(terms, Stock())
    asks_for_codes = terms.active and terms.needs_codes
    steps += [CodeStep(discount_id=None, title=title, key=key, change=first) for title, key in coming]
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
    """The stocks with codes that are their people's again, and with those that are no one's any more."""
    found = dict(stocks)
    for code in codes.kept:
        stock, is_loose = found[code.discount_id], code.max_uses is None
        found[code.discount_id] = replace(
            stock,
            active=stock.active + 1,
            counting=stock.counting + 1,
            limited=stock.limited + (not is_loose),
            loose=stock.loose + is_loose,
        )
    # Counted as it was before: nothing was spare where nothing was asked for.
    for code in codes.beyond if terms.active and terms.needs_codes else ():
        stock = found[code.discount_id]
        found[code.discount_id] = replace(stock, spare=stock.spare + 1)
    return found


@dataclass(frozen=True, slots=True)
class _Run:
    """A run the contract has or had, with its product and discount."""

    title: str
    key: str
    product: Product
    discount: Discount | None

    @classmethod
    def of(cls, run: ContractRun, product: Product) -> _Run:
        return cls(
            title=run.course_run.title,
            key=run.course_run.courseware_id,
            product=product,
            discount=getattr(product, "unlocked_by", None),
        )

    def step(self, change: CodeChange) -> CodeStep:
        """What is done to its codes."""
        discount_id = self.discount.pk if self.discount else None
        return CodeStep(discount_id=discount_id, title=self.title, key=self.key, change=change)


class _Runs:
    """The contract's runs and courseware, in three queries."""

    def __init__(self, contract_id: int, supposed: Supposed) -> None:
        self.contract_id = contract_id
        rows = (
            ContractRun.objects.filter(contract_id=contract_id)
            .select_related("course_run", "product__unlocked_by")
            .order_by("pk")
        )
        self.current: list[_Run] = []
        self.removed: list[_Run] = []
        # A course the contract has or had a run of gets no other by itself: what was removed comes back only when
        # it is added again.
        self.known = {run.course_id for run in supposed.joining}
        for row in rows:
            self.known.add(row.course_run.course_id)
            is_there = (row.removed_at is None or row.pk in supposed.returning) and row.pk not in supposed.leaving
            if row.product is not None:
                (self.current if is_there else self.removed).append(_Run.of(row, row.product))

    def wanted(self, supposed: Supposed) -> list[WantedRun]:
        """Courses that should have a run and never had one."""
        courseware = ContractCourseware.objects.filter(contract_id=self.contract_id, removed_at__isnull=True)
        courses = wanted_courses([*courseware.select_related("course"), *supposed.courseware])
        return [
            WantedRun(course=course, courseware_id=courseware_id)
            for course, courseware_id in courses
            if course.pk not in self.known
        ]


def _price_steps(terms: ContractTerms, runs: Sequence[_Run]) -> list[PriceStep]:
    steps = []
    for run in runs:
        if run.discount is None:
            continue
        product, discount, wanted = run.product, run.discount, terms.money
        # Product and discount are given one price together; where only one has it, someone else did that.
        moves = product.money != wanted and _price_of(discount) == (product.price, product.currency)
        repair = not product.requires_code or _is_foreign(discount)
        repair = repair or (not moves and (product.money != wanted or _price_of(discount) != _price(wanted)))
        # Where no codes are made, those that stay keep the way they can be used.
        redemption = terms.needs_codes and discount.redemption_type != redemption_type(terms)
        if moves or repair or redemption:
            steps.append(
                PriceStep(product=product, title=run.title, price=wanted.amount, discount=discount, is_repair=repair)
            )
    return steps


def _price_of(discount: Discount) -> tuple[Decimal, str]:
    return discount.amount, discount.currency


def _price(money: Money) -> tuple[Decimal, str]:
    return money.amount, money.currency


def _is_foreign(discount: Discount) -> bool:
    """Whether the discount is not what all discounts of contracts are."""
    facts = (
        discount.discount_type,
        discount.payment_type,
        discount.is_bulk,
        discount.is_active,
        discount.for_chosen_people,
        discount.activates_at,
        discount.expires_at,
    )
    return facts != (DiscountType.FIXED_PRICE, PaymentType.SALES, True, True, False, None, None)


def _counts(runs: Sequence[_Run], stocks: Mapping[int, Stock]) -> dict[str, int]:
    active = sum(stock.active for stock in stocks.values())
    return {
        "runs": len(runs),
        "products": sum(run.product.is_active for run in runs),
        "codes": active,
        "codes_off": sum(stock.total for stock in stocks.values()) - active,
    }
