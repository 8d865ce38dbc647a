"""What a course offers now: its public runs that are open or will open, and their prices.

Editors write neither dates nor prices on pages: these come from here. One query for any number of courses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel import Locale
from babel.numbers import format_currency
from django.conf import settings
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.utils.translation import get_language, to_locale

from courses.enums import EnrollmentMode
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from ecommerce.models import Product
from mitxonline.kernel.money import Money
from mitxonline.kernel.shop import current_shop


@dataclass(frozen=True, slots=True)
class RunOffer:
    """A public run that is on offer and open to enrollment, or will be. Without a ``price`` it is free."""

    run_id: int
    course_id: int
    self_paced: bool
    starts_at: datetime | None
    ends_at: datetime | None
    opens_at: datetime | None
    product_id: int | None
    price: Money | None
    mode: str
    is_full: bool = False

    def has_opened(self, now: datetime) -> bool:
        """Whether enrollment has begun; runs whose enrollment is over aren’t on offer."""
        return self.opens_at is None or self.opens_at <= now

    def is_open(self, now: datetime) -> bool:
        """Whether one can enroll: enrollment has begun, and a place is left."""
        return self.has_opened(now) and not self.is_full

    def has_date(self) -> bool:
        return not self.self_paced and self.starts_at is not None


@dataclass(frozen=True, slots=True)
class CourseOffer:
    runs: tuple[RunOffer, ...]
    now: datetime

    @property
    def open_runs(self) -> tuple[RunOffer, ...]:
        return tuple(run for run in self.runs if run.is_open(self.now))

    @property
    def opened_runs(self) -> tuple[RunOffer, ...]:
        """The open runs, and those that are full."""
        return tuple(run for run in self.runs if run.has_opened(self.now))

    @property
    def is_open(self) -> bool:
        return bool(self.open_runs)

    @property
    def opens_at(self) -> datetime | None:
        if self.is_open:
            return None
        to_come = [run.opens_at for run in self.runs if run.opens_at is not None and not run.has_opened(self.now)]
        return min(to_come, default=None)

    @property
    def is_full(self) -> bool:
        """Whether starts are open to enrollment, and none of them has a place left."""
        return bool(self.opened_runs) and not self.is_open

    @property
    def any_time(self) -> bool:
        return any(run.self_paced for run in self.open_runs)

    @property
    def dates(self) -> list[datetime]:
        """The start dates of runs that aren’t self-paced, in order; those of full runs only if all are."""
        runs = [run for run in self.runs if not run.is_full] or self.runs
        return sorted(run.starts_at for run in runs if run.has_date() and run.starts_at is not None)

    @property
    def next_start(self) -> datetime | None:
        """The next start date, or the last past one of a course that still takes people in."""
        to_come = [day for day in self.dates if day > self.now]
        return to_come[0] if to_come else (self.dates[-1] if self.dates else None)

    @property
    def price(self) -> Money | None:
        """The lowest price among the open runs, or among the later ones if none is open."""
        return min(self._prices, key=_by_currency_then_amount, default=None)

    @property
    def has_several_prices(self) -> bool:
        return len(set(self._prices)) > 1

    @property
    def has_free_start(self) -> bool:
        """Whether a start costs nothing while others have a price."""
        return bool(self._prices) and len(self._prices) < len(self.open_runs or self.runs)

    @property
    def is_free(self) -> bool:
        return bool(self.runs) and self.price is None

    @property
    def _prices(self) -> list[Money]:
        return [run.price for run in self.open_runs or self.runs if run.price is not None]

    @property
    def gives_certificate(self) -> bool:
        return any(run.mode == EnrollmentMode.VERIFIED for run in self.runs)


def course_offers(course_ids: Iterable[int], *, now: datetime) -> dict[int, CourseOffer]:
    """The offers of these courses, empty where there is nothing."""
    wanted = list(course_ids)
    found = _group_by_course(runs_on_offer(now).filter(course_id__in=wanted))
    return {course_id: CourseOffer(runs=tuple(found.get(course_id, ())), now=now) for course_id in wanted}


def all_offers(*, now: datetime) -> dict[int, CourseOffer]:
    return {
        course: CourseOffer(runs=tuple(runs), now=now) for course, runs in _group_by_course(runs_on_offer(now)).items()
    }


def runs_on_offer(now: datetime) -> QuerySet[CourseRun]:
    """Public runs that aren’t over, aren’t templates for other runs, and are on sale or free.

    Free are only the runs that were declared so. One whose product is off sale, or whose price isn’t set yet, isn’t on
    offer.
    """
    priced = Product.objects.filter(course_run=OuterRef("pk"), requires_code=False, price__gt=0)
    runs: QuerySet[CourseRun] = CourseRun.objects.not_over(now).exclude(run_tag=SOURCE_TAG)
    return runs.filter(Exists(priced.filter(is_active=True)) | Q(is_free=True) & ~Exists(priced))


def short_price(money: Money) -> str:
    """“$249”, or “$199.20” if there are cents."""
    if money.amount != money.amount.to_integral_value():
        return money.formatted()
    locale = Locale.parse(to_locale(get_language() or settings.LANGUAGE_CODE))
    whole = locale.currency_formats["standard"].pattern.replace(".00", "")
    return str(format_currency(money.amount, money.currency, whole, locale, currency_digits=False))


def _group_by_course(runs: QuerySet[CourseRun]) -> Mapping[int, list[RunOffer]]:
    on_sale = Product.objects.public().filter(course_run=OuterRef("pk"), price__gt=0)
    ours_first = Case(When(currency=current_shop().currency, then=Value(0)), default=Value(1))
    # Where a run is sold in two modes, pages offer the one with a certificate; shop links name either by its SKU.
    strongest_first = Case(When(mode=EnrollmentMode.VERIFIED, then=Value(0)), default=Value(1))
    cheapest = on_sale.order_by(ours_first, strongest_first, "price", "pk")
    rows = runs.annotate(
        offer_product=Subquery(cheapest.values("pk")[:1]),
        offer_price=Subquery(cheapest.values("price")[:1]),
        offer_currency=Subquery(cheapest.values("currency")[:1]),
        offer_mode=Subquery(cheapest.values("mode")[:1]),
    ).order_by("start_date", "pk")
    found: dict[int, list[RunOffer]] = defaultdict(list)
    for run in rows.values_list(
        "pk",
        "course_id",
        "is_self_paced",
        "start_date",
        "end_date",
        "enrollment_start",
        "is_full",
        "offer_product",
        "offer_price",
        "offer_currency",
        "offer_mode",
    ):
        run_id, course_id, self_paced, starts_at, ends_at, opens_at, is_full, product_id, price, currency, mode = run
        found[course_id].append(
            RunOffer(
                run_id=run_id,
                course_id=course_id,
                self_paced=self_paced,
                starts_at=starts_at,
                ends_at=ends_at,
                opens_at=opens_at,
                product_id=product_id,
                price=Money(price, currency) if price is not None else None,
                mode=mode or "",
                is_full=is_full,
            )
        )
    return found


def _by_currency_then_amount(money: Money) -> tuple[bool, Decimal]:
    return money.currency != current_shop().currency, money.amount
