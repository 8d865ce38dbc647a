"""What money waits for a decision, on the admin's first page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from wagtail import hooks
from wagtail.admin.ui.components import Component

from ecommerce.selectors.order_desk import count_attention
from ecommerce.wagtail_hooks.order_lists import ORDERS


class MoneyPanel(Component):
    """How many orders need a decision and why, each with the list of just those."""

    name = "money"
    template_name = "ecommerce/admin/home_panel.html"
    order = 120

    def get_context_data(self, parent_context: Any) -> Mapping[str, Any]:
        address = reverse(f"{ORDERS}:index")
        return {
            "counts": [
                {"label": label, "count": count, "url": f"{address}?attention={name}"}
                for name, label, count in count_attention()
            ],
            "url": address,
        }


@hooks.register("construct_homepage_panels")
def add_money_panel(request: HttpRequest, panels: list[Component]) -> None:
    """For those who may see orders."""
    if request.user.has_perm("ecommerce.view_order"):
        panels.append(MoneyPanel())
