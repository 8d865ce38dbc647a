"""Only ``b2b/seats.py`` writes seats and compares them with the cap (ADR 0010)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ORDER = ast.Lt | ast.LtE | ast.Gt | ast.GtE
ROOT = Path(__file__).resolve().parents[2]
PLACE = "b2b/seats.py"
CAP_IN_QUERY = re.compile("max_learners__(lt|lte|gt|gte|exact|in|range)$")
WRITERS = {"create", "bulk_create", "get_or_create", "update_or_create", "update", "bulk_update", "delete", "save"}
# What a cap may be at all, which no one's seat is compared with.
OTHERS = {"b2b/models/pages.py", "b2b/models/terms.py"}


def offences(source: str) -> list[str]:
    """What in this source writes a seat, counts seats or compares with a cap."""
    return [f"{getattr(node, 'lineno', 0)}: {why}" for node in ast.walk(ast.parse(source)) for why in _why(node)]


def _why(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "ContractMembership":
            yield "makes a seat"
        if isinstance(node.func, ast.Attribute) and "ContractMembership" in _names(node.func):
            if node.func.attr in WRITERS:
                yield "writes seats"
            if node.func.attr in {"count", "annotate", "aggregate"}:
                yield "counts seats"
    if isinstance(node, ast.Compare) and any(isinstance(each, ORDER) for each in node.ops) and _names_a_cap(node):
        yield "compares with the cap"
    if isinstance(node, ast.keyword) and node.arg and CAP_IN_QUERY.search(node.arg):
        yield "compares with the cap in a query"


def _names_a_cap(node: ast.Compare) -> bool:
    return any(isinstance(each, ast.Attribute) and each.attr in {"max_learners", "cap"} for each in _sides(node))


def _names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _sides(node: ast.Compare) -> Iterator[ast.AST]:
    for side in (node.left, *node.comparators):
        yield from ast.walk(side)


def modules() -> list[str]:
    found = [
        path
        for app in ("api", "b2b", "frontend", "mitxonline", "ecommerce", "cms")
        for path in (ROOT / app).rglob("*.py")
    ]
    return sorted(str(path.relative_to(ROOT)) for path in found if "migrations" not in path.parts)


def test_no_other_module_counts_or_writes_seats() -> None:
    names = [name for name in modules() if name != PLACE and name not in OTHERS]
    found = {name: offences((ROOT / name).read_text(encoding="utf-8")) for name in names}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("ContractMembership(contract=1)", "makes a seat"),
        ("ContractMembership.objects.bulk_create([])", "writes seats"),
        ("ContractMembership.objects.filter(pk=1).delete()", "writes seats"),
        ("ContractMembership.objects.filter(pk=1).count()", "counts seats"),
        ("taken >= terms.max_learners", "compares with the cap"),
        ("terms.max_learners - taken < 1", "compares with the cap"),
        ("When(terms__max_learners__lte=F('taken'))", "compares with the cap in a query"),
    ],
)
def test_a_second_place_is_found(source: str, why: str) -> None:
    assert offences(source) == [f"1: {why}"]


def test_the_place_itself_would_be_found() -> None:
    assert offences((ROOT / PLACE).read_text(encoding="utf-8"))
