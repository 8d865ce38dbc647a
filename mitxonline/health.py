"""Whether this process can serve pages: for load balancers and containers, without a session."""

import logging
from collections.abc import Callable

from django.core.cache import caches
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mitxonline.cache import ForgivingRedisCache
from mitxonline.kernel.breaker import find_open_breakers

logger = logging.getLogger(__name__)


PATHS = ("/health/", "/health")


class HealthMiddleware:
    """Answers load balancers, which ask by an address and any name, before the name is checked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return health(request) if request.path_info in PATHS else self.get_response(request)


def database_works() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        logger.exception("the database doesn't answer")
        return False


def cache_works() -> bool:
    cache = caches["default"]
    return cache.works() if isinstance(cache, ForgivingRedisCache) else True


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
