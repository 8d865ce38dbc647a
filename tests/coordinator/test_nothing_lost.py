"""Nothing is lost and nothing happens twice, whichever process dies: with real workers, on Redis and on RabbitMQ."""

from __future__ import annotations

import email
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import override_settings

from courses.enums import EnrollmentLmsState
from courses.models import Enrollment
from ecommerce.enums import OrderState
from ecommerce.models import Order
from mitxonline.coordinator import deliveries
from mitxonline.coordinator.bus import publish
from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from mitxonline.coordinator.sending import DELIVER
from mitxonline.kernel import clock
from mitxonline.kernel.broker import broker_pause, send_tasks
from mitxonline.kernel.db import fetch_sql, named_lock, run_sql
from tests.coordinator.purchases import ShelfMoved
from tests.coordinator.world import GATE, traces
from tests.courses.openedx import connect
from tests.ecommerce.paying import place_order
from tests.openedx.server import CourseSite
from tests.support.broker import ROOT, StartWorker, child_environment, until
from tests.support.brokers import Broker

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("own brokers"),
]

ROUTES = "tests.coordinator.purchases.ROUTES"
CHECKOUTS = 50
WAITING_FOR_THE_GATE = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
RECEIVERS = {"email_receipt", "count_call"}

# A web process that is killed after the commit of a checkout, before it hands anything to the broker.
KILLED_BETWEEN = """
import os, signal, django
django.setup()
from mitxonline.coordinator import sending
sending.send_deliveries = lambda ids, queue="": os.kill(os.getpid(), signal.SIGKILL)
from tests.ecommerce.paying import place_order
place_order(price="0")
"""


@pytest.fixture(autouse=True)
def _shop(monkeypatch: pytest.MonkeyPatch, _routes: None) -> Iterator[None]:
    monkeypatch.setenv("TEST_EVENT_ROUTES", ROUTES)
    with override_settings(EVENT_ROUTES=ROUTES):
        yield


def check_out() -> Order:
    """Check out something that is free: the order is fulfilled at once."""
    order = place_order(price="0", now=clock.now())
    order.refresh_from_db()
    assert order.state == OrderState.FULFILLED
    return order


def settle() -> None:
    """Sweep until every delivery is done. What is lost comes back after a lease or a resend."""

    def is_settled() -> bool:
        deliveries.sweep(now=clock.now())
        return Delivery.objects.exists() and not Delivery.objects.exclude(state=DeliveryState.DONE).exists()

    until(is_settled, 90)


def history(receiver: str) -> list[tuple[str, str]]:
    """Outcome and result of each attempt of the one delivery to a receiver."""
    delivery = Delivery.objects.get(handler__endswith=f".{receiver}")
    return list(delivery.history.values_list("outcome", "result"))


def check_everything_happened_once(orders: list[Order], mailbox: Path, *, calls: int = 1) -> None:
    heard = Counter(Delivery.objects.filter(state=DeliveryState.DONE).values_list("payload__order_id", "handler"))
    mails = Counter(
        email.message_from_string(text.strip())["To"]
        for path in mailbox.iterdir()
        for text in path.read_text().split("-" * 79)
        if text.strip()
    )
    for order in orders:
        its_own = {handler.rpartition(".")[2]: times for (pk, handler), times in heard.items() if pk == order.pk}
        assert its_own == dict.fromkeys(RECEIVERS, 1)
        assert Enrollment.objects.active().of(order.purchaser_id).count() == 1
        assert mails[order.purchaser.email] == 1
        assert Group.objects.filter(name=f"enrolled by order {order.pk}").count() == 1
        assert traces("call", order.pk) == calls
    assert sum(mails.values()) == len(orders)
    assert not DeliveryAttempt.objects.filter(outcome=AttemptOutcome.RUNNING).exists()
    for delivery in Delivery.objects.prefetch_related("history"):
        outcomes = [attempt.outcome for attempt in delivery.history.all()]
        assert outcomes.count(AttemptOutcome.DONE) == 1 == outcomes[-1:].count(AttemptOutcome.DONE)
        assert len(outcomes) == delivery.attempts


