"""Going to a payment page and coming back from it.

The sandbox’s payment page exists where SANDBOX_PAYMENTS is on.
"""

from __future__ import annotations

import logging
from uuid import UUID

from csp.constants import SELF
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from ecommerce.enums import UNSETTLED_STATES, AttemptState, Decline, OrderState, PaymentStanding
from ecommerce.gateways.base import NoticeForged, PaymentOutcome
from ecommerce.models import Order, PaymentAttempt
from ecommerce.selectors.payments import payment_standing
from ecommerce.services.checkout.giving_up import give_up_payment
from ecommerce.services.payment.forms import find_page_form, form_gateway, take_answer
from ecommerce.services.payment.payments import confirm_return, find_buyers_attempt
from ecommerce.services.payment.sandbox import answer_sandbox, find_sandbox_attempt
from frontend.site.parsing import account_id
from frontend.views.decorators import personal, signed_in
from frontend.views.links import receipt_url
from mitxonline.kernel import clock
from mitxonline.kernel.dates import format_time
from mitxonline.kernel.http import SeeOther

logger = logging.getLogger(__name__)

# In these standings we can't tell a buyer who left the payment page that nothing was paid.
NOT_CERTAINLY_UNPAID = frozenset({PaymentStanding.CONFIRMING, PaymentStanding.PROCESSING, PaymentStanding.RECEIVED})

# The buyer approved on a page that had ended before: they chose another way to pay, or took too long.
_ENDED = gettext_lazy("That payment page had ended. You weren’t charged there. Check out again to pay.")


@signed_in()
@require_safe
def completed(request: HttpRequest, reference: UUID) -> HttpResponse:
    """The buyer is back from the payment page: ask the gateway for the result and show the order.

    The visit itself proves nothing; only the gateway’s answer does. Without an answer the receipt says that we’re
    confirming the payment, and the notice or the sweep opens the course later.
    """
    attempt = find_buyers_attempt(reference=reference, user_id=account_id(request))
    order = _ask_gateway(attempt)
    if order.state == OrderState.PENDING and attempt.state == AttemptState.DECLINED:
        messages.error(request, _declined_message(order, attempt.decline))
        return redirect("cart")
    if order.state == OrderState.PENDING and attempt.state == AttemptState.EXPIRED:
        messages.info(request, _ENDED)
        return redirect("cart")
    return redirect(receipt_url(order))


@signed_in()
@require_safe
def canceled(request: HttpRequest, reference: UUID) -> HttpResponse:
    """The buyer left the payment page: ask the gateway, because this URL can also be opened after paying.

    Only if the gateway says that nothing was paid, the order is given up and the buyer reads so: code and seat are free
    for others, and the cart is unchanged. If money arrived, is on its way, or may be, the receipt says which. Money
    that the buyer approved before isn’t taken. A declined card leaves the order as it is.
    """
    attempt = find_buyers_attempt(reference=reference, user_id=account_id(request))
    order = _ask_gateway(attempt, may_take=False)
    if _is_certainly_unpaid(order) and attempt.state == AttemptState.DECLINED:
        messages.error(request, _declined_message(order, attempt.decline))
        return redirect("cart")
    if _is_certainly_unpaid(order):
        order = give_up_payment(attempt_id=attempt.pk, now=clock.now())
        attempt.refresh_from_db(fields=["state"])
    has_left = order.state == OrderState.CANCELED and attempt.state == AttemptState.EXPIRED
    if not (has_left or _is_certainly_unpaid(order)):
        return redirect(receipt_url(order))
    messages.info(request, _("You canceled the payment. You weren’t charged, and your cart is unchanged."))
    return redirect("cart")


@signed_in()
@require_safe
def hand_over(request: HttpRequest, gateway: str, reference: UUID) -> HttpResponse:
    """Hand the buyer over to a payment page by a signed form, which a script posts at once."""
    attempt, form = find_page_form(
        gateway_name=gateway, reference=reference, user_id=account_id(request), now=clock.now()
    )
    context = {"attempt": attempt, "form": form, "receipt_url": receipt_url(attempt.order)}
    response = render(request, "frontend/payment/form.html", context)
    if form is not None:
        response._csp_replace = {"form-action": [SELF, form.origin]}  # type: ignore[attr-defined]
    return response


