"""What somebody bought: one receipt, and all of them."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from ecommerce.selectors.receipts import orders_of
from frontend.receipt import receipt_page
from frontend.views.decorators import signed_in
from frontend.views.parsing import account_id, name
from mitxonline.kernel import clock

ORDERS_ON_A_PAGE = 20


@signed_in()
@require_safe
def receipt(request: HttpRequest) -> HttpResponse:
    """One order of this buyer; somebody else's number, a wrong one and none get the same answer."""
    number = name(request.GET.get("order_number"))
    page = receipt_page(user_id=account_id(request), number=number, now=clock.now())
    context = {"page": page, "receipt": page.receipt, "order": page.order}
    return render(request, "frontend/orders/receipt.html", context)


@signed_in()
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    """All orders of this buyer, newest first."""
    paginator = Paginator(orders_of(account_id(request)), ORDERS_ON_A_PAGE)
    page = paginator.get_page(request.GET.get("page"))
    return render(request, "frontend/orders/history.html", {"page": page})
