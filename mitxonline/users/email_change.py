"""Changing the address of an account, confirmed at the old address and at the new one.

The old address: so that someone at an open session can't take the account away. The new one: so that no one gets codes
and receipts of someone else, or is locked out by a typo.

Who has no password to prove themselves with does it at the old address first: only then is the new one written to.
Signing in through a provider keeps the address until it changes there; then the account follows (`sso.accounts`).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from mitxonline.kernel import audit
from mitxonline.kernel.errors import DomainError
from mitxonline.users import mails
from mitxonline.users.models import EmailChange, User
from mitxonline.users.services import remind_of_account
from mitxonline.users.sso.connections import has_password
from mitxonline.users.verification import LinkUnusable, make_change_token, read_change_token

CHANGED = "users.email_changed"


class Side(StrEnum):
    OLD = "old"
    NEW = "new"


class AddressTaken(LinkUnusable):
    """Someone else has got an account with the new address since the change was asked for."""

    code = "address_taken"
    heading = _("Your address can’t be changed")
    message = _("The new address can’t be used for this account.")
    advice = _("Sign in with your old address and choose another one.")


class AddressUnchanged(DomainError):
    code = "address_unchanged"
    message = _("This is already the address of your account.")


def ask_email_change(*, user: User, new_email: str, now: datetime) -> None:
    """Send a link to both addresses; without a password, to the new one once the old one is confirmed.

    Raises AddressUnchanged. Whether the new address has an account is told to its owner alone, by e-mail.
    """
    if new_email == user.email:
        raise AddressUnchanged
    with transaction.atomic():
        change, _is_new = EmailChange.objects.update_or_create(
            user=user,
            defaults={"new_email": new_email, "asked_at": now, "old_confirmed_at": None, "new_confirmed_at": None},
        )
        _queue_link(change, user, Side.OLD)
        if has_password(user):
            _write_to_new_address(change, user)


def find_email_change(token: str) -> tuple[EmailChange, Side]:
    """Return the change a link is about and the address it was sent to.

    Raises LinkUnusable, also if the account has another address by now: who reads the old one isn't its owner then.
    """
    content = read_change_token(token)
    change = EmailChange.objects.select_related("user").filter(pk=content["change"], user__is_active=True).first()
    if change is None or change.new_email != content["email"] or change.asked_at.isoformat() != content["asked"]:
        raise LinkUnusable
    if change.user.email != content.get("from"):
        raise LinkUnusable
    return change, Side(content["side"])


def confirm_email_change(*, token: str, now: datetime) -> bool:
    """Confirm for one address; return whether the account has the new one now, which takes both.

    All sessions end then. Raises LinkUnusable, AddressTaken.
    """
    found, side = find_email_change(token)
    try:
        with transaction.atomic():
            user = User.objects.select_for_update(no_key=True).get(pk=found.user_id)
            change = EmailChange.objects.select_for_update().filter(pk=found.pk, asked_at=found.asked_at).first()
            if change is None or user.email != found.user.email or not user.is_active:
                raise LinkUnusable
            is_again = getattr(change, f"{side}_confirmed_at") is not None
            setattr(change, f"{side}_confirmed_at", now)
            change.save()
            if not change.is_confirmed:
                # Only once, or whoever presses the button again and again fills a stranger's inbox.
                if side is Side.OLD and not is_again and not has_password(user):
                    _write_to_new_address(change, user)
                return False
            _change_email(user, change, now=now)
    except IntegrityError:
        raise AddressTaken from None
    return True


def _change_email(user: User, change: EmailChange, *, now: datetime) -> None:
    old_email = user.email
    user.email, user.email_verified_at = change.new_email, now
    user.sessions_ended += 1
    user.save(update_fields=["email", "email_verified_at", "sessions_ended"])
    change.delete()
    audit.record(user, CHANGED, by_id=user.pk)
    mails.queue_account_email(mails.EMAIL_CHANGED, user=user, to=old_email)


def _write_to_new_address(change: EmailChange, user: User) -> None:
    if User.objects.with_email(change.new_email).exists():
        remind_of_account(email=change.new_email)
    else:
        _queue_link(change, user, Side.NEW)


def _queue_link(change: EmailChange, user: User, side: Side) -> None:
    token = make_change_token(change, old_email=user.email, side=side)
    kind, to = (mails.CHANGE_OLD, user.email) if side is Side.OLD else (mails.CHANGE_NEW, change.new_email)
    mails.queue_account_email(kind, user=user, asked=token, to=to)
