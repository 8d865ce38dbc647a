"""The content of the demo, read from the files in ``content``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CONTENT = Path(__file__).parent / "content"
DEPARTMENT_FILES = (
    "computing",
    "data",
    "business",
    "engineering",
    "health",
    "climate",
    "humanities",
    "design",
)
ORGANIZATION = "Tessera"
SOURCE_ORGANIZATION = "UAI_SOURCE"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A run of a course. ``week`` and ``opens`` are in weeks from now. ``price`` replaces the course's.

    A run that ``needs_price`` is on finance's list, and not offered.
    """

    kind: str
    week: int = 0
    opens: int = 0
    price: str = ""
    needs_price: bool = False


@dataclass(frozen=True, slots=True)
class DepartmentSpec:
    name: str
    slug: str
    position: int


@dataclass(frozen=True, slots=True)
class CourseSpec:
    number: str
    title: str
    summary: str
    level: str
    weeks: int
    hours: tuple[int, int]
    needs: str
    note: str
    runs: tuple[RunSpec, ...]
    outcomes: tuple[str, ...]
    syllabus: tuple[tuple[str, str, str], ...]
    instructors: tuple[str, ...]
    questions: tuple[tuple[str, str], ...]
    topics: tuple[str, ...] = ()
    testimonials: tuple[tuple[str, str, str], ...] = ()
    price: str = ""
    picture: str = ""

    @property
    def readable_id(self) -> str:
        return f"course-v1:{ORGANIZATION}+{self.number}"

    @property
    def source_key(self) -> str:
        """Key of the run that contract runs are copied from."""
        return f"course-v1:{SOURCE_ORGANIZATION}+{self.number}+SOURCE"

    def run_key(self, tag: str) -> str:
        return f"{self.readable_id}+{tag}"


@dataclass(frozen=True, slots=True)
class GroupSpec:
    title: str
    courses: tuple[str, ...]
    at_least: int | None = None


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    id: str
    title: str
    summary: str
    department: str
    groups: tuple[GroupSpec, ...]
    outcomes: tuple[str, ...]
    about: str
    questions: tuple[tuple[str, str], ...]
    price: str = ""

    @property
    def course_ids(self) -> list[str]:
        return [f"course-v1:{ORGANIZATION}+{number}" for group in self.groups for number in group.courses]


@dataclass(frozen=True, slots=True)
class DemoSpec:
    departments: tuple[tuple[DepartmentSpec, tuple[CourseSpec, ...]], ...]
    programs: tuple[ProgramSpec, ...]
    instructors: dict[str, str] = field(default_factory=dict)

    @property
    def courses(self) -> tuple[CourseSpec, ...]:
        return tuple(course for _department, courses in self.departments for course in courses)


@cache
def demo_spec() -> DemoSpec:
    return DemoSpec(
        departments=tuple(_department(_read(name)) for name in DEPARTMENT_FILES),
        programs=tuple(_program(entry) for entry in _read("programs")["program"]),
        instructors=_read("people")["instructors"],
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((CONTENT / f"{name}.toml").read_text(encoding="utf-8"))


def _department(data: dict[str, Any]) -> tuple[DepartmentSpec, tuple[CourseSpec, ...]]:
    return DepartmentSpec(**data["department"]), tuple(_course(entry) for entry in data["course"])


def _course(entry: dict[str, Any]) -> CourseSpec:
    runs = tuple(RunSpec(**run) for run in entry["runs"])
    return CourseSpec(**_freeze(entry | {"runs": runs}))


def _program(entry: dict[str, Any]) -> ProgramSpec:
    groups = tuple(GroupSpec(**_freeze(group)) for group in entry["groups"])
    return ProgramSpec(**_freeze(entry | {"groups": groups}))


def _freeze(value: Any) -> Any:
    """Turn lists into tuples, inside dictionaries and other lists too."""
    if isinstance(value, dict):
        return {name: _freeze(item) for name, item in value.items()}
    if isinstance(value, list):
        return tuple(_freeze(item) for item in value)
    return value
