"""The life of a delivery: claimed under a lease, then done, tried again later, or given up."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread
from types import TracebackType
from typing import Literal, Self

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models import F, Q

from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.coordinator.routes import find_receiver
from mitxonline.coordinator.sending import by_queue, send_after_commit, send_deliveries
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import patience
from mitxonline.kernel.trace import open_trace

logger = logging.getLogger(__name__)

# The clocks of two machines differ a little, so a delivery may be claimed this early.
_SKEW = timedelta(seconds=2)
_random = SystemRandom()


def claim_delivery(*, delivery_id: int, now: datetime) -> Delivery | None:
    """Claim a due delivery for `DELIVERY_LEASE` seconds at first. Return None if it is done, claimed, or not due."""
    # One conditional write: of two workers with the same task, the second finds a row that no longer matches.
    is_claimed = (
        Delivery.objects.due(now=now, skew=_SKEW)
        .filter(pk=delivery_id, attempts__lt=settings.DELIVERY_MAX_ATTEMPTS)
        .update(
            state=DeliveryState.RUNNING,
            attempts=F("attempts") + 1,
            lease_until=now + timedelta(seconds=settings.DELIVERY_LEASE),
            sent_at=None,
        )
    )
    return Delivery.objects.get(pk=delivery_id) if is_claimed else None


class Attempt:
    """One run of a claimed delivery. Its lease is renewed meanwhile, and leaving the block records the result.

    An exception ends here, recorded by its type and place, because its message may name people. Anything that is not
    an `Exception` means that the worker is being stopped: the row stays leased, and the sweep sends it to another.
    """

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self._finished = Event()
        self._renewal = Thread(target=self._renew, name=f"lease {delivery.pk}", daemon=True)

    def __enter__(self) -> Self:
        self._renewal.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._finished.set()
        self._renewal.join(_SKEW.total_seconds())
        if error is not None and not isinstance(error, Exception):
            return False
        try:
            self._record(error)
        except (InterfaceError, OperationalError):  # The connection is gone, but the database may be back.
            connection.close()
            self._record(error)
        return error is not None

    def _record(self, error: Exception | None) -> None:
        if error is None:
            _finish(self.delivery, state=DeliveryState.DONE, finished_at=clock.now(), last_error="")
        else:
            _fail(self.delivery, error=error, now=clock.now())

    def _renew(self) -> None:
        # In a thread with its own database connection. A daemon, so it ends with the process however that ends.
        ours = Delivery.objects.filter(
            pk=self.delivery.pk, state=DeliveryState.RUNNING, attempts=self.delivery.attempts
        )
        try:
            while not self._finished.wait(settings.DELIVERY_LEASE / 3):
                try:
                    ours.update(lease_until=clock.now() + timedelta(seconds=settings.DELIVERY_LEASE))
                except DatabaseError:
                    logger.warning("lease not renewed", extra={"delivery": self.delivery.pk})
                    connection.close()
        finally:
            connection.close()


def run_delivery(*, delivery_id: int, now: datetime) -> bool:
    """Claim a delivery and call its receiver. Return False if there was nothing to do."""
    delivery = claim_delivery(delivery_id=delivery_id, now=now)
    if delivery is None:
        # If the task came too early, the broker no longer has it, so the sweep has to send it when it is due.
        Delivery.objects.filter(pk=delivery_id, state=DeliveryState.PENDING).update(sent_at=None)
        return False
    with open_trace(delivery.trace_id), Attempt(delivery), patience(settings.REMOTE_SWEEP_SECONDS):
        event, receiver = find_receiver(delivery.event_type, delivery.handler)
        receiver(event.from_payload(delivery.payload))
    return True


def sweep(*, now: datetime) -> int:
    """Send what is due and not with the broker. Return how many the broker took.

    These are deliveries that a web process could not send, retries, and those that a lost worker left.
    """
    _give_up_abandoned(now=now)
    resend = timedelta(seconds=settings.DELIVERY_RESEND_AFTER)
    unsent = Delivery.objects.unsent(now=now, patience=resend).order_by("next_attempt_at", "pk")
    due = list(unsent.values_list("pk", "handler", "sent_at")[: settings.DELIVERY_SWEEP_SIZE])
    Delivery.objects.filter(pk__in=[pk for pk, _receiver, _sent_at in due]).update(sent_at=now)
    if lost := by_queue((pk, receiver) for pk, receiver, sent_at in due if sent_at is not None):
        # Sending again does no harm, but it doesn't help either if no worker reads the queue.
        queues = [queue or settings.CELERY_TASK_DEFAULT_QUEUE for queue in lost]
        logger.error("deliveries waited long for a worker", extra={"queues": queues})
    queues_to_send = by_queue((pk, receiver) for pk, receiver, _sent_at in due)
    return sum(send_deliveries(ids, queue=queue) for queue, ids in queues_to_send.items())


def send_again(*, ids: Sequence[int], now: datetime) -> int:
    """Reset deliveries that failed or wait for their next attempt, and send them. Return how many there were."""
    again = Delivery.objects.filter(pk__in=ids, state__in=[DeliveryState.FAILED, DeliveryState.PENDING])
    chosen = list(again.order_by("pk").values_list("pk", "handler"))
    again.filter(pk__in=[pk for pk, _receiver in chosen]).update(
        state=DeliveryState.PENDING, attempts=0, next_attempt_at=now, finished_at=None, sent_at=now
    )
    for queue, queue_ids in by_queue(chosen).items():
        send_after_commit(queue_ids, queue=queue)
    return len(chosen)


def purge(*, now: datetime) -> int:
    """Delete what was done long ago. Failed deliveries stay for people to look at."""
    before = now - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    deleted, _ = Delivery.objects.filter(state=DeliveryState.DONE, finished_at__lt=before).delete()
    return deleted


def backoff(attempts: int) -> timedelta:
    """Return the pause after that many attempts: doubling, plus up to a quarter, so that retries don't come at once."""
    seconds = min(settings.DELIVERY_BACKOFF * 2 ** min(attempts - 1, 30), settings.DELIVERY_BACKOFF_MAX)
    return timedelta(seconds=seconds * _random.uniform(1, 1.25))


