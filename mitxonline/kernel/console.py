"""What management commands share: results on stdout, messages on stderr, one sentence on failure."""

from __future__ import annotations

import csv
import json
import logging
import os
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from io import StringIO
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import IntegrityError
from django.utils.translation import gettext as _
from rich import box
from rich.console import Console
from rich.table import Table

from mitxonline.kernel.constraints import refusal_for
from mitxonline.kernel.dates import format_second
from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.text import escape_formula
from mitxonline.kernel.trace import open_trace, trace_id

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class Output(Protocol):
    """`self.stdout`, or a file that a command opened."""

    def write(self, text: str, /) -> object: ...


FORMATS = ("table", "json", "csv")

# Libraries that log every page they save.
CHATTY_LOGGERS = ("wagtail", "django_tasks", "modelsearch")


class OperatorParser(CommandParser):
    """Reports wrong arguments in one sentence, with exit status 1 like every refusal."""

    def error(self, message: str) -> NoReturn:
        # A value that its `type` refuses is “argument --start: …”; the option says enough.
        message = message.removeprefix("argument ")
        if self.called_from_command_line:
            self.exit(1, f"{self.prog}: {message.removesuffix('.')}. See {self.prog} --help.\n")
        raise CommandError(message)


class OperatorCommand(BaseCommand):
    """A command whose refusals end with their sentence and exit status 1 instead of a traceback."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Django has no hook for the class. Commands with subcommands pass ours to them as `parser_class`.
        parser.__class__ = OperatorParser
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            # Called by a task, a command belongs to the task's trace.
            with open_trace(trace_id()), quiet_libraries(unless=options.get("verbosity", 1) > 1):
                return super().execute(*args, **options)
        except DomainError as refusal:
            raise CommandError(str(refusal)) from refusal
        except IntegrityError as error:
            if (violation := refusal_for(error)) is None:
                raise
            raise CommandError(str(violation)) from error
        except BrokenPipeError:
            # The reader has enough, as in `| head`. Python would report what is still buffered when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return None

    def say(self, sentence: str) -> None:
        """Write a message on stderr, so that it doesn't get into the result a program reads."""
        self.stderr.write(sentence, lambda text: text)


@contextmanager
def quiet_libraries(*, unless: bool = False) -> Iterator[None]:
    """Silence libraries that log every step, except for warnings."""
    loggers = [] if unless else [logging.getLogger(name) for name in CHATTY_LOGGERS]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


def add_format_option(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print the result")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result: its key in JSON, its heading, and the word for a missing value."""

    key: str
    heading: StrOrPromise
    none: StrOrPromise = ""

    def format(self, cell: object) -> str:
        if cell is None:
            return str(self.none)
        if isinstance(cell, bool):
            return _("Yes") if cell else _("No")
        if isinstance(cell, datetime):
            return format_second(cell)
        # A price from the database has more digits than its currency.
        return f"{cell.normalize():f}" if isinstance(cell, Decimal) and cell == cell.to_integral() else str(cell)


def write_rows(
    out: Output, rows: Iterable[Sequence[object]], *, columns: Sequence[Column | str], style: str = "table"
) -> None:
    """Print rows the way the operator asked for: values for programs (JSON), words for people (table, CSV).

    A column that is only a heading has its lower-case words as its key.
    """
    known = [each if isinstance(each, Column) else Column(each.lower().replace(" ", "_"), each) for each in columns]
    if style == "json":
        keys = [column.key for column in known]
        objects = [dict(zip(keys, row, strict=True)) for row in rows]
        write_json(out, objects)
        return
    words = ([column.format(cell) for column, cell in zip(known, row, strict=True)] for row in rows)
    headings = [str(column.heading) for column in known]
    if style == "csv":
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(headings)
        writer.writerows([escape_formula(word) for word in row] for row in words)
    else:
        _write_table(out, words, headings)


def write_json(out: Output, objects: Sequence[object]) -> None:
    """Write objects that are more than rows, such as lists in lists."""
    out.write(json.dumps(objects, indent=2, ensure_ascii=False, default=str) + "\n")


def _write_table(out: Output, rows: Iterable[Sequence[str]], headings: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, highlight=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    is_terminal = getattr(out, "isatty", lambda: False)()
    text = StringIO()
    # Piped, a table keeps its natural width, because folding at 80 columns would break what `grep` looks for.
    Console(file=text, width=Console().width if is_terminal else 400, markup=False).print(table)
    out.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))
