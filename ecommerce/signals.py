"""What the shop does at sign-in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import ngettext

from ecommerce.selectors.owner import BASKET_TOKEN
from ecommerce.services.baskets.baskets import JoinedBaskets, claim_baskets
from mitxonline.kernel import clock
from mitxonline.kernel.shop import forget_shops
from mitxonline.users.models import User


def keep_basket_at_sign_in(*, request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Give the visitor's baskets to the account, and tell them if it already had one."""
    token = request.session.get(BASKET_TOKEN)
    if token:
        joined = claim_baskets(token=UUID(token), user_id=user.pk, now=clock.now())
        del request.session[BASKET_TOKEN]
        if sentence := _describe_merge(joined):
            messages.info(request, sentence, fail_silently=True)


def _describe_merge(joined: JoinedBaskets) -> str:
    if not joined.came and not joined.set_aside:
        return ""
    sentences = [
        (joined.came, ngettext("We added %(n)d course that you chose before signing in.",
                               "We added %(n)d courses that you chose before signing in.", joined.came)),
        (joined.there, ngettext("%(n)d was already in your cart.",
                                "%(n)d were already in your cart.", joined.there)),
        (joined.set_aside, ngettext("%(n)d in another currency is saved for later.",
                                    "%(n)d in another currency are saved for later.", joined.set_aside)),
    ]  # fmt: skip
    return " ".join(sentence % {"n": number} for number, sentence in sentences if number)


def forget_stored_shops(**_kwargs: object) -> None:
    """Have this process read the shops again, now and after the commit; others do within `SHOPS_KEPT_SECONDS`."""
    forget_shops()
    transaction.on_commit(forget_shops)
