"""Keeps what pages show up to date, their titles and the search, and pictures clean that come by no form."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.dispatch import receiver
from wagtail.images.models import Image

from cms.models import CoursePage, Instructor, ProgramPage
from cms.services.pictures import CleanFile, clean_picture
from cms.services.search_index import (
    is_index_incomplete,
    pages_about_courses,
    pages_about_programs,
    pages_with_instructor,
    pages_with_topic,
    rebuild_index,
    refresh_documents,
    refresh_soon,
)
from courses.models import Course, Department, Program, Topic

INDEX_MIGRATION = ("cms", "0006_search_documents")


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


@receiver(post_save, sender=CoursePage)
@receiver(post_save, sender=ProgramPage)
def index_page(instance: CoursePage | ProgramPage, raw: bool = False, **kwargs: Any) -> None:
    """Publishing, unpublishing and whatever else changes a live page saves it. Saving a draft of it doesn't."""
    if not raw:
        refresh_documents([instance.pk])


@receiver(post_save, sender=Course)
def index_course(instance: Course, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not raw and not created:
        refresh_soon(pages_about_courses(Course.objects.filter(pk=instance.pk)))


@receiver(post_save, sender=Program)
def index_program(instance: Program, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not raw and not created:
        refresh_soon(pages_about_programs(Program.objects.filter(pk=instance.pk)))


@receiver(m2m_changed, sender=Course.topics.through)
def index_topics(instance: Course | Topic, action: str, pk_set: set[int] | None, **kwargs: Any) -> None:
    """Both ends can be changed: the topics of a course, and the courses of a topic."""
    if action not in {"post_add", "post_remove", "post_clear"}:
        return
    if isinstance(instance, Course):
        refresh_soon(pages_about_courses(Course.objects.filter(pk=instance.pk)))
    else:
        changed = pages_about_courses(Course.objects.filter(pk__in=pk_set or ()))
        refresh_soon(changed | pages_with_topic(instance.pk))


@receiver(post_save, sender=Department)
def index_department(instance: Department, created: bool, raw: bool = False, **kwargs: Any) -> None:
    if not raw and not created:
        courses = pages_about_courses(Course.objects.filter(department=instance))
        refresh_soon(courses | pages_about_programs(Program.objects.filter(department=instance)))


@receiver(post_save, sender=Topic)
@receiver(post_delete, sender=Topic)
def index_topic(instance: Topic, created: bool = False, raw: bool = False, **kwargs: Any) -> None:
    if not raw and not created:
        refresh_soon(pages_with_topic(instance.pk))


@receiver(post_save, sender=Instructor)
@receiver(post_delete, sender=Instructor)
def index_instructor(instance: Instructor, created: bool = False, raw: bool = False, **kwargs: Any) -> None:
    if not raw and not created:
        refresh_soon(pages_with_instructor(instance.pk))


def index_old_pages(plan: Any = (), **kwargs: Any) -> None:
    """Fill the index right after the migration that makes its table: the pages may be older."""
    made = any((migration.app_label, migration.name) == INDEX_MIGRATION and not back for migration, back in plan)
    if made and is_index_incomplete():
        rebuild_index()
