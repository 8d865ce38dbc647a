"""The progress bar of slow commands."""

from io import StringIO

import pytest
from django.core.management.base import OutputWrapper

from b2b.management.progress import LateProgress


class Screen(StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock the test moves."""
    seconds = [0.0]
    monkeypatch.setattr("b2b.management.progress.time.monotonic", lambda: seconds[-1])
    return seconds


def test_quick_work_shows_no_progress(clock: list[float]) -> None:
    screen = Screen()
    with LateProgress(OutputWrapper(screen), label="Working") as show:
        clock.append(1.9)
        show(5, 10)
    assert screen.getvalue() == ""


def test_slow_work_shows_progress(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen()
    with LateProgress(OutputWrapper(screen), label="Working") as show:
        clock.append(2.1)
        show(5, 10)
        show(10, 10)
    assert "Working" in screen.getvalue()


def test_without_a_terminal_progress_is_one_line(clock: list[float]) -> None:
    file = StringIO()
    with LateProgress(OutputWrapper(file), label="Working") as show:
        clock.append(2.1)
        show(5)
        show(6)
    assert file.getvalue() == "Working …\n"
