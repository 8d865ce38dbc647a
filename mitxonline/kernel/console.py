"""What an operator's commands share: results on stdout, talk on stderr, one sentence on failure."""

from __future__ import annotations

import csv
import json
import logging
import os
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import Any, NoReturn, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich import box
from rich.console import Console
from rich.table import Table

from mitxonline.kernel.errors import DomainError
from mitxonline.kernel.text import escape_formula


class Output(Protocol):
    """What a command writes to: `self.stdout`, or a file it opened."""

    def write(self, text: str, /) -> object: ...


FORMATS = ("table", "json", "csv")


# Libraries that tell of every page saved; an operator asked for one sentence.
TALKATIVE = ("wagtail", "django_tasks", "modelsearch")


class OperatorParser(CommandParser):
    """Says what is wrong with the arguments in one sentence, with exit status 1 like every refusal."""

    def error(self, message: str) -> NoReturn:
        if self.called_from_command_line:
            self.exit(1, f"{self.prog}: {message}. See {self.prog} --help.\n")
        raise CommandError(message)


class OperatorCommand(BaseCommand):
    """A command whose refusals end with exit status 1 and their sentence, instead of a traceback."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # Django builds it in a class of its own. A command with subcommands names ours for them (`parser_class`).
        parser.__class__ = OperatorParser
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            with quiet_libraries(unless=options.get("verbosity", 1) > 1):
                return super().execute(*args, **options)
        except DomainError as refusal:
            raise CommandError(refusal.message) from refusal
        except BrokenPipeError:
            # Whoever read our result has enough, as in `| head`. What is still buffered goes nowhere, in silence.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            return None

    def say(self, sentence: str) -> None:
        """Talk to the person: on standard error, so that a program reading the result doesn't hear it."""
        self.stderr.write(sentence, lambda text: text)


@contextmanager
def quiet_libraries(*, unless: bool = False) -> Iterator[None]:
    """Hear warnings only of libraries that otherwise report every step."""
    loggers = [] if unless else [logging.getLogger(name) for name in TALKATIVE]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


def add_format_option(parser: ArgumentParser) -> None:
    """`--format table|json|csv`, a table for people unless a program asks."""
    parser.add_argument("--format", choices=FORMATS, default="table", help="how to print the result")


def write_rows(out: Output, rows: Iterable[Sequence[object]], *, columns: Sequence[str], style: str = "table") -> None:
    """Print rows the way the operator asked for; columns are headings, or the keys of the JSON objects."""
    if style == "json":
        keys = [column.lower().replace(" ", "_") for column in columns]
        out.write(json.dumps([dict(zip(keys, row, strict=True)) for row in rows], indent=2, default=str) + "\n")
    elif style == "csv":
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows([escape_formula(_format_cell(cell)) for cell in row] for row in rows)
    else:
        _write_table(out, rows, columns)


def _write_table(out: Output, rows: Iterable[Sequence[object]], columns: Sequence[str]) -> None:
    table = Table(box=box.SIMPLE_HEAD, highlight=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_format_cell(cell) for cell in row))
    is_terminal = getattr(out, "isatty", lambda: False)()
    text = StringIO()
    # Piped, a table keeps its natural width: folding at an imagined 80 columns would break what is sought.
    Console(file=text, width=Console().width if is_terminal else 400, markup=False).print(table)
    out.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def _format_cell(cell: object) -> str:
    return "" if cell is None else str(cell)
