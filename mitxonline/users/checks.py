"""What is wrong with how sign-in is configured, told at every start and by `manage.py check`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from mitxonline.users.sso.providers import REQUIRED_SETTINGS, missing_settings, providers

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@register("sign_in")
def check_sign_in(**_kwargs: Any) -> list[CheckMessage]:
    """Half a provider, no way in at all, an address that can be listened to, roles that mean nothing."""
    return [*_half_providers(), *_no_way_in(), *_open_addresses(), *_scopes(), *_empty_roles()]


def _half_providers() -> Iterator[CheckMessage]:
    for prefix, parts in REQUIRED_SETTINGS.items():
        missing = missing_settings(prefix)
        if missing and len(missing) < len(parts):
            yield Error(
                f"This provider is configured in part: nothing stands in {', '.join(missing)}.",
                hint="Set what is missing, or none of it.",
                id="users.E001",
            )


def _no_way_in() -> Iterator[CheckMessage]:
    if not settings.LOCAL_ACCOUNTS and not providers():
        yield Error(
            "No one can sign in: LOCAL_ACCOUNTS is off and no provider is configured.",
            hint="Set SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT, _KEY and _SECRET, or leave LOCAL_ACCOUNTS on.",
            id="users.E002",
        )


def _open_addresses() -> Iterator[CheckMessage]:
    for name in ("SOCIAL_AUTH_KEYCLOAK_ISSUER", "SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT"):
        address = urlsplit(getattr(settings, name))
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            yield Warning(
                f"{name} is not https: whoever listens on the way could sign in as anyone.",
                hint="Give the provider a certificate and use its https address.",
                id="users.W001",
            )


def _scopes() -> Iterator[CheckMessage]:
    scopes = [each for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if each.partition(":")[0] == "organization"]
    narrow = [each for each in scopes if each != "organization:*"]
    if len(scopes) == 1 and narrow:
        rest = [each for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if each not in narrow]
        yield Error(
            f"SOCIAL_AUTH_KEYCLOAK_SCOPE asks for {narrow[0]}, which names one organization of someone who is in "
            "several: no one could be told to have left.",
            hint=f"Write SOCIAL_AUTH_KEYCLOAK_SCOPE={' '.join(['organization:*', *rest])}, or leave it empty.",
            id="users.E005",
        )
    if len(scopes) > 1:
        yield Error(
            "SOCIAL_AUTH_KEYCLOAK_SCOPE asks for organizations twice, which Keycloak answers with an error.",
            hint="Leave organization:* alone.",
            id="users.E003",
        )


def _empty_roles() -> Iterator[CheckMessage]:
    for name in ("KEYCLOAK_STAFF_ROLES", "EDX_STAFF_ROLES"):
        empty = [role for role, rights in getattr(settings, name).items() if not role or not rights]
        if empty:
            yield Error(
                f"{name} has a role without rights: {', '.join(empty) or '(no name)'}.",
                hint="Write role=Group, role=Group+staff or role=superuser, by commas.",
                id="users.E004",
            )
