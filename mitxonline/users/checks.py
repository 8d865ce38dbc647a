"""System checks of how sign-in is configured."""

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
    return [
        *_check_providers_are_complete(),
        *_check_someone_can_sign_in(),
        *_check_https(),
        *_check_scopes(),
        *_check_roles(),
    ]


def _check_providers_are_complete() -> Iterator[CheckMessage]:
    for prefix, parts in REQUIRED_SETTINGS.items():
        missing = missing_settings(prefix)
        if missing and len(missing) < len(parts):
            yield Error(
                f"A provider is configured only in part: {', '.join(missing)} must not be empty.",
                hint="Set what is missing, or none of the provider's settings.",
                id="users.E001",
            )


def _check_someone_can_sign_in() -> Iterator[CheckMessage]:
    if not settings.LOCAL_ACCOUNTS and not providers():
        yield Error(
            "No one can sign in: LOCAL_ACCOUNTS is off and no provider is configured.",
            hint="Set SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT, _KEY and _SECRET, or leave LOCAL_ACCOUNTS on.",
            id="users.E002",
        )


def _check_https() -> Iterator[CheckMessage]:
    for name in ("SOCIAL_AUTH_KEYCLOAK_ISSUER", "SOCIAL_AUTH_EDX_OAUTH2_PUBLIC_URL_ROOT"):
        address = urlsplit(getattr(settings, name))
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            yield Warning(
                f"{name} isn't https, so anyone who can read the traffic could sign in as someone else.",
                hint="Give the provider a certificate and use its https address.",
                id="users.W001",
            )


def _check_scopes() -> Iterator[CheckMessage]:
    scopes = [each for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if each.partition(":")[0] == "organization"]
    narrow = [each for each in scopes if each != "organization:*"]
    if len(scopes) == 1 and narrow:
        rest = [each for each in settings.SOCIAL_AUTH_KEYCLOAK_SCOPE if each not in narrow]
        yield Error(
            f"SOCIAL_AUTH_KEYCLOAK_SCOPE asks for {narrow[0]}, which doesn't name all organizations of a person, so no "
            "one could be found to have left one.",
            hint=f"Write SOCIAL_AUTH_KEYCLOAK_SCOPE={' '.join(['organization:*', *rest])}, or leave it empty.",
            id="users.E005",
        )
    if len(scopes) > 1:
        yield Error(
            "SOCIAL_AUTH_KEYCLOAK_SCOPE asks for organizations twice, which Keycloak answers with an error.",
            hint="Keep only organization:*.",
            id="users.E003",
        )


def _check_roles() -> Iterator[CheckMessage]:
    for name in ("KEYCLOAK_STAFF_ROLES", "EDX_STAFF_ROLES"):
        empty = [role for role, rights in getattr(settings, name).items() if not role or not rights]
        if empty:
            yield Error(
                f"{name} has a role without rights: {', '.join(empty) or '(no name)'}.",
                hint="Write role=Group, role=Group+staff or role=superuser, separated by commas.",
                id="users.E004",
            )
