"""One page for a course: its page, runs and programs, and what other apps know about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton

from cms.models import CourseIndexPage, CoursePage
from cms.wagtail_hooks.run_list import listed_runs
from courses.models import Course, CourseRun, Program
from courses.models.run import SOURCE_TAG
from mitxonline.kernel import clock
from mitxonline.staff.courses import COURSE_SECTIONS, CourseSection, SectionCell
from mitxonline.staff.pages import StaffPage
from mitxonline.staff.snippets import StaffSnippetEditView

NAMESPACE = "course_overview"


def overview_url(course_id: int) -> str:
    return reverse(f"{NAMESPACE}:course", args=[course_id])


def snippet_url(model: Any, name: str, *args: object) -> str:
    return reverse(model.snippet_viewset.get_url_name(name), args=args)


def format_moment(moment: datetime | None) -> str:
    return date_format(localtime(moment), "DATE_FORMAT") if moment is not None else "–"


class CourseOverview(StaffPage):
    """For everyone who works with courses: editors, those who look after contracts, finance."""

    model = Course
    template_name = "cms/admin/course_overview.html"
    header_icon = "openquote"

    def user_has_permission(self, permission: str) -> bool:
        return super().user_has_permission(permission) or self.request.user.has_perm("ecommerce.change_product")

    @cached_property
    def course(self) -> Course:
        course: Course = get_object_or_404(Course.objects.select_related("department"), pk=self.kwargs["pk"])
        return course

    def get_page_title(self) -> str:
        return self.course.title

    def get_parents(self) -> list[tuple[str, object]]:
        if not self.request.user.has_perm("courses.view_course"):
            return []
        return [(snippet_url(Course, "list"), _("Courses"))]

    @property
    def header_buttons(self) -> list[HeaderButton]:
        if not self.request.user.has_perm("courses.change_course"):
            return []
        return [HeaderButton(_("Edit"), url=snippet_url(Course, "edit", self.course.pk), icon_name="edit")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = [register(self.request, self.course) for register in hooks.get_hooks(COURSE_SECTIONS)]
        sections = [section for section in found if section is not None]
        return super().get_context_data(course=self.course, sections=sections, **kwargs)


class CourseEditView(StaffSnippetEditView):
    """The form of a course, which leads to its page."""

    @property
    def header_buttons(self) -> list[Any]:
        button = HeaderButton(_("Runs, prices, contracts"), url=overview_url(self.object.pk), icon_name="list-ul")
        return [*super().header_buttons, button]


class RunEditView(StaffSnippetEditView):
    """The form of a run, which leads to its course's page and to a copy."""

    @property
    def header_buttons(self) -> list[Any]:
        run = self.object
        buttons = [HeaderButton(_("Its course"), url=overview_url(run.course_id), icon_name="openquote")]
        if run.run_tag != SOURCE_TAG and self.request.user.has_perm("courses.add_courserun"):
            buttons.append(HeaderButton(_("Copy"), url=reverse("run_copy:copy", args=[run.pk]), icon_name="copy"))
        return [*super().header_buttons, *buttons]


class CourseOverviewViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "courses"
    menu_label = gettext_lazy("Courses")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [path("<int:pk>/", CourseOverview.as_view(), name="course")]


@hooks.register("register_admin_viewset")
def register_overview() -> CourseOverviewViewSet:
    return CourseOverviewViewSet()


