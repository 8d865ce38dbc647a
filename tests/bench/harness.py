"""Measuring: seconds, queries, rows written and memory; and the table they are printed in.

A subject is a module with functions marked ``@bench``. Each measures something and its floor (the same rows by one raw
statement, or whatever the least is) and gives a ``Result``. Times are never compared with times of another run or
machine, only with their floor.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from rich.console import Console
from rich.table import Table

SAMPLES_PER_SECOND = 200
_STATM = Path("/proc/self/statm")
_PAGE_MIB = 4096 / 2**20

BENCHES: list[Bench] = []


@dataclass(frozen=True, slots=True)
class Bench:
    """Something to measure."""

    name: str
    run: Callable[[], Result]
    slow: bool = False


@dataclass(slots=True)
class Cost:
    """What a piece of work cost."""

    seconds: float = 0.0
    queries: int = 0
    rows_written: int = 0
    peak_mib: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured, beside its floor and its budget. A budget that is None is none."""

    cost: Cost
    floor: Cost | None = None
    floor_name: str = ""
    ratio_budget: float | None = None
    query_budget: int | None = None
    row_budget: int | None = None
    memory_budget: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times its floor it took."""
        return self.cost.seconds / self.floor.seconds if self.floor and self.floor.seconds else None

    @property
    def is_kept(self) -> bool:
        """Whether every budget is."""
        pairs = (
            (self.ratio, self.ratio_budget),
            (self.cost.queries, self.query_budget),
            (self.cost.rows_written, self.row_budget),
            (self.cost.peak_mib, self.memory_budget),
        )
        return all(budget is None or (value is not None and value <= budget) for value, budget in pairs)


def bench(name: str, *, slow: bool = False) -> Callable[[Callable[[], Result]], Callable[[], Result]]:
    """Have a function measured under this name; a slow one is left out by ``--quick``."""

    def note(run: Callable[[], Result]) -> Callable[[], Result]:
        BENCHES.append(Bench(name=name, run=run, slow=slow))
        return run

    return note


@contextmanager
def measured(*, counting: bool = True) -> Iterator[Cost]:
    """The cost of a block: wall time, statements (with BEGIN and COMMIT), rows written, memory at its peak.

    Counting takes time of its own: what is measured several times is counted once.
    """
    cost = Cost()
    gc.collect()
    with _peak(cost), _counted(cost) if counting else nullcontext():
        began = time.perf_counter()
        yield cost
        cost.seconds = time.perf_counter() - began


@contextmanager
def _counted(cost: Cost) -> Iterator[None]:
    def count(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if sql.lstrip().startswith(("INSERT", "UPDATE", "DELETE", "WITH")):
            cost.rows_written += max(context["cursor"].rowcount, 0)
        return result

    connection.queries_log.clear()
    connection.force_debug_cursor = True
    try:
        with connection.execute_wrapper(count):
            yield
    finally:
        connection.force_debug_cursor = False
        cost.queries = len(connection.queries_log)


def best_of(runs: Sequence[Cost]) -> Cost:
    """The fastest of several, since the others were disturbed, with the counts of whichever was counted."""
    return Cost(
        seconds=min(cost.seconds for cost in runs),
        queries=max(cost.queries for cost in runs),
        rows_written=max(cost.rows_written for cost in runs),
        peak_mib=max(cost.peak_mib for cost in runs),
    )


@contextmanager
def _peak(cost: Cost) -> Iterator[None]:
    """Watch the memory of this process from beside; where the system doesn't tell it, it is 0."""
    if not _STATM.exists():
        yield
        return
    idle = _resident()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(1 / SAMPLES_PER_SECOND):
            cost.peak_mib = max(cost.peak_mib, _resident() - idle)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        cost.peak_mib = max(cost.peak_mib, _resident() - idle)
        done.set()
        watcher.join()


def _resident() -> float:
    return int(_STATM.read_text().split()[1]) * _PAGE_MIB


def run_benches(console: Console, *, pattern: str = "", quick: bool = False) -> bool:
    """Measure all that match, print the table; whether all budgets are kept."""
    results: list[tuple[str, Result]] = []
    for one in BENCHES:
        if (quick and one.slow) or pattern not in one.name:
            continue
        with console.status(one.name):
            results.append((one.name, one.run()))
    console.print(_table(results))
    console.print("Ratio: time beside the floor's. Times and memory are this machine's; ratios are what is budgeted.")
    return all(result.is_kept for _name, result in results)


def _table(results: Sequence[tuple[str, Result]]) -> Table:
    table = Table()
    for heading in ("work", "time", "floor", "ratio", "queries", "rows written", "memory", "kept", "note"):
        table.add_column(heading, justify="left" if heading in ("work", "note") else "right")
    for name, result in results:
        floor = f"{_time(result.floor.seconds)} {result.floor_name}" if result.floor else ""
        table.add_row(
            name,
            _time(result.cost.seconds),
            floor,
            _within(f"{result.ratio:.2f}" if result.ratio is not None else "", result.ratio_budget),
            _within(str(result.cost.queries), result.query_budget),
            "" if result.row_budget is None else _within(str(result.cost.rows_written), result.row_budget),
            _within(f"{result.cost.peak_mib:.0f} MiB", result.memory_budget),
            "yes" if result.is_kept else "[bold red]NO[/]",
            result.note,
        )
    return table


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _within(value: str, budget: float | None) -> str:
    return value if budget is None else f"{value} ≤ {budget:g}"
