"""All operations together."""

from api.accounts.views import router as accounts
from api.b2b.manager import router as b2b_manager
from api.b2b.service import router as b2b_service
from api.b2b.views import router as b2b
from api.catalog.collections import router as program_collections
from api.catalog.pages import router as pages
from api.catalog.views import router as catalog
from api.commerce.baskets import router as baskets
from api.commerce.discount_parts import router as discount_parts
from api.commerce.discounts import router as discounts
from api.commerce.orders import router as orders
from api.commerce.products import router as products
from api.commerce.staff_products import router as staff_products
from api.http.contract import StorefrontApi
from api.learning.enrollments import router as enrollments
from api.learning.programs import router as program_enrollments

api = StorefrontApi(title="Storefront API", version="1")
ROUTERS = (
    accounts,
    catalog,
    b2b,
    b2b_manager,
    b2b_service,
    baskets,
    discounts,
    discount_parts,
    orders,
    staff_products,
    products,
    enrollments,
    program_enrollments,
    program_collections,
    pages,
)
for router in ROUTERS:
    api.add_router("", router)
