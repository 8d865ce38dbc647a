"""A thread of each web process hears of changes from elsewhere, such as SQL by hand, and renews Redis's word."""

from __future__ import annotations

import logging
import threading
import time

from django.conf import settings
from django.db import Error, close_old_connections, connection

from mitxonline.kernel import clock
from mitxonline.kernel.versions import CHANNEL, renew_versions, revoke

logger = logging.getLogger(__name__)

_IDLE = 60.0  # seconds without visitors after which nothing is renewed
_RETRY = 2.0

_lock = threading.Lock()
_thread: threading.Thread | None = None
_last_asked = 0.0


def start_listening() -> None:
    """Called for each request, so that the thread is there in every process that serves pages, however it was made."""
    global _thread, _last_asked
    _last_asked = time.monotonic()
    if _thread is not None or not settings.SHARED_PAGES_LISTEN:
        return
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_listen_forever, name="versions", daemon=True)
            _thread.start()


def _listen_forever() -> None:
    while True:
        try:
            listen_once()
        except Exception as error:  # noqa: BLE001 - the thread must go on, whatever the database says
            logger.warning("changes from elsewhere aren't heard for a moment", extra={"error": type(error).__name__})
            _close()
            time.sleep(_RETRY)


def listen_once(*, rounds: int | None = None) -> None:
    """Listen until the connection breaks, or for some rounds."""
    close_old_connections()
    connection.ensure_connection()
    session = connection.connection
    session.execute(f"LISTEN {CHANNEL}")
    revoke()  # what was said before isn't heard
    while rounds is None or rounds > 0:
        if list(session.notifies(timeout=settings.VERSIONS_LEASE_SECONDS / 4, stop_after=1)):
            revoke()
        elif time.monotonic() - _last_asked < _IDLE:
            renew_versions(now=clock.now())
        rounds = None if rounds is None else rounds - 1


def _close() -> None:
    try:
        connection.close()
    except Error:
        return
