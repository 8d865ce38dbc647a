"""What can be wrong with a discount someone wants to make, each problem at its field and in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.utils.translation import gettext as _

from ecommerce.enums import AMOUNTS_OFF, DiscountType, PaymentType, RedemptionType
from ecommerce.models import DiscountCode, Product
from ecommerce.models.discount import CODE_SENTENCE, CODE_TEXT
from ecommerce.selectors.discount_access import DiscountAccess, of_courses
from mitxonline.kernel.addresses import is_email_address
from mitxonline.kernel.money import currency_problem, minor_digits

LONGEST_CODE = 100
LONGEST_PREFIX = 60
MOST_CODES = 100_000
MOST_USES = 1_000_000
MOST_MONEY = Decimal(10) ** 8

# A prefix is the beginning of a code; it alone need not be one.
PREFIX_TEXT = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9])*-?")

# What the staff of a course may spend; the rest is finance's.
COURSE_PAYMENT_TYPES = (PaymentType.MARKETING, PaymentType.CUSTOMER_SUPPORT, PaymentType.STAFF)


@dataclass(frozen=True, slots=True)
class DiscountDraft:
    """A discount as someone wants it.

    ``max_uses``: how often each code can be used in all, None for without limit. ``people``: the only addresses it is
    for, where it is for chosen people. ``course_id``: made by that course's staff, for it alone.
    """

    name: str
    discount_type: str
    amount: Decimal
    payment_type: str
    currency: str = ""
    redemption_type: str = RedemptionType.UNLIMITED
    max_uses: int | None = None
    activates_at: datetime | None = None
    expires_at: datetime | None = None
    for_all_products: bool = False
    product_ids: tuple[int, ...] = ()
    for_chosen_people: bool = False
    people: tuple[str, ...] = ()
    automatic: bool = False
    course_id: int | None = None

    @property
    def uses_of_each(self) -> int | None:
        """How often each code can be used in all."""
        return 1 if self.redemption_type == RedemptionType.ONE_TIME else self.max_uses


@dataclass(frozen=True, slots=True)
class CodeWish:
    """Which codes someone wants: one by its text, so many with a prefix, or one for each address."""

    text: str = ""
    count: int = 0
    prefix: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def is_bulk(self) -> bool:
        """Whether the shop thinks of the texts."""
        return not self.text and (self.count > 0 or bool(self.addresses))

    @property
    def number(self) -> int:
        """How many codes that makes."""
        return 1 if self.text else len(self.addresses) or self.count


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and with which field."""

    field: str
    sentence: str


def problems_of(
    draft: DiscountDraft, wish: CodeWish | None, *, access: DiscountAccess, now: datetime, only_codes: bool = False
) -> list[Problem]:
    """Everything that is wrong with a discount, in the order of a form's fields; with the codes, where some are wanted.

    A discount that is changed may be over already: only a new one has to end in the future.
    """
    found: list[Problem] = []
    if not only_codes:
        found += [
            *_name(draft),
            *_amount(draft),
            *_dates(draft, now if wish is not None else None),
            *_products(draft, access),
            *_people(draft, wish),
            *_uses(draft),
        ]
    if wish is not None:
        found += _codes(draft, wish)
    if draft.course_id is not None:
        found += _course_scope(draft, draft.course_id)
    if not access.can_manage_all:
        found += _course_limits(draft, wish, access)
    return found


def _name(draft: DiscountDraft) -> Iterator[Problem]:
    name = draft.name.strip()
    if not name or len(name) > 255 or not name.isprintable():
        yield Problem("name", _("Give the discount a name of up to 255 letters: buyers see it where no code is used."))
    if draft.discount_type not in DiscountType.values:
        yield Problem("discount_type", _("Choose what the discount does: percent off, amount off or a fixed price."))
    if draft.payment_type not in PaymentType.values:
        yield Problem("payment_type", _("Choose whose money the discount is."))


def _amount(draft: DiscountDraft) -> Iterator[Problem]:
    amount = draft.amount
    if not amount.is_finite() or amount < 0 or amount >= MOST_MONEY:
        yield Problem("amount", _("The amount is a number from 0 to less than 100,000,000."))
        return
    if draft.discount_type == DiscountType.PERCENT_OFF:
        if draft.currency:
            yield Problem("currency", _("A percentage has no currency."))
        if not 0 < amount <= 100:
            yield Problem("amount", _("A percentage is more than 0 and at most 100."))
        elif amount != round(amount, 3):
            yield Problem("amount", _("A percentage has at most 3 digits after the point."))
        return
    if draft.discount_type not in DiscountType.values:
        return
    if (sentence := currency_problem(draft.currency)) is not None:
        yield Problem("currency", sentence)
        return
    digits = minor_digits(draft.currency)
    if amount != round(amount, digits):
        sentence = _("Amounts in %(currency)s have %(digits)d digits after the point.")
        yield Problem("amount", sentence % {"currency": draft.currency, "digits": digits})
    if draft.discount_type in AMOUNTS_OFF and not amount:
        yield Problem("amount", _("An amount off is more than 0."))


def _dates(draft: DiscountDraft, now: datetime | None) -> Iterator[Problem]:
    if draft.expires_at is None:
        return
    if draft.activates_at is not None and draft.expires_at <= draft.activates_at:
        yield Problem("expires_at", _("The discount can’t end before it starts."))
    elif now is not None and draft.expires_at <= now:
        yield Problem("expires_at", _("This moment has passed: no one could use the discount."))


