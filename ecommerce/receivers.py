"""Receivers of the shop's own events. They enroll in the same transaction, and e-mail after the commit."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.conf import settings
from django.urls import reverse
from django.utils.module_loading import import_string

from courses.models import CourseRun
from courses.selectors.run_dates import format_run_dates
from courses.services.enrollments import enroll
from ecommerce.enums import AlertKind, EnrollmentAfter, PaymentStanding, RefundOrigin
from ecommerce.errors.checkout import NotForSale
from ecommerce.events import (
    CreditNoteIssued,
    FreeLinesUndone,
    InvoiceIssued,
    InvoiceMailWanted,
    InvoiceReminderDue,
    InvoiceVoided,
    MoneyReturned,
    NoticeReceived,
    OrderFulfilled,
    OrderInReview,
    PaidTwice,
    PaymentDeclined,
    ReceiptWanted,
    RefundAsked,
    RefundDenied,
    RefundFailed,
    SeatMoved,
    SeatTakenFromLearner,
)
from ecommerce.models import CodeUse, Order, OrderLine, Refund, RefundRequest
from ecommerce.ownership import (
    choose_runs_to_enroll,
    find_enrolled_runs,
    find_line_runs,
    find_standing_lines,
    record_given_runs,
)
from ecommerce.selectors.payments import payment_standing
from ecommerce.selectors.receipts import ReceiptData, receipt_data, receipt_for
from ecommerce.selectors.registration_file import list_sold_courses, registration_file
from ecommerce.selectors.seat_sales import sales_of_order
from ecommerce.selectors.shop import shop_settings
from ecommerce.services.invoices import mails as invoice_mails
from ecommerce.services.orders.alerts import raise_alert
from ecommerce.services.orders.closing import close_carts_and_orders, rename_codes
from ecommerce.services.orders.enrollment import enrollment_source
from ecommerce.services.payment.notices import process_notice
from ecommerce.services.registration.codes import sell_seats_of
from mitxonline.kernel import clock
from mitxonline.kernel.mail import MailFile, send_email
from mitxonline.kernel.shop import current_shop, shop_of_site, use_shop_of_site
from mitxonline.users.events import AccountClosed

logger = logging.getLogger(__name__)


def close_buyer(event: AccountClosed) -> None:
    """Delete the carts of a deleted account, and leave of its orders what the books need. May refuse the deletion."""
    close_carts_and_orders(user_id=event.user_id, email=event.email)


def forget_address(event: AccountClosed) -> None:
    """Take the address of a deleted account off its codes."""
    rename_codes(user_id=event.user_id, email=event.email, alias=event.alias)


def process_received_notice(event: NoticeReceived) -> None:
    """Process a stored notice. A failure is retried by its delivery."""
    process_notice(notice_id=event.notice_id, now=clock.now())


def enroll_buyer(event: OrderFulfilled) -> None:
    """Enroll the buyer in what each line sells, in the transaction that fulfills the order.

    What they bought for a group becomes registration codes instead. Raises NotForSale for a line that no longer gives
    any course: the order then goes to review.
    """
    standing = find_standing_lines(event.order_id)
    sell_seats_of(standing, now=event.at)
    lines = [line for line in standing if not line.is_group]
    if not lines:
        return
    runs = find_line_runs(lines)
    programs = [line for line in lines if line.product.program_id is not None]
    courses = {course_id for line in programs for course_id in runs[line.pk]}
    enrolled = find_enrolled_runs(event.purchaser_id, courses, now=event.at)
    wanted = []
    for line in lines:
        if not runs[line.pk]:
            raise NotForSale(title=line.title)
        given = choose_runs_to_enroll(line.product, runs[line.pk], enrolled)
        record_given_runs(line, runs[line.pk], given)
        wanted += [(run_id, line) for run_id in given.values()]
    # Enrolling may lock the run, and two orders lock theirs in the same order.
    for run_id, line in sorted(wanted, key=lambda each: each[0]):
        enroll(
            user_id=event.purchaser_id,
            run_id=run_id,
            mode=line.mode,
            source=enrollment_source(line),
            reference=event.number,
            now=event.at,
            adds_something=not line.requires_code,
        )


def email_receipt(event: OrderFulfilled) -> None:
    _email_receipt(event.order_id)


def email_receipt_again(event: ReceiptWanted) -> None:
    """E-mail the receipt once more, because staff asked for it."""
    _email_receipt(event.order_id)


def email_review(event: OrderInReview) -> None:
    """Tell the buyer that staff are looking at the order, and whether their money arrived."""
    order = _find_order(event.order_id)
    _email_buyer(
        "order_review",
        order,
        lines=list(order.lines.all()),
        has_money=payment_standing(order) != PaymentStanding.IN_DOUBT,
    )


def email_refund(event: MoneyReturned) -> None:
    """Tell the buyer what was refunded, for which courses, and whether they keep them."""
    refund = _find_refund(event.refund_id)
    _email_buyer(
        "refund_by_bank" if refund.origin == RefundOrigin.BANK else "refund",
        refund.order,
        refund=refund,
        lines=_lines_of(refund),
        groups=list(refund.lines.filter(seats__gt=0).select_related("line").order_by("line")),
        courses_went=refund.enrollment_after == EnrollmentAfter.REMOVE,
        courses_audited=refund.enrollment_after == EnrollmentAfter.AUDIT,
    )


def email_refund_failed(event: RefundFailed) -> None:
    """Tell the buyer that a refund came back to us, and whether their courses are open meanwhile."""
    refund = _find_refund(event.refund_id)
    _email_buyer(
        "refund_failed",
        refund.order,
        replies_to_support=True,
        refund=refund,
        lines=[] if refund.enrollment_after == EnrollmentAfter.KEEP else _lines_of(refund),
        is_restored=event.is_restored,
    )


def email_paid_twice(event: PaidTwice) -> None:
    """Tell a buyer who paid an order twice that staff know, and that they don't need to do anything."""
    refund = _find_refund(event.refund_id)
    _email_buyer("paid_twice", refund.order, replies_to_support=True, refund=refund)


