"""What templates say about the course site."""

from django import template

from courses.models import CourseRun
from courses.selectors.course_site import describe_run_in_course_site

register = template.Library()


@register.filter
def said_by_course_site(run: CourseRun) -> str:
    """Return what staff should know about the run in the course site; empty if there is nothing."""
    return describe_run_in_course_site(run)
