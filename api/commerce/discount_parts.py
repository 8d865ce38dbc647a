"""Operations on whom and what a discount is for, and on the orders that redeemed it."""

from __future__ import annotations

from collections.abc import Collection

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Query, Router, Status

from api.accounts.drawing import draw_account
from api.commerce import schemas
from api.commerce.discounts import find_manageable, find_visible, naming_fields
from api.commerce.drawing import draw_entry, draw_products
from api.commerce.order_drawing import draw_receipts
from api.http.callers import COMMERCE, person
from api.http.errors import refuse_fields
from api.http.paging import Offsets, PageOfList, paginate_by_offset
from api.http.shapes import Id, SignedId
from ecommerce.errors.admin import RedeemedByOrders
from ecommerce.models import CodeUse, DiscountCode, DiscountPerson, Order, Product
from ecommerce.models.product import ProductQuerySet
from ecommerce.roles import Action, may
from ecommerce.selectors.discount_entries import (
    DiscountEntry,
    PersonOfDiscount,
    add_accounts,
    orders_with_automatic,
    uses_of_code,
)
from ecommerce.selectors.receipts import make_receipts, orders_with_refunds
from ecommerce.services.discounts.entries import change_people, change_products
from mitxonline.kernel import clock
from mitxonline.kernel.errors import Forbidden, NotFound
from mitxonline.kernel.text import normalize_email
from mitxonline.users.models import User
from mitxonline.users.selectors import find_person

router = Router(auth=COMMERCE.signed_in, tags=["discounts"])

ASSIGNEES = "/v0/discounts/{parent_lookup_discount}/assignees/"
PRODUCTS = "/v0/discounts/{parent_lookup_discount}/products/"
REDEMPTIONS = "/v0/discounts/{parent_lookup_redeemed_discount}/redemptions/"


# Whom it is for -----------------------------------------------------------------------------------------------------


@router.get(ASSIGNEES, operation_id="discounts_assignees_list", response=schemas.PaginatedUserDiscountMetaList)
def list_people(
    request: HttpRequest, parent_lookup_discount: SignedId, paging: Query[Offsets]
) -> PageOfList[schemas.UserDiscountMeta]:
    """List the only people a discount is for; none if it is for everyone."""
    entry, me = find_visible(request, parent_lookup_discount), person(request)
    if entry.code is not None and entry.code.assigned_email:
        return paginate_by_offset(
            request,
            DiscountCode.objects.filter(pk=entry.code.pk),
            lambda codes: _draw_people(entry, [(each.pk, each.assigned_email) for each in codes], viewer=me),
            limit=paging.limit,
            offset=paging.offset,
        )
    return paginate_by_offset(
        request,
        entry.discount.people.order_by("email"),
        lambda people: _draw_people(entry, [(each.pk, each.email) for each in people], viewer=me),
        limit=paging.limit,
        offset=paging.offset,
    )


@router.post(ASSIGNEES, operation_id="discounts_assignees_create", response={201: schemas.UserDiscountMeta})
def add_person(
    request: HttpRequest, parent_lookup_discount: SignedId, body: schemas.UserDiscountMetaRequest
) -> Status[schemas.UserDiscountMeta]:
    """Add someone a discount is for. With the first one it is no longer for everyone."""
    entry, access = find_manageable(request, parent_lookup_discount)
    email = _read_address(body.user, viewer=person(request))
    with naming_fields():
        change_people(entry=entry, add=email, access=access, now=clock.now())
    return Status(201, _draw_person(entry, _find_by_address(entry, email, viewer=person(request))))


@router.get(f"{ASSIGNEES}{{id}}/", operation_id="discounts_assignees_retrieve", response=schemas.UserDiscountMeta)
def get_person(request: HttpRequest, parent_lookup_discount: SignedId, id: SignedId) -> schemas.UserDiscountMeta:
    entry = find_visible(request, parent_lookup_discount)
    return _draw_person(entry, _find_person(entry, id, viewer=person(request)))


@router.put(f"{ASSIGNEES}{{id}}/", operation_id="discounts_assignees_update", response=schemas.UserDiscountMeta)
def replace_person(
    request: HttpRequest, parent_lookup_discount: SignedId, id: SignedId, body: schemas.UserDiscountMetaRequest
) -> schemas.UserDiscountMeta:
    """Put someone else in the place of a person. The answer has another id."""
    return _replace_person(request, parent_lookup_discount, id, body.user)


