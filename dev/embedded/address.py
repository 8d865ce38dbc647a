"""The recorded port of a server, and the password that proves it is ours."""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HOST = "127.0.0.1"
# Below those that systems give to outgoing connections, one of which may take a port before its server listens on it.
PORTS = range(20_000, 32_768)


@dataclass(frozen=True, slots=True)
class Address:
    port: int
    password: str

    @classmethod
    def create(cls) -> "Address":
        return cls(port=free_port(), password=secrets.token_urlsafe(24))

    def with_free_port(self) -> "Address":
        return replace(self, port=free_port())

    def ensure_free_port(self) -> "Address":
        """Return this address, or one with another port if this port has been taken."""
        return self if port_is_free(self.port) else self.with_free_port()

    @classmethod
    def read(cls, path: Path) -> "Address | None":
        """Return the recorded address, or None if there is no readable record."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        # Replaced in one step, so that a reader sees the old record or the new one and never half of one.
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
        draft.replace(path)


def port_is_free(port: int, host: str = HOST) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that is free now. Another process may take it first, so callers retry."""
    for port in secrets.SystemRandom().sample(PORTS, 20):
        if port_is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
