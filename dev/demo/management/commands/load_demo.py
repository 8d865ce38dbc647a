"""`load_demo` loads an invented brand with courses, organizations and people."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

from dev.demo.load import load_demo
from dev.demo.people import account_rows
from frontend.site.site_setup import configure
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows

COLUMNS = ("Role", "Name", "Email", "Password")


class Command(OperatorCommand):
    help = "Loads the demo and prints its accounts. Safe to repeat. Dates are relative to today."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", action="store_true", help="only print the accounts")
        parser.add_argument(
            "--force",
            action="store_true",
            help="load it on a production site (everyone knows the accounts' password)",
        )
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        # The accounts go to stdout, progress to stderr.
        if not options["accounts"]:
            refuse_in_production(force=options["force"])
            self._load()
        write_rows(self.stdout, account_rows(), columns=COLUMNS, style=options["format"])

    def _load(self) -> None:
        with only_warnings("wagtail", "django_tasks"):
            configure(base_url=settings.SITE_BASE_URL)
            result = load_demo(now=clock.now(), report=self.stderr.write)
        if result.is_changed:
            new = ", ".join(f"{number} {kind}" for kind, number in result.new.items() if number)
            self.stderr.write(_("New: %(new)s.") % {"new": new})
        else:
            self.stderr.write(_("The demo is already loaded. Nothing changed."))


def refuse_in_production(*, force: bool) -> None:
    """Raise CommandError on a production site unless forced."""
    if settings.SANDBOX_PAYMENTS or force:  # only development settings have sandbox payments
        return
    raise CommandError(
        _(
            "This is a production site, and the demo has an administrator whose password everyone knows. "
            "Use --force to load it anyway."
        )
    )


@contextmanager
def only_warnings(*loggers: str) -> Iterator[None]:
    """Silence a line for each page and index entry, which would bury the command's own output."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