def describe_error(error: Exception) -> str:
    """Describe an error without its message: `ConnectionError at gateways/openedx.py:57`."""
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, DomainError):
        name = f"{name} ({error.code})"
    # The innermost line of our own code that the error came through, or else of a library.
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    if frame := next(reversed(ours or frames), None):
        name = f"{name} at {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
    return name[:300]


def _fail(delivery: Delivery, *, error: Exception, now: datetime) -> None:
    reason = describe_error(error)
    facts = {
        "delivery": delivery.pk,
        "receiver": delivery.handler,
        "attempt": delivery.attempts,
        "error": reason,
    }
    if delivery.attempts >= settings.DELIVERY_MAX_ATTEMPTS:
        logger.error("delivery given up", extra=facts, exc_info=error)
        _finish(delivery, state=DeliveryState.FAILED, finished_at=now, last_error=reason)
    else:
        # A refusal ("busy", say) is a normal answer, so its name and place are enough.
        exc_info = None if isinstance(error, DomainError) else error
        logger.warning("delivery failed, will be tried again", extra=facts, exc_info=exc_info)
        later = now + backoff(delivery.attempts)
        _finish(delivery, state=DeliveryState.PENDING, next_attempt_at=later, last_error=reason)


def _finish(
    delivery: Delivery,
    *,
    state: Literal[DeliveryState.DONE, DeliveryState.FAILED, DeliveryState.PENDING],
    last_error: str,
    **changes: datetime,
) -> None:
    # Only if the lease is still ours: `attempts` distinguishes our claim from a later one.
    ours = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.RUNNING, attempts=delivery.attempts)
    if not ours.update(state=state, last_error=last_error, lease_until=None, sent_at=None, **changes):
        logger.warning("delivery finished after its lease", extra={"delivery": delivery.pk})


def _give_up_abandoned(*, now: datetime) -> None:
    # A receiver that crashes its worker is not called forever.
    hopeless = Q(state=DeliveryState.RUNNING, lease_until__lt=now, attempts__gte=settings.DELIVERY_MAX_ATTEMPTS)
    given_up = Delivery.objects.filter(hopeless).update(
        state=DeliveryState.FAILED, finished_at=now, last_error="worker lost", lease_until=None, sent_at=None
    )
    if given_up:
        logger.error("deliveries given up: their workers were lost", extra={"deliveries": given_up})
