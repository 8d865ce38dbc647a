"""The addresses of discounts, their place in the Shop menu, and the actions on several discounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.bulk_action import BulkAction
from wagtail.admin.viewsets.base import ViewSet

from ecommerce.errors.admin import DiscountRefused
from ecommerce.forms.discounts import ExtendForm
from ecommerce.models import Discount
from ecommerce.selectors.discounts import takes_off
from ecommerce.services.discounts.discounts import extend_discounts, pause_discounts, resume_discounts
from ecommerce.wagtail_hooks import discount_views as views
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock
from mitxonline.kernel.forms import refusals_on
from mitxonline.staff.conflicts import LockedPostMixin


class DiscountsMenuItem(MenuItem):
    """Shown to users with discounts to see. For course staff that is no permission, but their courses."""

    def is_shown(self, request: HttpRequest) -> bool:
        return discount_access_for(request.user).exists


class DiscountViewSet(ViewSet):
    name = views.NAMESPACE
    url_prefix = "shop/discounts"
    icon = "tag"
    menu_hook = SHOP_MENU
    menu_label = _("Discounts")
    menu_name = "discounts"
    menu_order = 100
    menu_item_class = DiscountsMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        codes, history = views.DiscountCodesView, views.DiscountHistory
        discount, code = views.SwitchDiscountView, views.SwitchCodeView
        return [
            path("", views.DiscountIndex.as_view(), name="index"),
            path("results/", views.DiscountIndex.as_view(results_only=True), name="results"),
            path("new/", views.CreateDiscountView.as_view(), name="add"),
            path("<int:pk>/", codes.as_view(), name="codes"),
            path("<int:pk>/results/", codes.as_view(results_only=True), name="codes_results"),
            path("<int:pk>/change/", views.ChangeDiscountView.as_view(), name="edit"),
            path("<int:pk>/more/", views.MoreCodesView.as_view(), name="more"),
            path("<int:pk>/pause/", discount.as_view(), name="pause"),
            path("<int:pk>/resume/", discount.as_view(active=True), name="resume"),
            path("<int:pk>/history/", history.as_view(), name="history"),
            path("<int:pk>/history/results/", history.as_view(results_only=True), name="history_results"),
            path("code/<int:code_pk>/", views.DiscountCodeView.as_view(), name="code"),
            path("code/<int:code_pk>/pause/", code.as_view(), name="code_pause"),
            path("code/<int:code_pk>/resume/", code.as_view(active=True), name="code_resume"),
        ]


@hooks.register("register_admin_viewset")
def register_discounts() -> DiscountViewSet:
    return DiscountViewSet()


class DiscountBulkAction(BulkAction):
    """An action on several discounts. Those that the user may see but not change are listed as skipped."""

    models = [Discount]
    template_name = "ecommerce/admin/several.html"
    button: Any = ""

    def check_perm(self, obj: Discount) -> bool:
        return discount_access_for(self.request.user).may_change(obj)

    @classmethod
    def get_queryset(cls, model: type[Discount], object_ids: Sequence[Any]) -> list[Discount]:
        # The ids come from the address as they are; what isn't a key would raise.
        ids = [int(each) for each in object_ids if str(each).isascii() and str(each).isdigit() and len(str(each)) < 19]
        return list(Discount.objects.of_the_shop().filter(pk__in=ids))

    def get_actionable_objects(self) -> tuple[list[Discount], dict[str, list[Discount]]]:
        objects, skipped = super().get_actionable_objects()
        if not any(skipped.values()):
            return objects, skipped
        # Hide discounts that the user can't view from the list of skipped ones.
        visible = set(discount_access_for(self.request.user).discounts().values_list("pk", flat=True))
        return objects, {name: [each for each in rest if each.pk in visible] for name, rest in skipped.items()}

    def get_all_objects_in_listing_query(self, parent_id: Any) -> list[int]:
        return list(discount_access_for(self.request.user).manageable().values_list("pk", flat=True))

    def object_context(self, obj: Discount) -> dict[str, Any]:
        return {"item": obj, "takes_off": takes_off(obj)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"heading": self.display_name, "button": self.button}

    def get_execution_context(self) -> dict[str, Any]:
        return {"access": discount_access_for(self.request.user), "form": self.cleaned_form}


@hooks.register("register_bulk_action")
class PauseDiscounts(DiscountBulkAction):
    display_name = _("Pause")
    aria_label = _("Pause the selected discounts")
    action_type = "pause"
    action_priority = 10
    button = _("Pause discounts")

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        return pause_discounts(discount_ids=[each.pk for each in objects], access=access), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext("Paused %(n)d discount.", "Paused %(n)d discounts.", num_parent_objects)
        return sentence % {"n": num_parent_objects}


@hooks.register("register_bulk_action")
class ResumeDiscounts(DiscountBulkAction):
    display_name = _("Resume")
    aria_label = _("Resume the selected discounts")
    action_type = "resume"
    action_priority = 20
    button = _("Resume discounts")

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        return resume_discounts(discount_ids=[each.pk for each in objects], access=access), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext("Resumed %(n)d discount.", "Resumed %(n)d discounts.", num_parent_objects)
        return sentence % {"n": num_parent_objects}


@hooks.register("register_bulk_action")
class ExtendDiscounts(LockedPostMixin, DiscountBulkAction):
    display_name = _("Change end date")
    aria_label = _("Change the end date of the selected discounts")
    action_type = "extend"
    action_priority = 30
    button = _("Save end date")
    form_class = ExtendForm

    def get_form_kwargs(self) -> dict[str, Any]:
        objects, _skipped = self.get_actionable_objects()
        return {**super().get_form_kwargs(), "discounts": objects}

    def form_valid(self, form: ExtendForm) -> Any:
        with refusals_on(form, "expires_at", only=DiscountRefused):
            return super().form_valid(form)
        return self.form_invalid(form)

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        ids, until = [each.pk for each in objects], form.cleaned_data["expires_at"]
        return extend_discounts(discount_ids=ids, until=until, access=access, now=clock.now()), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext(
            "New end date saved for %(n)d discount.", "New end date saved for %(n)d discounts.", num_parent_objects
        )
        return sentence % {"n": num_parent_objects}
