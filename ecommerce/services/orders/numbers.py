"""Order numbers: known before payment, readable aloud, and not to be guessed from one's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import date
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError

# Crockford's letters: none that could be read as another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8
TRIES = 3

T = TypeVar("T")


def new_order_number(*, on: date) -> str:
    """A number such as TS-2026-7K3M9X2Q; 40 random bits a year, and the database refuses a repeat."""
    tail = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{settings.ORDER_NUMBER_PREFIX}-{on.year}-{tail}"


def retry_taken_number(place: Callable[[], T]) -> T:
    """Call what places an order in a transaction of its own, and again where its number turned out to be taken."""
    for _number in range(TRIES - 1):
        try:
            return place()
        except IntegrityError as error:
            if not _is_taken(error):
                raise
    return place()


def _is_taken(error: IntegrityError) -> bool:
    """Whether the unique index on the number refused it."""
    constraint = getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""
    return constraint.startswith("ecommerce_order_number_")
