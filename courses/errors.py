"""Refusals of enrollments."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError, NotFound


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
