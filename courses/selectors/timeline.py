"""What courses tell on timelines: enrollments, the reasons for them, and whether the course site knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from courses.enums import EnrollmentLmsState, EnrollmentSource
from courses.models import Enrollment, EnrollmentGrant
from mitxonline.kernel.timeline import Entry, EntryKind, Scope, Source, SubjectKind


class CoursesSource(Source):
    def tell(self, scope: Scope) -> Iterator[Entry]:
        if scope.is_about(SubjectKind.PERSON):
            wanted = Q(enrollment__user=scope.subject.pk)
        elif scope.get("reference"):
            # Everything about the courses of these orders, because another grant may say why a course is open or not.
            mine = EnrollmentGrant.objects.filter(
                reference__in=scope.get("reference"), enrollment__user__in=scope.get("person")
            )
            wanted = Q(enrollment__in=mine.values("enrollment")) | Q(
                enrollment__user__in=scope.get("person"), enrollment__run__in=scope.get("run")
            )
        else:
            return
        yield from tell_grants(EnrollmentGrant.objects.filter(wanted), scope)


def tell_grants(grants: Any, scope: Scope) -> Iterator[Entry]:
    """Tell of grants and of their enrollments, in one query."""
    rows = scope.read(
        grants.select_related("enrollment__run", "enrollment__user", "granted_by", "revoked_by"), "courses"
    )
    enrollments = {row.enrollment_id: row.enrollment for row in rows}
    scope.expect_event("enrollment_id", scope.add("enrollment", enrollments))
    for row in rows:
        yield from _tell_grant(row, scope)
    yield from (entry for each in enrollments.values() for entry in _tell_course_site(each, scope))


def _tell_grant(grant: EnrollmentGrant, scope: Scope) -> Iterator[Entry]:
    enrollment = grant.enrollment
    learner = scope.viewer.name_person(enrollment.user)
    words = {
        "learner": learner,
        "course": enrollment.run.title,
        "run": str(enrollment.run.courseware_id),
        "mode": grant.get_mode_display(),
        "source": str(EnrollmentSource(grant.source).label),
    }
    link = (scope.link(_("Learner"), SubjectKind.PERSON, enrollment.user_id),)
    links = link if not scope.is_about(SubjectKind.PERSON) and scope.viewer.may("users.view_user") else ()
    yield Entry(
        at=grant.granted_at,
        kind=EntryKind.COURSE,
        sentence=_("%(learner)s was enrolled in %(course)s.") % words,
        details=tuple(filter(None, [words["run"], _("%(mode)s, by: %(source)s") % words, grant.reason])),
        person=scope.viewer.name_person(grant.granted_by),
        links=links,
        trace_id=grant.trace_id,
    )
    if grant.revoked_at is not None:
        sentence = _("%(learner)s lost the right to %(course)s.")
        if enrollment.active:
            sentence = _("One of %(learner)s’s rights to %(course)s ended. They stay enrolled by another.")
        yield Entry(
            at=grant.revoked_at,
            kind=EntryKind.COURSE,
            sentence=sentence % words,
            details=tuple(filter(None, [words["run"], _("%(mode)s, by: %(source)s") % words, grant.revoked_reason])),
            person=scope.viewer.name_person(grant.revoked_by),
            links=links,
        )


def _tell_course_site(enrollment: Enrollment, scope: Scope) -> Iterable[Entry]:
    """Tell what the course site knows now. Its earlier answers are in the results of deliveries."""
    words = {"learner": scope.viewer.name_person(enrollment.user), "course": enrollment.run.title}
    if enrollment.forced_at is not None:
        yield Entry(
            at=enrollment.forced_at,
            kind=EntryKind.COURSE,
            sentence=_("Staff forced the enrollment of %(learner)s in %(course)s, even if the run is closed.") % words,
            details=tuple(filter(None, [enrollment.forced_reason])),
        )
    state = EnrollmentLmsState(enrollment.lms_state)
    yield Entry(
        at=enrollment.lms_asked_at or enrollment.changed_at,
        kind=EntryKind.COURSE,
        sentence=_SITE_SENTENCES[state]() % words,
        details=tuple(filter(None, [enrollment.run.courseware_id, enrollment.lms_error])),
        is_problem=state == EnrollmentLmsState.REFUSED,
    )


_SITE_SENTENCES = {
    EnrollmentLmsState.PENDING: lambda: _("The course site is still to be told about %(learner)s and %(course)s."),
    EnrollmentLmsState.WAITING: lambda: _(
        "The course site doesn’t know %(learner)s yet. It is asked again at their next sign-in (%(course)s)."
    ),
    EnrollmentLmsState.THERE: lambda: _("The course site knows what %(learner)s may do in %(course)s."),
    EnrollmentLmsState.REFUSED: lambda: _("The course site refused %(learner)s in %(course)s."),
}

COURSES = CoursesSource()
