"""Operations on products, as buyers see them."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Query, Router

from api.commerce import schemas
from api.commerce.drawing import draw_products
from api.http.callers import COMMERCE
from api.http.paging import Offsets, PageOfList, paginate_by_offset
from api.http.shapes import Id
from ecommerce.selectors.products import find_product_on_sale, products_on_sale
from mitxonline.kernel import clock

router = Router(auth=COMMERCE.anyone, tags=["products"])


@router.get("/v0/products/", operation_id="products_list", response=schemas.PaginatedProductList)
def list_products(request: HttpRequest, paging: Query[Offsets]) -> PageOfList[schemas.Product]:
    """List what anyone can buy now."""
    rows = products_on_sale(now=clock.now())
    return paginate_by_offset(request, rows, draw_products, limit=paging.limit, offset=paging.offset)


@router.get("/v0/products/{id}/", operation_id="products_retrieve", response=schemas.Product)
def get_product(request: HttpRequest, id: Id) -> schemas.Product:
    (drawn,) = draw_products([find_product_on_sale(id, now=clock.now())])
    return drawn


@router.get(
    "/v0/products/{id}/user_flexible_price/",
    operation_id="products_user_flexible_price_retrieve",
    response=schemas.ProductFlexiblePrice,
)
def get_flexible_price(request: HttpRequest, id: Id) -> schemas.ProductFlexiblePrice:
    """Return a product's price. The flexible price is always null, because there are none."""
    (drawn,) = draw_products([find_product_on_sale(id, now=clock.now())])
    return schemas.ProductFlexiblePrice(
        id=drawn.id,
        price=drawn.price,
        description=drawn.description,
        is_active=drawn.is_active,
        product_flexible_price=None,
    )
