"""Find inconsistencies between orders, codes and uses."""

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
        "Find inconsistencies between orders, codes and uses: a fulfilled order without a use of its code (use), a use "
        "held for an order that has ended (hold), a code whose counter is wrong (count). Changes nothing. Exits with "
        "status 1 if it finds any. Beat runs it every night and logs the result."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        found = [(each.check, each.subject, each.detail) for each in find_discrepancies()]
        if found or options["format"] != "table":
            write_rows(self.stdout, found, columns=COLUMNS, style=options["format"])
        if found:
            sentence = ngettext("Found %(n)d inconsistency.", "Found %(n)d inconsistencies.", len(found))
            raise CommandError(sentence % {"n": len(found)})
        self.say(_("Everything is consistent."))