@hooks.register(COURSE_SECTIONS, order=10)
def add_page(request: HttpRequest, course: Course) -> CourseSection:
    page = CoursePage.objects.filter(course=course).first()
    rows: tuple[tuple[SectionCell, ...], ...] = ()
    actions: tuple[SectionCell, ...] = ()
    if page is not None:
        can_edit = page.permissions_for_user(request.user).can_edit()
        edit_url = reverse("wagtailadmin_pages:edit", args=[page.pk]) if can_edit else ""
        seen = SectionCell(page.url or "", page.url or "") if page.live else SectionCell("–")
        changed = format_moment(page.latest_revision_created_at)
        state = SectionCell(capfirst(page.status_string), tone="good" if page.live else "quiet")
        rows = ((SectionCell(page.title, edit_url), state, seen, SectionCell(changed)),)
    else:
        index = CourseIndexPage.objects.first()
        if index is not None and index.permissions_for_user(request.user).can_add_subpage():
            url = reverse("wagtailadmin_pages:add", args=["cms", "coursepage", index.pk])
            actions = (SectionCell(_("Add a page"), url),)
    columns = (_("Page"), _("State"), _("Address"), _("Last edited"))
    return CourseSection("page", _("Page"), columns, rows, _("This course has no page yet."), actions)


@hooks.register(COURSE_SECTIONS, order=20)
def add_runs(request: HttpRequest, course: Course) -> CourseSection:
    now = clock.now()
    runs: QuerySet[Any] = listed_runs(now).filter(course=course)
    can_edit, can_add = (request.user.has_perm(f"courses.{name}_courserun") for name in ("change", "add"))
    rows = tuple(
        (
            SectionCell(run.courseware_id, snippet_url(CourseRun, "edit", run.pk) if can_edit else ""),
            _state_of(run, now),
            SectionCell(format_moment(run.start_date)),
            SectionCell(format_moment(run.end_date)),
            SectionCell(_describe_enrollment(run)),
            SectionCell(str(run.learners)),
            SectionCell(_("Copy"), reverse("run_copy:copy", args=[run.pk]))
            if can_add and run.run_tag != SOURCE_TAG
            else SectionCell(""),
        )
        for run in runs.order_by("position", "nearness", "pk")
    )
    columns = (_("Run"), _("State"), _("Starts"), _("Ends"), _("Enrollment"), _("Learners"), _("Next start"))
    actions = (SectionCell(_("Add a run"), snippet_url(CourseRun, "add")),) if can_add else ()
    return CourseSection("runs", _("Runs"), columns, rows, _("This course has no runs yet."), actions)


@hooks.register(COURSE_SECTIONS, order=60)
def add_programs(request: HttpRequest, course: Course) -> CourseSection | None:
    programs = list(Program.objects.filter(requirements__course=course).distinct().order_by("title"))
    if not programs:
        return None
    can_edit = request.user.has_perm("courses.change_program")
    rows = tuple(
        (
            SectionCell(program.title, snippet_url(Program, "edit", program.pk) if can_edit else ""),
            SectionCell(program.readable_id),
            SectionCell(_("Offered") if program.live else _("Not offered"), tone="good" if program.live else "quiet"),
        )
        for program in programs
    )
    return CourseSection("programs", _("Programs"), (_("Program"), _("ID"), _("State")), rows, "")


def _describe_enrollment(run: CourseRun) -> str:
    days = {"opens": format_moment(run.enrollment_start), "closes": format_moment(run.enrollment_end)}
    if run.enrollment_start is not None and run.enrollment_end is not None:
        return _("%(opens)s to %(closes)s") % days
    if run.enrollment_start is not None:
        return _("from %(opens)s") % days
    return _("until %(closes)s") % days if run.enrollment_end is not None else _("any time")


def _state_of(run: CourseRun, now: datetime) -> SectionCell:
    if run.run_tag == SOURCE_TAG:
        return SectionCell(_("Source of contract runs"), tone="quiet")
    if run.has_ended(now):
        return SectionCell(_("Ended"), tone="quiet")
    if not run.live:
        return SectionCell(_("Not live"), tone="warn")
    if run.enrollment_end is not None and run.enrollment_end < now:
        return SectionCell(_("Enrollment closed"), tone="plain")
    if run.enrollment_start is not None and run.enrollment_start > now:
        return SectionCell(_("Opens later"), tone="plain")
    return SectionCell(_("Open"), tone="good")
