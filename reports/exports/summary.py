"""The executive summary: one row for each course or program, and currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from django.db.models import Case, Count, F, Q, Sum, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courses.models import Course, Program
from ecommerce.models import DiscountCode, OrderLine, SeatSale
from ecommerce.selectors.order_desk import of_scope
from mitxonline.kernel.money import Money
from reports.charts import draw_bars
from reports.exports.base import Asked, Report, ReportAnswer, Row, amount, money_facts
from reports.exports.refunds import refunded_parts, refunded_totals

TOP_DISCOUNTS = 3
BARS = 12
ITEM = ("product__course_run__course", "product__program")


@dataclass(slots=True)
class Sold:
    """What was sold of a course or program in one currency. `unused` codes belong to the course, whatever currency."""

    title: str
    key: str
    currency: str
    single: int = 0
    group: int = 0
    revenue: Decimal = Decimal(0)
    refunded: Decimal = Decimal(0)
    invoiced: int = 0
    invoiced_money: Decimal = Decimal(0)
    unused: int | None = None
    discounts: list[str] = field(default_factory=list)

    @property
    def seats(self) -> int:
        return self.single + self.group

    @property
    def net(self) -> Decimal:
        return self.revenue - self.refunded


class Summary(Report):
    slug = "summary"
    title = gettext_lazy("Executive summary")
    about = gettext_lazy(
        "For each course: seats, revenue and average price of the orders fulfilled on these days, the refunds that "
        "went through on these days, the seats of invoices issued on these days with their price, and the registration "
        "codes that no one has used by now. What was credited or void later stays in."
    )
    numbers: ClassVar[frozenset[int]] = frozenset({3, 4, 5, 6, 7, 8, 9, 10, 11, 12})

    def head(self, asked: Asked) -> list[str]:
        return [
            _("Course"), _("Course id"), _("Currency"), _("Seats, single"), _("Seats, group"), _("Seats"), _("Revenue"),
            _("Refunds"), _("Net"), _("Average price"), _("Seats by invoice"), _("Invoiced"), _("Unused codes"),
            _("Top discounts"),
        ]  # fmt: skip

    def count(self, asked: Asked) -> int:
        return len(summarize(asked))

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        for each in summarize(asked)[:limit]:
            mean = each.revenue / each.seats if each.seats else None
            yield (
                each.title, each.key, each.currency, each.single, each.group, each.seats,
                *(amount(value, each.currency) for value in (each.revenue, each.refunded, each.net, mean)),
                each.invoiced, amount(each.invoiced_money, each.currency), each.unused, ", ".join(each.discounts),
            )  # fmt: skip

    def answer(self, asked: Asked) -> ReportAnswer:
        found = summarize(asked)
        revenue: dict[str, Decimal] = defaultdict(Decimal)
        for each in found:
            revenue[each.currency] += each.revenue
        charts = []
        for currency in sorted(revenue):
            best = sorted((each for each in found if each.currency == currency), key=lambda each: -each.revenue)[:BARS]
            points = [(each.title, each.net, Money(each.net, currency).formatted()) for each in best]
            title = _("Net revenue by course, %(currency)s") % {"currency": currency}
            charts.append(draw_bars(title, points, unit=currency))
        facts = (*money_facts(_("Revenue"), dict(revenue)), *money_facts(_("Refunds"), refunded_totals(asked)))
        return ReportAnswer(facts=facts, charts=tuple(charts))


def summarize(asked: Asked) -> list[Sold]:
    """Return what was sold, in a fixed number of queries; a course with sales or refunds in two currencies is twice."""
    found: dict[tuple[int | None, int | None, str], Sold] = {}
    lines = OrderLine.objects.filter(of_scope(asked.scope), asked.within("order__fulfilled_at")).order_by()
    sums = lines.values_list(*ITEM, "currency").annotate(
        one=Count("pk", filter=Q(seats__isnull=True)), many=Sum("seats"), sold=Sum("due")
    )
    for course, program, currency, single, group, due in sums:
        found[course, program, currency] = Sold("", "", currency, single=single, group=group or 0, revenue=due)
    for course, program, currency, refunded in refunded_parts(asked, *(f"line__{name}" for name in ITEM)):
        found.setdefault((course, program, currency), Sold("", "", currency)).refunded = refunded
    _add_invoices(found, asked)
    _add_names(found)
    _add_discounts(found, asked)
    _add_codes(found, asked)
    return sorted(found.values(), key=lambda each: (each.title.lower(), each.key, each.currency))


def _add_invoices(found: dict[tuple[int | None, int | None, str], Sold], asked: Asked) -> None:
    """Add the seats that were invoiced, also of courses that were sold in no other way."""
    sales = SeatSale.objects.filter(asked.within("sold_at"), invoice_line__isnull=False)
    if not asked.scope.is_whole:
        sales = sales.filter(course_run__course__in=asked.scope.courses)
    price = F("invoice_line__net") + F("invoice_line__tax")
    rows = sales.order_by().values_list("course_run__course", "invoice_line__invoice__currency")
    for course, currency, seats, money in rows.annotate(many=Sum("seats"), money=Sum(price)):
        sold = found.setdefault((course, None, currency), Sold("", "", currency))
        sold.invoiced, sold.invoiced_money = seats, money


def _add_names(found: dict[tuple[int | None, int | None, str], Sold]) -> None:
    courses = Course.objects.in_bulk({course for course, _program, _currency in found if course})
    programs = Program.objects.in_bulk({program for _course, program, _currency in found if program})
    for (course, program, _currency), each in found.items():
        item = courses[course] if course else programs.get(program or 0)
        if item is not None:
            each.title, each.key = item.title, item.readable_id


def _add_discounts(found: dict[tuple[int | None, int | None, str], Sold], asked: Asked) -> None:
    lines = OrderLine.objects.filter(of_scope(asked.scope), asked.within("order__fulfilled_at"), discount_amount__gt=0)
    label = Case(When(discount_label="", then=F("code__discount__name")), default=F("discount_label"))
    counts = lines.annotate(label=label).order_by().values_list(*ITEM, "currency", "label").annotate(uses=Count("pk"))
    for course, program, currency, name, uses in counts.order_by("-uses", "label"):
        labels = found[course, program, currency].discounts
        if name and len(labels) < TOP_DISCOUNTS:
            labels.append(f"{name} ({uses})")


def _add_codes(found: dict[tuple[int | None, int | None, str], Sold], asked: Asked) -> None:
    """Add the codes that no one used, which have no currency, to the first row of each course."""
    course = "discount__seat_sale__course_run__course"
    free = DiscountCode.objects.filter(discount__seat_sale__isnull=False, active=True, uses=0)
    unused = dict(free.order_by().values_list(course).annotate(Count("pk")))
    seen = set()
    for (course_id, _program, _currency), each in sorted(found.items(), key=lambda item: item[1].currency):
        if course_id is not None and course_id not in seen:
            seen.add(course_id)
            each.unused = unused.get(course_id, 0)
