"""List who should be enrolled in the course site and isn’t, and who is enrolled only there; repair it with --fix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courses.enums import DifferenceKind
from courses.gateways.openedx.client import OpenEdxClient
from courses.models import CourseRun, EnrollmentDifference
from courses.selectors.course_address import is_course_site_connected
from courses.selectors.course_sites import each_course_site, is_at_course_site
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
        compared = [
            compare_enrollments(client=OpenEdxClient.from_settings(), now=now, runs=own)
            for site_id in each_course_site()
            if (own := _find_own(runs)) or (runs is None and (site_id is None or is_course_site_connected()))
        ]
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
        refused = {key: why for each in compared for key, why in each.refused.items()}
        if refused:
            raise CommandError(" ".join(f"{key}: {why}" for key, why in refused.items()))


def _find_own(runs: list[CourseRun] | None) -> list[CourseRun] | None:
    """Return those of the runs that are at the current course site; None for all that are worth it."""
    if runs is None:
        return None
    return list(CourseRun.all_objects.filter(is_at_course_site(), pk__in=[run.pk for run in runs]).order_by("pk"))


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


def _summarize(compared: Sequence[Compared]) -> str:
    return _("%(runs)d runs, %(enrollments)d enrollments there, %(differences)d differences.") % {
        "runs": sum(each.runs for each in compared),
        "enrollments": sum(each.enrollments for each in compared),
        "differences": sum(each.differences for each in compared),
    }
