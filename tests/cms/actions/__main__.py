"""Print what every action did on every type, and write it to `outcomes.csv`: `python -m tests.cms.actions`.

With arguments for pytest (`-k delete`), the other outcomes stay as they are.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from tests.cms.actions.outcomes import RENEWING, ROLES, TABLE, Case, Outcome, read_outcomes, write_outcomes

MARKS = {Outcome.WORKS: "✓", Outcome.REFUSED: "–", Outcome.ABSENT: "·"}
TABLE_WIDTH = 180
KINDS_BESIDE = 10  # as many as the width has room for


@dataclass
class Collector:
    """Keeps what each case came to, and why it was refused."""

    outcomes: dict[Case, Outcome] = field(default_factory=dict)
    reasons: dict[Case, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name, value in report.user_properties:
            if name == "case" and report.when == "call" and report.passed:
                kind, action, role, outcome, why = value
                self.outcomes[kind, action, role] = Outcome(outcome)
                self.reasons[kind, action, role] = why


def print_outcomes(collector: Collector) -> None:
    console = Console(width=TABLE_WIDTH)
    page_kinds = {kind for kind, action, _role in collector.outcomes if action == "create_draft"}
    for title in ("Pages", "Everything else"):
        kinds = dict.fromkeys(case[0] for case in collector.outcomes if (case[0] in page_kinds) == (title == "Pages"))
        for some in _batch(kinds, KINDS_BESIDE):
            console.print(_table(title, some, collector.outcomes))
    for (kind, action, role), why in sorted(collector.reasons.items()):
        if why:
            console.print(f"{kind} {action} ({role}): {why}")


def _batch(kinds: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(kinds)
    while some := list(islice(left, size)):
        yield some


def _table(title: str, kinds: list[str], outcomes: dict[Case, Outcome]) -> Table:
    table = Table(title=f"{title}: {' / '.join(ROLES)}", caption="✓ works, – refused in a sentence, · not offered")
    table.add_column("action", no_wrap=True)
    for kind in kinds:
        name = kind.rpartition(".")[2]
        table.add_column(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    for action in dict.fromkeys(action for kind, action, _role in outcomes if kind in kinds):
        cases = ([outcomes.get((kind, action, role)) for role in ROLES] for kind in kinds)
        table.add_row(action, *(" ".join(MARKS[each] if each else " " for each in case) for case in cases))
    return table


def main(args: list[str]) -> int:
    collector = Collector()
    os.environ[RENEWING] = "1"
    status = pytest.main(
        ["tests/cms/test_every_action.py", "-q", "--no-header", "-p", "no:cacheprovider", *args],
        plugins=[collector],
    )
    # Parallel workers tell of cases in any order.
    places = {case: place for place, case in enumerate(read_outcomes())}
    found = sorted(collector.outcomes.items(), key=lambda each: places.get(each[0], len(places)))
    collector.outcomes = dict(found)
    print_outcomes(collector)
    known = dict(read_outcomes()) if args else {}
    write_outcomes(known | collector.outcomes)
    Console().print(f"Wrote {TABLE.name}; see what changed with git diff.")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
