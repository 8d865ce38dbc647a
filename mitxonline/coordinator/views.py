"""Deliveries for staff: the list, each one with its attempts, and what can be decided about it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import django_filters
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn, Column, DateColumn, TitleColumn
from wagtail.log_actions import registry
from wagtail.permission_policies import ModelPermissionPolicy

from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryQuerySet, DeliveryState
from mitxonline.coordinator.replay import (
    Replayed,
    describe_replayed,
    find_blocker,
    find_refusal,
    give_up,
    replay_delivery,
    replay_receiver,
)
from mitxonline.coordinator.selectors import (
    Age,
    dead_by_receiver,
    find_deliveries,
    known_event_types,
    known_receivers,
    listed_deliveries,
    of_event,
)
from mitxonline.kernel import clock
from mitxonline.kernel.capped_lists import CappedWagtailPaginator
from mitxonline.staff.lists import MomentColumn, PathColumn, StaffIndexView, StateColumn
from mitxonline.staff.pages import ReasonForm, StaffButtonView, StaffFormPage, StaffPage, StaffPageMixin

DELIVERIES = "deliveries"
BULK_OBJECT = "delivery"
CHANGE = "coordinator.change_delivery"
# Beside the states: what a worker could claim now.
DUE = "due"

TONES: dict[str, str] = {
    DeliveryState.PENDING: "plain",
    DeliveryState.RUNNING: "plain",
    DeliveryState.DONE: "good",
    DeliveryState.DEAD: "bad",
    DeliveryState.GIVEN_UP: "quiet",
}
OUTCOME_TONES: dict[str, str] = {
    AttemptOutcome.RUNNING: "plain",
    AttemptOutcome.DONE: "good",
    AttemptOutcome.FAILED: "warn",
    AttemptOutcome.LOST: "bad",
}


def delivery_url(pk: int, name: str = "delivery") -> str:
    return reverse(f"{DELIVERIES}:{name}", args=[pk])


def show_replayed(request: HttpRequest, replayed: Replayed) -> None:
    for level, sentence in describe_replayed(replayed):
        messages.add_message(request, level, sentence)


class DeliveryPageMixin(StaffPageMixin):
    model = Delivery
    permission_policy = ModelPermissionPolicy(Delivery)
    permission_required: ClassVar[str | None] = None
    # Whoever may replay deliveries has to see them.
    any_permission_required: ClassVar[Any] = ["view", "change"]
    header_icon = "redirect"

    @property
    def may_change(self) -> bool:
        return bool(self.request.user.has_perm(CHANGE))


class DeliveryFilters(WagtailFilterSet):  # type: ignore[misc]  # Wagtail has no types
    state = django_filters.ChoiceFilter(
        label=gettext_lazy("State"),
        choices=[*DeliveryState.choices, (DUE, gettext_lazy("Due now"))],
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
        method="filter_state",
    )
    age = django_filters.ChoiceFilter(
        label=gettext_lazy("Age"),
        choices=Age.choices,
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
        method="filter_age",
    )
    receiver = django_filters.ChoiceFilter(
        label=gettext_lazy("Receiver"),
        field_name="handler",
        choices=lambda: [(name, name) for name in known_receivers()],
        empty_label=gettext_lazy("All"),
    )
    event = django_filters.ChoiceFilter(
        label=gettext_lazy("Event"),
        choices=lambda: [(name, name) for name in known_event_types()],
        empty_label=gettext_lazy("All"),
        method="filter_event",
    )

    class Meta:
        model = Delivery
        fields: list[str] = []

    def filter_state(self, found: DeliveryQuerySet, _name: str, value: str) -> DeliveryQuerySet:
        return found.due(now=clock.now()) if value == DUE else found.filter(state=value)

    def filter_age(self, found: QuerySet[Delivery], _name: str, value: str) -> QuerySet[Delivery]:
        return found.filter(Age(value).published(clock.now()))

    def filter_event(self, found: QuerySet[Delivery], _name: str, value: str) -> QuerySet[Delivery]:
        return found.filter(of_event(value))


class DeliveryIndex(DeliveryPageMixin, StaffIndexView):
    page_title = gettext_lazy("Deliveries")
    template_name = "coordinator/deliveries.html"
    results_template_name = "coordinator/deliveries_results.html"
    index_url_name = f"{DELIVERIES}:index"
    index_results_url_name = f"{DELIVERIES}:results"
    filterset_class = DeliveryFilters
    is_searchable = True
    paginator_class = CappedWagtailPaginator
    default_ordering = "-pk"
    export_filename = "deliveries"
    export_columns: ClassVar[list[Column]] = [
        Column("pk", label=gettext_lazy("Number")),
        Column("event_type", label=gettext_lazy("Event")),
        Column("handler", label=gettext_lazy("Receiver")),
        Column("state", label=gettext_lazy("State"), accessor="get_state_display"),
        Column("attempts", label=gettext_lazy("Attempts")),
        Column("last_error", label=gettext_lazy("Last error")),
        Column("trace_id", label=gettext_lazy("Trace")),
        MomentColumn("created_at", label=gettext_lazy("Published")),
        MomentColumn("next_attempt_at", label=gettext_lazy("Next attempt")),
        MomentColumn("finished_at", label=gettext_lazy("Finished")),
        Column("reason", label=gettext_lazy("Reason")),
    ]

    @cached_property
    def columns(self) -> list[Column]:
        checkbox = BulkActionsCheckboxColumn("bulk_actions", obj_type=BULK_OBJECT)
        return [
            *([checkbox] if self.may_change else []),
            TitleColumn(
                "number",
                label=gettext_lazy("Delivery"),
                accessor=lambda each: f"{each.pk} · {each.event_name}",
                get_url=lambda each: delivery_url(each.pk),
            ),
            PathColumn("handler", label=gettext_lazy("Receiver")),
            StateColumn(
                "state", label=gettext_lazy("State"), tones=TONES, accessor=lambda each: DeliveryState(each.state)
            ),
            Column("attempts", label=gettext_lazy("Attempts")),
            PathColumn("note", label=gettext_lazy("Note"), accessor=describe_note),
            DateColumn("created_at", label=gettext_lazy("Published")),
        ]

    def get_base_queryset(self) -> DeliveryQuerySet:
        return listed_deliveries()

    def search_queryset(self, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return find_deliveries(queryset, self.search_query) if self.is_searching else queryset

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        if not self.results_only and self.may_change:
            context["dead_receivers"] = dead_by_receiver()
        return context


def describe_note(delivery: Any) -> str:
    """What keeps a delivery from being done: the one it waits for, the reason it was given up, or its last error."""
    if delivery.state == DeliveryState.PENDING and delivery.blocker_id:
        return _("Waits for delivery %(number)d") % {"number": delivery.blocker_id}
    return delivery.reason or delivery.last_error or "–"


class OneDeliveryMixin(DeliveryPageMixin):
    @cached_property
    def delivery(self) -> Delivery:
        found = Delivery.objects.select_related("given_up_by").filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def get_page_title(self) -> str:
        return _("Delivery %(number)s") % {"number": self.delivery.pk}

    def get_parents(self) -> list[tuple[str, object]]:
        parents: list[tuple[str, object]] = [(reverse(f"{DELIVERIES}:index"), _("Deliveries"))]
        if self.get_page_subtitle():
            parents.append((delivery_url(self.delivery.pk), self.delivery.pk))
        return parents

    def get_success_url(self) -> str:
        return delivery_url(self.kwargs["pk"])


class DeliveryView(OneDeliveryMixin, StaffPage):
    template_name = "coordinator/delivery.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        delivery = self.delivery
        dead = Delivery.objects.filter(handler=delivery.handler, state=DeliveryState.DEAD)
        return super().get_context_data(
            delivery=delivery,
            tone=TONES.get(delivery.state, "plain"),
            payload=json.dumps(delivery.payload, indent=2, ensure_ascii=False),
            attempts=[(each, OUTCOME_TONES[each.outcome]) for each in delivery.history.all()],
            blocker=find_blocker(delivery) if delivery.state in (DeliveryState.PENDING, DeliveryState.DEAD) else None,
            refusal=find_refusal(delivery) if self.may_change else None,
            may_change=self.may_change,
            may_give_up=self.may_change and delivery.state in (DeliveryState.PENDING, DeliveryState.DEAD),
            dead_count=dead.count() if self.may_change and delivery.state == DeliveryState.DEAD else 0,
            log=registry.get_logs_for_instance(delivery).select_related("user"),
            **kwargs,
        )


class ReplayView(OneDeliveryMixin, StaffButtonView):
    permission_required = "change"
    any_permission_required: ClassVar[Any] = None

    def perform(self) -> str:
        replay_delivery(delivery_id=self.kwargs["pk"], by_id=self.request.user.pk, now=clock.now())
        return _("The delivery will be made again.")


class GiveUpView(OneDeliveryMixin, StaffFormPage):
    permission_required = "change"
    any_permission_required: ClassVar[Any] = None
    page_subtitle = gettext_lazy("Give up")
    form_class = ReasonForm
    template_name = "coordinator/give_up.html"

    def perform(self, form: ReasonForm) -> str:
        reason, by_id = form.cleaned_data["reason"], self.request.user.pk
        give_up(delivery_id=self.kwargs["pk"], reason=reason, by_id=by_id, now=clock.now())
        return _("The delivery is given up.")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(delivery=self.delivery, back_url=self.get_success_url(), **kwargs)


class ReplayReceiverView(DeliveryPageMixin, StaffButtonView):
    """Replay all dead deliveries of a receiver."""

    permission_required = "change"
    any_permission_required: ClassVar[Any] = None

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.may_change:
            raise PermissionDenied
        receiver = request.POST.get("receiver", "")
        show_replayed(request, replay_receiver(receiver=receiver, by_id=request.user.pk, now=clock.now()))
        return redirect(reverse(f"{DELIVERIES}:index"))
