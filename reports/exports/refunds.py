"""Refunds, by the day on which their money went back."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ecommerce.enums import RefundOrigin, RefundState
from ecommerce.gateways.labels import gateway_name
from ecommerce.models import Refund, RefundLine
from ecommerce.roles import ShopScope
from reports.exports.base import Asked, Report, ReportAnswer, Row, amount, money_facts, stream

_COLUMNS = (
    "pk", "settled_at", "order__number", "order__fulfilled_at", "order__placed_at", "order__purchaser__email",
    "order__company", "lines__line__title", "lines__line__item_id", "lines__amount", "amount", "currency", "reason",
    "origin", "begun_by__email", "gateway", "gateway_refund_id",
)  # fmt: skip


def settled_refunds(asked: Asked) -> QuerySet[Refund]:
    """Return the refunds whose money went back on these days."""
    return Refund.objects.filter(asked.within("settled_at"), state=RefundState.SUCCEEDED)


def part_of_scope(scope: ShopScope) -> Q:
    """Match the parts of refunds, from the refund, that are for lines of the scope."""
    return Q() if scope.is_whole else Q(lines__line__product__course_run__course_id__in=scope.courses)


class Refunds(Report):
    slug = "refunds"
    title = gettext_lazy("Refunds")
    about = gettext_lazy(
        "The refunds that went through on these days, whenever their orders were. Each row is the part for one course; "
        "what is for no single course, such as a second payment, has a row of its own."
    )
    numbers: ClassVar[frozenset[int]] = frozenset({7})

    def head(self, asked: Asked) -> list[str]:
        return [
            _("Refunded"), _("Order"), _("Sold"), _("Buyer"), _("Company"), _("Course"), _("Course key"), _("Amount"),
            _("Currency"), _("Reason"), _("Started"), _("By"), _("Gateway"), _("Refund at the gateway"),
        ]  # fmt: skip

    def parts(self, asked: Asked) -> QuerySet[Refund]:
        return settled_refunds(asked).filter(part_of_scope(asked.scope))

    def count(self, asked: Asked) -> int:
        return self.parts(asked).values("pk", "lines").count()

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        for_lines = RefundLine.objects.filter(refund=OuterRef("pk")).order_by().values("refund")
        total = for_lines.annotate(total=Sum("amount")).values("total")
        found = self.parts(asked).annotate(of_lines=Subquery(total)).order_by("settled_at", "pk", "lines__pk")
        origins = dict(RefundOrigin.choices)
        seen = None
        for row in stream(found.values_list(*_COLUMNS, "of_lines"), limit=limit):
            *columns, of_lines = row
            pk, whole = columns[0], columns[10]
            # What its lines don't account for, once, so that the rows of a refund add up to what went back.
            rest = whole - of_lines if of_lines is not None else Decimal(0)
            if asked.scope.is_whole and pk != seen and rest:
                yield _to_row(columns, origins, rest=rest)
            seen = pk
            yield _to_row(columns, origins)

    def answer(self, asked: Asked) -> ReportAnswer:
        return ReportAnswer(facts=money_facts(_("Refunded"), refunded_totals(asked)))


def refunded_totals(asked: Asked) -> dict[str, Decimal]:
    """Return what went back in each currency: whole refunds for the whole shop, else the parts of the scope."""
    refunds = settled_refunds(asked)
    column = "amount" if asked.scope.is_whole else "lines__amount"
    return dict(refunds.filter(part_of_scope(asked.scope)).order_by().values_list("currency").annotate(Sum(column)))


def refunded_parts(asked: Asked, *group: str, **named: Any) -> QuerySet[Any]:
    """Return the sums of the parts for single courses, by these columns of the part's line, and currency."""
    parts = RefundLine.objects.filter(
        asked.within("refund__settled_at"), refund__state=RefundState.SUCCEEDED, refund__currency=F("line__currency")
    )
    if not asked.scope.is_whole:
        parts = parts.filter(line__product__course_run__course_id__in=asked.scope.courses)
    return parts.annotate(**named).order_by().values_list(*group, "line__currency").annotate(Sum("amount"))


def _to_row(columns: list[Any], origins: dict[Any, Any], *, rest: Decimal | None = None) -> Row:
    (
        _pk, at, number, fulfilled_at, placed_at, email, company, title, key, part, whole, currency, reason, origin, by,
        gateway, gateway_id,
    ) = columns  # fmt: skip
    if rest is not None:
        title, key, part = "", "", rest
    value = whole if part is None else part
    return (
        at, number, fulfilled_at or placed_at, email, company, title or "", key or "", amount(value, currency),
        currency, reason, origins.get(origin, origin), by or "", gateway_name(gateway), gateway_id,
    )  # fmt: skip
