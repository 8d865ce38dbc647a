"""Course and program pages as lists with the columns an editor looks for."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail.admin.ui.tables import Column
from wagtail.admin.viewsets.pages import PageListingViewSet

from cms.models import CoursePage, ProgramPage
from cms.models.base import SubjectPage

# All of them have the same parent, and naming it costs a query for each row.
COLUMNS = [column for column in PageListingViewSet.columns if column.name != "parent"]


class CoursePageList(PageListingViewSet):
    """Every course page, with its course's id and department."""

    icon = "doc-full-inverse"
    menu_label = _("Course pages")
    menu_order = 160
    add_to_admin_menu = True
    model = CoursePage
    columns = [
        *COLUMNS,
        Column("course_id", label=_("Course id"), accessor=lambda page: _of(page, "readable_id")),
        Column("department", label=_("Department"), accessor=lambda page: _of(page, "department")),
    ]


class ProgramPageList(PageListingViewSet):
    """Every program page, with its program's id."""

    icon = "list-ul"
    menu_label = _("Program pages")
    menu_order = 161
    add_to_admin_menu = True
    model = ProgramPage
    columns = [
        *COLUMNS,
        Column("program_id", label=_("Program id"), accessor=lambda page: _of(page, "readable_id")),
    ]


def _of(page: SubjectPage, attribute: str) -> str:
    """An attribute of what the page is about; a dash while nothing is chosen."""
    return str(getattr(page.subject, attribute)) if page.subject is not None else "–"
