"""Filling, emptying and joining baskets.

Every change to a basket's products locks the basket first, as checkout does (ADR 0003), so that two windows of one
visitor can't interfere.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q

from courses.models import CourseRun
from courses.models.run import SOURCE_TAG
from courses.selectors.programs import starts_of_programs
from ecommerce.enums import BasketKind
from ecommerce.errors.checkout import (
    AnotherCurrency,
    BasketEmpty,
    ItemUnknown,
    ProductUnknown,
    SeatsNotSold,
    SkuUnknown,
    StartUnknown,
)
from ecommerce.errors.codes import (
    CodeForAnotherProduct,
    CodeForOtherProducts,
    CodeMissing,
    CodeNotBetter,
    CodeNotForGroups,
    CodeRefused,
    CodeUnknown,
    DiscountCodeUnknown,
)
from ecommerce.errors.registration import CodeRedeemedElsewhere
from ecommerce.events import LinkBasketClaimed
from ecommerce.models import Basket, BasketCode, BasketItem, BasketItemStart, DiscountCode, Order, Product
from ecommerce.rules import refuse_closed_products
from ecommerce.selectors.basket_prices import PricedBasket, PricedLine, price_basket
from ecommerce.selectors.baskets import BasketOwner, current_basket
from ecommerce.selectors.codes import ask_contract, find_code, guard_refusals
from ecommerce.selectors.offers import make_offer
from ecommerce.selectors.registration import find_seat_sale, offer_seat
from mitxonline.coordinator.bus import publish
from mitxonline.kernel.db import run_sql
from mitxonline.kernel.text import read_code

logger = logging.getLogger(__name__)

# How old the total in the header of other pages may be before it is stored again.
REMEMBER_FOR = timedelta(minutes=15)

# An unknown SKU from a link is shown only if it looks like one, so that no link can put its own text on our pages.
LIKE_A_SKU = re.compile(r"[A-Za-z0-9:+._-]{1,64}")

# A contract product has one code, so a second one replaces the first. One statement does both or neither, and nothing
# where the basket no longer exists.
APPLY = """
WITH replaced AS (
    DELETE FROM ecommerce_basketcode AS applied USING ecommerce_discountcode AS other
    WHERE applied.basket_id = %(basket)s AND applied.code_id = other.id
    AND other.discount_id = %(discount)s AND other.id <> %(code)s AND %(is_contracts)s
)
INSERT INTO ecommerce_basketcode (basket_id, code_id, applied_at)
SELECT basket.id, %(code)s, %(now)s FROM ecommerce_basket AS basket WHERE basket.id = %(basket)s FOR KEY SHARE
ON CONFLICT (basket_id, code_id) DO NOTHING
"""


def add_products(
    *,
    owner: BasketOwner,
    now: datetime,
    product_ids: Sequence[int] = (),
    skus: Sequence[str] = (),
    start_ids: Sequence[int] = (),
    seats: int | None = None,
) -> Basket:
    """Put products on sale into the owner's basket. One that is there already stays there once.

    With ``seats``, from 1 to 1,000, each is for a group: beside the same product for the buyer, and in place of the
    number of seats that the group had. ``start_ids`` are the runs chosen for the courses of programs; for the others
    the suggested ones are stored.

    Products that need a code open a link basket with just these; others go into the ordinary basket, in one currency.
    What was kept for later moves back. Raises ProductUnknown if any product isn't on sale on the owner's site, why one
    isn't open, SeatsNotSold for one that isn't sold to groups, StartUnknown for a run of no course of these programs,
    or AnotherCurrency if one can't be added up with the others; then nothing has changed.
    """
    skus = [sku.replace(" ", "+") for sku in skus]  # SKUs have no blanks: an unescaped plus in an address became one
    on_sale = Product.objects.active().of_site(owner.site_id).with_item()
    products = list(on_sale.filter(Q(pk__in=product_ids) | Q(sku__in=skus)))
    unknown = sorted(set(skus) - {product.sku for product in products})
    if unknown:
        raise SkuUnknown(sku=unknown[0]) if LIKE_A_SKU.fullmatch(unknown[0]) else ProductUnknown()
    if not products or owner.site_id is None or set(product_ids) - {product.pk for product in products}:
        raise ProductUnknown
    if seats is not None:
        _refuse_seats(products)
    linked = [product for product in products if product.requires_code]
    plain = [product for product in products if not product.requires_code]
    # Of a contract's product its code says more than its dates do.
    refuse_closed_products(plain, user_id=owner.user_id, now=now, seats=seats)
    with transaction.atomic():
        basket = None
        if plain:
            basket, _is_new = _get_or_create_basket(owner, BasketKind.ORDINARY, now)
            _refuse_other_currencies(basket, plain)
            _add_items(basket, plain, now, seats=seats)
            _store_starts(basket, plain, start_ids, now=now)
        if linked:
            basket = _open_link_basket(owner, linked, now)
    if basket is None:
        raise ProductUnknown
    return basket


def choose_starts(*, owner: BasketOwner, product_id: int, start_ids: Sequence[int], now: datetime) -> None:
    """Choose the runs of a program's courses. A start that has closed is replaced by the suggested one, or dropped.

    Raises StartUnknown for a run of no course of this program; then nothing has changed.
    """
    with transaction.atomic():
        basket = lock_basket(owner, now=now)
        product = Product.objects.filter(pk=product_id, program__isnull=False, basket_items__basket=basket).first()
        if basket is not None and product is not None:
            _store_starts(basket, [product], start_ids, now=now, drops_closed=True)


def change_seats(*, owner: BasketOwner, product_id: int, was_group: bool, seats: int | None, now: datetime) -> None:
    """Change for whom a product in the current basket is: for a group of ``seats``, or with None for the buyer.

    Where the basket has it for both, the one that isn't wanted any more is removed. Raises SeatsNotSold; then nothing
    has changed.
    """
    with transaction.atomic():
        basket = lock_basket(owner, now=now)
        if basket is None or basket.is_link:
            return
        item = basket.items.select_related("product").filter(product_id=product_id, is_group=was_group).first()
        if item is None:
            return
        if seats is not None:
            _refuse_seats([item.product])
        if was_group != (seats is not None):
            basket.items.filter(product_id=product_id, is_group=not was_group).delete()
        basket.items.filter(pk=item.pk).update(seats=seats)


def remove_product(*, owner: BasketOwner, product_id: int, is_group: bool = False, now: datetime) -> None:
    """Remove a product from the current basket. A link basket that becomes empty is deleted."""
    with transaction.atomic():
        basket = lock_basket(owner, now=now)
        if basket is not None:
            _remove(basket, product_id, is_group=is_group)


def remove_item(*, owner: BasketOwner, item_id: int) -> None:
    """Remove one item from the owner's basket it is in, current or not. Raises ItemUnknown."""
    with transaction.atomic():
        item = _lock_item(owner, item_id)
        _remove(item.basket, item.product_id, is_group=item.is_group)


