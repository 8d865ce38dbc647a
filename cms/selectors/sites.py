"""Courses and programs whose sites wouldn't go together."""

from __future__ import annotations

from collections.abc import Collection

from wagtail.models import Site

from courses.models import Course, Program


def courses_beyond(course_ids: Collection[int], site: Site | None) -> list[Course]:
    """Return those of the courses that aren't on the site, or for a program of all sites on all of them."""
    others = Course.objects.filter(pk__in=course_ids, site__isnull=False)
    return list((others.exclude(site=site) if site is not None else others).order_by("title", "pk"))


def programs_beyond(course: Course, site: Site | None) -> list[Program]:
    """Return the programs with the course that would be on more sites than it, if it were on this one alone."""
    if site is None:
        return []
    programs = Program.objects.filter(requirements__course=course).exclude(site=site)
    return list(programs.distinct().order_by("title", "pk"))
