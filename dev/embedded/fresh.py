"""The tables of a database that has none yet, so that any command works on a machine that only ran `make setup`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import PurePath

import psycopg

from dev.embedded.errors import EmbeddedError
from dev.embedded.locks import exclusive, is_held
from dev.embedded.places import PROJECT, local_dir

# Whoever types one of these looks after the tables without help.
ABOUT_TABLES = frozenset(
    {"dbshell", "inspectdb", "makemigrations", "migrate", "showmigrations", "sqlmigrate", "squashmigrations", "test"}
)
PATIENCE = 300.0  # seconds for someone else who is at it; it takes about 15


def make_tables_when_new(arguments: Sequence[str], url: str) -> None:
    """Migrate and set the site up before a `manage.py` command, if no one ever did; EmbeddedError if that fails.

    An older database is left alone: bringing it up to date may be what its owner does not want yet.
    """
    if not needs_tables(arguments):
        return
    lock = local_dir() / "prepare.lock"
    if is_held(lock) or is_new(url):
        with exclusive(lock, seconds=PATIENCE, busy="Another process has been making the tables for long."):
            if is_new(url):
                _make_tables()


def needs_tables(arguments: Sequence[str]) -> bool:
    """Whether this process is `manage.py` with a command that expects the project's tables."""
    return len(arguments) > 1 and PurePath(arguments[0]).name == "manage.py" and arguments[1] not in ABOUT_TABLES


def is_new(url: str) -> bool:
    """Whether nothing was ever migrated there."""
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,)


def _make_tables() -> None:
    sys.stderr.write("The database is new: making its tables, a moment …\n")
    sys.stderr.flush()
    command = [sys.executable, "-m", "dev.embedded.prepare", "--without-demo"]
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise EmbeddedError(f"The tables could not be made:\n{done.stderr.strip()}")