def backends() -> set[int]:
    """Return the processes of the database that serve this test's database."""
    return {pid for (pid,) in fetch_sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")}


def test_a_worker_killed_inside_a_receiver(start_own_worker: StartWorker, mailbox: Path) -> None:
    with named_lock(*GATE):
        worker = start_own_worker()
        order = check_out()
        until(lambda: traces("call", order.pk) and fetch_sql(WAITING_FOR_THE_GATE))
        worker.kill()
    assert Delivery.objects.get(state=DeliveryState.RUNNING).handler.endswith(".count_call")
    start_own_worker()
    settle()
    check_everything_happened_once([order], mailbox, calls=2)
    assert history("count_call") == [("lost", "worker lost"), ("done", "was enrolled")]
    assert history("email_receipt") == [("done", "")]


def test_a_web_process_killed_between_commit_and_sending(start_own_worker: StartWorker, mailbox: Path) -> None:
    start_own_worker(wait=False)
    command = [sys.executable, "-c", KILLED_BETWEEN]
    done = subprocess.run(command, cwd=ROOT, env=child_environment(), capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    order = Order.objects.get()
    assert order.state == OrderState.FULFILLED
    settle()
    check_everything_happened_once([order], mailbox)
    assert history("count_call") == [("done", "enrolled")]


def test_the_broker_is_killed_during_fifty_checkouts(
    own_broker: Broker, start_own_worker: StartWorker, mailbox: Path
) -> None:
    start_own_worker()
    orders = [check_out() for _each in range(CHECKOUTS // 3)]
    own_broker.kill()
    orders += [check_out() for _each in range(CHECKOUTS // 3)]
    assert broker_pause.is_on()
    assert Delivery.objects.filter(sent_at=None, state=DeliveryState.PENDING).exists()
    own_broker.start()
    broker_pause.end()
    orders += [check_out() for _each in range(CHECKOUTS - len(orders))]
    settle()
    check_everything_happened_once(orders, mailbox)


def test_the_database_cuts_connections_during_a_receiver(start_own_worker: StartWorker, mailbox: Path) -> None:
    with named_lock(*GATE):
        ours = backends()
        start_own_worker()
        order = check_out()
        until(lambda: traces("call", order.pk) and fetch_sql(WAITING_FOR_THE_GATE))
        for pid in backends() - ours:
            run_sql("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: Delivery.objects.filter(handler__endswith=".count_call", attempts=1, state="pending"))
    settle()
    check_everything_happened_once([order], mailbox, calls=2)
    (failed, why), (done, result) = history("count_call")
    assert (failed, done, result) == ("failed", "done", "was enrolled")
    assert why.startswith(("django.db.utils.OperationalError at ", "psycopg.errors.AdminShutdown at "))


def test_the_same_message_twice_and_two_workers(start_own_worker: StartWorker, mailbox: Path) -> None:
    order = check_out()
    ids = list(Delivery.objects.values_list("pk", flat=True))
    assert send_tasks(DELIVER, [(pk,) for pk in ids for _each in range(5)]) == 5 * len(ids)
    for worker in [start_own_worker(wait=False), start_own_worker(wait=False)]:
        worker.await_start()
    settle()
    marker = check_out()
    settle()
    check_everything_happened_once([order, marker], mailbox)


def test_two_beats_sweep_at_once(start_own_worker: StartWorker, mailbox: Path, tmp_path: Path) -> None:
    start_own_worker(wait=False)
    order = check_out()
    Delivery.objects.filter(state=DeliveryState.PENDING).update(sent_at=None)
    with running_beats(2, tmp_path):
        orders = [order, *(check_out() for _each in range(5))]
        # Those of this process are sent too; those that a sweep sends again are found done.
        until(lambda: not Delivery.objects.exclude(state=DeliveryState.DONE).exists(), 90)
    check_everything_happened_once(orders, mailbox)
    assert set(DeliveryAttempt.objects.values_list("number", flat=True)) == {1}


def test_a_worker_of_the_last_release_leaves_what_it_does_not_know(start_own_worker: StartWorker) -> None:
    old = start_own_worker(TEST_RELEASE="last")
    with transaction.atomic():
        publish(ShelfMoved(shelf=1, room="attic"))
    unknown = Delivery.objects.filter(handler__endswith=".draw_map")
    until(lambda: unknown.filter(attempts=1, state=DeliveryState.PENDING))
    until(lambda: traces("noted", 1))
    start_own_worker(wait=False)
    old.stop()
    settle()
    assert (traces("noted", 1), traces("drawn in attic", 1)) == (1, 1)
    (failed, why), done = history("draw_map")
    assert (failed, done) == ("failed", ("done", ""))
    assert why.startswith("mitxonline.coordinator.routes.UnroutedReceiver at coordinator/routes.py:")
    assert history("note_move") == [("done", "")]


def test_a_worker_killed_while_it_calls_the_course_site(
    start_own_worker: StartWorker,
    course_site: CourseSite,
    mailbox: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(course_site, settings)
    monkeypatch.setenv("TEST_COURSE_SITE", course_site.lms_url)
    orders = [check_out(), check_out()]
    for order in orders:
        course_site.state.add_account(f"learner{order.pk}", order.purchaser.email)
        for line in order.lines.all():
            course_site.state.add_run(line.item_id, line.title)
    # The work is done there, and the answer never comes.
    course_site.misbehave("late", path="/api/enrollment/v1/enrollment", method="POST", seconds=600)
    worker = start_own_worker()
    until(lambda: course_site.state.enrollments)
    worker.kill()
    start_own_worker(wait=False)
    settle()
    check_everything_happened_once(orders, mailbox)
    told = sorted((change.what, change.user) for change in course_site.state.changes)
    assert told == [("enrolled", f"learner{order.pk}") for order in sorted(orders, key=lambda order: order.pk)]
    assert set(Enrollment.objects.values_list("lms_state", flat=True)) == {EnrollmentLmsState.THERE}
    calls = Delivery.objects.filter(handler__endswith=".tell_course_site").order_by("-attempts")
    histories = [list(each.history.values_list("outcome", "result")) for each in calls]
    assert histories == [[("lost", "worker lost"), ("done", "enrolled, verified")], [("done", "enrolled, verified")]]


class running_beats:  # noqa: N801  # a context manager
    def __init__(self, count: int, folder: Path) -> None:
        self.count, self.folder = count, folder
        self.beats: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> None:
        for number in range(self.count):
            log = self.folder / f"beat-{number}.log"
            with log.open("ab") as output:
                command = [sys.executable, "-m", "celery", "-A", "mitxonline", "beat", "--loglevel", "INFO"]
                command += ["--schedule", str(self.folder / f"beat-{number}"), "--pidfile", ""]
                beat = subprocess.Popen(command, cwd=ROOT, env=child_environment(), stdout=output, stderr=output)
            self.beats.append(beat)
        try:
            for number in range(self.count):
                until(self._has_sent(self.folder / f"beat-{number}.log"), 150)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_error: object) -> None:
        for beat in self.beats:
            beat.terminate()
            beat.wait(30)

    def _has_sent(self, log: Path) -> Callable[[], bool]:
        return lambda: "Sending due task" in log.read_text()
