"""A course site that the settings know, with learners and runs on both sides."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache

from courses.gateways.openedx.client import OpenEdxClient, Server
from courses.models import CourseRun
from mitxonline.coordinator.deliveries import run_delivery
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import close
from tests.openedx.server import CourseSite
from tests.openedx.state import LMS_CLIENT, LMS_SECRET

HANDLER = "courses.receivers.tell_course_site"


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


def work(*, at_most: int = 20) -> list[str]:
    """Make the deliveries to the course site until none is due or each has failed once; return what came of each."""
    results: list[str] = []
    tried: set[int] = set()
    for _ in range(at_most):
        waiting = Delivery.objects.filter(handler=HANDLER, state=DeliveryState.PENDING).exclude(pk__in=tried)
        delivery = waiting.order_by("pk").first()
        if delivery is None:
            break
        tried.add(delivery.pk)
        if run_delivery(delivery_id=delivery.pk, now=max(clock.now(), delivery.next_attempt_at)):
            results.append(delivery.history.latest("number").result)
    return results


def said(site: CourseSite, username: str, run: CourseRun) -> tuple[str, bool] | None:
    """What the course site says of a learner in a run: the mode, and whether they are enrolled."""
    row = site.state.enrollments.get((username, run.courseware_id))
    return (row.mode, row.is_active) if row is not None else None