def replace_item(*, owner: BasketOwner, item_id: int, product_id: int, now: datetime) -> Basket:
    """Put another product on sale in the place of an item; return the basket it is in then.

    Raises ItemUnknown, or what ``add_products`` raises; then nothing has changed.
    """
    with transaction.atomic():
        item = _lock_item(owner, item_id)
        if item.product_id == product_id:
            return item.basket
        basket = add_products(owner=owner, product_ids=[product_id], seats=item.seats, now=now)
        _remove(item.basket, item.product_id, is_group=item.is_group)
    return basket


def empty_baskets(*, owner: BasketOwner) -> None:
    """Take everything out that would be bought, and the codes. What is kept for later stays; a link opens again."""
    with transaction.atomic():
        for basket in owner.baskets().order_by("pk").locked():
            if basket.is_link:
                basket.delete()
            else:
                basket.items.filter(kept_at=None).delete()
                basket.applied_codes.all().delete()


def keep_for_later(*, owner: BasketOwner, product_id: int, is_group: bool = False, now: datetime) -> None:
    """Keep a product for later: it is neither added up nor bought. A link basket keeps nothing."""
    with transaction.atomic():
        basket = lock_basket(owner, now=now)
        if basket is not None and not basket.is_link:
            basket.items.filter(product_id=product_id, is_group=is_group, kept_at=None).update(kept_at=now)


