"""The course site as learners see it: whether there is one, and where their courses are."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.conf import settings

from courses.gateways.openedx.client import missing_lms_settings
from mitxonline.kernel.shop import current_shop
from mitxonline.users.sso.providers import EDX, find_provider


def is_course_site_connected() -> bool:
    return not missing_lms_settings(current_shop())


def course_address(run_key: str) -> str:
    """Return where a run is taken, for browsers; empty without a course site.

    Learners who have to be signed in first are led through the LMS, whose sign-in goes on to `next`: a page of its own,
    or one of the learning front end, which the LMS has to know anyway (LOGIN_REDIRECT_WHITELIST).
    """
    if not is_course_site_connected():
        return ""
    shop = current_shop()
    lms, learning = shop.lms_public_url, shop.learning_url
    key = quote(run_key, safe=":+")
    sign_in = _sign_in_path()
    if not sign_in:
        return f"{learning}/course/{key}/home" if learning else f"{lms}/courses/{key}/course/"
    page = f"{learning}/course/{key}/home" if learning else f"/courses/{key}/course/"
    return f"{lms}{sign_in}{'&' if '?' in sign_in else '?'}{urlencode({'next': page})}"


def _sign_in_path() -> str:
    """Who signs in here with the account of the course site is signed in there too, or is asked to at /login."""
    if settings.OPENEDX_SIGN_IN_PATH:
        return str(settings.OPENEDX_SIGN_IN_PATH)
    return "/login" if find_provider(EDX) is not None else ""
