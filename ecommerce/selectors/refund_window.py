"""Whether a buyer may ask for their money, until when, and for which courses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.formats import date_format

from ecommerce.enums import WITH_BANK_STATES, OrderState, RefundRequestState
from ecommerce.errors.refunds import (
    AllGivenBack,
    NothingWasPaid,
    NotPaidYet,
    RefundAnsweredAlready,
    RefundAskedAlready,
    RefundNotAskable,
    RefundsNotAskedHere,
    RefundTooLate,
    RefundWithBank,
)
from ecommerce.models import Dispute, Order, OrderLine, RefundRequest, ShopSettings
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel import clock


@dataclass(frozen=True, slots=True)
class RefundWindow:
    """Until when which lines' money can be asked back, or why it can't.

    ``last_days`` holds the last day (site's time zone, included) of each line that has money left.
    """

    refusal: RefundNotAskable | None
    last_days: dict[int, date]
    today: date

    @property
    def open_line_ids(self) -> set[int]:
        """The lines that can be asked for today."""
        return {line_id for line_id, last in self.last_days.items() if last >= self.today}

    @property
    def until(self) -> date | None:
        """The last day on which anything can be asked for."""
        return max(self.last_days.values(), default=None)


def refund_window(order: Order, *, now: datetime, shop: ShopSettings | None = None) -> RefundWindow:
    """What the order's buyer may ask for now; lines, requests and disputes may have been prefetched."""
    shop = shop or shop_settings()
    days = _last_days(order, list(order.lines.all()), shop.window_days)
    window = RefundWindow(refusal=None, last_days=days, today=clock.date_of(now))
    refusal = _refusal(order, window, shop, list(order.refund_requests.all()), list(order.disputes.all()))
    return RefundWindow(refusal=refusal, last_days=days, today=window.today)


def last_day(line: OrderLine, *, bought_at: datetime, days: int) -> date:
    """So many days after the run's start, or after buying where it had started or is self-paced (design: EC-64)."""
    run = line.product.course_run
    begins = bought_at
    if run is not None and not run.is_self_paced and run.start_date is not None:
        begins = max(bought_at, run.start_date)
    return clock.date_of(begins + timedelta(days=days))


def _last_days(order: Order, lines: Sequence[OrderLine], days: int) -> dict[int, date]:
    bought_at = order.fulfilled_at or order.placed_at
    return {line.pk: last_day(line, bought_at=bought_at, days=days) for line in lines if line.due > line.refunded}


def _refusal(
    order: Order,
    window: RefundWindow,
    shop: ShopSettings,
    requests: Sequence[RefundRequest],
    disputes: Sequence[Dispute],
) -> RefundNotAskable | None:
    if order.money.is_zero:
        return NothingWasPaid()
    if not order.is_fulfilled:
        return AllGivenBack() if order.state == OrderState.REFUNDED else NotPaidYet()
    if not window.last_days:
        return AllGivenBack()
    if any(dispute.state in WITH_BANK_STATES for dispute in disputes):
        return RefundWithBank()
    asked = next((each for each in requests if each.is_open), None)
    if asked is not None:
        return RefundAskedAlready(on=_day(asked.asked_at))
    denied = next((each for each in requests if each.state == RefundRequestState.DENIED), None)
    if denied is not None:
        return RefundAnsweredAlready(on=_day(denied.decided_at or denied.asked_at))
    if not shop.window_days:
        return RefundsNotAskedHere()
    if not window.open_line_ids and window.until is not None:
        return RefundTooLate(until=date_format(window.until, "DATE_FORMAT"))
    return None


def _day(moment: datetime) -> str:
    return date_format(clock.date_of(moment), "DATE_FORMAT")
