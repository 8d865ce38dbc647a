"""A gateway that accepts and never answers, and what visitors of other pages notice of it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from django.conf import settings
from django.db import connection
from django.test import Client

from dev.embedded.address import free_port
from dev.embedded.places import PROJECT
from ecommerce.models import PaymentAttempt
from mitxonline.kernel import clock
from tests.bench.harness import Cost, Result, bench
from tests.bench.pages import _make_catalog
from tests.ecommerce.paying import latest_attempt, place_order
from tests.factories import make_user
from tests.support.silence import silent_server

# As the Procfile has them, unless the environment says otherwise.
PROCESSES, THREADS = 2, 4
RETURNS, VISITORS = 8, 2
SECONDS, AGAIN_AFTER = 20.0, 5.0
BUDGET = 2.0


@bench(f"catalog while {RETURNS} buyers return to a gateway that hangs, p95", slow=True)
def catalog_beside_silence() -> Result:
    _make_catalog()
    returns = [_buyer_at_the_gateway() for _each in range(RETURNS)]
    with silent_server() as gateway, _web(gateway.url) as port:
        _visit(port, "/catalog/", "")
        without = _p95(_latencies(port, seconds=SECONDS))
        over, waits = threading.Event(), list[float]()
        buyers = [threading.Thread(target=_return, args=[port, *each, over, waits]) for each in returns]
        for buyer in buyers:
            buyer.start()
        beside = _latencies(port, seconds=SECONDS)
        over.set()
        for buyer in buyers:
            buyer.join()
    return Result(
        cost=Cost(seconds=_p95(beside)),
        floor=Cost(seconds=without),
        floor_name="p95 without",
        ratio_budget=BUDGET,
        note=f"median {statistics.median(beside):.2f} s, longest {max(beside):.1f} s of {len(beside)}; "
        f"a return waits at most {max(waits):.1f} s, {gateway.connections} connections to the gateway",
    )


def _buyer_at_the_gateway() -> tuple[str, str]:
    """The address someone comes back to from paying, and their session."""
    user = make_user()
    attempt = latest_attempt(place_order(user, now=clock.now()))
    PaymentAttempt.objects.filter(pk=attempt.pk).update(gateway="stripe", session_id=f"cs_test_{uuid4().hex}")
    client = Client()
    client.force_login(user)
    return f"/payment/completed/{attempt.reference}/", client.cookies[settings.SESSION_COOKIE_NAME].value


def _return(port: int, address: str, session: str, over: threading.Event, waits: list[float]) -> None:
    """Come back, and again like someone who reloads."""
    while not over.is_set():
        began = time.monotonic()
        _visit(port, address, session)
        waits.append(time.monotonic() - began)
        over.wait(max(0.0, AGAIN_AFTER - (time.monotonic() - began)))


def _latencies(port: int, *, seconds: float) -> list[float]:
    """How long each catalog page took that visitors asked for in this time, one after another each."""
    found: list[float] = []
    ends = time.monotonic() + seconds

    def visit() -> None:
        while time.monotonic() < ends:
            began = time.monotonic()
            _visit(port, "/catalog/", "")
            found.append(time.monotonic() - began)

    visitors = [threading.Thread(target=visit) for _each in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    return found


def _p95(found: list[float]) -> float:
    return sorted(found)[int(len(found) * 0.95)] if len(found) > 1 else found[0]


def _visit(port: int, address: str, session: str) -> None:
    http = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        http.request("GET", address, headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}"} if session else {})
        status = http.getresponse().status
    finally:
        http.close()
    if status not in (200, 302):
        raise AssertionError(f"{address}: {status}")


@contextmanager
def _web(gateway: str) -> Iterator[int]:
    """The web as production starts it, with that gateway; its port."""
    port, prefix = free_port(), f"bench-{uuid4().hex}"
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.support.web_settings",
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "TEST_STRIPE_API_BASE": gateway,
        "TEST_CACHE_PREFIX": prefix,
        "WEB_THREADS": str(THREADS),
        "PYTHONWARNINGS": "ignore",
    }
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(PROCESSES), "--blocking-threads", str(THREADS), "--no-ws", "--no-log"]
    command += ["--workers-kill-timeout", "5", "mitxonline.wsgi:application"]
    web = subprocess.Popen(command, cwd=PROJECT, env=environment, start_new_session=True)
    try:
        _until(lambda: _answers(port, web))
        yield port
    finally:
        web.terminate()
        try:
            web.wait(20)
        except subprocess.TimeoutExpired:
            web.kill()
            web.wait()


def _answers(port: int, web: subprocess.Popen[bytes]) -> bool:
    if web.poll() is not None:
        raise RuntimeError("the web ended")
    try:
        _visit(port, "/health/", "")
    except (OSError, HTTPException):
        return False
    return True


def _until(condition: Callable[[], bool], patience: float = 120.0) -> None:
    ends = time.monotonic() + patience
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError("the web doesn't answer")
        threading.Event().wait(0.2)