def _products(draft: DiscountDraft, access: DiscountAccess) -> Iterator[Problem]:
    if draft.for_all_products:
        return
    found = list(access.products().filter(pk__in=draft.product_ids).with_item())
    if not draft.product_ids:
        yield Problem("products", _("Choose the products it is for, or let it be for all."))
    elif len(found) < len(set(draft.product_ids)):
        yield Problem("products", _("One of these products isn’t there, or its price is a contract’s."))
    elif draft.discount_type != DiscountType.PERCENT_OFF:
        for product in found:
            if product.currency != draft.currency:
                sentence = _("“%(title)s” is sold in %(currency)s: an amount in another currency does nothing there.")
                yield Problem("products", sentence % {"title": product.title, "currency": product.currency})


def _people(draft: DiscountDraft, wish: CodeWish | None) -> Iterator[Problem]:
    if draft.for_chosen_people and not draft.people:
        yield Problem("people", _("Name the addresses it is for, or let it be for everyone."))
    if draft.people and not draft.for_chosen_people:
        yield Problem("people", _("It is for everyone, and here are addresses. Say which is meant."))
    for email in draft.people:
        if not is_email_address(email):
            yield Problem("people", _("“%(text)s” is not an e-mail address.") % {"text": email[:80]})
    is_assistance = draft.payment_type == PaymentType.FINANCIAL_ASSISTANCE
    if wish is not None and is_assistance and not draft.people and not wish.addresses:
        yield Problem("people", _("Financial assistance is given to people: name their addresses."))


def _uses(draft: DiscountDraft) -> Iterator[Problem]:
    if draft.redemption_type not in RedemptionType.values:
        yield Problem("redemption_type", _("Choose how often each code can be used."))
    if draft.max_uses is not None and not 1 <= draft.max_uses <= MOST_USES:
        yield Problem("max_uses", _("A code can be used from 1 to 1,000,000 times; empty means without limit."))
    if draft.automatic and (draft.max_uses is not None or draft.redemption_type != RedemptionType.UNLIMITED):
        yield Problem("max_uses", _("A discount that applies by itself has no code whose uses could be limited."))


def _codes(draft: DiscountDraft, wish: CodeWish) -> Iterator[Problem]:
    wanted = [bool(wish.text), wish.count != 0, bool(wish.addresses)]
    if draft.automatic:
        if any(wanted):
            yield Problem("code", _("A discount that applies by itself needs no codes."))
        return
    if sum(wanted) != 1:
        yield Problem("code", _("Say either one code, or how many, or the addresses that get one each."))
        return
    if wish.text:
        yield from _text(wish.text.strip())
        if wish.prefix:
            yield Problem("prefix", _("A prefix is for codes made in number; this one has its own text."))
        return
    if wish.prefix and (len(wish.prefix) > LONGEST_PREFIX or not PREFIX_TEXT.fullmatch(wish.prefix)):
        yield Problem(
            "prefix", _("A prefix has up to 60 letters (A to Z), digits and single dashes, and begins with no dash.")
        )
    if not 1 <= wish.number <= MOST_CODES:
        yield Problem("count", _("Make from 1 to 100,000 codes at once."))
    for address in wish.addresses:
        if not is_email_address(address):
            yield Problem("addresses", _("“%(text)s” is not an e-mail address.") % {"text": address[:80]})


def _text(text: str) -> Iterator[Problem]:
    if len(text) > LONGEST_CODE or not re.fullmatch(CODE_TEXT, text):
        yield Problem("code", str(CODE_SENTENCE))
    elif DiscountCode.objects.matching(text).exists():
        yield Problem("code", _("This code exists already (capitals, blanks and dashes don’t count)."))


def _course_scope(draft: DiscountDraft, course_id: int) -> Iterator[Problem]:
    others = Product.objects.filter(pk__in=draft.product_ids).exclude(of_courses(frozenset({course_id})))
    if draft.for_all_products or others.exists():
        yield Problem("products", _("A discount of one course is for that course only. Choose among its products."))
    if draft.automatic:
        yield Problem("automatic", _("A discount of one course needs a code; one that applies by itself is for all."))


def _course_limits(draft: DiscountDraft, wish: CodeWish | None, access: DiscountAccess) -> Iterator[Problem]:
    """The staff of one course give away so much and no more."""
    if draft.course_id not in access.courses:
        yield Problem("course", _("Choose one of the courses you look after."))
        return
    if draft.payment_type not in COURSE_PAYMENT_TYPES:
        yield Problem("payment_type", _("Discounts of this kind are made by finance."))
    if wish is not None and wish.number > settings.COURSE_STAFF_MOST_CODES:
        sentence = _("You can make %(most)d codes at once. Ask finance for more.")
        yield Problem("count", sentence % {"most": settings.COURSE_STAFF_MOST_CODES})
    yield from _course_amount(draft)


def _course_amount(draft: DiscountDraft) -> Iterator[Problem]:
    most = settings.COURSE_STAFF_MOST_PERCENT_OFF
    if draft.discount_type == DiscountType.FIXED_PRICE:
        yield Problem("discount_type", _("Fixed prices are made by finance. Take a percentage or an amount off."))
    elif draft.discount_type == DiscountType.PERCENT_OFF and draft.amount > most:
        yield Problem("amount", _("You can take off %(most)d percent at the most.") % {"most": most})
    elif draft.discount_type in AMOUNTS_OFF:
        cheapest = Product.objects.filter(pk__in=draft.product_ids).order_by("price").first()
        if cheapest is not None and draft.amount > cheapest.price * most / 100:
            limit = (cheapest.money * (Decimal(most) / 100)).formatted()
            sentence = _("You can take off %(most)d percent of the price at the most; here that is %(limit)s.")
            yield Problem("amount", sentence % {"most": most, "limit": limit})
