"""Operations on baskets, up to the payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import BaseModel

from api.commerce import schemas
from api.commerce.drawing import price_and_draw
from api.commerce.problems import name_problem, refuse_link
from api.http.callers import COMMERCE, person
from api.http.shapes import Id
from b2b.services.seats.redemption import apply_assigned_codes
from ecommerce.errors.checkout import BasketEmpty
from ecommerce.errors.codes import CheckoutRefused, CodeRefused
from ecommerce.models import Basket, BasketItem
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import find_basket, find_item, list_baskets
from ecommerce.selectors.owner import basket_owner
from ecommerce.services.baskets.baskets import (
    add_products,
    apply_code,
    empty_baskets,
    leave_link_basket,
    remove_item,
    replace_item,
)
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.checkout.giving_up import give_up_removed
from ecommerce.services.checkout.limits import count_checkout, limit_code_failures, refuse_many_checkouts
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import User

router = Router(auth=COMMERCE.signed_in, tags=["baskets"])


class DiscountParams(BaseModel):
    discount_code: str


@router.get("/v0/baskets/", operation_id="baskets_list", response=list[schemas.BasketWithProduct])
def list_own_baskets(request: HttpRequest) -> list[schemas.BasketWithProduct]:
    """List your baskets: the one that is checked out next, and the one that waits behind it."""
    owner, now = basket_owner(request), clock.now()
    return [price_and_draw(each, user_id=request.user.pk, now=now) for each in list_baskets(owner, now=now)]


@router.post(
    "/v0/baskets/add_discount/", operation_id="baskets_add_discount_create", response=schemas.BasketWithProduct
)
def add_discount(request: HttpRequest, params: Query[DiscountParams]) -> schemas.BasketWithProduct:
    """Apply a code to your basket. A code that doesn't work is refused with the reason, and counts as an attempt."""
    with limit_code_failures(request):
        priced = apply_code(
            owner=basket_owner(request), text=params.discount_code, user_id=person(request).pk, now=clock.now()
        )
    return _draw(request, priced.basket)


@router.get(
    "/v0/baskets/checkout/",
    operation_id="baskets_checkout_retrieve",
    response={200: schemas.CheckoutPayload, 400: schemas.CheckoutPayload},
)
def checkout(request: HttpRequest) -> schemas.CheckoutPayload | Status[schemas.CheckoutPayload]:
    """Place an order for your basket. It is complete if it is free; otherwise send the buyer to `url` to pay it.

    Calling it again for the same basket returns the same order, and for a while the same payment page.
    """
    refuse_link(request)
    refuse_many_checkouts(request)
    user_id, now = person(request).pk, clock.now()
    try:
        result = begin_checkout(owner=basket_owner(request), user_id=user_id, now=now, host=request.get_host())
    except BasketEmpty as refusal:
        return _refuse_checkout(_find_reason(request) or refusal)
    except CheckoutRefused as refusal:
        return _refuse_checkout(refusal)
    except DomainError as refusal:
        if name_problem(refusal) is None:
            raise
        return _refuse_checkout(refusal)
    if result.pay_url is None:
        return _payload(order_id=result.order.pk)
    count_checkout(request)
    return _payload(url=request.build_absolute_uri(result.pay_url))


@router.delete("/v0/baskets/clear/", operation_id="baskets_clear_destroy", auth=COMMERCE.anyone, response={204: None})
def clear(request: HttpRequest) -> Status[None]:
    """Empty your basket. What you saved for later stays."""
    empty_baskets(owner=basket_owner(request))
    _give_up(request)
    return Status(204, None)


@router.post(
    "/v0/baskets/create_from_product/{product_id}/",
    operation_id="baskets_create_from_product_create",
    auth=COMMERCE.anyone,
    response=schemas.BasketWithProduct,
)
def create_from_product(request: HttpRequest, product_id: Id) -> schemas.BasketWithProduct:
    """Add a product to your basket. One that is there already stays there once."""
    return _draw(request, _fill(request, {None: [product_id]}))


@router.post(
    "/v0/baskets/create_from_product/{product_id}/{discount_code}/",
    operation_id="create_basket_from_product_with_discount",
    response=schemas.BasketWithProduct,
)
def create_from_product_with_discount(
    request: HttpRequest, product_id: Id, discount_code: str
) -> schemas.BasketWithProduct:
    """Add a product and apply a code. The answer's `discounts` say whether the code works."""
    return _fill_and_apply(request, {None: [product_id]}, code=discount_code)


@router.post(
    "/v0/baskets/create_with_products/",
    operation_id="baskets_create_with_products_create",
    response=schemas.BasketWithProduct,
)
def create_with_products(
    request: HttpRequest, body: schemas.CreateBasketWithProductsRequest
) -> schemas.BasketWithProduct:
    """Add several products, all or none. More than one of a course are seats for a group."""
    wanted: dict[int | None, list[int]] = {}
    for each in body.product_ids:
        wanted.setdefault(each.quantity if each.quantity > 1 else None, []).append(each.product_id)
    return _fill_and_apply(request, wanted, code=body.discount_code or "")


@router.get("/v0/baskets/{id}/", operation_id="baskets_retrieve", response=schemas.BasketWithProduct)
def get_basket(request: HttpRequest, id: Id) -> schemas.BasketWithProduct:
    return _draw(request, find_basket(basket_owner(request), id, now=clock.now()))


@router.get(
    "/v0/baskets/{parent_lookup_basket}/items/", operation_id="baskets_items_list", response=list[schemas.BasketItem]
)
def list_items(request: HttpRequest, parent_lookup_basket: Id) -> list[schemas.BasketItem]:
    basket = find_basket(basket_owner(request), parent_lookup_basket, now=clock.now())
    return [_draw_item(item) for item in basket.items.filter(kept_at=None).order_by("pk")]


