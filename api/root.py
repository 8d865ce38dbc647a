"""All operations together."""

from api.accounts.views import router as accounts
from api.b2b.views import router as b2b
from api.catalog.views import router as catalog
from api.http.contract import StorefrontApi

api = StorefrontApi(title="Storefront API", version="1")
for router in (accounts, catalog, b2b):
    api.add_router("", router)
