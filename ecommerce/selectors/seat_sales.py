"""The registration codes of an order's seat sales, with what each is at the moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Prefetch, QuerySet

from ecommerce.codes import code_state, in_state, redeem_url, with_code_facts
from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode, Order, SeatSale


@dataclass(frozen=True, slots=True)
class RegistrationCodeRow:
    """A registration code, and who used it and when. ``used_by`` is empty where it is free."""

    text: str
    title: str
    state: CodeState
    given_to: str = ""
    used_by: str = ""
    used_at: datetime | None = None
    line_id: int | None = None

    @property
    def url(self) -> str:
        return redeem_url(self.text)

    @property
    def is_free(self) -> bool:
        return self.state in {CodeState.FREE, CodeState.ASSIGNED}

    @property
    def is_used(self) -> bool:
        return self.state == CodeState.USED


@dataclass(frozen=True, slots=True)
class OrderedSeats:
    """How many seats of a sale are used, can still be used, and were switched off."""

    line_id: int | None
    title: str
    seats: int
    used: int
    free: int
    off: int


def sales_of_order(order: Order) -> QuerySet[SeatSale]:
    return SeatSale.objects.filter(order_line__order=order).order_by("pk")


def codes_of_sales(sales: QuerySet[SeatSale]) -> QuerySet[DiscountCode]:
    """Return the codes of these sales with their states and users, for a paginator; two queries for each page."""
    used = CodeUse.objects.filter(state__in=(UseState.CONFIRMED, UseState.RETIRED)).select_related("user")
    uses = Prefetch("code_uses", queryset=used.order_by("pk"), to_attr="counted_uses")
    codes = with_code_facts(DiscountCode.objects.filter(discount__seat_sale__in=sales))
    codes = codes.select_related("discount__seat_sale__course_run", "discount__seat_sale__order_line")
    return codes.order_by("discount", "pk").prefetch_related(uses)


def describe_codes(codes: Iterable[DiscountCode]) -> list[RegistrationCodeRow]:
    """Describe codes of `codes_of_sales`."""
    return [_describe_code(code) for code in codes]


def count_seats(sales: QuerySet[SeatSale]) -> list[OrderedSeats]:
    """Count the seats of these sales; two queries."""
    codes = with_code_facts(DiscountCode.objects.filter(discount__seat_sale__in=sales))
    by_discount = codes.order_by("discount").values_list("discount")
    counted = {
        discount_id: (used, free, off)
        for discount_id, used, free, off in by_discount.annotate(
            used_count=Count("pk", filter=in_state(CodeState.USED)),
            free_count=Count("pk", filter=in_state(CodeState.FREE, CodeState.ASSIGNED)),
            off_count=Count("pk", filter=in_state(CodeState.OFF)),
        )
    }
    rows = []
    for sale in sales.select_related("course_run", "order_line"):
        used, free, off = counted.get(sale.discount_id, (0, 0, 0))
        rows.append(
            OrderedSeats(sale.order_line_id, title=title_of_sale(sale), seats=sale.seats, used=used, free=free, off=off)
        )
    return rows


def title_of_sale(sale: SeatSale) -> str:
    """Return the course as it was called when it was sold."""
    return sale.order_line.title if sale.order_line is not None else sale.course_run.title


def _describe_code(code: DiscountCode) -> RegistrationCodeRow:
    uses: list[CodeUse] = getattr(code, "counted_uses", [])
    state = code_state(code)
    use = uses[-1] if uses and state in {CodeState.USED, CodeState.WITHDRAWN} else None
    return RegistrationCodeRow(
        text=code.text,
        title=title_of_sale(code.discount.seat_sale),
        state=state,
        given_to=code.assigned_name or code.assigned_email,
        used_by=use.user.display_name if use is not None else "",
        used_at=use.created_at if use is not None else None,
        line_id=code.discount.seat_sale.order_line_id,
    )
