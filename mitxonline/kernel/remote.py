"""Calls to others, who may hang. Each has a deadline for the whole of it, whatever a library swallows or retries.

The call runs in a thread of its own. Whoever asked waits until the deadline and then cuts its connections, so neither
a name server, a handshake, nor an answer that trickles in byte by byte can hold them longer. Nothing in such a call
may touch the database: it would use a connection of that thread.

How long one waits is the patience of the place: a page has `REMOTE_PAGE_SECONDS` for all its calls together, and only
some of a process's threads may wait at once; elsewhere each call has `REMOTE_CALL_SECONDS`, and a sweep sets an end
for all of them (`patience`). An account that keeps silent is left alone for a while (`breaker`).
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from mitxonline.kernel.breaker import Caller, Permit, permit

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# The caller's deadline comes first, so that there is one way to be late.
_LEEWAY = 0.25


class RemoteAway(requests.RequestException):
    """No answer, for one of two reasons. No `Timeout` or `ConnectionError`: libraries try again after those."""


class RemoteSilent(RemoteAway):
    """Nothing came until the deadline."""


class RemoteAvoided(RemoteAway):
    """It wasn't asked: it kept silent lately, as many wait for it as may, or the time for all calls was over."""


@dataclass(slots=True)
class Patience:
    """How long calls may take: each, and all of them together from the first one on.

    ``queue`` is how long a page waits for its turn while others wait for the same account; 0 for who can do without.
    """

    each: float
    total: float | None = None
    caller: Caller = "worker"
    queue: float = 0.0
    ends_at: float | None = None

    def left(self) -> float:
        """Seconds for the next call; the clock of all calls starts here."""
        if self.total is None:
            return self.each
        if self.ends_at is None:
            self.ends_at = time.monotonic() + self.total
        return min(self.each, self.ends_at - time.monotonic())

    @property
    def is_over(self) -> bool:
        """Whether no call is made any more."""
        return self.ends_at is not None and time.monotonic() >= self.ends_at


@dataclass(slots=True)
class Call:
    """One call under way. It keeps second handles of its sockets, which work whatever wraps the first ones."""

    deadline: float
    is_over: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def watch(self, connection: socket.socket) -> None:
        """Have a connection cut when the call is over."""
        with self._lock:
            if self.is_over:
                _cut(connection)
            else:
                self._sockets.append(connection.dup())

    def end(self, *, is_answered: bool) -> None:
        """No more connections; those of a call without an answer are cut, the others go on to the next call."""
        with self._lock:
            self.is_over = True
            for each in self._sockets:
                if not is_answered:
                    _cut(each)
                each.close()
            self._sockets.clear()


_patience: ContextVar[Patience | None] = ContextVar("patience", default=None)
_call: ContextVar[Call | None] = ContextVar("call", default=None)


def current_patience() -> Patience:
    """The patience of this place; that of a command or the worker where nothing says otherwise."""
    return _patience.get() or Patience(each=settings.REMOTE_CALL_SECONDS)


@contextmanager
def patience(seconds: float) -> Iterator[Patience]:
    """Let all calls of this block take so long together, from now on. Within another block, what is left of that."""
    outer = current_patience()
    limit = seconds if outer.ends_at is None else min(seconds, outer.left())
    inner = Patience(each=outer.each, total=limit, caller=outer.caller, queue=outer.queue)
    inner.ends_at = time.monotonic() + limit
    with _patient(inner) as set_here:
        yield set_here


@contextmanager
def page_patience() -> Iterator[Patience]:
    """The patience of a page, from its first call on."""
    seconds = settings.REMOTE_PAGE_SECONDS
    with _patient(Patience(seconds, seconds, caller="page", queue=settings.REMOTE_PAGE_QUEUE_SECONDS)) as page:
        yield page


@contextmanager
def without_queueing() -> Iterator[None]:
    """For a page that can go on without the answer: where others wait for the account already, don't."""
    now = current_patience()
    before, now.queue = now.queue, 0.0
    try:
        yield
    finally:
        now.queue = before


@contextmanager
def _patient(new: Patience) -> Iterator[Patience]:
    token = _patience.set(new)
    try:
        yield new
    finally:
        _patience.reset(token)


