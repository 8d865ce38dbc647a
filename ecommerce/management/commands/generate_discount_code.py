"""Make a discount with one code, with many, with one for each address, or with none because it applies by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ecommerce.enums import DiscountType, PaymentType, RedemptionType
from ecommerce.errors.admin import DiscountRefused
from ecommerce.management.arguments import read_amount, read_moment, read_number
from ecommerce.models import DiscountCode, Product
from ecommerce.selectors.discount_access import OPERATOR
from ecommerce.selectors.sentences import dates_text, off_text, uses_text
from ecommerce.services.discounts.discount_checks import CodeWish, DiscountDraft, problems_of
from ecommerce.services.discounts.discounts import MadeDiscount, find_same, make_discount
from mitxonline.kernel import clock
from mitxonline.kernel.console import FORMATS, OperatorCommand, Output, write_rows
from mitxonline.kernel.files import refuse_unless_writable, replace_file

# As other shops write them, and as this one does.
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
)


class Command(OperatorCommand):
    help = "Make a discount with one code, with many, with one for each address, or with none: it applies by itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code", nargs="?", default="", help="the code's text; without it see --count and --assign")
        codes = parser.add_argument_group("codes")
        codes.add_argument("--count", metavar="N", help="make so many codes; what they say the shop thinks of")
        codes.add_argument("--prefix", default="", help="how each of them begins")
        codes.add_argument(
            "--assign", action="append", default=[], metavar="EMAIL", help="make a code for this address; repeatable"
        )
        codes.add_argument("--automatic", action="store_true", help="no code: it applies by itself")
        codes.add_argument("--again", action="store_true", help="make them although the same words made some before")
        codes.add_argument("--codes-out", metavar="FILE", help="write the codes into this CSV file; - is stdout")
        what = parser.add_argument_group("what it does")
        what.add_argument("--name", default="", help="what buyers read where no code is used; else the code")
        what.add_argument("--discount-type", default="percent-off", help=", ".join(sorted(TYPES)))
        what.add_argument("--amount", required=True, help="percent, or money")
        what.add_argument("--currency", help=f"of an amount of money; {settings.DEFAULT_CURRENCY} if not given")
        what.add_argument("--payment-type", required=True, help=", ".join(PaymentType.values))
        what.add_argument(
            "--product",
            "--products",
            action="append",
            nargs="+",
            default=[],
            metavar="SKU",
            help="only for these products, by SKU, course key or program id; without it for all",
        )
        what.add_argument(
            "--for", dest="people", action="append", default=[], metavar="EMAIL", help="only for these addresses"
        )
        often = parser.add_argument_group("when, and how often each code").add_mutually_exclusive_group()
        often.add_argument("--one-time", action="store_true", help="once")
        often.add_argument("--once-per-user", action="store_true", help="once by each person")
        often.add_argument("--max-uses", metavar="N", help="so many times in all, once by each person")
        parser.add_argument("--activates", metavar="DAY", help="the first day, or moment, in the site's time zone")
        parser.add_argument("--expires", metavar="DAY", help="the last day (it counts), or moment")
        parser.add_argument("--dry-run", action="store_true", help="say what would be made")
        parser.add_argument("--format", choices=FORMATS, help="how to print the codes; CSV where there are many")

    def handle(self, *args: Any, **options: Any) -> None:
        draft, wish, now = self._draft(options), self._wish(options), clock.now()
        out = options["codes_out"]
        if out and out != "-":
            refuse_unless_writable(Path(out))
        before = None if options["again"] else find_same(draft=draft, wish=wish)
        if before is None:
            self._refuse(problems_of(draft, wish, access=OPERATOR, now=now), draft)
        if options["dry_run"]:
            self.say(self._plan(draft, wish, before))
            return
        made = before or make_discount(draft=draft, wish=wish, access=OPERATOR, now=now)
        self.say(self._summary(draft, made, is_old=before is not None))
        if made.codes:
            self._write(made, options["format"] or ("csv" if wish.is_bulk or out else "table"), out)

    def _draft(self, options: dict[str, Any]) -> DiscountDraft:
        kind = TYPES.get(options["discount_type"])
        if kind is None:
            sentence = _("There is no discount type “%(text)s”. Types: %(types)s.")
            raise CommandError(sentence % {"text": options["discount_type"], "types": ", ".join(sorted(TYPES))})
        if options["payment_type"] not in PaymentType.values:
            sentence = _("There is no payment type “%(text)s”. Types: %(types)s.")
            raise CommandError(sentence % {"text": options["payment_type"], "types": ", ".join(PaymentType.values)})
        amount = read_amount(options["amount"], option="--amount")
        is_percent = kind == DiscountType.PERCENT_OFF
        currency = (options["currency"] or "").upper() or ("" if is_percent else settings.DEFAULT_CURRENCY)
        products = [text for group in options["product"] for text in group]
        name = options["name"] or options["code"] or options["prefix"].strip("-")
        return DiscountDraft(
            name=name or _describe_discount(kind, amount, currency),
            discount_type=kind,
            amount=amount,
            currency=currency,
            payment_type=options["payment_type"],
            redemption_type=_redemption(options),
            max_uses=read_number(options["max_uses"], option="--max-uses") if options["max_uses"] else None,
            activates_at=read_moment(options["activates"], option="--activates", is_end=False),
            expires_at=read_moment(options["expires"], option="--expires", is_end=True),
            for_all_products=not products,
            product_ids=tuple(_products(products)),
            for_chosen_people=bool(options["people"]),
            people=tuple(options["people"]),
            automatic=options["automatic"],
        )

    def _wish(self, options: dict[str, Any]) -> CodeWish:
        return CodeWish(
            text=options["code"],
            count=read_number(options["count"], option="--count") if options["count"] else 0,
            prefix=options["prefix"],
            addresses=tuple(options["assign"]),
        )

    def _refuse(self, problems: Sequence[Any], draft: DiscountDraft) -> None:
        for problem in problems:
            raise DiscountRefused(problem.field, problem.sentence)

    def _plan(self, draft: DiscountDraft, wish: CodeWish, before: MadeDiscount | None) -> str:
        if before is not None:
            return _("Would make nothing: %(what)s") % {"what": self._summary(draft, before, is_old=True)}
        if draft.automatic:
            return _("Would make a discount that applies by itself: %(what)s.") % {"what": _in_words(draft)}
        return ngettext("Would make %(n)d code: %(what)s.", "Would make %(n)d codes: %(what)s.", wish.number) % {
            "n": wish.number,
            "what": _in_words(draft),
        }

    def _summary(self, draft: DiscountDraft, made: MadeDiscount, *, is_old: bool) -> str:
        values = {"n": len(made.codes), "what": _in_words(draft), "id": made.discount.pk}
        if is_old and not draft.automatic and not made.discount.is_bulk:
            return _("Discount %(id)d does this already: %(what)s.") % values
        if is_old:
            return _("Discount %(id)d does this already (%(what)s). Add --again to make another one.") % values
        if not made.codes:
            return _("Made discount %(id)d, which applies by itself: %(what)s.") % values
        return (
            ngettext(
                "Made discount %(id)d with %(n)d code: %(what)s.",
                "Made discount %(id)d with %(n)d codes: %(what)s.",
                len(made.codes),
            )
            % values
        )

    def _write(self, made: MadeDiscount, style: str, out: str | None) -> None:
        with ExitStack() as files:
            target: Output = self.stdout
            if out and out != "-":
                target = files.enter_context(replace_file(Path(out)))
            write_rows(target, (_row(made, code) for code in made.codes), columns=COLUMNS, style=style)
        if out and out != "-":
            n = len(made.codes)
            sentence = ngettext("Wrote %(n)d code to %(file)s.", "Wrote %(n)d codes to %(file)s.", n)
            self.say(sentence % {"n": n, "file": out})


def _row(made: MadeDiscount, code: DiscountCode) -> tuple[object, ...]:
    discount = made.discount
    return (
        code.text,
        discount.discount_type,
        f"{Decimal(discount.amount).normalize():f}",
        discount.currency,
        uses_text(redemption_type=discount.redemption_type, max_uses=code.max_uses),
        discount.activates_at.isoformat() if discount.activates_at else "",
        discount.expires_at.isoformat() if discount.expires_at else "",
        code.assigned_email,
        discount.pk,
    )


def _redemption(options: dict[str, Any]) -> str:
    if options["one_time"]:
        return RedemptionType.ONE_TIME
    return (
        RedemptionType.ONE_TIME_PER_USER
        if options["once_per_user"] or options["max_uses"]
        else (RedemptionType.UNLIMITED)
    )


def _products(names: Iterable[str]) -> list[int]:
    found: list[int] = []
    for name in names:
        products = Product.objects.filter(requires_code=False)
        one = (
            products.filter(sku=name).first()
            or products.filter(course_run__courseware_id=name).first()
            or products.filter(program__readable_id=name).first()
        )
        if one is None:
            sentence = _("There is no product “%(name)s” that discounts could be for. Write its SKU.")
            raise CommandError(sentence % {"name": name})
        found.append(one.pk)
    return sorted(set(found))


def _describe_discount(kind: str, amount: Decimal, currency: str) -> str:
    try:
        return off_text(discount_type=kind, amount=amount, currency=currency)
    except (ValueError, ArithmeticError):  # what is wrong with it is said by the checks
        return _("Discount")


def _in_words(draft: DiscountDraft) -> str:
    parts = [
        off_text(discount_type=draft.discount_type, amount=draft.amount, currency=draft.currency),
        _("for all products")
        if draft.for_all_products
        else ngettext("for %(n)d product", "for %(n)d products", len(draft.product_ids))
        % {"n": len(draft.product_ids)},
        _lower_first(
            uses_text(redemption_type=draft.redemption_type, max_uses=draft.uses_of_each, automatic=draft.automatic)
        ),
        _lower_first(dates_text(draft.activates_at, draft.expires_at)),
    ]
    return ", ".join(part for part in parts if part)


def _lower_first(sentence: str) -> str:
    """A sentence as a part of another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")
