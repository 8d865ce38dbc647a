"""Which account someone at a provider has here: the one connected, the one with their address, or a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from social_django.models import UserSocialAuth

from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.kernel.db import transaction_lock
from mitxonline.users.events import ConnectionUndone
from mitxonline.users.models import User
from mitxonline.users.sso import errors
from mitxonline.users.sso.claims import Identity, issuer_in
from mitxonline.users.sso.providers import Provider, find_provider, providers
from mitxonline.users.sso.rights import end_given_rights, has_rights
from mitxonline.users.sso.sessions import end_sessions_of

LINKED, CONNECTED, DISCONNECTED = "users.sign_in_linked", "users.sign_in_connected", "users.sign_in_disconnected"


class Note(Enum):
    """What the person should be told on the next page."""

    CONNECTED = "connected"
    PASSWORD_GONE = "password_gone"  # noqa: S105 - a word, not a password
    EMAIL_CHANGED = "email_changed"
    EMAIL_TAKEN = "email_taken"


@dataclass(slots=True)
class Known:
    """Who it turned out to be."""

    user: User
    connection: UserSocialAuth
    is_new: bool = False
    notes: list[Note] = field(default_factory=list)


def know(identity: Identity, *, title: str, now: datetime) -> Known:
    """Find or make the account of someone who signs in; follow a new name or address; SignInRefused if it can't be.

    Two sign-ins of one identity wait for each other, and so do two that bring the same address: there is never a second
    account for either.
    """
    with transaction.atomic():
        transaction_lock("sign-in", identity.uid)
        known = _find_connection(identity)
        if known is None:
            return _introduce(identity, title=title, now=now)
        if not known.user.is_active:
            raise errors.AccountOff(title)
        _follow(known, identity, now=now)
        return known


def connect(identity: Identity, *, user_id: int, title: str, now: datetime, by_mail: bool = False) -> Known:
    """Connect someone at a provider with the account of a person who proved that it is theirs.

    They are signed in and asked for it; or, `by_mail`, they opened a link sent to the account's address, which then has
    to be the one the provider verified.
    """
    with transaction.atomic():
        transaction_lock("sign-in", identity.uid)
        known = _find_connection(identity)
        user = known.user if known and known.user.pk == user_id else _lock_user(user_id)
        if not user.is_active:
            raise errors.AccountOff(title)
        if known is not None and known.user.pk != user_id:
            raise errors.IdentityTaken(title)
        if known is not None:
            _follow(known, identity, now=now)
            return known
        if by_mail and user.email != identity.email:
            raise errors.ConnectLinkUnusable
        if not by_mail and not user.is_email_verified:
            raise errors.AddressUnconfirmed(title)
        if _has_connection(user, identity):
            raise errors.ConnectedElsewhere(title)
        known = Known(user, UserSocialAuth(), notes=[Note.CONNECTED])
        if not user.is_email_verified:
            _take_over(known, identity, now=now)
        known.connection = _connect(user, identity)
        audit.record(user, CONNECTED, by_id=user.pk, data={"provider": identity.provider, "by_mail": by_mail})
        return known


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider as the account page shows it; without an id it isn't connected."""

    provider: Provider
    id: int | None
    can_go: bool


def connections_of(user: User) -> list[Connection]:
    """Every provider of this site, and whether the person's account is connected with it; one query."""
    there = dict(_open_ways(user).values_list("provider", "pk"))
    can_go = len(there) > 1 or _has_password(user)
    return [Connection(each, there.get(each.name), can_go) for each in providers()]


def disconnect(*, user: User, connection_id: int, now: datetime, session_key: str | None = None) -> bool:
    """Undo a connection; the last way in is kept, and so is the session it is asked in. Whether rights went with it."""
    with transaction.atomic():
        user = _lock_user(user.pk)
        connection = UserSocialAuth.objects.filter(user=user, pk=connection_id).first()
        if connection is None:
            return False
        _keep_a_way_in(user, connection_id)
        had_rights = undo(connection, now=now, session_key=session_key)
        audit.record(user, DISCONNECTED, by_id=user.pk, data={"provider": connection.provider})
    return had_rights


def undo(connection: UserSocialAuth, *, now: datetime, session_key: str | None = None) -> bool:
    """Delete a connection and all that came by it, as no sign-in would; whether rights of roles were among it.

    Sessions it opened end too, but for that with the key: who was let in as the wrong person is out at once.
    The person is locked first, so that a sign-in at the same moment gives nothing after it.
    """
    with transaction.atomic():
        user, issuer = _lock_user(connection.user_id), issuer_in(connection.uid)
        count, _details = UserSocialAuth.objects.filter(pk=connection.pk).delete()
        if not count:
            return False
        end_sessions_of(user_id=user.pk, uid=connection.uid, besides=session_key)
        publish(ConnectionUndone(user_id=user.pk, provider=connection.provider, issuer=issuer, at=now))
        return end_given_rights(user=user, issuer=issuer, now=now)


@dataclass(frozen=True, slots=True)
class Undoing:
    """What disconnecting would come to, to be told before. `losses`: sentences of those who gave something by it."""

    provider: Provider
    losses: tuple[str, ...]


def plan_disconnect(*, user: User, connection_id: int) -> Undoing | None:
    """What `disconnect` would do; None for a connection that isn't theirs. Raises LastWayIn."""
    connection = _open_ways(user).filter(pk=connection_id).first()
    provider = find_provider(connection.provider) if connection else None
    if connection is None or provider is None:
        return None
    _keep_a_way_in(user, connection_id)
    return Undoing(provider, find_losses(connection))


