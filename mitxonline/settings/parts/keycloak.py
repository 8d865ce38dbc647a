"""Keycloak's admin API, used through a service account, and the claim that names a person's organizations."""

from typing import Any

from mitxonline.settings.env import env, http_address, positive

# The server's address without /realms/…, as this machine reaches it. Nothing is synchronized if it is empty.
KEYCLOAK_URL = http_address("KEYCLOAK_URL")
KEYCLOAK_REALM = env.str("KEYCLOAK_REALM", "")
KEYCLOAK_CLIENT_ID = env.str("KEYCLOAK_CLIENT_ID", "")
KEYCLOAK_CLIENT_SECRET = env.str("KEYCLOAK_CLIENT_SECRET", "")
# Seconds to connect, and for each answer.
KEYCLOAK_TIMEOUT = positive("KEYCLOAK_TIMEOUT", 10, least=1)

# Seconds for all answers of one synchronization. Its task has twice as long.
KEYCLOAK_SYNC_PATIENCE = 240.0

# The name of the claim. Keycloak's default is “organization”.
KEYCLOAK_ORGANIZATION_CLAIM = env.str("KEYCLOAK_ORGANIZATION_CLAIM", "organization")

_SYNC_SECONDS = float(positive("KEYCLOAK_SYNC_SECONDS", 3600, least=1))

# Only with a service account.
KEYCLOAK_BEAT_SCHEDULE: dict[str, dict[str, Any]] = (
    {
        "sync-keycloak-orgs": {
            "task": "b2b.tasks.sync_keycloak_orgs",
            "schedule": _SYNC_SECONDS,
            "options": {"expires": 900},
        },
        "sweep-keycloak-joins": {
            "task": "b2b.tasks.sweep_keycloak_joins",
            "schedule": 60.0,
            "options": {"expires": 60},
        },
    }
    if KEYCLOAK_URL
    else {}
)
