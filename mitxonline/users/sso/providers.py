"""Which providers this site has, by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from mitxonline.kernel.shop import current_shop

KEYCLOAK, EDX = "keycloak", "edx-oauth2"
_BACKENDS = {
    KEYCLOAK: "mitxonline.users.sso.keycloak.KeycloakBackend",
    EDX: "mitxonline.users.sso.edx.EdxBackend",
}
# The settings that make a provider, by the beginning of their names.
REQUIRED_SETTINGS = {
    "SOCIAL_AUTH_KEYCLOAK": ("OIDC_ENDPOINT", "KEY", "SECRET"),
    "SOCIAL_AUTH_EDX_OAUTH2": ("URL_ROOT", "KEY", "SECRET"),
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A service that says who someone is. People know it by its `title`."""

    name: str
    title: str

    @property
    def begin_url(self) -> str:
        return reverse("sso_begin", args=[self.name])


def providers() -> tuple[Provider, ...]:
    """Return the configured providers in the order of their buttons."""
    titles = {KEYCLOAK: settings.SOCIAL_AUTH_KEYCLOAK_NAME, EDX: settings.SOCIAL_AUTH_EDX_OAUTH2_NAME}
    installed = [name for name in titles if _BACKENDS[name] in settings.AUTHENTICATION_BACKENDS]
    # The course site's backend is always there, because a site may store its client.
    return tuple(Provider(name, titles[name]) for name in installed if name != EDX or current_shop().has_sign_in)


def find_provider(name: str) -> Provider | None:
    return next((each for each in providers() if each.name == name), None)


def only_provider() -> Provider | None:
    """Return the provider if it is the only way to sign in."""
    if settings.LOCAL_ACCOUNTS:
        return None
    configured = providers()
    return configured[0] if len(configured) == 1 else None


def missing_settings(prefix: str) -> list[str]:
    """Return which settings of a provider are empty."""
    names = (f"{prefix}_{part}" for part in REQUIRED_SETTINGS[prefix])
    return [name for name in names if not getattr(settings, name)]
