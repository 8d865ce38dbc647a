"""Outgoing e-mail."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, read

_BACKENDS = {
    "consolemail": "django.core.mail.backends.console.EmailBackend",
    "dummymail": "django.core.mail.backends.dummy.EmailBackend",
    "filemail": "django.core.mail.backends.filebased.EmailBackend",
    "memorymail": "django.core.mail.backends.locmem.EmailBackend",
}
# How the connection is secured, and the usual port. `smtps` means TLS from the first byte to some, and STARTTLS to
# others; the port says which.
_SCHEMES = {
    "smtp": ("", 25),
    "smtp+tls": ("tls", 587),
    "submission": ("tls", 587),
    "smtp+ssl": ("ssl", 465),
    "submissions": ("ssl", 465),
    "smtps": ("tls", 465),
}
_IMPLICIT_TLS_PORT = 465
_FORMS = "smtp+tls://user:password@host:587, smtp+ssl://user:password@host:465, smtp://host:25 or consolemail://"


def email_settings(url: str) -> dict[str, Any]:
    """Return Django's settings for an EMAIL_URL. Raises ImproperlyConfigured for what it doesn't know."""
    parts = urlsplit(url)
    if parts.scheme in _BACKENDS:
        return {"EMAIL_BACKEND": _BACKENDS[parts.scheme], "EMAIL_FILE_PATH": unquote(parts.path[1:])}
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ImproperlyConfigured(f"EMAIL_URL isn't one we know. Write {_FORMS}.")
    if parts.fragment or parts.path.strip("/"):
        raise ImproperlyConfigured(
            "EMAIL_URL has something behind the host. In a user or password write %23 for #, %2F for / and %3F for ?."
        )
    security, usual_port = _SCHEMES[parts.scheme]
    port = read("EMAIL_URL", url, lambda: parts.port) or usual_port
    security = _security_of(dict(parse_qsl(parts.query, keep_blank_values=True)), security)
    if port == _IMPLICIT_TLS_PORT:
        security = "ssl"
    return {
        "EMAIL_BACKEND": "mitxonline.kernel.mail.PatientEmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": security == "tls",
        "EMAIL_USE_SSL": security == "ssl",
    }


def _security_of(query: Mapping[str, str], security: str) -> str:
    """Read `?tls=True` and `?ssl=True`, the form of earlier releases."""
    for name, value in query.items():
        wanted = value.strip().lower()
        if name.lower() not in ("tls", "ssl") or wanted not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
            raise ImproperlyConfigured(f"EMAIL_URL has a part that nobody reads: ?{name}=…. Write {_FORMS}.")
        if wanted in ("true", "1", "yes", "on"):
            security = name.lower()
    return security


def sender_address(text: str) -> str:
    """Return “Name <address>” with the name quoted, so that a comma in it starts no second address."""
    found = re.fullmatch(r"(?:(?P<name>[^<>\r\n]*)<(?P<email>[^<>\s]+)>|(?P<only>[^<>\s]+))", text.strip())
    if found is None:
        raise ImproperlyConfigured("DEFAULT_FROM_EMAIL isn't a sender. Write Name <address> or an address.")
    email = found["email"] or found["only"]
    if not re.fullmatch(r"[^@\s,;]+@[^@\s,;]+", email):
        raise ImproperlyConfigured("DEFAULT_FROM_EMAIL has no e-mail address. Write Name <address>.")
    name = (found["name"] or "").strip()
    if re.fullmatch(r'".*"', name):
        name = re.sub(r"\\(.)", r"\1", name[1:-1]).strip()
    if not name:
        return email
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{email}>' if re.search(r"[^\w\s'’–-]", name) else f"{name} <{email}>"


vars().update(email_settings(env.str("EMAIL_URL", "consolemail://")))
# Seconds for one answer of the mail server. The limit of a whole conversation is in parts/remote.py.
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = sender_address(env.str("DEFAULT_FROM_EMAIL", "Tessera <hello@tessera.example>"))
SERVER_EMAIL = DEFAULT_FROM_EMAIL
