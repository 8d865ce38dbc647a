"""Who calls: a person by their session, an API key or a token of our provider, a service, or nobody.

An operation says who may call it at all by `auth`: `subject.signed_in` (which its router has already), or
`subject.anyone`. What exactly a person may see and do is decided where it is decided for pages: in selectors and
services, which get `request.user`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from ninja.utils import check_csrf

from api.http.errors import CsrfMissing, NotSignedIn
from mitxonline.users.models import User


class Means(StrEnum):
    """By what we know a caller."""

    SESSION = "session"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request."""

    means: Means
    user: User | AnonymousUser


@dataclass(frozen=True, slots=True)
class Door:
    """Lets callers in, or refuses them. Ninja calls it before an operation."""

    subject: str
    is_open: bool

    def __call__(self, request: HttpRequest) -> Caller:
        caller = find_caller(request)
        if caller.means is Means.NOTHING and not self.is_open:
            raise NotSignedIn
        return caller


@dataclass(frozen=True, slots=True)
class ApiSubject:
    """What operations are about; keys are given for subjects."""

    name: str

    @property
    def signed_in(self) -> Door:
        return Door(self.name, is_open=False)

    @property
    def anyone(self) -> Door:
        return Door(self.name, is_open=True)


ACCOUNTS = ApiSubject("accounts")
CATALOG = ApiSubject("catalog")
COMMERCE = ApiSubject("commerce")
CONTRACTS = ApiSubject("contracts")
LEARNING = ApiSubject("learning")


def find_caller(request: HttpRequest) -> Caller:
    """Return who calls. Raises a refusal for a session whose request another site may have forged."""
    user = request.user
    if isinstance(user, AnonymousUser):
        return Caller(Means.NOTHING, user)
    if not getattr(request, "_ninja_csrf_exempt", False) and check_csrf(request) is not None:
        raise CsrfMissing
    return Caller(Means.SESSION, user)


def person(request: HttpRequest) -> User:
    """Return the person who calls. The operation's door has let nobody else in."""
    user = request.user
    if isinstance(user, AnonymousUser):
        raise NotSignedIn
    return user
