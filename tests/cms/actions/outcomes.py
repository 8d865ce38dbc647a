"""What each action did when the table was last renewed (`outcomes.csv`), for people to read and for tests to compare.

An action that worked and is refused now is a fault, though it says why in a sentence.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

ROLES = ("administrator", "editor")
TABLE = Path(__file__).with_name("outcomes.csv")
# Set in the environment while the table is renewed.
RENEWING = "RENEW_OUTCOMES"
RENEW = "If that is meant, renew the table with `make actions` and read its diff."


class Outcome(StrEnum):
    WORKS = "works"
    REFUSED = "refused"
    ABSENT = "not offered"


# By type, action and role.
Case = tuple[str, str, str]


@cache
def read_outcomes() -> Mapping[Case, Outcome]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return {
            (row["type"], row["action"], role): Outcome(row[role])
            for row in csv.DictReader(file)
            for role in ROLES
            if row[role]
        }


def write_outcomes(outcomes: Mapping[Case, Outcome]) -> None:
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("type", "action", *ROLES))
        for kind, action in dict.fromkeys((kind, action) for kind, action, _role in outcomes):
            writer.writerow((kind, action, *(outcomes.get((kind, action, role), "") for role in ROLES)))


def compare_outcome(case: Case, outcome: Outcome, why: str) -> str:
    """Return what is wrong with an outcome, or nothing while the table is renewed."""
    if os.environ.get(RENEWING):
        return ""
    kind, action, role = case
    expected = read_outcomes().get(case)
    if expected is outcome:
        return ""
    if expected is None:
        return f"{TABLE.name} has no outcome for {action} on {kind} as {role}. {RENEW}"
    said = f": “{why}”" if why else ""
    return f"{action} on {kind} as {role}: {expected} until now, {outcome} now{said}. {RENEW}"
