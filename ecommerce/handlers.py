"""What the shop does when it hears of its own orders."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from courses.enums import EnrollmentSource
from courses.selectors.programs import open_runs_of_programs
from courses.services.enrollments import enroll
from ecommerce.events import OrderFulfilled
from ecommerce.models import Order, OrderLine


def enrol_buyer(event: OrderFulfilled) -> None:
    """Enroll the buyer in what each line sells, in the transaction that fulfils the order."""
    for line in OrderLine.objects.filter(order_id=event.order_id).select_related("product"):
        for run_id in _runs_of(line, now=event.at):
            enroll(
                user_id=event.purchaser_id,
                run_id=run_id,
                mode=line.mode,
                source=_source_of(line),
                reference=event.number,
                now=event.at,
            )


def email_receipt(event: OrderFulfilled) -> None:
    """Mail the receipt to the buyer."""
    order = Order.objects.select_related("purchaser").prefetch_related("lines").get(pk=event.order_id)
    receipt = f"{settings.SITE_BASE_URL}{reverse('receipt')}?order_number={order.number}"
    context = {"order": order, "lines": list(order.lines.all()), "link": receipt}
    mail = EmailMultiAlternatives(
        subject=_("Your receipt %(number)s") % {"number": order.number},
        body=render_to_string("emails/receipt.txt", context),
        to=[order.purchaser.email],
    )
    mail.attach_alternative(render_to_string("emails/receipt.html", context), "text/html")
    mail.send()


def _runs_of(line: OrderLine, *, now: datetime) -> list[int]:
    """The run the line sells, or for a program the run that is open of each course it requires."""
    if line.product.course_run_id is not None:
        return [line.product.course_run_id]
    program_id = line.product.program_id or 0
    return open_runs_of_programs([program_id], now=now).get(program_id, [])


def _source_of(line: OrderLine) -> EnrollmentSource:
    if line.entitlement:
        return EnrollmentSource.CONTRACT
    if line.requires_code:
        return EnrollmentSource.CODE
    return EnrollmentSource.ORDER
