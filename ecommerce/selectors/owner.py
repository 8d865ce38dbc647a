"""The owner of a request’s basket: an account, or a visitor with a token in the session."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.http import HttpRequest

from ecommerce.selectors.baskets import BasketOwner

# The session's key for the token of a signed-out visitor's basket.
BASKET_TOKEN = "basket_token"  # noqa: S105 - the name of a session key, not a secret


def basket_owner(request: HttpRequest, *, create: bool = False) -> BasketOwner:
    """The owner of this request's basket.

    Visitors without a basket have no token, so showing pages costs neither a session nor a query. `create` makes one,
    before something is added.
    """
    if request.user.is_authenticated:
        return BasketOwner(user_id=request.user.pk, token=None)
    token = request.session.get(BASKET_TOKEN)
    if token is None and create:
        token = request.session[BASKET_TOKEN] = str(uuid4())
    return BasketOwner(user_id=None, token=UUID(token) if token else None)
