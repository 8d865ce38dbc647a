"""Course pages and their folder."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, MultiFieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from cms.blocks.streams import CourseBlocks
from cms.models.base import SitePage, SubjectPage, SubjectPageManager
from cms.models.keyed import FolderPage, Tab, tabs_of
from courses.models import Course


class CourseIndexPage(FolderPage):
    parent_page_types: ClassVar[list[str]] = ["cms.HomePage"]
    subpage_types: ClassVar[list[str]] = ["cms.CoursePage"]
    max_count_per_parent = 1

    class Meta:
        verbose_name = _("folder of course pages")
        verbose_name_plural = _("folders of course pages")


class CoursePage(SubjectPage):
    """Editors write the body. Prices, dates and the button come from the course's runs and products."""

    course = models.OneToOneField(
        Course,
        verbose_name=_("course"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="page",
        error_messages={"unique": _("This course already has a page.")},
    )
    prerequisites = models.CharField(
        _("what learners need"), max_length=120, blank=True, help_text=_("For example “No experience needed”.")
    )
    body = StreamField(CourseBlocks(), verbose_name=_("page"), blank=True)

    objects = SubjectPageManager()

    parent_page_types: ClassVar[list[str]] = ["cms.CourseIndexPage"]
    subpage_types: ClassVar[list[str]] = []
    exclude_fields_in_copy: ClassVar[list[str]] = ["course"]
    subject_field = "course"
    subject_missing = _("Choose the course this page is about.")
    template = "cms/course_page.html"
    card_template = "cms/partials/course_card_preview.html"

    content_panels = [
        MultiFieldPanel([FieldPanel("course"), FieldPanel("prerequisites")], heading=_("Course")),
        FieldPanel("card_image"),
        FieldPanel("body"),
    ]
    search_fields = [
        *SitePage.search_fields,
        index.SearchField("body"),
        index.SearchField("search_keys"),
        index.AutocompleteField("search_keys"),
        index.RelatedFields("course", [index.SearchField("summary"), index.SearchField("readable_id")]),
    ]

    class Meta:
        verbose_name = _("course page")
        verbose_name_plural = _("course pages")

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return [("", _("Page")), ("card", _("Card in the catalog"))]

    def get_preview_template(self, request: HttpRequest, mode_name: str) -> str:
        return self.card_template if mode_name == "card" else self.template

    @property
    def tabs(self) -> list[Tab]:
        return tabs_of(self.body)
