"""Filling, emptying and handing over baskets.

Whoever changes what is in a basket locks its row first, as checkout does (ADR 0003): two windows of one visitor go one
after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from ecommerce.enums import BasketKind
from ecommerce.errors import BasketEmpty, CodeMissing, CodeNotBetter, CodeRefused, CodeUnknown, ProductUnknown
from ecommerce.models import Basket, BasketCode, BasketItem, DiscountCode, Product
from ecommerce.selectors.baskets import BasketOwner, current_basket
from ecommerce.services.cart import (
    PricedBasket,
    code_fits,
    find_code,
    price_basket,
    refuse_code,
)
from mitxonline.kernel.db import run_sql

# Several times as long as a session that nobody uses.
FORGOTTEN_AFTER = timedelta(days=60)

# A contract product has one code: a second one takes the first one's place. One statement, so both or neither; nothing
# where the basket is gone by now.
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
    *, owner: BasketOwner, now: datetime, product_ids: Sequence[int] = (), skus: Sequence[str] = ()
) -> Basket:
    """Put products on sale into the owner's basket; one that is there already stays there once.

    A product that needs its code opens a link basket holding just the products asked for of that kind; others go
    into the ordinary basket. Raises ProductUnknown, and changes nothing, if any product isn't on sale (CO-01).
    """
    products = list(Product.objects.active().filter(Q(pk__in=product_ids) | Q(sku__in=skus)))
    missing = set(product_ids) - {p.pk for p in products} or set(skus) - {p.sku for p in products}
    if not products or missing:
        raise ProductUnknown
    linked = [product for product in products if product.requires_code]
    plain = [product for product in products if not product.requires_code]
    with transaction.atomic():
        basket = None
        if plain:
            basket, _is_new = _open(owner, BasketKind.ORDINARY, now)
            _put(basket, plain, now)
        if linked:
            basket = _fresh_link_basket(owner, linked, now)
    if basket is None:
        raise ProductUnknown
    return basket


def remove_product(*, owner: BasketOwner, product_id: int, now: datetime) -> None:
    """Take a product out of the current basket; a link basket that is empty then is gone."""
    with transaction.atomic():
        basket = locked_basket(owner, now=now)
        if basket is None:
            return
        BasketItem.objects.filter(basket=basket, product_id=product_id).delete()
        basket.applied_codes.filter(code__discount__unlocks_id=product_id).delete()
        if basket.is_link and not basket.items.exists():
            basket.delete()


def leave_link_basket(*, owner: BasketOwner, now: datetime) -> None:
    """Go back to the ordinary basket; the link can be opened again at any time."""
    with transaction.atomic():
        for basket in owner.baskets().filter(kind=BasketKind.LINK).locked():
            basket.delete()


def apply_code(*, owner: BasketOwner, text: str, user_id: int | None, now: datetime) -> PricedBasket:
    """Apply a code to the current basket; the same code again changes nothing.

    Raises CodeMissing, CodeUnknown, CodeSwitchedOff, CodeUsed, CodeNotYetValid, CodeExpired, CodeForAnotherProduct,
    CodeNotBetter, or what a rule says of the code. A signed-out visitor is told CodeUnknown for all of them, so that
    nobody can find out which codes exist (X2).
    """
    if not text.strip():
        raise CodeMissing
    try:
        return _apply(owner=owner, text=text, user_id=user_id, now=now)
    except CodeNotBetter:
        raise
    except CodeRefused:
        if user_id is None:
            raise CodeUnknown from None
        raise


def remove_code(*, owner: BasketOwner, code_id: int, now: datetime) -> None:
    """Take a code off the current basket; the code itself is as it was."""
    basket = current_basket(owner, now=now)
    if basket is not None:
        basket.applied_codes.filter(code_id=code_id).delete()


def claim_baskets(*, token: UUID, user_id: int, now: datetime) -> None:
    """Give a visitor's baskets to the account they signed in to.

    The link basket becomes the account's as it is and replaces an older one (design 5.3), unless it is empty or its
    day is over. The ordinary ones are joined: nothing of either is lost (K4). Harmless when it has happened already.
    """
    try:
        _claim(token=token, user_id=user_id, now=now)
    except IntegrityError:  # the account opened a basket of its own on another device in this moment: join that one
        _claim(token=token, user_id=user_id, now=now)


def drop_forgotten_baskets(*, now: datetime) -> int:
    """Delete visitors' baskets that nobody can come back to, their sessions being over; how many rows (K19)."""
    limit = now - FORGOTTEN_AFTER
    forgotten = Basket.objects.filter(token__isnull=False, opened_at__lt=limit).exclude(items__added_at__gte=limit)
    return forgotten.delete()[0]


