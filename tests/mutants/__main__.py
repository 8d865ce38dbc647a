"""Change rules, prices, codes, seats, refunds and payments one place at a time; list the changes no test notices.

    make mutants                     every group
    ARGS='pricing seats' make mutants    some of them

A group's modules are imported and its tests collected once. Each change then runs in a process forked from that one,
with the changed code put into the imported function, and only the tests that call the function are run. Code outside
of functions (constants, fields) isn't changed. The exit status is 1 if fewer than nine of ten changes are noticed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest
from hypothesis import settings

from tests.mutants.changes import Change, changes_of

ROOT = Path(__file__).resolve().parents[2]
LEAST_NOTICED = 0.9
LONGEST = 120.0  # seconds for the tests of one change; what hangs is noticed
NOTICED, UNNOTICED, NEVER_CALLED = "noticed", "unnoticed", "never called"


@dataclass(frozen=True, slots=True)
class Group:
    """What is changed, and the tests that should notice."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


GROUPS = {
    "pricing": Group(
        modules=("ecommerce/pricing.py",),
        tests=("tests/ecommerce/test_pricing.py", "tests/ecommerce/test_second_looks.py"),
    ),
    "rules": Group(
        modules=("ecommerce/rules.py",),
        tests=("tests/ecommerce/test_checkout.py", "tests/ecommerce/test_each_course_once.py"),
    ),
    "codes": Group(
        modules=("ecommerce/services/discounts/codes.py",),
        tests=("tests/ecommerce/test_codes.py", "tests/ecommerce/test_one_use_one_order.py"),
    ),
    "payments": Group(
        modules=("ecommerce/services/payment/payments.py",),
        tests=("tests/ecommerce/test_payments.py", "tests/ecommerce/test_notices.py"),
    ),
    "refunds": Group(
        modules=("ecommerce/selectors/refund_plan.py",),
        tests=(
            "tests/ecommerce/test_refund_plan.py",
            "tests/ecommerce/test_refunds.py",
            "tests/ecommerce/test_money_that_came.py",
            "tests/ecommerce/test_money_left_over.py",
        ),
    ),
    "seats": Group(
        modules=("b2b/seats.py", "b2b/rules.py"),
        tests=("tests/b2b/test_one_place_for_seats.py", "tests/b2b/test_doors.py", "tests/b2b/test_promises.py"),
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("groups", nargs="*", metavar="group", help=f"one of {', '.join(GROUPS)}")
    parser.add_argument("--run-here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, default=2, help="how many changes are tried at once")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"There is no group {', '.join(sorted(unknown))}.")
    if options.run_here:
        return _run(options.groups[0], jobs=options.jobs)
    # Each group in a process of its own: Django is set up once in a process.
    command = [sys.executable, "-m", "tests.mutants", "--run-here", "--jobs", str(options.jobs)]
    failed = [name for name in options.groups or GROUPS if subprocess.run([*command, name], check=False).returncode]
    return int(bool(failed))


def _run(name: str, *, jobs: int) -> int:
    group = GROUPS[name]
    # Finding the callers is slow, and a test that is late would count as one that fails.
    settings.register_profile("mutants", deadline=None)
    settings.load_profile("mutants")
    runner = Runner(group, jobs=jobs)
    tests = [test for test in group.tests if Path(ROOT, test).exists()]
    options = ["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "--timeout", "0"]
    options += ["-W", "ignore:This process:DeprecationWarning"]  # Python 3.12 warns of forks beside threads
    # Hypothesis is imported above for its settings.
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    status = pytest.main([*options, *tests], plugins=[runner])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) or not runner.outcomes:
        _write(f"{name}: the tests can't be run.")
        return 1
    return runner.report(name)


class Runner:
    """A pytest plugin: runs the collected tests once for each change, instead of once."""

    def __init__(self, group: Group, *, jobs: int) -> None:
        self.group = group
        self.jobs = jobs
        self.outcomes: list[tuple[str, Change, str]] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        files = {module: str(Path(ROOT, module)) for module in self.group.modules}
        for module in files:
            importlib.import_module(module.removesuffix(".py").replace("/", "."))
        callers, seconds = _find_callers(session, set(files.values()))
        waiting = [
            (module, change) for module, file in files.items() for change in changes_of(Path(file).read_text(), file)
        ]
        running: dict[int, tuple[str, Change, float]] = {}
        while waiting or running:
            while waiting and len(running) < self.jobs:
                module, change = waiting.pop(0)
                tests = callers.get(f"{files[module]}:{change.function}", [])
                if not tests:
                    self.outcomes.append((module, change, NEVER_CALLED))
                    continue
                limit = min(LONGEST, 20 + 10 * sum(seconds[test] for test in tests))
                pid = _fork(session, sorted(tests, key=seconds.__getitem__), change, files[module])
                running[pid] = (module, change, time.monotonic() + limit)
            self._collect(running)
        return True

    def _collect(self, running: dict[int, tuple[str, Change, float]]) -> None:
        for pid, (module, change, deadline) in list(running.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended and time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                ended, status = os.waitpid(pid, 0)
            if ended:
                del running[pid]
                self.outcomes.append((module, change, NOTICED if status else UNNOTICED))
        time.sleep(0.02)

    def report(self, name: str) -> int:
        for module, change, outcome in self.outcomes:
            if outcome != NOTICED:
                _write(f"{module}:{change.line} {outcome} ({change.function})\n  - {change.before}\n  + {change.after}")
        counts = Counter(outcome for _module, _change, outcome in self.outcomes)
        share = counts[NOTICED] / len(self.outcomes)
        _write(f"{name}: {len(self.outcomes)} changes, {counts[NOTICED]} noticed: {share:.0%}")
        return int(share < LEAST_NOTICED)


def _find_callers(session: pytest.Session, files: set[str]) -> tuple[dict[str, list[int]], dict[int, float]]:
    """Which tests call which function, and the seconds each takes; from one run in a process of its own."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        callers: dict[str, set[int]] = defaultdict(set)
        seconds: dict[int, float] = {}
        failed: list[int] = []
        for index, test in enumerate(session.items):
            begin = time.monotonic()

            def note(frame: FrameType, event: str, _arg: Any, index: int = index) -> None:
                if event == "call" and frame.f_code.co_filename in files:
                    callers[f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"].add(index)

            sys.setprofile(note)
            _run_test(test, session.items[index + 1] if index + 1 < len(session.items) else None)
            sys.setprofile(None)
            seconds[index] = time.monotonic() - begin
            if session.testsfailed > len(failed):
                failed.append(index)
        found = {name: sorted(tests) for name, tests in callers.items()}
        with os.fdopen(writer, "w") as file:
            json.dump([found, list(seconds.values()), failed], file)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        found, taken, unfit = json.load(file)
    os.waitpid(pid, 0)
    for index in unfit:
        _write(f"\nLeft out, because it fails without any change: {session.items[index].nodeid}")
    fit = {name: [test for test in tests if test not in unfit] for name, tests in found.items()}
    return fit, dict(enumerate(taken))


def _fork(session: pytest.Session, tests: Sequence[int], change: Change, file: str) -> int:
    """Run these tests with the change until one fails; the process's exit status says whether one did."""
    if pid := os.fork():
        return pid
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    for function in _functions_of(file, change.function):
        function.__code__ = change.code
    items = [session.items[index] for index in tests]
    for item, following in zip(items, [*items[1:], None], strict=True):
        _run_test(item, following)
        if session.testsfailed:
            session._setupstate.teardown_exact(None)
            break
    os._exit(int(bool(session.testsfailed)))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run_test(item: pytest.Item, following: pytest.Item | None) -> None:
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _functions_of(file: str, name: str) -> Iterator[FunctionType]:
    """The function objects with this name, wherever they were imported or wrapped."""
    for each in gc.get_objects():
        if isinstance(each, FunctionType) and _is(each.__code__, file, name):
            yield each


def _is(code: CodeType, file: str, name: str) -> bool:
    return code.co_qualname == name and code.co_filename == file


if __name__ == "__main__":
    sys.exit(main())
