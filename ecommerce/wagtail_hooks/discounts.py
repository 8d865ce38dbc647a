"""The discounts of the shop, and what is done with several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import URLPattern, include, path, reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.bulk_action import BulkAction

from ecommerce.errors.admin import DiscountRefused
from ecommerce.models import Discount
from ecommerce.selectors.discounts import takes_off
from ecommerce.services.discounts.discounts import extend_discounts, pause_discounts, resume_discounts
from ecommerce.wagtail_hooks.discount_forms import ExtendForm
from ecommerce.wagtail_hooks.discount_views import (
    NAME,
    ChangeDiscount,
    DiscountCodes,
    DiscountHistory,
    DiscountIndex,
    MakeDiscount,
    MoreCodes,
    OneCode,
    Switch,
    SwitchCode,
)
from ecommerce.wagtail_hooks.menu import SHOP_MENU
from ecommerce.wagtail_hooks.policies import discount_access_for
from mitxonline.kernel import clock


@hooks.register("register_admin_urls")
def discount_urls() -> list[Any]:
    """Everything under /cms/shop/discounts/."""
    lists = {"index_url_name": f"{NAME}:index", "index_results_url_name": f"{NAME}:results"}
    views: list[URLPattern] = [
        path("", DiscountIndex.as_view(**lists, add_url_name=f"{NAME}:add"), name="index"),
        path("results/", DiscountIndex.as_view(**lists, results_only=True), name="results"),
        path("new/", MakeDiscount.as_view(), name="add"),
        path("<int:pk>/", DiscountCodes.as_view(), name="codes"),
        path("<int:pk>/results/", DiscountCodes.as_view(results_only=True), name="codes_results"),
        path("<int:pk>/change/", ChangeDiscount.as_view(), name="edit"),
        path("<int:pk>/more/", MoreCodes.as_view(), name="more"),
        path("<int:pk>/pause/", Switch.as_view(), name="pause"),
        path("<int:pk>/resume/", Switch.as_view(active=True), name="resume"),
        path("<int:pk>/history/", DiscountHistory.as_view(), name="history"),
        path("<int:pk>/history/results/", DiscountHistory.as_view(results_only=True), name="history_results"),
        path("code/<int:code_pk>/", OneCode.as_view(), name="code"),
        path("code/<int:code_pk>/pause/", SwitchCode.as_view(), name="code_pause"),
        path("code/<int:code_pk>/resume/", SwitchCode.as_view(active=True), name="code_resume"),
    ]
    return [path("shop/discounts/", include((views, NAME)))]


class DiscountsItem(MenuItem):
    """Shown to whoever looks after a discount."""

    def is_shown(self, request: HttpRequest) -> bool:
        return discount_access_for(request.user).exists


@hooks.register(SHOP_MENU)
def discounts_item() -> DiscountsItem:
    """The list in the menu."""
    return DiscountsItem(_("Discounts"), reverse(f"{NAME}:index"), name="discounts", icon_name="tag", order=100)


class _Several(BulkAction):
    """Something done with several discounts; those of others are left out and named."""

    models = [Discount]
    template_name = "ecommerce/admin/several.html"
    button: Any = ""

    def check_perm(self, obj: Discount) -> bool:
        return discount_access_for(self.request.user).may_change(obj)

    @classmethod
    def get_queryset(cls, model: type[Discount], object_ids: Sequence[Any]) -> list[Discount]:
        """No contract's, and no keys that are none."""
        wanted = [int(each) for each in object_ids if str(each).isdigit() and len(str(each)) < 19]
        return list(Discount.objects.of_the_shop().filter(pk__in=wanted))

    def get_actionable_objects(self) -> tuple[list[Discount], dict[str, list[Discount]]]:
        """Nothing is known here of discounts one may not even see."""
        objects, others = super().get_actionable_objects()
        seen = (
            set(discount_access_for(self.request.user).discounts().values_list("pk", flat=True))
            if any(others.values())
            else ()
        )
        return objects, {name: [each for each in rest if each.pk in seen] for name, rest in others.items()}

    def get_all_objects_in_listing_query(self, parent_id: Any) -> list[int]:
        return list(discount_access_for(self.request.user).to_keep().values_list("pk", flat=True))

    def object_context(self, obj: Discount) -> dict[str, Any]:
        return {"item": obj, "takes_off": takes_off(obj)}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {"heading": self.display_name, "button": self.button}

    def get_execution_context(self) -> dict[str, Any]:
        return {"access": discount_access_for(self.request.user), "form": self.cleaned_form}


@hooks.register("register_bulk_action")
class PauseSeveral(_Several):
    """Stop several discounts."""

    display_name = _("Pause")
    aria_label = _("Pause the selected discounts")
    action_type = "pause"
    action_priority = 10
    button = _("Pause them")

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        return pause_discounts(discount_ids=[each.pk for each in objects], access=access), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext("Paused %(n)d discount.", "Paused %(n)d discounts.", num_parent_objects)
        return sentence % {"n": num_parent_objects}


@hooks.register("register_bulk_action")
class ResumeSeveral(_Several):
    """Let several discounts be used again."""

    display_name = _("Resume")
    aria_label = _("Resume the selected discounts")
    action_type = "resume"
    action_priority = 20
    button = _("Resume them")

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        return resume_discounts(discount_ids=[each.pk for each in objects], access=access), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext("Resumed %(n)d discount.", "Resumed %(n)d discounts.", num_parent_objects)
        return sentence % {"n": num_parent_objects}


@hooks.register("register_bulk_action")
class ExtendSeveral(_Several):
    """Give several discounts another end."""

    display_name = _("Change the end")
    aria_label = _("Change the end of the selected discounts")
    action_type = "extend"
    action_priority = 30
    button = _("Save the end")
    form_class = ExtendForm

    def form_valid(self, form: ExtendForm) -> Any:
        """What the service refuses is said at the field."""
        try:
            return super().form_valid(form)
        except DiscountRefused as refusal:
            form.add_error("expires_at", refusal.message)
            return self.form_invalid(form)

    @classmethod
    def execute_action(cls, objects: list[Discount], *, access: Any = None, form: Any = None, **_kwargs: Any) -> Any:
        ids, until = [each.pk for each in objects], form.cleaned_data["expires_at"]
        return extend_discounts(discount_ids=ids, until=until, access=access, now=clock.now()), 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        sentence = ngettext(
            "%(n)d discount has another end now.", "%(n)d discounts have another end now.", num_parent_objects
        )
        return sentence % {"n": num_parent_objects}
