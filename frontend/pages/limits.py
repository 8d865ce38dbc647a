"""How many wrong codes someone may try (design 5.3), and how many payments begin. The cart is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import ngettext

from ecommerce.errors.codes import CodeMissing, CodeRefused
from mitxonline.kernel.errors import RateLimited
from mitxonline.kernel.ratelimit import Keys, RateLimit, visitor_keys

CODES = RateLimit("codes")
CHECKOUTS = RateLimit("checkouts")


class TooManyCodes(RateLimited):
    """Too many codes that didn't work."""

    code = "too_many_codes"


class TooManyCheckouts(RateLimited):
    """Too many payments were begun: cards are being tried out, or a button is stuck."""

    code = "too_many_checkouts"


def refuse_many_checkouts(request: HttpRequest) -> None:
    """Raise TooManyCheckouts for whoever has begun too many payments, they or their network."""
    keys = visitor_keys(request)
    try:
        CHECKOUTS.check({"user": keys["user"], "address": keys["address"]})
    except RateLimited as refused:
        refusal = TooManyCheckouts(refused.retry_after, _payments_begun(refused.minutes))
        refusal.retry_url = reverse("cart")
        raise refusal from None


def count_checkout(request: HttpRequest) -> None:
    """Count a payment that was begun; orders without one are not counted."""
    keys = visitor_keys(request)
    CHECKOUTS.count({"user": keys["user"], "address": keys["address"]})


@contextmanager
def limit_code_failures(request: HttpRequest) -> Iterator[None]:
    """Refuse whoever has failed too often (TooManyCodes), else count it if the code inside is refused.

    A field left empty is no try, and neither is a code that is right and only has to wait (a full contract), or the
    visitor's own one that doesn't work any more.
    """
    keys = visitor_keys(request)
    _refuse_if_exhausted({"user": keys["user"], "session": keys["session"]}, _too_many_codes_sentence)
    _refuse_if_exhausted({"address": keys["address"]}, _network_sentence)
    try:
        yield
    except CodeMissing:
        raise
    except CodeRefused as refusal:
        if refusal.is_failure and not refusal.is_own:
            CODES.count(keys | {"session": _session_key(request)})
        raise


def _refuse_if_exhausted(keys: Keys, sentence: Callable[[RateLimited], str]) -> None:
    try:
        CODES.check(keys)
    except RateLimited as refused:
        raise TooManyCodes(refused.retry_after, sentence(refused)) from None


def _too_many_codes_sentence(refused: RateLimited) -> str:
    return ngettext(
        "You have tried %(tries)d codes that didn’t work. Wait %(minutes)d minute, then try again. Your cart is kept.",
        "You have tried %(tries)d codes that didn’t work. Wait %(minutes)d minutes, then try again. Your cart is kept.",
        refused.minutes,
    ) % {"tries": refused.limit, "minutes": refused.minutes}


def _network_sentence(refused: RateLimited) -> str:
    return ngettext(
        "Too many codes that didn’t work came from your network. Wait %(minutes)d minute, then try again. "
        "Your cart is kept.",
        "Too many codes that didn’t work came from your network. Wait %(minutes)d minutes, then try again. "
        "Your cart is kept.",
        refused.minutes,
    ) % {"minutes": refused.minutes}


def _payments_begun(minutes: int) -> str:
    return ngettext(
        "Too many payment attempts. Wait %(minutes)d minute, then check out again. Your cart is kept.",
        "Too many payment attempts. Wait %(minutes)d minutes, then check out again. Your cart is kept.",
        minutes,
    ) % {"minutes": minutes}


def _session_key(request: HttpRequest) -> str | None:
    """The session's key; a visitor who has none gets one with the first failure, or nothing could be counted."""
    if request.session.session_key is None:
        request.session.create()
    return request.session.session_key
