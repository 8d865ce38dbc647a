"""The page that Prometheus reads, for those who have its token."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from mitxonline.kernel.db import limit_waiting

logger = logging.getLogger(__name__)

_KEY = "metrics"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer the figures of the whole installation. Raises Http404 if no token is set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    offered = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
    if not constant_time_compare(offered, settings.METRICS_TOKEN):
        return HttpResponse("A token is needed.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    text = cache.get(_KEY)
    if text is None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(Figures())
        text = generate_latest(registry)
        cache.set(_KEY, text, settings.METRICS_KEPT_SECONDS)
    return HttpResponse(text, content_type=CONTENT_TYPE_PLAIN_0_0_4)


class Figures:
    """Collects what apps report. One that can't be read in time is named by `tessera_metrics_missing`."""

    def collect(self) -> Iterator[Metric]:
        missing = GaugeMetricFamily("tessera_metrics_missing", "1: figures of it couldn't be read", labels=["part"])
        for path in settings.METRICS:
            families: list[Metric] = []
            has_failed = _read(path, families)
            yield from families
            missing.add_metric([path.rpartition(".collect_")[2]], int(has_failed))
        yield missing

    def describe(self) -> list[Metric]:
        return []


def _read(path: str, families: list[Metric]) -> bool:
    """Add the families that a function returns; return whether it failed before the end."""
    try:
        with limit_waiting(settings.STATEMENT_SECONDS + settings.HEALTH_SECONDS):
            families.extend(import_string(path)())
    except Exception:
        logger.warning("metrics not read", extra={"part": path}, exc_info=True)
        return True
    return False
