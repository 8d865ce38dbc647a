"""Put a course run or a program on sale, or change its price."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction
from django.utils.translation import gettext as _

from courses.enums import EnrollmentMode
from ecommerce.management import arguments
from ecommerce.services.catalog.prices import ProductChange, ProductDraft, put_on_sale
from mitxonline.kernel import clock
from mitxonline.kernel.console import OperatorCommand, add_format_option, write_rows
from mitxonline.kernel.money import read_currency
from mitxonline.kernel.shop import current_shop

COLUMNS = ("Id", "SKU", "Sells", "Mode", "Price", "Currency", "On sale")


class Command(OperatorCommand):
    help = "Put a course run or a program on sale, or change its price. Running it twice changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("item", metavar="KEY", help="the key of a course run or program")
        parser.add_argument("price", type=arguments.amount, help="like 249 or 19.90")
        parser.add_argument(
            "--currency", type=read_currency, default=current_shop().currency, help="default: %(default)s"
        )
        parser.add_argument(
            "--mode",
            choices=EnrollmentMode.values,
            default=EnrollmentMode.VERIFIED,
            help="what the buyer gets; default: %(default)s",
        )
        parser.add_argument("--sku", default="", help="the name used in shop links; default: the key")
        parser.add_argument("-d", "--description", help="for staff")
        sale = parser.add_mutually_exclusive_group()
        sale.add_argument("--inactive", dest="is_active", action="store_false", default=None, help="take it off sale")
        sale.add_argument("--active", dest="is_active", action="store_true", default=None, help="put it back on sale")
        parser.add_argument("--reason", default="", help="the reason, for the price history")
        parser.add_argument("--dry-run", action="store_true", help="only say what would change")
        add_format_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        draft = ProductDraft(
            item=options["item"],
            price=options["price"],
            currency=options["currency"],
            mode=options["mode"],
            sku=options["sku"],
            description=options["description"],
            is_active=options["is_active"],
        )
        with transaction.atomic():
            change = put_on_sale(draft=draft, by_id=None, now=clock.now(), reason=options["reason"])
            transaction.set_rollback(options["dry_run"])
        self.say(_describe(change, dry_run=options["dry_run"]))
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


def _describe(change: ProductChange, *, dry_run: bool) -> str:
    product = change.product
    match change.is_new, product.is_active, bool(change.changed), dry_run:
        case True, True, _changed, False:
            sentence = _("Put “%(sku)s” on sale for %(price)s.")
        case True, True, _changed, True:
            sentence = _("Would put “%(sku)s” on sale for %(price)s.")
        case True, False, _changed, False:
            sentence = _("Created “%(sku)s” for %(price)s. It isn’t on sale.")
        case True, False, _changed, True:
            sentence = _("Would create “%(sku)s” for %(price)s. It wouldn’t be on sale.")
        case False, _active, True, False:
            sentence = _("Changed “%(sku)s” (%(columns)s). It costs %(price)s.")
        case False, _active, True, True:
            sentence = _("Would change “%(sku)s” (%(columns)s). It would cost %(price)s.")
        case _nothing_changed:
            sentence = _("Nothing to do: “%(sku)s” already costs %(price)s.")
    return sentence % {"sku": product.sku, "price": product.money.formatted(), "columns": ", ".join(change.changed)}
