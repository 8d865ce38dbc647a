"""Every operation has a row in the table of callers, and gives each caller exactly that answer."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.api.client import schema
from tests.api.rows import accounts, b2b, catalog, commerce, learning
from tests.api.world import CALLERS, Row, World, make_world
from tests.support.oidc import FakeProvider

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

SUBJECTS = (accounts, catalog, commerce, b2b, learning)
ROWS = [row for subject in SUBJECTS for row in subject.ROWS]


def operations() -> dict[str, tuple[str, str]]:
    """Return method and path of each operation."""
    return {
        details["operationId"]: (method, path)
        for path, methods in schema()["paths"].items()
        for method, details in methods.items()
    }


def test_every_operation_has_a_row_and_every_row_an_operation() -> None:
    rows, there = {row.operation for row in ROWS}, set(operations())
    missing = [f"{name}: add a row to tests/api/rows that says what each caller gets." for name in sorted(there - rows)]
    gone = [f"{name}: no such operation; take the row out." for name in sorted(rows - there)]
    assert not missing + gone, "\n".join(missing + gone)


def test_each_caller_gets_the_answers_of_the_table(provider: FakeProvider) -> None:
    world = make_world(provider)
    for subject in SUBJECTS:
        before = dict(world.things)
        subject.make_things(world)
        assert before.items() <= world.things.items(), "Two subjects use one name for different things."
    wrong = [said for row in ROWS if (said := difference(world, row.operation, row.letters, row))]
    assert not wrong, "\n".join(wrong)


def difference(world: World, operation: str, expected: str, row: Row) -> str:
    """Return what differs from the row; empty if nothing does."""
    method, path = operations()[operation]
    parts = {name: quote(value.format(**world.things), safe=":+@") for name, value in row.path.items()}
    address = path.format(**parts) + row.query.format(**world.things)
    body = row.body(world) if callable(row.body) else row.body
    got = "".join(world.letter(caller, method, address, body) for caller in CALLERS)
    who = [caller for caller, now, then in zip(CALLERS, got, expected, strict=False) if now != then]
    said = f"{operation} ({method.upper()} {address}): {got}, the table says {expected} ({', '.join(who)})"
    return said if who else ""
