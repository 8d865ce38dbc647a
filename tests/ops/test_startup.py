"""Web processes and workers don't start with wrong routes; manage.py is checked by Django."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.broker import ROOT

WRONG = {"ecommerce.events.OrderFulfilled": {"after_commit": ["ecommerce.receivers.email_recipt"]}}
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
