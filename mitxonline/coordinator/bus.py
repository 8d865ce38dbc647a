"""Publishing events: receivers within the transaction are called, later ones are recorded as deliveries."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from mitxonline.coordinator.events import Event
from mitxonline.coordinator.models import Delivery
from mitxonline.coordinator.routes import Receiver, path_of, route_of
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