def move_to_cart(*, owner: BasketOwner, product_id: int, is_group: bool = False, now: datetime) -> None:
    """Move a product that was kept for later back. Raises AnotherCurrency where it can't be added up with the rest."""
    with transaction.atomic():
        basket = lock_basket(owner, now=now)
        if basket is None:
            return
        waiting = basket.items.filter(product_id=product_id, is_group=is_group, kept_at__isnull=False)
        _refuse_other_currencies(basket, [item.product for item in waiting.select_related("product")])
        waiting.update(kept_at=None)


def settle_shown_basket(priced: PricedBasket, *, now: datetime) -> None:
    """Bring a basket in line with what its page just showed.

    Products that the rules refuse are kept for later, those that the buyer owns are removed, and the total is stored.
    At most one write for each, none where nothing changed. Call it only where the buyer is told.
    """
    basket = priced.basket
    if basket is None:
        return
    owned = [line for line in priced.aside if line.is_owned]
    if owned:
        basket.items.filter(_match_lines(owned)).delete()
    refused = [line for line in priced.aside if not line.is_kept and not line.is_owned]
    if refused:
        basket.items.filter(_match_lines(refused), kept_at=None).update(kept_at=now)
    remember_total(priced, now=now)


def drop_needless_codes(priced: PricedBasket) -> list[DiscountCode]:
    """Take codes off a basket whose buyer has a seat and needs none; return them. Call it only where they are told."""
    codes = [line.code for line in priced.lines if line.code is not None and line.is_code_needless]
    if codes:
        BasketCode.objects.filter(basket=priced.basket, code__in=codes).delete()
    return codes


def remember_total(priced: PricedBasket, *, now: datetime) -> None:
    """Store the total for the header of other pages; one write, none where the same was stored recently."""
    basket = priced.basket
    if basket is None:
        return
    has_total = priced.has_one_currency and not priced.needs_code and bool(priced.lines)
    total = priced.total.amount if has_total else None
    shown = (total, priced.currency if has_total else "", len(priced.lines))
    is_fresh = basket.noted_at is not None and now - basket.noted_at < REMEMBER_FOR
    if not is_fresh or shown != (basket.noted_total, basket.noted_currency, basket.noted_count):
        basket.noted_total, basket.noted_currency, basket.noted_count, basket.noted_at = *shown, now
        # Not save(): the basket may have been bought and deleted meanwhile.
        Basket.objects.filter(pk=basket.pk).update(
            noted_total=basket.noted_total,
            noted_currency=basket.noted_currency,
            noted_count=basket.noted_count,
            noted_at=basket.noted_at,
        )


def leave_link_basket(*, owner: BasketOwner, now: datetime) -> None:
    """Go back to the ordinary basket. The link can be opened again at any time."""
    with transaction.atomic():
        for basket in owner.baskets().filter(kind=BasketKind.LINK).locked():
            basket.delete()


def apply_code(*, owner: BasketOwner, text: str, user_id: int | None, now: datetime) -> PricedBasket:
    """Apply a code to the current basket, which is priced as if it were there; the same code again changes nothing.

    Raises BasketEmpty, CodeMissing, CodeUnknown, or another CodeRefused that says why the code doesn't work or lowers
    no price. Signed-out visitors get CodeUnknown for every code that doesn't work. A registration code that works
    raises CodeRedeemedElsewhere.
    """
    if not read_code(text):
        raise CodeMissing
    basket = current_basket(owner, now=now)
    if basket is None:
        raise BasketEmpty
    try:
        code = find_code(text)
        if (sale := find_seat_sale(code)) is not None:
            offer_seat(code, sale, user_id=user_id, now=now)
            raise CodeRedeemedElsewhere(text=code.text)
        with guard_refusals(code, user_id=user_id):
            priced = price_basket(basket, user_id=user_id, now=now, with_code=code)
            _refuse_useless_code(priced, code, user_id=user_id, now=now)
    except CodeUnknown:
        if basket.is_link:
            raise
        raise DiscountCodeUnknown from None
    run_sql(
        APPLY,
        {
            "basket": basket.pk,
            "code": code.pk,
            "discount": code.discount_id,
            "is_contracts": code.discount.unlocks_id is not None,
            "now": now,
        },
    )
    return priced


