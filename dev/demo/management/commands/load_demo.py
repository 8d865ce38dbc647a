"""`load_demo`: an invented brand with courses, organizations and people, to look around in."""

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
    """Load the demonstration; what is there is left alone."""

    help = "Loads demonstration content and prints its accounts. Safe to repeat; dates are reckoned from today."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts", action="store_true", help="only print the accounts")
        parser.add_argument(
            "--force", action="store_true", help="load in production too (everyone knows the accounts' password)"
        )
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Results on stdout, what is being done on stderr."""
        if not options["accounts"]:
            refuse_in_production(force=options["force"])
            self._load()
        write_rows(self.stdout, account_rows(), columns=COLUMNS, style=options["format"])

    def _load(self) -> None:
        with in_few_words("wagtail", "django_tasks"):
            configure(base_url=settings.SITE_BASE_URL)
            loaded = load_demo(now=clock.now(), tell=self.stderr.write)
        if loaded.changed:
            new = ", ".join(f"{number} {what}" for what, number in loaded.new.items() if number)
            self.stderr.write(_("New: %(new)s.") % {"new": new})
        else:
            self.stderr.write(_("The demonstration is loaded; nothing was changed."))


def refuse_in_production(*, force: bool) -> None:
    """Raise CommandError unless this is a place where an open door harms no one, or someone insists."""
    if settings.SANDBOX_PAYMENTS or force:  # only development settings pretend to be paid
        return
    raise CommandError(
        _(
            "These settings are for a real site. The demonstration has an administrator whose password everyone "
            "knows; use --force if that is what you want."
        )
    )


@contextmanager
def in_few_words(*loggers: str) -> Iterator[None]:
    """Warnings only: a line for each page and index entry would bury what the command says itself."""
    levels = {name: logging.getLogger(name).level for name in loggers}
    for name in loggers:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
