"""Ask the gateways about unsettled payments and settle them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.services.payment.pending import PaymentCheck, check_unsettled_payments
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows

COLUMNS = ("Order", "Gateway", "Session", "Was", "Gateway says", "Is", "Order is", "Trouble")


class Command(OperatorCommand):
    help = (
        "Ask the gateways about every payment that was started and never settled, and settle it: paid orders are "
        "fulfilled, dead payment pages closed. Beat does this regularly; run it if notices were lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only print what the gateways say")
        parser.add_argument(
            "--older-than",
            type=int,
            default=5,
            metavar="MINUTES",
            help="skip payments that were started less than this long ago (default: %(default)s)",
        )
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        is_dry = bool(options["dry_run"])
        older_than = timedelta(minutes=max(0, options["older_than"]))
        asked = list(check_unsettled_payments(now=clock.now(), older_than=older_than, dry_run=is_dry))
        if asked or options["format"] != "table":
            rows = [_row(each) for each in asked]
            write_rows(self.stdout, rows, columns=COLUMNS, style=options["format"])
        self.say(_summary(asked, is_dry=is_dry))


def _row(each: PaymentCheck) -> Sequence[object]:
    return (
        each.number,
        each.gateway,
        each.session_id,
        each.state_before,
        each.outcome,
        each.state_after,
        each.order_state,
        each.failure,
    )


def _summary(asked: Sequence[PaymentCheck], *, is_dry: bool) -> str:
    if not asked:
        return _("Every payment is settled.")
    failed = sum(1 for each in asked if each.failure)
    sentence = ngettext("Asked about %(n)d payment.", "Asked about %(n)d payments.", len(asked)) % {"n": len(asked)}
    if failed:
        sentence += " " + _("%(n)d couldn’t be settled: see the last column.") % {"n": failed}
    if is_dry:
        sentence += " " + _("Nothing was changed.")
    return sentence
