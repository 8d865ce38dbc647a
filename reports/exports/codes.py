"""Registration codes by state and company."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ecommerce.codes import code_state, in_state, redeem_url, with_code_facts
from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode, Invoice, SeatSale
from ecommerce.roles import Action
from reports.exports.base import ROWS_AT_ONCE, Asked, Choice, Report, ReportAnswer, ReportFact, Row

ALL, UNUSED, SPENT, OFF = "", "unused", "spent", "off"
_STATES = {
    UNUSED: (CodeState.FREE, CodeState.ASSIGNED),
    SPENT: (CodeState.USED, CodeState.HELD, CodeState.WITHDRAWN),
    OFF: (CodeState.OFF,),
}
_SALE = "discount__seat_sale"
# What sold the seats.
_SOLD_BY = (f"{_SALE}__order_line__order", f"{_SALE}__invoice_line__invoice")


def _offer_states() -> list[tuple[str, str]]:
    return [(ALL, _("All")), (UNUSED, _("Unused")), (SPENT, _("Spent")), (OFF, _("Switched off"))]


class Codes(Report):
    slug = "codes"
    title = gettext_lazy("Registration codes")
    about = gettext_lazy("The codes of the seats sold on these days, with their state now, and who used each and when.")
    action = Action.REPORT_CODES
    choices: ClassVar[tuple[Choice, ...]] = (
        Choice("state", gettext_lazy("State"), _offer_states),
        Choice("company", gettext_lazy("Company")),
    )

    def head(self, asked: Asked) -> list[str]:
        return [
            _("Code"), _("State"), _("Link"), _("Course"), _("Course key"), _("Company"), _("Buyer"), _("Order"),
            _("Purchase order"), _("Sold"), _("Assigned to"), _("Used by"), _("Used"),
        ]  # fmt: skip

    def codes(self, asked: Asked) -> QuerySet[DiscountCode]:
        codes: QuerySet[DiscountCode] = DiscountCode.objects.filter(
            asked.within(f"{_SALE}__sold_at"), discount__seat_sale__isnull=False
        )
        if not asked.scope.is_whole:
            codes = codes.filter(discount__seat_sale__course_run__course_id__in=asked.scope.courses)
        if asked.company:
            order, invoice = (Q(**{f"{path}__company__icontains": asked.company}) for path in _SOLD_BY)
            codes = codes.filter(order | invoice)
        codes = with_code_facts(codes)
        return codes.filter(in_state(*_STATES[asked.state])) if asked.state in _STATES else codes

    def count(self, asked: Asked) -> int:
        return self.codes(asked).count()

    def rows(self, asked: Asked, *, limit: int | None = None) -> Iterator[Row]:
        use = CodeUse.objects.filter(code=OuterRef("pk"), state=UseState.CONFIRMED).order_by("-created_at")
        found = (
            self.codes(asked)
            .annotate(used_by=Subquery(use.values("user__email")[:1]), used_at=Subquery(use.values("created_at")[:1]))
            .select_related(
                f"{_SALE}__course_run",
                f"{_SALE}__buyer",
                f"{_SALE}__order_line__order",
                f"{_SALE}__invoice_line__invoice",
            )
            .order_by(f"{_SALE}__sold_at", "pk")
        )
        codes = found[:limit] if limit is not None else found.iterator(chunk_size=ROWS_AT_ONCE)
        for code in codes:
            sale = code.discount.seat_sale
            # Orders and invoices name the company, the number and the purchase order alike.
            sold_by = sale.order_line.order if sale.order_line is not None else _find_invoice(sale)
            yield (
                code.text, code_state(code).label, redeem_url(code.text), sale.course_run.title,
                sale.course_run.courseware_id, sold_by.company, sale.buyer.email if sale.buyer is not None else "",
                sold_by.number, sold_by.po_number, sale.sold_at,
                code.assigned_email, code.used_by or "", code.used_at,
            )  # fmt: skip

    def answer(self, asked: Asked) -> ReportAnswer:
        codes = self.codes(asked)
        counts = codes.aggregate(
            all=Count("pk"), unused=Count("pk", filter=in_state(*_STATES[UNUSED])),
            spent=Count("pk", filter=in_state(*_STATES[SPENT])), off=Count("pk", filter=Q(is_off=True, is_spent=False)),
        )  # fmt: skip
        labels = {"all": _("Codes"), "unused": _("Unused"), "spent": _("Spent"), "off": _("Switched off")}
        return ReportAnswer(facts=tuple(ReportFact(label, str(counts[name])) for name, label in labels.items()))


def _find_invoice(sale: SeatSale) -> Invoice:
    if sale.invoice_line is None:
        raise ValueError("a seat sale is of an order or of an invoice")
    return sale.invoice_line.invoice
