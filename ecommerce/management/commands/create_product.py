"""Put a course run or a program on sale, or give it another price."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import transaction
from django.utils.translation import gettext as _

from courses.enums import EnrollmentMode
from ecommerce.management.arguments import read_amount
from ecommerce.services.catalog.prices import ProductChange, ProductDraft, put_on_sale
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.money import read_currency

COLUMNS = ("Id", "SKU", "Sells", "Mode", "Price", "Currency", "On sale")


class Command(OperatorCommand):
    help = "Put a course run or a program on sale, or give it another price; the same again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("item", metavar="KEY", help="the key of a course run or program")
        parser.add_argument("price", help="like 249 or 19.90")
        parser.add_argument("--currency", default=settings.DEFAULT_CURRENCY, help=f"{settings.DEFAULT_CURRENCY}")
        parser.add_argument(
            "--mode", default=EnrollmentMode.VERIFIED, help=f"what the buyer gets: {', '.join(EnrollmentMode.values)}"
        )
        parser.add_argument("--sku", default="", help="the name shop links use; the key if not given")
        parser.add_argument("-d", "--description", help="for staff")
        sale = parser.add_mutually_exclusive_group()
        sale.add_argument("--inactive", action="store_true", help="not on sale yet, or any more")
        sale.add_argument("--active", action="store_true", help="on sale again")
        parser.add_argument("--reason", default="", help="why, for the history of its prices")
        parser.add_argument("--dry-run", action="store_true", help="say what would change")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        draft = ProductDraft(
            item=options["item"],
            price=read_amount(options["price"], option=_("The price")),
            currency=read_currency(options["currency"]),
            mode=options["mode"],
            sku=options["sku"],
            description=options["description"],
            is_active=False if options["inactive"] else (True if options["active"] else None),
        )
        with transaction.atomic():
            change = put_on_sale(draft=draft, by_id=None, now=clock.now(), reason=options["reason"])
            transaction.set_rollback(options["dry_run"])
        self.say(_describe_change(change, dry_run=options["dry_run"]))
        product = change.product
        row = (
            product.pk if not (options["dry_run"] and change.is_new) else None,
            product.sku,
            product.title,
            product.mode,
            product.money.amount,
            product.currency,
            _("Yes") if product.is_active else _("No"),
        )
        write_rows(self.stdout, [row], columns=COLUMNS, style=options["format"])


def _describe_change(change: ProductChange, *, dry_run: bool) -> str:
    values = {"sku": change.product.sku, "price": change.product.money.formatted(), "what": ", ".join(change.changed)}
    if change.is_new:
        sentence = (
            _("Would put “%(sku)s” on sale for %(price)s.") if dry_run else _("Put “%(sku)s” on sale for %(price)s.")
        )
        if not change.product.is_active:
            sentence = (
                _("Would make “%(sku)s” for %(price)s, not on sale.")
                if dry_run
                else _("Made “%(sku)s” for %(price)s, not on sale.")
            )
    elif change.changed:
        sentence = (
            _("Would change “%(sku)s” (%(what)s); it costs %(price)s.")
            if dry_run
            else _("Changed “%(sku)s” (%(what)s); it costs %(price)s.")
        )
    else:
        sentence = _("Nothing to do: “%(sku)s” costs %(price)s already.")
    return sentence % values
