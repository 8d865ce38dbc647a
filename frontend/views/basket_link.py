"""The address that the course site sends its learners to: /basket/add/?sku=…&sku=…&code=…&bundle=…"""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from b2b.services.seats.redemption import apply_assigned_codes
from ecommerce.errors.checkout import LinkedEmpty
from ecommerce.errors.codes import CodeRefused
from ecommerce.errors.registration import CodeRedeemedElsewhere
from ecommerce.selectors.owner import basket_owner
from ecommerce.services.baskets.baskets import apply_code
from ecommerce.services.baskets.linked import fill_linked_cart
from ecommerce.services.checkout.giving_up import give_up_removed
from ecommerce.services.checkout.limits import limit_code_failures
from frontend.site.parsing import account_id, parse_name
from frontend.views.cart import add
from frontend.views.decorators import personal
from mitxonline.kernel import clock
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.http import SeeOther, is_speculative
from mitxonline.kernel.text import strip_punctuation


@personal
def add_from_course_site(request: HttpRequest) -> HttpResponseBase:
    """Fill the cart with just these products and go there, after signing in. What else is in it is kept for later.

    Our own links name products by id and change nothing else in the cart. A `bundle` needs nothing: a program that is
    sold as a whole is a product with a SKU of its own.
    """
    if request.method != "GET" or "product_id" in request.GET:
        return add(request)
    skus = [sku for text in request.GET.getlist("sku") if (sku := parse_name(strip_punctuation(text)))]
    if not skus:
        raise LinkedEmpty
    if is_speculative(request):
        return HttpResponse(status=204)  # no one has followed the link yet
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    now = clock.now()
    linked = fill_linked_cart(user_id=account_id(request), skus=skus, now=now)
    give_up_removed(user_id=account_id(request), now=now)
    for refusal in linked.left_out:
        messages.info(request, str(refusal))
    if linked.basket.is_link:
        apply_assigned_codes(basket=linked.basket, user=request.user, now=now)
    if code := request.GET.get("code", "").strip():
        return _apply(request, code)
    return SeeOther(_cart_url(request))


def _apply(request: HttpRequest, code: str) -> HttpResponse:
    """Apply the link's code. One that doesn't work leaves the products in the cart and says why."""
    try:
        with limit_code_failures(request):
            apply_code(owner=basket_owner(request), text=code, user_id=account_id(request), now=clock.now())
    except CodeRedeemedElsewhere as elsewhere:
        return redirect("enrollment-code", elsewhere.text)
    except (CodeRefused, RateLimited) as refusal:
        messages.error(request, str(refusal), extra_tags=refusal.code)
    return SeeOther(_cart_url(request))


def _cart_url(request: HttpRequest) -> str:
    """The cart, with what measures where the visitor came from."""
    kept = [(name, value) for name, value in request.GET.items() if name.startswith("utm_")]
    return f"{reverse('cart')}?{urlencode(kept)}" if kept else reverse("cart")
