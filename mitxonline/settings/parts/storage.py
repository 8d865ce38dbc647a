"""Database, cache and files. Every environment uses PostgreSQL, for its constraints, locks and set-based SQL."""

import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from mitxonline.kernel.redis import is_sentinel, read_sentinels
from mitxonline.settings.env import BASE_DIR, env, http_address, read

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
if is_sentinel(REDIS_URL):
    read("REDIS_URL", REDIS_URL, lambda: read_sentinels(REDIS_URL))
elif not REDIS_URL.startswith(("redis://", "rediss://", "unix://")):
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
MEDIA_BUCKET = env.str("MEDIA_BUCKET", "")
if MEDIA_BUCKET and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", MEDIA_BUCKET):
    raise ImproperlyConfigured("MEDIA_BUCKET isn't the name of a bucket: small letters, digits, hyphens and dots.")
# Whether the web process serves uploaded pictures, for sites without a proxy that does. A bucket is private: they come
# through the web process, and a CDN in front of it keeps them.
SERVE_MEDIA = True if MEDIA_BUCKET else env.bool("SERVE_MEDIA", False)

_endpoint = http_address("MEDIA_BUCKET_ENDPOINT")


def media_storage() -> dict[str, object]:
    """Where uploads are: a bucket if one is named, or else a folder."""
    if not MEDIA_BUCKET:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    keys = env.str("MEDIA_BUCKET_KEY_ID", ""), env.str("MEDIA_BUCKET_SECRET", "")
    if any(keys) and not all(keys):
        raise ImproperlyConfigured("MEDIA_BUCKET_KEY_ID and MEDIA_BUCKET_SECRET belong together: one of them is empty.")
    return {
        "BACKEND": "mitxonline.bucket.BucketStorage",
        "OPTIONS": {
            "bucket_name": MEDIA_BUCKET,
            "endpoint_url": _endpoint or None,
            "region_name": env.str("MEDIA_BUCKET_REGION", "") or None,
            "access_key": keys[0] or None,
            "secret_key": keys[1] or None,
        },
    }
