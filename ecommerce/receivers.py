"""What the shop does when it hears of its own orders: courses at once, mails after the commit."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from courses.services.enrollments import enroll
from ecommerce.enums import AlertKind, EnrollmentAfter, PaymentStanding, RefundOrigin
from ecommerce.errors.checkout import NotForSale
from ecommerce.events import (
    FreeLinesUndone,
    MoneyReturned,
    OrderFulfilled,
    OrderInReview,
    PaidTwice,
    PaymentDeclined,
    ReceiptWanted,
    RefundAsked,
    RefundDenied,
    RefundFailed,
)
from ecommerce.models import Order, OrderLine, Refund, RefundRequest
from ecommerce.ownership import (
    RunsByCourse,
    choose_runs_to_enroll,
    find_deliverable_lines,
    find_enrolled_runs,
    find_product_runs,
)
from ecommerce.selectors.payments import standing_of
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.orders.enrollment import source_of
from ecommerce.services.orders.mails import send_mail


def enroll_buyer(event: OrderFulfilled) -> None:
    """Enroll the buyer in what each line sells, in the transaction that fulfills the order.

    Raises NotForSale for a line that gives nothing by now: money for nothing is for staff to look at.
    """
    lines = find_deliverable_lines(event.order_id)
    given = _given(lines)
    programs = [line.product_id for line in lines if line.product.course_run is None]
    courses = {course_id for product_id in programs for course_id in given[product_id]}
    places = find_enrolled_runs(event.purchaser_id, courses, now=event.at)
    for line in lines:
        if not given[line.product_id]:
            raise NotForSale(title=line.title)
        for run_id in choose_runs_to_enroll(line.product, given[line.product_id], places):
            enroll(
                user_id=event.purchaser_id,
                run_id=run_id,
                mode=line.mode,
                source=source_of(line),
                reference=event.number,
                now=event.at,
                adds_something=not line.requires_code,
            )


def email_receipt(event: OrderFulfilled) -> None:
    """Mail the receipt to the buyer."""
    _mail_receipt(event.order_id)


def email_receipt_again(event: ReceiptWanted) -> None:
    """Mail the receipt once more, because someone asked for it."""
    _mail_receipt(event.order_id)


def email_review(event: OrderInReview) -> None:
    """Tell the buyer that the course isn't open yet and that we look at it; that their money is here, if it is."""
    order = _order(event.order_id)
    has_money = standing_of(order) != PaymentStanding.IN_DOUBT
    subject = _("We have your payment for order %(number)s") if has_money else _("We’re checking order %(number)s")
    send_mail(
        "order_review",
        subject=subject % {"number": order.number},
        context={
            "order": order,
            "lines": list(order.lines.all()),
            "has_money": has_money,
            "link": _receipt_link(order),
        },
        to=[order.purchaser.email],
    )


def email_refund(event: MoneyReturned) -> None:
    """Tell the buyer what went back, for what, and what became of the courses."""
    refund = Refund.objects.select_related("order__purchaser", "attempt").get(pk=event.refund_id)
    lines = OrderLine.objects.filter(refund_lines__refund=refund).order_by("pk")
    is_bank = refund.origin == RefundOrigin.BANK
    subject = (
        _("Your bank returned your payment for order %(number)s") if is_bank else _("Your refund for order %(number)s")
    )
    send_mail(
        "refund_by_bank" if is_bank else "refund",
        subject=subject % {"number": refund.order.number},
        context={
            "refund": refund,
            "order": refund.order,
            "lines": list(lines),
            "courses_went": refund.enrollment_after == EnrollmentAfter.REMOVE,
            "courses_audited": refund.enrollment_after == EnrollmentAfter.AUDIT,
            "link": _receipt_link(refund.order),
        },
        to=[refund.order.purchaser.email],
    )


def email_refund_failed(event: RefundFailed) -> None:
    """Tell the buyer that the money we said was on its way came back to us, and what holds until it goes again."""
    refund = Refund.objects.select_related("order__purchaser", "attempt").get(pk=event.refund_id)
    lines = OrderLine.objects.filter(refund_lines__refund=refund).order_by("pk")
    took_courses = refund.enrollment_after != EnrollmentAfter.KEEP
    send_mail(
        "refund_failed",
        subject=_("Your refund for order %(number)s did not arrive") % {"number": refund.order.number},
        context={
            "refund": refund,
            "order": refund.order,
            "lines": list(lines) if took_courses else [],
            "is_restored": event.is_restored,
            "link": _receipt_link(refund.order),
        },
        to=[refund.order.purchaser.email],
        reply_to=_support(),
    )


