"""File locks. The kernel drops them when their last holder dies, however it dies, so none is ever stale."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.embedded.errors import EmbeddedError

STEP = 0.05  # seconds between two looks


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Look until the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(STEP)
    return True


def _take(fd: int, path: Path, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EmbeddedError(
            f"Files in {path.parent} can't be locked ({error.strerror}); set LOCAL_DIR to a local disk."
        ) from error
    return True


@contextmanager
def exclusive(path: Path, *, seconds: float, busy: str) -> Iterator[int]:
    """Hold the file's lock and hand out its descriptor; EmbeddedError(busy) when it stays taken.

    The descriptor is closed at the end and never unlocked: a server that inherited it goes on holding the
    lock until its last process is gone.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not wait_until(lambda: _take(fd, path), seconds=seconds):
            raise EmbeddedError(busy)
        yield fd
    finally:
        os.close(fd)


def is_held(path: Path) -> bool:
    """Whether some process holds the file's lock now. Asking shares the lock, so askers don't see each other."""
    if not path.exists():
        return False
    fd = os.open(path, os.O_RDWR)
    try:
        return not _take(fd, path, fcntl.LOCK_SH)
    finally:
        os.close(fd)
