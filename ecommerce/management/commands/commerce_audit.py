"""Compare the shop's books with one another."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.selectors.audit import find_discrepancies
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows

COLUMNS = ("Check", "Order or code", "What is wrong")


class Command(OperatorCommand):
    help = (
        "Find what doesn't agree in orders, codes and uses: a fulfilled order without a use of its code (use), a use "
        "held for an order that ended (hold), a code whose counter differs from its uses (count). Changes nothing; "
        "status 1 if anything is found. Beat runs it every night and logs what it finds."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = [(each.check, each.subject, each.detail) for each in find_discrepancies()]
        if found or options["format"] != "table":
            write_rows(self.stdout, found, columns=COLUMNS, style=options["format"])
        if found:
            sentence = ngettext("%(n)d thing doesn’t agree.", "%(n)d things don’t agree.", len(found))
            raise CommandError(sentence % {"n": len(found)})
        self.say(_("Everything agrees."))
