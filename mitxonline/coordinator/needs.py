"""What needs an operator: the same on the first pages of both admins, each with the addresses of its own lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.schedule import overdue_tasks
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import find_open_breakers
from mitxonline.staff.needs import Need, NeedsSection, SectionFact


@dataclass(frozen=True, slots=True)
class DeliveryLists:
    """Where an admin lists dead deliveries and those that are due. `tasks` is empty if the reader can't open it."""

    dead: str
    due: str
    tasks: str


def lists_in_django() -> DeliveryLists:
    deliveries = reverse("admin:coordinator_delivery_changelist")
    return DeliveryLists(
        dead=f"{deliveries}?state__exact={DeliveryState.DEAD.value}", due=f"{deliveries}?waiting=due", tasks=_tasks()
    )


def lists_in_wagtail(*, has_tasks: bool) -> DeliveryLists:
    deliveries = reverse("deliveries:index")
    return DeliveryLists(
        dead=f"{deliveries}?state={DeliveryState.DEAD.value}",
        due=f"{deliveries}?state=due",
        tasks=_tasks() if has_tasks else "",
    )


def find_operators_needs(user: Any, lists: DeliveryLists) -> NeedsSection | None:
    """Return what waits for an operator. None for people who may not see deliveries."""
    has_perm = user.has_perm
    if not (has_perm("coordinator.view_delivery") or has_perm("coordinator.change_delivery")):
        return None
    now = clock.now()
    needs = [Need(_("Dead deliveries"), Delivery.objects.filter(state=DeliveryState.DEAD), lists.dead, "bad")]
    if lists.tasks and has_perm("coordinator.view_scheduledtask"):
        needs.append(Need(_("Sweeps that didn’t run"), overdue_tasks(now=now), lists.tasks, "bad"))
    oldest = Delivery.objects.due(now=now).order_by("next_attempt_at").values_list("next_attempt_at", flat=True).first()
    age = timesince(oldest, now, depth=1) if oldest is not None else _("Empty")
    facts = [SectionFact(_("Age of the queue"), str(age), lists.due)]
    if silent := find_open_breakers():
        facts.append(SectionFact(_("Not answering"), ", ".join(silent), tone="bad"))
    return NeedsSection("operations", _("Operations"), tuple(needs), facts=tuple(facts))


def _tasks() -> str:
    return f"{reverse('admin:coordinator_scheduledtask_changelist')}?overdue=yes"
