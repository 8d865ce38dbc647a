"""What needs finance, on the first page of the admin."""

from __future__ import annotations

from datetime import timedelta

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail import hooks

from ecommerce.enums import InvoiceStanding
from ecommerce.roles import Action, scope_of
from ecommerce.selectors.invoices import invoices_in
from ecommerce.selectors.order_desk import Attention, orders_needing, sales_of_day
from ecommerce.selectors.unpriced import runs_without_price
from ecommerce.wagtail_hooks.invoice_lists import INVOICES
from ecommerce.wagtail_hooks.order_lists import ORDERS
from ecommerce.wagtail_hooks.unpriced import ADD_PRODUCT, UNPRICED
from mitxonline.kernel import clock
from mitxonline.staff.needs import NEEDS, Need, NeedsSection, SectionFact

LABELS = {
    Attention.REVIEW: _("Orders in review"),
    Attention.DISPUTE: _("Disputes"),
    Attention.REQUEST: _("Refund requests"),
    Attention.TWICE: _("Second payments"),
    Attention.DIFFERS: _("Refunds that differ"),
    Attention.SEATS: _("Refunds without their seats"),
    Attention.FAILED: _("Failed refunds"),
}
BAD = (Attention.DISPUTE, Attention.FAILED)


@hooks.register(NEEDS, order=35)
def add_invoice_needs(request: HttpRequest) -> NeedsSection | None:
    scope = scope_of(request.user, Action.INVOICE_VIEW)
    if not scope:
        return None
    url, today = reverse(f"{INVOICES}:index"), clock.today()
    overdue = invoices_in(scope).overdue(today)
    needs = (Need(_("Overdue invoices"), overdue, f"{url}?state={InvoiceStanding.OVERDUE}", "bad"),)
    return NeedsSection("invoices", _("Invoices"), needs)


@hooks.register(NEEDS, order=30)
def add_finance_needs(request: HttpRequest) -> NeedsSection | None:
    if not request.user.has_perm("ecommerce.view_order"):
        return None
    url = reverse(f"{ORDERS}:index")
    needs = [
        Need(LABELS[each], orders_needing(each), f"{url}?attention={each}", "bad" if each in BAD else "warn")
        for each in Attention
    ]
    if request.user.has_perm(ADD_PRODUCT):
        unpriced = runs_without_price(clock.now())
        needs.append(Need(_("Runs without a price"), unpriced, reverse(f"{UNPRICED}:index")))
    return NeedsSection("money", _("Orders and money"), tuple(needs), facts=(_describe_yesterday(url),))


def _describe_yesterday(url: str) -> SectionFact:
    day = clock.today() - timedelta(days=1)
    sales = sales_of_day(day)
    count = ngettext("Yesterday’s sales: %(count)d order", "Yesterday’s sales: %(count)d orders", sales.orders)
    amounts = " + ".join(money.formatted() for money in sales.amounts)
    return SectionFact(count % {"count": sales.orders}, amounts or "–", f"{url}?sold_from={day}&sold_to={day}", "good")
