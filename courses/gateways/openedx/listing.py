"""Who is enrolled in a run, as the LMS lists it for staff, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

from courses.errors import CourseSiteRefused, CourseSiteUnreadable
from courses.gateways.openedx.accounts import ACCOUNTS, SiteAccount, read_account
from courses.gateways.openedx.client import JSON, OpenEdxClient

ENROLLMENTS = "/api/enrollment/v1/enrollments"


@dataclass(frozen=True, slots=True)
class ListedEnrollment:
    username: str
    mode: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class EnrollmentPage:
    """A part of the list. `cursor` asks for the next one; it is empty at the end."""

    rows: tuple[ListedEnrollment, ...]
    cursor: str


def read_enrollments(client: OpenEdxClient, run_key: str, *, cursor: str = "") -> EnrollmentPage:
    """Return a page of the enrollments in the run, also of those that ended. Raises what the client raises."""
    params = {"course_id": run_key, **({"cursor": cursor} if cursor else {})}
    data = client.get(ENROLLMENTS, params=params).data
    if not isinstance(data, Mapping) or not isinstance(data.get("results"), list):
        raise CourseSiteUnreadable
    rows = tuple(_read_enrollment(each) for each in data["results"])
    following = data.get("next")
    if not isinstance(following, str) or not following:
        return EnrollmentPage(rows, "")
    # Only its cursor: the token goes to the address in the settings, whatever the answer names.
    found = dict(parse_qsl(urlsplit(following).query)).get("cursor", "")
    if not found or found == cursor:
        raise CourseSiteUnreadable
    return EnrollmentPage(rows, found)


def find_accounts(client: OpenEdxClient, usernames: Sequence[str]) -> dict[str, SiteAccount]:
    """Return the accounts with these names that the LMS has, by name. Raises what the client raises."""
    if not usernames:
        return {}
    try:
        data = client.get(ACCOUNTS, params={"username": ",".join(usernames)}).data
    except CourseSiteRefused as refusal:
        if refusal.http_status == HTTPStatus.NOT_FOUND:
            return {}
        raise
    if not isinstance(data, list):
        raise CourseSiteUnreadable
    found = [read_account(each) for each in data]
    return {account.username: account for account in found}


def _read_enrollment(raw: JSON) -> ListedEnrollment:
    try:
        user, mode, is_active = raw["user"], raw["mode"], raw["is_active"]
    except (KeyError, TypeError) as error:
        raise CourseSiteUnreadable from error
    if not isinstance(user, str) or not isinstance(mode, str) or not isinstance(is_active, bool):
        raise CourseSiteUnreadable
    return ListedEnrollment(username=user, mode=mode, is_active=is_active)