@router.patch(
    f"{ASSIGNEES}{{id}}/", operation_id="discounts_assignees_partial_update", response=schemas.UserDiscountMeta
)
def replace_person_if_sent(
    request: HttpRequest, parent_lookup_discount: SignedId, id: SignedId, body: schemas.PatchedUserDiscountMetaRequest
) -> schemas.UserDiscountMeta:
    """Put someone else in the place of a person. The answer has another id."""
    return _replace_person(request, parent_lookup_discount, id, body.user)


@router.delete(f"{ASSIGNEES}{{id}}/", operation_id="discounts_assignees_destroy", response={204: None})
def remove_person(request: HttpRequest, parent_lookup_discount: SignedId, id: SignedId) -> Status[None]:
    """Remove someone a discount is for. The last one stays, because without them it would be for everyone."""
    entry, access = find_manageable(request, parent_lookup_discount)
    found = _find_person(entry, id, viewer=person(request))
    with naming_fields():
        change_people(entry=entry, remove=found.email, access=access, now=clock.now())
    return Status(204, None)


def _replace_person(
    request: HttpRequest, number: int, person_id: int, user: int | schemas.NamedPerson | None
) -> schemas.UserDiscountMeta:
    entry, access = find_manageable(request, number)
    me = person(request)
    found = _find_person(entry, person_id, viewer=me)
    email = _read_address(user, viewer=me) if user is not None else found.email
    if normalize_email(email) != normalize_email(found.email):
        with naming_fields():
            change_people(entry=entry, add=email, remove=found.email, access=access, now=clock.now())
    return _draw_person(entry, _find_by_address(entry, email, viewer=me))


def _read_address(user: int | schemas.NamedPerson, *, viewer: User) -> str:
    if isinstance(user, schemas.NamedPerson):
        return user.email
    try:
        return find_person(user, viewer=viewer).email
    except NotFound as unknown:
        raise refuse_fields(user=_("There is no such account, or you may not view people.")) from unknown


def _find_by_address(entry: DiscountEntry, email: str, *, viewer: User) -> PersonOfDiscount:
    if entry.code is not None and entry.code.assigned_email:
        rows = [(entry.code.pk, entry.code.assigned_email)]
    else:
        people = DiscountPerson.objects.filter(discount=entry.discount, email=normalize_email(email))
        rows = list(people.values_list("pk", "email"))
    found = add_accounts(rows, viewer=viewer)
    if not found:
        raise NotFound
    return found[0]


def _find_person(entry: DiscountEntry, number: int, *, viewer: User) -> PersonOfDiscount:
    """Return someone a discount is for, by the id of their account or the negative one of the row."""
    if number > 0:
        found = _find_by_address(entry, find_person(number, viewer=viewer).email, viewer=viewer)
    elif entry.code is not None and entry.code.assigned_email:
        found = _find_by_address(entry, entry.code.assigned_email, viewer=viewer)
    else:
        row = DiscountPerson.objects.filter(discount=entry.discount, pk=-number).first()
        if row is None:
            raise NotFound
        found = _find_by_address(entry, row.email, viewer=viewer)
    if number != found.number:
        raise NotFound
    return found


def _draw_people(
    entry: DiscountEntry, rows: Collection[tuple[int, str]], *, viewer: User
) -> list[schemas.UserDiscountMeta]:
    return [_draw_person(entry, each) for each in add_accounts(rows, viewer=viewer)]


def _draw_person(entry: DiscountEntry, found: PersonOfDiscount) -> schemas.UserDiscountMeta:
    return schemas.UserDiscountMeta(
        id=found.number,
        discount=draw_entry(entry),
        user=draw_account(found.user) if found.user is not None else None,
        email=found.email,
    )


# What it is for -----------------------------------------------------------------------------------------------------


@router.get(PRODUCTS, operation_id="discounts_products_list", response=schemas.PaginatedDiscountProductList)
def list_products(
    request: HttpRequest, parent_lookup_discount: SignedId, paging: Query[Offsets]
) -> PageOfList[schemas.DiscountProduct]:
    """List the only products a discount is for; none if it is for all."""
    entry = find_visible(request, parent_lookup_discount)
    return paginate_by_offset(
        request,
        _products_of(entry),
        lambda products: _draw_products(entry, products),
        limit=paging.limit,
        offset=paging.offset,
    )


