"""Registering, confirming an e-mail address, resetting a password."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from mitxonline.users import mails
from mitxonline.users.models import User
from mitxonline.users.sso.connections import connections_of


def register(*, email: str, name: str, password: str, now: datetime) -> User | None:
    """Create an account and send a link to confirm its address. Return None if the address has an account."""
    # Of two registrations at the same moment, the unique constraint lets one through.
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name.strip(), date_joined=now)
    except IntegrityError:
        return None
    mails.queue_account_email(mails.VERIFY, user=user)
    return user


def remind_of_account(*, email: str, next_page: str = "") -> None:
    """Tell the owner of the address, and no one else, that they have an account and how to sign in."""
    if user := User.objects.with_email(email).filter(is_active=True).first():
        mails.queue_account_email(mails.ALREADY_REGISTERED, user=user, next_page=next_page)


def request_password_reset(*, email: str, next_page: str = "") -> None:
    """Send a link to reset the password, or say how to sign in to a person who does so only through a provider."""
    user = User.objects.with_email(email).filter(is_active=True).first()
    if user is None:
        return
    if user.has_usable_password():
        mails.queue_account_email(mails.RESET, user=user, next_page=next_page)
    elif any(each.id for each in connections_of(user)):
        mails.queue_account_email(mails.NO_PASSWORD, user=user, next_page=next_page)


def request_verification(*, user: User) -> bool:
    """Send the link to confirm the address again. Return False if the address is confirmed."""
    if user.is_email_verified:
        return False
    mails.queue_account_email(mails.VERIFY, user=user)
    return True


def record_password_reset(*, user: User, now: datetime) -> None:
    """Confirm the address too: the link to reset the password was sent there."""
    User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=now)


def rename(*, user_id: int, name: str) -> User:
    """Set a person's name, as the account page does. Return them."""
    user = User.objects.get(pk=user_id)
    user.name = name
    user.save(update_fields=["name"])
    return user
