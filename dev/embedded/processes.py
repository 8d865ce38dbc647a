"""Child processes whose lines are shown together, and which end together."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from threading import Lock, Thread
from typing import IO

from dev.embedded.locks import wait_until
from dev.embedded.places import PROJECT

GRACE = 10.0  # seconds to finish what is at hand
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_writing = Lock()


def end_with_parent() -> None:
    """Ask the kernel to end this process when the one that started it is gone (Linux only)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """One child in a session of its own: Ctrl-C reaches the supervisor alone, which ends them in order."""

    def __init__(self, name: str, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self.name = name
        self._child = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        self._reader = Thread(target=self._show, args=[self._child.stdout], daemon=True)
        self._reader.start()

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for the end that was asked for, and enforce it."""
        wait_until(lambda: self.exit_status is not None, seconds=GRACE)
        self._signal(signal.SIGKILL)
        self._child.wait()
        self._reader.join(timeout=1)

    def _signal(self, number: signal.Signals) -> None:
        """To the whole session, so that no grandchild stays."""
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return  # no one is left

    def _show(self, lines: IO[bytes]) -> None:
        for line in lines:
            with _writing:
                text = line.decode(errors="replace").rstrip()
                sys.stdout.write(f"{self.name:<6} | {text}\n")
                sys.stdout.flush()
