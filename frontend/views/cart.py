"""The cart: showing it and changing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, retarget

from b2b.services.seats.redemption import apply_assigned_codes
from ecommerce.errors.checkout import ProductUnknown, StartUnknown
from ecommerce.errors.codes import CodeRefused
from ecommerce.errors.registration import CodeRedeemedElsewhere
from ecommerce.models import LineKey
from ecommerce.selectors.baskets import find_baskets
from ecommerce.selectors.owner import basket_owner
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    change_seats,
    choose_starts,
    keep_for_later,
    leave_link_basket,
    move_to_cart,
    remove_code,
    remove_product,
)
from ecommerce.services.checkout.giving_up import give_up_removed
from ecommerce.services.checkout.limits import limit_code_failures
from frontend.pages.cart import cart_page, describe_code_refusal, recount_summary
from frontend.pages.checkout_intent import drop_intent
from frontend.pages.code_form import CodeForm
from frontend.pages.group import group_page
from frontend.pages.seats_form import SeatsForm
from frontend.site.parsing import account_id, parse_linked_id, parse_name, parse_row_id
from frontend.views.answers import SIGNED_OUT, UNPROCESSABLE, has_lost_session, refused_status, with_retry_after
from frontend.views.decorators import personal
from mitxonline.kernel import clock
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.http import accept_from_own_pages, is_speculative, wants_fragment
from mitxonline.kernel.shop import current_shop
from mitxonline.kernel.text import strip_punctuation

PAGE = "frontend/cart/page.html"
FRAGMENT = "frontend/cart/fragment.html"
GROUP_PAGE = "frontend/cart/group.html"
GROUP_SUM = "frontend/cart/group_sum.html"
HEADER = "components/cart_link.html"
COUNT_COOKIE = "cart"


@personal
@require_GET
def cart(request: HttpRequest) -> HttpResponse:
    drop_intent(request)
    return _render_cart(request)


@accept_from_own_pages
@personal
@require_http_methods(["GET", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    """Add products to the cart and go there. One unknown product among several leaves the cart unchanged.

    Exported links are GETs. They only fill a basket, so following one twice or on someone’s behalf does no harm.
    """
    params = request.POST if request.method == "POST" else request.GET
    product_ids = [parse_linked_id(text) for text in params.getlist("product_id")]
    skus = [parse_name(strip_punctuation(text)) for text in params.getlist("sku")]
    if None in product_ids or "" in skus or not (product_ids or skus):
        raise ProductUnknown
    if request.method == "GET" and is_speculative(request):
        return HttpResponse(status=204)  # no one has followed the link yet
    seats_form = SeatsForm(params)
    if not seats_form.is_valid():
        return _render_group(request, params, next(iter(product_ids), None), status=UNPROCESSABLE)
    start_ids = _parse_starts(params)
    owner, now = basket_owner(request, create=True), clock.now()
    basket = add_products(
        owner=owner,
        product_ids=[each for each in product_ids if each is not None],
        skus=skus,
        start_ids=start_ids,
        seats=seats_form.cleaned_data["seats"],
        now=now,
    )
    if basket.is_link and request.user.is_authenticated:
        apply_assigned_codes(basket=basket, user=request.user, now=now)
    elif not basket.is_link and find_baskets(owner, now=now).current != basket:
        # The page shows the contract's cart next.
        message = _("We added it to your own cart. You’ll get back to it after you finish your organization’s.")
        messages.info(request, message)
    return redirect("cart")


@personal
@require_safe
def group(request: HttpRequest) -> HttpResponse:
    """Seats of a course for a group, and what they cost. htmx asks for the sum alone."""
    return _render_group(request, request.GET, parse_linked_id(request.GET.get("product_id")))


@personal
@require_POST
def seats(request: HttpRequest) -> HttpResponse:
    """Change for whom a product in the cart is, and for how many. A number that isn’t one changes nothing."""
    product_id, was_group = parse_row_id(request.POST.get("product_id")), "group" in request.POST
    if product_id is None:
        return redirect("cart")
    form = SeatsForm(request.POST)
    if not form.is_valid():
        forms = {(product_id, was_group): form}
        return _render_cart(request, seats_forms=forms, status=UNPROCESSABLE)
    change_seats(
        owner=basket_owner(request),
        product_id=product_id,
        was_group=was_group,
        seats=form.cleaned_data["seats"],
        now=clock.now(),
    )
    _give_up_removed(request)
    return redirect("cart")


@personal
@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    return _change_products(request, remove_product, is_out=True)


@personal
@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    return _change_products(request, keep_for_later, is_out=True)


@personal
@require_POST
def back(request: HttpRequest) -> HttpResponse:
    return _change_products(request, move_to_cart)


@personal
@require_POST
def starts(request: HttpRequest) -> HttpResponse:
    """Choose the starts of a program’s courses."""
    if product_id := parse_row_id(request.POST.get("product_id")):
        start_ids = _parse_starts(request.POST)
        choose_starts(owner=basket_owner(request), product_id=product_id, start_ids=start_ids, now=clock.now())
    return redirect("cart")


@personal
@require_GET
def header(request: HttpRequest) -> HttpResponse:
    """The current cart for the header of a page that came from a cache."""
    summary = recount_summary(request)
    return _with_count(render(request, HEADER, {"cart_summary": summary}), summary.count)


@personal
@require_POST
def apply(request: HttpRequest) -> HttpResponse:
    """Apply a code. A refusal is shown at the field, and the cart stays as it is."""
    if has_lost_session(request):
        return HttpResponse(status=SIGNED_OUT)
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _render_cart(request, form, status=UNPROCESSABLE)
    with (
        refusals_on(
            form, "code", only=(CodeRefused, RateLimited), describe=partial(describe_code_refusal, request)
        ) as caught,
        limit_code_failures(request),
    ):
        apply_code(
            owner=basket_owner(request),
            text=form.cleaned_data["code"],
            user_id=request.user.pk,
            now=clock.now(),
        )
    if isinstance(caught.refusal, CodeRedeemedElsewhere):
        return _leave_for(request, reverse("enrollment-code", args=[caught.refusal.text]))
    if caught.refusal is not None:
        return with_retry_after(_render_cart(request, form, status=refused_status(caught.refusal)), caught.refusal)
    return redirect("cart")


@personal
@require_POST
def remove_applied_code(request: HttpRequest) -> HttpResponse:
    if has_lost_session(request):
        return HttpResponse(status=SIGNED_OUT)
    if code_id := parse_row_id(request.POST.get("code_id")):
        remove_code(owner=basket_owner(request), code_id=code_id, now=clock.now())
        _give_up_removed(request)
    return redirect("cart")


@personal
@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Leave a contract’s cart for the visitor’s own."""
    leave_link_basket(owner=basket_owner(request), now=clock.now())
    _give_up_removed(request)
    return redirect("cart")


