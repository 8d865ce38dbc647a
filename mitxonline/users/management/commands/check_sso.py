"""Check whether people can sign in through the providers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows
from mitxonline.users.checks import check_sign_in
from mitxonline.users.sso.diagnosis import diagnose
from mitxonline.users.sso.findings import State
from mitxonline.users.sso.providers import providers


class Command(OperatorCommand):
    help = (
        "Contacts Keycloak and the course site, and prints a sentence for each thing that is set up or missing. "
        "Changes nothing. The exit status is 1 if something is missing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        findings = diagnose(now=clock.now())
        rows = [(each.provider, each.subject, each.state.value, each.sentence) for each in findings]
        write_rows(self.stdout, rows, columns=["Provider", "Subject", "State", "Sentence"], style=options["format"])
        for message in check_sign_in():
            self.say(f"{message.msg} {message.hint}")
        missing = [each for each in findings if each.state is State.MISSING]
        if missing:
            raise CommandError(f"{len(missing)} of {len(findings)} checks failed. The first: {missing[0].sentence}")
        if not providers():
            raise CommandError(
                "No provider is configured. Set SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT, SOCIAL_AUTH_KEYCLOAK_KEY and "
                "SOCIAL_AUTH_KEYCLOAK_SECRET. docs/keycloak.md explains where they come from."
            )
