"""Creates the tables of a new database, so that any command works right after `make setup`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import PurePath

import psycopg

from dev.embedded.errors import EmbeddedError
from dev.embedded.locks import exclusive, is_held
from dev.embedded.places import PROJECT, local_dir

# Commands that manage the tables themselves.
SCHEMA_COMMANDS = frozenset(
    {"dbshell", "inspectdb", "makemigrations", "migrate", "showmigrations", "sqlmigrate", "squashmigrations", "test"}
)
PATIENCE = 300.0  # seconds to wait for another process to do it, which takes about 15


def migrate_new_database(arguments: Sequence[str], url: str) -> None:
    """Migrate and set up the site before a `manage.py` command if the database is new. Raises EmbeddedError.

    An older database is left alone: its owner may not want to migrate it yet.
    """
    if not needs_tables(arguments):
        return
    lock = local_dir() / "prepare.lock"
    if is_held(lock) or is_new(url):
        with exclusive(lock, seconds=PATIENCE, busy="Another process is still creating the tables."):
            if is_new(url):
                _prepare_database()


def needs_tables(arguments: Sequence[str]) -> bool:
    """Whether this process is `manage.py` with a command that expects tables."""
    return len(arguments) > 1 and PurePath(arguments[0]).name == "manage.py" and arguments[1] not in SCHEMA_COMMANDS


def is_new(url: str) -> bool:
    with psycopg.connect(url, connect_timeout=5) as connection:
        return connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,)


def _prepare_database() -> None:
    sys.stderr.write("Creating the tables of the new database …\n")
    sys.stderr.flush()
    command = [sys.executable, "-m", "dev.embedded.prepare", "--without-demo"]
    done = subprocess.run(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise EmbeddedError(f"The tables couldn't be created:\n{done.stderr.strip()}")
