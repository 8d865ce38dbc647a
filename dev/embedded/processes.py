"""Child processes that write to files of their own, and to one terminal what went wrong, and stop together."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock, Thread
from typing import IO

from dev.embedded.locks import wait_until
from dev.embedded.places import PROJECT

GRACE = 10.0  # seconds to finish current work
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_writing = Lock()
_LEVEL = re.compile(r"\[(?P<level>debug|info|warning|error|critical)\s*\]", re.IGNORECASE)
LAST_LINES = 20


def stop_with_parent() -> None:
    """Ask the kernel to stop this process when its parent is gone (Linux only)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A child in its own session, so that Ctrl-C reaches only the supervisor, which stops children in order."""

    def __init__(
        self, name: str, command: Sequence[str], environ: Mapping[str, str], *, log: Path, shows_all: bool = False
    ) -> None:
        """Write every line to `log`, and show those of errors, or with `shows_all` every one."""
        self.name = name
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._shows_all = shows_all
        self._child = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=stop_with_parent,
        )
        self._reader = Thread(target=self._show, args=[self._child.stdout, log], daemon=True)
        self._reader.start()

    @property
    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._child.poll()

    def request_stop(self) -> None:
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Wait for the child to stop after `request_stop`, and kill it if it doesn't."""
        wait_until(lambda: self.exit_status is not None, seconds=GRACE)
        self._signal(signal.SIGKILL)
        self._child.wait()
        self._reader.join(timeout=1)

    def _signal(self, number: signal.Signals) -> None:
        # To the whole session, so that no grandchild is left.
        try:
            os.killpg(self._child.pid, number)
        except ProcessLookupError:
            return  # all of them are gone

    def _show(self, lines: IO[bytes], log: Path) -> None:
        is_error = False
        with log.open("w") as file:
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                file.write(f"{text}\n")
                file.flush()
                self.last_lines.append(text)
                if level := _LEVEL.search(text):  # lines without one, such as those of a traceback, belong to the last
                    is_error = level["level"].lower() in ("error", "critical")
                if is_error or self._shows_all:
                    with _writing:
                        sys.stdout.write(f"{self.name:<6} | {text}\n")
                        sys.stdout.flush()
