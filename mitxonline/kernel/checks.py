"""System checks of what the environment sets."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@register("mail", deploy=True)
def check_mail_password(**_kwargs: Any) -> list[CheckMessage]:
    is_open = not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL)
    if settings.EMAIL_HOST_PASSWORD and is_open and settings.EMAIL_HOST not in _LOOPBACK:
        return [
            Warning(
                f"The password for the mail server {settings.EMAIL_HOST} goes over the network as it is.",
                hint="Begin EMAIL_URL with smtp+tls:// (port 587) or smtp+ssl:// (port 465).",
                id="kernel.W001",
            )
        ]
    return []
