"""A database per test process, cloned from one that was migrated once.

The template is named by a hash of all migrations, so a changed migration makes a new one; it stays for the next run.
Names are claimed by advisory locks, which end with their process, so the leftovers of a killed run are recognized
and removed.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection, connections
from django.test import TransactionTestCase
from psycopg import sql
from pytest_django import DjangoDbBlocker

from dev.embedded.servers import test_servers
from tests.support.restoring import remember, restore

# The 2 is the layout of a template: the migrated database, and what restoring needs.
TEMPLATE = "tessera_template_2_"
CLONE = "tessera_test_"


class ProcessDatabase:
    """This process's database, and the states it can be set to."""

    def __init__(self, server: "psycopg.Connection[Any]", *, template: str, name: str) -> None:
        self.name = name
        self._server = server
        self._template = template
        self._snapshots: dict[str, str] = {}

    def start_over(self) -> None:
        """Undo everything since the migrations."""
        connections.close_all()
        with _maintenance(self.name) as database:
            restored = restore(database)
        if not restored:
            _clone(self._server, template=self._template, name=self.name)

    def provide(self, state: str, build: Callable[[], object]) -> None:
        """Set the database to a state that is slow to build: built on first use, then copied."""
        connections.close_all()
        if snapshot := self._snapshots.get(state):
            _clone(self._server, template=snapshot, name=self.name)
            return
        build()
        connections.close_all()
        snapshot = f"{self.name}_{len(self._snapshots)}"
        _claim(self._server, snapshot)
        _clone(self._server, template=self.name, name=snapshot)
        self._snapshots[state] = snapshot

    def drop(self) -> None:
        connections.close_all()
        for name in (self.name, *self._snapshots.values()):
            _drop(self._server, name)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_test_environment: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[ProcessDatabase]:
    """Replace pytest-django's fixture: clone a database, and restore it after each transactional test."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    own = f"{CLONE}{os.getpid()}_{worker}"
    with django_db_blocker.unblock(), _maintenance() as server:
        template = _migrated_template(server, salt=_salt(request.config))
        _claim(server, own)
        _drop_leftovers(server)
        _clone(server, template=template, name=own)
        connection.settings_dict["NAME"] = own
        database = ProcessDatabase(server, template=template, name=own)

        def start_over(_case: TransactionTestCase) -> None:
            database.start_over()

        # Instead of emptying every table, which would also take away what migrations put there.
        with mock.patch.object(TransactionTestCase, "_fixture_teardown", start_over):
            yield database
        database.drop()


@pytest.fixture
def process_database(django_db_setup: ProcessDatabase, transactional_db: None) -> ProcessDatabase:
    """For tests that share an expensive starting state."""
    return django_db_setup


@pytest.fixture(autouse=True)
def _forgetful_cache() -> Iterator[None]:
    """Empty the cache after each test."""
    yield
    cache.clear()


@contextmanager
def _maintenance(database: str = "postgres") -> Iterator["psycopg.Connection[Any]"]:
    """Connect outside of the tests' connections; the session on `postgres` holds the claims."""
    wanted = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    known = settings.DATABASES["default"]
    options = {name: known[key] for name, key in wanted.items() if known.get(key)}
    with psycopg.connect(dbname=database, autocommit=True, **options) as server:
        yield server


def _salt(config: pytest.Config) -> str:
    """Return what makes this run's template unique: nothing, or with --create-db the run's id."""
    if not config.getoption("create_db"):
        return ""
    workerinput: dict[str, str] = getattr(config, "workerinput", {})
    return workerinput.get("testrunuid", str(os.getpid()))


def _migrations_hash(salt: str) -> str:
    digest = hashlib.sha256(f"{salt}{settings.VERSIONS}".encode())  # `migrate` makes triggers of them
    for app in apps.get_app_configs():
        digest.update(f"{app.name}\n".encode())
        for path in sorted(Path(app.path, "migrations").glob("*.py")):
            digest.update(path.name.encode() + b"\n" + path.read_bytes())
    return digest.hexdigest()[:12]


def _migrated_template(server: "psycopg.Connection[Any]", *, salt: str) -> str:
    """Return the template's name; the first process makes it while the others wait."""
    name = TEMPLATE + _migrations_hash(salt)
    with _locked(server, TEMPLATE):
        if name not in _databases(server, name):
            draft = f"{CLONE}{name}"
            _drop(server, draft)
            _run(server, "CREATE DATABASE {}", draft)
            _migrate(draft)
            with _maintenance(draft) as database:
                remember(database)
            for old in _databases(server, TEMPLATE):
                _drop(server, old)
            # Under its final name it is complete, and no one connects to it: that would stop the cloning.
            _run(server, "ALTER DATABASE {} ALLOW_CONNECTIONS false", draft)
            _run(server, "ALTER DATABASE {} RENAME TO {}", draft, name)
    return name


def _migrate(name: str) -> None:
    before = connection.settings_dict["NAME"]
    connections.close_all()
    connection.settings_dict["NAME"] = name
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connections.close_all()
        connection.settings_dict["NAME"] = before


def _clone(server: "psycopg.Connection[Any]", *, template: str, name: str) -> None:
    _drop(server, name)
    _run(server, "CREATE DATABASE {} TEMPLATE {}", name, template)


def _drop(server: "psycopg.Connection[Any]", name: str) -> None:
    _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _run(server: "psycopg.Connection[Any]", statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _databases(server: "psycopg.Connection[Any]", prefix: str) -> list[str]:
    rows = server.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [prefix])
    return [row[0] for row in rows]


@contextmanager
def _locked(server: "psycopg.Connection[Any]", name: str) -> Iterator[None]:
    server.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
    try:
        yield
    finally:
        server.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


def _claim(server: "psycopg.Connection[Any]", name: str) -> bool:
    row = server.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
    return bool(row and row[0])


def _drop_leftovers(server: "psycopg.Connection[Any]") -> None:
    """Drop databases of dead processes; a live one holds the claim on its database's name."""
    with _locked(server, TEMPLATE):
        for name in _databases(server, CLONE):
            if name != connection.settings_dict["NAME"] and _claim(server, name):
                _drop(server, name)


def stop_unused_servers() -> None:
    """Stop the embedded test servers unless another run still uses them."""
    servers = test_servers()
    address = servers.postgres.find()
    if address is None:
        return
    with psycopg.connect(servers.postgres.url(address, "postgres")) as server:
        query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        row = server.execute(query).fetchone()
    if row == (1,):
        servers.stop()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Delete uploads and stop the embedded servers."""
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
    if not hasattr(config, "workerinput") and settings.USES_EMBEDDED_SERVERS:
        stop_unused_servers()
