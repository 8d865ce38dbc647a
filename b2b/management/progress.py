"""A progress bar for what takes longer than people like to wait for."""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, Self, cast

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PATIENCE = 2.0


class LateProgress:
    """Shows a bar on the given stream once the work has taken longer than two seconds.

    Where no one watches (no terminal) there is one line when the bar would have come, and nothing else.
    """

    def __init__(self, stream: OutputWrapper, *, label: str) -> None:
        # Django's wrapper ends each write with a new line, which a bar drawn over itself can't use.
        self._console = Console(file=cast("IO[str]", stream._out))
        self._label = label
        self._began = time.monotonic()
        self._bar: Progress | None = None
        self._has_said = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int | None = None) -> None:
        """So much of so much is done; the total may be unknown, and may change."""
        if time.monotonic() - self._began < PATIENCE:
            return
        if not self._console.is_terminal:
            self._say_once()
        else:
            self._show(done, total)

    def _say_once(self) -> None:
        if not self._has_said:
            self._has_said = True
            self._console.print(f"{self._label} …", highlight=False)

    def _show(self, done: int, total: int | None) -> None:
        if self._bar is None:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.add_task(self._label, total=total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)
