"""What monitoring reads: metrics and readiness."""

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env

# Whoever has it reads /metrics. Without one there is no such page.
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
if METRICS_TOKEN and (len(METRICS_TOKEN) < 16 or not METRICS_TOKEN.isascii() or " " in METRICS_TOKEN):
    raise ImproperlyConfigured("METRICS_TOKEN has to be 16 characters or more, without spaces.")
# Functions that return families of prometheus_client. Each runs under a time limit when Prometheus asks.
METRICS = [
    "ecommerce.selectors.metrics.collect_shop",
    "mitxonline.coordinator.metrics.collect_deliveries",
    "mitxonline.coordinator.metrics.collect_durations",
    "mitxonline.coordinator.metrics.collect_queues",
    "mitxonline.shared.counts.collect_shared_pages",
]
STATEMENT_SECONDS = 2  # for a query that monitoring makes
METRICS_KEPT_SECONDS = 10  # several Prometheus servers cost one round of queries
METRICS_KEY = "tessera:metrics"  # of the durations in Redis

# For so long /health/ waits for a database that hangs.
HEALTH_SECONDS = 2.0
# After so many seconds, /health/ready/ reports a waiting delivery or the schedule as late.
READY_DELIVERY_SECONDS = 300
READY_BEAT_SECONDS = 300
