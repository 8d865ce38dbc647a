"""Tests that need a program not every machine has.

`@pytest.mark.needs("chromium")` leaves a test out where that is missing; the summary says how to get it.
With NOTHING_LEFT_OUT=1 a test that is left out, for whatever reason, fails the run.
"""

import os
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Program:
    names: tuple[str, ...]
    install: str

    def find(self) -> str | None:
        return next((path for name in self.names if (path := shutil.which(name))), None)


PROGRAMS = {
    "chromium": Program(
        names=("chromium", "/usr/bin/chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
        install="apt-get install chromium fonts-liberation",
    ),
    "java": Program(names=("java",), install="apt-get install default-jre-headless"),
    "mvn": Program(names=("mvn",), install="apt-get install maven"),
    "rabbitmq-server": Program(
        names=("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"), install="apt-get install rabbitmq-server"
    ),
    "pgbouncer": Program(names=("pgbouncer", "/usr/sbin/pgbouncer"), install="apt-get install pgbouncer"),
    "go": Program(names=("go", "/usr/local/go/bin/go"), install="apt-get install golang-go"),
}


def find_program(name: str) -> str:
    """Return the program's path; only for tests marked as needing it."""
    path = PROGRAMS[name].find()
    if path is None:
        pytest.fail(f"{name} is missing; mark the test with @pytest.mark.needs({name!r})")
    return path


def nothing_may_be_left_out() -> bool:
    return os.environ.get("NOTHING_LEFT_OUT", "") not in ("", "0")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*programs): leave the test out where one of them is missing")


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        wanted = [name for marker in item.iter_markers("needs") for name in marker.args]
        missing = [name for name in wanted if PROGRAMS[name].find() is None]
        if missing:
            item.user_properties.append((LEFT_OUT, missing))
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the programs missing tests need, and how to install them."""
    reports = terminalreporter.stats.get("skipped", [])
    counts = Counter(
        name
        for report in reports
        for key, missing in getattr(report, "user_properties", ())
        if key == LEFT_OUT
        for name in missing
    )
    if not reports:
        return
    terminalreporter.section("left out", sep="-")
    for name, count in sorted(counts.items()):
        tests = "1 test needs" if count == 1 else f"{count} tests need"
        terminalreporter.write_line(f"{tests} {name}. Install it with: {PROGRAMS[name].install}")
    if others := len(reports) - sum(counts.values()):
        terminalreporter.write_line(f"{others} for other reasons, listed above.")
    if nothing_may_be_left_out():
        terminalreporter.write_line("Nothing may be left out here (NOTHING_LEFT_OUT is set): this run fails.")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and nothing_may_be_left_out() and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
