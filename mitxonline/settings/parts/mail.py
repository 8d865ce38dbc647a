"""Outgoing mail."""

from mitxonline.settings.env import env

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Tessera <hello@tessera.example>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
