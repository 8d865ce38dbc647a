"""Courses and runs in the words of the pages."""

from __future__ import annotations

from datetime import datetime

from django import template

from courses.models import Course, CourseRun, Department
from ecommerce.models import Product
from frontend import dates

register = template.Library()


@register.simple_tag
def run_when(run: CourseRun, now: datetime) -> str:
    """When one can be in the run; see `frontend.dates`."""
    return dates.run_when(run, now)


@register.simple_tag
def run_open(run: CourseRun, now: datetime) -> str:
    """When the run is open, after a label; see `frontend.dates`."""
    return dates.run_open(run, now)


@register.simple_tag
def course_effort(course: Course) -> str:
    """How long and how much: “5 weeks, 3 hours a week”; nothing where nobody said."""
    return dates.effort(course)


@register.filter
def cover_id(product: Product) -> str:
    """The id a product's cover is drawn from: the course's, so that all its runs look alike, or the program's."""
    if product.course_run is not None:
        return product.course_run.course.readable_id
    return product.program.readable_id if product.program is not None else ""


@register.filter
def cover_department(product: Product) -> str:
    """The department whose colors a product's cover has."""
    department = _department(product)
    return department.slug if department else ""


@register.filter
def department_name(product: Product) -> str:
    """The department a product is of, by name."""
    department = _department(product)
    return department.name if department else ""


def _department(product: Product) -> Department | None:
    if product.course_run is not None:
        return product.course_run.course.department
    return product.program.department if product.program is not None else None
