"""``python -m tests.bench [part of a name] [--quick]``: measure the budgets in a database of their own."""

from __future__ import annotations

import argparse
import logging
import os
from importlib import import_module

import django
from django.conf import settings

SUBJECTS = (
    "tests.bench.codes",
    "tests.bench.pages",
    "tests.bench.search",
    "tests.bench.checkout",
    "tests.bench.hanging",
    "tests.bench.deliveries",
    "tests.bench.audits",
    "tests.bench.reports",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="measure only what has this in its name")
    parser.add_argument("--quick", action="store_true", help="leave out what takes long")
    options = parser.parse_args()

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mitxonline.settings.test")
    servers = import_module("dev.embedded.servers").test_servers()
    started = servers.provide(os.environ)
    try:
        django.setup()
        logging.disable(logging.WARNING)
        _measure(pattern=options.pattern, quick=options.quick)
    finally:
        for server in started:
            server.stop()


def _measure(*, pattern: str, quick: bool) -> None:
    # Only now: what is measured needs Django to be set up, and finds it configured for this database.
    harness = import_module("tests.bench.harness")
    console = import_module("rich.console").Console(width=None)
    connection = import_module("django.db").connection
    settings.DATABASES["default"].setdefault("TEST", {})["NAME"] = f"tessera_bench_{os.getpid()}"
    connection.settings_dict.setdefault("TEST", {})["NAME"] = f"tessera_bench_{os.getpid()}"
    with console.status("Making a database"):
        name = connection.settings_dict["NAME"]
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        for subject in SUBJECTS:
            import_module(subject)
        harness.run_benches(console, pattern=pattern, quick=quick)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
