"""What comes in with a request, made into what services take. Junk becomes nothing, never an error page."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from mitxonline.kernel.money import Money
from mitxonline.kernel.text import strip_punctuation
from mitxonline.users.models import User

# The largest number a primary key column holds; the database refuses to compare with more.
MAX_ROW_ID = 2**63 - 1
LONGEST_TEXT = 255
_REDEEM_FOLDER = "enrollmentcode"


def row_id(text: str | None) -> int | None:
    """A primary key, or None where it can't be one."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19):
        return None
    number = int(digits)
    return number if 0 < number <= MAX_ROW_ID else None


def name(text: str | None) -> str:
    """A SKU or an order number; of what no column could hold (too long, a null character), nothing."""
    given = (text or "").strip()
    return given if given.isprintable() and len(given) <= LONGEST_TEXT else ""


def money(text: str | None) -> Money | None:
    """An amount as `str(Money)` writes it, or None where it isn't one."""
    amount, _space, currency = (text or "").strip().partition(" ")
    if len(amount) > 20:
        return None
    try:
        return Money(amount, currency)
    except ValueError:
        return None


def uuid(text: str | None) -> UUID | None:
    """A UUID, or None where it isn't one."""
    try:
        return UUID((text or "").strip())
    except ValueError:
        return None


def account(request: HttpRequest) -> User:
    """The signed-in account; for views that no one else reaches (`signed_in`)."""
    if not request.user.is_authenticated:
        raise PermissionDenied
    return request.user


def account_id(request: HttpRequest) -> int:
    """The signed-in account's key, likewise."""
    return account(request).pk


def typed_code(text: str | None) -> str:
    """The code that was typed or pasted; out of a whole redeem link, the code in it."""
    typed = (text or "").strip()
    folders = [folder for folder in _path(strip_punctuation(typed)).split("/") if folder]
    if len(folders) >= 2 and folders[-2] == _REDEEM_FOLDER:
        return unquote(folders[-1])
    return typed


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""
