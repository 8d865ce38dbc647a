"""Start a Celery worker, and start it again whenever a Python file changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import REMAINDER, ArgumentParser
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.autoreload import StatReloader

PROJECT = Path(__file__).resolve().parents[4]
PACKAGES = ("api", "b2b", "cms", "courses", "dev", "ecommerce", "examples", "frontend", "mitxonline", "reports")
_STOP_SECONDS = 30


class Worker:
    """The worker's process, in the environment of this one."""

    def __init__(self, options: list[str]) -> None:
        self._command = [sys.executable, "-m", "celery", "--app", "mitxonline", "worker", *options]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, cwd=PROJECT)  # noqa: S603 - arguments of the developer

    def stop(self) -> None:
        """Let the worker finish its task; what takes longer is left to the next one, by its lease."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class WorkerReloader(StatReloader):
    """Django's own watcher of source files, which restarts a worker instead of this process."""

    def __init__(self, worker: Worker, command: BaseCommand) -> None:
        super().__init__()
        self._worker, self._command = worker, command

    def notify_file_changed(self, path: str | os.PathLike[str]) -> None:
        self._command.stdout.write(f"{path} changed, the worker starts again.")
        self._worker.stop()
        self._worker.start()


class Command(BaseCommand):
    help = "Starts a Celery worker and restarts it when a Python file changes. What follows -- goes to the worker."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("options", nargs=REMAINDER, metavar="-- options", help="as in: -- --concurrency 1")

    def handle(self, *args: Any, **options: Any) -> None:
        given = [each for each in options["options"] if each != "--"]
        worker = Worker(given or ["--loglevel", "INFO", "--concurrency", "2"])
        reloader = WorkerReloader(worker, self)
        for package in PACKAGES:
            reloader.watch_dir(PROJECT / package, "**/*.py")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            for _tick in reloader.tick():
                """Waits a second, and restarts the worker if a file changed."""
        worker.stop()
