"""The page of a registration or enrollment code: it shows what the code gives, and a button takes the seat."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from b2b.services.seats.redemption import put_in_link_basket, redeem_enrollment_code
from ecommerce.errors.codes import CodeMissing, CodeRefused, CodeUnknown
from ecommerce.selectors.owner import basket_owner
from ecommerce.services.checkout.limits import limit_code_failures
from ecommerce.services.registration.redemption import redeem_registration_code
from frontend.pages.code_form import RedeemForm
from frontend.pages.redeem import read_offer, refusal_card
from frontend.views.answers import UNPROCESSABLE, refused_status, with_retry_after
from frontend.views.decorators import personal
from frontend.views.links import login_url, other_account_url, register_url
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError, RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.text import read_code


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """A form that leads to the code’s own page. An unknown code is refused on the form."""
    form = RedeemForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _render_form(request, form, status=UNPROCESSABLE if form.is_bound else 200)
    text = read_code(form.cleaned_data["code"])
    at_field = (CodeMissing, CodeUnknown, RateLimited)
    try:
        with refusals_on(form, "code", only=at_field) as caught, limit_code_failures(request):
            read_offer(text, user_id=request.user.pk, now=clock.now())
    except CodeRefused as refusal:
        return _render_refusal(request, text, refusal)
    if caught.refusal is not None:
        return with_retry_after(_render_form(request, form, status=refused_status(caught.refusal)), caught.refusal)
    return redirect("enrollment-code", code=text)


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def redeem(request: HttpRequest, code: str) -> HttpResponse:
    """Show what the code opens; a POST takes the seat."""
    code = read_code(code) or code
    try:
        with limit_code_failures(request):
            return _take_seat(request, code) if request.method == "POST" else _render_offer(request, code)
    except (CodeRefused, RateLimited) as refusal:
        return _render_refusal(request, code, refusal)


def _render_offer(request: HttpRequest, code: str) -> HttpResponse:
    card = read_offer(code, user_id=request.user.pk, now=clock.now())
    return render(request, "frontend/redeem/offer.html", {"card": card} | _links(code))


def _take_seat(request: HttpRequest, code: str) -> HttpResponse:
    """Take the seat, or go to the cart with the code applied if the contract has a price."""
    here = reverse("enrollment-code", args=[code])
    if not request.user.is_authenticated:
        return redirect_to_login(here)
    now, user_id = clock.now(), request.user.pk
    card = read_offer(code, user_id=user_id, now=now)
    if not card.is_free:
        put_in_link_basket(text=code, owner=basket_owner(request), user_id=user_id, now=now)
        return redirect("cart")
    if card.contract is not None:
        is_old = redeem_enrollment_code(text=code, user_id=user_id, now=now).was_redeemed_before
    else:
        is_old = redeem_registration_code(text=code, user_id=user_id, now=now).was_redeemed_before
    if is_old:
        messages.info(request, _("You already have this seat. Go to your course."))
    else:
        messages.success(
            request,
            _("You’re in, %(name)s. Your course is on your dashboard.") % {"name": request.user.first_name},
        )
    return redirect("dashboard")


def _render_refusal(request: HttpRequest, code: str, refusal: DomainError) -> HttpResponse:
    card = refusal_card(refusal, text=code, user_id=request.user.pk)
    status = 404 if isinstance(refusal, CodeUnknown) else refusal.status
    response = render(request, "frontend/redeem/refusal.html", {"card": card} | _links(code), status=status)
    return with_retry_after(response, refusal)


def _render_form(request: HttpRequest, form: RedeemForm, *, status: int) -> HttpResponse:
    return render(request, "frontend/redeem/enter.html", {"form": form}, status=status)


def _links(code: str) -> dict[str, str]:
    """URLs that lead back to the code’s page."""
    here = reverse("enrollment-code", args=[code])
    return {
        "here": here,
        "login_url": login_url(here),
        "register_url": register_url(here),
        "other_account_url": other_account_url(here),
    }
