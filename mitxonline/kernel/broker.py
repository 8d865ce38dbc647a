"""Handing tasks to the broker, at the price of a blink when it is down.

A visitor's process tries once, with short timeouts of its own (the worker keeps Celery's patient ones), and
after a failure leaves the broker alone for a while. What could not be sent is the caller's to keep: nothing
here remembers it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from threading import Lock

from celery import current_app
from django.conf import settings
from kombu.exceptions import LimitExceeded, OperationalError
from kombu.pools import ProducerPool, producers

from mitxonline.kernel.trace import trace_id

logger = logging.getLogger(__name__)


class _Pause:
    """Remembers in this process that the broker did not answer."""

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
    """Queue the task once for each tuple of arguments; how many the broker took, from the first on.

    In the queue the task is routed to, unless another is named. By name, because a web process need not know the code.
    Never raises for a broker that is away.
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


def _producers() -> ProducerPool:
    """A pool of its own: kombu keeps one per distinct connection, and these differ by their timeouts.

    The options of both transports in use are given: Redis reads `socket_…`, AMQP `read_timeout` and
    `write_timeout`.
    """
    seconds = settings.BROKER_SEND_TIMEOUT
    connection = current_app.connection_for_write(
        connect_timeout=seconds,
        transport_options={
            "max_retries": 0,
            "socket_connect_timeout": seconds,
            "socket_timeout": seconds,
            "read_timeout": seconds,
            "write_timeout": seconds,
        },
    )
    pool: ProducerPool = producers[connection]
    return pool
