"""The shop's figures for monitoring."""

from collections.abc import Iterator

from django.db.models import Count, Model
from prometheus_client.core import GaugeMetricFamily, Metric

from ecommerce.models import GatewayNotice, Order
from mitxonline.kernel.db import limit_statements


def collect_shop() -> Iterator[Metric]:
    with limit_statements():
        yield _count_states(Order, "tessera_orders", "Orders by state")
        yield _count_states(GatewayNotice, "tessera_notices", "Stored notices of gateways by state")


def _count_states(model: type[Model], name: str, words: str) -> Metric:
    family = GaugeMetricFamily(name, words, labels=["state"])
    counts = model._default_manager.order_by().values("state").annotate(count=Count("pk"))
    for state, count in counts.values_list("state", "count"):
        family.add_metric([state], count)
    return family
