"""Deliveries in the Django admin, which can be replayed, and what needs an operator on its first page."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from mitxonline.coordinator.models import Delivery, DeliveryAttempt, ScheduledTask
from mitxonline.coordinator.replay import describe_replayed, replay_deliveries
from mitxonline.coordinator.schedule import overdue_tasks
from mitxonline.coordinator.selectors import Age, find_deliveries, known_event_types, known_receivers, of_event
from mitxonline.kernel import clock
from mitxonline.kernel.admin import ReadOnlyAdminMixin
from mitxonline.kernel.capped_lists import CappedPaginator

admin.site.index_template = "coordinator/admin_index.html"


class WaitingFilter(admin.SimpleListFilter):
    """Deliveries that a worker could claim now."""

    title = _("waiting")
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("due", _("Due now"))]

    def queryset(self, request: HttpRequest, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        due = Delivery.objects.due(now=clock.now())
        return found.filter(pk__in=due.values("pk")) if self.value() == "due" else found


class ReceiverFilter(admin.SimpleListFilter):
    title = _("receiver")
    parameter_name = "receiver"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in known_receivers()]

    def queryset(self, request: HttpRequest, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return found.filter(handler=self.value()) if self.value() else found


class EventFilter(admin.SimpleListFilter):
    title = _("event")
    parameter_name = "event"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, name) for name in known_event_types()]

    def queryset(self, request: HttpRequest, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return found.filter(of_event(str(self.value()))) if self.value() else found


class AgeFilter(admin.SimpleListFilter):
    title = _("age")
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Age.choices)

    def queryset(self, request: HttpRequest, found: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value() or ""
        return found.filter(Age(value).published(clock.now())) if value in Age.values else found


class OverdueFilter(admin.SimpleListFilter):
    """Tasks that should have succeeded by now."""

    title = _("overdue")
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, found: QuerySet[ScheduledTask]) -> QuerySet[ScheduledTask]:
        return found.filter(pk__in=overdue_tasks(now=clock.now()).values("pk")) if self.value() == "yes" else found


@admin.register(ScheduledTask)
class ScheduledTaskAdmin(ReadOnlyAdminMixin, admin.ModelAdmin[ScheduledTask]):
    list_display = ("name", "succeeded_at", "known_since")
    list_filter = (OverdueFilter,)
    ordering = ("succeeded_at", "name")


class AttemptInline(admin.TabularInline[DeliveryAttempt, Delivery]):
    model = DeliveryAttempt
    fields = readonly_fields = (
        "number", "outcome", "result", "started_at", "ended_at", "next_attempt_at", "process",
    )  # fmt: skip
    extra = 0
    can_delete = False
    verbose_name_plural = _("attempts")

    def has_view_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return True  # of whoever sees the delivery

    def has_add_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdminMixin, admin.ModelAdmin[Delivery]):
    list_display = (
        "id",
        "event_name",
        "handler",
        "state",
        "attempts",
        "next_attempt_at",
        "last_error",
        "created_at",
    )
    list_display_links = ("id", "event_name")
    list_filter = ("state", WaitingFilter, AgeFilter, EventFilter, ReceiverFilter)
    search_fields = ("id__exact", "trace_id__exact")
    search_help_text = _("Number or trace")
    ordering = ("-pk",)
    sortable_by = ()  # by other columns millions of rows would be sorted
    paginator = CappedPaginator
    show_full_result_count = False
    inlines = (AttemptInline,)
    actions = ("replay",)
    fields = (
        "event_type",
        "payload_text",
        "handler",
        "state",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "lease_until",
        "last_error",
        "reason",
        "given_up_by",
        "order_key",
        "trace_id",
        "created_at",
        "finished_at",
    )
    readonly_fields = fields

    @admin.display(description=_("event"), ordering="event_type")
    def event_name(self, delivery: Delivery) -> str:
        return delivery.event_name

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        return find_deliveries(queryset, search_term), False

    @admin.display(description=_("payload"))
    def payload_text(self, delivery: Delivery) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(delivery.payload, indent=2, ensure_ascii=False))

    @admin.action(description=_("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, chosen: QuerySet[Delivery]) -> None:
        ids = list(chosen.order_by("pk").values_list("pk", flat=True))
        for level, sentence in describe_replayed(replay_deliveries(ids=ids, by_id=request.user.pk, now=clock.now())):
            self.message_user(request, sentence, level)

    def has_replay_permission(self, request: HttpRequest) -> bool:
        # The permission exists although there is no form to change a delivery.
        return request.user.has_perm("coordinator.change_delivery")

    def has_view_permission(self, request: HttpRequest, obj: Delivery | None = None) -> bool:
        return request.user.has_perm("coordinator.view_delivery") or self.has_replay_permission(request)
