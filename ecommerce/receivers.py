"""What the shop does when Django says that somebody signed in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from ecommerce.services.baskets import claim_baskets
from mitxonline.kernel import clock
from mitxonline.users.models import User

# Under this key the session keeps the token of an anonymous visitor's basket.
BASKET_TOKEN = "basket_token"  # noqa: S105 - the name of a session key, not a secret


def keep_basket_at_sign_in(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Give the visitor's baskets to the account; a cart survives the sign-in."""
    token = request.session.get(BASKET_TOKEN)
    if token:
        claim_baskets(token=UUID(token), user_id=user.pk, now=clock.now())
        del request.session[BASKET_TOKEN]
