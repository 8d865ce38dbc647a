"""Learners and their enrollments in the LMS.

Paths and answers are those of Open edX's user API (`user_api/accounts`) and enrollment API (`enrollments/views.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from courses.errors import CourseSiteBusy, CourseSiteRefused, CourseSiteUnreadable, LearnerInactive, LearnerUnknown
from courses.gateways.openedx.accounts import ACCOUNTS, read_account
from courses.gateways.openedx.client import JSON, OpenEdxClient

ENROLLMENT = "/api/enrollment/v1/enrollment"


@dataclass(frozen=True, slots=True)
class SiteEnrollment:
    """What the LMS says of a learner in a run."""

    mode: str
    is_active: bool


def find_username(client: OpenEdxClient, *, email: str, lms_user_id: str = "") -> str:
    """Return the learner's name there, by the id if it is known. Raises LearnerUnknown, and what the client raises.

    An account that was never activated isn't found by the address (LearnerInactive).
    """
    query = {"lms_user_id": lms_user_id} if lms_user_id else {"email": email}
    try:
        accounts = client.get(ACCOUNTS, params=query).data
    except CourseSiteRefused as refusal:
        if refusal.http_status == HTTPStatus.NOT_FOUND:
            raise LearnerUnknown from refusal
        raise
    if not isinstance(accounts, list) or not accounts:
        raise CourseSiteUnreadable
    account = read_account(accounts[0])
    if not lms_user_id and not account.is_activated:
        raise LearnerInactive
    return account.username


def read_enrollment(client: OpenEdxClient, *, username: str, run_key: str) -> SiteEnrollment | None:
    """Return the learner's enrollment in the run, or None if there never was one. Raises what the client raises."""
    data = client.get(f"{ENROLLMENT}/{quote(username)},{quote(run_key)}").data
    return None if data in (None, "") else _read(data)


def enroll(client: OpenEdxClient, *, username: str, run_key: str, mode: str, is_forced: bool = False) -> SiteEnrollment:
    """Enroll the learner in this mode, or change the mode; what is so already stays.

    With `is_forced` the LMS takes them even if its enrollment is closed or the mode has expired; it does so for staff
    and for learners who were never in the run. Raises LearnerUnknown, CourseSiteRefused, and what the client raises.
    """
    force = {"force_enrollment": True} if is_forced else {}
    return _write(client, username, run_key, {"mode": mode, "is_active": True, **force})


def unenroll(client: OpenEdxClient, *, username: str, run_key: str) -> SiteEnrollment:
    """End the learner's enrollment, which has to exist. Raises what `enroll` raises."""
    # Without a mode: the LMS refuses to end an enrollment whose mode is another than the caller thinks.
    return _write(client, username, run_key, {"is_active": False})


def _write(client: OpenEdxClient, username: str, run_key: str, wanted: Mapping[str, JSON]) -> SiteEnrollment:
    body = {"user": username, "course_details": {"course_id": run_key}, **wanted}
    try:
        return _read(client.post(ENROLLMENT, body, is_repeatable=True).data)
    except CourseSiteRefused as refusal:
        if refusal.http_status == HTTPStatus.NOT_ACCEPTABLE:
            raise LearnerUnknown from refusal
        if refusal.http_status == HTTPStatus.CONFLICT:  # Someone changes the same enrollment at this moment.
            raise CourseSiteBusy from refusal
        raise


def _read(data: JSON) -> SiteEnrollment:
    try:
        mode, is_active = data["mode"], data["is_active"]
    except (KeyError, TypeError) as error:
        raise CourseSiteUnreadable from error
    if not isinstance(mode, str) or not isinstance(is_active, bool):
        raise CourseSiteUnreadable
    return SiteEnrollment(mode=mode, is_active=is_active)
