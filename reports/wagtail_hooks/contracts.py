"""How a contract is used, on its own page in the admin: the report's charts of the last half year."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from wagtail import hooks

from b2b.models import ContractTerms
from b2b.wagtail_hooks.terms import CONTRACT_FIGURES
from ecommerce.roles import WHOLE_SHOP
from mitxonline.kernel import clock
from reports.exports.base import Asked
from reports.exports.catalog import REPORTS

WEEKS_SHOWN = 26


@hooks.register(CONTRACT_FIGURES)
def draw_contract_usage(request: HttpRequest, terms: ContractTerms) -> str:
    """Return the charts for those who may open the report that they are from."""
    report, today = REPORTS["contracts"], clock.today()
    if not report.scope_of(request.user):
        return ""
    asked = Asked(
        first=today - timedelta(weeks=WEEKS_SHOWN - 1), last=today, scope=WHOLE_SHOP, contract_id=terms.page_id
    )
    query = urlencode({"contract": terms.page_id, "first": asked.first, "last": asked.last})
    return render_to_string(
        "reports/contract_usage.html",
        {
            "charts": report.answer(asked).charts,
            "url": f"{reverse('shop_reports:report', args=[report.slug])}?{query}",
        },
    )
