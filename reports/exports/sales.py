"""Sales by day, month, course or organization: sold, refunded and net, one row for each and currency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import Case, CharField, Count, F, Sum, When
from django.db.models.functions import Coalesce, TruncDate, TruncMonth
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ecommerce.models import OrderLine
from ecommerce.selectors.order_desk import of_scope
from mitxonline.kernel.dates import format_day, format_month_of_year
from mitxonline.kernel.money import Money
from reports.charts import draw_bars
from reports.exports.base import Asked, Choice, Report, ReportAnswer, Row, amount, money_facts
from reports.exports.refunds import refunded_parts, refunded_totals, settled_refunds

DAY, MONTH, COURSE, ORGANIZATION = "day", "month", "course", "organization"
# More bars than this can't be told apart.
MAX_BARS = 400
BEST = 20


@dataclass(slots=True)
class SalesOfKey:
    key: Any
    currency: str
    orders: int = 0
    seats: int = 0
    sold: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)

    @property
    def net(self) -> Decimal:
        return self.sold - self.refunded

    @property
    def label(self) -> str:
        if self.key is None or self.key == "":
            return _("No organization")
        return str(self.key)


def _ways() -> list[tuple[str, str]]:
    return [(DAY, _("Day")), (MONTH, _("Month")), (COURSE, _("Course")), (ORGANIZATION, _("Organization"))]


class SalesReport(Report):
    slug = "sales"
    title = gettext_lazy("Sales")
    about = gettext_lazy(
        "What was sold and what went back, each by its own day. Sold is the total of the orders fulfilled; a refund "
        "counts on the day on which it went through."
    )
    choices: ClassVar[tuple[Choice, ...]] = (Choice("by", gettext_lazy("By"), _ways),)
    numbers: ClassVar[frozenset[int]] = frozenset({2, 3, 4, 5, 6})

    def head(self, asked: Asked) -> list[str]:
        first = dict(_ways()).get(asked.by, _("Day"))
        return [first, _("Currency"), _("Orders"), _("Seats"), _("Sold"), _("Refunded"), _("Net")]

    def count(self, asked: Asked) -> int:
        return len(sales_of(asked))

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        for each in sales_of(asked)[:limit]:
            yield (
                _cell(each, asked), each.currency, each.orders, each.seats,
                *(amount(value, each.currency) for value in (each.sold, each.refunded, each.net)),
            )  # fmt: skip

    def answer(self, asked: Asked) -> ReportAnswer:
        found = sales_of(asked)
        sold: dict[str, Decimal] = {}
        for each in found:
            sold[each.currency] = sold.get(each.currency, Decimal(0)) + each.sold
        charts = []
        for currency in sorted(sold):
            of_currency = {each.key: each for each in found if each.currency == currency}
            title = _("Net sales, %(currency)s") % {"currency": currency}
            points = [
                (_label(key, asked, of_currency.get(key)), net, Money(net, currency).formatted())
                for key, net in _bars(of_currency, asked)
            ]
            charts.append(draw_bars(title, points, unit=currency))
        facts = (*money_facts(_("Sold"), sold), *money_facts(_("Refunded"), refunded_totals(asked)))
        return ReportAnswer(facts=facts, charts=tuple(charts))


def sales_of(asked: Asked) -> list[SalesOfKey]:
    """Return the sums in two queries: of what was sold, and of what went back. Neither hides a day of the other."""
    found: dict[tuple[Any, str], SalesOfKey] = {}
    lines = OrderLine.objects.filter(of_scope(asked.scope), asked.within("order__fulfilled_at")).order_by()
    sums = (
        lines.annotate(group=_key(asked, ""))
        .values_list("group", "currency")
        .annotate(orders=Count("order", distinct=True), all_seats=Sum(Coalesce(F("seats"), 1)), sold=Sum("due"))
    )
    for key, currency, orders, seats, due in sums:
        found[_plain(key), currency] = SalesOfKey(_plain(key), currency, orders=orders, seats=seats, sold=due)
    for key, currency, refunded in refunded_parts(asked, "key", key=_key(asked, "line__")):
        found.setdefault((_plain(key), currency), SalesOfKey(_plain(key), currency)).refunded = refunded
    if asked.scope.is_whole:
        _add_other_refunds(found, asked)
    return sorted(found.values(), key=lambda each: (str(each.key or "").lower(), each.currency))


def _add_other_refunds(found: dict[tuple[Any, str], SalesOfKey], asked: Asked) -> None:
    """Add what went back without being for a line, such as a second payment, so that the rows add up to all refunds."""
    if not _is_time(asked):
        return
    zone = timezone.get_default_timezone()
    trunc = TruncMonth("settled_at", tzinfo=zone) if asked.by == MONTH else TruncDate("settled_at", tzinfo=zone)
    whole = settled_refunds(asked).annotate(key=trunc).order_by().values_list("key", "currency").annotate(Sum("amount"))
    for key, currency, refunded in whole:
        found.setdefault((_plain(key), currency), SalesOfKey(_plain(key), currency)).refunded = refunded


def _is_time(asked: Asked) -> bool:
    return asked.by not in {COURSE, ORGANIZATION}


def _key(asked: Asked, line: str) -> Any:
    """Return what the rows are grouped by, from a line or from a part of a refund."""
    zone = timezone.get_default_timezone()
    moment = "refund__settled_at" if line else "order__fulfilled_at"
    if asked.by == COURSE:
        course, program = f"{line}product__course_run__course__title", f"{line}product__program__title"
        return Coalesce(F(course), F(program))
    if asked.by == ORGANIZATION:
        return Case(
            When(**{f"{line}provider": ""}, then=F(f"{line}order__company")),
            default=F(f"{line}provider"),
            output_field=CharField(),
        )
    return TruncMonth(moment, tzinfo=zone) if asked.by == MONTH else TruncDate(moment, tzinfo=zone)


def _plain(key: Any) -> Any:
    """Return a day for a moment: the first of its month."""
    return key.date() if hasattr(key, "date") else key


def _cell(each: SalesOfKey, asked: Asked) -> Any:
    if asked.by == MONTH:
        return f"{each.key:%Y-%m}"
    return each.key if _is_time(asked) else each.label


def _label(key: Any, asked: Asked, each: SalesOfKey | None) -> str:
    if asked.by == MONTH:
        return format_month_of_year(key)
    if _is_time(asked):
        return format_day(key)
    return each.label if each is not None else str(key)


def _bars(of_currency: dict[Any, SalesOfKey], asked: Asked) -> list[tuple[Any, Decimal]]:
    """Return a bar for every day or month, those without sales too; else the highest."""
    if not _is_time(asked):
        best = sorted(of_currency.values(), key=lambda each: -each.net)[:BEST]
        return [(each.key, each.net) for each in best]
    keys = sorted(of_currency)
    if asked.by != MONTH and (asked.last - asked.first).days < MAX_BARS:
        keys = [asked.first + timedelta(days=number) for number in range((asked.last - asked.first).days + 1)]
    return [(key, of_currency[key].net if key in of_currency else Decimal(0)) for key in keys]
