"""System checks of the connection to the course site."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from courses.gateways.openedx.client import LMS_SETTINGS

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_ADDRESSES = (
    "OPENEDX_API_BASE_URL",
    "OPENEDX_BASE_REDIRECT_URL",
    "OPENEDX_STUDIO_API_BASE_URL",
    "OPENEDX_LEARNING_BASE_URL",
)


@register("course_site")
def check_course_site(**_kwargs: Any) -> list[CheckMessage]:
    return [*_check_complete(), *_check_studio_has_its_lms(), *_check_https()]


def _check_complete() -> Iterator[CheckMessage]:
    missing = [name for name in LMS_SETTINGS if not getattr(settings, name)]
    if missing and len(missing) < len(LMS_SETTINGS):
        yield Error(
            f"The course site is connected only in part: {', '.join(missing)} must not be empty.",
            hint="Set all three from the application in the LMS (docs/openedx.md), or none of them.",
            id="courses.E001",
        )


def _check_studio_has_its_lms() -> Iterator[CheckMessage]:
    if settings.OPENEDX_STUDIO_API_BASE_URL and not settings.OPENEDX_API_BASE_URL:
        yield Error(
            "OPENEDX_STUDIO_API_BASE_URL is set without OPENEDX_API_BASE_URL, whose LMS issues the token for both.",
            hint="Write the address of the LMS too: OPENEDX_API_BASE_URL=https://lms.example.",
            id="courses.E002",
        )


def _check_https() -> Iterator[CheckMessage]:
    """Check that a site that insists on TLS doesn't send secrets or learners over a network without it."""
    if not settings.SECURE_SSL_REDIRECT:
        return
    for name in _ADDRESSES:
        address = urlsplit(getattr(settings, name))
        if address.scheme == "http" and not _is_near(address.hostname or ""):
            yield Error(
                f"{name} isn't https, so what is sent there could be read on the way.",
                hint=f"Give the course site a certificate and write {name}=https://{address.hostname}.",
                id="courses.E003",
            )


def _is_near(host: str) -> bool:
    """Whether it is this machine, or a container's name on its network, which has no dot."""
    return host in _LOOPBACK or "." not in host
