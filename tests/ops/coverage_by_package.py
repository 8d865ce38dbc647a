"""Print which share of each package's lines and branches the last `make coverage` reached."""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from coverage import Coverage

# For these a branch no test takes is a risk to money, seats or messages.
EXPECTED = {"b2b": 95, "courses": 95, "ecommerce": 95, "mitxonline/coordinator": 95}
OTHERS = ("cms", "frontend", "mitxonline/kernel", "mitxonline/users")


def main() -> None:
    coverage = Coverage()
    coverage.load()
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        coverage.json_report(outfile=file.name)
        files = json.loads(Path(file.name).read_text())["files"]
    for package in (*EXPECTED, *OTHERS):
        totals: Counter[str] = Counter()
        for name, figures in files.items():
            if name.startswith(f"{package}/"):
                totals.update({key: value for key, value in figures["summary"].items() if isinstance(value, int)})
        lines = _share(totals["covered_lines"], totals["num_statements"])
        branches = _share(totals["covered_branches"], totals["num_branches"])
        verdict = f"  below {EXPECTED[package]} %" if branches < EXPECTED.get(package, 0) else ""
        sys.stdout.write(f"{package:24} lines {lines:5.1f} %   branches {branches:5.1f} %{verdict}\n")


def _share(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 100.0


if __name__ == "__main__":
    main()
