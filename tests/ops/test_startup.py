"""Web processes and workers don't start with wrong routes; manage.py is checked by Django."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import RequestFactory

from mitxonline.server_error import server_error
from tests.support.broker import ROOT

WRONG = {"ecommerce.events.OrderFulfilled": {"after_commit": ["ecommerce.receivers.email_recipt"]}}
# Nothing of it is asked before the process refuses.
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "mitxonline.settings.production",
    "SECRET_KEY": "a-key-for-a-process-that-never-serves-0123456789-0123456789",
    "ALLOWED_HOSTS": "shop.school.edu",
    "SITE_BASE_URL": "https://shop.school.edu",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}
WORKER = ["-m", "celery", "-A", "mitxonline", "worker", "--pool", "solo"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", [["-c", "import mitxonline.wsgi"], ["-c", "import mitxonline.asgi"], WORKER])
def test_a_process_with_wrong_routes_ends_with_the_line_to_change(program: list[str]) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    environment |= {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.test", "PYTHONWARNINGS": "ignore"}
    environment |= {"COMMERCE_EVENT_ROUTES_EXTRA": json.dumps(WRONG)}
    ended = subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 1
    assert (
        "COMMERCE_EVENT_ROUTES_EXTRA: (coordinator.E011) the receiver 'ecommerce.receivers.email_recipt'"
        in ended.stderr
    )
    assert 'Write "ecommerce.receivers.email_receipt".' in ended.stderr
    assert " ready." not in ended.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("module", ["wsgi", "asgi"])
def test_a_web_process_without_its_static_files_says_what_to_run(module: str, tmp_path: Path) -> None:
    start = (
        "from django.conf import settings\n"
        f"settings.STATIC_ROOT = {str(tmp_path / 'none')!r}\n"
        f"import mitxonline.{module}\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))}
    ended = subprocess.run(
        [sys.executable, "-c", start],
        cwd=ROOT,
        env=environment | PRODUCTION,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.returncode == 1
    assert "Run “python manage.py collectstatic --no-input”" in ended.stderr


def test_the_page_about_an_error_fails_on_nothing(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> str:
        raise ValueError("Missing staticfiles manifest entry")

    monkeypatch.setattr(staticfiles_storage, "url", fail)
    response = server_error(rf.get("/catalog/"))
    assert response.status_code == 500
    assert "Server Error" in response.content.decode()
