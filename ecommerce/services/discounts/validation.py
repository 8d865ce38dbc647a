"""Discounts that staff enter, and the rules that span more than a row.

The rules of the discount's and the code's own columns are in their models. The form and the services ask
`validate_discount`, so each rule and its message exist once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _

from ecommerce.enums import AMOUNTS_OFF, DiscountType, PaymentType, RedemptionType
from ecommerce.models import Discount, DiscountCode, Product
from ecommerce.models.discount import CODE_EXISTS
from ecommerce.selectors.discount_access import DiscountAccess, of_courses
from mitxonline.kernel.people.lines import is_email_address

MAX_PREFIX_LENGTH = 60
MAX_CODES = 100_000

# A prefix is how a code begins, so it may be shorter than a code and end in a dash.
PREFIX = re.compile(r"[A-Za-z0-9](-?[A-Za-z0-9])*-?")

# The payment types course staff may choose.
COURSE_PAYMENT_TYPES = (PaymentType.MARKETING, PaymentType.CUSTOMER_SUPPORT, PaymentType.STAFF)


# A field of the draft or of the codes, and what is wrong with it.
Error = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DiscountDraft:
    """A discount as staff entered it.

    `max_uses` limits each code, over all people; None is no limit. `people` are the only addresses it is for, if it is
    `for_chosen_people`. Seats of a group get it only if it is `for_groups`. `course_id` is set if that course's staff
    created it, for this course alone. Without `site_id` it is for all sites.
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
    for_groups: bool = False
    automatic: bool = False
    course_id: int | None = None
    site_id: int | None = None

    @property
    def uses_per_code(self) -> int | None:
        return 1 if self.redemption_type == RedemptionType.ONE_TIME else self.max_uses

    def columns(self) -> dict[str, Any]:
        """Return the values of the columns that the draft sets."""
        return {
            "name": self.name.strip(),
            "discount_type": self.discount_type,
            "amount": self.amount,
            "currency": self.currency,
            "redemption_type": self.redemption_type,
            "payment_type": self.payment_type,
            "activates_at": self.activates_at,
            "expires_at": self.expires_at,
            "automatic": self.automatic,
            "for_all_products": self.for_all_products,
            "for_chosen_people": self.for_chosen_people,
            "for_groups": self.for_groups,
            "course_id": self.course_id,
            "site_id": self.site_id,
        }


@dataclass(frozen=True, slots=True)
class NewCodes:
    """Codes to create: one with this text, `generate` with generated texts, or one for each address."""

    text: str = ""
    generate: int = 0
    prefix: str = ""
    addresses: tuple[str, ...] = ()

    @property
    def is_bulk(self) -> bool:
        return not self.text and (self.generate > 0 or bool(self.addresses))

    @property
    def total(self) -> int:
        return 1 if self.text else len(self.addresses) or self.generate


def validate_discount(draft: DiscountDraft, codes: NewCodes | None, *, access: DiscountAccess, now: datetime) -> None:
    """Raise a ValidationError that names every problem of a discount and its new codes, by the draft's fields.

    `codes` is None where an existing discount is changed. Such a discount may have ended; a new one must end in the
    future.
    """
    errors = [*_check_columns(draft), *_check_products(draft, access), *_check_people(draft, codes)]
    if draft.max_uses is not None:
        errors += _check_field(DiscountCode(max_uses=draft.max_uses), "max_uses")
        if draft.automatic:
            errors.append(
                ("max_uses", _("A discount that applies automatically has no code whose uses could be limited."))
            )
    if codes is not None:
        if draft.expires_at is not None and draft.expires_at <= now:
            errors.append(("expires_at", _("This time has passed, so no one could use the discount.")))
        errors += _check_codes(draft, codes, access)
    _raise([*errors, *_check_limits(draft, access)])


def validate_codes(draft: DiscountDraft, codes: NewCodes, *, access: DiscountAccess) -> None:
    """Raise a ValidationError that names every problem of new codes for an existing discount.

    The limits of course staff are checked again: finance may have raised the discount above them.
    """
    _raise([*_check_codes(draft, codes, access), *_check_limits(draft, access)])


def _raise(errors: Iterable[Error]) -> None:
    by_field: dict[str, list[str]] = {}
    for field, message in errors:
        by_field.setdefault(field, []).append(message)
    if by_field:
        raise ValidationError(by_field)


def _check_columns(draft: DiscountDraft) -> Iterator[Error]:
    try:
        Discount(**draft.columns()).full_clean(
            exclude=["course", "site"], validate_unique=False, validate_constraints=False
        )
    except ValidationError as error:
        yield from _list_errors(error)


def _check_field(instance: Model, name: str) -> Iterator[Error]:
    others = [field.name for field in instance._meta.fields if field.name != name]
    try:
        instance.clean_fields(exclude=others)
    except ValidationError as error:
        yield from _list_errors(error)


def _list_errors(error: ValidationError) -> Iterator[Error]:
    for field, messages in error.message_dict.items():
        for message in messages:
            yield field, message