class PagePatienceMiddleware:
    """Every page is in a hurry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with page_patience():
            return self.get_response(request)


def call_remote(name: str, work: Callable[[], Answer], *, silences: tuple[type[BaseException], ...]) -> Answer:
    """The answer of a remote account; ``silences`` are the errors that mean it didn't give one.

    Raises RemoteSilent, RemoteAvoided, and what the work raises. Within a call it is a part of that one.
    """
    if _call.get() is not None:
        return work()
    now = current_patience()
    seconds = now.left()
    if seconds <= 0:
        raise RemoteAvoided(f"{name}: the time for all calls is over")
    allowed = permit(name, now.caller, seconds=seconds)
    if allowed is None:
        raise RemoteAvoided(f"{name} kept silent lately")
    with ExitStack() as undo:
        undo.callback(allowed.unused)
        end_turn = _turns.take(name, queue=now.queue) if now.caller == "page" else None
        undo.pop_all()
    call = Call(time.monotonic() + seconds)
    return _heard(_begin(name, call, work, end_turn), call, allowed, silences)


def cut_at_deadline(connection: socket.socket) -> None:
    """For clients that open connections: have this one cut at the deadline of the call it is opened for."""
    if (call := _call.get()) is not None:
        call.watch(connection)


def seconds_left() -> float:
    """What is left to the call at hand, for a client's own timeout; RemoteSilent if that is nothing."""
    call = _call.get()
    if call is None:
        return current_patience().each
    if call.is_over:
        raise RemoteSilent("the call is over")
    return max(call.left(), 0.0) + _LEEWAY


class RemoteSession(requests.Session):
    """Requests to one account, with deadline and breaker. May be used by several threads; keeps no cookies."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.remote = name
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request; a `timeout` in seconds holds for each answer, and no longer than the patience."""
        asked = kwargs.get("timeout")

        def work() -> requests.Response:
            left = seconds_left()
            kwargs["timeout"] = min(asked, left) if isinstance(asked, int | float) else left
            kwargs["stream"] = False
            return requests.Session.send(self, request, **kwargs)

        return call_remote(self.remote, work, silences=_NO_ANSWER)


_NO_ANSWER = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class _Turns:
    """How many threads of this process wait for remote accounts, and since when."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[float]] = {}
        self._changed = threading.Condition()

    def take(self, name: str, *, queue: float) -> Callable[[], None]:
        """What ends the turn. RemoteAvoided where those before us have waited that long already: the account is slow.

        A turn ends with the call's thread, not with the caller's patience, so threads can't pile up.
        """
        with self._changed:
            while self._is_full(name):
                oldest = min(moment for moments in self._waiting.values() for moment in moments)
                left = queue - (time.monotonic() - oldest)
                if left <= 0 or not self._changed.wait(left):
                    raise RemoteAvoided(f"{name}: others wait for it already")
            now = time.monotonic()
            self._waiting.setdefault(name, []).append(now)
        return lambda: self._end(name, now)

    def _end(self, name: str, moment: float) -> None:
        with self._changed:
            self._waiting[name].remove(moment)
            self._changed.notify_all()

    def _is_full(self, name: str) -> bool:
        everybody = sum(map(len, self._waiting.values()))
        mine = len(self._waiting.get(name, ()))
        return mine >= settings.REMOTE_PAGE_TURNS or everybody >= settings.REMOTE_PAGE_TURNS_IN_ALL


_turns = _Turns()


def _begin(name: str, call: Call, work: Callable[[], Answer], end_turn: Callable[[], None] | None) -> Future[Answer]:
    answer: Future[Answer] = Future()

    def run() -> None:
        _call.set(call)
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            answer.set_exception(error)
        finally:
            if end_turn is not None:
                end_turn()

    context = copy_context()
    # A daemon: what still waits for a name server keeps no process from ending.
    threading.Thread(target=context.run, args=[run], name=f"remote {name}", daemon=True).start()
    return answer


def _heard(answer: Future[Answer], call: Call, allowed: Permit, silences: tuple[type[BaseException], ...]) -> Answer:
    is_answered = False
    try:
        error = answer.exception(timeout=max(call.left(), 0.0))
        is_answered = error is None
    except TimeoutError as late:
        allowed.silent()
        logger.warning("remote call cut off", extra={"remote": allowed.name})
        raise RemoteSilent(f"{allowed.name} gave no answer in time") from late
    finally:
        call.end(is_answered=is_answered)
    if error is None:
        allowed.answered()
        return answer.result()
    if isinstance(error, silences):
        allowed.silent()
    else:
        allowed.answered()
    raise error


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it had ended by then
        connection.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        cut_at_deadline(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # kept from an earlier call
            cut_at_deadline(self.sock)
        super().request(*args, **kwargs)


class _Connection(_Watched):
    """Without TLS."""


class _SecureConnection(_Watched, HTTPSConnection):
    """The handshake is watched too: the socket is known before it begins."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
