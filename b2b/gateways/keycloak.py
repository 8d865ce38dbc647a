"""Keycloak's admin API, with a service account: its organizations, and who belongs to them."""

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
# What the admin API is called where we say whether it answers.
REMOTE = "keycloak-admin"
# All of them, or none: then nothing is synchronized.
KEYCLOAK_SETTINGS = ("KEYCLOAK_URL", "KEYCLOAK_REALM", "KEYCLOAK_CLIENT_ID", "KEYCLOAK_CLIENT_SECRET")

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class RemoteOrganization:
    """An organization as Keycloak has it."""

    keycloak_id: UUID
    alias: str
    name: str
    description: str
    enabled: bool


def read_organization(raw: Any) -> RemoteOrganization:
    """What Keycloak says about one organization; KeycloakOrganizationUnreadable where id, alias or name is missing."""
    if not isinstance(raw, Mapping):
        raise KeycloakOrganizationUnreadable(name="?")
    named = _text(str(raw.get("alias") or raw.get("name"))) or "?"
    keycloak_id = keycloak_id_of(raw)
    alias, name = (_text(raw.get(key)) for key in ("alias", "name"))
    if keycloak_id is None or not alias or not name:
        raise KeycloakOrganizationUnreadable(name=named)
    return RemoteOrganization(
        keycloak_id=keycloak_id,
        alias=alias,
        name=name,
        description=_text(raw.get("description"), longest=None),
        enabled=raw.get("enabled") is not False,
    )


def keycloak_id_of(raw: Any) -> UUID | None:
    """The id of what may be an organization."""
    try:
        return UUID(raw["id"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


class KeycloakGateway:
    """One conversation with the admin API of one realm. Every call has a time limit, and none is in a transaction."""

    def __init__(self, *, url: str, realm: str, client_id: str, client_secret: str, timeout: int) -> None:
        self._url = url
        self._realm = realm
        self._client_id = client_id
        self._client_secret = client_secret
        self._timeout = timeout

    @classmethod
    def from_settings(cls) -> Self:
        """The Keycloak this site is connected to; KeycloakNotConfigured names the settings that are missing."""
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
        """All organizations, page by page, as Keycloak describes them; each is for ``read_organization``.

        Raises KeycloakUnavailable, KeycloakSecretWrong, KeycloakReadDenied, KeycloakOrganizationsOff.
        """
        return self._organizations()

    def check_organizations(self) -> None:
        """Find out whether the realm has organizations on, by asking for one. Raises what ``organizations`` raises."""
        self._organizations({"first": 0, "max": 1})

    def _organizations(self, query: dict[str, Any] | None = None) -> list[Any]:
        admin = self._admin
        try:
            return self._ask(lambda: admin.get_organizations(query), refusal=KeycloakReadDenied, is_judged=True)
        except _Answered as answer:
            # The token came from the realm, so the realm is there.
            if answer.http_status == HTTP_NOT_FOUND:
                raise KeycloakOrganizationsOff(realm=self._realm) from answer
            raise KeycloakUnavailable from answer

    def add_member(self, *, organization_id: UUID, subject: str) -> bool:
        """Add a person to an organization; whether they were not in it before, so that doing it twice is the same.

        Raises KeycloakPersonUnknown where Keycloak has no such person or organization (any more), KeycloakUnavailable,
        KeycloakSecretWrong, KeycloakAddDenied.
        """
        admin = self._admin
        try:
            self._ask(
                lambda: admin.organization_user_add(subject, str(organization_id)),
                refusal=KeycloakAddDenied,
                is_judged=True,
            )
        except _Answered as answer:
            if answer.http_status == HTTP_CONFLICT:
                return False
            raise KeycloakPersonUnknown from answer
        return True

    def connect(self) -> None:
        """Fetch a token, and no more. Raises KeycloakUnavailable, KeycloakSecretWrong."""
        _ = self._admin

    def check_adding(self, *, organization_id: UUID) -> None:
        """Find out whether people may be added to an organization, without adding anyone.

        Keycloak looks at the roles before it looks for the person: one whom it can't have is unknown to an account
        that may add, and refused to one that may not. Raises what ``add_member`` raises, but for the unknown person.
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
            max_retries=0,  # whoever asked is asked again by the worker
        )
        # The library has no other way to a client of one's own. Both: tokens are asked for through the second.
        for each in (connection, connection.keycloak_openid.connection):
            each._s = _session()
        # By itself, so that a realm that isn't there is not taken for a person who isn't.
        self._ask(connection.get_token, refusal=KeycloakSecretWrong)
        return KeycloakAdmin(connection=connection)

    def _ask(self, question: Callable[[], Answer], *, refusal: type[KeycloakDenied], is_judged: bool = False) -> Answer:
        """Ask, and say what went wrong in our own words; where ``is_judged``, 400, 404 and 409 are the caller's."""
        if in_transaction():
            raise RuntimeError("Keycloak is never asked inside a transaction")
        try:
            return question()
        except KeycloakConnectionError as error:
            raise KeycloakUnavailable from error
        except KeycloakError as error:
            code = error.response_code
            if isinstance(error, KeycloakAuthenticationError) or code == HTTP_UNAUTHORIZED:
                raise KeycloakSecretWrong(client_id=self._client_id, realm=self._realm) from error
            if code == HTTP_FORBIDDEN:
                raise refusal(client_id=self._client_id, realm=self._realm) from error
            if is_judged and code in (HTTP_BAD_REQUEST, HTTP_NOT_FOUND, HTTP_CONFLICT):
                raise _Answered(code) from error
            raise KeycloakUnavailable from error
        except (TypeError, ValueError, KeyError) as error:
            # Something that is no Keycloak answered.
            raise KeycloakUnavailable from error


class _Answered(KeycloakUnavailable):
    """Keycloak understood, and refused this one thing: the person or the organization isn't there, or is in it."""

    def __init__(self, http_status: int) -> None:
        self.http_status = http_status
        super().__init__()


@cache
def _session() -> RemoteSession:
    session = RemoteSession(REMOTE)
    session.auth = _no_auth
    return session


def _no_auth(request: PreparedRequest) -> PreparedRequest:
    """Keeps requests from adding what it finds in a .netrc."""
    return request


def _text(value: Any, *, longest: int | None = LONGEST) -> str:
    if not isinstance(value, str):
        return ""
    # Half a pair of surrogates can stand in JSON and in no database.
    return value.encode(errors="ignore").decode().replace("\0", "").strip()[:longest]
