"""Publishing events: receivers within the transaction are called, later ones are recorded as deliveries."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import Receiver, Route, ordering_of, path_of, route_of
from mitxonline.coordinator.sending import send_after_commit
from mitxonline.kernel import clock
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.trace import trace_id


class NotInTransaction(RuntimeError):
    """An event was published outside a transaction, so its deliveries could not be recorded together with it."""


def publish(event: Event) -> None:
    """Call the `within` receivers in order, and record deliveries to the others, which are sent after the commit.

    Raises NotInTransaction (a test case's own transaction doesn't count), UnroutedEvent, and what receivers raise.
    """
    route = route_of(type(event))
    if not in_transaction():
        raise NotInTransaction(f"{event.type_name()} was published outside a transaction")
    # Without a savepoint, an error of a receiver marks the whole transaction for rollback, so nothing is half done.
    with transaction.atomic(savepoint=False):
        for receiver in route.within:
            receiver(event)
        if route.later:
            _record(event, route)


def _record(event: Event, route: Route) -> None:
    payload, trace, now = event.to_payload(), trace_id(), clock.now()
    # One statement, however many receivers.
    recorded = Delivery.objects.bulk_create(
        Delivery(
            event_type=event.type_name(),
            payload=payload,
            handler=path_of(receiver),
            order_key=_order_key(event, receiver),
            trace_id=trace,
            next_attempt_at=now,
            sent_at=now,
        )
        for receiver in route.later
    )
    ids = [delivery.pk for delivery in recorded]
    here = len(route.after_commit)
    for queue, chosen in (("", ids[:here]), (settings.REMOTE_QUEUE, ids[here:])):
        if chosen:
            send_after_commit(chosen, queue=queue)


def _order_key(event: Event, receiver: Receiver) -> str:
    ordering = ordering_of(receiver)
    return ordering.key_of(event) if ordering is not None else ""
