"""Synchronize organizations' pages with the organizations of Keycloak."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.gateways.keycloak import KeycloakGateway
from b2b.management import tables
from b2b.management.progress import LateProgress
from b2b.services.organizations.keycloak_joins import ask_refused_again
from b2b.services.organizations.keycloak_sync import SyncLine, SyncOutcome, SyncReport, sync_organizations
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows


class Command(OperatorCommand):
    help = (
        "Create and update a page for each organization of Keycloak, found by its id; report those that are gone. "
        "Organization keys never change, and no page is removed. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
        parser.add_argument(
            "--link",
            action="append",
            default=[],
            type=_link,
            metavar="ALIAS=ORGANIZATION",
            help="the organization with this alias in Keycloak is this one here (an id, name, slug or key)",
        )
        parser.add_argument(
            "--all-gone",
            action="store_true",
            help="believe Keycloak if it shows no organization at all, and mark those known as gone",
        )
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        with LateProgress(self.stderr, label=_("Organizations")) as progress:
            report = sync_organizations(
                keycloak=KeycloakGateway.from_settings(),
                now=clock.now(),
                links=dict(options["link"]),
                dry_run=options["dry_run"],
                all_gone=options["all_gone"],
                progress=progress,
            )
        style = options["format"]
        rows = [_cells(line, style=style) for line in report.lines]
        write_rows(self.stdout, rows, columns=tables.SYNC, style=style)
        self.say(_summary(report, dry_run=options["dry_run"]))
        if not options["dry_run"] and (again := ask_refused_again(now=clock.now())):
            self.say(
                ngettext(
                    "Asked again for %(count)d person whom Keycloak refused because roles were missing.",
                    "Asked again for %(count)d people whom Keycloak refused because roles were missing.",
                    again,
                )
                % {"count": again}
            )
        problems = len(report.with_outcome(SyncOutcome.PROBLEM))
        if problems:
            raise CommandError(
                ngettext(
                    "%(count)d organization couldn’t be synchronized; its note says why.",
                    "%(count)d organizations couldn’t be synchronized; their notes say why.",
                    problems,
                )
                % {"count": problems}
            )


def _link(text: str) -> tuple[str, str]:
    alias, equals, organization = (part.strip() for part in text.partition("="))
    if not (alias and equals and organization):
        raise ArgumentTypeError(_("Write --link as the alias in Keycloak, “=”, and an organization: --link acme=ACME."))
    return alias, organization


def _cells(line: SyncLine, *, style: str) -> tuple[object, ...]:
    outcome = line.outcome.value if style == "json" else _label(line.outcome)
    return outcome, line.alias, line.name, line.page_id, line.org_key, line.sentence


def _label(outcome: SyncOutcome) -> str:
    return {
        SyncOutcome.CREATED: _("created"),
        SyncOutcome.LINKED: _("linked"),
        SyncOutcome.UPDATED: _("updated"),
        SyncOutcome.UNCHANGED: _("unchanged"),
        SyncOutcome.DISABLED: _("disabled in Keycloak"),
        SyncOutcome.GONE: _("gone from Keycloak"),
        SyncOutcome.PROBLEM: _("problem"),
    }[outcome]


def _summary(report: SyncReport, *, dry_run: bool) -> str:
    counted = [f"{_label(outcome)}: {len(lines)}" for outcome in SyncOutcome if (lines := report.with_outcome(outcome))]
    summary = ", ".join(counted) or _("Keycloak has no organizations, and none are linked here.")
    return _("Nothing was written. It would be: %(summary)s") % {"summary": summary} if dry_run else summary
