"""A selector reads. What writes, locks or publishes is a service, so that asking a question is always safe."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("b2b", "cms", "courses", "ecommerce")
METHODS = frozenset(
    {"save", "delete", "create", "bulk_create", "bulk_update", "get_or_create", "update_or_create", "select_for_update"}
)
FUNCTIONS = frozenset({"publish", "run_sql", "send_tasks", "send_email", "transaction_lock", "named_lock"})


def acts_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each call that changes something. Of ``update`` only the queryset's counts: it has keywords."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in METHODS or name == "locked" or (name == "update" and node.keywords):
                yield node.lineno, name
        elif isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            yield node.lineno, node.func.id


def test_no_selector_changes_anything() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for app in APPS
        for path in sorted((ROOT / app / "selectors").rglob("*.py"))
        for line, name in acts_of(path.read_text())
    ]
    assert not found, found


@pytest.mark.parametrize(
    "source",
    [
        "Order.objects.create(number=1)",
        "order.save()",
        "Order.objects.filter(pk=1).update(state='x')",
        "publish(event)",
    ],
)
def test_the_guard_sees_a_change(source: str) -> None:
    assert list(acts_of(source))


@pytest.mark.parametrize(
    "source", ["Order.objects.filter(pk=1).first()", "names.update({'a': 1})", "digest.update(b'')"]
)
def test_the_guard_lets_reading_pass(source: str) -> None:
    assert not list(acts_of(source))
