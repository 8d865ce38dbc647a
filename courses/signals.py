"""Receivers of Django's signals."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save
from django.dispatch import receiver

from courses.models import CourseRun
from courses.places import update_full_runs
from courses.selectors.course_address import is_course_site_connected
from courses.services.course_site import ask_for_learner
from mitxonline.kernel import clock
from mitxonline.users.models import User


@receiver(user_logged_in)
def send_waiting_enrollments(user: User, **_kwargs: Any) -> None:
    """Send what waits for the learner: who signs in here often has an account on the course site by then."""
    if is_course_site_connected():
        ask_for_learner(user_id=user.pk, now=clock.now())


@receiver(post_save, sender=CourseRun)
def follow_number_of_places(instance: CourseRun, **_kwargs: Any) -> None:
    """Show at once what a changed number of places means."""
    if instance.places is not None or instance.is_full:
        update_full_runs([instance.pk])
