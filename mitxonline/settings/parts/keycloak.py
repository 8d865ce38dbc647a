"""Keycloak's admin API, by a service account; and how people's organizations are read at sign-in."""

from typing import Any

from mitxonline.settings.env import env

# The server's address without /realms/…, as this machine reaches it; empty: nothing is synchronized.
KEYCLOAK_URL = env.str("KEYCLOAK_URL", "").rstrip("/")
KEYCLOAK_REALM = env.str("KEYCLOAK_REALM", "")
KEYCLOAK_CLIENT_ID = env.str("KEYCLOAK_CLIENT_ID", "")
KEYCLOAK_CLIENT_SECRET = env.str("KEYCLOAK_CLIENT_SECRET", "")
# Seconds for connecting and for each answer.
KEYCLOAK_TIMEOUT = int(env.str("KEYCLOAK_TIMEOUT", "") or 10)

# Seconds for all answers of one synchronization, whose task has twice that.
KEYCLOAK_SYNC_PATIENCE = 240.0

# The name of the claim; Keycloak's own is “organization”.
KEYCLOAK_ORGANIZATION_CLAIM = env.str("KEYCLOAK_ORGANIZATION_CLAIM", "") or "organization"

# Nothing to do where no Keycloak is administrated from here.
KEYCLOAK_BEAT_SCHEDULE: dict[str, dict[str, Any]] = (
    {
        "sync-keycloak-orgs": {
            "task": "b2b.tasks.sync_keycloak_orgs",
            "schedule": float(env.str("KEYCLOAK_SYNC_SECONDS", "") or 3600),
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
