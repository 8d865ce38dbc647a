"""CyberSource's REST API, signed with a shared secret (“HTTP signature”). Deadlines are the session's."""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from ecommerce.gateways.base import AVOIDED, PaymentFailed
from mitxonline.kernel import clock
from mitxonline.kernel.remote import RemoteAvoided, RemoteSession

SEARCH, TRANSACTIONS = "/tss/v2/searches", "/tss/v2/transactions"
SEARCH_SIZE = 500  # of at most 2,500 a page
REPORT_SIZE = 2000  # a report's limit

# CyberSource has had a request with the same number.
DUPLICATE = "DUPLICATE_REQUEST"


@dataclass(frozen=True, slots=True)
class Api:
    """One merchant account. Every call raises PaymentFailed: refused, or unknown and safe to look up."""

    base: str
    merchant_id: str
    key_id: str
    secret: str = field(repr=False)
    remote: str

    def get(self, path: str, **params: object) -> Mapping[str, Any]:
        query = f"?{urlencode(params)}" if params else ""
        return self._send("GET", f"{path}{query}", None, {})

    def post(self, path: str, content: Mapping[str, Any], *, key: str = "") -> Mapping[str, Any]:
        """Post, with a key under which CyberSource does the work once (within 15 minutes, where it is enabled)."""
        return self._send("POST", path, json.dumps(content).encode(), {"v-c-idempotency-id": key} if key else {})

    def transaction(self, transaction_id: str) -> Mapping[str, Any]:
        return self.get(f"{TRANSACTIONS}/{quote(transaction_id, safe='')}")

    def search(self, query: str) -> Iterator[Mapping[str, Any]]:
        """Yield the transactions that the query finds, the oldest first. New ones appear after a delay."""
        offset = 0
        while True:
            content = {
                "save": False,
                "query": query,
                "offset": offset,
                "limit": SEARCH_SIZE,
                "sort": "submitTimeUtc:asc",
            }
            page = self.post(SEARCH, content)
            found = _list(_mapping(page.get("_embedded")).get("transactionSummaries"))
            yield from found
            offset += len(found)
            if not found or offset >= int(page.get("totalCount") or 0):
                return

    def _send(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            answer = _session(self.remote).request(
                method,
                f"{self.base}{target}",
                data=body,
                headers={**headers, **self._signed_headers(method, target, body)},
                allow_redirects=False,
            )
        except RemoteAvoided as error:
            raise PaymentFailed("no answer (avoided)", retriable=True, code=AVOIDED) from error
        except requests.RequestException as error:
            raise PaymentFailed(f"no answer ({type(error).__name__})", retriable=True) from error
        content = _content(answer)
        if answer.status_code >= 300:
            raise _failure(answer.status_code, content)
        if content is None:
            raise PaymentFailed("the answer isn't as documented", retriable=True, code="not_understood")
        return content

    def _signed_headers(self, method: str, target: str, body: bytes | None) -> dict[str, str]:
        signed = {
            "host": urlsplit(self.base).netloc,
            "date": format_datetime(clock.now(), usegmt=True),
            "request-target": f"{method.lower()} {target}",
        }
        if body is not None:
            signed["digest"] = f"SHA-256={b64encode(sha256(body).digest()).decode()}"
        signed["v-c-merchant-id"] = self.merchant_id
        text = "\n".join(f"{name}: {value}" for name, value in signed.items())
        signature = b64encode(hmac.new(_decode_secret(self.secret), text.encode(), sha256).digest()).decode()
        parts = {"keyid": self.key_id, "algorithm": "HmacSHA256", "headers": " ".join(signed), "signature": signature}
        del signed["request-target"]
        return {
            **signed,
            "signature": ", ".join(f'{name}="{value}"' for name, value in parts.items()),
            "accept": "application/json, application/hal+json;charset=utf-8",
            **({} if body is None else {"content-type": "application/json;charset=utf-8"}),
        }


@cache
def _session(remote: str) -> RemoteSession:
    # One session per account keeps its connections.
    return RemoteSession(remote)


def is_base64(text: str) -> bool:
    try:
        b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def _decode_secret(secret: str) -> bytes:
    if not is_base64(secret):
        raise PaymentFailed("CyberSource's shared secret isn't base64", retriable=False, code="key_refused")
    return b64decode(secret)


def _content(answer: requests.Response) -> Mapping[str, Any] | None:
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, Mapping) else None


def _failure(status: int, content: Mapping[str, Any] | None) -> PaymentFailed:
    """Translate a refusal. An error of the server, or too many requests, leaves open what happened."""
    if status in (401, 403):
        return PaymentFailed("CyberSource doesn't accept our key", retriable=False, code="key_refused")
    reason = _text((content or {}).get("reason"))
    if reason == DUPLICATE:
        return PaymentFailed("CyberSource has had this request before", retriable=True, code=DUPLICATE)
    if status == 404:
        return PaymentFailed("CyberSource doesn't know it", retriable=False, code="resource_missing")
    if status == 429 or status >= 500 or status < 400 or content is None:
        return PaymentFailed(f"no definite answer (status {status})", retriable=True)
    message = _text(content.get("message"))
    return PaymentFailed(": ".join(filter(None, [reason, message]))[:255] or "refused", retriable=False, code=reason)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(value: object) -> str:
    # The database stores neither NUL nor lone surrogates.
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else ""
