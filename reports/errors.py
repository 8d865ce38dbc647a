"""Refusals of audits and reports."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError


class CourseKeyUnknown(DomainError):
    code = "course_key_unknown"
    message = _("No course or run has the key “{key}”.")
    advice = _("Copy it from the list of courses: course-v1:ORG+NUMBER, or with the tag of a run.")

    key: str


class DaysReversed(DomainError):
    code = "days_reversed"
    message = _("The last day is before the first one.")
    advice = _("Exchange them.")


class StatementGatewayUnknown(DomainError):
    """A statement of a gateway that neither is configured nor ever took a payment: mistyped, its rows would stay."""

    code = "statement_gateway_unknown"
    message = _("There is no gateway “{name}”.")
    advice = _("Choose from {names}.")

    name: str
    names: tuple[str, ...]


class ColumnsWrong(DomainError):
    code = "columns_wrong"
    message = _("The columns don’t fit at “{line}”.")
    advice = _(
        "Write a line for each, such as “payment: Transaction ID”. There are: {columns}. Needed: amount and day."
    )

    line: str
    columns: str


class StatementWrong(DomainError):
    code = "statement_wrong"
    message = _("Nothing was stored. {problems}")

    problems: str


class ReportRunning(DomainError):
    code = "report_running"
    message = _("This report is already being written for you.")
    advice = _("You get an e-mail when it is ready; then you can start another one.")
