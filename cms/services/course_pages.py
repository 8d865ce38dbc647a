"""Pages that are made for courses without an editor."""

from __future__ import annotations

from django.db import transaction

from cms.models import CourseIndexPage, CoursePage
from courses.models import Course


def ensure_course_page(course: Course, *, publishes: bool) -> CoursePage | None:
    """Create a page with the course's title, as a draft unless it `publishes`; None if there is one, or no catalog."""
    index = CourseIndexPage.objects.first()
    if index is None or CoursePage.objects.filter(course=course).exists():
        return None
    page = CoursePage(title=course.title, course=course, search_description=course.summary, live=False)
    with transaction.atomic():
        index.add_child(instance=page)
        revision = page.save_revision()
        if publishes:
            revision.publish()
    return page
