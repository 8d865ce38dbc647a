"""Keeps the titles of course and program pages up to date, and pictures clean that come by no form."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver
from wagtail.images.models import Image

from cms.models import CoursePage, ProgramPage
from cms.services.pictures import CleanFile, clean_picture
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


@receiver(pre_save, sender=Image)
def clean_new_picture(instance: Image, raw: bool = False, **kwargs: Any) -> None:
    """Clean what no form has: Wagtail stores an upload without a title first, and code creates pictures too.

    Raises UnreadablePicture.
    """
    is_new_file = instance._state.adding or not instance.file._committed
    if raw or not instance.file or not is_new_file or isinstance(instance.file._file, CleanFile):
        return
    name, storage = instance.file.name, instance.file.storage
    was_stored = instance.file._committed
    clean = clean_picture(instance.file)
    instance.file.close()
    if was_stored:
        storage.delete(name)
    instance.file = clean
    instance._set_image_file_metadata()
