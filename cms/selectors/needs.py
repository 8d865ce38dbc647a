"""Pages and runs that wait for an editor. Each count of the first page and its list ask the same functions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import CharField, Exists, OuterRef, Q, QuerySet, TextChoices
from django.db.models.functions import Cast
from django.utils.translation import gettext_lazy as _
from wagtail.models import Page, Revision, WorkflowState
from wagtail.permission_policies.pages import PagePermissionPolicy

from cms.models import CoursePage
from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from mitxonline.staff.days import LATE_AFTER


class PageNeed(TextChoices):
    """Why an editor looks at a page."""

    APPROVAL = "approval", _("Waiting for approval")
    DRAFT = "draft", _("Drafts")
    LATE = "late", _("Not published in time")
    SCHEDULED = "scheduled", _("Scheduled")
    NO_RUN = "no_run", _("Course pages without a run")


def pages_to_edit(user: Any) -> QuerySet[Page]:
    """Return the site's pages this user may edit. Organizations and contracts have lists of their own."""
    pages: QuerySet[Page] = PagePermissionPolicy().instances_user_has_permission_for(user, "change")
    found: QuerySet[Page] = pages.filter(content_type__app_label="cms", alias_of__isnull=True)
    return found


def pages_needing(need: str, *, user: Any, now: datetime) -> QuerySet[Page]:
    """Return the pages this user may edit that need it. A page that is scheduled or submitted isn't a draft too."""
    pages = pages_to_edit(user)
    if need == PageNeed.NO_RUN:
        without: QuerySet[Page] = pages.filter(pk__in=_course_pages_without_run(now).values("pk"))
        return without
    pages = pages.annotate(object_key=Cast("pk", CharField()))
    in_workflow = Exists(WorkflowState.objects.active().filter(_of_page()))
    late = Exists(Revision.objects.filter(_of_page(), approved_go_live_at__lt=now - LATE_AFTER)) | Q(
        live=True, expire_at__lt=now - LATE_AFTER
    )
    scheduled = Exists(Revision.objects.filter(_of_page(), approved_go_live_at__isnull=False)) | Q(
        live=True, expire_at__isnull=False
    )
    found: QuerySet[Page] = {
        PageNeed.APPROVAL: pages.filter(in_workflow),
        PageNeed.LATE: pages.filter(late),
        PageNeed.SCHEDULED: pages.filter(scheduled & ~late),
        PageNeed.DRAFT: pages.filter(~in_workflow, ~scheduled, has_unpublished_changes=True),
    }[PageNeed(need)]
    return found


def runs_without_page(now: datetime) -> QuerySet[CourseRun]:
    """Return the public runs that aren't over and whose course has no published page."""
    published = CoursePage.objects.live().filter(course=OuterRef("course"))
    return current_runs(now).filter(~Exists(published.select_related(None)))


def current_runs(now: datetime) -> QuerySet[CourseRun]:
    """Return the public runs that aren't over, without those that are only there to be copied."""
    runs: QuerySet[CourseRun] = CourseRun.objects.exclude(run_tag=SOURCE_TAG)
    return runs.filter(Q(end_date__isnull=True) | Q(end_date__gte=now))


def _course_pages_without_run(now: datetime) -> QuerySet[CoursePage]:
    runs = CourseRun.objects.not_over(now).exclude(run_tag=SOURCE_TAG).filter(course=OuterRef("course"))
    pages: QuerySet[CoursePage] = CoursePage.objects.live().filter(course__isnull=False).select_related(None)
    return pages.filter(~Exists(runs))


def _of_page() -> Q:
    """Match a row's object with the page outside: Wagtail keeps ids of any model as text."""
    return Q(
        object_id=OuterRef("object_key"), base_content_type__app_label="wagtailcore", base_content_type__model="page"
    )
