"""The life of a delivery: claimed under a lease, then done, tried again later, or dead after its last attempt."""

from __future__ import annotations

import logging
import os
import socket
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from random import SystemRandom
from threading import Event, Thread
from types import TracebackType
from typing import Self

from django.conf import settings
from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, connection
from django.db.models import F, Q

from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.routes import find_receiver
from mitxonline.coordinator.sending import by_queue, send_deliveries
from mitxonline.kernel import clock
from mitxonline.kernel.db import fetch_sql
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.remote import patience
from mitxonline.kernel.trace import open_trace
from mitxonline.logs import scrub

logger = logging.getLogger(__name__)

# The clocks of two machines differ a little, so a delivery may be claimed this early.
_SKEW = timedelta(seconds=2)
_random = SystemRandom()

LOST = "worker lost"

# One conditional write: of two workers with the same task, the second finds a row that no longer matches. The attempt
# is opened with it, so that one whose worker is killed is in the history too. `DeliveryQuerySet.due` says what is due;
# a test compares the two.
_CLAIM = """
    WITH claimed AS (
        UPDATE coordinator_delivery AS delivery
        SET state = 'running', attempts = attempts + 1, lease_until = %(lease)s, sent_at = NULL
        WHERE id = %(id)s
            AND (state = 'pending' AND next_attempt_at <= %(soon)s OR state = 'running' AND lease_until < %(now)s)
            AND attempts < attempts_before_replay + %(most)s
            AND (order_key = '' OR NOT EXISTS (
                SELECT FROM coordinator_delivery AS other
                WHERE other.order_key = delivery.order_key AND other.order_key <> ''
                    AND other.state IN ('pending', 'running', 'dead')
                    AND (other.id < delivery.id OR other.id > delivery.id AND other.state = 'running')
            ))
        RETURNING delivery.*
    ), lost AS (
        UPDATE coordinator_deliveryattempt AS attempt
        SET outcome = 'lost', ended_at = %(now)s, result = %(lost)s, next_attempt_at = %(now)s
        FROM claimed WHERE attempt.delivery_id = claimed.id AND attempt.outcome = 'running'
        RETURNING attempt.id
    ), opened AS (
        INSERT INTO coordinator_deliveryattempt (delivery_id, number, started_at, process, outcome, result)
        SELECT id, attempts, %(now)s, %(process)s, 'running', '' FROM claimed
        WHERE (SELECT count(*) FROM lost) >= 0 -- first that one is closed: a delivery has one open attempt
        ON CONFLICT DO NOTHING
    )
    SELECT * FROM claimed
"""

# Only if the lease is still ours: `attempts` distinguishes our claim from a later one. The attempt is closed in any
# case: what was done after the lease was done.
_FINISH = """
    WITH finished AS (
        UPDATE coordinator_delivery
        SET state = %(state)s, last_error = %(error)s, lease_until = NULL, sent_at = NULL,
            finished_at = %(finished)s, next_attempt_at = coalesce(%(next)s::timestamptz, next_attempt_at)
        WHERE id = %(id)s AND state = 'running' AND attempts = %(number)s
        RETURNING id
    ), closed AS (
        UPDATE coordinator_deliveryattempt
        SET outcome = %(outcome)s, ended_at = %(now)s, result = %(result)s,
            next_attempt_at = CASE WHEN EXISTS (SELECT FROM finished) THEN %(next)s::timestamptz END
        WHERE delivery_id = %(id)s AND number = %(number)s
    )
    SELECT id FROM finished
"""


def claim_delivery(*, delivery_id: int, now: datetime) -> Delivery | None:
    """Claim a due delivery for `DELIVERY_LEASE` seconds at first, and open its next attempt.

    Return None if it is done, claimed, not due, or not its turn.
    """
    facts = {
        "id": delivery_id,
        "now": now,
        "soon": now + _SKEW,
        "lease": now + timedelta(seconds=settings.DELIVERY_LEASE),
        "most": settings.DELIVERY_MAX_ATTEMPTS,
        "process": f"{socket.gethostname()[:80]}:{os.getpid()}",
        "lost": LOST,
    }
    try:
        return next(iter(Delivery.objects.raw(_CLAIM, facts)), None)
    except IntegrityError:  # Another one with its order key was claimed at this moment (`delivery_one_at_a_time`).
        return None


class Attempt:
    """One run of a claimed delivery. Its lease is renewed meanwhile, and leaving the block records the result.

    `result` is what the receiver returned. An exception ends here. Anything that is not an `Exception` means that the
    worker is being stopped: the row stays leased, and the sweep sends it to another.
    """

    def __init__(self, delivery: Delivery) -> None:
        self.delivery = delivery
        self.result: object = None
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
            result = scrub(self.result) if isinstance(self.result, str) else ""
            _finish(self.delivery, state=DeliveryState.DONE, result=result, now=clock.now())
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
    with open_trace(delivery.trace_id), Attempt(delivery) as attempt, patience(settings.REMOTE_SWEEP_SECONDS):
        event, receiver = find_receiver(delivery.event_type, delivery.handler)
        attempt.result = receiver(event.from_payload(delivery.payload))
    send_next(delivery, now=clock.now())
    return True


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


def _fail(delivery: Delivery, *, error: Exception, now: datetime) -> None:
    facts = {
        "delivery": delivery.pk,
        "receiver": delivery.handler,
        "attempt": delivery.attempts,
        "error": describe_error(error),
    }
    tried = delivery.attempts - delivery.attempts_before_replay
    if tried >= settings.DELIVERY_MAX_ATTEMPTS:
        logger.error("delivery dead", extra=facts, exc_info=error)
        _finish(delivery, state=DeliveryState.DEAD, result=describe_failure(error), now=now)
    else:
        # A refusal ("busy", say) is a normal answer, so its name and place are enough.
        exc_info = None if isinstance(error, DomainError) else error
        logger.warning("delivery failed, will be tried again", extra=facts, exc_info=exc_info)
        later = now + backoff(tried)
        _finish(delivery, state=DeliveryState.PENDING, result=describe_failure(error), now=now, next_attempt_at=later)


def _finish(
    delivery: Delivery, *, state: DeliveryState, result: str, now: datetime, next_attempt_at: datetime | None = None
) -> None:
    is_done = state == DeliveryState.DONE
    facts = {
        "id": delivery.pk,
        "number": delivery.attempts,
        "state": state.value,
        "error": "" if is_done else result,
        "outcome": (AttemptOutcome.DONE if is_done else AttemptOutcome.FAILED).value,
        "result": result,
        "now": now,
        "finished": None if state == DeliveryState.PENDING else now,
        "next": next_attempt_at,
    }
    if not fetch_sql(_FINISH, facts):
        logger.warning("delivery finished after its lease", extra={"delivery": delivery.pk})


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
