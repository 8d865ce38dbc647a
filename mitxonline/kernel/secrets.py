"""Secrets of other systems that have to be used again, so they are kept encrypted rather than hashed.

The key is made from SECRET_KEY and from what the secret is for. What a former key of SECRET_KEY_FALLBACKS encrypted
can still be read.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """The secret was encrypted with another SECRET_KEY, or it isn't one of ours."""


def encrypt(text: str, *, purpose: str) -> str:
    return _cipher(purpose, _keys()).encrypt(text.encode()).decode()


def decrypt(stored: str, *, purpose: str) -> str:
    """Return the secret. Raises SecretUnreadable."""
    try:
        return _cipher(purpose, _keys()).decrypt(stored.encode()).decode()
    except (InvalidToken, UnicodeError) as error:
        raise SecretUnreadable from error


def is_of_present_key(stored: str, *, purpose: str) -> bool:
    """Whether the secret can be read without the former keys."""
    try:
        _cipher(purpose, _keys()[:1]).decrypt(stored.encode())
    except (InvalidToken, UnicodeError):
        return False
    return True


def _keys() -> tuple[str, ...]:
    return tuple(str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@cache
def _cipher(purpose: str, keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(urlsafe_b64encode(sha256(f"{purpose}\0{key}".encode()).digest())) for key in keys])
