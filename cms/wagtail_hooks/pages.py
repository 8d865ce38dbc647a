"""Lists of course and program pages in the Wagtail admin."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.auth import user_has_any_page_permission
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column
from wagtail.admin.viewsets.pages import PageListingViewSet

from cms.models import CoursePage, ProgramPage
from cms.models.base import SubjectPage

# Without the parent, which is the same for all pages and costs a query for each row.
COLUMNS = [column for column in PageListingViewSet.columns if column.name != "parent"]


class PageListMenuItem(MenuItem):
    """Shown to those who may open the list: people with rights to some page."""

    def is_shown(self, request: HttpRequest) -> bool:
        return bool(user_has_any_page_permission(request.user))


class CoursePageList(PageListingViewSet):
    menu_item_class = PageListMenuItem
    icon = "doc-full-inverse"
    menu_label = _("Course pages")
    menu_order = 160
    add_to_admin_menu = True
    model = CoursePage
    columns = [
        *COLUMNS,
        Column("course_id", label=_("Course ID"), accessor=lambda page: _subject_attribute(page, "readable_id")),
        Column("department", label=_("Department"), accessor=lambda page: _subject_attribute(page, "department")),
    ]


class ProgramPageList(PageListingViewSet):
    menu_item_class = PageListMenuItem
    icon = "list-ul"
    menu_label = _("Program pages")
    menu_order = 161
    add_to_admin_menu = True
    model = ProgramPage
    columns = [
        *COLUMNS,
        Column("program_id", label=_("Program ID"), accessor=lambda page: _subject_attribute(page, "readable_id")),
    ]


def _subject_attribute(page: SubjectPage, attribute: str) -> str:
    return str(getattr(page.subject, attribute)) if page.subject is not None else "–"
