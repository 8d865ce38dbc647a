"""Rights of staff that follow a role at a provider. What was given by hand is left alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Min, Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.kernel import audit
from mitxonline.users.models import GivenRight, RightKind, User
from mitxonline.users.sso.claims import issuer_in

logger = logging.getLogger(__name__)

FOLLOWED = "users.rights_followed"
STAFF, SUPERUSER = "staff", "superuser"
_FLAGS = {RightKind.STAFF: "is_staff", RightKind.SUPERUSER: "is_superuser"}


@dataclass(frozen=True, slots=True)
class Right:
    """A flag, or membership of a group."""

    kind: RightKind
    group_id: int | None = None


def group_names(mapping: Mapping[str, Iterable[str]]) -> set[str]:
    """The groups a mapping of roles names."""
    return {word for words in mapping.values() for word in words} - {STAFF, SUPERUSER}


def follow_roles(
    *,
    user: User,
    issuer: str,
    roles: Collection[str],
    mapping: Mapping[str, Iterable[str]],
    now: datetime,
    connection_id: int | None = None,
) -> None:
    """Give what the roles of a sign-in say, take away what an earlier one gave and they no longer say.

    Roles of a connection that was undone meanwhile give nothing.

    A right the person has by hand is not taken note of, so no sign-in takes it away. The number of queries is the same
    for any number of roles.
    """
    words = {word for role in roles for word in mapping.get(role, ())}
    with transaction.atomic():
        if not words and not GivenRight.objects.filter(user=user, issuer=issuer).exists():
            return
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
        if connection_id is not None and not UserSocialAuth.objects.filter(pk=connection_id).exists():
            words = set()
        rows = list(GivenRight.objects.filter(user=person))
        given = {_right(row): row for row in rows if row.issuer == issuer}
        elsewhere = {_right(row) for row in rows if row.issuer != issuer}
        has = _rights_of(person)
        wanted = _rights(words)
        by_hand = has - given.keys() - elsewhere
        lacking, gone = wanted - has, (given.keys() & has) - wanted - elsewhere
        _forget([row for right, row in given.items() if right not in wanted])
        _note(person, issuer, wanted - given.keys() - by_hand, now=now)
        GivenRight.objects.filter(pk__in=[row.pk for right, row in given.items() if right in wanted]).update(
            proved_at=now
        )
        _set(person, lacking, on=True)
        _set(person, gone, on=False)
        if lacking or gone:
            _write_down(person, lacking, gone)
    user.is_staff, user.is_superuser = person.is_staff, person.is_superuser


def end_overdue_rights(*, now: datetime, user_id: int | None = None) -> int:
    """Take away the rights no sign-in has proved for `SIGN_IN_STAFF_SECONDS`; how many people had some.

    One person at a time, and looking again under the lock: a sign-in that is just proving a right keeps it.
    """
    overdue = GivenRight.objects.filter(proved_at__lte=_proved_after(now))
    if user_id is not None:
        overdue = overdue.filter(user_id=user_id)
    ids = list(overdue.order_by("user_id").values_list("user_id", flat=True).distinct())
    return sum(_end_overdue(each, now=now) for each in ids)


def is_overdue(first_proved_at: datetime | None, *, now: datetime) -> bool:
    """Whether rights of which the first was last proved then are over; None where there are none."""
    return first_proved_at is not None and first_proved_at <= _proved_after(now)


def rights_end_at(user: User) -> datetime | None:
    """The moment at which the person has to have signed in again; None for someone without rights by a role."""
    first: datetime | None = GivenRight.objects.filter(user=user).aggregate(first=Min("proved_at"))["first"]
    return first + _lasting() if first else None


def _end_overdue(user_id: int, *, now: datetime) -> bool:
    with transaction.atomic():
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)
        rows = list(GivenRight.objects.filter(user=person))
        over = [row for row in rows if row.proved_at <= _proved_after(now)]
        still = {_right(row) for row in rows if row not in over}
        gone = ({_right(row) for row in over} & _rights_of(person)) - still
        _forget(over)
        _set(person, gone, on=False)
        if gone:
            _write_down(person, (), gone)
    return bool(over)


def _lasting() -> timedelta:
    return timedelta(seconds=settings.SIGN_IN_STAFF_SECONDS)


def _proved_after(now: datetime) -> datetime:
    return now - _lasting()


def end_given_rights(*, user: User, now: datetime, issuer: str = "") -> bool:
    """Take away what roles gave the person, at one provider or at all: no one vouches for it now; whether they had any.

    One query where there is nothing to take.
    """
    rows = GivenRight.objects.filter(user=user)
    issuers = set((rows.filter(issuer=issuer) if issuer else rows).values_list("issuer", flat=True))
    for each in sorted(issuers):
        follow_roles(user=user, issuer=each, roles=(), mapping={}, now=now)
    return bool(issuers)


def has_rights(user: User) -> bool:
    """Whether an account may do more than learn. Apps add their questions to `ACCOUNT_RIGHTS`."""
    return any(import_string(path)(user) for path in settings.ACCOUNT_RIGHTS)


def has_staff_rights(user: User) -> bool:
    """Whether the account has a flag, a group or a permission."""
    return user.is_staff or user.is_superuser or user.groups.exists() or user.user_permissions.exists()


def losses_of(connection: UserSocialAuth) -> list[str]:
    """What goes with the connection, as its owner is told before."""
    rows = GivenRight.objects.filter(user_id=connection.user_id, issuer=issuer_in(connection.uid))
    return [_("You’ll lose the rights that your roles there gave you.")] if rows.exists() else []


def given_by_roles(user: User, *, flags: Iterable[str], groups: Iterable[Group]) -> list[GivenRight]:
    """Of these flags and groups, those the person has because a role says so."""
    kinds = [kind for kind, flag in _FLAGS.items() if flag in set(flags)]
    rows = GivenRight.objects.filter(user=user).filter(Q(kind__in=kinds) | Q(group__in=list(groups)))
    return list(rows.select_related("group").order_by("pk"))


def keep_by_hand(rights: Collection[GivenRight]) -> None:
    """Make rights that came with a role the person's own: from now on no sign-in takes them away."""
    _forget(rights)