def _check_products(draft: DiscountDraft, access: DiscountAccess) -> Iterator[Error]:
    if draft.for_all_products:
        return
    products = list(access.products().filter(pk__in=draft.product_ids).with_item())
    if not draft.product_ids:
        yield "products", _("Choose at least one product, or choose all products.")
    elif len(products) < len(set(draft.product_ids)):
        yield "products", _("One of these products doesn’t exist, or belongs to a contract.")
    elif draft.site_id is not None and (
        others := [each.title for each in products if each.site_id not in (None, draft.site_id)]
    ):
        yield "products", _("Another site sells these: %(titles)s.") % {"titles": ", ".join(others)}
    elif draft.discount_type != DiscountType.PERCENT_OFF and draft.currency:
        for product in products:
            if product.currency != draft.currency:
                sentence = _("“%(title)s” is sold in %(currency)s, but the discount is in %(other)s.")
                names = {"title": product.title, "currency": product.currency, "other": draft.currency}
                yield "products", sentence % names


def _check_people(draft: DiscountDraft, codes: NewCodes | None) -> Iterator[Error]:
    if draft.for_chosen_people and not draft.people:
        yield "people", _("Enter at least one e-mail address, or choose everyone.")
    if draft.people and not draft.for_chosen_people:
        yield (
            "people",
            _("You chose everyone, but there are addresses. Remove them, or choose specific people."),
        )
    yield from _check_addresses("people", draft.people)
    is_assistance = draft.payment_type == PaymentType.FINANCIAL_ASSISTANCE
    if codes is not None and is_assistance and not draft.people and not codes.addresses:
        yield "people", _("Financial assistance is for named people: enter their e-mail addresses.")


def _check_codes(draft: DiscountDraft, codes: NewCodes, access: DiscountAccess) -> Iterator[Error]:
    if draft.automatic:
        if codes.total:
            yield "code", _("A discount that applies automatically needs no codes.")
        return
    if codes.text:
        errors = list(_check_field(DiscountCode(text=codes.text), "text"))
        yield from (("code", message) for _field, message in errors)
        if not errors and DiscountCode.objects.matching(codes.text).exists():
            yield "code", str(CODE_EXISTS)
        return
    if codes.prefix and (len(codes.prefix) > MAX_PREFIX_LENGTH or not PREFIX.fullmatch(codes.prefix)):
        yield (
            "prefix",
            _("A prefix has up to 60 letters (A to Z), digits and single dashes, and can’t start with a dash."),
        )
    if not 1 <= codes.total <= MAX_CODES:
        yield "count", _("Create 1 to 100,000 codes at a time.")
    elif not access.can_manage_all and codes.total > settings.COURSE_STAFF_MOST_CODES:
        sentence = _("You can create at most %(most)d codes at a time. Ask finance for more.")
        yield "count", sentence % {"most": settings.COURSE_STAFF_MOST_CODES}
    yield from _check_addresses("addresses", codes.addresses)


def _check_addresses(field: str, emails: Iterable[str]) -> Iterator[Error]:
    for email in emails:
        if not is_email_address(email):
            yield field, _("“%(text)s” isn’t an e-mail address.") % {"text": email[:80]}


def _check_limits(draft: DiscountDraft, access: DiscountAccess) -> Iterator[Error]:
    if draft.course_id is not None:
        yield from _check_course(draft, draft.course_id)
    if not access.can_manage_all:
        yield from _check_course_staff(draft, access)


def _check_course(draft: DiscountDraft, course_id: int) -> Iterator[Error]:
    others = Product.objects.filter(pk__in=draft.product_ids).exclude(of_courses(frozenset({course_id})))
    if draft.for_all_products or others.exists():
        yield "products", _("A course’s discount is only for that course. Choose among its products.")
    if draft.automatic:
        yield (
            "automatic",
            _("A course’s discount needs a code. Only discounts for all courses can apply automatically."),
        )


def _check_course_staff(draft: DiscountDraft, access: DiscountAccess) -> Iterator[Error]:
    """Course staff give discounts on their own courses only, up to the limits in settings."""
    if draft.course_id not in access.courses:
        yield "course", _("Choose one of your courses.")
        return
    if draft.payment_type not in COURSE_PAYMENT_TYPES:
        yield "payment_type", _("Only finance creates discounts of this kind.")
    most = settings.COURSE_STAFF_MOST_PERCENT_OFF
    if draft.discount_type == DiscountType.FIXED_PRICE:
        yield "discount_type", _("Only finance sets fixed prices. Choose a percentage or an amount off.")
    elif draft.discount_type == DiscountType.PERCENT_OFF and draft.amount > most:
        yield "amount", _("You can take off at most %(most)d percent.") % {"most": most}
    elif draft.discount_type in AMOUNTS_OFF:
        cheapest = Product.objects.filter(pk__in=draft.product_ids).order_by("price").first()
        if cheapest is not None and draft.amount > cheapest.price * most / 100:
            limit = (cheapest.money * (Decimal(most) / 100)).formatted()
            sentence = _("You can take off at most %(most)d percent of the price, which is %(limit)s.")
            yield "amount", sentence % {"most": most, "limit": limit}
