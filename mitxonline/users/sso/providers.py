"""Which providers this site has, by what its environment says."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

KEYCLOAK, EDX = "keycloak", "edx-oauth2"
_CLASSES = {
    KEYCLOAK: "mitxonline.users.sso.keycloak.KeycloakBackend",
    EDX: "mitxonline.users.sso.edx.EdxBackend",
}


@dataclass(frozen=True, slots=True)
class Provider:
    """Someone who can say who a visitor is. `title` is what people call it."""

    name: str
    title: str

    @property
    def begin_url(self) -> str:
        """Where the button leads."""
        return reverse("sso_begin", args=[self.name])

    @property
    def backend_path(self) -> str:
        """The class that speaks with it, as Django's sessions name it."""
        return _CLASSES[self.name]


def providers() -> tuple[Provider, ...]:
    """The providers that are configured, in the order their buttons stand in."""
    titles = {KEYCLOAK: settings.SOCIAL_AUTH_KEYCLOAK_NAME, EDX: settings.SOCIAL_AUTH_EDX_OAUTH2_NAME}
    return tuple(Provider(name, titles[name]) for name in titles if _CLASSES[name] in settings.AUTHENTICATION_BACKENDS)


def find_provider(name: str) -> Provider | None:
    """The provider of that name, if it is configured."""
    return next((each for each in providers() if each.name == name), None)


def only_provider() -> Provider | None:
    """The one way in, where there is no other: then there is nothing to choose."""
    if settings.LOCAL_ACCOUNTS:
        return None
    known = providers()
    return known[0] if len(known) == 1 else None