def remove_code(*, owner: BasketOwner, code_id: int, now: datetime) -> None:
    """Remove a code from the current basket; the code itself doesn't change."""
    basket = current_basket(owner, now=now)
    if basket is not None:
        basket.applied_codes.filter(code_id=code_id).delete()


@dataclass(frozen=True, slots=True)
class JoinedBaskets:
    """What happened to a visitor's ordinary basket at sign-in, where the account had one of its own.

    ``came``: products that the account's basket didn't have. ``there``: products it had, kept for later or not.
    ``set_aside``: products that are kept for later now because of their currency.
    """

    came: int = 0
    there: int = 0
    set_aside: int = 0


def claim_baskets(*, token: UUID, user_id: int, now: datetime) -> JoinedBaskets:
    """Give a visitor's baskets to the account they signed in to; calling it again changes nothing.

    The visitor's link basket replaces the account's, unless it is empty or a day old. The ordinary baskets are joined
    and nothing is lost; what the account had in another currency is kept for later, so that the visitor can buy what
    they came for.
    """
    try:
        return _claim_baskets(token=token, user_id=user_id, now=now)
    except IntegrityError:  # the account's basket was just created on another device; this time it is found and joined
        return _claim_baskets(token=token, user_id=user_id, now=now)


def drop_forgotten_baskets(*, now: datetime) -> int:
    """Delete visitors' baskets that weren't touched for ``BASKET_KEPT_DAYS``; return how many.

    Their sessions are over by then. A basket with an open order stays.
    """
    limit = now - timedelta(days=settings.BASKET_KEPT_DAYS)
    touched = Q(opened_at__gte=limit) | Q(items__added_at__gte=limit) | Q(items__kept_at__gte=limit)
    touched |= Q(noted_at__gte=limit) | Q(applied_codes__applied_at__gte=limit)
    ordered = Order.objects.pending().filter(basket_id=OuterRef("pk"))
    forgotten = Basket.objects.filter(~Exists(ordered), token__isnull=False).exclude(touched)
    dropped: int = forgotten.delete()[1].get(Basket._meta.label, 0)
    if dropped:
        logger.info("forgotten baskets dropped", extra={"baskets": dropped})
    return dropped


def lock_basket(owner: BasketOwner, *, now: datetime) -> Basket | None:
    """Lock the owner's current basket; None if there is none, or if it was deleted while this call waited."""
    basket = current_basket(owner, now=now)
    return Basket.objects.locked().filter(pk=basket.pk).first() if basket is not None else None


def _claim_baskets(*, token: UUID, user_id: int, now: datetime) -> JoinedBaskets:
    joined = JoinedBaskets()
    with transaction.atomic():
        mine = {(each.site_id, each.kind): each for each in lock_baskets_of(user_id)}
        for basket in Basket.objects.locked().filter(token=token):
            own = mine.get((basket.site_id, basket.kind))
            if basket.is_link and (basket.is_stale(now) or not basket.items.exists()):
                basket.delete()
                continue
            if own is not None and basket.is_link:
                own.delete()
                own = None
            if own is None:
                basket.user_id, basket.token = user_id, None
                basket.save(update_fields=["user", "token", "updated_at"])
                if basket.is_link:
                    publish(LinkBasketClaimed(basket_id=basket.pk, user_id=user_id, at=now))
            else:
                joined = _join_baskets(basket, own, now)
    return joined


def lock_baskets_of(user_id: int) -> list[Basket]:
    """Lock the account's baskets on all sites."""
    return list(Basket.objects.locked().filter(user_id=user_id))


def drop_bought_course(*, user_id: int, run_id: int) -> None:
    """Take a run that the account got without its cart out of its carts; seats for a group stay. They are locked."""
    mine = BasketItem.objects.filter(basket__user_id=user_id, product__course_run_id=run_id, seats__isnull=True)
    mine.filter(product__requires_code=False).delete()


