"""Rights of staff that follow a role at a provider. What was given by hand is left alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from mitxonline.kernel import audit
from mitxonline.users.models import GivenRight, RightKind, User

logger = logging.getLogger(__name__)

FOLLOWED = "users.rights_followed"
STAFF, SUPERUSER = "staff", "superuser"
_FLAGS = {RightKind.STAFF: "is_staff", RightKind.SUPERUSER: "is_superuser"}


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """A flag, or membership of a group."""

    kind: RightKind
    group_id: int | None = None


def group_names(mapping: Mapping[str, Iterable[str]]) -> set[str]:
    """The groups a mapping of roles names."""
    return {word for words in mapping.values() for word in words} - {STAFF, SUPERUSER}


def follow_roles(
    *, user: User, issuer: str, roles: Collection[str], mapping: Mapping[str, Iterable[str]], now: datetime
) -> None:
    """Give what the roles say, take away what an earlier sign-in gave and they no longer say.

    A right the person has by hand is not taken note of, so no sign-in takes it away. The number of queries is the same
    for any number of roles.
    """
    words = {word for role in roles for word in mapping.get(role, ())}
    with transaction.atomic():
        given = {
            Right(RightKind(each.kind), each.group_id): each
            for each in GivenRight.objects.filter(user=user, issuer=issuer)
        }
        if not words and not given:
            return
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
        inside = set(person.groups.values_list("pk", flat=True))
        wanted = _rights(words)
        new = [right for right in sorted(wanted - given.keys()) if not _has(person, right, inside)]
        gone = sorted(given.keys() - wanted)
        if not new and not gone:
            return
        _give(person, new, issuer=issuer, now=now)
        _take(person, gone, given)
        _write_down(person, new, gone)
    user.is_staff, user.is_superuser = person.is_staff, person.is_superuser


def given_by_roles(user: User, *, flags: Iterable[str], groups: Iterable[Group]) -> list[GivenRight]:
    """Of these flags and groups, those the person has because a role says so."""
    kinds = [kind for kind, flag in _FLAGS.items() if flag in set(flags)]
    rows = GivenRight.objects.filter(user=user).filter(Q(kind__in=kinds) | Q(group__in=list(groups)))
    return list(rows.select_related("group").order_by("pk"))


def keep_by_hand(rights: Iterable[GivenRight]) -> None:
    """Make rights that came with a role the person's own: from now on no sign-in takes them away."""
    GivenRight.objects.filter(pk__in=[right.pk for right in rights]).delete()


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


def _has(person: User, right: Right, inside: set[int]) -> bool:
    return right.group_id in inside if right.kind == RightKind.GROUP else bool(getattr(person, _FLAGS[right.kind]))


def _give(person: User, rights: Iterable[Right], *, issuer: str, now: datetime) -> None:
    rows = [
        GivenRight(user=person, issuer=issuer, kind=right.kind, group_id=right.group_id, given_at=now)
        for right in rights
    ]
    GivenRight.objects.bulk_create(rows)
    _set(person, rights, on=True)


def _take(person: User, rights: Collection[Right], given: Mapping[Right, GivenRight]) -> None:
    GivenRight.objects.filter(pk__in=[given[right].pk for right in rights]).delete()
    # Another provider may say so as well.
    still = {
        Right(RightKind(kind), group_id)
        for kind, group_id in GivenRight.objects.filter(user=person).values_list("kind", "group_id")
    }
    _set(person, [right for right in rights if right not in still], on=False)


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
        "given": [_word(right) for right in new],
        "taken": [_word(right) for right in gone],
    }
    audit.record(person, FOLLOWED, by_id=None, data=words)
    logger.info("rights follow the roles of a sign-in", extra={"user": person.pk, **words})


def _word(right: Right) -> str:
    return f"group {right.group_id}" if right.kind == RightKind.GROUP else str(right.kind.value)
