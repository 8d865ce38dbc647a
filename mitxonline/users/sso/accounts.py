"""Which account a person at a provider has here: the connected one, the one with their address, or a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from social_django.models import UserSocialAuth

from mitxonline.kernel import audit
from mitxonline.kernel.db import transaction_lock
from mitxonline.users.models import User
from mitxonline.users.sso import errors
from mitxonline.users.sso.connections import CONNECTED, LINKED, is_connected, lock_user, undo_connection
from mitxonline.users.sso.identity import ProviderIdentity
from mitxonline.users.sso.rights import has_rights


class AccountChange(Enum):
    """What the person reads about their account on the next page."""

    CONNECTED = "connected"
    PASSWORD_REMOVED = "password_removed"  # noqa: S105 - not a password
    EMAIL_CHANGED = "email_changed"
    EMAIL_TAKEN = "email_taken"


@dataclass(slots=True)
class AccountMatch:
    user: User
    connection: UserSocialAuth
    is_new: bool = False
    changes: list[AccountChange] = field(default_factory=list)


def find_or_create_account(identity: ProviderIdentity, *, title: str, now: datetime) -> AccountMatch:
    """Return the account of a person who signs in, with the name and address they have at the provider now.

    Raises SignInRefused.
    """
    with transaction.atomic():
        # Serialize sign-ins of the same identity (and of the same address in _link_or_create), so that none creates a
        # second account.
        transaction_lock("sign-in", identity.uid)
        match = _find_match(identity)
        if match is None:
            return _link_or_create(identity, title=title, now=now)
        if not match.user.is_active:
            raise errors.AccountOff(provider=title)
        _follow_changes(match, identity, now=now)
        return match


def connect_account(
    identity: ProviderIdentity, *, user_id: int, title: str, now: datetime, by_mail: bool = False
) -> AccountMatch:
    """Connect a person at a provider with an account that they have proved to be theirs.

    They are signed in to it and pressed Connect; or, `by_mail`, they opened a link sent to the account's address, which
    has to be the one that the provider verified. Raises SignInRefused and ConnectLinkUnusable.
    """
    with transaction.atomic():
        transaction_lock("sign-in", identity.uid)
        match = _find_match(identity)
        user = match.user if match and match.user.pk == user_id else lock_user(user_id)
        if not user.is_active:
            raise errors.AccountOff(provider=title)
        if match is not None and match.user.pk != user_id:
            raise errors.IdentityTaken(provider=title)
        if match is not None:
            _follow_changes(match, identity, now=now)
            return match
        if by_mail and user.email != identity.email:
            raise errors.ConnectLinkUnusable
        if not by_mail and not user.is_email_verified:
            raise errors.AddressUnconfirmed(provider=title)
        if is_connected(user_id=user.pk, issuer=identity.issuer):
            raise errors.ConnectedElsewhere(provider=title)
        changes = [AccountChange.CONNECTED, *_secure_unconfirmed_account(user, identity, now=now)]
        connection = _create_connection(user, identity)
        audit.record(user, CONNECTED, by_id=user.pk, data={"provider": identity.provider, "by_mail": by_mail})
        return AccountMatch(user, connection, changes=changes)


def _find_match(identity: ProviderIdentity) -> AccountMatch | None:
    connection = UserSocialAuth.objects.filter(provider=identity.provider, uid=identity.uid).first()
    return AccountMatch(lock_user(connection.user_id), connection) if connection else None


def _link_or_create(identity: ProviderIdentity, *, title: str, now: datetime) -> AccountMatch:
    # Only an address that the provider has verified says whose account it is.
    if not identity.email:
        raise errors.NoEmail(provider=title)
    if not identity.is_email_verified:
        raise errors.EmailUnverified(provider=title)
    transaction_lock("sign-in by address", identity.email)
    user = _lock_with_email(identity.email).first()
    if user is None:
        try:
            with transaction.atomic():
                user = User.objects.create_user(
                    identity.email, name=identity.name, date_joined=now, email_verified_at=now
                )
        except IntegrityError:  # someone registered with the address at this moment
            user = _lock_with_email(identity.email).get()
        else:
            return AccountMatch(user, _create_connection(user, identity), is_new=True)
    if not user.is_active:
        raise errors.AccountOff(provider=title)
    if is_connected(user_id=user.pk, issuer=identity.issuer):
        raise errors.ConnectedElsewhere(provider=title)
    if has_rights(user):
        raise (errors.NeedsConnectingOrPassword if settings.LOCAL_ACCOUNTS else errors.NeedsConnecting)(provider=title)
    changes = _secure_unconfirmed_account(user, identity, now=now)
    connection = _create_connection(user, identity)
    audit.record(user, LINKED, by_id=user.pk, data={"provider": identity.provider})
    return AccountMatch(user, connection, changes=changes)


def _secure_unconfirmed_account(user: User, identity: ProviderIdentity, *, now: datetime) -> list[AccountChange]:
    """Take from an account what someone else could have prepared in it before the owner of its address came.

    Removing the password ends its sessions and voids sent links. Other connections are removed, with the rights they
    granted. What the account bought or was given by code stays.
    """
    if user.is_email_verified:
        return []
    changes = [AccountChange.PASSWORD_REMOVED] if user.has_usable_password() else []
    user.set_unusable_password()
    user.email_verified_at = now
    user.name = identity.name or user.name
    user.save(update_fields=["password", "email_verified_at", "name"])
    for connection in UserSocialAuth.objects.filter(user=user).order_by("pk"):
        undo_connection(connection, now=now)
    return changes


def _follow_changes(match: AccountMatch, identity: ProviderIdentity, *, now: datetime) -> None:
    """Take over what changed at the provider since the last sign-in. Changes made here by hand are kept otherwise."""
    user, seen = match.user, dict(match.connection.extra_data.get("seen") or {})
    before = dict(seen)
    fields: list[str] = []
    if identity.name and identity.name != seen.get("name"):
        seen["name"] = identity.name
        if user.name != identity.name:
            user.name = identity.name
            fields.append("name")
    if identity.is_email_verified:
        if identity.email in (seen.get("email"), user.email):
            seen["email"] = identity.email
        elif _change_email(user, identity.email, now=now):
            seen["email"] = identity.email
            match.changes.append(AccountChange.EMAIL_CHANGED)
        else:
            match.changes.append(AccountChange.EMAIL_TAKEN)
        if user.email == identity.email and not user.is_email_verified:
            user.email_verified_at = now
            fields.append("email_verified_at")
    if fields:
        user.save(update_fields=fields)
    if seen != before:
        match.connection.extra_data = {"seen": seen}
        match.connection.save(update_fields=["extra_data", "modified"])


def _change_email(user: User, email: str, *, now: datetime) -> bool:
    """Save the address as confirmed; return False if another account has it."""
    before = user.email, user.email_verified_at
    user.email, user.email_verified_at = email, now
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_verified_at"])
    except IntegrityError:
        user.email, user.email_verified_at = before
        return False
    return True


def _create_connection(user: User, identity: ProviderIdentity) -> UserSocialAuth:
    seen = {"name": identity.name} | ({"email": identity.email} if identity.is_email_verified else {})
    return UserSocialAuth.objects.create(
        user=user, provider=identity.provider, uid=identity.uid, id_key="sub", extra_data={"seen": seen}
    )


def _lock_with_email(email: str) -> QuerySet[User]:
    return User.objects.with_email(email).select_for_update(of=("self",), no_key=True)
