"""What needs an operator, on the first page of the admin. The lists are in the Django admin."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _
from wagtail import hooks

from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.replay import GIVE_UP, REPLAY
from mitxonline.coordinator.schedule import overdue_tasks
from mitxonline.kernel import clock
from mitxonline.staff.needs import NEEDS, Need, NeedsSection, SectionFact


@hooks.register("register_log_actions")  # type: ignore[untyped-decorator]
def register_actions(actions: Any) -> None:
    actions.register_action(REPLAY, _("Replay"), _("Replayed the delivery"))
    actions.register_action(GIVE_UP, _("Give up"), _("Gave the delivery up"))


@hooks.register(NEEDS, order=40)  # type: ignore[untyped-decorator]
def add_operators_needs(request: HttpRequest) -> NeedsSection | None:
    user = request.user
    if not (user.is_staff and user.has_perm("coordinator.view_delivery")):
        return None
    deliveries = reverse("admin:coordinator_delivery_changelist")
    dead = Delivery.objects.filter(state=DeliveryState.DEAD)
    needs = [Need(_("Dead deliveries"), dead, f"{deliveries}?state__exact={DeliveryState.DEAD.value}", "bad")]
    if user.has_perm("coordinator.view_scheduledtask"):
        tasks = reverse("admin:coordinator_scheduledtask_changelist")
        needs.append(Need(_("Sweeps that didn’t run"), overdue_tasks(now=clock.now()), f"{tasks}?overdue=yes", "bad"))
    return NeedsSection(
        "operations", _("Operations"), tuple(needs), facts=(_describe_queue(f"{deliveries}?waiting=due"),)
    )


def _describe_queue(url: str) -> SectionFact:
    now = clock.now()
    oldest = Delivery.objects.due(now=now).order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    age = timesince(oldest, now, depth=1) if oldest is not None else "0"
    return SectionFact(_("Age of the queue"), age, url)
