"""Give someone the rights of staff, or take them away."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import CommandError
from django.db import transaction

from mitxonline.kernel.console import OperatorCommand
from mitxonline.users.models import GivenRight, User
from mitxonline.users.sso.rights import find_given_rights, keep_rights

_FLAG_NAMES = {"is_staff": "staff", "is_superuser": "superuser"}


@dataclass(frozen=True, slots=True)
class RightsChange:
    """What the command changes. `keep` are rights by a role at a provider, which become rights given by hand."""

    flags: dict[str, bool]
    join: list[Group]
    leave: list[Group]
    keep: list[GivenRight]

    def describe(self) -> list[str]:
        return [
            *(f"{'becomes' if on else 'is no longer'} {_FLAG_NAMES[flag]}" for flag, on in self.flags.items()),
            *(f"joins the group {group.name}" for group in self.join),
            *(f"leaves the group {group.name}" for group in self.leave),
            *(f"keeps {_name_right(right)}, whatever the sign-in says" for right in self.keep),
        ]


class Command(OperatorCommand):
    help = (
        "Makes a person staff, a superuser or a member of groups. Running it again changes nothing. A right that came "
        "with a role at a provider becomes a right given by hand. A revoked right comes back at the next sign-in if a "
        "role gives it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address the person signs in with")
        parser.add_argument("--staff", action="store_true", help="may sign in to the Django admin")
        parser.add_argument("--superuser", action="store_true", help="may do everything; implies --staff")
        parser.add_argument("--group", action="append", default=[], metavar="NAME", help="member of this group")
        parser.add_argument("--revoke", action="store_true", help="take these rights away instead")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["staff"] or options["superuser"] or options["group"]):
            raise CommandError("Say which rights: --staff, --superuser or --group NAME.")
        with transaction.atomic():
            person = User.objects.with_email(options["email"]).select_for_update().first()
            if person is None:
                raise CommandError(
                    f"No one has the address {options['email']}. They have to register or sign in once first."
                )
            change = _plan(person, options, groups=_find_groups(options["group"]))
            if not options["dry_run"]:
                _apply(person, change)
        if options["dry_run"]:
            self.stderr.write("Nothing is changed (--dry-run). The plan:")
        lines = change.describe()
        if not lines:
            self.stdout.write(f"{person.email}: nothing to change.")
        for line in lines:
            self.stdout.write(f"{person.email} {line}.")


def _name_right(right: GivenRight) -> str:
    return f"the group {right.group.name}" if right.group else f"the rights of {right.kind}"


def _find_groups(names: list[str]) -> list[Group]:
    groups = {group.name: group for group in Group.objects.filter(name__in=names)}
    if missing := [name for name in names if name not in groups]:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no group {missing[0]}. Known groups: {known}.")
    return [groups[name] for name in dict.fromkeys(names)]


def _plan(person: User, options: dict[str, Any], *, groups: list[Group]) -> RightsChange:
    grant = not options["revoke"]
    flags = ["is_superuser"] if options["superuser"] else []
    if options["staff"] or (options["superuser"] and grant):
        flags.insert(0, "is_staff")
    inside = set(person.groups.values_list("pk", flat=True))
    return RightsChange(
        flags={flag: grant for flag in flags if getattr(person, flag) != grant},
        join=[group for group in groups if grant and group.pk not in inside],
        leave=[group for group in groups if not grant and group.pk in inside],
        keep=find_given_rights(person, flags=flags, groups=groups) if grant else [],
    )


def _apply(person: User, change: RightsChange) -> None:
    for flag, is_on in change.flags.items():
        setattr(person, flag, is_on)
    if change.flags:
        person.save(update_fields=list(change.flags))
    person.groups.add(*change.join)
    person.groups.remove(*change.leave)
    keep_rights(change.keep)
