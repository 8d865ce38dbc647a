"""Keeps the titles of course and program pages up to date."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from cms.models import CoursePage, ProgramPage
from courses.models import Course, Program


@receiver(post_save, sender=Course)
@receiver(post_save, sender=Program)
def retitle_page(instance: Course | Program, raw: bool = False, **kwargs: Any) -> None:
    """Update the page's row only: its revisions copy the title when they are published."""
    if raw:
        return
    model = CoursePage if isinstance(instance, Course) else ProgramPage
    pages = model.objects.filter(**{model.subject_field: instance}).exclude(title=instance.title)
    pages.update(title=instance.title, draft_title=instance.title)
