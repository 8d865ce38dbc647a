"""What courses refuse, and why."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


def day(moment: datetime) -> str:
    """The day of a moment as a sentence names it, in the site's zone."""
    return date_format(timezone.localtime(moment), "DATE_FORMAT")


class EnrollmentRefused(DomainError):
    """No one can come into the run at this moment."""

    code: ClassVar[str] = "enrollment_refused"


class RunUnknown(NotFound):
    """No such run for this person; the same answer for a contract run that isn't theirs."""

    code: ClassVar[str] = "run_unknown"

    def __init__(self) -> None:
        super().__init__(_("We can't find this course among those you can enroll in."))


class AlreadyInRun(EnrollmentRefused):
    """The learner is in the run by another right, with all that this one would give."""

    code: ClassVar[str] = "already_in_run"

    def __init__(self) -> None:
        super().__init__(_("This course is already open to you."))


class RunNotLive(EnrollmentRefused):
    """The run is switched off."""

    code: ClassVar[str] = "run_not_live"

    def __init__(self, title: str) -> None:
        super().__init__(_("“%(title)s” isn't open at the moment.") % {"title": title})


class EnrollmentNotOpen(EnrollmentRefused):
    """Enrollment begins later."""

    code: ClassVar[str] = "enrollment_not_open"
    exposes = ("opens_at",)

    def __init__(self, title: str, *, opens_at: datetime) -> None:
        self.opens_at = opens_at
        super().__init__(_("Enrollment for “%(title)s” opens on %(day)s.") % {"title": title, "day": day(opens_at)})


class EnrollmentClosed(EnrollmentRefused):
    """Enrollment is over."""

    code: ClassVar[str] = "enrollment_closed"
    exposes = ("closed_at",)

    def __init__(self, title: str, *, closed_at: datetime) -> None:
        self.closed_at = closed_at
        super().__init__(_("Enrollment for “%(title)s” closed on %(day)s.") % {"title": title, "day": day(closed_at)})


class RunNotFree(EnrollmentRefused):
    """The run has a price; it is bought, not entered."""

    code: ClassVar[str] = "run_not_free"

    def __init__(self, title: str) -> None:
        super().__init__(_("“%(title)s” has a price. Add it to your cart to enroll.") % {"title": title})
