"""Audits of the books: whether codes, enrollments, payments and seats agree, and which rows don't."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from b2b.management.arguments import day
from ecommerce.selectors.audit import find_discrepancies
from mitxonline.kernel import clock
from mitxonline.kernel.console import Column, OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.dates import format_second
from mitxonline.kernel.money import Money
from mitxonline.kernel.people.files import FileUnreadable, SpellingUnclear, read_rows
from mitxonline.kernel.spreadsheets import write_csv
from reports.audits.base import AuditResult, AuditRow, AuditScope, RowChoice, open_audit
from reports.audits.json_file import json_cells, json_pieces
from reports.audits.registry import AUDITS
from reports.audits.statements import Fetched, Statement, fetch_reports, import_statement, newest_reports, read_gateway
from reports.audits.wording import ROW_HEADINGS, file_rows
from reports.enums import AuditName

COLUMNS = ("Check", "Order or code", "What is wrong")
# A table with more rows than anyone reads; files have all of them.
MAX_LISTED = 200
CODES = "codes"

TERM_COLUMNS = (
    Column("sign", ""),
    Column("term", "Term"),
    Column("figure", "Figure"),
    Column("parts", "How it comes about"),
    Column("rows", "Its rows"),
)
ROW_COLUMNS = tuple(Column(key, heading) for key, heading in ROW_HEADINGS.items())


class Command(OperatorCommand):
    help = (
        "Audit the books. “codes” (or nothing) compares orders, codes and uses: a fulfilled order without a use of its "
        "code (use), a use held for an order that has ended (hold), a code whose counter is wrong (count). "
        "“enrollments”, “payments” and “seats” show every term of their equation and the rows that differ, from one "
        "snapshot. Gateways are asked first. Exits with status 1 if something needs someone. Beat runs all of them "
        "every night."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "audit", nargs="?", choices=[CODES, *AuditName.values], default=CODES, help="which books to audit"
        )
        parser.add_argument("--course", default="", metavar="KEY", help="only this course or run, by its key")
        parser.add_argument("--from", dest="first", type=day, metavar="DAY", help="first day, in the shop's time zone")
        parser.add_argument("--to", dest="last", type=day, metavar="DAY", help="last day")
        parser.add_argument("--currency", type=_currency, help="only this currency, such as USD")
        parser.add_argument("--rows", default="", metavar="TERM", help="list the rows of a term instead of differences")
        parser.add_argument("--by-day", action="store_true", help="add up payments by day, too")
        parser.add_argument("--no-fetch", action="store_true", help="don't ask gateways; use what they reported before")
        parser.add_argument(
            "--import", dest="file", default="", metavar="FILE", help="first read a gateway's statement"
        )
        parser.add_argument("--gateway", default="", help="with --import: whose statement it is")
        parser.add_argument(
            "--columns", default="", help="with --import: “id: Transaction ID; amount: Gross; day: Date; payment: …”"
        )
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["audit"] == CODES:
            self._audit_codes(options["format"])
            return
        audit = AUDITS[AuditName(options["audit"])]
        scope = AuditScope(options["course"], options["first"], options["last"], options["currency"] or "")
        scope.params()  # refused before gateways are asked
        if options["file"]:
            self._import(options)
        fetched: list[Fetched] = []
        if audit.has_money and not options["no_fetch"]:
            since = clock.start_of_day(scope.first) if scope.first else None
            fetched = fetch_reports(now=clock.now(), since=since)
        rows = RowChoice(term=options["rows"])
        with open_audit(audit, scope, rows, by_day=options["by_day"]) as (result, found):
            known = {term.rows for section in result.sections for term in section.terms if term.rows}
            if rows.term and known and rows.term not in known:
                terms = ", ".join(sorted(known))
                raise CommandError(
                    _("There is no term “%(term)s”. Choose from %(terms)s.") % {"term": rows.term, "terms": terms}
                )
            self._write(result, found, fetched, options)
        if failed := [each for each in fetched if each.failure]:
            raise CommandError(
                " ".join(
                    _("%(name)s gave no report: %(why)s.") % {"name": each.name, "why": each.failure} for each in failed
                )
            )
        if result.unexplained:
            sentence = ngettext("%(n)d row needs someone.", "%(n)d rows need someone.", result.unexplained)
            raise CommandError(sentence % {"n": result.unexplained})
        self.say(_("The books agree."))

    def _audit_codes(self, style: str) -> None:
        found = [(each.check, each.subject, each.detail) for each in find_discrepancies()]
        if found or style != "table":
            write_rows(self.stdout, found, columns=COLUMNS, style=style)
        if found:
            sentence = ngettext("Found %(n)d inconsistency.", "Found %(n)d inconsistencies.", len(found))
            raise CommandError(sentence % {"n": len(found)})
        self.say(_("Everything is consistent."))

    def _import(self, options: dict[str, Any]) -> None:
        if not options["gateway"]:
            raise CommandError(_("Say whose statement it is: --gateway paypal."))
        gateway, path = read_gateway(options["gateway"]), Path(options["file"])
        try:
            rows = read_rows(path.read_bytes())
        except OSError as error:
            raise CommandError(_("%(path)s can't be read: %(why)s.") % {"path": path, "why": error.strerror}) from error
        except FileUnreadable as error:
            raise CommandError(str(error.sentence)) from error
        except SpellingUnclear as error:
            raise CommandError(_("Save the file as CSV (UTF-8): its letters are unclear.")) from error
        statement = Statement(gateway, rows, options["columns"], options["currency"] or "", path.name)
        report = import_statement(statement, now=clock.now())
        sentence = ngettext("Read %(n)d entry of %(name)s.", "Read %(n)d entries of %(name)s.", report.entries)
        self.say(sentence % {"n": report.entries, "name": path.name})

    def _write(
        self, result: AuditResult, rows: Iterator[AuditRow], fetched: Sequence[Fetched], options: dict[str, Any]
    ) -> None:
        if options["format"] == "json":
            self.stdout.writelines(json_pieces(result, rows))
        elif options["format"] == "csv":
            write_csv(self.stdout, file_rows(result, rows))
        else:
            self._write_tables(result, rows, fetched, command=_repeat(options))

    def _write_tables(
        self, result: AuditResult, rows: Iterator[AuditRow], fetched: Sequence[Fetched], *, command: str
    ) -> None:
        self.stdout.write(
            _("%(audit)s as of %(moment)s")
            % {"audit": result.audit.name.label, "moment": format_second(result.taken_at)}
        )
        if result.audit.has_money:
            for report in newest_reports():
                told = {"gateway": report.gateway_name, "account": report.account, "until": format_second(report.until)}
                self.stdout.write(_("%(gateway)s %(account)s reported until %(until)s") % told)
            for each in fetched:
                if each.failure:
                    self.stdout.write(_("%(name)s gave no report: %(why)s") % {"name": each.name, "why": each.failure})
        for section in result.sections:
            self.stdout.write(f"\n{section.heading}")
            terms = (
                (
                    term.sign,
                    term.label,
                    _figure(term.figure),
                    ", ".join(f"{label} {_figure(figure)}" for label, figure in term.parts),
                    f"{command} --rows {term.rows}" if term.rows else "",
                )
                for term in section.terms
            )
            write_rows(self.stdout, terms, columns=TERM_COLUMNS)
        if result.days:
            days = ((each.day, each.gateway, each.shop, each.difference) for each in result.days)
            write_rows(self.stdout, days, columns=("Day", "Gateway", "Shop", "Difference"))
        listed = [json_cells(row) for row, _number in zip(rows, range(MAX_LISTED), strict=False)]
        if listed:
            write_rows(self.stdout, listed, columns=ROW_COLUMNS)
            if next(rows, None) is not None:
                self.stdout.write(_("There are more rows. --format csv writes all of them."))
        for cause in result.causes:
            word = _("explained") if cause.is_explained else _("needs someone")
            amount = f", {cause.difference}" if cause.difference is not None else ""
            self.stdout.write(f"{cause.count} × {cause.cause.label}{amount} ({word})")


def _figure(figure: int | Money) -> str:
    return str(figure.amount) if isinstance(figure, Money) else str(figure)


def _repeat(options: dict[str, Any]) -> str:
    """The command that was given, for the rows of a term."""
    said: Iterable[tuple[str, object]] = (
        ("course", options["course"]),
        ("from", options["first"]),
        ("to", options["last"]),
        ("currency", options["currency"]),
    )
    return " ".join(["commerce_audit", options["audit"], *(f"--{name} {value}" for name, value in said if value)])


def _currency(text: str) -> str:
    code = text.strip().upper()
    if len(code) != 3 or not code.isalpha():
        raise ArgumentTypeError(
            _("“%(text)s” isn’t a currency. Write its three letters, such as USD.") % {"text": text}
        )
    return code
