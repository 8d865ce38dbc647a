"""Calls to PayPal's REST API: the token, the deadline and the breaker, and what a failure means.

Calls that write carry the key of their row as `PayPal-Request-Id`, so that they can be repeated.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import requests
from django.conf import settings

from ecommerce.gateways.accounts import keys_of, remote_name
from ecommerce.gateways.base import AVOIDED, PaymentFailed
from mitxonline.kernel.remote import RemoteAvoided, RemoteSession

NAME = "paypal"

# Seconds by which a token is renewed before it ends.
TOKEN_LEEWAY = 60.0

# What PayPal calls an amount that it can't take.
_AMOUNTS = {
    "CURRENCY_NOT_SUPPORTED": "amount_uncounted",
    "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER": "amount_uncounted",
    "DECIMALS_NOT_SUPPORTED": "amount_uncounted",
    "DECIMAL_PRECISION": "amount_uncounted",
    "CANNOT_BE_ZERO_OR_NEGATIVE": "amount_too_small",
    "MAX_VALUE_EXCEEDED": "amount_too_large",
}
# PayPal is still busy with the same request: it can be repeated.
_BUSY = frozenset({"PREVIOUS_REQUEST_IN_PROGRESS", "DUPLICATE_REQUEST_ID", "RATE_LIMIT_REACHED"})
# Statuses with which PayPal says that it did nothing for now, or doesn't say whether it did.
_UNKNOWN = frozenset({408, 409, 429})


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and the moment (monotonic) at which it is renewed."""

    text: str = field(repr=False)
    ends_at: float


_tokens: dict[tuple[str, str], Token] = {}
_lock = threading.Lock()


def ask(
    method: str,
    path: str,
    *,
    account: str,
    body: object = None,
    params: Mapping[str, str] | None = None,
    key: str = "",
) -> dict[str, Any]:
    """Call PayPal and return its answer. ``body`` is sent as JSON, or as it is if it is text.

    Raises PaymentFailed with PayPal's name of the problem as ``code``.
    """
    headers = {"Prefer": "return=representation", **({"PayPal-Request-Id": key} if key else {})}
    address = f"{settings.PAYPAL_API_BASE}{path}"
    content: dict[str, Any] = {"json": body}
    if isinstance(body, str):
        content, headers["Content-Type"] = {"data": body.encode()}, "application/json"
    for is_last in (False, True):
        token = _token(account, is_fresh=is_last)
        answer = _send(account, method, address, params=params, headers={**headers, **_bearer(token)}, **content)
        if answer.status_code != 401 or is_last:  # a token may end before its time: ask once more with a fresh one
            return _read(answer)
    raise AssertionError("the second answer is returned")


def fetch(address: str, *, account: str) -> requests.Response:
    """Get something of PayPal's that needs no token. Raises PaymentFailed where it doesn't answer."""
    return _send(account, "GET", address)


def forget_tokens() -> None:
    """Forget the tokens of this process; the next call asks for one."""
    with _lock:
        _tokens.clear()


def _send(account: str, method: str, address: str, **content: Any) -> requests.Response:
    """Send a request, and again if its connection broke. All of it has the one deadline of the session."""
    session = _session(remote_name(NAME, account))
    try:
        for _retry in range(settings.PAYPAL_RETRIES):
            try:
                return session.request(method, address, allow_redirects=False, **content)
            except requests.ConnectionError:
                continue
        return session.request(method, address, allow_redirects=False, **content)
    except RemoteAvoided as error:
        raise PaymentFailed("no answer (RemoteAvoided)", retriable=True, code=AVOIDED) from error
    except requests.RequestException as error:
        raise PaymentFailed(f"no answer ({type(error).__name__})", retriable=True) from error


@cache
def _session(remote: str) -> RemoteSession:
    # One session per account keeps its connections.
    return RemoteSession(remote)


def _bearer(token: Token) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.text}"}


def _token(account: str, *, is_fresh: bool) -> Token:
    """Return the account's token, from this process's memory or a new one."""
    keys = keys_of(NAME, account)
    name = (settings.PAYPAL_API_BASE, keys["client_id"])
    with _lock:
        known = _tokens.get(name)
    if known is not None and not is_fresh and time.monotonic() < known.ends_at:
        return known
    answer = _send(
        account,
        "POST",
        f"{settings.PAYPAL_API_BASE}/v1/oauth2/token",
        auth=(keys["client_id"], keys["client_secret"]),
        data={"grant_type": "client_credentials"},
    )
    content = _read(answer)
    text, seconds = content.get("access_token"), content.get("expires_in")
    if not isinstance(text, str) or not text or not isinstance(seconds, int | float):
        raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood")
    token = Token(text, time.monotonic() + max(seconds - TOKEN_LEEWAY, 0.0))
    with _lock:
        _tokens[name] = token
    return token


def _read(answer: requests.Response) -> dict[str, Any]:
    status = answer.status_code
    if status >= 500 or status in _UNKNOWN:
        raise PaymentFailed(f"no definite answer ({status})", retriable=True)
    try:
        content = answer.json()
    except (RecursionError, ValueError):
        content = None
    if status in (401, 403):
        raise PaymentFailed("PayPal doesn't accept our key for this", retriable=False, code="key_refused")
    if 200 <= status < 300:
        if not isinstance(content, dict):
            raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood")
        return content
    raise _refusal(status, content if isinstance(content, dict) else {})


def _refusal(status: int, content: Mapping[str, Any]) -> PaymentFailed:
    """Return PayPal's refusal. Its sentence is for staff only, never for buyers or the log."""
    details = content.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    issue = str(first.get("issue") or content.get("name") or content.get("error") or "")
    reason = str(first.get("description") or content.get("message") or f"refused ({status})")[:255]
    if issue in _BUSY:
        return PaymentFailed(reason, retriable=True, code=issue)
    if status == 404:
        return PaymentFailed(reason, retriable=False, code="resource_missing")
    return PaymentFailed(reason, retriable=False, code=_AMOUNTS.get(issue, issue))
