"""Order numbers: known before payment, readable aloud, and not to be guessed from one's own."""

from __future__ import annotations

import secrets
from datetime import date

from django.conf import settings

# Crockford's letters: none that could be read as another.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 8


def new_order_number(*, on: date) -> str:
    """A number such as TS-2026-7K3M9X2Q; 40 random bits a year, and the database refuses a repeat."""
    tail = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{settings.ORDER_NUMBER_PREFIX}-{on.year}-{tail}"
