"""The demonstration addresses of developers: the documented JSON, by the route table, the outbox and workers."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.urls import include, path

from dev.demo_lms import receivers, views
from dev.demo_lms.routes import DEMO_ROUTES
from mitxonline.coordinator.checks import check_routes
from mitxonline.coordinator.models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryState
from tests.ops.variables import REQUIRED, load_with, warm_up
from tests.support.broker import StartWorker, until

urlpatterns = [path("demo_lms/", include("dev.demo_lms.urls"))]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _demo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("COMMERCE_EVENT_ROUTES_EXTRA", json.dumps(DEMO_ROUTES))
    with override_settings(ROOT_URLCONF=__name__, COMMERCE_EVENT_ROUTES_EXTRA=DEMO_ROUTES):
        yield


def get(address: str) -> dict[str, Any]:
    response = Client().get(f"/demo_lms/{address}/")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    return json.loads(response.content)  # type: ignore[no-any-return]


@pytest.mark.django_db(transaction=True)
def test_one_receiver_succeeds_and_the_others_exception_is_in_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        first, second = get("test").items()
    assert first == (repr(receivers.test_receiver), "")
    assert first[0].startswith("<function test_receiver at 0x")
    assert second[0].startswith("<function test_receiver_exception at 0x")
    text = second[1].splitlines()
    assert text[:2] == ["Oh no, something went wrong!", "Traceback (most recent call last):"]
    assert text[-1] == "dev.demo_lms.receivers.DemoFailure: Oh no, something went wrong!"
    assert "test_receiver CALLED with sender 'Something'" in caplog.text
    assert "test_receiver_exception CALLED with sender 'Something'" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_outbox_keeps_what_the_receivers_did() -> None:
    get("test")
    get("test")
    assert (
        list(Delivery.objects.order_by("pk").values_list("handler", "state"))
        == [
            ("dev.demo_lms.receivers.test_receiver", DeliveryState.DONE),
            ("dev.demo_lms.receivers.test_receiver_exception", DeliveryState.GIVEN_UP),
        ]
        * 2
    )
    outcomes = list(DeliveryAttempt.objects.order_by("delivery_id").values_list("outcome", flat=True))
    assert outcomes == [AttemptOutcome.DONE, AttemptOutcome.FAILED] * 2


@pytest.mark.timeout(300)
@pytest.mark.django_db(transaction=True)
def test_workers_make_the_other_deliveries(start_worker: StartWorker) -> None:
    start_worker()
    assert get("test_celery_signal") == {repr(receivers.test_celery_signal_task): ""}
    assert get("demo_purchase_complete") == {
        repr(receivers.demo_purchase_complete_order_history): "",
        repr(receivers.demo_purchase_complete_send_confirmation_email): "",
        repr(receivers.demo_purchase_complete_enroll_in_course): "",
    }
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DONE}


@pytest.mark.django_db(transaction=True)
def test_without_a_worker_the_answer_says_how_to_start_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "WORKER_SECONDS", 0.0)
    (answer,) = get("test_celery_signal").values()
    assert answer.endswith("start one with: manage.py celery")
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_nothing_is_posted() -> None:
    assert Client().post("/demo_lms/test/").status_code == 405


def test_the_demonstrations_routes_have_no_mistakes() -> None:
    assert [each.msg for each in check_routes() if each.is_serious()] == []


def test_only_development_has_the_addresses() -> None:
    warm_up()
    assert "dev.demo_lms" in load_with("development", {}, show="INSTALLED_APPS")
    production = REQUIRED | {"STRIPE_SECRET_KEY": "sk_live_key"}
    assert "dev.demo_lms" not in load_with("production", production, show="INSTALLED_APPS")
    assert "demo_lms" not in load_with("production", production, show="COMMERCE_EVENT_ROUTES_EXTRA")
    assert "dev.demo_lms" not in settings.INSTALLED_APPS


@pytest.mark.django_db
@override_settings(ROOT_URLCONF="mitxonline.urls")
@pytest.mark.parametrize("address", ["test", "test_celery_signal", "demo_purchase_complete"])
def test_a_site_without_the_app_has_no_such_page(address: str) -> None:
    assert Client().get(f"/demo_lms/{address}/").status_code == 404


@pytest.mark.timeout(300)
def test_the_worker_starts_again_when_a_file_changes(tmp_path: Path) -> None:
    program = tmp_path / "watch.py"
    watched = tmp_path / "watched"
    watched.mkdir()
    (watched / "module.py").write_text("ONE = 1\n")
    program.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from dev.demo_lms.management.commands import celery\n"
        "celery.PROJECT, celery.PACKAGES = Path(sys.argv[1]), ('watched',)\n"
        "class Worker(celery.Worker):\n"
        "    def __init__(self, options):\n"
        "        self._command = [sys.executable, '-c', 'import time; print(\"up\", flush=True); time.sleep(300)']\n"
        "        self.start()\n"
        "celery.Worker = Worker\n"
        "celery.Command().run_from_argv(['manage.py', 'celery', '--skip-checks'])\n"
    )
    log = tmp_path / "log"
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "mitxonline.settings.test",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", str(program), str(tmp_path)], stdout=output, stderr=output, env=environment
        )
    try:
        until(lambda: log.read_text().count("up\n") == 1)
        threading.Event().wait(2.5)  # The watcher compares times of files once a second.
        (watched / "module.py").write_text("ONE = 2\n")
        until(lambda: "module.py changed, the worker starts again." in log.read_text())
        until(lambda: log.read_text().count("up\n") == 2)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
