"""Give someone the rights of staff, or take them away."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import CommandError
from django.db import transaction

from mitxonline.kernel.console import OperatorCommand
from mitxonline.users.models import GivenRight, User
from mitxonline.users.sso.rights import find_given_rights, keep_rights


@dataclass(frozen=True, slots=True)
class Plan:
    """What differs between the person and what was asked for."""

    flags: dict[str, bool] = field(default_factory=dict)
    join: list[Group] = field(default_factory=list)
    leave: list[Group] = field(default_factory=list)
    # Rights that came with a role at a provider, and are someone's own from now on.
    keep: list[GivenRight] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The plan, one sentence each; empty if there is nothing to do."""
        words = {"is_staff": "staff", "is_superuser": "superuser"}
        return [
            *(f"{'becomes' if on else 'is no longer'} {words[flag]}" for flag, on in self.flags.items()),
            *(f"joins the group {group.name}" for group in self.join),
            *(f"leaves the group {group.name}" for group in self.leave),
            *(f"keeps {_name_right(right, words)} whatever the sign-in says" for right in self.keep),
        ]


class Command(OperatorCommand):
    help = (
        "Makes someone staff or superuser, or a member of groups. Running it again changes nothing. What a role at a "
        "provider gave becomes the person's own; what is revoked comes back at the next sign-in if a role gives it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address the person signs in with")
        parser.add_argument("--staff", action="store_true", help="may sign in to the Django admin")
        parser.add_argument("--superuser", action="store_true", help="may do everything; implies --staff")
        parser.add_argument("--group", action="append", default=[], metavar="NAME", help="member of this group")
        parser.add_argument("--revoke", action="store_true", help="take the named rights away instead")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["staff"] or options["superuser"] or options["group"]):
            raise CommandError("Say which rights: --staff, --superuser or --group NAME.")
        with transaction.atomic():
            person = _person(options["email"])
            plan = _plan(person, options, groups=_groups(options["group"]))
            if not options["dry_run"]:
                _carry_out(person, plan)
        if options["dry_run"]:
            self.stderr.write("Nothing is changed (--dry-run). The plan:")
        if not plan.lines():
            self.stdout.write(f"{person.email}: nothing to change.")
        for line in plan.lines():
            self.stdout.write(f"{person.email} {line}.")


def _name_right(right: GivenRight, words: dict[str, str]) -> str:
    return f"the group {right.group.name}" if right.group else f"the rights of {words[f'is_{right.kind}']}"


def _person(email: str) -> User:
    person = User.objects.with_email(email).select_for_update().first()
    if person is None:
        raise CommandError(f"No one has the address {email}. They have to register or sign in once first.")
    return person


def _groups(names: list[str]) -> list[Group]:
    found = {group.name: group for group in Group.objects.filter(name__in=names)}
    if missing := [name for name in names if name not in found]:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True)) or "none"
        raise CommandError(f"There is no group {missing[0]}. Known groups: {known}.")
    return [found[name] for name in dict.fromkeys(names)]


def _plan(person: User, options: dict[str, Any], *, groups: list[Group]) -> Plan:
    grant = not options["revoke"]
    wanted = {
        "is_staff": options["staff"] or (options["superuser"] and grant),
        "is_superuser": options["superuser"],
    }
    flags = {flag: grant for flag, named in wanted.items() if named and getattr(person, flag) != grant}
    inside = set(person.groups.values_list("pk", flat=True))
    named = [flag for flag, asked in wanted.items() if asked]
    return Plan(
        flags=flags,
        join=[group for group in groups if grant and group.pk not in inside],
        leave=[group for group in groups if not grant and group.pk in inside],
        keep=find_given_rights(person, flags=named, groups=groups) if grant else [],
    )


def _carry_out(person: User, plan: Plan) -> None:
    for flag, on in plan.flags.items():
        setattr(person, flag, on)
    if plan.flags:
        person.save(update_fields=list(plan.flags))
    person.groups.add(*plan.join)
    person.groups.remove(*plan.leave)
    keep_rights(plan.keep)
