"""List who should be enrolled in the course site and isn’t, and who is enrolled only there; repair it with --fix."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courses.enums import DifferenceKind
from courses.gateways.openedx.client import OpenEdxClient
from courses.models import CourseRun, EnrollmentDifference
from courses.services.comparison import Compared, compare_enrollments, repair
from mitxonline.kernel import clock
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows

COLUMNS = (
    Column("kind", "Difference"),
    Column("key", "Course key"),
    Column("learner", "Learner"),
    Column("username", "Name there"),
    Column("note", "Note"),
)


class Command(OperatorCommand):
    help = (
        "List who should be enrolled in the course site and isn’t, who is enrolled only there, and who is in another "
        "mode. It runs every night, too. With --fix the course site is told again what the enrollments here say."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--course", metavar="KEY", action="append", default=[], help="only this run or course; may be repeated"
        )
        parser.add_argument("--fix", action="store_true", help="repair what differs, by the same way as ever")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        runs = _find_runs(options["course"]) if options["course"] else None
        compared = compare_enrollments(client=OpenEdxClient.from_settings(), now=now, runs=runs)
        found = EnrollmentDifference.objects.filter(found_at=now)
        style = options["format"]
        listed = found.select_related("run", "user").order_by("run__courseware_id", "kind", "pk")
        write_rows(
            self.stdout,
            [_cells(each, style=style) for each in listed.iterator(chunk_size=500)],
            columns=COLUMNS,
            style=style,
        )
        self.say(_summarize(compared))
        if options["fix"]:
            count = repair(differences=found, now=now)
            self.say(
                ngettext("%(n)d enrollment is being sent again.", "%(n)d enrollments are being sent again.", count)
                % {"n": count}
            )
        if compared.refused:
            raise CommandError(" ".join(f"{key}: {why}" for key, why in compared.refused.items()))


def _find_runs(keys: list[str]) -> list[CourseRun]:
    found: list[CourseRun] = []
    for key in keys:
        runs = list(CourseRun.all_objects.filter(courseware_id=key)) or list(
            CourseRun.all_objects.filter(course__readable_id=key).order_by("pk")
        )
        if not runs:
            raise CommandError(_("There is no course or run %(key)s here.") % {"key": key})
        found += [run for run in runs if run not in found]
    return found


def _cells(each: EnrollmentDifference, *, style: str) -> tuple[object, ...]:
    kind = each.kind if style == "json" else DifferenceKind(each.kind).label
    learner = each.user.email if each.user is not None else ""
    return kind, each.run.courseware_id, learner, each.username, each.note


def _summarize(compared: Compared) -> str:
    return _("%(runs)d runs, %(enrollments)d enrollments there, %(differences)d differences.") % {
        "runs": compared.runs,
        "enrollments": compared.enrollments,
        "differences": compared.differences,
    }