def _rights(words: AbstractSet[str]) -> set[Right]:
    wanted = set()
    if words & {STAFF, SUPERUSER}:
        wanted.add(Right(RightKind.STAFF))
    if SUPERUSER in words:
        wanted.add(Right(RightKind.SUPERUSER))
    names = words - {STAFF, SUPERUSER}
    groups = dict(Group.objects.filter(name__in=names).values_list("name", "pk"))
    if missing := names - groups.keys():
        logger.warning("a role names a group that isn't there", extra={"groups": sorted(missing)})
    return wanted | {Right(RightKind.GROUP, pk) for pk in groups.values()}


def _right(row: GivenRight) -> Right:
    return Right(RightKind(row.kind), row.group_id)


def _rights_of(person: User) -> set[Right]:
    flags = {Right(kind) for kind, flag in _FLAGS.items() if getattr(person, flag)}
    return flags | {Right(RightKind.GROUP, pk) for pk in person.groups.values_list("pk", flat=True)}


def _forget(rows: Collection[GivenRight]) -> None:
    if rows:
        GivenRight.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _note(person: User, issuer: str, rights: Iterable[Right], *, now: datetime) -> None:
    """Keep in the table what this provider gives; what the person has by hand is not among it."""
    GivenRight.objects.bulk_create(
        GivenRight(user=person, issuer=issuer, kind=right.kind, group_id=right.group_id, given_at=now, proved_at=now)
        for right in sorted(rights, key=_word)
    )


def _set(person: User, rights: Iterable[Right], *, on: bool) -> None:
    groups = [right.group_id for right in rights if right.group_id is not None]
    flags = [_FLAGS[right.kind] for right in rights if right.kind != RightKind.GROUP]
    if groups:
        (person.groups.add if on else person.groups.remove)(*groups)
    for flag in flags:
        setattr(person, flag, on)
    if flags:
        person.save(update_fields=flags)


def _write_down(person: User, new: Iterable[Right], gone: Iterable[Right]) -> None:
    words = {
        "given": sorted(_word(right) for right in new),
        "taken": sorted(_word(right) for right in gone),
    }
    audit.record(person, FOLLOWED, by_id=None, data=words)
    logger.info("rights follow the roles of a sign-in", extra={"user": person.pk, **words})


def _word(right: Right) -> str:
    return f"group {right.group_id}" if right.kind == RightKind.GROUP else str(right.kind.value)
