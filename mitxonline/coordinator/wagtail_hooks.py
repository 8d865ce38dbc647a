"""Deliveries in Wagtail's admin: what needs an operator, the list, and replaying several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.bulk_action import BulkAction
from wagtail.admin.viewsets.base import ViewSet

from mitxonline.coordinator import views
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.needs import find_operators_needs, lists_in_wagtail
from mitxonline.coordinator.replay import GIVE_UP, REPLAY, Replayed, find_refusal, replay_deliveries
from mitxonline.kernel import clock
from mitxonline.staff.lists import find_listed
from mitxonline.staff.needs import NEEDS, NeedsSection


@hooks.register("register_log_actions")  # type: ignore[untyped-decorator]
def register_actions(actions: Any) -> None:
    actions.register_action(REPLAY, _("Replay"), _("Replayed the delivery"))
    actions.register_action(GIVE_UP, _("Give up"), _("Gave the delivery up"))


@hooks.register(NEEDS, order=40)  # type: ignore[untyped-decorator]
def add_operators_needs(request: HttpRequest) -> NeedsSection | None:
    # The Django admin, which lists the tasks, is for staff only.
    is_staff = request.user.is_authenticated and request.user.is_staff
    return find_operators_needs(request.user, lists_in_wagtail(has_tasks=is_staff))


class DeliveryMenuItem(MenuItem):  # type: ignore[misc]  # Wagtail has no types
    def is_shown(self, request: HttpRequest) -> bool:
        return request.user.has_perm("coordinator.view_delivery") or request.user.has_perm(views.CHANGE)


class DeliveryViewSet(ViewSet):  # type: ignore[misc]
    name = views.DELIVERIES
    url_prefix = "deliveries"
    icon = "redirect"
    menu_hook = "register_reports_menu_item"
    menu_label = _("Deliveries")
    menu_name = "deliveries"
    menu_order = 900

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return DeliveryMenuItem

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", views.DeliveryIndex.as_view(), name="index"),
            path("results/", views.DeliveryIndex.as_view(results_only=True), name="results"),
            path("replay/", views.ReplayReceiverView.as_view(), name="replay_receiver"),
            path("<int:pk>/", views.DeliveryView.as_view(), name="delivery"),
            path("<int:pk>/replay/", views.ReplayView.as_view(), name="replay"),
            path("<int:pk>/give-up/", views.GiveUpView.as_view(), name="give_up"),
        ]


@hooks.register("register_admin_viewset")  # type: ignore[untyped-decorator]
def register_deliveries() -> DeliveryViewSet:
    return DeliveryViewSet()


@hooks.register("register_bulk_action")
class ReplaySelected(BulkAction):  # type: ignore[misc]
    """Replay those that were selected. Those that can't be are named, with the reason."""

    models = [Delivery]
    display_name = _("Replay")
    aria_label = _("Replay the selected deliveries")
    action_type = "replay"
    action_priority = 10
    template_name = "coordinator/replay_selected.html"
    replayed = Replayed()

    def get_actionable_objects(self) -> tuple[list[Delivery], dict[str, list[Delivery]]]:
        # To people who may not replay deliveries nothing is said about them.
        if not self.request.user.has_perm(views.CHANGE):
            return [], {"items_with_no_access": []}
        found: tuple[list[Delivery], dict[str, list[Delivery]]] = super().get_actionable_objects()
        return found

    def object_context(self, obj: Delivery) -> dict[str, Any]:
        return {"item": obj, "refusal": find_refusal(obj)}

    @classmethod
    def get_queryset(cls, model: type[Delivery], object_ids: Sequence[Any]) -> list[Delivery]:
        # The ids come from the address as they are; what isn't a key would raise.
        ids = [int(each) for each in object_ids if str(each).isascii() and str(each).isdigit() and len(str(each)) < 19]
        return list(Delivery.objects.filter(pk__in=ids).order_by("pk"))

    def get_all_objects_in_listing_query(self, parent_id: Any) -> list[int]:
        # Only dead ones wait for a decision. More than this are replayed in several goes.
        dead = find_listed(views.DeliveryIndex, self.request).filter(state=DeliveryState.DEAD).order_by("pk")
        return list(dead.values_list("pk", flat=True)[: settings.DELIVERY_SWEEP_SIZE])

    def get_execution_context(self) -> dict[str, Any]:
        return {"view": self}

    @classmethod
    def execute_action(cls, objects: list[Delivery], *, view: Any = None, **_kwargs: Any) -> tuple[int, int]:
        ids = [each.pk for each in objects]
        view.replayed = replay_deliveries(ids=ids, by_id=view.request.user.pk, now=clock.now())
        return view.replayed.count, 0

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> None:
        views.show_replayed(self.request, self.replayed)
