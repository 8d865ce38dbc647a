"""A payment page without money, for development only: its address exists where SANDBOX_PAYMENTS is on."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from ecommerce.enums import AttemptState, OrderState
from ecommerce.models import Order
from ecommerce.services.payments import answer_sandbox, sandbox_attempt
from frontend.views.decorators import signed_in
from frontend.views.links import receipt_url
from frontend.views.parsing import account_id
from mitxonline.kernel import clock


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Ask how the payment shall end, and end it so."""
    buyer = account_id(request)
    if request.method == "POST":
        answer = request.POST.get("answer", "")
        order = answer_sandbox(reference=reference, user_id=buyer, answer=answer, now=clock.now())
        return _go_on(request, order, answer)
    attempt = sandbox_attempt(reference=reference, user_id=buyer)
    is_open = attempt.state == AttemptState.STARTED and attempt.order.state == OrderState.PENDING
    context = {"attempt": attempt, "is_open": is_open, "receipt_url": receipt_url(attempt.order)}
    return render(request, "frontend/payment/sandbox.html", context)


def _go_on(request: HttpRequest, order: Order, answer: str) -> HttpResponse:
    """To the receipt; after a try that failed, back to the cart, where everything still is."""
    if order.state != OrderState.PENDING:
        return redirect(receipt_url(order))
    if answer == "decline":
        messages.error(request, _declined(order))
    else:
        messages.info(request, _("You left the payment. Nothing was taken, and your cart is as it was."))
    return redirect("cart")


def _declined(order: Order) -> str:
    if order.hold_until is None:
        return _("Your card was declined. Nothing was taken. Try another card.")
    until = date_format(localtime(order.hold_until), "TIME_FORMAT")
    return _("Your card was declined. Nothing was taken. Try another card; your seat is held until %(time)s.") % {
        "time": until
    }
