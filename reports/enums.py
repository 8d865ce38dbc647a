"""The choices of audits and reports."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class AuditName(models.TextChoices):
    ENROLLMENTS = "enrollments", _("Enrollments")
    PAYMENTS = "payments", _("Payments")
    SEATS = "seats", _("Seats sold")


class Cause(models.TextChoices):
    """Why a row of an audit differs. `EXPLAINED` has those that need no one."""

    # Enrollments
    NO_REASON = "no_reason", _("Enrolled without a reason")
    NOT_ENROLLED = "not_enrolled", _("Bought or redeemed, and not enrolled")
    GRANT_MISSING = "grant_missing", _("The grant is missing")
    GRANT_ASTRAY = "grant_astray", _("A grant without its order, code or seat")
    FLAG_WRONG = "flag_wrong", _("A grant holds, but the enrollment isn’t active")
    ENDED = "ended", _("Unenrolled")
    # Payments
    NO_ORDER = "no_order", _("Money without an order")
    NO_MONEY = "no_money", _("An order without money")
    WRONG_AMOUNT = "wrong_amount", _("Not the amount of the order")
    ACCEPTED_AMOUNT = "accepted_amount", _("Another amount or currency, which finance accepted")
    WRONG_CURRENCY = "wrong_currency", _("Not the currency of the order")
    PAID_TWICE = "paid_twice", _("Paid twice")
    REFUND_UNKNOWN = "refund_unknown", _("A refund that the shop doesn’t know")
    REFUND_MISSING = "refund_missing", _("A refund that the gateway doesn’t report")
    CHARGEBACK_UNKNOWN = "chargeback_unknown", _("A chargeback that the shop doesn’t know")
    CHARGEBACK_MISSING = "chargeback_missing", _("A chargeback that the gateway doesn’t report")
    OTHER_MOVEMENT = "other_movement", _("Another movement at the gateway")
    NOT_REPORTED = "not_reported", _("The gateway hasn’t reported this time")
    LATE = "late", _("Not reported yet")
    OTHER_DAY = "other_day", _("On another day at the gateway")
    BY_AMOUNT = "by_amount", _("Matched by amount")
    # Seats
    SALE_MISSING = "sale_missing", _("Seats paid for without codes")
    CODES_DIFFER = "codes_differ", _("Not as many codes as seats")
    SEATS_DIFFER = "seats_differ", _("Not as many seats as the line says")
    LINES_DIFFER = "lines_differ", _("The lines don’t add up to the order")
    REFUNDS_DIFFER = "refunds_differ", _("Not as many codes off as seats refunded")
    STILL_OPEN = "still_open", _("A code of refunded seats still works")
    NOT_ASSIGNED = "not_assigned", _("A refund made elsewhere without its seats")


EXPLAINED = (
    Cause.ENDED,
    Cause.PAID_TWICE,
    Cause.ACCEPTED_AMOUNT,
    Cause.LATE,
    Cause.OTHER_DAY,
    Cause.BY_AMOUNT,
)


class JobState(models.TextChoices):
    WAITING = "waiting", _("Waiting for a worker")
    RUNNING = "running", _("Being written")
    DONE = "done", _("Ready")
    FAILED = "failed", _("Failed")
    EXPIRED = "expired", _("Deleted after its time")


OPEN_JOB_STATES = (JobState.WAITING, JobState.RUNNING)
