"""Who calls: a person by their session or a token of our provider, a service by a token of its own, or nobody.

An operation says who may call it at all by `auth`: `subject.signed_in` (which its router has already), `subject.anyone`
or `subject.service(scope)`. What exactly a person may see and do is decided where it is decided for pages: in selectors
and services, which get `request.user`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from ninja.utils import check_csrf
from social_django.utils import load_strategy

from api.http.errors import BadCredentials, CredentialsUnclear, CsrfMissing, NotSignedIn
from mitxonline.kernel.errors import Forbidden
from mitxonline.users.models import User
from mitxonline.users.sso.access_token import KeysAway, read_access_token
from mitxonline.users.sso.connections import find_connected
from mitxonline.users.sso.keycloak import KeycloakBackend
from mitxonline.users.sso.providers import KEYCLOAK, find_provider
from mitxonline.users.sso.tokens import TokenRefused

logger = logging.getLogger(__name__)


class Means(StrEnum):
    """By what we know a caller."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105  # the name of a means
    SERVICE = "service"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. A service has scopes and is no person."""

    means: Means
    user: User | AnonymousUser
    scopes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Door:
    """Lets callers in, or refuses them. Ninja calls it before an operation."""

    subject: str
    is_open: bool = False
    scope: str = ""

    def __call__(self, request: HttpRequest) -> Caller:
        caller = find_caller(request)
        request.user = caller.user
        if self.scope:
            self._check_service(caller)
        elif not self.is_open and isinstance(caller.user, AnonymousUser):
            raise Forbidden if caller.means is Means.SERVICE else NotSignedIn
        return caller

    def _check_service(self, caller: Caller) -> None:
        if caller.means is Means.NOTHING:
            raise NotSignedIn
        if caller.means is not Means.SERVICE or self.scope not in caller.scopes:
            raise Forbidden


@dataclass(frozen=True, slots=True)
class ApiSubject:
    """What operations are about."""

    name: str

    @property
    def signed_in(self) -> Door:
        return Door(self.name)

    @property
    def anyone(self) -> Door:
        return Door(self.name, is_open=True)

    def service(self, scope: str) -> Door:
        """Let in services whose tokens have this scope, and no other callers."""
        return Door(self.name, scope=scope)


ACCOUNTS = ApiSubject("accounts")
CATALOG = ApiSubject("catalog")
COMMERCE = ApiSubject("commerce")
CONTRACTS = ApiSubject("contracts")
LEARNING = ApiSubject("learning")


def find_caller(request: HttpRequest) -> Caller:
    """Return the caller. A token decides alone: a session in the same request is ignored.

    Raises a refusal for a session whose request another site may have forged.
    """
    scheme, _space, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme:
        return _find_by_token(credentials) if scheme.lower() == "bearer" else _refuse(scheme)
    user = request.user
    if isinstance(user, AnonymousUser):
        return Caller(Means.NOTHING, user)
    if not getattr(request, "_ninja_csrf_exempt", False) and check_csrf(request) is not None:
        raise CsrfMissing
    return Caller(Means.SESSION, user)


def person(request: HttpRequest) -> User:
    """Return the person who calls. The operation must have refused all other callers before."""
    user = request.user
    if isinstance(user, AnonymousUser):
        raise NotSignedIn
    return user


def _find_by_token(text: str) -> Caller:
    if find_provider(KEYCLOAK) is None:
        return _refuse("no provider")
    backend = cast("KeycloakBackend", load_strategy().get_backend(KEYCLOAK))  # type: ignore[no-untyped-call]
    try:
        token = read_access_token(backend, text)
    except TokenRefused as refused:
        return _refuse(str(refused))
    except KeysAway as away:
        raise CredentialsUnclear from away
    if (user := find_connected(issuer=token.issuer, subject=token.subject)) is not None:
        return Caller(Means.TOKEN, user)
    if token.has_session:
        return _refuse("nobody here has connected this person")
    return Caller(Means.SERVICE, AnonymousUser(), token.scopes)


def _refuse(reason: str) -> Caller:
    logger.info("credentials refused", extra={"reason": reason})
    raise BadCredentials
