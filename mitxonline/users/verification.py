"""Signed links that prove that a person reads the mail of an address.

Nothing is stored for them. A link names the person and the address it was sent to, so it stops working when the address
changes, and using it twice makes no difference.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import EmailChange, User

_SALT = "users.email-verification"
CHANGE_SALT = "users.email-change"
CONNECT_SALT = "users.connect-sign-in"
DELETE_SALT = "users.delete-account"


class LinkUnusable(DomainError):
    """The link is damaged or expired, or was sent to an address that the person no longer has."""

    code = "link_unusable"
    status = 410
    heading = _("This link no longer works")
    message = _("This link has expired.")
    advice = _("Sign in and ask for a new one on your account page.")
    retry_url = "/account/"


def make_token(user: User) -> str:
    """Return the token of a link that confirms the person's current address."""
    return signing.dumps({"user": user.pk, "email": user.email}, salt=_SALT)


def make_connect_token(user: User, *, asked: str) -> str:
    """Return the token of a link that connects a sign-in. `asked` names the request, which one browser remembers."""
    return signing.dumps({"user": user.pk, "email": user.email, "asked": asked}, salt=CONNECT_SALT)


def make_delete_token(user: User) -> str:
    """Return the token of a link that confirms the deletion of an account, in place of a password."""
    return signing.dumps({"user": user.pk, "email": user.email}, salt=DELETE_SALT)


def refuse_delete_token(token: str, user: User) -> None:
    """Raise LinkUnusable unless the link was sent to this person, at most `DELETE_LINK_SECONDS` ago."""
    try:
        content = signing.loads(token, salt=DELETE_SALT, max_age=settings.DELETE_LINK_SECONDS)
    except signing.BadSignature:
        raise LinkUnusable from None
    if content != {"user": user.pk, "email": user.email}:
        raise LinkUnusable


def make_change_token(change: EmailChange, *, old_email: str, side: str) -> str:
    """Return the token of a link that confirms a change of address; `side` is the address it is sent to."""
    content = {"change": change.pk, "asked": change.asked_at.isoformat(), "side": side}
    content |= {"from": old_email, "email": change.new_email}
    return signing.dumps(content, salt=CHANGE_SALT)


def read_change_token(token: str) -> dict[str, Any]:
    """Return what the token says. Raises LinkUnusable, also after `EMAIL_VERIFICATION_SECONDS`."""
    try:
        content: dict[str, Any] = signing.loads(token, salt=CHANGE_SALT, max_age=settings.EMAIL_VERIFICATION_SECONDS)
    except signing.BadSignature:
        raise LinkUnusable from None
    return content


def read_token(token: str) -> User:
    """Return whose link it is. Raises LinkUnusable, also after `EMAIL_VERIFICATION_SECONDS`."""
    try:
        content = signing.loads(token, salt=_SALT, max_age=settings.EMAIL_VERIFICATION_SECONDS)
    except signing.BadSignature:
        raise LinkUnusable from None
    user = User.objects.filter(pk=content["user"], email=content["email"], is_active=True).first()
    if user is None:
        raise LinkUnusable
    return user


def verify_email(*, token: str, now: datetime) -> User:
    """Confirm the address of the link. Raises LinkUnusable. The time of the first confirmation is kept."""
    user = read_token(token)
    User.objects.filter(pk=user.pk, email=user.email, email_verified_at=None).update(email_verified_at=now)
    return user
