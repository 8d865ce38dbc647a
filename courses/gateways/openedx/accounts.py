"""Accounts in the LMS, as Open edX's user API (`user_api/accounts`) lists them for staff."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from courses.errors import CourseSiteUnreadable
from courses.gateways.openedx.client import JSON

ACCOUNTS = "/api/user/v1/accounts"


@dataclass(frozen=True, slots=True)
class SiteAccount:
    """An account there. One that was never activated says nothing about whose address it has: anyone can type it."""

    username: str
    email: str
    lms_user_id: str
    is_activated: bool


def read_account(raw: JSON) -> SiteAccount:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("username"), str) or not raw["username"]:
        raise CourseSiteUnreadable
    email = raw.get("email")
    return SiteAccount(
        username=raw["username"],
        email=email.strip().lower() if isinstance(email, str) else "",
        lms_user_id=str(raw.get("id") or ""),
        is_activated=raw.get("is_active") is not False,
    )
