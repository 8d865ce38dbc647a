"""Values from requests, parsed for services.

Invalid input becomes None or empty, never an error page. Only `account` refuses: it raises PermissionDenied.
"""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from mitxonline.kernel.money import Money
from mitxonline.kernel.text import strip_punctuation
from mitxonline.users.models import User

# The largest value of a primary key column. PostgreSQL raises an error if it is compared with a larger number.
MAX_ROW_ID = 2**63 - 1
TEXT_MAX_LENGTH = 255


def parse_row_id(text: str | None) -> int | None:
    """Parse a primary key."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    number = int(digits)
    return number if 0 < number <= MAX_ROW_ID else None


def parse_linked_id(text: str | None) -> int | None:
    """Parse a primary key from a link, to whose end mail programs add what followed it in a sentence."""
    return parse_row_id(strip_punctuation(text or ""))


def parse_name(text: str | None) -> str:
    """Parse a SKU or an order number; empty if no column could hold it (too long, a null character)."""
    stripped = (text or "").strip()
    return stripped if stripped.isprintable() and len(stripped) <= TEXT_MAX_LENGTH else ""


def parse_money(text: str | None) -> Money | None:
    """Parse an amount as `str(Money)` writes it."""
    amount, _space, currency = (text or "").strip().partition(" ")
    if len(amount) > 20:
        return None
    try:
        return Money(amount, currency)
    except ValueError:
        return None


def account(request: HttpRequest) -> User:
    """The signed-in account. For views that require one (`signed_in`)."""
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def account_id(request: HttpRequest) -> int:
    return account(request).pk
