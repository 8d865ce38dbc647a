"""Delete someone's account on their request."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand
from mitxonline.users.closing import close_account, plan_closing
from mitxonline.users.models import User


class Command(OperatorCommand):
    help = (
        "Deletes the account of someone who asked for it, as they could on their account page. Without --yes it only "
        "says what would happen, in the words the person would read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the address the person signs in with")
        parser.add_argument("--yes", action="store_true", help="delete it; this can't be undone")

    def handle(self, *args: Any, **options: Any) -> None:
        person = User.objects.with_email(options["email"]).first()
        if person is None:
            raise CommandError(f"No one has the address {options['email']}.")
        plan = plan_closing(person)
        for heading, sentences in (
            ("Has to be settled first", [each.sentence for each in plan.obstacles]),
            ("Is deleted, beside name, address and settings", plan.losses),
            ("Stays", plan.remains),
        ):
            if sentences:
                self.stdout.write("\n".join([f"{heading}:", *(f"  {each}" for each in sentences)]))
        if plan.obstacles:
            raise CommandError(f"The account of {person.email} can’t be deleted yet.")
        if not options["yes"]:
            self.stderr.write("Nothing is deleted. To delete the account, add --yes.")
            return
        close_account(user_id=person.pk, now=clock.now(), by_id=None)
        self.stdout.write(f"The account of {person.email} is deleted.")
