"""What the shop does when Django says that someone signed in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import ngettext

from ecommerce.services.baskets.baskets import JoinedBaskets, claim_baskets
from mitxonline.kernel import clock
from mitxonline.users.models import User

# Under this key the session keeps the token of an anonymous visitor's basket.
BASKET_TOKEN = "basket_token"  # noqa: S105 - the name of a session key, not a secret


def keep_basket_at_sign_in(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Give the visitor's baskets to the account, and say so where the account had one: a cart survives the sign-in."""
    token = request.session.get(BASKET_TOKEN)
    if token:
        joined = claim_baskets(token=UUID(token), user_id=user.pk, now=clock.now())
        del request.session[BASKET_TOKEN]
        if sentence := _describe_merge(joined):
            messages.info(request, sentence, fail_silently=True)


def _describe_merge(joined: JoinedBaskets) -> str:
    """What became of the two carts; nothing where there was only one, or both held the same."""
    if not joined.came and not joined.set_aside:
        return ""
    sentences = [
        (joined.came, ngettext("%(n)d course you chose before signing in is in your cart now.",
                               "%(n)d courses you chose before signing in are in your cart now.", joined.came)),
        (joined.there, ngettext("%(n)d that was there already is still with it.",
                                "%(n)d that were there already are still with it.", joined.there)),
        (joined.set_aside, ngettext("%(n)d with a price in another currency is kept for later.",
                                    "%(n)d with prices in another currency are kept for later.", joined.set_aside)),
    ]  # fmt: skip
    return " ".join(sentence % {"n": number} for number, sentence in sentences if number)