def email_free_lines_undone(event: FreeLinesUndone) -> None:
    """Tell the buyer that staff took back lines that had cost nothing."""
    order = _find_order(event.order_id)
    _email_buyer(
        "free_undone",
        order,
        replies_to_support=True,
        lines=[line for line in order.lines.all() if line.pk in event.line_ids and not line.is_group],
        groups=[line for line in order.lines.all() if line.pk in event.line_ids and line.is_group],
        courses_went=event.enrollment_after == EnrollmentAfter.REMOVE,
    )


def email_seat_taken(event: SeatTakenFromLearner) -> None:
    """Tell a learner that the course of their registration code was taken back, or that they only audit it now."""
    _email_learner("seat_taken", event.use_id, event.run_id, is_audit=event.is_audit)


def email_seat_moved(event: SeatMoved) -> None:
    """Tell a learner that staff moved their seat to another start."""
    before = CourseRun.all_objects.get(pk=event.run_before_id)
    _email_learner("seat_moved", event.use_id, event.run_after_id, before=before, before_text=_describe_run(before))


def email_refund_denied(event: RefundDenied) -> None:
    request = RefundRequest.objects.select_related("order__purchaser").get(pk=event.request_id)
    _email_buyer("refund_denied", request.order, replies_to_support=True, request=request)


def email_payment_failed(event: PaymentDeclined) -> None:
    """Tell a buyer whose bank took days that it declined the payment."""
    order = _find_order(event.order_id)
    _email_buyer(
        "payment_failed",
        order,
        replies_to_support=True,
        lines=list(order.lines.all()),
        link=f"{shop_of_site(order.site_id).base_url}{reverse('cart')}",
    )


def email_refund_request(event: RefundAsked) -> None:
    """Tell the buyer that their request arrived, what it is for, and that someone answers."""
    request = RefundRequest.objects.select_related("order__purchaser").get(pk=event.request_id)
    _email_buyer(
        "refund_request", request.order, replies_to_support=True, request=request, lines=list(request.lines.all())
    )


def email_refund_asked(event: RefundAsked) -> None:
    """Tell the shop's support address that a buyer requests a refund; without such an address, no one."""
    request = RefundRequest.objects.select_related("order").get(pk=event.request_id)
    address = reverse("shop_orders:order", args=[request.order_id])
    with use_shop_of_site(request.order.site_id):
        if to := _support_addresses():
            link = f"{current_shop().base_url}{address}"
            send_email(
                "ecommerce/emails/refund_asked",
                to=to,
                context={"request": request, "order": request.order, "link": link},
            )


