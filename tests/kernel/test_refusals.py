"""Every refusal of the product says what happened, in words of its own class."""

from __future__ import annotations

import ast
import importlib
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ecommerce.errors.codes import CodeRefused
from mitxonline.kernel.errors import DomainError
from mitxonline.users.closing import Obstacle
from mitxonline.users.sso.errors import SignInRefused

ROOT = Path(__file__).resolve().parents[2]
APPS = ("api", "b2b", "cms", "courses", "ecommerce", "frontend", "mitxonline", "reports")
DECLARES_REFUSAL = re.compile(r"^class \w+\((?:DomainError|NotFound|Forbidden|RateLimited|\w+Refused)\):", re.MULTILINE)
SAMPLES: dict[str, object] = {
    "str": "Northgate",
    "StrOrPromise": "Northgate",
    "str | None": None,
    "int": 2,
    "float | None": None,
    "bool": True,
    "date": date(2026, 6, 30),
    "datetime": datetime(2026, 6, 30, tzinfo=UTC),
    "tuple[str, ...]": ("Ada", "Bob"),
    "Mapping[str, list[str]]": {"email": ["Enter an address."]},
    "tuple[int, ...]": (1, 2),
    "tuple[Obstacle, ...]": (Obstacle("You are the last manager of Northgate."),),
}


def refusals() -> list[type[DomainError]]:
    """Every class below DomainError that the product declares, wherever it does."""
    for path in sorted(each for app in APPS for each in (ROOT / app).rglob("*.py")):
        if DECLARES_REFUSAL.search(path.read_text()):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found, pending = [], [DomainError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__.split(".")[0] in APPS:
            found.append(kind)
    return found


ALL = refusals()
# A class that others refine only names a family, and need not have words of its own.
RAISED = [kind for kind in ALL if not kind.__subclasses__()]


def test_all_refusals_were_found() -> None:
    assert len(ALL) > 130


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_a_refusal_says_what_happened(kind: type[DomainError]) -> None:
    assert kind.code != DomainError.code
    assert kind.message or (kind.heading and kind.heading is not DomainError.heading)


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_a_refusal_with_a_page_of_its_own_has_a_heading_and_a_way_on(kind: type[DomainError]) -> None:
    if issubclass(kind, CodeRefused | SignInRefused):
        assert kind.heading
    if issubclass(kind, CodeRefused):
        assert kind.ways_on


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_the_fields_fill_every_place(kind: type[DomainError]) -> None:
    refusal = kind(**{name: SAMPLES[_annotation(kind, name)] for name in kind.fields})
    for text in (refusal.heading_text, refusal.body_text, str(refusal)):
        assert not set(text) & {"{", "}"}
    assert set(kind.exposes) <= set(kind.fields)
    refusal.data()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_sentences_are_declared_and_not_written_by_a_constructor(kind: type[DomainError]) -> None:
    assert "__init__" not in vars(kind) or kind is DomainError
    assert "__str__" not in vars(kind) or kind is DomainError


def test_a_class_raised_without_a_call_needs_no_fields() -> None:
    """mypy checks the arguments of a call; `raise SomeRefusal` would fail only when it happens."""
    needy = {kind.__name__ for kind in ALL if not all(hasattr(kind, name) for name in kind.fields)}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Name) and node.exc.id in needy
    ]
    assert found == []


def _annotation(kind: type[DomainError], field: str) -> str:
    """The type a field was declared with, as its class says it."""
    return str(next(vars(each)["__annotations__"][field] for each in kind.__mro__ if field in _own_annotations(each)))


def _own_annotations(kind: type) -> dict[str, object]:
    return dict(vars(kind).get("__annotations__", {}))


def test_only_a_refusal_itself_reads_its_unfilled_sentences() -> None:
    """`str(refusal)` is the text; `refusal.message` would show its places in braces."""
    reads = re.compile(r"\b(?:refusal|refused|error)\.(?:message|heading|advice)\b")
    found = [
        str(path.relative_to(ROOT))
        for app in APPS
        for path in sorted((ROOT / app).rglob("*"))
        if path.suffix in (".py", ".html", ".txt") and reads.search(path.read_text())
    ]
    assert found == []
