"""Asking the course site whether it and a shop are set up for each other, for `check_site`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext as _

from courses.gateways.openedx.client import missing_lms_settings
from mitxonline.kernel.remote import RemoteSession
from mitxonline.kernel.shop import Shop
from mitxonline.users.sso.findings import ProviderReport, SetupFinding

APPLICATIONS = "/admin/oauth2_provider/application/"
MADE_UP = "made-up-by-check-site"
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def check_course_site(shop: Shop, *, now: datetime) -> Iterator[SetupFinding]:
    """Ask for a token, for the account it is for, and for the time. Changes nothing."""
    report = ProviderReport("course site")
    missing = missing_lms_settings(shop)
    if not shop.lms_url and not shop.backend_client_id:
        yield report.unknown("set-up", _("No course site is connected; everything sells, and pages say so."))
        return
    if missing:
        yield report.missing(
            "set-up",
            _("Incomplete: %(names)s or the same of Settings > Shop. Run create_or_update_site.")
            % {"names": ", ".join(missing)},
        )
        return
    form = {
        "grant_type": "client_credentials",
        "client_id": shop.backend_client_id,
        "client_secret": shop.backend_client_secret,
        "token_type": "jwt",
    }
    answer = _call("POST", f"{shop.lms_url}/oauth2/access_token", data=form)
    if answer is None:
        yield report.missing(
            "token",
            _("%(url)s doesn’t answer. Is the address right, and can this machine reach it?") % {"url": shop.lms_url},
        )
        return
    yield from _check_clock(report, answer, now)
    token = _read_json(answer).get("access_token")
    if answer.status_code in _REFUSED:
        yield report.missing(
            "token",
            _(
                "The backend client %(client)s or its secret is refused. Compare both with "
                "%(url)s%(applications)s: confidential, client credentials, with a staff user."
            )
            % {"client": shop.backend_client_id, "url": shop.lms_url, "applications": APPLICATIONS},
        )
        return
    if not answer.ok or not isinstance(token, str):
        yield report.missing(
            "token",
            _("%(url)s answers with status %(status)s and no token. Is this the LMS, not a page before it?")
            % {"url": shop.lms_url, "status": answer.status_code},
        )
        return
    yield report.fine("token", _("%(url)s gives the backend client a token.") % {"url": shop.lms_url})
    yield _check_account(report, shop, token)


def _check_account(report: ProviderReport, shop: Shop, token: str) -> SetupFinding:
    # Staff read that no one has this name; others aren't told.
    address = f"{shop.lms_url}/api/user/v1/accounts"
    answer = _call("GET", address, params={"username": MADE_UP}, headers={"Authorization": f"JWT {token}"})
    if answer is None:
        return report.missing(
            "user API", _("%(address)s doesn’t answer. Try again, and look at the LMS’s log.") % {"address": address}
        )
    if answer.status_code in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
        return report.fine("user API", _("The backend client may read accounts."))
    return report.missing(
        "user API",
        _(
            "%(address)s answers with status %(status)s. Give the application at %(url)s%(applications)s a "
            "user who is staff."
        )
        % {"address": address, "status": answer.status_code, "url": shop.lms_url, "applications": APPLICATIONS},
    )


def _check_clock(report: ProviderReport, answer: requests.Response, now: datetime) -> Iterator[SetupFinding]:
    try:
        difference = abs((parsedate_to_datetime(answer.headers.get("Date", "")) - now).total_seconds())
    except (TypeError, ValueError):
        return
    if difference > settings.SIGN_IN_CLOCK_SKEW:
        yield report.missing(
            "clock",
            _(
                "Its clock and ours are %(seconds)s seconds apart, more than SIGN_IN_CLOCK_SKEW (%(allowed)s) "
                "allows. Set both by a time server."
            )
            % {"seconds": round(difference), "allowed": settings.SIGN_IN_CLOCK_SKEW},
        )
    else:
        yield report.fine("clock", _("The clocks agree."))


def _call(method: str, address: str, **options: Any) -> requests.Response | None:
    """Return the answer, or None if there is none in time."""
    try:
        return _session(urlsplit(address).netloc).request(method, address, allow_redirects=False, **options)
    except (requests.RequestException, ValueError):
        return None


@cache
def _session(host: str) -> RemoteSession:
    # With a breaker of its own, so that a silence found here stops no one from learning.
    return RemoteSession(f"check_site/{host}")


def _read_json(answer: requests.Response) -> dict[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