def locked_basket(owner: BasketOwner, *, now: datetime) -> Basket | None:
    """The owner's current basket, locked; None where there is none, or none any more after the wait."""
    basket = current_basket(owner, now=now)
    return Basket.objects.locked().filter(pk=basket.pk).first() if basket is not None else None


def _claim(*, token: UUID, user_id: int, now: datetime) -> None:
    with transaction.atomic():
        mine = baskets_of(user_id)
        for basket in Basket.objects.locked().filter(token=token):
            own = mine.get(basket.kind)
            if basket.is_link and (basket.is_stale(now) or not basket.items.exists()):
                basket.delete()
                continue
            if own is not None and basket.is_link:
                own.delete()
                own = None
            if own is None:
                basket.user_id, basket.token = user_id, None
                basket.save(update_fields=["user", "token", "updated_at"])
            else:
                _join(basket, own, now)


def baskets_of(user_id: int) -> dict[str, Basket]:
    """The account's baskets by their kind, locked."""
    return {basket.kind: basket for basket in Basket.objects.locked().filter(user_id=user_id)}


def _apply(*, owner: BasketOwner, text: str, user_id: int | None, now: datetime) -> PricedBasket:
    """Price the basket as if the code were on it, refuse what is to be refused, and only then write it down."""
    basket = current_basket(owner, now=now)
    if basket is None:
        raise BasketEmpty
    code = find_code(text)
    priced = price_basket(basket, user_id=user_id, now=now, with_code=code)
    if any(each.code == code and each.refusal is not None for each in priced.codes):
        refuse_code(code, user_id=user_id, now=now)
    if (refusal := code_fits(code, [line.product for line in priced.lines])) is not None:
        raise refusal
    _refuse_unless_useful(priced, code, signed_in=user_id is not None)
    _write_down(basket, code, now)
    return priced


def _refuse_unless_useful(priced: PricedBasket, code: DiscountCode, *, signed_in: bool) -> None:
    """Raise what a rule says of the line the code is for, or CodeNotBetter where every line is cheaper without it.

    Whoever is signed out hears nothing of an enrollment code that leads nowhere, for whatever reason.
    """
    lines = [line for line in priced.lines if line.code == code]
    for line in lines:
        if isinstance(line.refusal, CodeRefused):
            raise line.refusal
        if line.refusal is not None and line.product.requires_code and not signed_in:
            raise CodeUnknown
    if not lines:
        raise CodeNotBetter


def _write_down(basket: Basket, code: DiscountCode, now: datetime) -> None:
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


def _open(owner: BasketOwner, kind: BasketKind, now: datetime) -> tuple[Basket, bool]:
    """The owner's basket of this kind, locked, and whether it was made just now."""
    found = owner.baskets().filter(kind=kind).locked().first()
    if found is not None:
        return found, False
    key = {"user_id": owner.user_id} if owner.user_id is not None else {"token": owner.token}
    try:
        with transaction.atomic():
            return Basket.objects.create(kind=kind, opened_at=now, **key), True
    except IntegrityError:  # the same owner's other tab was faster
        found = owner.baskets().filter(kind=kind).locked().first()
        if found is None:
            raise
        return found, False


def _fresh_link_basket(owner: BasketOwner, products: list[Product], now: datetime) -> Basket:
    """The link basket with just these products. Opened again by the same link it keeps the code applied so far."""
    basket, is_new = _open(owner, BasketKind.LINK, now)
    if not is_new:
        wanted = {product.pk for product in products}
        basket.items.exclude(product_id__in=wanted).delete()
        basket.applied_codes.exclude(code__discount__unlocks_id__in=wanted).delete()
        basket.opened_at = now
        basket.save(update_fields=["opened_at", "updated_at"])
    _put(basket, products, now)
    return basket


def _put(basket: Basket, products: list[Product], now: datetime) -> None:
    BasketItem.objects.bulk_create(
        [BasketItem(basket=basket, product=product, added_at=now) for product in products],
        ignore_conflicts=True,
    )


def _join(source: Basket, target: Basket, now: datetime) -> None:
    """Move what is in one basket into another and drop the empty one."""
    BasketItem.objects.bulk_create(
        [BasketItem(basket=target, product_id=item.product_id, added_at=item.added_at) for item in source.items.all()],
        ignore_conflicts=True,
    )
    BasketCode.objects.bulk_create(
        [BasketCode(basket=target, code_id=row.code_id, applied_at=now) for row in source.applied_codes.all()],
        ignore_conflicts=True,
    )
    source.delete()


__all__ = [
    "add_products",
    "apply_code",
    "claim_baskets",
    "drop_forgotten_baskets",
    "leave_link_basket",
    "locked_basket",
    "remove_code",
    "remove_product",
]
