"""Calls to other systems, which may hang. Each call has one deadline, whatever a library swallows or retries.

A call runs in a thread of its own. The caller waits until the deadline and then cuts the call's connections, so no name
server, handshake or answer that trickles in byte by byte can hold it longer. Code in such a call must not use the
database, because it would open a connection of that thread.

A page has `REMOTE_PAGE_SECONDS` for all its calls together, and only some of a process's threads may wait at once.
Elsewhere each call has `REMOTE_CALL_SECONDS`, and a sweep limits all of its calls together (`patience`). An account
that stays silent is left alone for a while (`breaker`).
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

from mitxonline.kernel.breaker import Caller, permit
from mitxonline.kernel.metrics import observe_call
from mitxonline.kernel.trace import PARENT_HEADER, traceparent

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Seconds that a client's own timeout exceeds the deadline, so that a late call ends in one way: by the deadline.
_LEEWAY = 0.25


class RemoteAway(requests.RequestException):
    """No answer. Neither a `Timeout` nor a `ConnectionError`, because libraries retry after those."""


class RemoteSilent(RemoteAway):
    """No answer came before the deadline."""


class RemoteAvoided(RemoteAway):
    """The call wasn't made: the breaker is open, too many threads wait already, or the time for all calls is over."""


@dataclass(slots=True)
class Patience:
    """How many seconds calls may take: each of them, and all together from the first one on.

    `queue` is how long a page waits for its turn while others wait for the same account.
    """

    each: float
    total: float | None = None
    caller: Caller = "worker"
    queue: float = 0.0
    ends_at: float | None = None

    def left(self) -> float:
        """Return the seconds for the next call. The first time this starts the clock of all calls."""
        if self.total is None:
            return self.each
        if self.ends_at is None:
            self.ends_at = time.monotonic() + self.total
        return min(self.each, self.ends_at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self.ends_at is not None and time.monotonic() >= self.ends_at


@dataclass(slots=True)
class Call:
    """A call in progress. It keeps duplicates of its sockets, which can be shut down whatever wraps the originals."""

    deadline: float
    is_over: bool = False
    _sockets: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def left(self) -> float:
        return self.deadline - time.monotonic()

    def watch(self, connection: socket.socket) -> None:
        """Cut the connection when the call is over."""
        with self._lock:
            if self.is_over:
                _cut(connection)
            else:
                self._sockets.append(connection.dup())

    def end(self, *, is_answered: bool) -> None:
        """Cut the connections of a call without an answer. Those of an answered call stay open for the next one."""
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
    """Return the patience set by a page or a block, or else that of commands and the worker."""
    return _patience.get() or Patience(each=settings.REMOTE_CALL_SECONDS)


@contextmanager
def patience(seconds: float) -> Iterator[Patience]:
    """Limit all calls of this block together, from now on. Inside another block at most what is left of it."""
    outer = current_patience()
    limit = seconds if outer.ends_at is None else min(seconds, outer.left())
    inner = Patience(each=outer.each, total=limit, caller=outer.caller, queue=outer.queue)
    inner.ends_at = time.monotonic() + limit
    with _patient(inner) as set_here:
        yield set_here


@contextmanager
def page_patience() -> Iterator[Patience]:
    seconds = settings.REMOTE_PAGE_SECONDS
    with _patient(Patience(seconds, seconds, caller="page", queue=settings.REMOTE_PAGE_QUEUE_SECONDS)) as page:
        yield page


@contextmanager
def own_patience(seconds: float) -> Iterator[Patience]:
    """Give the calls of this block so long, whatever a page has left: for staff who ask several systems in turn."""
    own = Patience(seconds, seconds, caller=current_patience().caller, ends_at=time.monotonic() + seconds)
    with _patient(own) as set_here:
        yield set_here


@contextmanager
def without_queueing() -> Iterator[None]:
    """Don't wait for a turn while others wait for the account: this page can do without the answer."""
    current = current_patience()
    before, current.queue = current.queue, 0.0
    try:
        yield
    finally:
        current.queue = before


@contextmanager
def _patient(new: Patience) -> Iterator[Patience]:
    token = _patience.set(new)
    try:
        yield new
    finally:
        _patience.reset(token)


class PagePatienceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with page_patience():
            return self.get_response(request)


def call_remote(name: str, work: Callable[[], Answer], *, silences: tuple[type[BaseException], ...]) -> Answer:
    """Do the work, with deadline and breaker. `silences` are the errors that mean the account didn't answer.

    Inside another call it is part of that one. Raises RemoteSilent, RemoteAvoided, and what the work raises.
    """
    if _call.get() is not None:
        return work()
    current = current_patience()
    seconds = current.left()
    if seconds <= 0:
        raise RemoteAvoided(f"{name}: the time for all calls is over")
    allowed = permit(name, current.caller, seconds=seconds)
    if allowed is None:
        raise RemoteAvoided(f"{name} kept silent lately")
    with ExitStack() as undo:
        undo.callback(allowed.give_back)
        end_turn = _turns.take(name, queue=current.queue) if current.caller == "page" else None
        undo.pop_all()
    begin = time.monotonic()
    call = Call(begin + seconds)
    answer = _run_in_thread(name, call, work, end_turn)
    is_answered = False
    try:
        error = answer.exception(timeout=max(call.left(), 0.0))
        is_answered = error is None
    except TimeoutError as late:
        allowed.record_silence()
        observe_call(name, "silent", time.monotonic() - begin)
        logger.warning("remote call cut off", extra={"remote": name})
        raise RemoteSilent(f"{name} gave no answer in time") from late
    finally:
        call.end(is_answered=is_answered)
    observe_call(name, _describe_outcome(answer, error, silences), time.monotonic() - begin)
    if error is None:
        allowed.record_answer()
        return answer.result()
    if isinstance(error, silences):
        allowed.record_silence()
    else:  # An error is an answer too: the account is there.
        allowed.record_answer()
    raise error


def _describe_outcome(
    answer: Future[Answer], error: BaseException | None, silences: tuple[type[BaseException], ...]
) -> str:
    """Return the word for metrics: ok, refused (4xx), failed (5xx), silent, error."""
    if error is not None:
        return "silent" if isinstance(error, silences) else "error"
    status = getattr(answer.result(), "status_code", 200)
    return "failed" if status >= 500 else "refused" if status >= 400 else "ok"


def cut_at_deadline(connection: socket.socket) -> None:
    """Cut a connection that a client opened at the deadline of the current call."""
    if (call := _call.get()) is not None:
        call.watch(connection)


def seconds_left() -> float:
    """Return what is left of the current call, for a client's own timeout. Raises RemoteSilent if it is over."""
    call = _call.get()
    if call is None:
        return current_patience().each
    if call.is_over:
        raise RemoteSilent("the call is over")
    return max(call.left(), 0.0) + _LEEWAY


class RemoteSession(requests.Session):
    """Requests to one account, with deadline and breaker. Several threads may share it, because it keeps no cookies."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.remote = name
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a prepared request. A `timeout` in seconds shortens the patience for this answer.

        It is one number, or one for connecting and one for each wait for data.
        """
        timeout = kwargs.get("timeout")
        limits = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        request.headers[PARENT_HEADER] = traceparent()

        def work() -> requests.Response:
            left = seconds_left()
            kwargs["timeout"] = tuple(left if limit is None else min(limit, left) for limit in limits)
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
        """Wait for a turn and return the function that ends it.

        Raises RemoteAvoided once others have waited for `queue` seconds: the account is slow. A turn ends with the
        call's thread and not with the caller's patience, so that threads can't pile up.
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
        here, everywhere = len(self._waiting.get(name, ())), sum(map(len, self._waiting.values()))
        return here >= settings.REMOTE_PAGE_TURNS or everywhere >= settings.REMOTE_PAGE_TURNS_IN_ALL


_turns = _Turns()


def _run_in_thread(
    name: str, call: Call, work: Callable[[], Answer], end_turn: Callable[[], None] | None
) -> Future[Answer]:
    answer: Future[Answer] = Future()

    def run() -> None:
        _call.set(call)
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where the caller waits
            answer.set_exception(error)
        finally:
            if end_turn is not None:
                end_turn()

    context = copy_context()
    # A daemon, because a thread that still waits for a name server must not keep the process from ending.
    threading.Thread(target=context.run, args=[run], name=f"remote {name}", daemon=True).start()
    return answer


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # It had ended already.
        connection.shutdown(socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        cut_at_deadline(made)
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:  # A connection kept from an earlier call.
            cut_at_deadline(self.sock)
        super().request(*args, **kwargs)


class _WatchedSecure(_Watched, HTTPSConnection):
    # `_new_conn` runs before the TLS handshake, so the handshake is cut at the deadline too.
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _WatchedSecure


_POOLS = {"http": _Pool, "https": _SecurePool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
