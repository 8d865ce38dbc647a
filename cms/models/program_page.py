"""Program pages and the page that lists them."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.search import index

from cms.blocks.streams import ProgramBlocks
from cms.models.base import PublicPageManager, SitePage, SubjectPage, SubjectPageManager
from cms.models.keyed import Tab, tabs_of
from courses.models import Program


class ProgramIndexPage(SitePage):
    introduction = models.CharField(_("introduction"), max_length=255, blank=True)

    objects = PublicPageManager()

    parent_page_types: ClassVar[list[str]] = ["cms.HomePage"]
    subpage_types: ClassVar[list[str]] = ["cms.ProgramPage"]
    max_count_per_parent = 1
    template = "cms/program_index_page.html"

    content_panels = [*SitePage.content_panels, FieldPanel("introduction")]

    class Meta:
        verbose_name = _("list of programs")
        verbose_name_plural = _("lists of programs")


class ProgramPage(SubjectPage):
    """Editors write the body. Courses and prices come from the program's requirements and products."""

    program = models.OneToOneField(
        Program,
        verbose_name=_("program"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="page",
        error_messages={"unique": _("This program already has a page.")},
    )
    body = StreamField(ProgramBlocks(), verbose_name=_("page"), blank=True)

    objects = SubjectPageManager()

    parent_page_types: ClassVar[list[str]] = ["cms.ProgramIndexPage"]
    subpage_types: ClassVar[list[str]] = []
    exclude_fields_in_copy: ClassVar[list[str]] = ["program"]
    subject_field = "program"
    subject_missing = _("Choose the program this page is about.")
    template = "cms/program_page.html"

    content_panels = [FieldPanel("program"), FieldPanel("card_image"), FieldPanel("body")]
    search_fields = [
        *SitePage.search_fields,
        index.SearchField("body"),
        index.SearchField("search_keys"),
        index.AutocompleteField("search_keys"),
        index.RelatedFields("program", [index.SearchField("summary"), index.SearchField("readable_id")]),
    ]

    class Meta:
        verbose_name = _("program page")
        verbose_name_plural = _("program pages")

    @property
    def tabs(self) -> list[Tab]:
        return tabs_of(self.body)
