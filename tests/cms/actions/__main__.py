"""Print what every action did on every type: `python -m tests.cms.actions`."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

WORKS = "works"


class Collector:
    """Keeps the outcomes of the cases, by type and action."""

    def __init__(self) -> None:
        self.cases: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: Any) -> None:
        for name, value in report.user_properties:
            if name == "case" and report.when == "call":
                kind, action, role, outcome = value
                self.cases[action, kind][role] = outcome if report.passed else f"FAILED: {report.longreprtext[-200:]}"


def print_tables(cases: dict[tuple[str, str], dict[str, str]]) -> None:
    console = Console(width=200)
    actions = list(dict.fromkeys(action for action, _kind in cases))
    kinds = list(dict.fromkeys(kind for _action, kind in cases))
    table = Table(
        "action", *(kind.rpartition(".")[2] for kind in kinds), title="administrator / editor: ✓ works, – refused"
    )
    for action in actions:
        table.add_row(action, *(_marks(cases.get((action, kind), {})) for kind in kinds))
    console.print(table)
    for (action, kind), outcomes in sorted(cases.items()):
        for role, outcome in outcomes.items():
            if outcome != WORKS:
                console.print(f"{kind} {action} ({role}): {outcome}")


def _marks(outcomes: dict[str, str]) -> str:
    return " ".join(
        "✓" if outcome == WORKS else "✗" if outcome.startswith("FAILED") else "–" for outcome in outcomes.values()
    )


if __name__ == "__main__":
    collector = Collector()
    status = pytest.main(["tests/cms/test_every_action.py", "-q", "--no-header", *sys.argv[1:]], plugins=[collector])
    print_tables(collector.cases)
    sys.exit(status)
