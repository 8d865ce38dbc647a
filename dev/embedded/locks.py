"""File locks. The kernel releases them when the last process that holds them dies, so none goes stale."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.embedded.errors import EmbeddedError

INTERVAL = 0.05  # seconds between checks


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll until the condition holds; return False on timeout."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(INTERVAL)
    return True


def _try_lock(fd: int, path: Path, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EmbeddedError(
            f"Files in {path.parent} can't be locked ({error.strerror}). Set LOCAL_DIR to a folder on a local disk."
        ) from error
    return True


@contextmanager
def exclusive(path: Path, *, seconds: float, busy: str) -> Iterator[int]:
    """Hold the file's lock and yield its descriptor. Raises EmbeddedError(busy) on timeout.

    The descriptor is closed and never unlocked, so a server that inherited it keeps the lock until its last process
    is gone.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait_until(lambda: _try_lock(fd, path), seconds=seconds):
            raise EmbeddedError(busy)
        yield fd
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock exclusively. The test takes a shared lock, so tests don't see each other."""
    if not path.exists():
        return False
    fd = os.open(path, os.O_RDWR)
    try:
        return not _try_lock(fd, path, fcntl.LOCK_SH)
    finally:
        os.close(fd)
