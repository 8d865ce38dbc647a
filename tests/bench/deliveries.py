"""Deliveries: in a table of five million, and carried by two workers (docs/operations.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.test import Client, override_settings
from redis import Redis

from mitxonline.coordinator import claims, deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from mitxonline.kernel.broker import send_tasks
from mitxonline.kernel.db import fetch_sql, run_sql
from mitxonline.users.models import User
from tests.bench.carried import Carried, do_nothing
from tests.bench.harness import Cost, Result, bench, best_of, measured
from tests.support.broker import Worker, use_broker

SMALL, LARGE = 1_000, 5_000_000
CARRIED, WARM_UP, ROUNDS, WORKERS = 10_000, 200, 5, 2
READ_QUEUE = "bench"
TRIES = 7
RATIO = 3.0
ROUTES = "tests.bench.carried.ROUTES"
RECEIVERS = 20

UNDONE = "SELECT FROM coordinator_delivery WHERE state IN ('pending', 'running') LIMIT 1"

# Done last month, as many for each of twenty receivers, each with an attempt; one in a hundred thousand is dead.
DONE = """
    WITH made AS (
        INSERT INTO coordinator_delivery
            (event_type, payload, handler, state, attempts, next_attempt_at, last_error, trace_id, created_at,
             finished_at)
        SELECT 'tests.bench.carried.Carried', '{"number": 1}', 'tests.bench.carried.receive' || n %% %(receivers)s,
            CASE WHEN n %% 100000 = 7 THEN 'dead' ELSE 'done' END, 1, moment, '', 'trace-' || n / 3, moment, moment
        FROM generate_series(%(first)s, %(last)s) AS n
        CROSS JOIN LATERAL (SELECT %(now)s - make_interval(secs => (%(last)s - n) / 3.0) AS moment) AS time
        RETURNING id, created_at
    )
    INSERT INTO coordinator_deliveryattempt (delivery_id, number, started_at, ended_at, process, outcome, result)
    SELECT id, 1, created_at, created_at, 'worker-1:7', 'done', '' FROM made
