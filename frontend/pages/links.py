"""URLs of courses, programs, organizations and orders."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from django.urls import reverse

from b2b.models import OrganizationPage
from cms.models import CoursePage
from courses.models import Course, Program


def course_url(course: Course) -> str:
    return f"/courses/{course.readable_id}/"


def program_url(program: Program) -> str:
    return f"/programs/{program.readable_id}/"


def organization_url(organization: OrganizationPage) -> str:
    return f"/organizations/{organization.slug}/"


def order_url(number: str) -> str:
    """The buyer’s page of an order; also where its payment page sends them back to."""
    return f"{reverse('receipt')}?{urlencode({'order_number': number})}"


def courses_with_a_page(course_ids: Iterable[int]) -> frozenset[int]:
    """The ids of those courses that have a page visitors can open; one query."""
    pages = CoursePage.objects.visible().filter(course_id__in=set(course_ids))
    return frozenset(pages.values_list("course_id", flat=True))
