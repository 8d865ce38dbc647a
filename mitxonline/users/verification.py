"""Proof that someone reads the mail of an address: a signed link that ends.

Nothing is stored for it. The link names the person and the address it was sent to, so it means nothing any
more once the address has changed, and using it twice is using it once.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core import signing
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import User

_SALT = "users.email-verification"
CONNECT_SALT = "users.connect-sign-in"


class LinkUnusable(DomainError):
    """The link is damaged, has ended, or was sent to an address the person no longer has."""

    code = "link_unusable"
    status = 410
    heading = _("This is gone")
    message = _("This link has expired.")
    advice = _("Sign in and ask for a new one on your account page.")
    retry_url = "/account/"


def make_token(user: User) -> str:
    """What stands in the link sent to the person's present address."""
    return signing.dumps({"user": user.pk, "email": user.email}, salt=_SALT)


def make_connect_token(user: User, *, asked: str) -> str:
    """What stands in the link that connects a sign-in; `asked` names what was asked for, in one browser."""
    return signing.dumps({"user": user.pk, "email": user.email, "asked": asked}, salt=CONNECT_SALT)


def read_token(token: str) -> User:
    """Whose link it is; LinkUnusable after `EMAIL_VERIFICATION_SECONDS` or for another address."""
    try:
        content = signing.loads(token, salt=_SALT, max_age=settings.EMAIL_VERIFICATION_SECONDS)
    except signing.BadSignature:
        raise LinkUnusable from None
    user = User.objects.filter(pk=content["user"], email=content["email"], is_active=True).first()
    if user is None:
        raise LinkUnusable
    return user


def verify_email(*, token: str, now: datetime) -> User:
    """Write down that the address is the person's own; the first time is kept."""
    user = read_token(token)
    User.objects.filter(pk=user.pk, email=user.email, email_verified_at=None).update(email_verified_at=now)
    return user
