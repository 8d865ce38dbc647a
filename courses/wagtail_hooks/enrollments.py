"""The list of enrollments and the page of one: what the course site says, trying again, and enrolling anyway."""

from __future__ import annotations

from typing import Any, ClassVar

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import Http404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail import hooks
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import BooleanColumn, BulkActionsCheckboxColumn, Column, DateColumn, TitleColumn
from wagtail.admin.viewsets.base import ViewSet
from wagtail.permission_policies import ModelPermissionPolicy

from courses.enums import EnrollmentLmsState, EnrollmentMode
from courses.models import Enrollment
from courses.selectors.course_address import is_course_site_connected
from courses.services.course_site import force_enrollment, send_again
from mitxonline.kernel import clock
from mitxonline.staff.lists import MomentColumn, StaffIndexView, StateColumn
from mitxonline.staff.pages import ReasonForm, StaffButtonView, StaffFormPage, menu_item_for

NAMESPACE = "enrollments"
VIEW_ENROLLMENT, CHANGE_ENROLLMENT = "courses.view_enrollment", "courses.change_enrollment"
# What Wagtail names the rows of this model in bulk actions.
BULK_OBJECT = "enrollment"

TONES: dict[str, str] = {
    EnrollmentLmsState.PENDING: "plain",
    EnrollmentLmsState.WAITING: "warn",
    EnrollmentLmsState.THERE: "good",
    EnrollmentLmsState.REFUSED: "bad",
}


def enrollment_url(pk: int, name: str = "enrollment") -> str:
    return reverse(f"{NAMESPACE}:{name}", args=[pk])


class EnrollmentFilters(WagtailFilterSet):
    lms_state = django_filters.ChoiceFilter(
        label=gettext_lazy("Course site"),
        choices=EnrollmentLmsState.choices,
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )
    mode = django_filters.ChoiceFilter(
        label=gettext_lazy("Mode"),
        choices=EnrollmentMode.choices,
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )
    active = django_filters.ChoiceFilter(
        label=gettext_lazy("Enrolled"),
        choices=[("true", gettext_lazy("Now")), ("false", gettext_lazy("No longer"))],
        method="filter_active",
        empty_label=gettext_lazy("All"),
        widget=forms.RadioSelect,
    )

    class Meta:
        model = Enrollment
        fields: list[str] = []

    def filter_active(self, found: QuerySet[Enrollment], _name: str, value: str) -> QuerySet[Enrollment]:
        return found.filter(active=value == "true")


class EnrollmentIndex(StaffIndexView):
    model = Enrollment
    permission_policy = ModelPermissionPolicy(Enrollment)
    page_title = gettext_lazy("Enrollments")
    header_icon = "group"
    index_url_name = f"{NAMESPACE}:index"
    index_results_url_name = f"{NAMESPACE}:index_results"
    filterset_class = EnrollmentFilters
    search_fields = ("user__email", "user__name", "run__title", "run__courseware_id")
    default_ordering = "-enrolled_at"
    verbose_name_plural = gettext_lazy("enrollments")
    export_filename = "enrollments"
    export_columns: ClassVar[list[Column]] = [
        Column("learner", label=gettext_lazy("Learner"), accessor="user.email"),
        Column("run", label=gettext_lazy("Course key"), accessor="run.courseware_id"),
        Column("mode", label=gettext_lazy("Mode"), accessor="get_mode_display"),
        Column("active", label=gettext_lazy("Enrolled")),
        Column("lms_state", label=gettext_lazy("Course site"), accessor="get_lms_state_display"),
        Column("lms_error", label=gettext_lazy("Why refused")),
        MomentColumn("lms_asked_at", label=gettext_lazy("Last asked")),
        MomentColumn("enrolled_at", label=gettext_lazy("Since")),
    ]

    @cached_property
    def columns(self) -> list[Column]:
        checkbox = BulkActionsCheckboxColumn("bulk_actions", obj_type=BULK_OBJECT)
        return [
            *([checkbox] if self.request.user.has_perm(CHANGE_ENROLLMENT) else []),
            TitleColumn(
                "learner",
                label=_("Learner"),
                accessor="user.display_name",
                sort_key="user__name",
                get_url=lambda each: enrollment_url(each.pk),
                get_title_id=lambda each: f"{BULK_OBJECT}_{each.pk}_title",
            ),
            Column("run", label=_("Course"), accessor="run.title", sort_key="run__title"),
            Column("mode", label=_("Mode"), accessor="get_mode_display", sort_key="mode"),
            BooleanColumn("active", label=_("Enrolled"), sort_key="active"),
            StateColumn(
                "lms_state",
                label=_("Course site"),
                tones=TONES,
                accessor=lambda each: EnrollmentLmsState(each.lms_state),
                sort_key="lms_state",
            ),
            Column("lms_error", label=_("Why refused")),
            DateColumn("enrolled_at", label=_("Since"), sort_key="enrolled_at"),
        ]

    def get_base_queryset(self) -> QuerySet[Enrollment]:
        return Enrollment.objects.select_related("user", "run")


