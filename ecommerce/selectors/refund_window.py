"""Whether a buyer may request a refund, until when, and for which courses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from courses.models import CourseRun
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
from ecommerce.models import Order, OrderLine, ShopSettings
from ecommerce.selectors.shop import shop_settings
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_day, format_deadline


@dataclass(frozen=True, slots=True)
class RefundWindow:
    """The last day to request a refund of each line, or why none can be requested.

    `last_days` has the lines with money left. The last day is included, in the site's time zone.
    """

    refusal: RefundNotAskable | None
    last_days: dict[int, date]
    today: date

    @property
    def open_line_ids(self) -> set[int]:
        return {line_id for line_id, last in self.last_days.items() if last >= self.today}

    @property
    def days_differ(self) -> bool:
        return len(set(self.last_days.values())) > 1

    @property
    def until(self) -> date | None:
        """The last day on which any line can be refunded."""
        return max(self.last_days.values(), default=None)


def refund_window(order: Order, *, now: datetime, shop: ShopSettings | None = None) -> RefundWindow:
    """Return what the buyer of an order may request now, as its site says.

    Reads lines, requests and disputes, prefetched or not.
    """
    shop = shop or shop_settings(order.site_id)
    bought_at = order.fulfilled_at or order.placed_at
    last_days = {
        line.pk: find_last_day(line, bought_at=bought_at, days=shop.window_days)
        for line in order.lines.all()
        if line.due > line.refunded
    }
    window = RefundWindow(refusal=None, last_days=last_days, today=clock.date_of(now))
    return replace(window, refusal=_find_refusal(order, window, shop))


def find_last_day(line: OrderLine, *, bought_at: datetime, days: int) -> date:
    return last_refund_day(begin_dates(_find_runs(line)), bought_at=bought_at, days=days)


def begin_dates(runs: Iterable[CourseRun | None]) -> list[datetime | None]:
    """When each run begins for its learner; None for one that is self-paced or has no date."""
    return [None if run.is_self_paced else run.start_date for run in runs if run is not None]


def last_refund_day(begins: Iterable[datetime | None], *, bought_at: datetime, days: int) -> date:
    """Count the days from the start, of a program from that of its first course.

    What has started by then or is self-paced (None) begins with the purchase.
    Panel, cart, receipt and refund request all ask here, so that none promises what another refuses.
    """
    return clock.date_of(first_begin(begins, bought_at=bought_at) + timedelta(days=days))


def first_begin(begins: Iterable[datetime | None], *, bought_at: datetime) -> datetime:
    return min((max(bought_at, begin or bought_at) for begin in begins), default=bought_at)


def refund_promise(begins: Iterable[datetime | None], *, now: datetime, shop: ShopSettings | None = None) -> str:
    """Say until when what begins then is refunded if it is bought now; nothing if the shop takes no requests."""
    shop = shop or shop_settings()
    if not shop.window_days:
        return ""
    last = last_refund_day(begins, bought_at=now, days=shop.window_days)
    return _("Full refund until %(day)s") % {"day": format_deadline(last, today=clock.date_of(now))}


def _find_runs(line: OrderLine) -> Iterable[CourseRun | None]:
    """The run that was bought, or those a program gave: its rows, prefetched or not."""
    if line.product.program_id is None:
        return [line.product.course_run]
    return [row.run for row in line.courses.all()]


def _find_refusal(order: Order, window: RefundWindow, shop: ShopSettings) -> RefundNotAskable | None:
    if order.money.is_zero:
        return NothingWasPaid()
    if not order.is_fulfilled:
        return AllGivenBack() if order.state == OrderState.REFUNDED else NotPaidYet()
    if not window.last_days:
        return AllGivenBack()
    if any(dispute.state in WITH_BANK_STATES for dispute in order.disputes.all()):
        return RefundWithBank()
    requests = list(order.refund_requests.all())
    if (open_request := next((each for each in requests if each.is_open), None)) is not None:
        return RefundAskedAlready(on=format_day(open_request.asked_at))
    denied = next((each for each in requests if each.state == RefundRequestState.DENIED), None)
    if denied is not None:
        return RefundAnsweredAlready(on=format_day(denied.decided_at or denied.asked_at))
    if not shop.window_days:
        return RefundsNotAskedHere()
    if not window.open_line_ids and window.until is not None:
        return RefundTooLate(until=format_day(window.until))
    return None
