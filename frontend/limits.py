"""How many wrong codes somebody may try (design 5.3): only failures count, and the cart is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import ngettext

from ecommerce.errors import CodeMissing, CodeRefused
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.ratelimit import FailureLimit, visitor_keys

CODES = FailureLimit("codes")


class TooManyCodes(RateLimited):
    """This person, or this browser, has tried too many codes that didn't work (LOOK 22)."""

    code = "too_many_codes"

    def __init__(self, retry_after: int, *, tries: int) -> None:
        super().__init__(retry_after)
        self.tries = tries
        minutes = max(1, -(-retry_after // 60))
        self._message = ngettext(
            "You have tried %(tries)d codes that didn't work. Wait %(minutes)d minute, then try again. "
            "Your cart is kept.",
            "You have tried %(tries)d codes that didn't work. Wait %(minutes)d minutes, then try again. "
            "Your cart is kept.",
            minutes,
        ) % {"tries": tries, "minutes": minutes}


class TooManyCodesFromHere(RateLimited):
    """Too many codes that didn't work came from one network."""

    code = "too_many_codes"

    def __init__(self, retry_after: int) -> None:
        super().__init__(retry_after)
        minutes = max(1, -(-retry_after // 60))
        self._message = ngettext(
            "Too many codes that didn't work came from your network. Wait %(minutes)d minute, then try again. "
            "Your cart is kept.",
            "Too many codes that didn't work came from your network. Wait %(minutes)d minutes, then try again. "
            "Your cart is kept.",
            minutes,
        ) % {"minutes": minutes}


@contextmanager
def counted_codes(request: HttpRequest) -> Iterator[None]:
    """Refuse whoever failed too often, else count it if the code inside is refused.

    Raises TooManyCodes or TooManyCodesFromHere. A field left empty is no try.
    """
    keys = visitor_keys(request)
    _refuse_if_exhausted(keys)
    try:
        yield
    except CodeMissing:
        raise
    except CodeRefused:
        CODES.record_failure(keys | {"session": _session_key(request)})
        raise


def _refuse_if_exhausted(keys: dict[str, int | str | None]) -> None:
    own = {"user": keys["user"], "session": keys["session"]}
    try:
        CODES.check(own)
    except RateLimited as refused:
        tries, _window = settings.RATE_LIMITS["codes"]["user"]
        raise TooManyCodes(refused.retry_after, tries=tries) from None
    try:
        CODES.check({"address": keys["address"]})
    except RateLimited as refused:
        raise TooManyCodesFromHere(refused.retry_after) from None


def _session_key(request: HttpRequest) -> str | None:
    """The session's key; a visitor who has none gets one with the first failure, or nothing could be counted."""
    if request.session.session_key is None:
        request.session.create()
    return request.session.session_key
