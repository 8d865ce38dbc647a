"""Putting things on sale and changing what they cost. A contract's own products are priced by their contract (b2b).

A price is never changed without a row that says who did it, when, from what and to what. Orders that were placed keep
theirs; baskets show the new one, and checkout asks the buyer again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext as _

from courses.enums import EnrollmentMode, RunAccess
from courses.models import CourseRun, Program
from courses.models.run import SOURCE_TAG
from ecommerce.errors.admin import ProductRefused
from ecommerce.models import OrderLine, PriceChange, Product
from ecommerce.models.product import SKU, SKU_SENTENCE
from ecommerce.services.discounts.discount_checks import MOST_MONEY, Problem
from mitxonline.kernel import audit
from mitxonline.kernel.money import Money, currency_problem, minor_digits

LONGEST_SKU = 100


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """Something that is to be on sale: one run or one program, by its key."""

    item: str
    price: Decimal
    currency: str
    mode: str = EnrollmentMode.VERIFIED
    sku: str = ""
    description: str | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class ProductChange:
    """What became of a product: made, or which of its columns are others now; nothing where it was so already."""

    product: Product
    is_new: bool
    changed: tuple[str, ...]


def put_on_sale(*, draft: ProductDraft, by_id: int | None, now: datetime, reason: str = "") -> ProductChange:
    """Make the product of a run or program in a mode, or bring it to this price; the same again changes nothing.

    Raises ProductRefused with what is wrong. A SKU that isn't given is the run's or program's key.
    """
    run, program = _item(draft.item)
    for problem in _problems(draft):
        raise ProductRefused(problem.field, problem.sentence)
    with transaction.atomic():
        product = Product.objects.locked().filter(course_run=run, program=program, mode=draft.mode).first()
        _refuse_sku(draft, product)
        if product is None:
            return _make(draft, run, program, by_id=by_id, now=now, reason=reason)
        return _change(product, draft, by_id=by_id, now=now, reason=reason)


def record_price(
    product: Product, *, before: Money | None, by_id: int | None, now: datetime, reason: str = ""
) -> PriceChange | None:
    """Write down that a product's price is another one now, in the log too; None where it isn't."""
    if before == product.money:
        return None
    moved = before is not None and before.currency != product.currency
    change = PriceChange.objects.create(
        product=product,
        old_price=before.amount if before is not None else None,
        old_currency=before.currency if before is not None and moved else "",
        new_price=product.price,
        currency=product.currency,
        changed_at=now,
        changed_by_id=by_id,
        reason=reason[:255],
    )
    action = "ecommerce.product.make" if before is None else "ecommerce.product.price"
    audit.record(product, action, by_id=by_id, data={"change": change.pk, "reason": reason[:255]})
    return change


def money_problems(price: Decimal | None, currency: str) -> Iterator[Problem]:
    """What is wrong with a price: its currency is not the shop's, or it would be rounded and so isn't the one meant."""
    if (sentence := currency_problem(currency)) is not None:
        yield Problem("currency", sentence)
        return
    if price is None:
        return
    if not price.is_finite() or price < 0 or price >= MOST_MONEY:
        yield Problem("price", _("A price is a number from 0 to less than 100,000,000."))
    elif price != round(price, minor_digits(currency)):
        sentence = _("Prices in %(currency)s have %(digits)d digits after the point.")
        yield Problem("price", sentence % {"currency": currency, "digits": minor_digits(currency)})


def _problems(draft: ProductDraft) -> Iterator[Problem]:
    yield from money_problems(draft.price, draft.currency)
    if draft.mode not in EnrollmentMode.values:
        modes = ", ".join(EnrollmentMode.values)
        yield Problem("mode", _("“%(mode)s” is not a mode. Modes: %(modes)s.") % {"mode": draft.mode, "modes": modes})
    if draft.sku and (len(draft.sku) > LONGEST_SKU or not re.fullmatch(SKU, draft.sku)):
        yield Problem("sku", f"{SKU_SENTENCE} {_('At most 100 letters.')}")
    if draft.description is not None and len(draft.description) > 255:
        yield Problem("description", _("A description has at most 255 letters."))


def _item(key: str) -> tuple[CourseRun | None, Program | None]:
    run = CourseRun.all_objects.filter(courseware_id=key).first()
    program = None if run is not None else Program.objects.filter(readable_id=key).first()
    if run is None and program is None:
        sentence = _("There is no course run or program “%(key)s”. Write its key, like course-v1:ORG+NUMBER+RUN.")
        raise ProductRefused("item", sentence % {"key": key})
    if run is not None and run.access == RunAccess.CONTRACT:
        sentence = _("“%(key)s” is a contract’s run: its price is the contract’s.")
        raise ProductRefused("item", sentence % {"key": key})
    if run is not None and run.run_tag == SOURCE_TAG:
        sentence = _("“%(key)s” is a source that other runs are made from: no one can enroll in it.")
        raise ProductRefused("item", sentence % {"key": key})
    return run, program


def _refuse_sku(draft: ProductDraft, product: Product | None) -> None:
    sku = draft.sku or ("" if product is not None else draft.item)
    other = Product.objects.filter(sku=sku).first() if sku else None
    if other is not None and other != product:
        sentence = _("The SKU “%(sku)s” belongs to another product: %(title)s (%(mode)s).")
        details = {"sku": sku, "title": other.title, "mode": other.get_mode_display()}
        raise ProductRefused("sku", sentence % details)


def _make(
    draft: ProductDraft,
    run: CourseRun | None,
    program: Program | None,
    *,
    by_id: int | None,
    now: datetime,
    reason: str,
) -> ProductChange:
    if not draft.sku and len(draft.item) > LONGEST_SKU:
        raise ProductRefused("sku", _("The key is too long to be the SKU as well. Give the product a SKU of its own."))
    product = Product.objects.create(
        course_run=run,
        program=program,
        mode=draft.mode,
        sku=draft.sku or draft.item,
        description=draft.description or "",
        price=draft.price,
        currency=draft.currency,
        is_active=draft.is_active is not False,
    )
    record_price(product, before=None, by_id=by_id, now=now, reason=reason)
    return ProductChange(product=product, is_new=True, changed=())


def _change(product: Product, draft: ProductDraft, *, by_id: int | None, now: datetime, reason: str) -> ProductChange:
    if product.requires_code:
        raise ProductRefused("item", _("This product belongs to a contract: its price is the contract’s."))
    before = product.money
    wanted: dict[str, object] = {"price": draft.price, "currency": draft.currency}
    wanted |= {"sku": draft.sku} if draft.sku else {}
    wanted |= {"description": draft.description} if draft.description is not None else {}
    wanted |= {"is_active": draft.is_active} if draft.is_active is not None else {}
    changed = [name for name, value in wanted.items() if getattr(product, name) != value]
    if {"sku", "currency"} & set(changed) and OrderLine.objects.filter(product=product).exists():
        raise ProductRefused(
            "currency" if "currency" in changed else "sku", _("Someone has bought it, so SKU and currency stay.")
        )
    for name in changed:
        setattr(product, name, wanted[name])
    if changed:
        product.save(update_fields=[*changed, "updated_at"])
        record_price(product, before=before, by_id=by_id, now=now, reason=reason)
    return ProductChange(product=product, is_new=False, changed=tuple(changed))
