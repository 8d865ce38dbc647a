"""Import course runs from Studio: one by its key, or those of a program’s courses by their tag."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from b2b.management.arguments import contract_id
from b2b.selectors.contracts import find_contract
from courses.errors import (
    CourseSiteDenied,
    CourseSiteNotConfigured,
    CourseSiteSecretWrong,
    CourseSiteUnavailable,
)
from courses.gateways.openedx.studio import Studio
from courses.models import Program
from courses.models.keys import parse_course_key
from courses.selectors.programs import courses_of_program
from ecommerce.management.arguments import amount
from frontend.site.course_imports import Extras, ImportLine, Outcome, describe_refusal, import_from_studio
from mitxonline.kernel import clock
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.money import read_currency
from mitxonline.kernel.shop import current_shop

COLUMNS = (
    Column("outcome", "What"),
    Column("key", "Course key"),
    Column("title", "Title"),
    Column("start", "Starts"),
    Column("end", "Ends"),
    Column("notes", "Notes"),
)
# What no other run will answer either.
NO_COURSE_SITE = (CourseSiteUnavailable, CourseSiteDenied, CourseSiteSecretWrong, CourseSiteNotConfigured)


class Command(OperatorCommand):
    help = (
        "Import course runs from Studio with their titles and dates. Runs that are here already stay as they are: "
        "sync_courseruns follows Studio’s changes. Safe to repeat."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--courserun", metavar="KEY", type=run_key, help="the run to import")
        parser.add_argument(
            "--program",
            metavar="PROGRAM",
            help="with --run-tag: import the run with this tag of each of its courses; "
            "with --courserun: require the run’s course in this program. An id, or a number",
        )
        parser.add_argument("--run-tag", metavar="TAG", help="the last part of the keys to look for, like 1T2027")
        parser.add_argument("--use-specific-course", metavar="COURSE", default="", help="the course it is a run of")
        parser.add_argument("--source-course", action="store_true", help="it is what contract runs are made from")
        parser.add_argument("--live", action="store_true", help="make the run, and a new course, live")
        pages = parser.add_mutually_exclusive_group()
        parser.add_argument(
            "--create-cms-page",
            action="store_true",
            help="create a page for the course, published with --live and else a draft",
        )
        pages.add_argument("--publish-cms-page", action="store_true", help="publish the page also without --live")
        pages.add_argument("--draft-cms-page", action="store_true", help="keep the page a draft also with --live")
        parser.add_argument("--price", type=amount, help="sell the run: 249 or 19.90")
        parser.add_argument(
            "--currency", type=read_currency, default=current_shop().currency, help="default: %(default)s"
        )
        parser.add_argument("-d", "--dept", "--department", dest="dept", default="", help="of a course that is new")
        parser.add_argument("--create-depts", action="store_true", help="create the department if it is new")
        parser.add_argument("--contract", type=contract_id, help="make the run one of this contract, by its id")
        parser.add_argument("--dry-run", action="store_true", help="say what would be imported, and do nothing")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        keys, extras = self._read(options)
        studio = Studio.from_settings()
        lines = list(self._import(keys, extras, studio=studio, dry_run=options["dry_run"]))
        rows = [_cells(line, style=options["format"]) for line in lines]
        write_rows(self.stdout, rows, columns=COLUMNS, style=options["format"])
        self.say(_summarize(lines, dry_run=options["dry_run"]))
        bad = [line for line in lines if line.outcome in (Outcome.UNKNOWN, Outcome.REFUSED)]
        if bad and (options["courserun"] or any(line.outcome is Outcome.REFUSED for line in bad)):
            raise CommandError(" ".join(f"{line.key}: {' '.join(line.notes)}" for line in bad))

    def _read(self, options: dict[str, Any]) -> tuple[list[str], Extras]:
        program = _find_program(options["program"]) if options["program"] else None
        key, tag = options["courserun"], options["run_tag"]
        if key and tag:
            raise CommandError(_("A key ends with its tag: leave out --run-tag, or give --program instead of the key."))
        if not key and not (program and tag):
            raise CommandError(_("Write --courserun with a key, or --program and --run-tag together."))
        if options["use_specific_course"] and not key:
            raise CommandError(_("--use-specific-course is about one run: give its key with --courserun."))
        if (options["publish_cms_page"] or options["draft_cms_page"]) and not options["create_cms_page"]:
            raise CommandError(_("--publish-cms-page and --draft-cms-page need --create-cms-page."))
        if options["contract"] is not None:
            find_contract(options["contract"])
        extras = Extras(
            course_id=options["use_specific_course"],
            department=options["dept"],
            creates_department=options["create_depts"],
            is_live=options["live"],
            is_source=options["source_course"],
            page=_page_of(options),
            price=options["price"],
            currency=options["currency"],
            program=program if key else None,
            contract_id=options["contract"],
        )
        if key or program is None:
            return [key], extras
        return [f"{course.readable_id}+{tag}" for course in courses_of_program(program.pk)], extras

    def _import(self, keys: list[str], extras: Extras, *, studio: Studio, dry_run: bool) -> Iterator[ImportLine]:
        for key in keys:
            try:
                yield import_from_studio(key, extras, studio=studio, now=clock.now(), dry_run=dry_run)
            except NO_COURSE_SITE:
                raise
            except DomainError as refusal:
                yield describe_refusal(key, refusal)


def run_key(text: str) -> str:
    if parse_course_key(text.strip()) is None:
        sentence = _("“%(key)s” isn’t a course key. It should look like course-v1:ORG+NUMBER+RUN, without spaces.")
        raise ArgumentTypeError(sentence % {"key": text})
    return text.strip()


def _find_program(text: str) -> Program:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None
    found = Program.objects.filter(pk=number) if number is not None else Program.objects.filter(readable_id=text)
    program = found.first()
    if program is None:
        raise CommandError(_("There is no program “%(program)s”.") % {"program": text})
    return program


def _page_of(options: dict[str, Any]) -> str | None:
    if not options["create_cms_page"]:
        return None
    publishes = options["publish_cms_page"] or (options["live"] and not options["draft_cms_page"])
    return "publish" if publishes else "draft"


def _cells(line: ImportLine, *, style: str) -> tuple[object, ...]:
    outcome = line.outcome.value if style == "json" else _label(line.outcome)
    return outcome, line.key, line.title, line.start, line.end, "; ".join(line.notes)


def _label(outcome: Outcome) -> str:
    return {
        Outcome.IMPORTED: _("imported"),
        Outcome.HERE_ALREADY: _("here already"),
        Outcome.UNKNOWN: _("unknown to Studio"),
        Outcome.REFUSED: _("refused"),
    }[outcome]


def _summarize(lines: list[ImportLine], *, dry_run: bool) -> str:
    counts = {outcome: sum(line.outcome is outcome for line in lines) for outcome in Outcome}
    said = ", ".join(f"{_label(outcome)}: {count}" for outcome, count in counts.items() if count)
    said = said or _("the program has no courses")
    return _("Nothing was written. It would be: %(summary)s") % {"summary": said} if dry_run else said
