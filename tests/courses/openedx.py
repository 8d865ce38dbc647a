"""A course site that the settings know, with learners and runs on both sides."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

from courses.gateways.openedx.client import OpenEdxClient, Server
from mitxonline.kernel.breaker import close
from tests.openedx.server import CourseSite
from tests.openedx.state import LMS_CLIENT, LMS_SECRET


def connect(site: CourseSite, settings: Any) -> None:
    """Tell the settings of this course site."""
    cache.clear()
    for server in Server:
        close(server)
    settings.OPENEDX_API_BASE_URL = settings.OPENEDX_BASE_REDIRECT_URL = site.lms_url
    settings.OPENEDX_STUDIO_API_BASE_URL = site.studio_url
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID = LMS_CLIENT
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = LMS_SECRET


class Waits(list[float]):
    """What a client waited before it repeated a call, without the waiting."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def make_client(site: CourseSite, waits: Waits, *, secret: str = LMS_SECRET, timeout: float = 5) -> OpenEdxClient:
    return OpenEdxClient(
        addresses={Server.LMS: site.lms_url, Server.STUDIO: site.studio_url},
        client_id=LMS_CLIENT,
        client_secret=secret,
        timeout=timeout,
        wait=waits,
    )
