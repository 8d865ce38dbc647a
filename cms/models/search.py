"""What the search knows of a page."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from wagtail.models import Page

from cms.models.course_page import CoursePage
from cms.models.program_page import ProgramPage
from courses.models import Course, Program


class SearchDocumentQuerySet(models.QuerySet["SearchDocument"]):
    def visible(self) -> Self:
        """Documents of pages that visitors can open now: a document may be older than a restriction of its page."""
        return self.filter(
            Q(page__in=CoursePage.objects.visible().values("pk"))
            | Q(page__in=ProgramPage.objects.visible().values("pk"))
        )


def _weighted_vector() -> CombinedExpression:
    """Stems, so that “programs” finds “programming”, and the words themselves, also those like “who” and “it”."""
    weights = {"heading": "A", "names": "B", "outline": "C", "body": "D"}
    vectors: list[Any] = [
        SearchVector(field, weight=weight, config=config)
        for field, weight in weights.items()
        for config in ("english", "simple")
    ]
    joined: CombinedExpression = reduce(add, vectors)
    return joined


class SearchDocument(models.Model):
    """The words of one live page about a course or program, as `kernel.search_words` reads them.

    Written by ``cms.services.search_index`` alone. Dates and prices aren't in it: they are read when someone searches.
    """

    page = models.OneToOneField(Page, on_delete=models.CASCADE, primary_key=True, related_name="search_document")
    course = models.ForeignKey(Course, null=True, on_delete=models.CASCADE, related_name="search_documents")
    program = models.ForeignKey(Program, null=True, on_delete=models.CASCADE, related_name="search_documents")
    heading = models.TextField(help_text="title and number")
    names = models.TextField(help_text="summary, department, topics, instructors")
    outline = models.TextField(help_text="outcomes, syllabus, a program's courses")
    body = models.TextField()
    topic_ids = ArrayField(models.IntegerField(), default=list)
    instructor_ids = ArrayField(models.IntegerField(), default=list)
    search = models.GeneratedField(expression=_weighted_vector(), output_field=SearchVectorField(), db_persist=True)

    objects = SearchDocumentQuerySet.as_manager()

    wagtail_reference_index_ignore = True

    class Meta:
        indexes = [GinIndex(fields=["search"], name="search_document_words")]
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, program__isnull=True) | Q(course__isnull=True, program__isnull=False),
                name="search_document_has_one_subject",
            )
        ]

    def __str__(self) -> str:
        return self.heading
