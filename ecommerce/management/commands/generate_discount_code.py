"""Create a discount with one code, several, one for each address, or none because it applies automatically."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.enums import DiscountType, PaymentType
from ecommerce.forms.discounts import NewDiscountForm
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.selectors.discount_text import dates_text, groups_text, off_text, uses_text
from ecommerce.services.discounts.discounts import CreatedDiscount, create_discount, find_identical
from ecommerce.services.discounts.validation import DiscountDraft, NewCodes
from mitxonline.kernel import clock
from mitxonline.kernel.console import FORMATS, OperatorCommand, Output, write_rows
from mitxonline.kernel.files import refuse_unless_writable, replace_file
from mitxonline.kernel.money import read_currency
from mitxonline.kernel.shop import current_shop

# The names of other shops, and ours.
TYPES = {
    "percent-off": DiscountType.PERCENT_OFF,
    "percent_off": DiscountType.PERCENT_OFF,
    "dollars-off": DiscountType.AMOUNT_OFF,
    "amount-off": DiscountType.AMOUNT_OFF,
    "amount_off": DiscountType.AMOUNT_OFF,
    "dollars-off-each": DiscountType.AMOUNT_OFF_EACH,
    "amount-off-each": DiscountType.AMOUNT_OFF_EACH,
    "amount_off_each": DiscountType.AMOUNT_OFF_EACH,
    "fixed-price": DiscountType.FIXED_PRICE,
    "fixed_price": DiscountType.FIXED_PRICE,
}
# The options that fill the form's fields, to name them in errors.
OPTIONS = {
    "code": "CODE",
    "begins": "--prefix",
    "addresses": "--assign",
    "people": "--for",
    "products": "--product",
    "activates_at": "--activates",
    "expires_at": "--expires",
}
COLUMNS = (
    "Code",
    "Type",
    "Amount",
    "Currency",
    "Can be used",
    "Valid from",
    "Valid until",
    "Given to",
    "Discount id",
    "Also for groups",
)


class Command(OperatorCommand):
    help = "Create a discount with one code, several, one for each address, or none because it applies automatically."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", nargs="?", default="", help="the code's text; without it use --count or --assign")
        codes = parser.add_argument_group("codes")
        codes.add_argument("--count", metavar="N", help="create N codes with generated texts")
        codes.add_argument("--prefix", default="", help="how each of them starts")
        codes.add_argument(
            "--assign", action="append", default=[], metavar="EMAIL", help="create a code for this address; repeatable"
        )
        codes.add_argument("--automatic", action="store_true", help="no code: the discount applies automatically")
        codes.add_argument("--again", action="store_true", help="create them even if they already exist")
        codes.add_argument("--codes-out", metavar="FILE", help="write the codes to this CSV file; - is stdout")
        discount = parser.add_argument_group("discount")
        discount.add_argument("--name", default="", help="what buyers see if there is no code; default: the code")
        discount.add_argument(
            "--discount-type", choices=sorted(TYPES), default="percent-off", metavar="TYPE", help=", ".join(TYPES)
        )
        discount.add_argument("--amount", required=True, help="a percentage or an amount of money")
        discount.add_argument("--currency", default=current_shop().currency, help="default: %(default)s")
        discount.add_argument(
            "--payment-type", choices=PaymentType.values, required=True, metavar="TYPE", help="%(choices)s"
        )
        discount.add_argument(
            "--product",
            "--products",
            action="extend",
            nargs="+",
            default=[],
            metavar="SKU",
            help="only for these products, by SKU, course key or program id; default: all",
        )
        discount.add_argument(
            "--for", dest="people", action="append", default=[], metavar="EMAIL", help="only for these addresses"
        )
        discount.add_argument(
            "--for-groups",
            action="store_true",
            help="also for groups: it lowers the price of all seats, and one use of a code covers them",
        )
        uses = parser.add_argument_group("how often each code can be used").add_mutually_exclusive_group()
        uses.add_argument("--one-time", action="store_true", help="once")
        uses.add_argument("--once-per-user", action="store_true", help="once per person")
        uses.add_argument("--max-uses", metavar="N", help="N times in total, once per person")
        parser.add_argument("--activates", metavar="DATE", help="first day or time, in the site's time zone")
        parser.add_argument("--expires", metavar="DATE", help="last day (included) or time")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be created")
        parser.add_argument("--format", choices=FORMATS, help="how to print the codes; default: CSV for several")

    def handle(self, *args: Any, **options: Any) -> None:
        out = options["codes_out"]
        if out and out != "-":
            refuse_unless_writable(Path(out))
        form = CommandForm(_form_data(options), access=OPERATOR, creates_again=options["again"])
        if not form.is_valid():
            raise CommandError("\n".join(_list_errors(form)))
        draft, codes, existing = form.get_draft(), form.get_codes(), form.existing
        if options["dry_run"]:
            self.say(_describe_plan(draft, codes, existing))
            return
        result = existing or create_discount(draft=draft, codes=codes, access=OPERATOR, now=clock.now())
        self.say(_describe_result(draft, result, is_new=existing is None))
        if result.codes:
            self._write(result, options["format"] or ("csv" if codes.is_bulk or out else "table"), out)

    def _write(self, result: CreatedDiscount, style: str, out: str | None) -> None:
        with ExitStack() as files:
            target: Output = self.stdout
            if out and out != "-":
                target = files.enter_context(replace_file(Path(out)))
            write_rows(target, (_row(result.discount, code) for code in result.codes), columns=COLUMNS, style=style)
        if out and out != "-":
            n = len(result.codes)
            sentence = ngettext("Wrote %(n)d code to %(file)s.", "Wrote %(n)d codes to %(file)s.", n)
            self.say(sentence % {"n": n, "file": out})


class CommandForm(NewDiscountForm):
    """The staff form, except that running the command twice finds what it created instead of being refused."""

    existing: CreatedDiscount | None = None

    def __init__(self, *args: Any, creates_again: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.creates_again = creates_again

    def validate(self) -> None:
        if not self.creates_again:
            self.existing = find_identical(draft=self.get_draft(), codes=self.get_codes())
        if self.existing is None:
            super().validate()


def _form_data(options: dict[str, Any]) -> dict[str, Any]:
    sources = {"one": "code", "many": "count", "people": "assign", "none": "automatic"}
    kinds = [kind for kind, option in sources.items() if options[option]]
    if len(kinds) != 1:
        raise CommandError(_("Use exactly one of CODE, --count, --assign and --automatic."))
    limits = {"once": "one_time", "per_person": "once_per_user", "limited": "max_uses"}
    often = next((limit for limit, option in limits.items() if options[option]), "unlimited")
    if options["automatic"] and often != "unlimited":
        raise CommandError(_("--automatic creates no code, so its uses can’t be limited."))
    if options["prefix"] and options["code"]:
        raise CommandError(_("--prefix is for generated codes. CODE is used as it is."))
    discount_type = TYPES[options["discount_type"]]
    name = options["name"] or options["code"] or options["prefix"].strip("-")
    return {
        "name": name or _describe_amount(discount_type, options["amount"], options["currency"]),
        "discount_type": discount_type,
        "amount": options["amount"],
        "currency": options["currency"],
        "payment_type": options["payment_type"],
        "scope": "chosen" if options["product"] else "all",
        "products": [_find_product(text).pk for text in options["product"]],
        "audience": "chosen" if options["people"] else "all",
        "people": "\n".join(options["people"]),
        "for_groups": options["for_groups"],
        "activates_at": options["activates"],
        "expires_at": options["expires"],
        "codes": kinds[0],
        "code": options["code"],
        "count": options["count"],
        "begins": options["prefix"],
        "addresses": "\n".join(options["assign"]),
        "often": often,
        "max_uses": options["max_uses"],
    }


def _list_errors(form: CommandForm) -> Iterator[str]:
    for field, messages in form.errors.items():
        option = OPTIONS.get(field, f"--{field.replace('_', '-')}")
        for message in messages:
            yield f"{option}: {message}" if field != NON_FIELD_ERRORS else str(message)


def _find_product(text: str) -> Product:
    products = Product.objects.filter(requires_code=False)
    product = (
        products.filter(sku=text).first()
        or products.filter(course_run__courseware_id=text).first()
        or products.filter(program__readable_id=text).first()
    )
    if product is None:
        raise CommandError(_("There is no product “%(name)s” that discounts can be for. Use its SKU.") % {"name": text})
    return product


def _row(discount: Discount, code: DiscountCode) -> tuple[object, ...]:
    return (
        code.text,
        discount.discount_type,
        f"{discount.amount.normalize():f}",
        discount.currency,
        uses_text(redemption_type=discount.redemption_type, max_uses=code.max_uses),
        discount.activates_at.isoformat() if discount.activates_at else "",
        discount.expires_at.isoformat() if discount.expires_at else "",
        code.assigned_email,
        discount.pk,
        _("Yes") if discount.for_groups else _("No"),
    )


def _describe_plan(draft: DiscountDraft, codes: NewCodes, existing: CreatedDiscount | None) -> str:
    if existing is not None:
        summary = _describe_result(draft, existing, is_new=False)
        return _("Would create nothing: %(summary)s") % {"summary": summary}
    if draft.automatic:
        return _("Would create a discount that applies automatically: %(summary)s.") % {"summary": _describe(draft)}
    sentence = ngettext("Would create %(n)d code: %(summary)s.", "Would create %(n)d codes: %(summary)s.", codes.total)
    return sentence % {"n": codes.total, "summary": _describe(draft)}


def _describe_result(draft: DiscountDraft, result: CreatedDiscount, *, is_new: bool) -> str:
    values = {"n": len(result.codes), "summary": _describe(draft), "id": result.discount.pk}
    if not is_new and (draft.automatic or result.discount.is_bulk):
        return _("Discount %(id)d already does this (%(summary)s). Add --again to create another one.") % values
    if not is_new:
        return _("Discount %(id)d already does this: %(summary)s.") % values
    if not result.codes:
        return _("Created discount %(id)d, which applies automatically: %(summary)s.") % values
    sentence = ngettext(
        "Created discount %(id)d with %(n)d code: %(summary)s.",
        "Created discount %(id)d with %(n)d codes: %(summary)s.",
        len(result.codes),
    )
    return sentence % values


def _describe(draft: DiscountDraft) -> str:
    n = len(draft.product_ids)
    products = _("for all products")
    if not draft.for_all_products:
        products = ngettext("for %(n)d product", "for %(n)d products", n) % {"n": n}
    uses = uses_text(redemption_type=draft.redemption_type, max_uses=draft.uses_per_code, automatic=draft.automatic)
    dates = dates_text(draft.activates_at, draft.expires_at)
    parts = [
        off_text(discount_type=draft.discount_type, amount=draft.amount, currency=draft.currency),
        products,
        groups_text(for_groups=draft.for_groups),
        _lower_first(uses),
        _lower_first(dates),
    ]
    return ", ".join(part for part in parts if part)


def _describe_amount(discount_type: str, amount: str, currency: str) -> str:
    try:
        return off_text(discount_type=discount_type, amount=Decimal(amount), currency=read_currency(currency))
    except (ValueError, ArithmeticError):  # the form says what is wrong with it
        return _("Discount")


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
