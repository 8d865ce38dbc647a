"""Races: callers that run at once, and a point where they meet."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from threading import Barrier, BrokenBarrierError
from typing import Any, Protocol

import pytest
from django.db import connections

PATIENCE = 60.0  # seconds for the slowest caller


class Together(Protocol):
    def __call__(self, *calls: Callable[[], Any]) -> list[Any]: ...


class MeetAt(Protocol):
    def __call__(
        self, owner: object, name: str, *, parties: int, before: bool = False, patience: float = 1.0
    ) -> "Meeting": ...


class Meeting:
    """A point callers wait at. `happened` says whether all parties were there at the same time."""

    def __init__(self, *, parties: int, patience: float) -> None:
        self.happened = False
        self._barrier = Barrier(parties, action=self._note)
        self._patience = patience

    def wait(self) -> None:
        """Wait for the others, once: a caller that nobody joins goes on alone, and so does every later one."""
        if self.happened:
            return
        try:
            self._barrier.wait(self._patience)
        except BrokenBarrierError:
            return

    def _note(self) -> None:
        self.happened = True


@pytest.fixture
def together(transactional_db: None) -> Together:
    """Call functions at the same moment, each in a thread with a database connection of its own.

    The answer has each one's result, or the exception it raised, in the order of the calls.
    """

    def call(*calls: Callable[[], Any]) -> list[Any]:
        start = Barrier(len(calls))

        def run(one: Callable[[], Any]) -> Any:
            try:
                start.wait(PATIENCE)
                return one()
            finally:
                connections.close_all()

        with ThreadPoolExecutor(max_workers=len(calls)) as pool:
            futures = [pool.submit(run, one) for one in calls]
        return [future.exception() or future.result() for future in futures]

    return call


@pytest.fixture
def meet_at(monkeypatch: pytest.MonkeyPatch) -> MeetAt:
    """Make callers of a function wait for each other there: after it has answered, or before it is asked.

    Meeting after a read is what makes a race certain: all have seen the old state, no one has changed it.
    Where a lock keeps the others out they can't meet; then whoever is there goes on after `patience` seconds.
    """

    def patch(owner: object, name: str, *, parties: int, before: bool = False, patience: float = 1.0) -> Meeting:
        meeting = Meeting(parties=parties, patience=patience)
        original = getattr(owner, name)

        @wraps(original)
        def meet(*args: Any, **kwargs: Any) -> Any:
            if before:
                meeting.wait()
            result = original(*args, **kwargs)
            if not before:
                meeting.wait()
            return result

        monkeypatch.setattr(owner, name, meet)
        return meeting

    return patch
