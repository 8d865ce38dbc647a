"""Packages that this installation adds, without a change to the code: their apps, and the events they hear."""

import json
from importlib.util import find_spec
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, read

COMMERCE_APPS_EXTRA = [each.strip() for each in env.str("COMMERCE_APPS_EXTRA", "").split(",") if each.strip()]
for _app in COMMERCE_APPS_EXTRA:
    if not _app.replace(".", "").isidentifier() or find_spec(_app.partition(".")[0]) is None:
        raise ImproperlyConfigured(
            "COMMERCE_APPS_EXTRA names an app that isn't installed. It is a list of packages, by commas; "
            "install each with pip first."
        )

# {"ecommerce.events.OrderFulfilled": {"after_commit": ["tessera_ledger.receivers.record_sale"]}}. A system check
# reports what it gets wrong (docs/events.md).
_ROUTES = env.str("COMMERCE_EVENT_ROUTES_EXTRA", "{}")
COMMERCE_EVENT_ROUTES_EXTRA: dict[str, Any] = read("COMMERCE_EVENT_ROUTES_EXTRA", _ROUTES, lambda: json.loads(_ROUTES))
if not isinstance(COMMERCE_EVENT_ROUTES_EXTRA, dict):
    raise ImproperlyConfigured(
        "COMMERCE_EVENT_ROUTES_EXTRA isn't a JSON object of events and their receivers. See .env.example."
    )
