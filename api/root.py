"""All operations together."""

from api.accounts.views import router as accounts
from api.b2b.views import router as b2b
from api.http.contract import StorefrontApi

api = StorefrontApi(title="Storefront API", version="1")
for router in (accounts, b2b):
    api.add_router("", router)
