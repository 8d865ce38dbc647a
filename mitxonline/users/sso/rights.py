"""Staff rights that follow a role at a provider. Rights given by hand are left alone."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Min, OuterRef, Q, Subquery
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from social_django.models import UserSocialAuth

from mitxonline.kernel import audit, clock
from mitxonline.users.models import GivenRight, RightKind, User
from mitxonline.users.sso.identity import issuer_of

logger = logging.getLogger(__name__)

FOLLOWED = "users.rights_followed"
STAFF, SUPERUSER = "staff", "superuser"
_FLAGS = {RightKind.STAFF: "is_staff", RightKind.SUPERUSER: "is_superuser"}


@dataclass(frozen=True, slots=True)
class Right:
    """A flag of an account, membership of a group, or a role in the shop, for one course or for all."""

    kind: RightKind
    group_id: int | None = None
    role: str = ""
    course_key: str = ""

    @classmethod
    def of(cls, row: GivenRight) -> Self:
        return cls(RightKind(row.kind), row.group_id, row.role, row.course_key)

    def __str__(self) -> str:
        if self.kind == RightKind.ROLE:
            return f"{self.role}@{self.course_key}" if self.course_key else self.role
        return f"group {self.group_id}" if self.kind == RightKind.GROUP else str(self.kind.value)


class ProvenRightsMixin:
    """For every authentication backend: rights by a role end even in sessions that are older than the role.

    Rights are flags of the account, so without this they would last as long as the session. The sweep may be late or
    stopped; this check comes with the query that fetches the user, as do the facts that apps want on every request.
    """

    def get_user(self, user_id: Any) -> User | None:
        first = GivenRight.objects.filter(user=OuterRef("pk")).order_by("proved_at").values("proved_at")[:1]
        facts = {name: import_string(path)() for name, path in settings.SIGNED_IN_FACTS.items()}
        users = User.objects.annotate(first_proved_at=Subquery(first), **facts).filter(pk=user_id, is_active=True)
        user, now = users.first(), clock.now()
        if user is None or user.first_proved_at is None or user.first_proved_at > _proof_deadline(now):
            return user
        end_overdue_rights(now=now, user_id=user.pk)
        return users.first()


def group_names(mapping: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the names of the groups in a mapping of roles to rights."""
    names = {name for names in mapping.values() for name in names} - {STAFF, SUPERUSER}
    return {name for name in names if not _is_shop_role(name)}


def course_keys(mapping: Mapping[str, Iterable[str]]) -> set[str]:
    """Return the courses that a mapping of roles to rights names."""
    names = {name for names in mapping.values() for name in names if _is_shop_role(name)}
    return {key for name in names if (key := name.partition("@")[2])}


def follow_roles(
    *,
    user: User,
    issuer: str,
    roles: Collection[str],
    mapping: Mapping[str, Iterable[str]],
    now: datetime,
    connection_id: int | None = None,
) -> None:
    """Give the rights that the roles of a sign-in map to, and take away those it gave before and no longer maps to.

    A right that the user has by hand gets no row, so no sign-in takes it away. The number of queries is the same for
    any number of roles.
    """
    names = {name for role in roles for name in mapping.get(role, ())}
    with transaction.atomic():
        if not names and not GivenRight.objects.filter(user=user, issuer=issuer).exists():
            return
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
        # Looked at under the lock: a connection that was undone during the sign-in gives nothing.
        if connection_id is not None and not UserSocialAuth.objects.filter(pk=connection_id).exists():
            names = set()
        rows = list(GivenRight.objects.filter(user=person))
        from_here = {Right.of(row): row for row in rows if row.issuer == issuer}
        from_others = {Right.of(row) for row in rows if row.issuer != issuer}
        current = _current_rights(person, rows)
        mapped = _read_rights(names)
        by_hand = current - from_here.keys() - from_others
        new, lost = mapped - current, (from_here.keys() & current) - mapped - from_others

        GivenRight.objects.filter(pk__in=[row.pk for right, row in from_here.items() if right not in mapped]).delete()
        GivenRight.objects.bulk_create(
            GivenRight(
                user=person,
                issuer=issuer,
                kind=right.kind,
                group_id=right.group_id,
                role=right.role,
                course_key=right.course_key,
                given_at=now,
                proved_at=now,
            )
            for right in sorted(mapped - from_here.keys() - by_hand, key=str)
        )
        GivenRight.objects.filter(pk__in=[row.pk for right, row in from_here.items() if right in mapped]).update(
            proved_at=now
        )
        _apply_change(person, new=new, lost=lost)
    user.is_staff, user.is_superuser = person.is_staff, person.is_superuser


def end_overdue_rights(*, now: datetime, user_id: int | None = None) -> int:
    """Take away rights that no sign-in has proved for `SIGN_IN_STAFF_SECONDS`. Return how many people had some."""
    overdue = GivenRight.objects.filter(proved_at__lte=_proof_deadline(now))
    if user_id is not None:
        overdue = overdue.filter(user_id=user_id)
    user_ids = list(overdue.order_by("user_id").values_list("user_id", flat=True).distinct())
    return sum(_end_overdue(each, now=now) for each in user_ids)