def _parse_starts(params: QueryDict) -> list[int]:
    """Read the chosen starts; an empty field leaves the choice to the shop. Raises StartUnknown."""
    start_ids = [parse_row_id(text) for text in params.getlist("start") if text]
    if None in start_ids:
        raise StartUnknown
    return [each for each in start_ids if each is not None]


def _render_group(
    request: HttpRequest, params: QueryDict, product_id: int | None, *, status: int = 200
) -> HttpResponse:
    page = group_page(params, user_id=request.user.pk, now=clock.now(), product_id=product_id)
    template = GROUP_SUM if wants_fragment(request) and request.method == "GET" else GROUP_PAGE
    response = render(request, template, {"page": page, "form": page.form}, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _render_cart(
    request: HttpRequest,
    form: CodeForm | None = None,
    *,
    seats_forms: Mapping[LineKey, SeatsForm] | None = None,
    status: int = 200,
) -> HttpResponse:
    page = cart_page(request, seats_forms=seats_forms)
    template = FRAGMENT if wants_fragment(request) else PAGE
    response = render(request, template, {"page": page, "form": page.code_form(form)}, status=status)
    if template == FRAGMENT:
        retarget(response, "#cart")  # also for error statuses, whose target would be the form's
    patch_vary_headers(response, ["HX-Request"])
    return _with_count(response, len(page.lines))


def _leave_for(request: HttpRequest, url: str) -> HttpResponse:
    """Go to another page, also where a script asked for a part of this one."""
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def _with_count(response: HttpResponse, count: int) -> HttpResponse:
    """Set the cookie with the number of products in the cart.

    Scripts compare it with the number in the page, which may come from a cache, and fetch the header if they differ.
    The server never reads the cookie, so no response varies with it. It is the only one that pages below a shared
    domain may read: sessions stay with their host.
    """
    domain = current_shop().cookie_domain or None
    if count:
        response.set_cookie(
            COUNT_COOKIE,
            str(count),
            max_age=settings.SESSION_COOKIE_AGE,
            secure=settings.SESSION_COOKIE_SECURE,
            samesite="Lax",
            domain=domain,
        )
    else:
        response.delete_cookie(COUNT_COOKIE, samesite="Lax", domain=domain)
    return response


def _change_products(request: HttpRequest, change: Callable[..., object], *, is_out: bool = False) -> HttpResponse:
    """Change products of the cart. With `is_out` they are no longer bought, so open orders give them up."""
    product_ids = {parse_row_id(text) for text in request.POST.getlist("product_id")} - {None}
    is_group = "group" in request.POST
    for product_id in product_ids:
        change(owner=basket_owner(request), product_id=product_id, is_group=is_group, now=clock.now())
    if product_ids and is_out:
        _give_up_removed(request)
    return redirect("cart")


def _give_up_removed(request: HttpRequest) -> None:
    """Release what an open order holds for the removed product. Signed-out visitors have no orders."""
    if request.user.is_authenticated:
        give_up_removed(user_id=account_id(request), now=clock.now())