@router.post(
    "/v0/baskets/{parent_lookup_basket}/items/",
    operation_id="baskets_items_create",
    response={201: schemas.BasketItem},
)
def create_item(
    request: HttpRequest, parent_lookup_basket: Id, body: schemas.ItemRequest
) -> Status[schemas.BasketItem]:
    """Add a product to your basket."""
    find_basket(basket_owner(request), parent_lookup_basket, now=clock.now())
    basket = _fill(request, {None: [body.product]})
    return Status(201, _draw_item(basket.items.get(product_id=body.product, is_group=False)))


@router.get(
    "/v0/baskets/{parent_lookup_basket}/items/{id}/",
    operation_id="baskets_items_retrieve",
    response=schemas.BasketItem,
)
def get_item(request: HttpRequest, parent_lookup_basket: Id, id: Id) -> schemas.BasketItem:
    return _draw_item(find_item(basket_owner(request), parent_lookup_basket, id, now=clock.now()))


@router.put(
    "/v0/baskets/{parent_lookup_basket}/items/{id}/",
    operation_id="baskets_items_update",
    response=schemas.BasketItem,
)
def update_item(
    request: HttpRequest, parent_lookup_basket: Id, id: Id, body: schemas.ItemRequest
) -> schemas.BasketItem:
    """Put another product in the place of an item. The new item has another id."""
    return _replace(request, parent_lookup_basket, id, body.product)


@router.patch(
    "/v0/baskets/{parent_lookup_basket}/items/{id}/",
    operation_id="baskets_items_partial_update",
    response=schemas.BasketItem,
)
def change_item(
    request: HttpRequest, parent_lookup_basket: Id, id: Id, body: schemas.PatchedItemRequest
) -> schemas.BasketItem:
    """Put another product in the place of an item. The new item has another id."""
    return _replace(request, parent_lookup_basket, id, body.product)


@router.delete(
    "/v0/baskets/{parent_lookup_basket}/items/{id}/", operation_id="baskets_items_destroy", response={204: None}
)
def delete_item(request: HttpRequest, parent_lookup_basket: Id, id: Id) -> Status[None]:
    owner = basket_owner(request)
    find_item(owner, parent_lookup_basket, id, now=clock.now())
    remove_item(owner=owner, item_id=id)
    _give_up(request)
    return Status(204, None)


def _fill(request: HttpRequest, wanted: Mapping[int | None, Sequence[int]]) -> Basket:
    """Add products, by the number of seats they are for, and make their basket the one that is checked out next."""
    owner, now = basket_owner(request, create=True), clock.now()
    with transaction.atomic():
        for seats, product_ids in wanted.items():
            basket = add_products(owner=owner, product_ids=product_ids, seats=seats, now=now)
        if not basket.is_link:
            leave_link_basket(owner=owner, now=now)
    if isinstance(request.user, User) and basket.is_link:
        apply_assigned_codes(basket=basket, user=request.user, now=now)
    return basket


def _fill_and_apply(
    request: HttpRequest, wanted: Mapping[int | None, Sequence[int]], *, code: str
) -> schemas.BasketWithProduct:
    """Add products and apply a code. One that doesn't work counts as an attempt and is left out."""
    if not code:
        return _draw(request, _fill(request, wanted))
    basket: Basket | None = None
    try:
        with limit_code_failures(request):
            basket = _fill(request, wanted)
            apply_code(owner=basket_owner(request), text=code, user_id=request.user.pk, now=clock.now())
    except CodeRefused:
        if basket is None:
            raise
    return _draw(request, basket)


def _replace(request: HttpRequest, basket_id: int, item_id: int, product_id: int | None) -> schemas.BasketItem:
    owner, now = basket_owner(request), clock.now()
    item = find_item(owner, basket_id, item_id, now=now)
    if product_id is None or product_id == item.product_id:
        return _draw_item(item)
    basket = replace_item(owner=owner, item_id=item_id, product_id=product_id, now=now)
    _give_up(request)
    return _draw_item(basket.items.get(product_id=product_id, is_group=item.is_group))


def _draw(request: HttpRequest, basket: Basket | None) -> schemas.BasketWithProduct:
    if basket is None:
        raise BasketEmpty
    return price_and_draw(basket, user_id=request.user.pk, now=clock.now())


def _draw_item(item: BasketItem) -> schemas.BasketItem:
    return schemas.BasketItem(basket=item.basket_id, product=item.product_id, id=item.pk)


def _refuse_checkout(refusal: DomainError) -> Status[schemas.CheckoutPayload]:
    return Status(400, _payload(refusal=refusal))


def _payload(*, url: str = "", order_id: int = 0, refusal: DomainError | None = None) -> schemas.CheckoutPayload:
    return schemas.CheckoutPayload(
        no_checkout=bool(order_id),
        url=url,
        method="GET",
        payload={},
        order_id=order_id,
        error=name_problem(refusal) if refusal is not None else None,
        detail=str(refusal or ""),
    )


def _find_reason(request: HttpRequest) -> DomainError | None:
    """Return why a basket that isn't empty has nothing to buy."""
    priced = price_current_basket(basket_owner(request), user_id=request.user.pk, now=clock.now())
    return next((line.refusal for line in priced.aside if line.refusal is not None and not line.is_kept), None)


def _give_up(request: HttpRequest) -> None:
    """Release what an open order holds for what left the basket. Signed-out visitors have no orders."""
    if isinstance(request.user, User):
        give_up_removed(user_id=request.user.pk, now=clock.now())