def tell_finance_of_review(event: OrderInReview) -> None:
    """Alert finance to an order in review, once each time it goes there."""
    order = Order.objects.get(pk=event.order_id)
    raise_alert(order.pk, AlertKind.REVIEW, about=f"since {order.updated_at.isoformat()}", now=order.updated_at)


def email_invoice(event: InvoiceIssued) -> None:
    """E-mail a new invoice with its PDF and codes. If it fails, its delivery tries again."""
    invoice_mails.email_invoice(invoice_id=event.invoice_id, now=clock.now())


def email_invoice_again(event: InvoiceMailWanted) -> None:
    invoice_mails.email_invoice(invoice_id=event.invoice_id, now=clock.now())


def email_credit_note(event: CreditNoteIssued) -> None:
    invoice_mails.email_credit_note(entry_id=event.entry_id)


def email_voided_invoice(event: InvoiceVoided) -> None:
    invoice_mails.email_voided_invoice(invoice_id=event.invoice_id)


def email_invoice_reminder(event: InvoiceReminderDue) -> None:
    invoice_mails.email_reminder(reminder_id=event.reminder_id, now=clock.now())


def _email_receipt(order_id: int) -> None:
    order = _find_order(order_id)
    receipt = receipt_data(receipt_for(user_id=order.purchaser_id, number=order.number), now=clock.now())
    with use_shop_of_site(order.site_id):
        files = _draw_receipt(order, receipt)
    courses = list_sold_courses(sales_of_order(order)) if order.is_completed else []
    code_files = [registration_file(courses, name=f"{order.number}-codes")] if courses else []
    _email_buyer(
        "receipt",
        order,
        receipt=receipt,
        has_file=bool(files),
        courses=courses,
        code_count=sum(len(course.codes) for course in courses),
        files=[*files, *code_files],
        replies_to_support=True,
    )


def _draw_receipt(order: Order, receipt: ReceiptData) -> list[MailFile]:
    """Return the PDF that the receipt's page offers. If it can't be drawn, the e-mail goes without."""
    if not order.is_completed:
        return []
    try:
        content: bytes = import_string(settings.RECEIPT_FILE)(receipt)
    except Exception:
        logger.exception("receipt not drawn", extra={"order": order.pk})
        return []
    return [MailFile(f"{order.number}.pdf", content, "application/pdf")]


def _email_buyer(
    name: str,
    order: Order,
    *,
    replies_to_support: bool = False,
    files: Sequence[MailFile] = (),
    **context: object,
) -> None:
    """Send one of the e-mails of the order's site to the buyer.

    With ``replies_to_support``, answers go to the support address.
    """
    with use_shop_of_site(order.site_id):
        receipt = f"{current_shop().base_url}{reverse('receipt')}?order_number={order.number}"
        send_email(
            f"ecommerce/emails/{name}",
            to=[order.purchaser.email],
            reply_to=_support_addresses() if replies_to_support else [],
            context={"order": order, "link": receipt} | context,
            about=order,
            files=files,
        )


def _email_learner(name: str, use_id: int, run_id: int, **context: object) -> None:
    """Write to the learner who redeemed a registration code about the run it gave or gives."""
    use = CodeUse.objects.select_related("user", "code__discount").get(pk=use_id)
    if use.user.closed_at is not None:
        return
    run = CourseRun.all_objects.get(pk=run_id)
    with use_shop_of_site(use.code.discount.site_id):
        send_email(
            f"ecommerce/emails/{name}",
            to=[use.user.email],
            reply_to=_support_addresses(),
            context={
                "run": run,
                "run_text": _describe_run(run),
                "learner": use.user,
                "link": f"{current_shop().base_url}{reverse('dashboard')}",
            }
            | context,
            about=use.code,
        )


def _describe_run(run: CourseRun) -> str:
    """Name a run with its dates."""
    return f"{run.title} ({format_run_dates(run, clock.now())})"


def _find_order(order_id: int) -> Order:
    return Order.objects.select_related("purchaser").prefetch_related("lines").get(pk=order_id)


def _find_refund(refund_id: int) -> Refund:
    return Refund.objects.select_related("order__purchaser", "attempt").get(pk=refund_id)


def _lines_of(refund: Refund) -> list[OrderLine]:
    """Return the lines of a refund that gave the buyer courses of their own: seats for a group are told apart."""
    return list(OrderLine.objects.filter(refund_lines__refund=refund, seats__isnull=True).order_by("pk"))


def _support_addresses() -> list[str]:
    address = shop_settings().support_email
    return [address] if address else []
