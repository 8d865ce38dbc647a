"""Connections between accounts and people at a provider: which there are, and what goes when one is undone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.coordinator.bus import publish
from mitxonline.kernel import audit
from mitxonline.users.events import ConnectionUndone
from mitxonline.users.models import User
from mitxonline.users.sso import errors
from mitxonline.users.sso.identity import issuer_of
from mitxonline.users.sso.providers import Provider, find_provider, providers
from mitxonline.users.sso.rights import end_given_rights
from mitxonline.users.sso.sessions import end_sessions_of

LINKED, CONNECTED, DISCONNECTED = "users.sign_in_linked", "users.sign_in_connected", "users.sign_in_disconnected"


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A provider on the account page. Its `id` is None if the account isn't connected with it."""

    provider: Provider
    id: int | None
    can_disconnect: bool


@dataclass(frozen=True, slots=True)
class DisconnectPlan:
    """What disconnecting would do. `losses` are sentences from the apps that gave something by the connection."""

    provider: Provider
    losses: tuple[str, ...]


def connections_of(user: User) -> list[ConnectionRow]:
    """Return every provider of this site and whether the account is connected with it, by one query."""
    ids = dict(_usable_connections(user).values_list("provider", "pk"))
    can_disconnect = len(ids) > 1 or has_password(user)
    return [ConnectionRow(each, ids.get(each.name), can_disconnect) for each in providers()]


def name_providers(user: User) -> str:
    """Name the providers through which someone signs in: “Campus or Open edX”; empty if there is none."""
    return _(" or ").join(each.provider.title for each in connections_of(user) if each.id)


def find_subject(user: User, issuer: str) -> str | None:
    """Return the person's id at that issuer, if they ever signed in through it."""
    connections = UserSocialAuth.objects.filter(user=user, uid__startswith=f"{issuer}#")
    uid = connections.values_list("uid", flat=True).first()
    return uid.removeprefix(f"{issuer}#") if uid else None


def find_connected(*, issuer: str, subject: str) -> User | None:
    """Return the active account that someone at that issuer has connected."""
    connections = UserSocialAuth.objects.filter(uid=f"{issuer}#{subject}", user__is_active=True).select_related("user")
    found = connections.first()
    return found.user if found is not None else None


def is_connected(*, user_id: int, issuer: str, besides: int | None = None) -> bool:
    """Whether the account is connected with anyone at that issuer, not counting the connection `besides`."""
    connections = UserSocialAuth.objects.filter(user_id=user_id, uid__startswith=f"{issuer}#")
    return (connections if besides is None else connections.exclude(pk=besides)).exists()


def plan_disconnect(*, user: User, connection_id: int) -> DisconnectPlan | None:
    """Return what `disconnect` would do; None for a connection of someone else. Raises LastWayIn."""
    connection = _usable_connections(user).filter(pk=connection_id).first()
    provider = find_provider(connection.provider) if connection else None
    if connection is None or provider is None:
        return None
    _refuse_last_way_in(user, connection_id)
    return DisconnectPlan(provider, find_losses(connection))


def find_losses(connection: UserSocialAuth) -> tuple[str, ...]:
    """Return what its owner loses with a connection, in sentences. Apps add theirs to `CONNECTION_LOSSES`."""
    return tuple(sentence for path in settings.CONNECTION_LOSSES for sentence in import_string(path)(connection))


def disconnect(*, user: User, connection_id: int, now: datetime, session_key: str | None = None) -> bool:
    """Undo a connection, but not the last way in. The session with the key stays signed in.

    Return whether rights went with it. Raises LastWayIn.
    """
    with transaction.atomic():
        user = lock_user(user.pk)
        connection = UserSocialAuth.objects.filter(user=user, pk=connection_id).first()
        if connection is None:
            return False
        _refuse_last_way_in(user, connection_id)
        had_rights = undo_connection(connection, now=now, session_key=session_key)
        audit.record(user, DISCONNECTED, by_id=user.pk, data={"provider": connection.provider})
    return had_rights


def undo_connection(connection: UserSocialAuth, *, now: datetime, session_key: str | None = None) -> bool:
    """Delete a connection with all that came by it, which no later sign-in would take away.

    Sessions that it opened end, except the one with the key. Return whether rights by roles went with it.
    """
    with transaction.atomic():
        # The person first: a sign-in at the same moment waits, and then finds no connection to give anything by.
        user, issuer = lock_user(connection.user_id), issuer_of(connection.uid)
        deleted, _details = UserSocialAuth.objects.filter(pk=connection.pk).delete()
        if not deleted:
            return False
        end_sessions_of(user_id=user.pk, uid=connection.uid, besides=session_key)
        publish(ConnectionUndone(user_id=user.pk, provider=connection.provider, issuer=issuer, at=now))
        return end_given_rights(user=user, issuer=issuer, now=now)


def has_password(user: User) -> bool:
    """Whether the account has a password that signs in on this site."""
    return settings.LOCAL_ACCOUNTS and user.has_usable_password()


def lock_user(user_id: int) -> User:
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)


def _refuse_last_way_in(user: User, connection_id: int) -> None:
    if not has_password(user) and not _usable_connections(user).exclude(pk=connection_id).exists():
        raise errors.LastWayIn


def _usable_connections(user: User) -> QuerySet[UserSocialAuth]:
    # A connection with a provider that this site no longer has lets no one in.
    return UserSocialAuth.objects.filter(user=user, provider__in=[each.name for each in providers()])
