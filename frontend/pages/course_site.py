"""Where a learner takes a course: the link to the course site, or why there is none yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from courses.enums import EnrollmentLmsState
from courses.models import CourseRun
from courses.selectors.course_address import course_address, is_course_site_connected
from courses.selectors.course_sites import at_course_site_of
from mitxonline.kernel.shop import current_shop
from mitxonline.users.models import User


@dataclass(frozen=True, slots=True)
class CourseDoor:
    """The link that opens a course, which `is_open` says, or the one that leads on to it; and what to know before."""

    is_open: bool = False
    url: str = ""
    url_text: str = ""
    sentence: str = ""


def course_door(run: CourseRun, lms_state: str, *, user: User, now: datetime) -> CourseDoor:
    """Describe how the learner gets into a run they are enrolled in. No query where the course is loaded."""
    with at_course_site_of(run):
        return _describe_door(run, lms_state, user=user, now=now)


def _describe_door(run: CourseRun, lms_state: str, *, user: User, now: datetime) -> CourseDoor:
    if run.has_ended(now) and lms_state != EnrollmentLmsState.THERE:
        return CourseDoor()
    if not is_course_site_connected():
        if not run.has_started(now):
            return CourseDoor()
        return CourseDoor(sentence=_("Your course opens here once this shop is connected to a course site."))
    if lms_state == EnrollmentLmsState.REFUSED:
        return CourseDoor(
            sentence=_("The course site didn’t accept your enrollment. We’re looking into it; you needn’t do anything.")
        )
    if lms_state == EnrollmentLmsState.WAITING:
        return _describe_waiting(user)
    if lms_state == EnrollmentLmsState.PENDING:
        return CourseDoor(sentence=_("We’re enrolling you on the course site. This takes a moment."))
    if not run.has_started(now):
        return CourseDoor()
    return CourseDoor(is_open=True, url=course_address(run.courseware_id), url_text=_("Continue"))


def _describe_waiting(user: User) -> CourseDoor:
    if not user.is_email_verified:
        return CourseDoor(
            url=reverse("account"),
            url_text=_("Go to my account"),
            sentence=_("Confirm your e-mail address, and we’ll enroll you on the course site."),
        )
    sentence = _("The course site doesn’t know you yet. Sign in there once as %(email)s, and your course opens here.")
    return CourseDoor(
        url=current_shop().lms_public_url,
        url_text=_("Open the course site"),
        sentence=sentence % {"email": user.email},
    )
