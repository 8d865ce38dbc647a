"""Database, cache and files. Every environment uses PostgreSQL, for its constraints, locks and set-based SQL."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import BASE_DIR, env, read

# Parameters stay in the statement: with server_side_binding PostgreSQL refuses some of Wagtail's queries (DISTINCT with
# an ORDER BY that has parameters).
_CONNECTION = {"connect_timeout": 5, "application_name": "tessera"}

_database = read("DATABASE_URL", "", lambda: env.db_url("DATABASE_URL"))
if "postgresql" not in _database.get("ENGINE", "") or not _database.get("NAME"):
    raise ImproperlyConfigured("DATABASE_URL isn't that of a PostgreSQL database: postgres://user:password@host/name.")
DATABASES = {
    "default": {
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        **_database,
        "OPTIONS": {**_CONNECTION, **_database.get("OPTIONS", {})},
    }
}

REDIS_URL = env.str("REDIS_URL")
if not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
    raise ImproperlyConfigured("REDIS_URL isn't that of a Redis server: redis://host:6379/0.")
CACHES = {
    "default": {
        "BACKEND": "mitxonline.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "tessera",
        # A page waits at most a second for a cache that hangs.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}

# In the database, so that emptying the cache signs no one out and loses no cart.
SESSION_ENGINE = "mitxonline.users.sso.session_store"

STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
MEDIA_URL = "/media/"
MEDIA_ROOT = env.str("MEDIA_ROOT", str(BASE_DIR / "media"))
# Whether the web process serves uploaded pictures, for sites without a proxy or an object store that does.
SERVE_MEDIA = env.bool("SERVE_MEDIA", False)
