"""Courses, runs, programs, departments and instructors in the Wagtail admin."""

from __future__ import annotations

from typing import ClassVar

from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, NumberColumn, TitleColumn, UpdatedAtColumn
from wagtail.snippets.views.snippets import SnippetViewSetGroup

from cms.models import Instructor, ProgramCollection
from cms.wagtail_hooks.course_overview import CourseEditView, RunEditView, overview_url
from cms.wagtail_hooks.forms import CourseForm, CourseRunForm, DepartmentForm, ProgramForm, TopicForm
from cms.wagtail_hooks.run_list import RunFilters, format_places, format_price, listed_runs
from courses.models import Course, CourseRun, Department, Program, Topic
from mitxonline.kernel import clock
from mitxonline.kernel.choosers import SearchedChooser
from mitxonline.staff.lists import DayColumn, ExportingSnippetList
from mitxonline.staff.sites import SiteColumn, SiteFilter, SiteFilterSet
from mitxonline.staff.snippets import StaffSnippetViewSet

PER_PAGE = 50


class CourseFilters(SiteFilterSet):
    site = SiteFilter(has_shared=True)

    class Meta:
        model = Course
        fields: ClassVar[list[str]] = ["department", "topics", "level", "live"]


class CourseViewSet(StaffSnippetViewSet):
    model = Course
    index_view_class = ExportingSnippetList
    edit_view_class = CourseEditView
    icon = "openquote"
    menu_label = _("Courses")
    list_display = [
        "title",
        TitleColumn(
            "readable_id",
            label=_("Runs, prices, contracts"),
            sort_key="readable_id",
            get_url=lambda course: overview_url(course.pk),
        ),
        "department",
        "level",
        SiteColumn(),
        BooleanColumn("live", label=_("Offered")),
        UpdatedAtColumn(),
    ]
    filterset_class = CourseFilters
    search_fields = ["title", "readable_id"]
    ordering = ["title"]
    list_per_page = PER_PAGE
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [FieldPanel("title"), FieldPanel("readable_id"), FieldPanel("summary"), FieldPanel("department")],
                heading=_("Course"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("level"),
                    FieldRowPanel(
                        [
                            FieldPanel("duration_weeks"),
                            FieldPanel("hours_per_week_min"),
                            FieldPanel("hours_per_week_max"),
                        ]
                    ),
                ],
                heading=_("Effort"),
            ),
            MultiFieldPanel(
                [FieldPanel("topics"), FieldPanel("language"), FieldPanel("country")], heading=_("Search and filters")
            ),
            FieldPanel("site"),
            FieldPanel("live"),
        ],
        base_form_class=CourseForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Course]:
        return Course.objects.select_related("department", "site")


class CourseRunViewSet(StaffSnippetViewSet):
    """Public runs only: contract runs are managed by their contracts."""

    model = CourseRun
    edit_view_class = RunEditView
    icon = "calendar-alt"
    menu_label = _("Course runs")
    list_display = [
        "courseware_id",
        TitleColumn("course", label=_("Course"), accessor="title", get_url=lambda run: overview_url(run.course_id)),
        DayColumn("start_date", label=_("Starts"), sort_key="start_date"),
        DayColumn("end_date", label=_("Ends"), sort_key="end_date"),
        Column("price", label=_("Price"), accessor=format_price),
        NumberColumn("learners", label=_("Learners"), sort_key="learners"),
        Column("places", label=_("Places"), accessor=format_places),
        BooleanColumn("is_self_paced", label=_("Self-paced")),
        BooleanColumn("live", label=_("Live")),
    ]
    filterset_class = RunFilters
    search_fields = ["title", "courseware_id"]
    ordering = ("position", "nearness", "title")
    list_per_page = PER_PAGE
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList(
        [
            MultiFieldPanel([FieldPanel("course"), FieldPanel("courseware_id"), FieldPanel("title")], heading=_("Run")),
            MultiFieldPanel(
                [
                    FieldPanel("is_self_paced"),
                    FieldRowPanel([FieldPanel("start_date"), FieldPanel("end_date")]),
                    FieldRowPanel([FieldPanel("enrollment_start"), FieldPanel("enrollment_end")]),
                    FieldRowPanel([FieldPanel("upgrade_deadline"), FieldPanel("certificate_available_date")]),
                ],
                heading=_("Dates"),
            ),
            MultiFieldPanel([FieldPanel("is_free"), FieldPanel("places"), FieldPanel("live")], heading=_("Offer")),
        ],
        base_form_class=CourseRunForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CourseRun]:
        return listed_runs(clock.now())


