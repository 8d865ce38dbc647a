"""Reconciling in a real worker: killed half way, with the broker down, and in two processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from b2b.enums import ReconcileState
from b2b.models import ContractPage, Reconcile
from b2b.services.contracts.terms import contracts_out_of_line
from mitxonline.coordinator import deliveries
from mitxonline.coordinator.models import Delivery, DeliveryState
from mitxonline.kernel import clock
from tests.b2b.worlds import (
    active_codes_of,
    change_terms,
    codes_of,
    hold_for_order,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    runs_of,
)
from tests.support.broker import ROOT, StartWorker, until, use_broker
from tests.support.silence import refusing_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

# Works on one contract in small portions, and stops to be killed: between two transactions, or inside one.
HALF_WAY = """
import sys, django
django.setup()
from contextlib import contextmanager
from b2b.services.contracts import reconcile
from ecommerce.services.discounts import batches
from mitxonline.kernel import clock
contract_id, where, portions = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
batches.BATCH = 7
step, done = reconcile._step, 0

@contextmanager
def stopping(terms):
    global done
    with step(terms):
        yield
        done += 1
        if where == "inside" and done == portions:
            wait()
    if where == "between" and done == portions:
        wait()

def wait():
    print("half way", flush=True)
    sys.stdin.readline()

reconcile._step = stopping
reconcile.run_reconcile(contract_id=contract_id, now=clock.now(), reason="to be killed")
print("not killed", flush=True)
"""


def kill_half_way(page: ContractPage, *, where: str, portions: int) -> None:
    """Reconcile in another process and kill it half way."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    address = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    environment |= {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.test", "DATABASE_URL": address}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", HALF_WAY, str(page.pk), where, str(portions)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    # The server notices by itself that no one is there; until then the contract is locked.
    until(lambda: not _is_locked())


def _is_locked() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM "
            "pg_database WHERE datname = current_database())"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("where", ["between", "inside"])
def test_a_process_killed_while_it_makes_codes_is_continued(where: str) -> None:
    page = publish_contract(make_program_of(make_source_course(), make_source_course()), cap=20, settled=False)
    kill_half_way(page, where=where, portions=3)
    record = Reconcile.objects.get()
    assert record.state == ReconcileState.RUNNING
    done = len(codes_of(page))
    # The first step makes the runs; what an unfinished step did is undone.
    assert done == (14 if where == "between" else 7)
    texts = {code.text for code in codes_of(page)}
    assert reconcile_contract(page).pk == record.pk
    record.refresh_from_db()
    assert (record.state, record.before["codes"], record.after["codes"]) == (ReconcileState.DONE, 0, 40)
    assert len(active_codes_of(page)) == len(codes_of(page)) == 40
    assert texts <= {code.text for code in codes_of(page)}
    assert len(runs_of(page)) == 2


def test_a_process_killed_while_it_switches_codes_off_is_continued() -> None:
    page = publish_contract(make_source_course(), cap=30)
    held = codes_of(page)[-1]
    hold_for_order(held)
    change_terms(page, max_learners=4, settled=False)
    kill_half_way(page, where="between", portions=2)
    assert len(active_codes_of(page)) == 16
    reconcile_contract(page)
    active = active_codes_of(page)
    assert len(active) == 4
    assert held in active
    assert reconcile_contract(page).pk is None


def test_a_killed_workers_contract_is_done_by_the_next_one(start_worker: StartWorker) -> None:
    """The next worker gets the delivery when the killed one's lease ends."""
    page = publish_contract(make_program_of(make_source_course(), make_source_course()), cap=20, settled=False)
    kill_half_way(page, where="between", portions=2)
    # Before the next worker is there: it might have claimed the row itself already.
    Delivery.objects.filter(state=DeliveryState.RUNNING).update(lease_until=clock.now(), sent_at=None)
    Delivery.objects.filter(state=DeliveryState.PENDING).update(sent_at=None, next_attempt_at=clock.now())
    start_worker()
    deliveries.sweep(now=clock.now())
    until(lambda: Reconcile.objects.get().state == ReconcileState.DONE)
    assert len(active_codes_of(page)) == 40


def test_with_the_broker_down_it_waits_and_nothing_is_lost(start_worker: StartWorker) -> None:
    with refusing_port() as port, use_broker(f"redis://127.0.0.1:{port}/0"):
        page = publish_contract(make_source_course(), cap=5, settled=False)
        change_terms(page, max_learners=9, settled=False)
        waiting = Reconcile.objects.get()
        assert waiting.state == ReconcileState.WAITING
        assert waiting.finished_at is None
        assert codes_of(page) == []
        assert Delivery.objects.get(state=DeliveryState.PENDING).sent_at is None
        assert contracts_out_of_line(stuck_before=clock.now()) == [page.pk]
    start_worker()
    deliveries.sweep(now=clock.now())
    until(lambda: Reconcile.objects.get().state == ReconcileState.DONE)
    assert len(active_codes_of(page)) == 9
    waiting.refresh_from_db()
    assert waiting.took is not None
    assert (waiting.before["codes"], waiting.after["codes"]) == (0, 9)


@pytest.fixture(autouse=True)
def _shop_s_routes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers hear what the shop hears, and no process of a test holds on to the database."""
    monkeypatch.setenv("TEST_EVENT_ROUTES", "mitxonline.event_routes.ROUTES")
    yield
    until(lambda: not _is_locked())
