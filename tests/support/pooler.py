"""A real pgbouncer before the test database, with transaction pooling and few sessions."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from django.db import connection, connections

from dev.embedded.address import free_port
from tests.support.broker import until
from tests.support.programs import find_program

SESSIONS = 3


@contextmanager
def transaction_pooling() -> Iterator[dict[str, Any]]:
    """Send this process's database connections through pgbouncer; yield the parameters for further ones."""
    with TemporaryDirectory() as folder:
        yield from _pool(Path(folder))


def _pool(folder: Path) -> Iterator[dict[str, Any]]:
    params = connection.get_connection_params()
    port = free_port()
    users = folder / "users.txt"
    users.write_text(f'"{params["user"]}" "{params.get("password") or ""}"\n')
    config = folder / "pgbouncer.ini"
    host = params.get("host") or "/var/run/postgresql"
    config.write_text(
        "[databases]\n"
        f"* = host={host} port={params.get('port') or 5432} user={params['user']}"
        + (f" password={params['password']}" if params.get("password") else "")
        + "\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {users}\npool_mode = transaction\n"
        f"default_pool_size = {SESSIONS}\nmin_pool_size = {SESSIONS}\nserver_round_robin = 1\n"
    )
    command = [find_program("pgbouncer"), str(config)]
    if os.geteuid() == 0:  # it refuses to run as root
        folder.chmod(0o755)
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    settings = connection.settings_dict
    before = {name: settings.get(name) for name in ("HOST", "PORT", "DISABLE_SERVER_SIDE_CURSORS")}
    pooled = {"host": "127.0.0.1", "port": port, "user": params["user"], "dbname": params["dbname"]}
    try:
        until(lambda: _answers(pooled))
        connections.close_all()
        settings |= {"HOST": "127.0.0.1", "PORT": str(port)}
        yield pooled
    finally:
        connections.close_all()
        settings |= before
        process.terminate()
        process.wait(20)


def _answers(params: dict[str, Any]) -> bool:
    try:
        with psycopg.connect(**params, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False