class EnrollmentMixin:
    """A page about one enrollment."""

    kwargs: dict[str, Any]
    model = Enrollment
    permission_policy = ModelPermissionPolicy(Enrollment)

    def get_success_url(self) -> str:
        return enrollment_url(self.kwargs["pk"])


class EnrollmentView(EnrollmentMixin, StaffFormPage):
    """What is known about an enrollment. Its form enrolls the learner although the run is closed there."""

    template_name = "courses/admin/enrollment.html"
    header_icon = "group"
    form_class = ReasonForm

    @cached_property
    def enrollment(self) -> Enrollment:
        found = Enrollment.objects.select_related("user", "run__course").filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    @cached_property
    def may_change(self) -> bool:
        return self.user_has_permission("change") and is_course_site_connected()

    def get_page_title(self) -> str:
        return _("%(learner)s in %(course)s") % {
            "learner": self.enrollment.user.display_name,
            "course": self.enrollment.run.title,
        }

    def get_parents(self) -> list[tuple[str, object]]:
        return [(reverse(f"{NAMESPACE}:index"), _("Enrollments"))]

    def perform(self, form: ReasonForm) -> str:
        force_enrollment(
            enrollment_id=self.enrollment.pk,
            by_id=self.request.user.pk,
            reason=form.cleaned_data["reason"],
            now=clock.now(),
        )
        return _("The learner is being enrolled. The course site’s answer appears here in a moment.")

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.may_change:
            raise Http404
        return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        row = self.enrollment
        is_open = row.lms_state != EnrollmentLmsState.THERE
        return super().get_context_data(
            enrollment=row,
            grants=row.grants.select_related("granted_by", "revoked_by"),
            tone=TONES[row.lms_state],
            is_connected=is_course_site_connected(),
            can_send=self.may_change and is_open,
            can_force=self.may_change and is_open and row.active,
            **kwargs,
        )


class SendAgainView(EnrollmentMixin, StaffButtonView):
    permission_required = "change"

    def perform(self) -> str:
        if not is_course_site_connected():
            raise Http404
        if not send_again(ids=[self.kwargs["pk"]], by_id=self.request.user.pk, now=clock.now()):
            return _("There is nothing to send: the course site has this enrollment.")
        return _("The enrollment is being sent. The course site’s answer appears here in a moment.")


class EnrollmentViewSet(ViewSet):
    name = NAMESPACE
    url_prefix = "enrollments"
    icon = "group"
    menu_label = gettext_lazy("Enrollments")
    menu_name = "enrollments"
    menu_order = 165
    add_to_admin_menu = True

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return menu_item_for(VIEW_ENROLLMENT)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", EnrollmentIndex.as_view(), name="index"),
            path("results/", EnrollmentIndex.as_view(results_only=True), name="index_results"),
            path("<int:pk>/", EnrollmentView.as_view(), name="enrollment"),
            path("<int:pk>/send/", SendAgainView.as_view(), name="send"),
        ]


@hooks.register("register_admin_viewset")
def register_enrollments() -> ViewSet:
    return EnrollmentViewSet()
