"""For a developer's own machine."""

from mitxonline.settings.base import *  # noqa: F403

DEBUG = True
SECRET_KEY = "development-only"
ALLOWED_HOSTS = ["*"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "tessera"}}