def find_losses(connection: UserSocialAuth) -> tuple[str, ...]:
    """What goes with a connection, in sentences for its owner."""
    asked = [import_string(path) for path in settings.CONNECTION_LOSSES]
    return tuple(sentence for ask in asked for sentence in ask(connection))


def _keep_a_way_in(user: User, connection_id: int) -> None:
    if not _has_password(user) and not _open_ways(user).exclude(pk=connection_id).exists():
        raise errors.LastWayIn


def _open_ways(user: User) -> QuerySet[UserSocialAuth]:
    """The person's connections with providers this site has; one with a provider of former days lets no one in."""
    return UserSocialAuth.objects.filter(user=user, provider__in=[each.name for each in providers()])


def _has_password(user: User) -> bool:
    return settings.LOCAL_ACCOUNTS and user.has_usable_password()


def _find_connection(identity: Identity) -> Known | None:
    connection = UserSocialAuth.objects.filter(provider=identity.provider, uid=identity.uid).first()
    return Known(_lock_user(connection.user_id), connection) if connection else None


def _introduce(identity: Identity, *, title: str, now: datetime) -> Known:
    """The first time: only an address the provider has verified says who someone is here."""
    if not identity.email:
        raise errors.NoEmail(title)
    if not identity.is_email_verified:
        raise errors.EmailUnverified(title)
    transaction_lock("sign-in by address", identity.email)
    user = _with_email(identity.email).first()
    if user is None:
        user = _make(identity, now=now)
        if user is not None:
            return Known(user, _connect(user, identity), is_new=True)
        user = _with_email(identity.email).get()  # someone registered with it in this very moment
    return _link(user, identity, title=title, now=now)


def _link(user: User, identity: Identity, *, title: str, now: datetime) -> Known:
    """Give an account that was here before to the person the provider vouches for."""
    if not user.is_active:
        raise errors.AccountOff(title)
    if _has_connection(user, identity):
        raise errors.ConnectedElsewhere(title)
    if has_rights(user):
        raise errors.NeedsConnecting(title)
    known = Known(user, UserSocialAuth())
    if not user.is_email_verified:
        _take_over(known, identity, now=now)
    known.connection = _connect(user, identity)
    audit.record(user, LINKED, by_id=user.pk, data={"provider": identity.provider})
    return known


def _take_over(known: Known, identity: Identity, *, now: datetime) -> None:
    """No one ever proved this address: whoever made the account may have been someone else waiting for its owner.

    Their password goes, with it every session it opened and every link sent, and so do their other connections and what
    came by those. What the account bought or was given by code stays.
    """
    user = known.user
    if user.has_usable_password():
        known.notes.append(Note.PASSWORD_GONE)
    user.set_unusable_password()
    user.email_verified_at = now
    user.name = identity.name or user.name
    user.save(update_fields=["password", "email_verified_at", "name"])
    for connection in UserSocialAuth.objects.filter(user=user).order_by("pk"):
        undo(connection, now=now)


def _follow(known: Known, identity: Identity, *, now: datetime) -> None:
    """Take over what changed at the provider since the last time; what was changed here by hand stays otherwise."""
    user, seen = known.user, dict(known.connection.extra_data.get("seen") or {})
    before = dict(seen)
    fields: list[str] = []
    if identity.name and identity.name != seen.get("name"):
        seen["name"] = identity.name
        if user.name != identity.name:
            user.name = identity.name
            fields.append("name")
    if identity.is_email_verified:
        if identity.email != seen.get("email") and identity.email != user.email:
            if _move(user, identity.email, now=now):
                known.notes.append(Note.EMAIL_CHANGED)
                seen["email"] = identity.email
            else:
                known.notes.append(Note.EMAIL_TAKEN)
        else:
            seen["email"] = identity.email
        if user.email == identity.email and not user.is_email_verified:
            user.email_verified_at = now
            fields.append("email_verified_at")
    if fields:
        user.save(update_fields=fields)
    if seen != before:
        known.connection.extra_data = {"seen": seen}
        known.connection.save(update_fields=["extra_data", "modified"])


def _move(user: User, email: str, *, now: datetime) -> bool:
    """Give the person the address the provider verified; False if it is someone else's here."""
    old = user.email, user.email_verified_at
    user.email, user.email_verified_at = email, now
    try:
        with transaction.atomic():
            user.save(update_fields=["email", "email_verified_at"])
    except IntegrityError:
        user.email, user.email_verified_at = old
        return False
    return True


def _make(identity: Identity, *, now: datetime) -> User | None:
    try:
        with transaction.atomic():
            return User.objects.create_user(identity.email, name=identity.name, date_joined=now, email_verified_at=now)
    except IntegrityError:
        return None


def _connect(user: User, identity: Identity) -> UserSocialAuth:
    seen = {"name": identity.name} | ({"email": identity.email} if identity.is_email_verified else {})
    return UserSocialAuth.objects.create(
        user=user, provider=identity.provider, uid=identity.uid, id_key="sub", extra_data={"seen": seen}
    )


def _lock_user(user_id: int) -> User:
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)


def _with_email(email: str) -> QuerySet[User]:
    return User.objects.with_email(email).select_for_update(of=("self",), no_key=True)


def _has_connection(user: User, identity: Identity) -> bool:
    """Whether someone else of the same issuer has this account."""
    connections = UserSocialAuth.objects.filter(user=user, provider=identity.provider)
    return connections.filter(uid__startswith=f"{identity.issuer}#").exists()
