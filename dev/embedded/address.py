"""Where a server was last seen, and the password by which it proves to be ours."""

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    port: int
    password: str

    @classmethod
    def fresh(cls) -> "Address":
        return cls(port=free_port(), password=secrets.token_urlsafe(24))

    def elsewhere(self) -> "Address":
        """The same server on another free port."""
        return replace(self, port=free_port())

    def usable(self) -> "Address":
        """The same address, or another port if someone took this one meanwhile."""
        return self if port_is_free(self.port) else self.elsewhere()

    @classmethod
    def read(cls, path: Path) -> "Address | None":
        """The recorded address; None if there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Record it in one step: a reader finds the old record or the new one, never half of one."""
        draft = path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
        draft.replace(path)


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port no one listens on at this moment; the caller tries another if someone is faster."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
