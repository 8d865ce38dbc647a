"""A buyer’s orders: the list, a receipt, its PDF, and the refund request."""

from __future__ import annotations

from functools import wraps
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from ecommerce.enums import RefundWhy
from ecommerce.errors.checkout import OrderUnknown
from ecommerce.errors.refunds import RefundNotAskable
from ecommerce.models import Order
from ecommerce.selectors.receipts import orders_of, receipt_data
from ecommerce.selectors.registration_file import list_sold_courses, registration_rows
from ecommerce.selectors.seat_sales import sales_of_order
from ecommerce.services.refunds.requests import request_refund
from frontend.pages.receipt import ReceiptPage, receipt_page
from frontend.pages.refund_form import RefundRequestForm
from frontend.site.brands import brand_of
from frontend.site.parsing import account_id, parse_name
from frontend.views.answers import UNPROCESSABLE
from frontend.views.decorators import View, signed_in
from frontend.views.links import receipt_url
from mitxonline.kernel import clock
from mitxonline.kernel.forms import refusals_on
from mitxonline.kernel.paging import PAGE, find_page
from mitxonline.kernel.shop import current_site_id, shop_of_site
from mitxonline.kernel.spreadsheets import spreadsheet_response

ORDERS_ON_A_PAGE = 20
# The id of the element that polls a receipt until its payment is confirmed.
LOOKS_AGAIN = "looks-again"


class OrderElsewhere(Exception):
    """The buyer's order was placed on another site of this installation."""

    def __init__(self, order: Order) -> None:
        super().__init__()
        self.order = order


def leads_to_its_site(view: View[[]]) -> View[[]]:
    """Lead on to the site where the order was placed, which has its seller, its terms and its accounts."""

    @wraps(view)
    def wrapped(request: HttpRequest, /) -> HttpResponseBase:
        try:
            return view(request)
        except OrderElsewhere as elsewhere:
            number = urlencode({"order_number": elsewhere.order.number})
            return redirect(f"{shop_of_site(elsewhere.order.site_id).base_url}{request.path}?{number}")

    return wrapped


@signed_in()
@require_safe
@leads_to_its_site
def receipt(request: HttpRequest) -> HttpResponse:
    """An order of this buyer. Someone else’s number gets the same answer as a wrong or missing one."""
    page = _page(request, request.GET.get("order_number"), codes_page=request.GET.get(PAGE))
    if request.headers.get("HX-Trigger") == LOOKS_AGAIN:
        is_same = page.is_confirming or page.is_received
        return HttpResponse(status=204) if is_same else HttpResponse(headers={"HX-Refresh": "true"})
    context = {"page": page, "receipt": page.receipt, "order": page.order}
    return render(request, "frontend/orders/receipt.html", context)


@signed_in()
@require_safe
@leads_to_its_site
def pdf(request: HttpRequest) -> HttpResponse:
    """The receipt as a PDF. An order that isn’t completed has none: the same answer as for a wrong number."""
    # Its library takes a quarter of a second to load, which every start of the site would wait for.
    from frontend.drawing.receipt_pdf import brand_receipt_pdf  # noqa: PLC0415

    page = _page(request, request.GET.get("order_number"))
    if not page.order.is_completed:
        raise OrderUnknown
    data = receipt_data(page.receipt, now=page.now, shop=page.shop)
    response = HttpResponse(brand_receipt_pdf(data, brand_of(request)), content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{page.order.number}.pdf"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@signed_in()
@require_safe
@leads_to_its_site
def codes(request: HttpRequest) -> HttpResponseBase:
    """The registration codes of an order as a file. An order without any has none: the answer to a wrong number."""
    order = _page(request, request.GET.get("order_number")).order
    courses = list_sold_courses(sales_of_order(order)) if order.is_completed else []
    if not courses:
        raise OrderUnknown
    return spreadsheet_response(
        registration_rows(courses), name=f"{order.number}-codes", title=_("Registration codes"), style="csv"
    )


@signed_in()
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    page = find_page(Paginator(orders_of(account_id(request)), ORDERS_ON_A_PAGE), request.GET.get(PAGE))
    return render(request, "frontend/orders/history.html", {"page": page})


@signed_in(back_to="orders")
@require_http_methods(["GET", "HEAD", "POST"])
@leads_to_its_site
def refund(request: HttpRequest) -> HttpResponse:
    """Request a refund. If none is possible, the page says why in place of the form."""
    data = request.POST if request.method == "POST" else None
    page = _page(request, (data or request.GET).get("order_number"))
    if page.window.refusal is not None:
        return _refund_page(request, page, None, status=200 if data is None else page.window.refusal.status)
    lines = [line for line in page.receipt.lines if line.pk in page.window.open_line_ids]
    form = RefundRequestForm(data, lines=lines)
    if data is None:
        return _refund_page(request, page, form)
    if not form.is_valid():
        return _refund_page(request, page, form, status=UNPROCESSABLE)
    # The page looked at the refund window without a lock: another tab may have been faster.
    with refusals_on(form, only=RefundNotAskable) as caught:
        request_refund(
            user_id=account_id(request),
            number=page.order.number,
            why=RefundWhy(form.cleaned_data["why"]),
            text=form.cleaned_data["text"],
            line_ids=form.line_ids,
            now=page.now,
        )
    if caught.refusal is not None:
        return _refund_page(request, page, form, status=caught.refusal.status)
    messages.success(request, _("We have your request. We’ll answer by e-mail."))
    return redirect(receipt_url(page.order))


def _page(request: HttpRequest, number: str | None, *, codes_page: str | None = None) -> ReceiptPage:
    """Raises OrderUnknown, OrderElsewhere."""
    page = receipt_page(user_id=account_id(request), number=parse_name(number), now=clock.now(), codes_page=codes_page)
    if page.order.site_id != current_site_id():
        raise OrderElsewhere(page.order)
    return page


def _refund_page(
    request: HttpRequest, page: ReceiptPage, form: RefundRequestForm | None, *, status: int = 200
) -> HttpResponse:
    context = {"page": page, "receipt": page.receipt, "order": page.order, "form": form}
    return render(request, "frontend/orders/refund.html", context, status=status)
