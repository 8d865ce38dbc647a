"""Outgoing e-mail."""

from mitxonline.settings.env import env

vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
if vars()["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend":
    EMAIL_BACKEND = "mitxonline.kernel.mail.PatientEmailBackend"
# Seconds for one answer of the mail server. The limit of a whole conversation is in parts/remote.py.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Tessera <hello@tessera.example>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