class ProgramFilters(SiteFilterSet):
    site = SiteFilter(has_shared=True)

    class Meta:
        model = Program
        fields: ClassVar[list[str]] = ["department", "live"]


class ProgramViewSet(StaffSnippetViewSet):
    model = Program
    index_view_class = ExportingSnippetList
    icon = "list-ul"
    menu_label = _("Programs")
    list_display = [
        "title",
        "readable_id",
        "department",
        SiteColumn(),
        BooleanColumn("live", label=_("Offered")),
        UpdatedAtColumn(),
    ]
    filterset_class = ProgramFilters
    search_fields = ["title", "readable_id"]
    ordering = ["title"]
    list_per_page = PER_PAGE
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList(
        [
            MultiFieldPanel(
                [FieldPanel("title"), FieldPanel("readable_id"), FieldPanel("summary"), FieldPanel("department")],
                heading=_("Program"),
            ),
            FieldPanel("requirements"),
            FieldPanel("site"),
            FieldPanel("live"),
        ],
        base_form_class=ProgramForm,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Program]:
        return Program.objects.select_related("department", "site")


class DepartmentViewSet(StaffSnippetViewSet):
    model = Department
    icon = "folder-open-inverse"
    menu_label = _("Departments")
    list_display = ["name", "slug", "position"]
    search_fields = ["name", "slug"]
    ordering = ["position", "name"]
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList(
        [FieldPanel("name"), FieldPanel("slug"), FieldPanel("position")], base_form_class=DepartmentForm
    )


class TopicViewSet(StaffSnippetViewSet):
    model = Topic
    icon = "tag"
    menu_label = _("Topics")
    list_display = ["name", Column("courses", label=_("Courses"), accessor="course_count")]
    search_fields = ["name"]
    ordering = ["name"]
    list_per_page = PER_PAGE
    copy_view_enabled = False
    chooser_viewset_class = SearchedChooser
    edit_handler = ObjectList([FieldPanel("name"), FieldPanel("slug")], base_form_class=TopicForm)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Topic]:
        return Topic.objects.annotate(course_count=Count("courses"))


class InstructorViewSet(StaffSnippetViewSet):
    model = Instructor
    icon = "group"
    menu_label = _("Instructors")
    list_display = ["name", "about"]
    ordering = ["name"]
    list_per_page = PER_PAGE
    copy_view_enabled = False


class ProgramCollectionViewSet(StaffSnippetViewSet):
    """Collections are shown by a learning front end that reads them through the API."""

    model = ProgramCollection
    icon = "folder-open-1"
    menu_label = _("Program collections")
    list_display = ["title", NumberColumn("programs", label=_("Programs"), accessor="program_count"), UpdatedAtColumn()]
    search_fields = ["title"]
    ordering = ["title"]
    list_per_page = PER_PAGE
    copy_view_enabled = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProgramCollection]:
        found: QuerySet[ProgramCollection] = ProgramCollection.objects.annotate(program_count=Count("items"))
        return found


class CatalogGroup(SnippetViewSetGroup):
    items = (
        CourseViewSet,
        CourseRunViewSet,
        ProgramViewSet,
        ProgramCollectionViewSet,
        InstructorViewSet,
        TopicViewSet,
        DepartmentViewSet,
    )
    menu_icon = "openquote"
    menu_label = _("Courses")
    menu_name = "catalog"
    menu_order = 150
    add_to_admin_menu = True
