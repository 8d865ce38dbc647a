"""From the cart to an order."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ecommerce.errors.checkout import BasketChanged, BasketEmpty, GatewayNotOffered, TotalChanged
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.business import BusinessDetails
from ecommerce.selectors.owner import basket_owner
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.limits import count_checkout, refuse_many_checkouts
from frontend.pages.checkout_details import DetailsPage, details_page
from frontend.pages.checkout_intent import keep_intent, take_intent
from frontend.pages.pay_options import remember_choice
from frontend.pages.receipt import order_from_basket
from frontend.site.parsing import account_id, parse_money, parse_name, parse_row_id
from frontend.views.answers import UNPROCESSABLE
from frontend.views.decorators import personal, signed_in
from frontend.views.links import receipt_url
from mitxonline.kernel import clock
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.http import is_speculative


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """Place the order the cart shows, and go on to payment unless it is free.

    Signed-out visitors sign in first; then the GET that brings them back goes on where the press left off. Any other
    GET leads to the cart, where the button is.
    """
    if request.method != "POST":
        return _go_on(request)
    if not request.user.is_authenticated:
        keep_intent(request, now=clock.now())
        return redirect_to_login(reverse("checkout"))
    return _place_order(
        request,
        expected_total=request.POST.get("expected_total"),
        seen=request.POST.get("seen"),
        gateway=request.POST.get("gateway"),
    )


@signed_in()
@require_http_methods(["GET", "HEAD", "POST"])
def details(request: HttpRequest) -> HttpResponse:
    """Ask who buys for a group, then place the order that this page showed. A cart without seats has no such step."""
    page = details_page(request, request.POST if request.method == "POST" else None)
    if request.method != "POST":
        is_ready = page.priced.seat_count and page.priced.can_check_out and not page.priced.has_news
        return _details_response(request, page) if is_ready else redirect("cart")
    if not page.form.is_valid():
        return _details_response(request, page, status=UNPROCESSABLE)
    with refusals_on(page.form, only=(BasketChanged, GatewayNotOffered, TotalChanged)) as caught:
        return _place_order(
            request,
            expected_total=request.POST.get("expected_total"),
            seen=request.POST.get("seen"),
            gateway=request.POST.get("gateway"),
            business=page.form.details,
        )
    refusal = caught.refusal
    return _details_response(request, page, status=refusal.status if refusal is not None else UNPROCESSABLE)


def _details_response(request: HttpRequest, page: DetailsPage, *, status: int = 200) -> HttpResponse:
    return render(request, "frontend/cart/details.html", {"page": page, "form": page.form}, status=status)


def _go_on(request: HttpRequest) -> HttpResponse:
    """Place the order that the visitor wanted before they signed in, if the cart is still what they saw.

    What the rules say of the cart now that they know the buyer, the cart's page explains.
    """
    if request.method != "GET" or is_speculative(request) or not request.user.is_authenticated:
        return redirect("cart")
    now = clock.now()
    intent = take_intent(request, now=now)
    if intent is None or not intent.seen:
        return redirect("cart")
    priced = price_current_basket(basket_owner(request), user_id=request.user.pk, now=now)
    if not priced.can_check_out or priced.has_news:
        return redirect("cart")
    return _place_order(request, expected_total=intent.expected_total, seen=intent.seen, gateway=intent.gateway)


def _place_order(
    request: HttpRequest,
    *,
    expected_total: str | None,
    seen: str | None,
    gateway: str | None,
    business: BusinessDetails | None = None,
) -> HttpResponse:
    user_id = account_id(request)
    refuse_many_checkouts(request)
    remember_choice(request, parse_name(gateway))
    try:
        result = begin_checkout(
            owner=basket_owner(request),
            user_id=user_id,
            expected_total=parse_money(expected_total),
            seen_fingerprint=parse_name(seen),
            now=clock.now(),
            host=request.get_host(),
            gateway=parse_name(gateway),
            details=business,
        )
    except BasketEmpty:
        order = order_from_basket(user_id=user_id, basket_id=parse_row_id(request.POST.get("basket")))
        if order is None:
            raise
        return redirect(receipt_url(order))  # a double click: the first request emptied the basket
    if result.pay_url:
        count_checkout(request)
    return redirect(result.pay_url or receipt_url(result.order))
