"""Refusals of enrollments."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from mitxonline.kernel.errors import DomainError, NotFound

ASKED_AGAIN = _("It is asked again automatically.")


class EnrollmentRefused(DomainError):
    """No one can enroll in the run at this moment."""

    code = "enrollment_refused"


class RunUnknown(NotFound):
    """No such run for this person; the same answer for a contract run that isn’t theirs."""

    code = "run_unknown"
    message = _("We can’t find this course among those you can enroll in.")


class AlreadyInRun(EnrollmentRefused):
    """The learner is enrolled from another source, with all that this one would give."""

    code = "already_in_run"
    message = _("You’re already enrolled in this course.")


class RunNotLive(EnrollmentRefused):
    code = "run_not_live"
    message = _("“{title}” isn’t open right now.")
    title: str


class EnrollmentNotOpen(EnrollmentRefused):
    code = "enrollment_not_open"
    message = _("Enrollment for “{title}” opens on {opens_at}.")
    exposes = ("opens_at",)
    title: str
    opens_at: datetime


class EnrollmentClosed(EnrollmentRefused):
    code = "enrollment_closed"
    message = _("Enrollment for “{title}” closed on {closed_at}.")
    exposes = ("closed_at",)
    title: str
    closed_at: datetime


class RunFull(EnrollmentRefused):
    """All places of the run are taken, or promised to others."""

    code = "run_full"
    message = _("“{title}” is full.")
    title: str


class TooFewPlaces(RunFull):
    """The run has places left, but not so many. Who buys for a group can choose a smaller number."""

    code = "too_few_places"
    message = ngettext_lazy("“{title}” has only {left} place left.", "“{title}” has only {left} places left.", "left")
    exposes = ("left",)
    is_set_aside: ClassVar[bool] = False
    left: int


class RunHasNoPrice(EnrollmentRefused):
    """The run isn't free, and no one has set its price yet."""

    code = "run_has_no_price"
    message = _("“{title}” isn’t open right now.")
    title: str


class RunNotFree(EnrollmentRefused):
    code = "run_not_free"
    message = _("“{title}” has a price.")
    advice = _("Add it to your cart to enroll.")
    title: str


class RunKeyTaken(DomainError):
    code = "run_key_taken"
    message = _("There is a run with the key {key} already.")
    advice = _("Choose another tag.")
    exposes = ("key",)
    key: str


class CourseSiteNotConfigured(DomainError):
    code = "course_site_not_configured"
    message = _("No course site is connected: {missing} must not be empty.")
    missing: tuple[str, ...]


class CourseSiteUnavailable(DomainError):
    """No answer that could be used. `may_pass` is whether to ask again at once, `retry_after` is in seconds."""

    code = "course_site_unavailable"
    status = 503
    retry_after: float | None = None
    may_pass: bool = False


class CourseSiteAway(CourseSiteUnavailable):
    """It gave no answer in time, dropped the connection, or failed."""

    code = "course_site_away"
    message = _("The course site isn’t answering.")
    advice = ASKED_AGAIN


class CourseSiteBusy(CourseSiteUnavailable):
    code = "course_site_busy"
    message = _("The course site is busy.")
    advice = ASKED_AGAIN
    may_pass: bool = True


class CourseSiteUnreadable(CourseSiteUnavailable):
    """Something other than the course site answered, or it didn't answer as documented."""

    code = "course_site_unreadable"
    message = _("The answer of the course site makes no sense.")
    advice = _("Check its address: OPENEDX_API_BASE_URL, OPENEDX_STUDIO_API_BASE_URL.")


class CourseSiteSecretWrong(DomainError):
    code = "course_site_secret_wrong"
    message = _("The course site doesn’t know the service worker {client_id}, or its secret is wrong.")
    advice = _("Compare OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID and _SECRET with the application there.")
    client_id: str


class CourseSiteDenied(DomainError):
    """It refuses the token that it issued itself."""

    code = "course_site_denied"
    message = _("The course site doesn’t accept the token of the service worker {client_id}.")
    advice = _("Check that its account there is active and that the application’s user is that account.")
    client_id: str


class CourseSiteRefused(DomainError):
    """An answer 400 to 499. `sentence` is the course site's own, without addresses of people; it may be empty."""

    code = "course_site_refused"
    message = _("The course site refused: {said}")
    http_status: int
    sentence: str

    @property
    def said(self) -> str:
        return self.sentence or _("error {status}, without a reason.").format(status=self.http_status)

    def details(self) -> dict[str, object]:
        return super().details() | {"said": self.said}


class RunNotInStudioYet(DomainError):
    """Studio is still copying the source; the worker asks again."""

    code = "run_not_in_studio_yet"
    message = _("Studio is still copying the run.")
    advice = ASKED_AGAIN


class SiteRunUnknown(NotFound):
    code = "site_run_unknown"
    message = _("The course site has no run with the key {key}.")
    key: str


class RunOfAnotherCourse(DomainError):
    code = "run_of_another_course"
    message = _("The run {key} is here already, and belongs to the course {course}.")
    key: str
    course: str


class CourseUnknown(NotFound):
    code = "course_unknown"
    message = _("There is no course {key}.")
    key: str


class DepartmentUnknown(DomainError):
    code = "department_unknown"
    message = _("There is no department “{name}”.")
    advice = _("Add --create-depts to make it. There are: {names}.")
    name: str
    names: tuple[str, ...]


class DepartmentNotNamed(DomainError):
    code = "department_not_named"
    message = _("The course {course} is new here, and every course has a department.")
    advice = _("Name it with --dept, and add --create-depts if it is new too. There are: {names}.")
    course: str
    names: tuple[str, ...]


class RunDatesImpossible(DomainError):
    code = "run_dates_impossible"
    message = _("Studio says that {key} begins on {first} and ends on {last}.")
    advice = _("Correct the dates there first.")
    key: str
    first: datetime
    last: datetime


class LearnerUnknown(DomainError):
    code = "learner_unknown"
    message = _("The course site doesn’t know this learner yet.")
    advice = _("Ask them to sign in there once.")


class LearnerInactive(LearnerUnknown):
    """Anyone can register with someone else's address, until the account is activated by a mail to it."""

    code = "learner_inactive"
    message = _("The learner’s account on the course site isn’t activated.")
    advice = _("Ask them to open the link in the course site’s e-mail.")


class EnrollmentKeepsChanging(DomainError):
    """The row changed each time while the course site was being told, so the delivery is repeated."""

    code = "enrollment_keeps_changing"
    message = _("The enrollment is being changed.")
    advice = _("Try again shortly.")


class EnrollmentNotForceable(DomainError):
    """Only an active enrollment that isn't there yet can be forced."""

    code = "enrollment_not_forceable"
    message = _("There is nothing to force: the learner has left the run, or is on the course site already.")


class EnrollmentUnknown(NotFound):
    code = "enrollment_unknown"
    message = _("There is no such enrollment.")


class EnrollmentNotUndone(DomainError):
    """Leaving would take something away that the learner can't get again on their own."""

    code = "enrollment_not_undone"
    message = _("“{title}” was paid for or given to you, so you couldn’t come back after leaving.")
    advice = _("Contact us if you want to leave it.")
    title: str
