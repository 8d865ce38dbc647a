"""Enrollments in the Wagtail admin. Courses and runs are edited in the pages of `cms`."""

# Wagtail imports this package; importing the modules registers their hooks.
from courses.wagtail_hooks import differences, enrollments, log_actions, needs, several, site_runs  # noqa: F401
