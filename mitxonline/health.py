"""Whether this process can serve: asked by load balancers and containers, without a session."""

import logging

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

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
    """Whether the cache answers a question."""
    try:
        cache.get("health")
    except (RedisError, OSError):
        logger.exception("The cache does not answer")
        return False
    return True


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """200 if everything a page needs works, else 503 with what does not.

    The broker is left out on purpose: without it pages work and deliveries wait in the database.
    """
    parts = {"database": database_works(), "cache": cache_works()}
    words = {name: "ok" if works else "down" for name, works in parts.items()}
    return JsonResponse(words, status=200 if all(parts.values()) else 503)
