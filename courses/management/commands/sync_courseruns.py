"""Bring in the titles and dates of runs that were changed in Studio."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from courses.gateways.openedx.studio import Studio, is_studio_configured
from courses.models import CourseRun
from courses.selectors.course_sites import each_course_site, is_at_course_site
from courses.services.run_sync import RunLine, RunOutcome, RunSyncReport, sync_runs
from mitxonline.kernel import clock
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows

COLUMNS = (Column("outcome", "What"), Column("key", "Course key"), Column("title", "Title"), Column("notes", "Notes"))


class Command(OperatorCommand):
    help = (
        "Bring in the titles and dates of runs that were changed in Studio. What was set by hand here is reported and "
        "stays. Safe to repeat; it runs every night, too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--courserun", metavar="KEY", action="append", default=[], help="only this run; may be repeated"
        )
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="with --courserun: replace what was set by hand too",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be changed, and do nothing")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        keys = options["courserun"]
        if options["overwrite"] and not keys:
            raise CommandError(_("--overwrite replaces what people set by hand: name the runs with --courserun."))
        named = CourseRun.all_objects.filter(courseware_id__in=keys)
        known = set(named.values_list("courseware_id", flat=True))
        if unknown := [key for key in keys if key not in known]:
            raise CommandError(_("There is no run %(keys)s here.") % {"keys": ", ".join(unknown)})
        report, now = RunSyncReport(), clock.now()
        for site_id in each_course_site():
            own = list(named.filter(is_at_course_site()).values_list("courseware_id", flat=True))
            if own or (not keys and (site_id is None or is_studio_configured())):
                report.join(
                    sync_runs(
                        studio=Studio.from_settings(),
                        now=now,
                        keys=own,
                        overwrites=options["overwrite"],
                        dry_run=options["dry_run"],
                    )
                )
        style = options["format"]
        rows = [_cells(line, style=style) for line in report.lines]
        write_rows(self.stdout, rows, columns=COLUMNS, style=style)
        self.say(_summarize(report, dry_run=options["dry_run"]))
        if keys and report.counts.total() < len(keys):
            raise CommandError(_("Studio doesn’t have all of these runs, or some are still being made there."))


def _cells(line: RunLine, *, style: str) -> tuple[object, ...]:
    outcome = line.outcome.value if style == "json" else _label(line.outcome)
    return outcome, line.key, line.title, "; ".join(line.notes)


def _label(outcome: RunOutcome) -> str:
    return {
        RunOutcome.CHANGED: _("changed"),
        RunOutcome.KEPT: _("set by hand here"),
        RunOutcome.PROBLEM: _("problem"),
        RunOutcome.GONE: _("gone from Studio"),
        RunOutcome.UNCHANGED: _("unchanged"),
    }[outcome]


def _summarize(report: RunSyncReport, *, dry_run: bool) -> str:
    counted = ", ".join(f"{_label(outcome)}: {count}" for outcome in RunOutcome if (count := report.counts[outcome]))
    counted = counted or _("Studio has none of the runs that are here.")
    return _("Nothing was written. It would be: %(summary)s") % {"summary": counted} if dry_run else counted
