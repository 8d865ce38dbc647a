"""What workers of the bench carry: a task that does nothing, and a delivery to a receiver that does nothing."""

from dataclasses import dataclass

from celery import shared_task

from mitxonline import event_routes
from mitxonline.coordinator.events import Event
from mitxonline.coordinator.routes import Route


@dataclass(frozen=True)
class Carried(Event):
    number: int


def receive(event: Carried) -> None: ...


@shared_task(ignore_result=True)
def do_nothing(number: int) -> None: ...


ROUTES = {**event_routes.ROUTES, Carried: Route(after_commit=(receive,))}
