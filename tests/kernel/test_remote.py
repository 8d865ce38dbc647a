"""Remote services hang, trickle and close; no caller waits beyond its deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from mitxonline.kernel import breaker
from mitxonline.kernel.breaker import find_open_breakers, permit
from mitxonline.kernel.remote import (
    PagePatienceMiddleware,
    Patience,
    RemoteAvoided,
    RemoteSession,
    RemoteSilent,
    call_remote,
    current_patience,
    page_patience,
    patience,
    without_queueing,
)
from mitxonline.kernel.trace import open_trace, read_traceparent
from tests.support.broker import until
from tests.support.silence import MANNERS, Manner, SilentServer, silent_server

# Far below the patience that would make a test slow, far above what a busy machine needs to notice.
SHORT, LATE = 0.3, 20.0


@pytest.fixture(autouse=True)
def _closed_breakers(settings: Any) -> Iterator[None]:
    settings.REMOTE_PAGE_SECONDS = settings.REMOTE_CALL_SECONDS = SHORT
    cache.clear()
    yield
    cache.clear()


def _timed(work: Callable[[], Any]) -> tuple[float, BaseException | None]:
    began = time.monotonic()
    try:
        work()
    except Exception as error:  # noqa: BLE001 - it is what the test looks at
        return time.monotonic() - began, error
    return time.monotonic() - began, None


@pytest.mark.parametrize("manner", MANNERS)
def test_no_manner_of_silence_holds_a_caller_beyond_the_deadline(manner: Manner) -> None:
    with silent_server(manner) as server:
        took, error = _timed(lambda: RemoteSession("it").get(server.url, timeout=60))
        assert took < LATE
        if manner == "close":
            assert isinstance(error, requests.ConnectionError)
        else:
            assert isinstance(error, RemoteSilent)
            assert took >= SHORT
            until(lambda: server.open_ones == 0)  # cut, so that its thread ends too


def test_every_call_is_a_span_of_the_trace(httpserver: str) -> None:
    with open_trace() as ours:
        sent = [RemoteSession("it").get(f"{httpserver}/").request.headers["traceparent"] for _each in range(2)]
    assert [read_traceparent(str(each)) for each in sent] == [ours, ours]
    assert len(set(sent)) == 2


def test_retries_inside_a_library_share_the_deadline() -> None:
    session = RemoteSession("it")

    def stubborn(address: str) -> str:
        for _each in range(1000):
            try:
                return session.get(address, timeout=60).text
            except requests.RequestException:
                threading.Event().wait(0.01)
        return ""

    with silent_server() as server:
        took, error = _timed(lambda: call_remote("it", lambda: stubborn(server.url), silences=()))
    assert isinstance(error, RemoteSilent)
    assert took < LATE
    assert server.connections == 1


def test_an_answer_is_an_answer_whatever_its_status(silent: SilentServer, httpserver: str) -> None:
    for _each in range(5):
        assert RemoteSession("it").get(f"{httpserver}/missing").status_code == 404
    assert find_open_breakers() == []


def test_a_reused_connection_is_cut_at_the_deadline(httpserver: str) -> None:
    session = RemoteSession("it")
    assert session.get(f"{httpserver}/").ok
    took, error = _timed(lambda: session.get(f"{httpserver}/hang"))
    assert isinstance(error, RemoteSilent)
    assert took < LATE


def test_the_calls_of_a_page_share_its_patience(silent: SilentServer) -> None:
    with page_patience():
        first, _error = _timed(lambda: RemoteSession("it").get(silent.url))
        _second, error = _timed(lambda: RemoteSession("other").get(silent.url))
    assert SHORT <= first < LATE
    assert isinstance(error, RemoteAvoided)
    assert silent.connections == 1


def test_a_page_is_in_a_hurry_and_what_follows_it_is_not() -> None:
    seen: list[Patience] = []

    def view(_request: HttpRequest) -> HttpResponse:
        seen.append(current_patience())
        return HttpResponse()

    PagePatienceMiddleware(view)(HttpRequest())
    assert (seen[0].caller, seen[0].total) == ("page", SHORT)
    assert (current_patience().caller, current_patience().total) == ("worker", None)


def test_a_sweep_ends_its_calls_and_says_so(silent: SilentServer) -> None:
    with patience(0.05) as sweep:
        took, error = _timed(lambda: RemoteSession("it").get(silent.url))
        assert isinstance(error, RemoteSilent)
        assert took < LATE
        assert sweep.is_over
        assert isinstance(_timed(lambda: RemoteSession("it").get(silent.url))[1], RemoteAvoided)


def test_three_silences_open_the_breaker_for_all_processes(silent: SilentServer, settings: Any) -> None:
    for _each in range(3):
        assert isinstance(_timed(lambda: RemoteSession("it").get(silent.url))[1], RemoteSilent)
    _took, error = _timed(lambda: RemoteSession("it").get(silent.url))
    assert isinstance(error, RemoteAvoided)
    assert silent.connections == 3
    assert find_open_breakers() == ["it"]
    assert isinstance(_timed(lambda: RemoteSession("other").get(silent.url))[1], RemoteSilent)


def test_an_answer_resets_the_count_of_silences() -> None:
    for _each in range(2):
        _asked("it").record_silence()
    _asked("it").record_answer()
    for _each in range(2):
        _asked("it").record_silence()
    assert permit("it", "page", seconds=1) is not None


def test_after_the_pause_one_tries_and_its_answer_closes_the_breaker() -> None:
    _open("it")
    _end_pause("it")
    probe = permit("it", "page", seconds=1)
    assert probe is not None
    assert permit("it", "page", seconds=1) is None
    assert permit("it", "worker", seconds=1) is None
    probe.record_answer()
    assert permit("it", "page", seconds=1) is not None
    assert find_open_breakers() == []


def test_a_silent_probe_opens_it_again_at_once() -> None:
    _open("it")
    _end_pause("it")
    _asked("it").record_silence()
    assert permit("it", "page", seconds=1) is None


def test_a_probe_that_was_not_made_lets_the_next_one_try() -> None:
    _open("it")
    _end_pause("it")
    _asked("it").give_back()
    assert permit("it", "page", seconds=1) is not None


def test_the_worker_asks_what_only_pages_found_silent_one_call_at_a_time() -> None:
    _open("it", caller="page")
    assert permit("it", "page", seconds=1) is None
    patient = permit("it", "worker", seconds=1)
    assert patient is not None
    assert permit("it", "worker", seconds=1) is None
    patient.record_silence()
    assert permit("it", "worker", seconds=1) is None


def test_without_the_cache_every_caller_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        """As `ForgivingRedisCache` answers while Redis is away."""

        def get_many(self, _keys: Any) -> dict[str, Any]:
            return {}

        def add(self, *_args: Any) -> bool:
            return False

        def incr(self, _key: str) -> int:
            raise ValueError

    monkeypatch.setattr(breaker, "cache", Away())
    for _each in range(5):
        _asked("it").record_silence()


def test_only_some_threads_of_a_process_wait_for_one_account(silent: SilentServer, settings: Any) -> None:
    settings.REMOTE_PAGE_SECONDS, settings.REMOTE_PAGE_TURNS, settings.BREAKER_FAILURES = 5.0, 2, 100
    threads = [threading.Thread(target=_visit, args=[silent.url]) for _each in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: silent.connections == 2)
    with page_patience(), without_queueing():
        _took, error = _timed(lambda: RemoteSession("it").get(silent.url))
    assert isinstance(error, RemoteAvoided)
    for thread in threads:
        thread.join()
    assert silent.connections == 2


def test_callers_that_need_the_answer_wait_for_a_turn(httpserver: str, settings: Any) -> None:
    settings.REMOTE_PAGE_SECONDS, settings.REMOTE_PAGE_TURNS, settings.REMOTE_PAGE_QUEUE_SECONDS = LATE, 1, LATE
    found: list[BaseException | None] = []

    def ask() -> None:
        with page_patience():
            found.append(_timed(lambda: RemoteSession("it").get(f"{httpserver}/"))[1])

    threads = [threading.Thread(target=ask) for _each in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [None] * 5


def test_the_errors_of_the_work_itself_are_no_silence() -> None:
    def broken() -> None:
        raise LookupError

    for _each in range(5):
        with pytest.raises(LookupError):
            call_remote("it", broken, silences=(OSError,))
    assert find_open_breakers() == []


def _visit(address: str) -> None:
    with page_patience():
        _timed(lambda: RemoteSession("it").get(address))


def _asked(name: str) -> breaker.Permit:
    allowed = permit(name, "page", seconds=1)
    assert allowed is not None
    return allowed


def _open(name: str, *, caller: breaker.Caller = "worker") -> None:
    for _each in range(3):
        allowed = permit(name, caller, seconds=1)
        assert allowed is not None
        allowed.record_silence()


def _end_pause(name: str) -> None:
    cache.delete(f"breaker:{name}:open")


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    with silent_server() as server:
        yield server


@pytest.fixture
def httpserver() -> Iterator[str]:
    """An HTTP server that answers, or hangs where a path says so; connections are kept alive."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/hang":
                over.wait(60)
                return
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """No one reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    over.set()
    server.shutdown()
    server.server_close()
