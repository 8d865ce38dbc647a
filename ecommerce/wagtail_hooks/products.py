"""Products and prices. Contracts create and price their own products, which aren't shown here."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, UpdatedAtColumn
from wagtail.permission_policies import ModelPermissionPolicy
from wagtail.permissions import register_permission_policy
from wagtail.snippets.models import register_snippet

from ecommerce.models import Product
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from ecommerce.wagtail_hooks.product_forms import ProductForm
from ecommerce.wagtail_hooks.product_list import ProductList
from mitxonline.kernel.choosers import SearchedChooser
from mitxonline.staff.snippets import StaffSnippetCreateView, StaffSnippetViewSet

PER_PAGE = 50


class NoDeletePermissionPolicy(ModelPermissionPolicy):
    """Orders refer to products, so no one deletes them. They are taken off sale instead."""

    def user_has_permission(self, user: Any, action: str) -> bool:
        return action != "delete" and bool(super().user_has_permission(user, action))

    def user_has_permission_for_instance(self, user: Any, action: str, instance: Any) -> bool:
        return action != "delete" and bool(super().user_has_permission_for_instance(user, action, instance))

    def user_has_any_permission(self, user: Any, actions: Any) -> bool:
        return bool(super().user_has_any_permission(user, set(actions) - {"delete"}))


register_permission_policy(Product, NoDeletePermissionPolicy(Product), exact_class=True)


class PriceHistoryPanel(HelpPanel):
    class BoundPanel(HelpPanel.BoundPanel):
        def get_context_data(self, parent_context: Any = None) -> Any:
            context = super().get_context_data(parent_context)
            changes = self.instance.price_changes.select_related("changed_by") if self.instance.pk else ()
            return context | {"changes": list(changes)}


class CreateProductView(StaffSnippetCreateView):
    """Takes the run to sell from the address: the list of runs that need a price leads here."""

    def get_initial(self) -> dict[str, Any]:
        run = self.request.GET.get("course_run", "")
        initial: dict[str, Any] = super().get_initial()
        return initial | ({"course_run": int(run)} if run.isdecimal() and len(run) < 19 else {})


class ProductViewSet(StaffSnippetViewSet):
    add_view_class = CreateProductView
    model = Product
    index_view_class = ProductList
    export_filename = "products"
    icon = "tag"
    menu_label = _("Products and prices")
    menu_hook = SHOP_MENU
    menu_name = "products"
    menu_order = 200
    list_display = [
        "sku",
        Column("title", label=_("Course")),
        Column("money", label=_("Price"), sort_key="price"),
        "mode",
        BooleanColumn("is_active", label=_("On sale")),
        UpdatedAtColumn(),
    ]
    list_filter = ["is_active", "mode", "currency"]
    search_fields = ["sku", "course_run__title", "course_run__courseware_id", "program__title"]
    ordering = ["sku"]
    list_per_page = PER_PAGE
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [FieldPanel("course_run"), FieldPanel("program"), FieldPanel("mode")], heading=_("Product")
            ),
            MultiFieldPanel(
                [
                    FieldPanel("sku"),
                    FieldPanel("description"),
                    FieldRowPanel([FieldPanel("price"), FieldPanel("currency")]),
                    FieldPanel("reason"),
                    FieldPanel("is_active"),
                ],
                heading=_("Sale"),
            ),
            PriceHistoryPanel(template="ecommerce/admin/price_history.html", heading=_("Price history")),
        ],
        base_form_class=ProductForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return Product.objects.filter(requires_code=False).with_item()


register_snippet(ProductViewSet)


@hooks.register("before_edit_snippet")
def hide_contract_products(request: HttpRequest, instance: Any) -> None:
    """Answer 404 for a contract's product, also to someone who enters its address."""
    if isinstance(instance, Product) and instance.requires_code:
        raise Http404
