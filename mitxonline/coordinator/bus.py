"""Publishing: tell those who listen, in this transaction, and write down who hears of it after the commit."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import Receiver, Route, UnroutedEvent, path_of, route_of
from mitxonline.coordinator.sending import send_after_commit
from mitxonline.kernel import clock
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.trace import trace_id

__all__ = ["NotInTransaction", "Receiver", "Route", "UnroutedEvent", "publish"]


class NotInTransaction(RuntimeError):
    """An event was published outside a transaction, where nothing could be recorded together with it."""


def publish(event: Event) -> None:
    """Call the `within` receivers in their order and record the later ones, sent once committed.

    Whatever a receiver raises marks the whole transaction for rollback, so a refusal can't be half done.
    Raises NotInTransaction (a test case's own transaction is none) and UnroutedEvent.
    """
    route = route_of(type(event))
    if not in_transaction():
        raise NotInTransaction(f"{event.type_name()} was published outside a transaction")
    with transaction.atomic(savepoint=False):
        for receiver in route.within:
            receiver(event)
        for receivers, queue in ((route.after_commit, ""), (route.remote, settings.REMOTE_QUEUE)):
            if receivers:
                _record(event, receivers, queue=queue)


def _record(event: Event, receivers: tuple[Receiver, ...], *, queue: str) -> None:
    payload = event.to_payload()
    now = clock.now()
    deliveries = Delivery.objects.bulk_create(
        Delivery(
            event_type=event.type_name(),
            payload=payload,
            handler=path_of(receiver),
            trace_id=trace_id(),
            next_attempt_at=now,
            sent_at=now,
        )
        for receiver in receivers
    )
    send_after_commit([delivery.pk for delivery in deliveries], queue=queue)
