"""Kept answers: in the process, and in Redis for all."""

from __future__ import annotations

import gzip
import json
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnection
from redis.exceptions import RedisError
from redis.retry import Retry

from mitxonline.kernel.redis import connect_redis
from mitxonline.kernel.versions import Versions, is_redis_paused, pause_redis
from mitxonline.shared.questions import PageQuestion

_MOST_IN_PROCESS = 512
_WINDOW = 600  # seconds in which pages with parameters are counted
_UNKEPT = 60.0  # seconds for which a page that can't be kept isn't tried again
_LOCK = 10_000  # milliseconds after which whoever draws a page counts as lost
# Headers that this cache decides itself, and those of the connection.
_OWN = frozenset(
    {"cache-control", "content-encoding", "content-length", "date", "etag", "expires", "set-cookie", "vary"}
)

_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


@dataclass(frozen=True, slots=True)
class KeptPage:
    fingerprint: str  # of the versions it was drawn at
    until: float  # the Unix time at which time changes it
    etag: str
    vary: str
    headers: tuple[tuple[str, str], ...]
    body: bytes  # compressed

    def holds(self, versions: Versions, now: datetime) -> bool:
        return self.fingerprint == versions.fingerprint and now.timestamp() < self.until

    def to_bytes(self) -> bytes:
        head = [self.fingerprint, self.until, self.etag, self.vary, self.headers]
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def from_bytes(cls, data: bytes) -> KeptPage:
        head, _newline, body = data.partition(b"\n")
        fingerprint, until, etag, vary, headers = json.loads(head)
        return cls(fingerprint, until, etag, vary, tuple((name, value) for name, value in headers), body)


def make_entry(response: HttpResponse, versions: Versions) -> KeptPage:
    content = response.content
    headers = [(name, value) for name, value in response.items() if name.lower() not in _OWN]
    varies = {each.strip().lower() for each in response.get("Vary", "").split(",")}
    digest = blake2b(content + repr(headers).encode(), digest_size=12).hexdigest()
    return KeptPage(
        fingerprint=versions.fingerprint,
        until=versions.until.astimezone(UTC).timestamp(),
        etag=f'W/"{digest}"',
        vary=", ".join(
            ["Cookie", "Accept-Encoding", *(_OTHER_VARY[each] for each in sorted(varies & set(_OTHER_VARY)))]
        ),
        headers=tuple(headers),
        # No secret is in the page, so its compressed length tells nothing.
        body=gzip.compress(content, 6, mtime=0),
    )


# Accept-Language only counts where there are several.
_OTHER_VARY = {
    "hx-request": "HX-Request, HX-Boosted, HX-History-Restore-Request",
    **({"accept-language": "Accept-Language"} if len(settings.LANGUAGES) > 1 else {}),
}


class _Recent:
    """The answers this process gave last."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str) -> KeptPage | None:
        with self._lock:
            if (entry := self._entries.get(digest)) is not None:
                self._entries.move_to_end(digest)
            return entry

    def put(self, digest: str, entry: KeptPage) -> None:
        with self._lock:
            self._entries[digest] = entry
            self._entries.move_to_end(digest)
            while len(self._entries) > _MOST_IN_PROCESS:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
        _unkept.clear()


recent = _Recent()

_unkept: OrderedDict[str, tuple[str, float]] = OrderedDict()


def note_unkept(question: PageQuestion, versions: Versions) -> None:
    """Remember for a while that this page can't be kept, so that its visitors don't wait for each other."""
    _unkept[question.key] = versions.fingerprint, time.monotonic() + _UNKEPT
    while len(_unkept) > _MOST_IN_PROCESS:
        with suppress(KeyError):  # another thread was faster
            _unkept.popitem(last=False)


def is_unkept(question: PageQuestion, versions: Versions) -> bool:
    fingerprint, until = _unkept.get(question.key, ("", 0.0))
    return fingerprint == versions.fingerprint and time.monotonic() < until


def find_entry(question: PageQuestion, versions: Versions, *, now: datetime) -> KeptPage | None:
    """The answer that is right now; None if there is none."""
    entry = recent.get(question.key)
    if entry is not None and entry.holds(versions, now):
        return entry
    if is_redis_paused():
        return None
    try:
        data = _client().get(_key("page", question))
    except (RedisError, OSError) as error:
        pause_redis(error)
        return None
    entry = KeptPage.from_bytes(data) if isinstance(data, bytes) else None
    if entry is None or not entry.holds(versions, now):
        return None
    recent.put(question.key, entry)
    return entry


def keep_entry(question: PageQuestion, entry: KeptPage, *, now: datetime) -> None:
    """Keep the answer, in Redis and in this process. Made-up parameters are kept in small numbers."""
    seconds = min(entry.until - now.timestamp(), settings.SHARED_PAGES_KEPT_SECONDS)
    if seconds <= 0:
        return
    recent.put(question.key, entry)
    if is_redis_paused():
        return
    try:
        if not question.has_variants or _has_room():
            _client().set(_key("page", question), entry.to_bytes(), px=int(seconds * 1000) or 1)
    except (RedisError, OSError) as error:
        pause_redis(error)


def _has_room() -> bool:
    # A key for each window, because one could end between two commands, and be counted on without an end.
    key = f"{_prefix()}:variants:{int(time.time() // _WINDOW)}"
    with _client().pipeline(transaction=False) as pipe:
        pipe.incr(key)
        pipe.expire(key, _WINDOW)
        return int(pipe.execute()[0]) <= settings.SHARED_PARAMETERS_KEPT


@contextmanager
def turn_to_draw(question: PageQuestion, versions: Versions) -> Iterator[bool]:
    """Whether it is this one's turn to draw the page, for the length of the block. Without Redis it always is."""
    key, token = f"{_key('lock', question)}:{versions.fingerprint}", secrets.token_hex(8)
    try:
        is_ours = is_redis_paused() or bool(_client().set(key, token, nx=True, px=_LOCK))
    except (RedisError, OSError) as error:
        pause_redis(error)
        is_ours = True
    try:
        yield is_ours
    finally:
        if is_ours and not is_redis_paused():
            try:
                _client().eval(_UNLOCK, 1, key, token)
            except (RedisError, OSError) as error:
                pause_redis(error)


def is_being_drawn(question: PageQuestion, versions: Versions) -> bool:
    try:
        return not is_redis_paused() and bool(_client().exists(f"{_key('lock', question)}:{versions.fingerprint}"))
    except (RedisError, OSError) as error:
        pause_redis(error)
        return False


def _key(kind: str, question: PageQuestion) -> str:
    return f"{_prefix()}:{kind}:{question.digest}"


def _prefix() -> str:
    return f"{settings.VERSIONS_KEY}:{connection.settings_dict['NAME']}"


def _client() -> Redis:
    return _binary_client(settings.REDIS_URL, settings.VERSIONS_PATIENCE_SECONDS)


@cache
def _binary_client(url: str, patience: float) -> Redis:
    retry = Retry(NoBackoff(), 1, supported_errors=(NoConnection,))
    return connect_redis(url, socket_connect_timeout=patience, socket_timeout=patience, retry=retry)
