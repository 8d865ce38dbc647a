"""Whether this process can serve: asked by load balancers and containers, without a session."""

import logging

from django.core.cache import caches
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from mitxonline.cache import ForgivingRedisCache
from mitxonline.kernel.breaker import find_open_breakers

logger = logging.getLogger(__name__)


def database_works() -> bool:
    """Whether the database answers a query."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return bool(cursor.fetchone() == (1,))
    except DatabaseError:
        logger.exception("The database does not answer")
        return False


def cache_works() -> bool:
    """Whether the cache answers; one that lives in this process always does."""
    cache = caches["default"]
    return cache.works() if isinstance(cache, ForgivingRedisCache) else True


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 if pages can be served, else 503; and what works.

    Without the cache they can, slower, so its loss is told but takes no process out of service. So can they without
    gateways, providers and mail servers that are named as silent: no one waits for those. The broker is not asked: what
    it can't take waits in the database.
    """
    parts = {"database": database_works(), "cache": cache_works()}
    words: dict[str, object] = {name: "ok" if works else "down" for name, works in parts.items()}
    if silent := find_open_breakers():
        words["silent"] = silent
    return JsonResponse(words, status=200 if parts["database"] else 503)
