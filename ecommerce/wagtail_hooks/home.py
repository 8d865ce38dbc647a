"""The panel of orders that need a decision, on the home page of the admin."""

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
    """Counts the orders that need a decision, by reason. Each count links to the list of those orders."""

    name = "money"
    template_name = "ecommerce/admin/home_panel.html"
    order = 120

    def get_context_data(self, parent_context: Any) -> Mapping[str, Any]:
        url = reverse(f"{ORDERS}:index")
        return {
            "counts": [
                {"label": label, "count": count, "url": f"{url}?attention={name}"}
                for name, label, count in count_attention()
            ],
            "url": url,
        }


@hooks.register("construct_homepage_panels")
def add_money_panel(request: HttpRequest, panels: list[Component]) -> None:
    if request.user.has_perm("ecommerce.view_order"):
        panels.append(MoneyPanel())
