"""Celery: queues, time limits and the schedule."""

import re
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from mitxonline.kernel.redis import is_sentinel, read_sentinels
from mitxonline.settings.env import env, read
from mitxonline.settings.parts.coordinator import DELIVERY_BEAT_SCHEDULE
from mitxonline.settings.parts.keycloak import KEYCLOAK_BEAT_SCHEDULE
from mitxonline.settings.parts.openedx import OPENEDX_BEAT_SCHEDULE
from mitxonline.settings.parts.payments import PAYMENT_BEAT_SCHEDULE
from mitxonline.settings.parts.remote import REMOTE_QUEUE
from mitxonline.settings.parts.shared_pages import VERSIONS_BEAT_SCHEDULE
from mitxonline.settings.parts.storage import REDIS_URL

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", REDIS_URL)
_master: dict[str, str] = {}
if is_sentinel(CELERY_BROKER_URL):
    _sentinels = read("CELERY_BROKER_URL", CELERY_BROKER_URL, lambda: read_sentinels(CELERY_BROKER_URL))
    CELERY_BROKER_URL, _master = _sentinels.broker_url, {"master_name": _sentinels.master}
if not re.match(r"(rediss?|amqps?|pyamqp|memory|sentinel)\+?\w*://|redis\+socket://", CELERY_BROKER_URL):
    raise ImproperlyConfigured("CELERY_BROKER_URL isn't that of a broker: redis://host:6379/1 or amqp://host//.")

# Seconds that a visitor waits for the broker at most. A sweep sends later what could not be sent.
_PATIENCE = 2
CELERY_BROKER_CONNECTION_TIMEOUT = _PATIENCE
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY = False

# Redis hands a task out again that isn't acknowledged in this time, so no task may run longer.
_VISIBILITY = 60 * 60
CELERY_TASK_TIME_LIMIT = _VISIBILITY - 60
CELERY_TASK_SOFT_TIME_LIMIT = _VISIBILITY - 120
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    {
        "visibility_timeout": _VISIBILITY,
        "socket_connect_timeout": _PATIENCE,
        "socket_timeout": 2 * _PATIENCE + 1,
        "health_check_interval": 25,
        **_master,
    }
    if CELERY_BROKER_URL.startswith(("redis", "sentinel"))
    else {}
)

# Tasks are acknowledged on receipt. What must not be lost has a row and a sweep, and a task that kills its worker isn't
# handed to the next one.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
# Celery closes database connections after so many tasks. Which are kept until then, `mitxonline.celery` decides.
CELERY_DB_REUSE_MAX = 1000
# Calls to gateways, Keycloak and course sites have a queue and workers of their own, so that e-mail and what follows a
# payment never wait behind them. A worker started without --queues reads both.
CELERY_TASK_DEFAULT_QUEUE = "tessera"
CELERY_TASK_QUEUES = [
    Queue(name, Exchange(name), routing_key=name) for name in (CELERY_TASK_DEFAULT_QUEUE, REMOTE_QUEUE)
]
CELERY_TASK_ROUTES = {
    name: {"queue": REMOTE_QUEUE}
    for name in (
        "ecommerce.tasks.ask_about_payments",
        "ecommerce.tasks.follow_refunds",
        "b2b.tasks.sync_keycloak_orgs",
        "courses.tasks.compare_enrollments",
        "courses.tasks.sync_courseruns",
        "frontend.tasks.check_sites",
        "reports.tasks.audit_nightly",
        "reports.tasks.fetch_gateway_reports",
    )
}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_ENABLE_UTC = True

# Seconds between two runs. Every task may run twice or miss a run.
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    **DELIVERY_BEAT_SCHEDULE,
    **KEYCLOAK_BEAT_SCHEDULE,
    **OPENEDX_BEAT_SCHEDULE,
    **PAYMENT_BEAT_SCHEDULE,
    **VERSIONS_BEAT_SCHEDULE,
    "update-full-runs": {
        "task": "courses.tasks.update_full_runs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "publish-scheduled-pages": {
        "task": "mitxonline.celery.publish_scheduled_pages",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "drop-baskets": {
        "task": "ecommerce.tasks.drop_baskets",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "audit-nightly": {
        "task": "reports.tasks.audit_nightly",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "sweep-reports": {
        "task": "reports.tasks.sweep_reports",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "audit-books": {
        "task": "ecommerce.tasks.audit_books",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "sweep-contracts": {
        "task": "b2b.tasks.sweep_contracts",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "end-overdue-rights": {
        "task": "mitxonline.users.tasks.end_overdue_rights",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "rebuild-search-index": {
        "task": "cms.tasks.rebuild_search_index",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "clear-sign-ins": {
        "task": "mitxonline.users.tasks.clear_sign_ins",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
    "clear-sessions": {
        "task": "mitxonline.celery.clear_sessions",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
}