"""


def fill(rows: int) -> None:
    """Bring the table to this many rows, in portions, and vacuum it as the server does after a while."""
    run_sql("TRUNCATE coordinator_delivery, coordinator_deliveryattempt") if rows == SMALL else None
    have = Delivery.objects.count()
    for first in range(have + 1, rows + 1, 250_000):
        last = min(first + 249_999, rows)
        run_sql(DONE, {"first": first, "last": last, "now": clock.now(), "receivers": RECEIVERS})
    for table in ("coordinator_delivery", "coordinator_deliveryattempt"):
        run_sql(f"VACUUM ANALYZE {table}")


def publish_one(number: int) -> int:
    with transaction.atomic():
        publish(Carried(number))
    return Delivery.objects.latest("pk").pk


def claim() -> None:
    claims.claim_delivery(delivery_id=_waiting.pop(), now=clock.now())


def sweep() -> None:
    deliveries.sweep(now=clock.now())


def look_up_trace() -> None:
    found = list(Delivery.objects.filter(trace_id="trace-100").prefetch_related("history"))
    assert found


def show(address: str) -> Callable[[], None]:
    def visit() -> None:
        assert _client().get(address).status_code == 200

    return visit


_waiting: list[int] = []
_clients: list[Client] = []

WORK: dict[str, Callable[[], None]] = {
    "claim": claim,
    "sweep": sweep,
    "trace": look_up_trace,
    "list": show("/cms/deliveries/"),
    "list of dead ones": show("/cms/deliveries/?state=dead"),
    "list of one receiver": show("/cms/deliveries/?receiver=tests.bench.carried.receive7&state=done"),
    "list of one that has none": show("/cms/deliveries/?receiver=tests.bench.carried.receive"),
    "list of the last hour": show("/cms/deliveries/?age=hour"),
    "Django's list": show("/admin/coordinator/delivery/"),
    "first page": show("/cms/"),
}


def _client() -> Client:
    if not _clients:
        _clients.append(Client())
        _clients[0].force_login(User.objects.create_superuser(f"bench-{uuid4().hex}@bench.example", "x"))
    return _clients[0]


def measure(work: Callable[[], None]) -> Cost:
    _waiting[:] = [publish_one(number) for number in range(TRIES)]
    costs = []
    for number in range(TRIES):
        with measured(counting=number == 0) as cost:
            work()
        costs.append(cost)
    Delivery.objects.exclude(state__in=[DeliveryState.DONE, DeliveryState.DEAD]).delete()
    return best_of(costs)


def measure_all(rows: int) -> dict[str, Cost]:
    fill(rows)
    with override_settings(EVENT_ROUTES=ROUTES):
        return {name: measure(work) for name, work in WORK.items()}


_measured: dict[int, dict[str, Cost]] = {}


def compare(name: str) -> Result:
    for rows in (SMALL, LARGE):
        if rows not in _measured:
            _measured[rows] = measure_all(rows)
    small, large = _measured[SMALL][name], _measured[LARGE][name]
    return Result(cost=large, floor=small, floor_name=f"of {SMALL:,} rows", ratio_budget=RATIO)


for _name in WORK:

    @bench(f"{LARGE:,} deliveries: {_name}", slow=True)
    def _compare(name: str = _name) -> Result:
        return compare(name)


@bench(f"{CARRIED:,} deliveries by {WORKERS} workers", slow=True)
def carry() -> Result:
    """Published by one transaction. The floor is the same number of tasks that do nothing."""
    return _carry(together=True)


@bench(f"{CARRIED:,} deliveries by {WORKERS} workers, each of its own transaction", slow=True)
def carry_singly() -> Result:
    return _carry(together=False)


def _carry(*, together: bool) -> Result:
    """In rounds, with the same workers, and whichever was first last time is second: others disturb both alike."""
    run_sql("TRUNCATE coordinator_delivery, coordinator_deliveryattempt")
    publish_them = _publish_together if together else _publish_singly
    bare, carried = 0.0, 0.0
    with _broker() as broker, _workers(), override_settings(EVENT_ROUTES=ROUTES):
        _time(broker, _send_bare, WARM_UP)
        _time(broker, publish_them, WARM_UP)
        for number in range(ROUNDS):
            for is_bare in (True, False) if number % 2 else (False, True):
                seconds = _time(broker, _send_bare if is_bare else publish_them, CARRIED // ROUNDS)
                bare, carried = (bare + seconds, carried) if is_bare else (bare, carried + seconds)
    done = Delivery.objects.filter(state=DeliveryState.DONE, attempts=1).count()
    assert done == CARRIED + WARM_UP, done
    return Result(
        cost=Cost(seconds=carried),
        floor=Cost(seconds=bare),
        floor_name="tasks that do nothing",
        ratio_budget=1 / 0.6,
        note=f"{CARRIED / carried:.0f} deliveries in a second, {CARRIED / bare:.0f} bare tasks: {bare / carried:.0%}",
    )


def _send_bare(count: int) -> None:
    assert send_tasks(do_nothing.name, [(each,) for each in range(count)]) == count


def _publish_together(count: int) -> None:
    with transaction.atomic():
        for number in range(count):
            publish(Carried(number))


def _publish_singly(count: int) -> None:
    """As the site does it: each in its transaction, and sent after it."""
    for number in range(count):
        with transaction.atomic():
            publish(Carried(number))


@contextmanager
def _broker() -> Iterator[Redis]:
    prefix = f"bench-{uuid4().hex}."
    url = os.environ["REDIS_URL"]
    os.environ.update(TEST_BROKER_URL=url, TEST_BROKER_PREFIX=prefix, TEST_EVENT_ROUTES=ROUTES, TEST_CONN_MAX_AGE="60")
    with use_broker(url, {"global_keyprefix": prefix}), Redis.from_url(url) as client:
        yield client
        for key in client.scan_iter(f"{prefix}*"):
            client.delete(key)


@contextmanager
def _workers() -> Iterator[list[Worker]]:
    """Run two workers, which read another queue than the one that things are sent to."""
    with TemporaryDirectory() as folder, ExitStack() as running:
        workers = []
        for number in range(WORKERS):
            workers.append(Worker(Path(folder) / f"{number}.log", READ_QUEUE, TEST_DEFAULT_QUEUE=READ_QUEUE))
            running.callback(workers[-1].stop)
        yield workers


def _time(broker: Redis, send: Callable[[int], None], count: int) -> float:
    """Return the seconds from when the waiting workers see the tasks to when the last one is done."""
    send(count)
    prefix = os.environ["TEST_BROKER_PREFIX"]
    began = time.perf_counter()
    broker.rename(f"{prefix}{settings.CELERY_TASK_DEFAULT_QUEUE}", f"{prefix}{READ_QUEUE}")
    while broker.llen(f"{prefix}{READ_QUEUE}"):
        time.sleep(0.005)
    while fetch_sql(UNDONE):
        time.sleep(0.005)
    return time.perf_counter() - began
