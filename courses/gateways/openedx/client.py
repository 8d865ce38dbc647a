"""Client of the course site: the REST APIs of Open edX's LMS and Studio, called as the service worker.

The service worker is an account with staff rights whose application there uses the grant “client credentials”. Its
token is a JWT that both servers accept. It is cached for all processes, encrypted, and never logged.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import cache as cache_result
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.core.cache import cache
from django.utils.html import strip_tags
from requests import PreparedRequest

from courses.errors import (
    CourseSiteAway,
    CourseSiteBusy,
    CourseSiteDenied,
    CourseSiteNotConfigured,
    CourseSiteRefused,
    CourseSiteSecretWrong,
    CourseSiteUnavailable,
    CourseSiteUnreadable,
)
from mitxonline.kernel.db import in_transaction
from mitxonline.kernel.remote import RemoteAway, RemoteSession, call_remote, current_patience
from mitxonline.kernel.secrets import SecretUnreadable, decrypt, encrypt
from mitxonline.kernel.shop import Shop, current_shop, default_shop
from mitxonline.logs import redact

logger = logging.getLogger(__name__)

# What an answer holds: JSON, or None for an empty one.
JSON: TypeAlias = Any

# All of them, or none: then there is no course site. A site may store its own.
LMS_SETTINGS = (
    "OPENEDX_API_BASE_URL",
    "OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID",
    "OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET",
)
LONGEST_SENTENCE = 300

# Seconds before a call is repeated, if the answer doesn't say. As many repetitions as there are pauses.
_PAUSES = (0.5, 2.0)
# A longer wait is left to whoever tries again later.
_LONGEST_PAUSE = 10.0
# A token is renewed so many seconds before it expires, or after nine tenths of its life if that is shorter.
_MARGIN = 60
_ENCRYPTED_FOR = "openedx token"
_PASSING = frozenset({502, 503, 504})
_DROPPED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)
# Where Open edX's answers say what is wrong, the best first.
_SENTENCES = (
    "localizedMessage",
    "user_message",
    "message",
    "detail",
    "developer_message",
    "error_description",
    "error",
)


class Server(StrEnum):
    """The name of a server in reports about remote systems."""

    LMS = "openedx-lms"
    STUDIO = "openedx-studio"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    data: JSON


class OpenEdxClient:
    """Calls the LMS and Studio. Every call has a deadline and a breaker, and is refused inside a transaction.

    A call that may be repeated is, after 429, 502–504 and a dropped connection, as long as the caller's patience lasts.
    """

    def __init__(
        self,
        *,
        addresses: Mapping[Server, str],
        client_id: str,
        client_secret: str,
        timeout: float,
        wait: Callable[[float], None] = time.sleep,
        host: str = "",
    ) -> None:
        """``host`` tells a further course site of this installation from the default one in what watches remotes."""
        self._addresses = addresses
        self._client_id = client_id
        self._client_secret = client_secret
        self._timeout = timeout
        self._wait = wait
        self._host = host

    @classmethod
    def from_settings(cls) -> Self:
        """Return the client of this site; raises CourseSiteNotConfigured with the names of missing settings."""
        shop = current_shop()
        missing = missing_lms_settings(shop)
        if missing:
            raise CourseSiteNotConfigured(missing=missing)
        return cls(
            addresses={Server.LMS: shop.lms_url, Server.STUDIO: shop.studio_url},
            client_id=shop.backend_client_id,
            client_secret=shop.backend_client_secret,
            timeout=settings.OPENEDX_TIMEOUT,
            host="" if shop.lms_url == default_shop().lms_url else urlsplit(shop.lms_url).netloc,
        )

    def get(self, path: str, *, params: Mapping[str, str] | None = None, server: Server = Server.LMS) -> Answer:
        """Read something. Raises CourseSiteUnavailable, CourseSiteDenied, CourseSiteSecretWrong, CourseSiteRefused."""
        return self._request("GET", path, server=server, is_repeatable=True, params=params)

    def post(self, path: str, data: JSON, *, is_repeatable: bool = False, server: Server = Server.LMS) -> Answer:
        """Send JSON; with `is_repeatable`, sending it twice must do the same as once. Raises what `get` raises."""
        return self._request("POST", path, server=server, is_repeatable=is_repeatable, json=data)

    def put(self, path: str, data: JSON, *, server: Server = Server.LMS) -> Answer:
        """Replace something by JSON. Raises what `get` raises."""
        return self._request("PUT", path, server=server, is_repeatable=True, json=data)

    def patch(self, path: str, data: JSON, *, server: Server = Server.LMS) -> Answer:
        """Change fields of something by JSON. Raises what `get` raises."""
        return self._request("PATCH", path, server=server, is_repeatable=True, json=data)

    def _request(self, method: str, path: str, *, server: Server, is_repeatable: bool, **content: Any) -> Answer:
        if not self._addresses.get(server):
            raise CourseSiteNotConfigured(missing=("OPENEDX_STUDIO_API_BASE_URL",))

        def send() -> requests.Response:
            token = self._token()
            response = self._send(server, method, path, auth=_with_token(token), **content)
            if response.status_code != HTTPStatus.UNAUTHORIZED:
                return response
            # Revoked or signed with a key that was replaced. Nothing was done, so any call may be repeated.
            cache.delete(self._token_key())
            return self._send(server, method, path, auth=_with_token(self._token()), **content)

        response = self._repeat(send, is_repeatable=is_repeatable)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise CourseSiteDenied(client_id=self._client_id)
        return _read_answer(response)

    def _token(self) -> str:
        key = self._token_key()
        if (known := _decrypt(cache.get(key))) is not None:
            return known
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "token_type": "jwt",
        }
        response = self._send(Server.LMS, "POST", "/oauth2/access_token", auth=_without_token, data=form)
        if response.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise CourseSiteSecretWrong(client_id=self._client_id)
        answer = _read_answer(response).data
        try:
            token, seconds = str(answer["access_token"]), int(answer["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            raise CourseSiteUnreadable from error
        # Encrypted, so that whoever can read the cache can't act as the service worker.
        cache.set(key, encrypt(token, purpose=_ENCRYPTED_FOR), max(seconds - _MARGIN, seconds * 0.9))
        return token

    def _token_key(self) -> str:
        account = f"{self._addresses[Server.LMS]}\0{self._client_id}\0{self._client_secret}"
        return f"openedx:token:{sha256(account.encode()).hexdigest()}"

    def _repeat(self, send: Callable[[], requests.Response], *, is_repeatable: bool) -> requests.Response:
        """Send, and again after a failure that may pass."""
        for pause in _PAUSES if is_repeatable else ():
            try:
                return send()
            except CourseSiteUnavailable as failure:
                seconds = failure.retry_after or pause * random.uniform(1, 1.25)  # noqa: S311 - spreads retries
                if not failure.may_pass or seconds > min(_LONGEST_PAUSE, current_patience().left()):
                    raise
            self._wait(seconds)
        return send()

    def _send(self, server: Server, method: str, path: str, **content: Any) -> requests.Response:
        """Make one call. Raises CourseSiteUnavailable."""
        if in_transaction():
            raise RuntimeError("Don't call the course site inside a transaction")

        name = f"{server}:{self._host}" if self._host else str(server)

        def work() -> requests.Response:
            response = _session(name).request(
                method,
                f"{self._addresses[server]}{path}",
                timeout=(settings.OPENEDX_CONNECT_TIMEOUT, self._timeout),
                allow_redirects=False,  # the address is wrong, and the token isn't for another one
                headers={"Accept": "application/json"},
                **content,
            )
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _ServerFailed(response=response)
            return response

        try:
            response = call_remote(name, work, silences=(*_DROPPED, requests.Timeout, _ServerFailed))
        except _ServerFailed as failed:
            status = failed.response.status_code
            raise CourseSiteAway(retry_after=_retry_after(failed.response), may_pass=status in _PASSING) from failed
        except requests.Timeout as error:
            raise CourseSiteAway from error
        except _DROPPED as error:
            raise CourseSiteAway(may_pass=True) from error
        except RemoteAway as error:
            raise CourseSiteAway from error
        except (requests.RequestException, ValueError) as error:
            raise CourseSiteUnreadable from error
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise CourseSiteBusy(retry_after=_retry_after(response))
        return response


class _ServerFailed(requests.RequestException):
    """An answer 500 or above, which counts for the breaker like no answer."""

    response: requests.Response


def missing_lms_settings(shop: Shop) -> tuple[str, ...]:
    """Return which settings the course site lacks. There is one only where nothing is missing."""
    values = (shop.lms_url, shop.backend_client_id, shop.backend_client_secret)
    return tuple(name for name, value in zip(LMS_SETTINGS, values, strict=True) if not value)


def scrub_sentence(text: str) -> str:
    """Return a sentence of the course site for our records: plain, short, and without addresses of people."""
    plain = re.sub(r"\s+", " ", strip_tags(text.encode(errors="ignore").decode().replace("\0", ""))).strip()
    return redact(plain)[:LONGEST_SENTENCE]


def _read_answer(response: requests.Response) -> Answer:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        data: JSON = None
        with suppress(ValueError, RecursionError):
            data = response.json()
        raise CourseSiteRefused(http_status=response.status_code, sentence=scrub_sentence(_find_sentence(data)))
    if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        raise CourseSiteUnreadable
    if not response.content.strip():
        return Answer(response.status_code, None)
    try:
        return Answer(response.status_code, response.json())
    except (ValueError, RecursionError) as error:
        raise CourseSiteUnreadable from error


def _find_sentence(data: JSON) -> str:
    """Return what an answer says in words, or an empty string. Django REST framework also answers with lists."""
    if isinstance(data, str):
        return data
    if isinstance(data, list):
        return " ".join(filter(None, map(_find_sentence, data)))
    if not isinstance(data, Mapping):
        return ""
    for name in _SENTENCES:
        if isinstance(data.get(name), str) and data[name].strip():
            return str(data[name])
    return " ".join(filter(None, map(_find_sentence, data.values())))


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds of the header, which may also be a moment; None if there is none that makes sense."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None


def _with_token(token: str) -> Callable[[PreparedRequest], PreparedRequest]:
    def add_header(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"JWT {token}"
        return request

    return add_header


def _decrypt(stored: object) -> str | None:
    """Return the token, or None if there is none, or none of this SECRET_KEY."""
    try:
        return decrypt(stored, purpose=_ENCRYPTED_FOR) if isinstance(stored, str) else None
    except SecretUnreadable:
        return None


def _without_token(request: PreparedRequest) -> PreparedRequest:
    """Keep requests from adding credentials it finds in a .netrc file."""
    return request


@cache_result
def _session(name: str) -> RemoteSession:
    return RemoteSession(name)
