"""Connecting an account that has rights, by a link mailed to the account's own address.

The browser that was at the provider keeps who was there in its session. The link names the account, its address and
the request it answers, signed. Only both together connect. So a link does nothing that is forwarded, scanned, or sent
to the owner because a stranger at the provider asked for it: it is opened in a browser that doesn't know the identity.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.urls import reverse

from mitxonline.users import mails
from mitxonline.users.models import User
from mitxonline.users.sso.accounts import AccountMatch, connect_account
from mitxonline.users.sso.errors import ConnectLinkUnusable, SignedInAsOther
from mitxonline.users.sso.identity import ProviderIdentity
from mitxonline.users.sso.providers import Provider, find_provider
from mitxonline.users.verification import CONNECT_SALT

_SESSION = "users.waits_for_connecting"


@dataclass(frozen=True, slots=True)
class PendingConnection:
    """A person whom a provider vouched for in this browser. `asked` names the last link they asked for, if any."""

    identity: ProviderIdentity
    provider: Provider
    next_page: str
    came_at: datetime
    asked: str = ""


def keep_pending(
    request: HttpRequest, *, identity: ProviderIdentity, provider: Provider, next_page: str, now: datetime
) -> None:
    """Remember a person who came from the provider, in place of any before them."""
    _save(request, PendingConnection(identity, provider, next_page, came_at=now))


def find_pending(request: HttpRequest, *, now: datetime) -> PendingConnection | None:
    """Return the person remembered in this browser, for `CONNECT_LINK_SECONDS`."""
    content: Any = request.session.get(_SESSION)
    if not content:
        return None
    came_at = datetime.fromisoformat(content["came_at"])
    identity = ProviderIdentity(**content["identity"])
    provider = find_provider(identity.provider)
    if provider is None or (now - came_at).total_seconds() >= settings.CONNECT_LINK_SECONDS:
        return None
    return PendingConnection(identity, provider, content["next_page"], came_at, content["asked"])


def send_link(request: HttpRequest, pending: PendingConnection) -> None:
    """Mail a link to the account with the address that the provider verified. An earlier link stops working."""
    asked = token_urlsafe(16)
    user = User.objects.with_email(pending.identity.email).filter(is_active=True).first()
    if user is not None:
        mails.queue_account_email(mails.CONNECT, user=user, asked=asked, provider=pending.provider.name)
    _save(request, replace(pending, asked=asked))


def read_link(request: HttpRequest, token: str, *, now: datetime) -> tuple[PendingConnection, User]:
    """Return the person and the account that the link connects.

    Raises ConnectLinkUnusable, and SignedInAsOther for a link of another account than the one signed in.
    """
    pending = find_pending(request, now=now)
    try:
        content = signing.loads(token, salt=CONNECT_SALT, max_age=settings.CONNECT_LINK_SECONDS)
    except signing.BadSignature:
        raise ConnectLinkUnusable from None
    if pending is None or not pending.asked or content["asked"] != pending.asked:
        raise ConnectLinkUnusable
    user = User.objects.filter(pk=content["user"], email=content["email"], is_active=True).first()
    if user is None or user.email != pending.identity.email:
        raise ConnectLinkUnusable
    if request.user.is_authenticated and request.user.pk != user.pk:
        raise SignedInAsOther(email=request.user.email, retry_url=reverse("logout"))
    return pending, user


def connect_pending(request: HttpRequest, pending: PendingConnection, user: User, *, now: datetime) -> AccountMatch:
    """Connect the person with the account and use the link up. Raises SignInRefused if things have changed since."""
    match = connect_account(pending.identity, user_id=user.pk, title=pending.provider.title, now=now, by_mail=True)
    del request.session[_SESSION]
    return match


def _save(request: HttpRequest, pending: PendingConnection) -> None:
    request.session[_SESSION] = {
        "identity": asdict(pending.identity),
        "next_page": pending.next_page,
        "came_at": pending.came_at.isoformat(),
        "asked": pending.asked,
    }
