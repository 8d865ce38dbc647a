"""Client of Keycloak's admin API for organizations and their members, with a service account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

from django.conf import settings
from keycloak import KeycloakAdmin, KeycloakOpenIDConnection
from keycloak.exceptions import (
    HTTP_BAD_REQUEST,
    HTTP_CONFLICT,
    HTTP_FORBIDDEN,
    HTTP_NOT_FOUND,
    HTTP_UNAUTHORIZED,
    KeycloakAuthenticationError,
    KeycloakConnectionError,
    KeycloakError,
)
from requests import PreparedRequest

from b2b.errors.organizations import (
    KeycloakAddDenied,
    KeycloakDenied,
    KeycloakNotConfigured,
    KeycloakOrganizationsOff,
    KeycloakOrganizationUnreadable,
    KeycloakPersonUnknown,
    KeycloakReadDenied,
    KeycloakSecretWrong,
    KeycloakUnavailable,
)
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.remote import RemoteSession

LONGEST = 255
# The name of the admin API in reports about remote systems.
REMOTE = "keycloak-admin"
# Set all of them, or none to switch synchronization off.
KEYCLOAK_SETTINGS = ("KEYCLOAK_URL", "KEYCLOAK_REALM", "KEYCLOAK_CLIENT_ID", "KEYCLOAK_CLIENT_SECRET")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RemoteOrganization:
    keycloak_id: UUID
    alias: str
    name: str
    description: str
    enabled: bool


def read_organization(raw: Any) -> RemoteOrganization:
    """Parse one organization; raises KeycloakOrganizationUnreadable without an id, alias or name."""
    if not isinstance(raw, Mapping):
        raise KeycloakOrganizationUnreadable(name="?")
    label = _text(str(raw.get("alias") or raw.get("name"))) or "?"
    keycloak_id = keycloak_id_of(raw)
    alias, name = (_text(raw.get(key)) for key in ("alias", "name"))
    if keycloak_id is None or not alias or not name:
        raise KeycloakOrganizationUnreadable(name=label)
    return RemoteOrganization(
        keycloak_id=keycloak_id,
        alias=alias,
        name=name,
        description=_text(raw.get("description"), longest=None),
        enabled=raw.get("enabled") is not False,
    )


def keycloak_id_of(raw: Any) -> UUID | None:
    """Return the id, or None if this isn't an organization."""
    try:
        return UUID(raw["id"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


class KeycloakGateway:
    """The admin API of one realm. Every call has a timeout and is refused inside a transaction."""

    def __init__(self, *, url: str, realm: str, client_id: str, client_secret: str, timeout: int) -> None:
        self._url = url
        self._realm = realm
        self._client_id = client_id
        self._client_secret = client_secret
        self._timeout = timeout

    @classmethod
    def from_settings(cls) -> Self:
        """Return the gateway of this site; raises KeycloakNotConfigured with the names of missing settings."""
        missing = tuple(name for name in KEYCLOAK_SETTINGS if not getattr(settings, name))
        if missing:
            raise KeycloakNotConfigured(missing=missing)
        return cls(
            url=settings.KEYCLOAK_URL,
            realm=settings.KEYCLOAK_REALM,
            client_id=settings.KEYCLOAK_CLIENT_ID,
            client_secret=settings.KEYCLOAK_CLIENT_SECRET,
            timeout=settings.KEYCLOAK_TIMEOUT,
        )

    def organizations(self) -> list[Any]:
        """Return all organizations as Keycloak describes them, for `read_organization`. The client reads all pages.

        Raises KeycloakUnavailable, KeycloakSecretWrong, KeycloakReadDenied, KeycloakOrganizationsOff.
        """
        return self._organizations()

    def check_organizations(self) -> None:
        """Check that the realm has organizations enabled; raises what `organizations` raises."""
        self._organizations({"first": 0, "max": 1})

    def _organizations(self, query: dict[str, Any] | None = None) -> list[Any]:
        admin = self._admin
        try:
            return self._call(lambda: admin.get_organizations(query), refusal=KeycloakReadDenied, is_judged=True)
        except _RequestRefused as answer:
            # The realm has issued a token, so a 404 means that organizations are off.
            if answer.http_status == HTTP_NOT_FOUND:
                raise KeycloakOrganizationsOff(realm=self._realm) from answer
            raise KeycloakUnavailable from answer

    def add_member(self, *, organization_id: UUID, subject: str) -> bool:
        """Add a person to an organization; return False if they were in it already.

        Raises KeycloakPersonUnknown if Keycloak has no such person or organization, KeycloakUnavailable,
        KeycloakSecretWrong, KeycloakAddDenied.
        """
        admin = self._admin
        try:
            self._call(
                lambda: admin.organization_user_add(subject, str(organization_id)),
                refusal=KeycloakAddDenied,
                is_judged=True,
            )
        except _RequestRefused as answer:
            if answer.http_status == HTTP_CONFLICT:
                return False
            raise KeycloakPersonUnknown from answer
        return True

    def connect(self) -> None:
        """Fetch a token and nothing else; raises KeycloakUnavailable, KeycloakSecretWrong."""
        _ = self._admin

    def check_adding(self, *, organization_id: UUID) -> None:
        """Check that the account may add people to an organization, without adding anyone.

        Keycloak checks roles before it looks for the person. A random id is therefore "unknown" to an account with the
        roles, and "denied" to one without. Raises what `add_member` raises, except KeycloakPersonUnknown.
        """
        with suppress(KeycloakPersonUnknown):
            self.add_member(organization_id=organization_id, subject=str(uuid4()))

    @cached_property
    def _admin(self) -> KeycloakAdmin:
        connection = KeycloakOpenIDConnection(
            server_url=f"{self._url}/",
            realm_name=self._realm,
            client_id=self._client_id,
            client_secret_key=self._client_secret,
            timeout=self._timeout,
            max_retries=0,  # the worker repeats the whole task instead
        )
        # The library has no public way to set its session. Tokens are requested through the second connection.
        for each in (connection, connection.keycloak_openid.connection):
            each._s = _session()
        # A separate call, so that a missing realm isn't mistaken for an unknown person.
        self._call(connection.get_token, refusal=KeycloakSecretWrong)
        return KeycloakAdmin(connection=connection)

    def _call(self, request: Callable[[], Answer], *, refusal: type[KeycloakDenied], is_judged: bool = False) -> Answer:
        """Call Keycloak and translate its errors; with `is_judged`, 400, 404 and 409 raise _RequestRefused."""
        if in_transaction():
            raise RuntimeError("Don't call Keycloak inside a transaction")
        try:
            return request()
        except KeycloakConnectionError as error:
            raise KeycloakUnavailable from error
        except KeycloakError as error:
            code = error.response_code
            if isinstance(error, KeycloakAuthenticationError) or code == HTTP_UNAUTHORIZED:
                raise KeycloakSecretWrong(client_id=self._client_id, realm=self._realm) from error
            if code == HTTP_FORBIDDEN:
                raise refusal(client_id=self._client_id, realm=self._realm) from error
            if is_judged and code in (HTTP_BAD_REQUEST, HTTP_NOT_FOUND, HTTP_CONFLICT):
                raise _RequestRefused(http_status=code) from error
            raise KeycloakUnavailable from error
        except (TypeError, ValueError, KeyError) as error:
            # Something other than Keycloak answered.
            raise KeycloakUnavailable from error


class _RequestRefused(KeycloakUnavailable):
    """Keycloak refused this request: the person or organization doesn't exist, or the person is already in it."""

    http_status: int


@cache
def _session() -> RemoteSession:
    session = RemoteSession(REMOTE)
    session.auth = _ignore_netrc
    return session


def _ignore_netrc(request: PreparedRequest) -> PreparedRequest:
    """Keep requests from adding credentials it finds in a .netrc file."""
    return request


def _text(value: Any, *, longest: int | None = LONGEST) -> str:
    if not isinstance(value, str):
        return ""
    # JSON can contain lone surrogates, which no database accepts.
    return value.encode(errors="ignore").decode().replace("\0", "").strip()[:longest]
