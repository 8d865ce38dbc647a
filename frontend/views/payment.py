"""Coming back from a payment page, and the sandbox's page, whose address exists where SANDBOX_PAYMENTS is on."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecommerce.enums import UNSETTLED_STATES, AttemptState, OrderState, PaymentStanding
from ecommerce.models import Order, PaymentAttempt
from ecommerce.selectors.payments import payment_standing
from ecommerce.services.checkout.giving_up import give_up_payment
from ecommerce.services.payment.payments import (
    answer_sandbox,
    confirm_return,
    find_buyers_attempt,
    find_sandbox_attempt,
)
from frontend.site.parsing import account_id
from frontend.views.decorators import signed_in
from frontend.views.links import receipt_url
from mitxonline.kernel import clock

# In these cases a buyer who left the payment page isn't told that nothing was paid.
NOT_CERTAINLY_UNPAID = frozenset({PaymentStanding.CONFIRMING, PaymentStanding.PROCESSING, PaymentStanding.RECEIVED})


@signed_in()
@require_safe
def completed(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Back from the payment page: ask the gateway how it went and show the order, for its own buyer only.

    Coming here proves nothing; the gateway's answer does. Where it gives none the receipt says that the money is being
    looked for, and the notice or the sweep brings the course.
    """
    attempt = find_buyers_attempt(reference=reference, user_id=account_id(request))
    order = _ask(attempt)
    if order.state == OrderState.PENDING and attempt.state == AttemptState.DECLINED:
        messages.error(request, _declined_message(order))
        return redirect("cart")
    return redirect(receipt_url(order))


@signed_in()
@require_safe
def canceled(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Back from the payment page by its way out: ask the gateway too, because this address opens after paying as well.

    Only where the gateway says that nothing was paid is the buyer told so, and the order given up: code and seat are
    free for others, the cart is as it was, and the button places another order. Money that came, is on its way, or
    that no one knows about yet leads to the receipt, which says which. A declined card leaves the order as it is.
    """
    attempt = find_buyers_attempt(reference=reference, user_id=account_id(request))
    order = _ask(attempt)
    if _is_certainly_unpaid(order) and attempt.state == AttemptState.DECLINED:
        messages.error(request, _declined_message(order))
        return redirect("cart")
    if _is_certainly_unpaid(order):
        order = give_up_payment(attempt_id=attempt.pk, now=clock.now())
        attempt.refresh_from_db(fields=["state"])
    has_left = order.state == OrderState.CANCELED and attempt.state == AttemptState.EXPIRED
    if not (has_left or _is_certainly_unpaid(order)):
        return redirect(receipt_url(order))
    messages.info(request, _left_message())
    return redirect("cart")


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Ask how the payment shall end, and end it so."""
    buyer = account_id(request)
    if request.method == "POST":
        answer = request.POST.get("answer", "")
        order = answer_sandbox(reference=reference, user_id=buyer, answer=answer, now=clock.now())
        if answer == "abandon":
            return redirect("payment-canceled", reference=reference)
        return _go_on(request, order, answer)
    attempt = find_sandbox_attempt(reference=reference, user_id=buyer)
    context = {
        "attempt": attempt,
        "is_open": attempt.state in UNSETTLED_STATES,
        "is_awaited": attempt.state == AttemptState.PROCESSING,
        "receipt_url": receipt_url(attempt.order),
    }
    return render(request, "frontend/payment/sandbox.html", context)


def _ask(attempt: PaymentAttempt) -> Order:
    """The order after the gateway was asked, which it isn't any more once the try has an end."""
    if attempt.state not in UNSETTLED_STATES:
        return attempt.order
    order = confirm_return(attempt_id=attempt.pk, now=clock.now())
    attempt.refresh_from_db(fields=["state"])
    return order


def _is_certainly_unpaid(order: Order) -> bool:
    """Whether the order waits for its payment, and the gateway says that there is none."""
    return order.state == OrderState.PENDING and payment_standing(order) not in NOT_CERTAINLY_UNPAID


def _go_on(request: HttpRequest, order: Order, answer: str) -> HttpResponse:
    """To the receipt; after a try that failed, back to the cart, where everything still is."""
    if order.state != OrderState.PENDING or answer in ("accept", "later"):
        return redirect(receipt_url(order))
    messages.error(request, _declined_message(order))
    return redirect("cart")


def _left_message() -> str:
    return _("You canceled the payment. You weren’t charged, and your cart is unchanged.")


def _declined_message(order: Order) -> str:
    if order.hold_until is None:
        return _("Your card was declined. You weren't charged. Try another card.")
    until = date_format(localtime(order.hold_until), "TIME_FORMAT")
    return _("Your card was declined. You weren't charged. Try another card; your seat is held until %(time)s.") % {
        "time": until
    }