@router.post(PRODUCTS, operation_id="discounts_products_create", response={201: schemas.DiscountProduct})
def add_product(
    request: HttpRequest, parent_lookup_discount: SignedId, body: schemas.DiscountProductRequest
) -> Status[schemas.DiscountProduct]:
    """Add a product that a discount is for. With the first one it is no longer for all products."""
    entry, access = find_manageable(request, parent_lookup_discount)
    with naming_fields():
        change_products(entry=entry, add=body.product, access=access, now=clock.now())
    return Status(201, _draw_product(entry, body.product))


@router.get(f"{PRODUCTS}{{id}}/", operation_id="discounts_products_retrieve", response=schemas.DiscountProduct)
def get_product(request: HttpRequest, parent_lookup_discount: SignedId, id: Id) -> schemas.DiscountProduct:
    return _draw_product(find_visible(request, parent_lookup_discount), id)


@router.put(f"{PRODUCTS}{{id}}/", operation_id="discounts_products_update", response=schemas.DiscountProduct)
def replace_product(
    request: HttpRequest, parent_lookup_discount: SignedId, id: Id, body: schemas.DiscountProductRequest
) -> schemas.DiscountProduct:
    """Put another product in the place of one. The answer has another id."""
    return _replace_product(request, parent_lookup_discount, id, body.product)


@router.patch(f"{PRODUCTS}{{id}}/", operation_id="discounts_products_partial_update", response=schemas.DiscountProduct)
def replace_product_if_sent(
    request: HttpRequest, parent_lookup_discount: SignedId, id: Id, body: schemas.PatchedDiscountProductRequest
) -> schemas.DiscountProduct:
    """Put another product in the place of one. The answer has another id."""
    return _replace_product(request, parent_lookup_discount, id, body.product)


@router.delete(f"{PRODUCTS}{{id}}/", operation_id="discounts_products_destroy", response={204: None})
def remove_product(request: HttpRequest, parent_lookup_discount: SignedId, id: Id) -> Status[None]:
    """Remove a product a discount is for. The last one stays, because without it the discount would be for all."""
    entry, access = find_manageable(request, parent_lookup_discount)
    with naming_fields():
        change_products(entry=entry, remove=id, access=access, now=clock.now())
    return Status(204, None)


def _replace_product(
    request: HttpRequest, number: int, product_id: int, other_id: int | None
) -> schemas.DiscountProduct:
    entry, access = find_manageable(request, number)
    if other_id is None or other_id == product_id:
        return _draw_product(entry, product_id)
    with naming_fields():
        change_products(entry=entry, add=other_id, remove=product_id, access=access, now=clock.now())
    return _draw_product(entry, other_id)


def _products_of(entry: DiscountEntry) -> ProductQuerySet:
    products = Product.objects.filter(discounts=entry.discount).with_item().order_by("pk")
    return products.none() if entry.discount.for_all_products else products


def _draw_product(entry: DiscountEntry, product_id: int) -> schemas.DiscountProduct:
    entry.discount.refresh_from_db(fields=["for_all_products"])
    drawn = _draw_products(entry, list(_products_of(entry).filter(pk=product_id)))
    if not drawn:
        raise NotFound
    return drawn[0]


def _draw_products(entry: DiscountEntry, products: list[Product]) -> list[schemas.DiscountProduct]:
    discount = draw_entry(entry)
    return [schemas.DiscountProduct(id=each.id, discount=discount, product=each) for each in draw_products(products)]


# Redemptions --------------------------------------------------------------------------------------------------------


@router.get(REDEMPTIONS, operation_id="discounts_redemptions_list", response=schemas.PaginatedDiscountRedemptionList)
def list_redemptions(
    request: HttpRequest, parent_lookup_redeemed_discount: SignedId, paging: Query[Offsets]
) -> PageOfList[schemas.DiscountRedemption]:
    """List the completed orders that redeemed a discount, newest first, for staff who may view all orders."""
    entry = _find_redeemed(request, parent_lookup_redeemed_discount)
    if entry.code is not None:
        return paginate_by_offset(
            request,
            uses_of_code(entry.code),
            lambda uses: _draw_uses(entry, uses),
            limit=paging.limit,
            offset=paging.offset,
        )
    return paginate_by_offset(
        request,
        orders_with_automatic(entry.discount),
        lambda orders: _draw_orders(entry, orders),
        limit=paging.limit,
        offset=paging.offset,
    )