@csrf_exempt
@personal
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, gateway: str) -> HttpResponse:
    """Take the answer that the buyer’s browser posts from the payment page, and go on to our own page.

    The browser sends no cookies with a post from another site: no one is signed in here, and a page rendered here would
    replace the buyer’s cookies. The signature stands for all of that. Going on is a plain GET again, with cookies.
    """
    if request.method != "POST":
        form_gateway(gateway)
        return render(request, "frontend/payment/answer_unread.html")
    try:
        reference, outcome = take_answer(
            gateway_name=gateway,
            body=request.body,
            headers=request.headers,
            host=request.get_host(),
            now=clock.now(),
        )
    except NoticeForged as error:
        logger.warning("answer refused", extra={"gateway": gateway, "reason": str(error)})
        return SeeOther(reverse("payment-answer", kwargs={"gateway": gateway}))
    if reference is None:
        return SeeOther(reverse("orders"))
    page = "payment-canceled" if outcome is PaymentOutcome.EXPIRED else "payment-completed"
    return SeeOther(reverse(page, kwargs={"reference": reference}))


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def sandbox(request: HttpRequest, reference: UUID) -> HttpResponse:
    """Ask for an outcome of the payment, and settle it that way."""
    buyer = account_id(request)
    if request.method == "POST":
        answer = request.POST.get("answer", "")
        order = answer_sandbox(reference=reference, user_id=buyer, answer=answer, now=clock.now())
        if answer == "abandon":
            return redirect("payment-canceled", reference=reference)
        return _redirect_after(request, order, answer)
    attempt = find_sandbox_attempt(reference=reference, user_id=buyer)
    context = {
        "attempt": attempt,
        "is_open": attempt.state in UNSETTLED_STATES,
        "is_awaited": attempt.state == AttemptState.PROCESSING,
        "receipt_url": receipt_url(attempt.order),
    }
    return render(request, "frontend/payment/sandbox.html", context)


def _ask_gateway(attempt: PaymentAttempt, *, may_take: bool = True) -> Order:
    """The order after asking the gateway, which isn’t asked about a payment attempt that has ended."""
    if attempt.state not in UNSETTLED_STATES:
        return attempt.order
    order = confirm_return(attempt_id=attempt.pk, now=clock.now(), may_take=may_take)
    attempt.refresh_from_db(fields=["state", "decline"])
    return order


def _is_certainly_unpaid(order: Order) -> bool:
    return order.state == OrderState.PENDING and payment_standing(order) not in NOT_CERTAINLY_UNPAID


def _redirect_after(request: HttpRequest, order: Order, answer: str) -> HttpResponse:
    """Go to the receipt; after a failed attempt back to the cart, which is unchanged."""
    if order.state != OrderState.PENDING or answer in ("accept", "later"):
        return redirect(receipt_url(order))
    messages.error(request, _declined_message(order))
    return redirect("cart")


def _declined_message(order: Order, decline: str = "") -> str:
    reason = _decline_reason(decline)
    if order.hold_until is None:
        return _("%(reason)s You weren’t charged. Try another card or another way to pay.") % {"reason": reason}
    sentence = _(
        "%(reason)s You weren’t charged. Try another card or another way to pay; your place is held until %(time)s."
    )
    return sentence % {"reason": reason, "time": format_time(order.hold_until, zone=order.purchaser.zone)}


def _decline_reason(decline: str) -> str:
    reasons = {
        Decline.CARD_EXPIRED: _("Your card has expired."),
        Decline.WRONG_DETAILS: _("Your card’s details don’t match what your bank has."),
        Decline.NO_FUNDS: _("There isn’t enough money on your card."),
        Decline.NOT_CONFIRMED: _("Your bank couldn’t confirm that it’s you."),
        Decline.TRY_LATER: _("Your bank couldn’t be reached."),
        Decline.OUR_FAULT: _("The payment page refused our request, which is our mistake."),
    }
    return reasons[Decline(decline)] if decline in reasons else _("Your payment was declined.")
