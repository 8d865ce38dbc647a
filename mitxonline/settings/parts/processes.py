"""How many processes and threads there are. The Procfile's shell reads these; here nonsense is refused by its name."""

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import positive

WEB_WORKERS = positive("WEB_WORKERS", 2, least=1)
WEB_THREADS = positive("WEB_THREADS", 4, least=1)
WORKER_CONCURRENCY = positive("WORKER_CONCURRENCY", 2, least=1)
REMOTE_CONCURRENCY = positive("REMOTE_CONCURRENCY", 2, least=1)

if not 1 <= positive("PORT", 8000) <= 65535:
    raise ImproperlyConfigured("PORT has to be from 1 to 65535.")