def email_paid_twice(event: PaidTwice) -> None:
    """Tell a buyer who paid an order twice that we saw it, and that they need do nothing."""
    refund = Refund.objects.select_related("order__purchaser", "attempt").get(pk=event.refund_id)
    send_mail(
        "paid_twice",
        subject=_("You paid order %(number)s twice") % {"number": refund.order.number},
        context={"refund": refund, "order": refund.order, "link": _receipt_link(refund.order)},
        to=[refund.order.purchaser.email],
        reply_to=_support(),
    )


def email_free_lines_undone(event: FreeLinesUndone) -> None:
    """Tell the buyer that something they had got for nothing was taken back."""
    order = _order(event.order_id)
    send_mail(
        "free_undone",
        subject=_("Your order %(number)s was undone") % {"number": order.number},
        context={
            "order": order,
            "lines": [line for line in order.lines.all() if line.pk in event.line_ids],
            "courses_went": event.enrollment_after == EnrollmentAfter.REMOVE,
            "link": _receipt_link(order),
        },
        to=[order.purchaser.email],
        reply_to=_support(),
    )


def tell_finance_of_review(event: OrderInReview) -> None:
    """Have finance told of an order that waits for a decision, each time one begins to wait."""
    order = Order.objects.get(pk=event.order_id)
    raise_alert(order.pk, AlertKind.REVIEW, about=f"since {order.updated_at.isoformat()}", now=order.updated_at)


def email_refund_denied(event: RefundDenied) -> None:
    """Tell the buyer that the money stays, and why."""
    request = RefundRequest.objects.select_related("order__purchaser").get(pk=event.request_id)
    order = request.order
    send_mail(
        "refund_denied",
        subject=_("About your refund for order %(number)s") % {"number": order.number},
        context={"request": request, "order": order, "link": _receipt_link(order)},
        to=[order.purchaser.email],
        reply_to=_support(),
    )


def email_payment_failed(event: PaymentDeclined) -> None:
    """Tell a buyer whose bank took days that it said no in the end."""
    order = _order(event.order_id)
    send_mail(
        "payment_failed",
        subject=_("Your payment for order %(number)s did not come through") % {"number": order.number},
        context={
            "order": order,
            "lines": list(order.lines.all()),
            "link": f"{settings.SITE_BASE_URL}{reverse('cart')}",
        },
        to=[order.purchaser.email],
        reply_to=_support(),
    )


def email_refund_asked(event: RefundAsked) -> None:
    """Tell the shop's own address that someone waits for an answer; no one is told where none is given."""
    to = _support()
    if not to:
        return
    request = RefundRequest.objects.select_related("order").get(pk=event.request_id)
    address = reverse("shop_orders:order", args=[request.order_id])
    send_mail(
        "refund_asked",
        subject=_("Order %(number)s: a refund was asked for") % {"number": request.order.number},
        context={"request": request, "order": request.order, "link": f"{settings.SITE_BASE_URL}{address}"},
        to=to,
    )


def _mail_receipt(order_id: int) -> None:
    order = _order(order_id)
    send_mail(
        "receipt",
        subject=_("Your receipt %(number)s") % {"number": order.number},
        context={"order": order, "lines": list(order.lines.all()), "link": _receipt_link(order)},
        to=[order.purchaser.email],
    )


def _order(order_id: int) -> Order:
    return Order.objects.select_related("purchaser").prefetch_related("lines").get(pk=order_id)


def _receipt_link(order: Order) -> str:
    return f"{settings.SITE_BASE_URL}{reverse('receipt')}?order_number={order.number}"


def _support() -> list[str]:
    address = shop_settings().support_email
    return [address] if address else []


def _given(lines: Sequence[OrderLine]) -> dict[int, RunsByCourse]:
    """What each line's product gave when it was sold: a program the runs that were open then."""
    return find_product_runs([line.product for line in lines], now=lines[0].order.placed_at) if lines else {}
