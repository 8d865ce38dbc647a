"""Queueing tasks without making a visitor wait for a broker that is down.

A process tries once, with short timeouts of its own (workers keep Celery's longer ones), and after a failure leaves the
broker alone for a while. The caller has to keep what could not be sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

from celery import current_app
from django.conf import settings
from kombu import Connection, Queue
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool, producers

from mitxonline.kernel.trace import trace_id

logger = logging.getLogger(__name__)


class _Pause:
    """The time for which this process leaves the broker alone."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = Lock()

    def is_on(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        with self._lock:
            self._until = time.monotonic() + settings.BROKER_SEND_PAUSE

    def end(self) -> None:
        with self._lock:
            self._until = 0.0


broker_pause = _Pause()


def send_tasks(name: str, arguments: Iterable[tuple[int | str, ...]], *, queue: str = "") -> int:
    """Queue the task once for each tuple of arguments. Return how many the broker took, counted from the first.

    Tasks go to the queue they are routed to unless another is named. Never raises for a broker that is away.
    """
    if broker_pause.is_on():
        return 0
    sent = 0
    try:
        with _producers().acquire(block=True, timeout=settings.BROKER_SEND_TIMEOUT) as producer:
            for each in arguments:
                current_app.send_task(
                    name,
                    args=each,
                    headers={"trace": trace_id()},
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                    queue=queue or None,
                )
                sent += 1
    except (OperationalError, LimitExceeded, OSError) as error:
        broker_pause.begin()
        logger.warning("broker away", extra={"error": type(error).__name__, "task": name, "sent": sent})
    return sent


def take_task(name: str, *, queue: str) -> Sequence[Any] | None:
    """Take the first task out of a queue if it is one of these, and return its arguments. Others stay where they are.

    Never raises for a broker that is away.
    """
    if broker_pause.is_on():
        return None
    try:
        with _producers().acquire(block=True, timeout=settings.BROKER_SEND_TIMEOUT) as producer:
            channel: Any = producer.channel
            message = Queue(queue, channel=channel).get(accept=["json"])
            if message is None:
                return None
            if message.headers.get("task") != name:
                _put_back(message)
                return None
            message.ack()
            arguments: Sequence[Any] = message.payload[0]
            return arguments
    except _connection_errors() as error:
        broker_pause.begin()
        logger.warning("broker away", extra={"error": type(error).__name__, "task": name})
        return None


def measure_queues() -> dict[str, int]:
    """Return how many tasks wait in each queue. Raises OperationalError or OSError if the broker is away."""
    lengths = {}
    with _connection() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        with connection.channel() as channel:
            for name, queue in current_app.amqp.queues.items():
                # As a worker declares it, because asking for one that isn't there yet is an error.
                declared = channel.queue_declare(  # type: ignore[attr-defined]  # of both transports' channels
                    queue=name,
                    durable=queue.durable,
                    exclusive=queue.exclusive,
                    auto_delete=queue.auto_delete,
                    arguments=queue.queue_arguments,
                )
                lengths[name] = declared.message_count
    return lengths


def _put_back(message: Any) -> None:
    restore = getattr(getattr(message.channel, "qos", None), "restore_by_tag", None)
    if restore is None:
        message.requeue()
        return
    # To the front: with Redis, kombu's `requeue` puts it behind all others.
    restore(message.delivery_tag)
    message.ack()


def _connection_errors() -> tuple[type[BaseException], ...]:
    # Where kombu doesn't translate them, they are those of the transport's own library.
    connection = _connection()
    return (OperationalError, LimitExceeded, OSError, *connection.connection_errors, *connection.channel_errors)


def _producers() -> ProducerPool:
    # Connections with other timeouts are other connections to kombu, so they get a pool of their own.
    pool: ProducerPool = producers[_connection()]
    return pool


def _connection() -> Connection:
    # Options for both transports: Redis reads `socket_…`, AMQP `read_timeout` and `write_timeout`.
    seconds = settings.BROKER_SEND_TIMEOUT
    connection: Connection = current_app.connection_for_write(
        connect_timeout=seconds,
        transport_options={
            "max_retries": 0,
            "socket_connect_timeout": seconds,
            "socket_timeout": seconds,
            "read_timeout": seconds,
            "write_timeout": seconds,
        },
    )
    return connection
