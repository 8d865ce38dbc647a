"""Where the route table and the settings say something, so that a mistake is reported with the line to change."""

from __future__ import annotations

import ast
import builtins
import linecache
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, or of anything else that has a name: a setting that comes from the environment."""

    file: str
    line: int = 0

    @property
    def text(self) -> str:
        return linecache.getline(self.file, self.line).strip() if self.line else ""

    def __str__(self) -> str:
        return f"{show_path(self.file)}:{self.line}" if self.line else self.file


def show_path(file: str) -> str:
    """Return a file's path as seen from the project."""
    path = Path(file)
    return str(path.relative_to(_PROJECT)) if path.is_relative_to(_PROJECT) else file


class TableSource:
    """The source of the route table that a setting names by its dotted path: a dict literal in a module."""

    def __init__(self, path: str) -> None:
        name, _dot, self._name = path.rpartition(".")
        module = sys.modules.get(name)
        spec = None if module else _find_spec(name)
        self._module: ModuleType | None = module
        self.file = getattr(module, "__file__", None) or (spec and spec.origin) or name
        try:
            self._tree = ast.parse(Path(self.file).read_text()) if Path(self.file).is_file() else ast.Module([], [])
        except SyntaxError:
            self._tree = ast.Module([], [])

    @property
    def place(self) -> Place:
        """Where the table begins."""
        return Place(self.file, self._assignment.lineno if self._assignment else 1)

    @property
    def end(self) -> Place:
        """The line of the bracket that closes the table."""
        return Place(self.file, (self._assignment and self._assignment.end_lineno) or 1)

    def place_of(self, event: object, receiver: object = None, *, time: int = 0) -> Place:
        """Return the line of an event's route, or that of a receiver in it: of several, the one at index `time`."""
        for key, value in self._entries():
            if self._resolve(key) is event:
                lines = [] if receiver is None else [each.lineno for each in self._nodes_of(value, receiver)]
                return Place(self.file, lines[min(time, len(lines) - 1)] if lines else key.lineno)
        return self.place

    @property
    def _assignment(self) -> ast.Assign | ast.AnnAssign | None:
        for node in self._tree.body:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
            if isinstance(node, ast.Assign | ast.AnnAssign) and any(
                isinstance(each, ast.Name) and each.id == self._name for each in targets
            ):
                return node
        return None

    def _entries(self) -> Iterator[tuple[ast.expr, ast.expr]]:
        for node in ast.walk(self._assignment or self._tree):
            if isinstance(node, ast.Dict):
                yield from ((key, value) for key, value in zip(node.keys, node.values, strict=True) if key)

    def _nodes_of(self, value: ast.expr, receiver: object) -> list[ast.expr]:
        expressions = [each for each in ast.walk(value) if isinstance(each, ast.expr)]
        return sorted(
            (each for each in expressions if self._resolve(each) is receiver),
            key=lambda each: (each.lineno, each.col_offset),
        )

    def _resolve(self, node: ast.expr) -> Any:
        """Return what a name or `module.name` stands for in the table's module, or this object for anything else."""
        if isinstance(node, ast.Name):
            return getattr(self._module, node.id, getattr(builtins, node.id, self))
        if isinstance(node, ast.Attribute):
            return getattr(self._resolve(node.value), node.attr, self)
        return self


def place_in_settings(name: str, entry: str) -> Place:
    """Return the line of the settings that has this text, or else the setting's name."""
    main = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    package = main.rpartition(".")[0]
    for module in [main, *(each for each in sys.modules if package and each.startswith(package))]:
        lines = linecache.getlines(getattr(sys.modules.get(module), "__file__", None) or "")
        if entry and any(name in line for line in lines):
            for number, line in enumerate(lines, start=1):
                if entry in line and not line.lstrip().startswith("#"):
                    return Place(str(sys.modules[module].__file__), number)
    return Place(name)


def place_of_error(error: BaseException) -> Place | None:
    """Return the innermost line that an import failed at, outside of libraries."""
    if isinstance(error, SyntaxError) and error.filename:
        return Place(error.filename, error.lineno or 1)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not _is_machinery(frame.filename):
            return Place(frame.filename, frame.lineno or 1)
    return None


def place_of_code(thing: Any) -> Place | None:
    code = getattr(thing, "__code__", None)
    return Place(code.co_filename, code.co_firstlineno) if code else None


def names_in(error: BaseException) -> Sequence[str]:
    """Return the names that could have been meant where an import or a name of a module failed."""
    if isinstance(error, AttributeError):
        return dir(error.obj)
    if isinstance(error, ImportError) and error.name in sys.modules:
        return dir(sys.modules[error.name])
    return ()


def _find_spec(name: str) -> Any:
    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None


def _is_machinery(file: str) -> bool:
    is_library = "site-packages" in file or "importlib" in file or not Path(file).is_file()
    return is_library or Path(file).parent == Path(__file__).parent
