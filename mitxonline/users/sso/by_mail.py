"""Connecting an account that has rights by a link mailed to its own address.

Who is at the provider is kept in the session of the browser that was there; the link names the account, its address and
what was asked for, signed. Both together connect: a link forwarded, scanned or sent to the owner by a stranger at the
provider is opened in a browser that doesn't know the identity, and nothing of it is a secret that could be stolen here.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest

from mitxonline.users import mails
from mitxonline.users.models import User
from mitxonline.users.sso import linking
from mitxonline.users.sso.claims import Identity
from mitxonline.users.sso.errors import ConnectLinkUnusable, SignedInAsOther
from mitxonline.users.sso.linking import Known
from mitxonline.users.sso.providers import Provider, find_provider
from mitxonline.users.verification import CONNECT_SALT

_SESSION = "users.waits_for_connecting"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Someone a provider vouched for in this browser, and the last link they asked for, if they did."""

    identity: Identity
    provider: Provider
    next_page: str
    came_at: datetime
    asked: str = ""


def keep_waiting(
    request: HttpRequest, *, identity: Identity, provider: Provider, next_page: str, now: datetime
) -> None:
    """Remember who came from the provider; the one before them is forgotten, and their link with them."""
    _write(request, Waiting(identity, provider, next_page, came_at=now))


def waiting_in(request: HttpRequest, *, now: datetime) -> Waiting | None:
    """Who waits in this browser; no one who came longer ago than `CONNECT_LINK_SECONDS`."""
    content: Any = request.session.get(_SESSION)
    if not content:
        return None
    came_at = datetime.fromisoformat(content["came_at"])
    identity = Identity(**content["identity"])
    provider = find_provider(identity.provider)
    if provider is None or (now - came_at).total_seconds() >= settings.CONNECT_LINK_SECONDS:
        return None
    return Waiting(identity, provider, content["next_page"], came_at, content["asked"])


def send_link(request: HttpRequest, waiting: Waiting) -> None:
    """Mail a new link to the account with the address the provider verified; an earlier link ends."""
    asked = token_urlsafe(16)
    user = User.objects.with_email(waiting.identity.email).filter(is_active=True).first()
    if user is not None:
        mails.queue_account_email(mails.CONNECT, user=user, asked=asked, provider=waiting.provider.name)
    _write(request, replace(waiting, asked=asked))


def read_link(request: HttpRequest, token: str, *, now: datetime) -> tuple[Waiting, User]:
    """Whose account the link connects with whom; ConnectLinkUnusable, or SignedInAsOther for someone else's."""
    waiting = waiting_in(request, now=now)
    try:
        content = signing.loads(token, salt=CONNECT_SALT, max_age=settings.CONNECT_LINK_SECONDS)
    except signing.BadSignature:
        raise ConnectLinkUnusable from None
    if waiting is None or not waiting.asked or content["asked"] != waiting.asked:
        raise ConnectLinkUnusable
    user = User.objects.filter(pk=content["user"], email=content["email"], is_active=True).first()
    if user is None or user.email != waiting.identity.email:
        raise ConnectLinkUnusable
    if request.user.is_authenticated and request.user.pk != user.pk:
        raise SignedInAsOther(request.user.email)
    return waiting, user


def connect(request: HttpRequest, waiting: Waiting, user: User, *, now: datetime) -> Known:
    """Connect what the link says; it is used up by that. SignInRefused where things have changed meanwhile."""
    known = linking.connect(waiting.identity, user_id=user.pk, title=waiting.provider.title, now=now, by_mail=True)
    del request.session[_SESSION]
    return known


def _write(request: HttpRequest, waiting: Waiting) -> None:
    request.session[_SESSION] = {
        "identity": asdict(waiting.identity),
        "next_page": waiting.next_page,
        "came_at": waiting.came_at.isoformat(),
        "asked": waiting.asked,
    }
