"""Each table is written by its own app only: a renamed column breaks one app, and a rule has one place."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = {
    "api": "api",
    "b2b": "b2b",
    "cms": "cms",
    "courses": "courses",
    "ecommerce": "ecommerce",
    "frontend": "frontend",
    "reports": "reports",
    "users": "mitxonline/users",
    "coordinator": "mitxonline/coordinator",
}
# Only dev/demo writes everywhere: it fills every table, with what no service makes (orders of last month, used codes).
EXEMPT = ("/migrations/",)
WRITES = frozenset(
    {"create", "bulk_create", "get_or_create", "update_or_create", "update", "bulk_update", "delete", "add_child"}
)
WRITTEN = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+([a-z0-9]+)_[a-z]+", re.IGNORECASE)


def writes_of(source: str, app: str) -> Iterator[tuple[int, str]]:
    """Line and text of each write of another app's table, by a model of that app or by SQL."""
    tree = ast.parse(source)
    foreign = {
        alias.asname or alias.name: owner
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (owner := _owner(node.module or "")) not in (None, app)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            root = _root(node.func.value)
            if root in foreign:
                yield node.lineno, f"{root} … {node.func.attr}()"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for table in WRITTEN.findall(node.value):
                if table in APPS and table != app:
                    yield node.lineno, f"SQL on {table}_…"


def _owner(module: str) -> str | None:
    """The app whose models a module holds."""
    head = re.match(r"(?:mitxonline\.)?(\w+)\.models(?:\.|$)", module)
    return head.group(1) if head and head.group(1) in APPS else None


def _root(node: ast.expr) -> str:
    """The name an attribute chain with calls begins with, if it begins with a model's manager."""
    through_manager = False
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute):
            through_manager = through_manager or node.attr.endswith("objects")
            node = node.value
        else:
            node = node.func
    return node.id if isinstance(node, ast.Name) and through_manager else ""


@pytest.mark.parametrize("app", APPS)
def test_an_app_writes_its_own_tables_only(app: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} {what}"
        for path in sorted((ROOT / APPS[app]).rglob("*.py"))
        if not any(part in f"{path.relative_to(ROOT)}" for part in EXEMPT)
        for line, what in writes_of(path.read_text(), app)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "Product.objects.filter(pk=1).update(price=0)",
        "DiscountCode.objects.create(text='x')",
        "Product.discounts.through.objects.all().delete()",
        "SQL = 'UPDATE ecommerce_product SET price = 0'",
    ],
)
def test_a_write_of_another_apps_table_is_found(line: str) -> None:
    source = f"from ecommerce.models import DiscountCode, Product\n{line}\n"
    assert list(writes_of(source, "b2b"))
    assert not list(writes_of(source, "ecommerce"))
