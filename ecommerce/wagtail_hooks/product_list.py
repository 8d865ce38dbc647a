"""The list of products and its files."""

from __future__ import annotations

from typing import ClassVar

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import Column

from ecommerce.models import Product
from mitxonline.staff.lists import ExportingSnippetList, MomentColumn


def describe_sale(product: Product) -> str:
    return gettext("Yes") if product.is_active else gettext("No")


class ProductList(ExportingSnippetList):
    export_columns: ClassVar[list[Column]] = [
        Column("sku", label=_("SKU")),
        Column("title", label=_("Course")),
        Column("key", label=_("Course key"), accessor="item_id"),
        Column("mode", label=_("Mode"), accessor="get_mode_display"),
        Column("price", label=_("Price"), accessor="money.amount"),
        Column("currency", label=_("Currency")),
        Column("on_sale", label=_("On sale"), accessor=describe_sale),
        Column("description", label=_("Description")),
        MomentColumn("updated_at", label=_("Changed")),
    ]
