"""Order numbers: known before payment, easy to read aloud, and not guessable from another one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from django.db import IntegrityError

from mitxonline.kernel.shop import shop_of_site

# Crockford's base 32, without letters that look like digits.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
TRIES = 3

T = TypeVar("T")


def new_order_number(*, on: date, site_id: int | None) -> str:
    """Return a number such as TS-2026-7K3M9X2Q with the site's prefix and 40 random bits.

    The database refuses one that is taken.
    """
    tail = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{shop_of_site(site_id).order_number_prefix.upper()}-{on.year}-{tail}"


def retry_taken_number(place: Callable[[], T]) -> T:
    """Call ``place``, which creates an order in its own transaction, again where its number was taken."""
    for _number in range(TRIES - 1):
        try:
            return place()
        except IntegrityError as error:
            if not _is_taken(error):
                raise
    return place()


def _is_taken(error: IntegrityError) -> bool:
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
    return constraint.startswith("ecommerce_order_number_")
