"""Keeps the leases of the attempts that this process makes, in one thread for all of them."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock, Thread

from django.conf import settings
from django.db import DatabaseError, connection

from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock

logger = logging.getLogger(__name__)

# Seconds between two looks.
_LOOK = 0.5


@dataclass(eq=False, slots=True)
class _Held:
    delivery: Delivery
    renewed: float = field(default_factory=time.monotonic)


class Leases:
    """Renews each lease three times before it ends.

    A daemon, so it ends with the process however that ends. Its database connection is closed after each use.
    """

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._lock = Lock()
        self._thread: Thread | None = None

    def hold(self, delivery: Delivery) -> None:
        """Keep the lease until it is released."""
        with self._lock:
            self._held[id(delivery)] = _Held(delivery)
            if self._thread is None or not self._thread.is_alive():  # The thread of a process isn't its fork's.
                self._thread = Thread(target=self._keep, name="leases", daemon=True)
                self._thread.start()

    def release(self, delivery: Delivery) -> None:
        with self._lock:
            self._held.pop(id(delivery), None)

    def _keep(self) -> None:
        while True:
            time.sleep(min(_LOOK, settings.DELIVERY_LEASE / 6))
            with self._lock:
                held = list(self._held.values())
            try:
                for each in held:
                    self._look_after(each)
            except Exception:
                logger.exception("leases not kept")
            finally:
                if held:
                    connection.close()

    def _look_after(self, held: _Held) -> None:
        now = time.monotonic()
        if now - held.renewed > settings.DELIVERY_LEASE / 3:
            held.renewed = now
            _renew(held.delivery)


def _renew(delivery: Delivery) -> None:
    ours = Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.RUNNING, attempts=delivery.attempts)
    try:
        ours.update(lease_until=clock.now() + timedelta(seconds=settings.DELIVERY_LEASE))
    except DatabaseError:
        logger.warning("lease not renewed", extra={"delivery": delivery.pk})


leases = Leases()