def _lock_item(owner: BasketOwner, item_id: int) -> BasketItem:
    """Lock the basket of an item and return the item. Raises ItemUnknown, also for an item of someone else."""
    basket = owner.baskets().filter(items=item_id).locked().first()
    item = basket.items.filter(pk=item_id).first() if basket is not None else None
    if item is None:
        raise ItemUnknown
    return item


def _remove(basket: Basket, product_id: int, *, is_group: bool) -> None:
    BasketItem.objects.filter(basket=basket, product_id=product_id, is_group=is_group).delete()
    basket.applied_codes.filter(code__discount__unlocks_id=product_id).delete()
    if basket.is_link and not basket.items.exists():
        basket.delete()


def _refuse_useless_code(priced: PricedBasket, code: DiscountCode, *, user_id: int | None, now: datetime) -> None:
    """Raise why the code can't be used, fits nothing in the basket, or lowers no price there."""
    verdict = next(each for each in priced.codes if each.code == code)
    if verdict.refusal is not None:
        refusal = ask_contract(verdict, user_id=user_id, now=now).refusal
        raise refusal or verdict.refusal
    offer = make_offer(code.discount, code=code)
    items = [line.price.item for line in priced.lines]
    if not any(offer.fits(item) for item in items):
        opens = code.discount.unlocks
        raise CodeForAnotherProduct(title=opens.title) if opens is not None else CodeForOtherProducts()
    lines = [line for line in priced.lines if line.code == code]
    for line in lines:
        if isinstance(line.refusal, CodeRefused):
            raise line.refusal
        if line.refusal is not None and line.product.requires_code and user_id is None:
            raise CodeUnknown  # signed-out visitors aren't told why an enrollment code doesn't work
    if not lines:
        is_for_others = any(offer.fits(item) and not offer.covers(item) for item in items)
        raise CodeNotForGroups if is_for_others else CodeNotBetter


def _get_or_create_basket(owner: BasketOwner, kind: BasketKind, now: datetime) -> tuple[Basket, bool]:
    """Return the owner's basket of this kind, locked, and whether it was created."""
    found = owner.baskets().filter(kind=kind).locked().first()
    if found is not None:
        return found, False
    key = {"user_id": owner.user_id} if owner.user_id is not None else {"token": owner.token}
    try:
        with transaction.atomic():
            return Basket.objects.create(kind=kind, site_id=owner.site_id, opened_at=now, **key), True
    except IntegrityError:  # another tab of the same owner created it first
        found = owner.baskets().filter(kind=kind).locked().first()
        if found is None:
            raise
        return found, False


def _open_link_basket(owner: BasketOwner, products: list[Product], now: datetime) -> Basket:
    """Return the link basket with just these products. Opening the same link again keeps the code applied so far."""
    basket, is_new = _get_or_create_basket(owner, BasketKind.LINK, now)
    if not is_new:
        product_ids = {product.pk for product in products}
        basket.items.exclude(product_id__in=product_ids).delete()
        basket.applied_codes.exclude(code__discount__unlocks_id__in=product_ids).delete()
        basket.opened_at = now
        basket.save(update_fields=["opened_at", "updated_at"])
    _add_items(basket, products, now)
    return basket


def _refuse_seats(products: Sequence[Product]) -> None:
    """Raise SeatsNotSold for a product that is sold to one person at a time."""
    for product in products:
        if not product.sells_seats:
            raise SeatsNotSold(title=product.title)


def _match_lines(lines: Sequence[PricedLine]) -> Q:
    """Match the basket's items of these lines."""
    personal = [line.product.pk for line in lines if not line.is_group]
    group = [line.product.pk for line in lines if line.is_group]
    return Q(is_group=False, product__in=personal) | Q(is_group=True, product__in=group)


def _add_items(basket: Basket, products: list[Product], now: datetime, *, seats: int | None = None) -> None:
    _write_items([BasketItem(basket=basket, product=product, seats=seats, added_at=now) for product in products])


