"""Whether this process can serve pages: for load balancers, containers and monitoring, without a session."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.cache import caches
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import LimitExceeded
from kombu.exceptions import OperationalError as BrokerError

from mitxonline.cache import ForgivingRedisCache
from mitxonline.coordinator.metrics import find_beat_age, find_oldest_age
from mitxonline.kernel import clock
from mitxonline.kernel.breaker import find_open_breakers
from mitxonline.kernel.broker import measure_queues
from mitxonline.kernel.db import limit_statements, limit_waiting
from mitxonline.metrics import metrics

logger = logging.getLogger(__name__)


class HealthMiddleware:
    """Answers load balancers and monitoring, which ask by an address and any name, before the name is checked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = VIEWS.get(request.path_info)
        return view(request) if view else self.get_response(request)


def database_works() -> bool:
    try:
        with limit_waiting(settings.HEALTH_SECONDS), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except Error:
        logger.exception("the database doesn't answer")
        return False


def cache_works() -> bool:
    cache = caches["default"]
    return cache.works() if isinstance(cache, ForgivingRedisCache) else True


def broker_works() -> bool:
    try:
        measure_queues()
    except (BrokerError, OSError, LimitExceeded):
        logger.warning("the broker doesn't answer")
        return False
    return True


def migrations_are_applied() -> bool:
    """Whether the database has all of this code's migrations. Asked until it has; code doesn't change in a process."""
    global _is_migrated
    if not _is_migrated:
        executor = MigrationExecutor(connection)
        _is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _is_migrated


_is_migrated = False


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Report what works, with status 200 if pages can be served, else 503.

    Without the cache pages are slower, so its loss is reported but takes no process out of service. The same holds for
    gateways, providers and mail servers that are listed as silent. The broker isn't checked: what it can't take waits
    in the database.
    """
    is_up = {"database": database_works(), "cache": cache_works()}
    report: dict[str, object] = {name: "ok" if works else "down" for name, works in is_up.items()}
    if silent := find_open_breakers():
        report["silent"] = silent
    return JsonResponse(report, status=200 if is_up["database"] else 503)


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Report also what pages can do without: the broker, the oldest delivery that waits, the schedule.

    503 if pages can't be served: the database is away, or lacks migrations. With `?strict` 503 if anything is wrong,
    for monitoring: a load balancer must not take all processes out of service because a queue is late.
    """
    report: dict[str, str | int | None] = {"database": "ok" if database_works() else "down", "migrations": "unknown"}
    if report["database"] == "ok":
        report |= _report_rows()
    is_serving = report["database"] == report["migrations"] == "ok"
    report |= {"cache": "ok" if cache_works() else "down", "broker": "ok" if broker_works() else "down"}
    words = [value for value in report.values() if isinstance(value, str)]
    is_well = is_serving and all(word == "ok" for word in words)
    return JsonResponse(report, status=200 if (is_well if "strict" in request.GET else is_serving) else 503)


def _report_rows() -> dict[str, str | int | None]:
    now = clock.now()
    try:
        with limit_waiting(settings.STATEMENT_SECONDS + settings.HEALTH_SECONDS), limit_statements():
            if not migrations_are_applied():
                return {"migrations": "missing"}
            oldest, beat = find_oldest_age(now=now), find_beat_age(now=now)
    except Error:
        logger.exception("the database answers too late")
        return {"migrations": "unknown"}
    is_late = oldest > settings.READY_DELIVERY_SECONDS
    is_scheduled = beat is not None and beat <= settings.READY_BEAT_SECONDS
    return {
        "migrations": "ok",
        "deliveries": "late" if is_late else "ok",
        "oldest_delivery_seconds": round(oldest),
        "schedule": "ok" if is_scheduled else "late",
        "last_beat_seconds": None if beat is None else round(beat),
    }


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    f"/{name}{slash}": view
    for name, view in {"health": health, "health/ready": ready, "metrics": metrics}.items()
    for slash in ("", "/")
}