def rights_end_at(user: User) -> datetime | None:
    """Return when the user has to sign in again to keep all rights by roles; None without such rights."""
    first: datetime | None = GivenRight.objects.filter(user=user).aggregate(first=Min("proved_at"))["first"]
    return first + timedelta(seconds=settings.SIGN_IN_STAFF_SECONDS) if first else None


def end_given_rights(*, user: User, now: datetime, issuer: str = "") -> bool:
    """Take away the rights that roles gave the user, at one issuer or at every one. Return whether there were any.

    Costs one query if there is nothing to take away.
    """
    rows = GivenRight.objects.filter(user=user)
    issuers = set((rows.filter(issuer=issuer) if issuer else rows).values_list("issuer", flat=True))
    for each in sorted(issuers):
        follow_roles(user=user, issuer=each, roles=(), mapping={}, now=now)
    return bool(issuers)


def has_rights(user: User) -> bool:
    """Whether an account may do more than learn. Apps add their own checks to `ACCOUNT_RIGHTS`."""
    return any(import_string(path)(user) for path in settings.ACCOUNT_RIGHTS)


def has_staff_rights(user: User) -> bool:
    return user.is_staff or user.is_superuser or user.groups.exists() or user.user_permissions.exists()


def losses_of(connection: UserSocialAuth) -> list[str]:
    """Return what its owner loses with a connection, in sentences (`CONNECTION_LOSSES`)."""
    rows = GivenRight.objects.filter(user_id=connection.user_id, issuer=issuer_of(connection.uid))
    return [_("You’ll lose the rights that your roles there gave you.")] if rows.exists() else []


def find_given_rights(user: User, *, flags: Iterable[str], groups: Iterable[Group]) -> list[GivenRight]:
    """Return the rights among these flags and groups that the user has because of a role."""
    kinds = [kind for kind, flag in _FLAGS.items() if flag in set(flags)]
    rows = GivenRight.objects.filter(user=user).filter(Q(kind__in=kinds) | Q(group__in=list(groups)))
    return list(rows.select_related("group").order_by("pk"))


def keep_rights(rights: Collection[GivenRight]) -> None:
    """Turn rights that came with a role into rights by hand: no sign-in takes them away."""
    GivenRight.objects.filter(pk__in=[right.pk for right in rights]).delete()


def _proof_deadline(now: datetime) -> datetime:
    return now - timedelta(seconds=settings.SIGN_IN_STAFF_SECONDS)


def _end_overdue(user_id: int, *, now: datetime) -> bool:
    deadline = _proof_deadline(now)
    with transaction.atomic():
        person = User.objects.select_for_update(of=("self",), no_key=True).get(pk=user_id)
        # Read again under the lock: a sign-in that is proving a right at this moment keeps it.
        rows = list(GivenRight.objects.filter(user=person))
        over = [row for row in rows if row.proved_at <= deadline]
        kept = {Right.of(row) for row in rows if row.proved_at > deadline}
        GivenRight.objects.filter(pk__in=[row.pk for row in over]).delete()
        _apply_change(person, lost=({Right.of(row) for row in over} & _current_rights(person, rows)) - kept)
    return bool(over)


def _read_rights(names: AbstractSet[str]) -> set[Right]:
    rights = set()
    if names & {STAFF, SUPERUSER}:  # a superuser is staff too
        rights.add(Right(RightKind.STAFF))
    if SUPERUSER in names:
        rights.add(Right(RightKind.SUPERUSER))
    roles = {name for name in names if _is_shop_role(name)}
    for name in roles:
        role, _at, course_key = name.partition("@")
        rights.add(Right(RightKind.ROLE, role=role, course_key=course_key))
    group_names = names - {STAFF, SUPERUSER} - roles
    groups = dict(Group.objects.filter(name__in=group_names).values_list("name", "pk"))
    if missing := group_names - groups.keys():
        logger.warning("a role names groups that don't exist", extra={"groups": sorted(missing)})
    return rights | {Right(RightKind.GROUP, pk) for pk in groups.values()}


def _is_shop_role(name: str) -> bool:
    return name.partition("@")[0] in settings.SIGN_IN_SHOP_ROLES


def _current_rights(person: User, rows: Iterable[GivenRight]) -> set[Right]:
    flags = {Right(kind) for kind, flag in _FLAGS.items() if getattr(person, flag)}
    # A role by a sign-in is its row and nothing else. One given by hand is a row of the shop.
    roles = {Right.of(row) for row in rows if row.kind == RightKind.ROLE}
    return flags | roles | {Right(RightKind.GROUP, pk) for pk in person.groups.values_list("pk", flat=True)}


def _apply_change(person: User, *, new: AbstractSet[Right] = frozenset(), lost: AbstractSet[Right]) -> None:
    if not new and not lost:
        return
    if joined := [right.group_id for right in new if right.group_id is not None]:
        person.groups.add(*joined)
    if left := [right.group_id for right in lost if right.group_id is not None]:
        person.groups.remove(*left)
    flags = {_FLAGS[right.kind]: right in new for right in new | lost if right.kind in _FLAGS}
    for flag, is_on in flags.items():
        setattr(person, flag, is_on)
    if flags:
        person.save(update_fields=list(flags))
    change = {"given": sorted(map(str, new)), "taken": sorted(map(str, lost))}
    audit.record(person, FOLLOWED, by_id=None, data=change)
    logger.info("rights follow the roles of a sign-in", extra={"user": person.pk, **change})
