"""The life of a delivery: claimed under a lease, then done, tried again later, or dead after its last attempt."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import SystemRandom
from types import TracebackType
from typing import Self, TypeAlias

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Q
from kombu.exceptions import OperationalError as BrokerError

from mitxonline.coordinator.claims import LOST, Ending, claim_delivery, end_attempt, end_attempt_and_claim
from mitxonline.coordinator.leases import leases
from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.routes import find_receiver
from mitxonline.coordinator.sending import by_queue, send_deliveries
from mitxonline.kernel import clock
from mitxonline.kernel.broker import measure_queues
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import patience
from mitxonline.kernel.trace import open_trace
from mitxonline.logs import scrub

logger = logging.getLogger(__name__)

_random = SystemRandom()

# Takes the next delivery out of a queue, if one waits there.
Take: TypeAlias = Callable[[], int | None]


class Attempt:
    """One run of a claimed delivery. Its lease is renewed meanwhile, and leaving the block records the result.

    `result` is what the receiver returned. An exception ends here. Anything that is not an `Exception` means that the
    worker is being stopped: the row stays leased, and the sweep sends it to another.

    Leaving the block also takes the next delivery, and claims it if it was never tried: `taken` and `next`.
    """

    def __init__(self, delivery: Delivery, *, take: Take | None = None) -> None:
        self.delivery = delivery
        self.take = take
        self.result: object = None
        self.taken: int | None = None
        self.next: Delivery | None = None

    def __enter__(self) -> Self:
        leases.hold(self.delivery)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        leases.release(self.delivery)
        if error is not None and not isinstance(error, Exception):
            return False
        ending = self._end(error)
        try:
            is_ours = self._record(ending)
        except (InterfaceError, OperationalError):  # The connection is gone, but the database may be back.
            connection.close()
            is_ours = end_attempt(self.delivery, ending)
        if not is_ours:
            logger.warning("delivery finished after its lease", extra={"delivery": self.delivery.pk})
        return error is not None

    def _end(self, error: Exception | None) -> Ending:
        if error is not None:
            return _end_failed(self.delivery, error=error, now=clock.now())
        result = scrub(self.result) if isinstance(self.result, str) else ""
        return Ending(DeliveryState.DONE, result, clock.now())

    def _record(self, ending: Ending) -> bool:
        if self.take is not None:
            self.taken = self.take()
        if self.taken is None:
            return end_attempt(self.delivery, ending)
        is_ours, self.next = end_attempt_and_claim(self.delivery, ending, next_id=self.taken)
        return is_ours


def run_delivery(*, delivery_id: int, now: datetime, take: Take | None = None) -> bool:
    """Claim a delivery and call its receiver, then those of the ones it can take. Return False if it was not to do."""
    delivery = claimed = _claim(delivery_id, now=now)
    while claimed is not None:
        attempt = _make(claimed, take)
        claimed = attempt.next
        if claimed is None and attempt.taken is not None:
            claimed = _claim(attempt.taken, now=clock.now())
    return delivery is not None


def _claim(delivery_id: int, *, now: datetime) -> Delivery | None:
    try:
        claimed = claim_delivery(delivery_id=delivery_id, now=now)
    except (InterfaceError, OperationalError):
        if connection.in_atomic_block:
            raise
        connection.close()  # It was cut while the worker had nothing to do.
        claimed = claim_delivery(delivery_id=delivery_id, now=now)
    if claimed is None:
        # If the task came too early, the broker no longer has it, so the sweep has to send it when it is due.
        Delivery.objects.filter(pk=delivery_id, state=DeliveryState.PENDING).update(sent_at=None)
    return claimed


def _make(delivery: Delivery, take: Take | None) -> Attempt:
    """Call the receiver of a claimed delivery."""
    attempt = Attempt(delivery, take=take)
    with open_trace(delivery.trace_id), attempt, patience(settings.REMOTE_SWEEP_SECONDS):
        event, receiver = find_receiver(delivery.event_type, delivery.handler)
        attempt.result = receiver(event.from_payload(delivery.payload))
    send_next(delivery, now=clock.now())
    return attempt


def send_next(delivery: Delivery, *, now: datetime) -> None:
    """Send the delivery that waited for this one, if there is one and it is its turn."""
    if not delivery.order_key:
        return
    waiting = Delivery.objects.due(now=now).filter(order_key=delivery.order_key, sent_at=None).order_by("pk")
    chosen = list(waiting.values_list("pk", "handler")[:1])
    Delivery.objects.filter(pk__in=[pk for pk, _receiver in chosen]).update(sent_at=now)
    for queue, ids in by_queue(chosen).items():
        send_deliveries(ids, queue=queue)


def sweep(*, now: datetime) -> int:
    """Send what is due and not with the broker. Return how many the broker took.

    These are deliveries that a web process could not send, retries, and those that a lost worker left.
    """
    _close_lost(now=now)
    patience = timedelta(seconds=settings.DELIVERY_LOST_AFTER)
    unsent = Delivery.objects.unsent(now=now, patience=patience).order_by("next_attempt_at", "pk")
    found = list(unsent.values_list("pk", "handler", "sent_at")[: settings.DELIVERY_SWEEP_SIZE])
    due = by_queue((pk, receiver) for pk, receiver, sent_at in found if sent_at is None)
    lost = _find_lost_tasks(found, now=now)
    chosen = [pk for queues in (due, lost) for ids in queues.values() for pk in ids]
    Delivery.objects.filter(pk__in=chosen).update(sent_at=now)
    return sum(send_deliveries(ids, queue=queue) for queues in (due, lost) for queue, ids in queues.items())


def _find_lost_tasks(found: Sequence[tuple[int, str, datetime | None]], *, now: datetime) -> dict[str, list[int]]:
    """Return those of the deliveries whose tasks the broker doesn't have any more, or has had for too long.

    The first are found by an empty queue: their web process was killed before it sent them, the broker lost them, or
    the worker that had them was lost. Sending one again that is about to be made does no harm: it is claimed once.
    """
    sent = by_queue((pk, receiver) for pk, receiver, sent_at in found if sent_at is not None)
    if not sent:
        return {}
    before = now - timedelta(seconds=settings.DELIVERY_RESEND_AFTER)
    late = by_queue((pk, receiver) for pk, receiver, sent_at in found if sent_at is not None and sent_at < before)
    if late:
        # Sending again does no harm, but it doesn't help either if no worker reads the queue.
        queues = [queue or settings.CELERY_TASK_DEFAULT_QUEUE for queue in late]
        logger.error("deliveries waited long for a worker", extra={"queues": queues})
    try:
        lengths = measure_queues()
    except (BrokerError, OSError):
        return late
    empty = {queue for queue in sent if not lengths.get(queue or settings.CELERY_TASK_DEFAULT_QUEUE, 1)}
    return {queue: ids if queue in empty else late[queue] for queue, ids in sent.items() if queue in {*empty, *late}}


def purge(*, now: datetime) -> int:
    """Delete what was done or given up long ago, with its attempts. Dead deliveries stay for people to look at."""
    before = now - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    over = Delivery.objects.filter(state__in=[DeliveryState.DONE, DeliveryState.GIVEN_UP], finished_at__lt=before)
    deleted = 0
    # Each batch in a transaction of its own, so that no lock is held for long.
    while batch := list(over.values_list("pk", flat=True)[: settings.DELIVERY_PURGE_SIZE]):
        Delivery.objects.filter(pk__in=batch).delete()
        deleted += len(batch)
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


def describe_failure(error: Exception) -> str:
    """Describe an error with its message, from which everything secret is removed."""
    message = scrub(str(error))
    return f"{describe_error(error)}: {message}"[:300] if message else describe_error(error)


def _end_failed(delivery: Delivery, *, error: Exception, now: datetime) -> Ending:
    facts = {
        "delivery": delivery.pk,
        "receiver": delivery.handler,
        "attempt": delivery.attempts,
        "error": describe_error(error),
    }
    tried = delivery.attempts - delivery.attempts_before_replay
    if tried >= settings.DELIVERY_MAX_ATTEMPTS:
        logger.error("delivery dead", extra=facts, exc_info=error)
        return Ending(DeliveryState.DEAD, describe_failure(error), now)
    # A refusal ("busy", say) is a normal answer, so its name and place are enough.
    logger.warning(
        "delivery failed, will be tried again",
        extra=facts,
        exc_info=None if isinstance(error, DomainError) else error,
    )
    return Ending(DeliveryState.PENDING, describe_failure(error), now, next_attempt_at=now + backoff(tried))


def _close_lost(*, now: datetime) -> None:
    lost = Delivery.objects.filter(state=DeliveryState.RUNNING, lease_until__lt=now)
    # A receiver that crashes its worker is not called forever.
    hopeless = lost.filter(attempts__gte=F("attempts_before_replay") + settings.DELIVERY_MAX_ATTEMPTS)
    is_hopeless = Q(delivery__in=hopeless.values("pk"))
    open_ones = DeliveryAttempt.objects.filter(outcome=AttemptOutcome.RUNNING, delivery__in=lost.values("pk"))
    closed = {"outcome": AttemptOutcome.LOST, "ended_at": now, "result": LOST}
    open_ones.filter(is_hopeless).update(**closed)
    open_ones.update(**closed, next_attempt_at=now)
    buried = hopeless.update(state=DeliveryState.DEAD, finished_at=now, last_error=LOST, lease_until=None, sent_at=None)
    # What a worker of the last release calls failed.
    buried += Delivery.objects.filter(state="failed").update(state=DeliveryState.DEAD)
    if buried:
        logger.error("deliveries dead: their workers were lost", extra={"deliveries": buried})
