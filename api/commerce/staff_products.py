"""Operations on products and prices, for staff."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from ninja import Query, Router, Status

from api.commerce import schemas
from api.commerce.drawing import draw_products
from api.http.callers import COMMERCE, person
from api.http.errors import refuse_fields
from api.http.paging import PageOfList, paginate_by_offset
from api.http.shapes import Id
from ecommerce.errors.admin import ProductRefused
from ecommerce.models import Product
from ecommerce.selectors.products import refuse_unless_prices, staff_products
from ecommerce.services.catalog.prices import ProductDraft, change_product, put_on_sale
from mitxonline.kernel import clock
from mitxonline.kernel.errors import NotFound
from mitxonline.kernel.shop import current_shop

router = Router(auth=COMMERCE.signed_in, tags=["products"])


@router.get("/v0/products/all/", operation_id="products_all_list", response=schemas.PaginatedProductList)
def list_all_products(request: HttpRequest, asked: Query[schemas.ProductSearch]) -> PageOfList[schemas.Product]:
    """List all products, also those that aren't on sale, for staff who may view them. Contracts' aren't among them."""
    rows = staff_products(person(request), words=asked.search or "")
    return paginate_by_offset(request, rows, draw_products, limit=asked.limit, offset=asked.offset)


@router.post("/v0/products/all/", operation_id="products_all_create", response={201: schemas.Product})
def create_product(request: HttpRequest, body: schemas.NewProductRequest) -> Status[schemas.Product]:
    """Put a run or program on sale, in the shop's currency."""
    me = person(request)
    refuse_unless_prices(me)
    draft = ProductDraft(
        item=body.readable_id,
        price=body.price,
        currency=current_shop().currency,
        description=body.description,
        is_active=body.is_active,
    )
    with _naming_fields():
        made = put_on_sale(draft=draft, by_id=me.pk, now=clock.now(), only_new=True)
    return Status(201, _draw(made.product))


@router.get("/v0/products/all/{id}/", operation_id="products_all_retrieve", response=schemas.Product)
def get_any_product(request: HttpRequest, id: Id) -> schemas.Product:
    """Return a product, on sale or not, for staff who may view it."""
    product = staff_products(person(request)).filter(pk=id).first()
    if product is None:
        raise NotFound
    return _draw(product)


@router.put("/v0/products/all/{id}/", operation_id="products_all_update", response=schemas.Product)
def update_product(request: HttpRequest, id: Id, body: schemas.ProductRequest) -> schemas.Product:
    """Change a product. Orders already placed keep their price."""
    return _change(request, id, body)


@router.patch("/v0/products/all/{id}/", operation_id="products_all_partial_update", response=schemas.Product)
def update_part_of_product(request: HttpRequest, id: Id, body: schemas.PatchedProductRequest) -> schemas.Product:
    """Change what is sent of a product. Orders already placed keep their price."""
    return _change(request, id, body)


@router.delete("/v0/products/all/{id}/", operation_id="products_all_destroy", response={204: None})
def take_off_sale(request: HttpRequest, id: Id) -> Status[None]:
    """Take a product off sale. It stays in the list, because orders refer to it."""
    me = person(request)
    refuse_unless_prices(me)
    change_product(product_id=id, is_active=False, by_id=me.pk, now=clock.now())
    return Status(204, None)


def _change(
    request: HttpRequest, product_id: int, body: schemas.ProductRequest | schemas.PatchedProductRequest
) -> schemas.Product:
    me = person(request)
    refuse_unless_prices(me)
    with _naming_fields():
        product = change_product(
            product_id=product_id,
            price=body.price,
            description=body.description,
            is_active=body.is_active,
            by_id=me.pk,
            now=clock.now(),
        )
    return _draw(product)


def _draw(product: Product) -> schemas.Product:
    (drawn,) = draw_products([product])
    return drawn


@contextmanager
def _naming_fields() -> Iterator[None]:
    """Name the field of a request that a refusal of staff's forms is about."""
    try:
        yield
    except ProductRefused as refused:
        name = "readable_id" if refused.field == "item" else refused.field
        raise refuse_fields(**{name: refused.sentence}) from refused
