"""A plan and its action take the same frozen request, so what was shown is what is done."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("api", "b2b", "courses", "ecommerce", "frontend", "mitxonline", "reports")


def services() -> dict[str, Callable[..., Any]]:
    """Every public function of b2b's services by its name."""
    found: dict[str, Callable[..., Any]] = {}
    for path in sorted((ROOT / "b2b" / "services").rglob("*.py")):
        module = import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for name, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__ and not name.startswith("_"):
                found[name] = function
    return found


SERVICES = services()
PAIRS = sorted(name for name in SERVICES if f"plan_{name}" in SERVICES)


def request_type(function: Callable[..., Any]) -> Any:
    first = next(iter(inspect.signature(function).parameters.values()))
    return getattr(import_module(function.__module__), first.annotation)


def test_there_are_plans() -> None:
    expected = {"add_courseware", "change_members", "hand_out", "modify_contract", "move_members", "remove_courseware"}
    assert expected <= set(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_plan_and_action_take_the_same_frozen_request(name: str) -> None:
    request = request_type(SERVICES[name])
    assert request is request_type(SERVICES[f"plan_{name}"])
    assert request.__dataclass_params__.frozen


def unpacked(source: str) -> Iterator[int]:
    """Lines in which a dictionary is unpacked into a service function: mypy can't check its keys."""
    tree = ast.parse(source)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and ".services" in (node.module or "")
        for alias in node.names
        if alias.name.islower()
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(keyword.arg is None for keyword in node.keywords):
            function = node.func.value if isinstance(node.func, ast.Attribute) else node.func
            if isinstance(function, ast.Name) and function.id in imported:
                yield node.lineno


def test_no_service_is_called_with_an_unpacked_dictionary() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for line in unpacked(path.read_text())
    ]
    assert not found, "pass a frozen request instead"


def test_an_unpacked_dictionary_is_found() -> None:
    assert list(unpacked("from b2b.services.x import act\nwhat = {}\nact(**what)\n")) == [3]
    assert list(unpacked("from b2b.services import x\nx.act(**what, now=1)\n")) == [2]
