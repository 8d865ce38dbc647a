"""Itemized purchases: every line of every order that was fulfilled on these days."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from courses.enums import EnrollmentMode
from ecommerce.enums import OrderState
from ecommerce.models import OrderLine
from ecommerce.selectors.order_desk import of_scope
from reports.exports.base import Asked, Report, ReportAnswer, ReportFact, Row, amount, money_facts, stream

_COLUMNS = (
    "order__fulfilled_at", "order__number", "order__state", "order__purchaser__email", "order__company",
    "order__po_number", "title", "item_id", "sku", "mode", "seats", "list_price", "discount_amount", "code__text",
    "discount_label", "due", "refunded", "currency", "provider", "order__state_reason",
)  # fmt: skip


class Purchases(Report):
    slug = "purchases"
    title = gettext_lazy("Itemized purchases")
    about = gettext_lazy(
        "Each line of the orders fulfilled on these days, refunded or not. Amounts are those of the sale; what went "
        "back since is in a column of its own."
    )
    numbers: ClassVar[frozenset[int]] = frozenset({10, 11, 12, 13, 16, 17})

    def head(self, asked: Asked) -> list[str]:
        return [
            _("Sold"), _("Order"), _("State"), _("Buyer"), _("Company"), _("Purchase order"), _("Course"),
            _("Course key"), _("SKU"), _("Mode"), _("Seats"), _("Unit price"), _("List price"), _("Discount"),
            _("Code"), _("Discount’s name"), _("Total"), _("Refunded since"), _("Currency"), _("Organization"),
            _("Comment"),
        ]  # fmt: skip

    def lines(self, asked: Asked) -> QuerySet[OrderLine]:
        return OrderLine.objects.filter(of_scope(asked.scope), asked.within("order__fulfilled_at"))

    def count(self, asked: Asked) -> int:
        return self.lines(asked).count()

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        found = self.lines(asked).order_by("order__fulfilled_at", "pk").values_list(*_COLUMNS)
        states, modes = dict(OrderState.choices), dict(EnrollmentMode.choices)
        for row in stream(found, limit=limit):
            yield _to_row(row, states, modes)

    def answer(self, asked: Asked) -> ReportAnswer:
        sums = self.lines(asked).order_by("currency").values_list("currency").annotate(Sum("due"), Count("pk"))
        found = list(sums)
        lines = ReportFact(_("Lines"), str(sum(count for _currency, _due, count in found)))
        return ReportAnswer(facts=(lines, *money_facts(_("Sold"), {currency: due for currency, due, _count in found})))


def _to_row(row: Any, states: dict[Any, Any], modes: dict[Any, Any]) -> Row:
    (
        at, number, state, email, company, po_number, title, key, sku, mode, seats, listed, off, code, label, due,
        refunded, currency, provider, comment,
    ) = row  # fmt: skip
    return (
        at, number, states.get(state, state), email, company, po_number, title, key, sku, modes.get(mode, mode),
        seats or 1, amount(due / (seats or 1), currency), amount(listed, currency), amount(off, currency), code or "",
        label, amount(due, currency), amount(refunded, currency), currency, provider or company, comment,
    )  # fmt: skip
