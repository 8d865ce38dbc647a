"""From the cart to an order."""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from ecommerce.errors.checkout import BasketEmpty
from ecommerce.services.checkout.checkout import begin_checkout
from frontend.pages.limits import count_checkout, refuse_many_checkouts
from frontend.pages.owner import basket_owner
from frontend.pages.receipt import order_from_basket
from frontend.site.parsing import parse_money, parse_name, parse_row_id
from frontend.views.decorators import personal
from frontend.views.links import receipt_url
from mitxonline.kernel import clock


@personal
@require_http_methods(["GET", "HEAD", "POST"])
def checkout(request: HttpRequest) -> HttpResponse:
    """Place the order the cart shows, and go on to payment unless it is free.

    A GET (back from signing in, or a bookmark) leads to the cart, where the button is.
    """
    cart = reverse("cart")
    if request.method != "POST":
        return redirect(cart)
    user_id = request.user.pk
    if user_id is None:
        return redirect_to_login(cart)
    refuse_many_checkouts(request)
    try:
        result = begin_checkout(
            owner=basket_owner(request),
            user_id=user_id,
            expected_total=parse_money(request.POST.get("expected_total")),
            seen_fingerprint=parse_name(request.POST.get("seen")),
            now=clock.now(),
            host=request.get_host(),
        )
    except BasketEmpty:
        order = order_from_basket(user_id=user_id, basket_id=parse_row_id(request.POST.get("basket")))
        if order is None:
            raise
        return redirect(receipt_url(order))  # a double click: the first request emptied the basket
    if result.pay_url:
        count_checkout(request)
    return redirect(result.pay_url or receipt_url(result.order))
