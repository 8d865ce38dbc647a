"""Addresses of what lists of things lead to."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from django.urls import reverse

from b2b.models import OrganizationPage
from cms.models import CoursePage
from courses.models import Course, Program


def course_url(course: Course) -> str:
    """The public address of a course's page."""
    return f"/courses/{course.readable_id}/"


def program_url(program: Program) -> str:
    """The public address of a program's page."""
    return f"/programs/{program.readable_id}/"


def organization_url(organization: OrganizationPage) -> str:
    """The address of an organization's page, for its members."""
    return f"/organizations/{organization.slug}/"


def order_url(number: str) -> str:
    """A buyer's page of their order: its receipt, or how its payment stands."""
    return f"{reverse('receipt')}?{urlencode({'order_number': number})}"


def courses_with_a_page(course_ids: Iterable[int]) -> frozenset[int]:
    """Which of these courses have a page that a visitor can open; one query."""
    pages = CoursePage.objects.visible().filter(course_id__in=set(course_ids))
    return frozenset(pages.values_list("course_id", flat=True))
