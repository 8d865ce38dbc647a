"""The package under examples/ is installed as anyone would, without a network, and its own tests are run."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.db import connection

from mitxonline.event_routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "tessera_ledger"
HEARS = {"ecommerce.events.OrderFulfilled": {"after_commit": ["tessera_ledger.receivers.record_sale"]}}

Run = Callable[..., str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip installed the package, from a copy, because building leaves files beside the source."""
    folder = tmp_path_factory.mktemp("example")
    copy = shutil.copytree(
        EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
    options = ["--no-deps", "--no-build-isolation", "--root-user-action", "ignore", "--target", str(folder / "site")]
    subprocess.run([*pip, *options, str(copy)], check=True, timeout=300)
    assert (folder / "site" / "tessera_ledger" / "migrations" / "0001_initial.py").is_file()
    return folder / "site"


@pytest.fixture
def run(site: Path, transactional_db: None) -> Run:
    """Run a program with the package installed, on this test's database, and return what it wrote."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "COV_"))} | {
        "PYTHONPATH": str(site),
        "DATABASE_URL": urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}")),
        "DJANGO_SETTINGS_MODULE": "mitxonline.settings.test",
        "COMMERCE_APPS_EXTRA": "tessera_ledger",
        "COMMERCE_EVENT_ROUTES_EXTRA": json.dumps(HEARS),
        "TEST_EVENT_ROUTES": "mitxonline.event_routes.ROUTES",
    }

    def run(*arguments: str, **changes: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        return f"{done.stdout}{done.stderr}exit {done.returncode}"

    return run


@pytest.mark.timeout(900)
def test_an_installed_package_hears_events_without_a_change_here(run: Run) -> None:
    assert "Applying tessera_ledger.0001_initial... OK" in run("manage.py", "migrate", "tessera_ledger")
    plugins = ["-p", "tests.support.existing_database", "-p", "tests.support.broker"]
    output = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, str(EXAMPLE / "tests"))
    assert "3 passed" in output, output
    assert run("manage.py", "migrate", "tessera_ledger", "zero").endswith("OK\nexit 0")
    assert not any("ledger" in each.__module__ for route in ROUTES.values() for each in route.later)


def test_its_models_have_their_migration(run: Run) -> None:
    assert run("manage.py", "makemigrations", "tessera_ledger", "--check", "--dry-run").endswith("exit 0")


def test_a_wrong_path_stops_every_command_with_the_settings_name(run: Run) -> None:
    wrong = json.dumps({"ecommerce.events.OrderFulfilled": {"after_commit": ["tessera_ledger.receivers.record_sail"]}})
    output = run("manage.py", "migrate", "--plan", COMMERCE_EVENT_ROUTES_EXTRA=wrong)
    assert (
        "COMMERCE_EVENT_ROUTES_EXTRA: (coordinator.E011) the receiver 'tessera_ledger.receivers.record_sail'" in output
    )
    assert 'COMMERCE_EVENT_ROUTES_EXTRA: Write "tessera_ledger.receivers.record_sale".' in output
    assert output.endswith("exit 1")


def test_an_app_that_is_not_installed_is_a_sentence(run: Run) -> None:
    output = run("manage.py", "check", COMMERCE_APPS_EXTRA="tessera_ledgre")
    assert output.startswith("COMMERCE_APPS_EXTRA names an app that isn't installed.")
    assert output.endswith("exit 1")
