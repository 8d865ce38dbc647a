"""All operations together."""

from api.accounts.views import router as accounts
from api.http.contract import StorefrontApi

api = StorefrontApi(title="Storefront API", version="1")
for router in (accounts,):
    api.add_router("", router)
