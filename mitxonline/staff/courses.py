"""One page for a course: each app registers with the hook `COURSE_SECTIONS` what it knows about it.

A registered function gets the request and the course, and returns a section, or None without the rights.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise

COURSE_SECTIONS = "register_course_section"


@dataclass(frozen=True, slots=True)
class SectionCell:
    """A text, which may lead somewhere. `tone` shows it as a state: good, plain, quiet, warn or bad."""

    text: str | Promise
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class CourseSection:
    """A table about a course. `actions` stand above it, `empty` in its place."""

    name: str
    heading: str | Promise
    columns: tuple[str | Promise, ...]
    rows: tuple[tuple[SectionCell, ...], ...]
    empty: str | Promise
    actions: tuple[SectionCell, ...] = ()
