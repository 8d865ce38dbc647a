"""What courses do when they hear of events. Receivers that call the course site are remote."""

from __future__ import annotations

from courses.events import EnrollmentAskedAgain, LearnerEnrolled, LearnerUnenrolled, RunRequested, RunsRequested
from courses.gateways.openedx.client import OpenEdxClient
from courses.gateways.openedx.studio import Studio, is_studio_configured
from courses.selectors.course_address import is_course_site_connected
from courses.selectors.course_sites import at_course_site_of_enrollment, at_course_site_of_run
from courses.services.course_site import SEQUENCE, send_enrollment
from courses.services.leaving import leave_courses
from courses.services.site_runs import bring_to_studio, request_each
from mitxonline.coordinator.routes import ordered_by
from mitxonline.kernel import clock
from mitxonline.users.events import AccountClosed


def end_courses(event: AccountClosed) -> None:
    """End the enrollments of a deleted account, in the transaction that deletes it."""
    leave_courses(user_id=event.user_id, now=event.at)


def request_each_run(event: RunsRequested) -> None:
    request_each(event.run_ids)


def bring_run_to_studio(event: RunRequested) -> str:
    """Have Studio make and date the run. Raises RunNotInStudioYet while it copies, so that the delivery is repeated.

    Without a Studio the run waits in its own row, and is sent once there is one.
    """
    with at_course_site_of_run(event.run_id):
        if not is_studio_configured():
            return "no Studio is connected"
        return bring_to_studio(run_id=event.run_id, studio=Studio.from_settings(), now=clock.now())


@ordered_by("enrollment_id", sequence=SEQUENCE)
def tell_course_site(event: LearnerEnrolled | LearnerUnenrolled | EnrollmentAskedAgain) -> str:
    """Send to the course site what the enrollment says now; repeated if it doesn't answer."""
    with at_course_site_of_enrollment(event.enrollment_id):
        if not is_course_site_connected():
            return "no course site"
        client = OpenEdxClient.from_settings()
        return send_enrollment(enrollment_id=event.enrollment_id, client=client, now=clock.now())