@router.post(REDEMPTIONS, operation_id="discounts_redemptions_create", response={201: schemas.DiscountRedemption})
def add_redemption(
    request: HttpRequest, parent_lookup_redeemed_discount: SignedId, body: schemas.DiscountRedemptionRequest
) -> Status[schemas.DiscountRedemption]:
    """Always refused: orders redeem discounts."""
    _find_redeemed(request, parent_lookup_redeemed_discount)
    raise RedeemedByOrders


@router.get(f"{REDEMPTIONS}{{id}}/", operation_id="discounts_redemptions_retrieve", response=schemas.DiscountRedemption)
def get_redemption(
    request: HttpRequest, parent_lookup_redeemed_discount: SignedId, id: Id
) -> schemas.DiscountRedemption:
    return _find_redemption(_find_redeemed(request, parent_lookup_redeemed_discount), id)


@router.put(f"{REDEMPTIONS}{{id}}/", operation_id="discounts_redemptions_update", response=schemas.DiscountRedemption)
def update_redemption(
    request: HttpRequest, parent_lookup_redeemed_discount: SignedId, id: Id, body: schemas.DiscountRedemptionRequest
) -> schemas.DiscountRedemption:
    """Always refused: redemptions are records of orders."""
    return _refuse_change(request, parent_lookup_redeemed_discount, id)


@router.patch(
    f"{REDEMPTIONS}{{id}}/",
    operation_id="discounts_redemptions_partial_update",
    response=schemas.DiscountRedemption,
)
def update_part_of_redemption(
    request: HttpRequest,
    parent_lookup_redeemed_discount: SignedId,
    id: Id,
    body: schemas.PatchedDiscountRedemptionRequest,
) -> schemas.DiscountRedemption:
    """Always refused: redemptions are records of orders."""
    return _refuse_change(request, parent_lookup_redeemed_discount, id)


@router.delete(f"{REDEMPTIONS}{{id}}/", operation_id="discounts_redemptions_destroy", response={204: None})
def delete_redemption(request: HttpRequest, parent_lookup_redeemed_discount: SignedId, id: Id) -> Status[None]:
    """Always refused: redemptions are records of orders. A refund may give the use of a code back."""
    _refuse_change(request, parent_lookup_redeemed_discount, id)
    return Status(204, None)


def _find_redeemed(request: HttpRequest, number: int) -> DiscountEntry:
    """Return a discount whose orders the caller may view. Those who manage only their courses' may not."""
    entry = find_visible(request, number)
    if not may(person(request), Action.ORDER_VIEW):
        raise Forbidden
    return entry


def _find_redemption(entry: DiscountEntry, redemption_id: int) -> schemas.DiscountRedemption:
    if entry.code is not None:
        drawn = _draw_uses(entry, list(uses_of_code(entry.code).filter(pk=redemption_id)))
    else:
        drawn = _draw_orders(entry, list(orders_with_automatic(entry.discount).filter(pk=redemption_id)))
    if not drawn:
        raise NotFound
    return drawn[0]


def _refuse_change(request: HttpRequest, number: int, redemption_id: int) -> schemas.DiscountRedemption:
    _find_redemption(_find_redeemed(request, number), redemption_id)
    raise RedeemedByOrders


def _draw_uses(entry: DiscountEntry, uses: list[CodeUse]) -> list[schemas.DiscountRedemption]:
    receipts = _draw_receipts([use.order_id for use in uses if use.order_id is not None])
    return [
        schemas.DiscountRedemption(
            id=use.pk,
            redemption_date=use.changed_at,
            redeemed_by=draw_account(use.user),
            redeemed_discount=draw_entry(entry),
            redeemed_order=receipts[use.order_id],
        )
        for use in uses
        if use.order_id is not None
    ]


def _draw_orders(entry: DiscountEntry, orders: list[Order]) -> list[schemas.DiscountRedemption]:
    receipts = _draw_receipts([order.pk for order in orders])
    return [
        schemas.DiscountRedemption(
            id=order.pk,
            redemption_date=order.fulfilled_at or order.placed_at,
            redeemed_by=draw_account(order.purchaser),
            redeemed_discount=draw_entry(entry),
            redeemed_order=receipts[order.pk],
        )
        for order in orders
    ]


def _draw_receipts(order_ids: Collection[int]) -> dict[int, schemas.Order]:
    receipts = make_receipts(list(orders_with_refunds().filter(pk__in=order_ids)))
    return {each.id: each for each in draw_receipts(receipts, now=clock.now())}
