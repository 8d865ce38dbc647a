"""Limits on wrong codes and on payment attempts (docs/adr/0005)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest
from django.utils.translation import ngettext_lazy

from ecommerce.errors.codes import CodeMissing, CodeRefused
from mitxonline.kernel.errors import RateLimited, WayOn
from mitxonline.kernel.ratelimit import Keys, RateLimit, visitor_keys

CODES = RateLimit("codes")
CHECKOUTS = RateLimit("checkouts")


class TooManyCodes(RateLimited):
    """One person or one browser has entered too many codes that didn’t work."""

    code = "too_many_codes"
    message = ngettext_lazy(
        "You’ve entered {limit} codes that didn’t work. Wait {minutes} minute, then try again. We’ve kept your cart.",
        "You’ve entered {limit} codes that didn’t work. Wait {minutes} minutes, then try again. We’ve kept your cart.",
        "minutes",
    )
    ways_on = (WayOn.CATALOG,)


class TooManyCodesFromNetwork(RateLimited):
    code = "too_many_codes"
    message = ngettext_lazy(
        "Too many codes that didn’t work came from your network. Wait {minutes} minute, then try again. "
        "We’ve kept your cart.",
        "Too many codes that didn’t work came from your network. Wait {minutes} minutes, then try again. "
        "We’ve kept your cart.",
        "minutes",
    )
    ways_on = (WayOn.CATALOG,)


class TooManyCheckouts(RateLimited):
    """Someone is trying out cards, or a button is stuck."""

    code = "too_many_checkouts"
    message = ngettext_lazy(
        "Too many payment attempts. Wait {minutes} minute, then check out again. We’ve kept your cart.",
        "Too many payment attempts. Wait {minutes} minutes, then check out again. We’ve kept your cart.",
        "minutes",
    )
    retry_url = "/cart/"


def refuse_many_checkouts(request: HttpRequest) -> None:
    """Raise TooManyCheckouts where the visitor or their network has made too many payment attempts."""
    try:
        CHECKOUTS.check(_checkout_keys(request))
    except RateLimited as limited:
        raise TooManyCheckouts(retry_after=limited.retry_after) from None


def count_checkout(request: HttpRequest) -> None:
    """Count a payment attempt; orders without one are not counted."""
    CHECKOUTS.count(_checkout_keys(request))


def _checkout_keys(request: HttpRequest) -> Keys:
    keys = visitor_keys(request)
    return {"user": keys["user"], "address": keys["address"]}


@contextmanager
def limit_code_failures(request: HttpRequest) -> Iterator[None]:
    """Refuse visitors with too many wrong codes, else count it if the code inside is refused.

    Not counted: an empty field, a code that is right and only has to wait (a full contract), and the visitor’s own code
    that no longer works. Raises TooManyCodes, TooManyCodesFromNetwork.
    """
    keys = visitor_keys(request)
    try:
        CODES.check({"user": keys["user"], "session": keys["session"]})
    except RateLimited as limited:
        raise TooManyCodes(retry_after=limited.retry_after, limit=limited.limit) from None
    try:
        CODES.check({"address": keys["address"]})
    except RateLimited as limited:
        raise TooManyCodesFromNetwork(retry_after=limited.retry_after) from None
    try:
        yield
    except CodeMissing:
        raise
    except CodeRefused as refusal:
        if refusal.is_failure and not refusal.is_own:
            CODES.count(keys | {"session": _ensure_session_key(request)})
        raise


def _ensure_session_key(request: HttpRequest) -> str | None:
    """A visitor without a session gets one with the first failure: without it nothing could be counted."""
    if request.session.session_key is None:
        request.session.create()
    return request.session.session_key