def _write_items(items: list[BasketItem]) -> None:
    """Insert items. Those that are there already get the number of seats and are moved out of what is kept."""
    BasketItem.objects.bulk_create(
        items,
        update_conflicts=True,
        unique_fields=["basket", "product", "is_group"],
        update_fields=["kept_at", "seats"],
    )


def _store_starts(
    basket: Basket, products: Sequence[Product], start_ids: Sequence[int], *, now: datetime, drops_closed: bool = False
) -> None:
    """Store a start for each course of these programs: the chosen one, else the one stored before, else the suggested.

    A chosen start that has just closed is stored too: the cart says so, and asks for another one.
    """
    programs = [product for product in products if product.program_id is not None]
    if not programs and not start_ids:
        return
    courses = starts_of_programs({product.program_id or 0 for product in programs}, now=now)
    chosen = {run.course_id: run.pk for run in CourseRun.objects.exclude(run_tag=SOURCE_TAG).filter(pk__in=start_ids)}
    known = {each.course.pk for listed in courses.values() for each in listed}
    if len(chosen) != len(set(start_ids)) or not known.issuperset(chosen):
        raise StartUnknown
    for item in basket.items.filter(product__in=programs).select_related("product").prefetch_related("starts"):
        stored = {row.course_id: row.run_id for row in item.starts.all()}
        rows = []
        for each in courses[item.product.program_id or 0]:
            offered = [run.pk for run in each.runs]
            before = stored.get(each.course.pk)
            if drops_closed and before not in offered:
                before = None
            run_id = chosen.get(each.course.pk) or before or next(iter(offered), None)
            if run_id is not None:
                rows.append(BasketItemStart(item=item, course=each.course, run_id=run_id))
        item.starts.all().delete()
        BasketItemStart.objects.bulk_create(rows)


def _move_starts(source: Basket, target: Basket) -> None:
    """Move the starts of programs along with their items; those chosen last replace the earlier ones."""
    rows = list(BasketItemStart.objects.filter(item__basket=source).select_related("item"))
    items = dict(target.items.filter(product__in={row.item.product_id for row in rows}).values_list("product_id", "pk"))
    BasketItemStart.objects.filter(item__in=items.values()).delete()
    BasketItemStart.objects.bulk_create(
        [
            BasketItemStart(item_id=items[row.item.product_id], course_id=row.course_id, run_id=row.run_id)
            for row in rows
        ]
    )


def _refuse_other_currencies(basket: Basket, products: Sequence[Product]) -> None:
    """Raise AnotherCurrency unless all prices have one currency: a basket is paid in one payment."""
    currencies = set(basket.items.filter(kept_at=None).values_list("product__currency", flat=True))
    for product in products:
        currencies.add(product.currency)
        if len(currencies) > 1:
            kept = min(currencies - {product.currency})
            raise AnotherCurrency(title=product.title, currency=product.currency, basket_currency=kept)


def _join_baskets(source: Basket, target: Basket, now: datetime) -> JoinedBaskets:
    """Move everything from one basket to another and delete the first."""
    incoming = list(source.items.select_related("product"))
    existing = list(target.items.select_related("product"))
    currencies = {item.product.currency for item in incoming if item.kept_at is None}
    set_aside = [
        item for item in existing if item.kept_at is None and currencies and item.product.currency not in currencies
    ]
    target.items.filter(pk__in=[item.pk for item in set_aside]).update(kept_at=now)
    _write_items(
        [
            BasketItem(
                basket=target,
                product_id=item.product_id,
                seats=item.seats,
                added_at=item.added_at,
                kept_at=item.kept_at,
            )
            for item in incoming
        ]
    )
    if any(item.product.program_id is not None for item in incoming):
        _move_starts(source, target)
    BasketCode.objects.bulk_create(
        [BasketCode(basket=target, code_id=row.code_id, applied_at=now) for row in source.applied_codes.all()],
        ignore_conflicts=True,
    )
    source.delete()
    known = {item.key for item in existing}
    return JoinedBaskets(
        came=sum(item.key not in known for item in incoming) if existing else 0,
        there=len(existing) - len(set_aside),
        set_aside=len(set_aside),
    )
