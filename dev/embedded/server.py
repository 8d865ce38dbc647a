"""The base of the two embedded servers."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dev.embedded.address import Address, port_is_free
from dev.embedded.errors import EmbeddedError
from dev.embedded.identity import Identity, choose_identity
from dev.embedded.locks import exclusive, is_held, wait_until
from dev.embedded.places import make_folder

PATIENCE = 60.0  # seconds to start or stop, which is enough for crash recovery of a development database
PORT_ATTEMPTS = 5  # each port is free when it is chosen, so even a second attempt is rare


class PortTaken(EmbeddedError):
    """Another process took the port first."""


@dataclass(frozen=True, slots=True)
class Server(ABC):
    """One server in a folder of its own.

    There are two locks: `start.lock` is held while a process starts or stops the server. The server inherits
    `alive.lock`, which stays held as long as one of its processes lives. So we never rely on a pid, which after a
    kill or a reboot may belong to another process.
    """

    home: Path
    disposable: bool = False  # for tests: fast rather than safe, and recreated when broken

    name: ClassVar[str]

    @abstractmethod
    def program(self) -> Path:
        """Return the binary, to test whether an identity can run it."""

    def first_address(self) -> Address:
        """Return the address for its very first start."""
        return Address.create()

    @abstractmethod
    def answers(self, address: Address) -> bool:
        """Whether the server at the address accepts our password."""

    @abstractmethod
    def launch(self, address: Address, *, identity: Identity, alive: int) -> None:
        """Start the server in the background so that it inherits the descriptor `alive`. Raises EmbeddedError."""

    @abstractmethod
    def halt(self, address: Address, *, identity: Identity) -> None:
        """Stop the server and wait for it. Called only while it is alive."""

    @abstractmethod
    def wipe(self) -> None:
        """Delete the server's data."""

    @property
    def record(self) -> Path:
        return self.home / "address.json"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    @property
    def is_alive(self) -> bool:
        return is_held(self.home / "alive.lock")

    def find(self) -> Address | None:
        """Return the address at which the server answers now, or None."""
        address = Address.read(self.record)
        # A dead server's port may belong to another program, which would keep us waiting for an answer.
        return address if address and self.is_alive and self.answers(address) else None

    def ensure(self) -> tuple[Address, bool]:
        """Return the running server's address and whether this call started it. Safe to call concurrently."""
        if address := self.find():
            return address, False
        make_folder(self.home)
        try:
            with self._start_lock():
                if address := self._find_or_wait():
                    return address, False
                return self._start(), True
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename} belongs to another user, who ran the embedded {self.name} before. "
                f"Delete {self.home} as that user, or set LOCAL_DIR to another folder."
            ) from error

    def stop(self) -> bool:
        """Stop the server; return False if it wasn't running."""
        if not self.home.exists():
            return False
        with self._start_lock():
            address = Address.read(self.record)
            if not self.is_alive or address is None:
                return False
            self.halt(address, identity=self._choose_identity())
            if not wait_until(lambda: not self.is_alive, seconds=PATIENCE):
                raise self.failure("can't be stopped")
            return True

    def failure(self, problem: str) -> EmbeddedError:
        """Return an error with the last lines of the server's log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-8:]
        except OSError:
            lines = []
        log = "".join(f"\n    {line}" for line in lines)
        return EmbeddedError(f"The embedded {self.name} {problem}. Its log is {self.log}.{log}")

    def _start_lock(self) -> AbstractContextManager[int]:
        busy = f"Another process is still starting or stopping the embedded {self.name} in {self.home}."
        return exclusive(self.home / "start.lock", seconds=2 * PATIENCE, busy=busy)

    def _choose_identity(self) -> Identity:
        return choose_identity(program=self.program(), folder=self.home)

    def _find_or_wait(self) -> Address | None:
        """A server that is alive but doesn't answer is starting, recovering or stopping: wait for the outcome."""
        wait_until(lambda: self.find() is not None or not self.is_alive, seconds=PATIENCE)
        if address := self.find():
            return address
        if self.is_alive:
            raise self.failure("is running but doesn't answer")
        return None

    def _start(self) -> Address:
        identity = self._choose_identity()
        try:
            return self._start_on_free_port(identity)
        except EmbeddedError:
            if not self.disposable or self.is_alive:
                raise
            self.wipe()
            return self._start_on_free_port(identity)

    def _start_on_free_port(self, identity: Identity) -> Address:
        address = (Address.read(self.record) or self.first_address()).ensure_free_port()
        for _ in range(PORT_ATTEMPTS):
            address.write(self.record)
            try:
                self._start_at(address, identity)
            except PortTaken:
                address = address.with_free_port()
            else:
                return address
        raise self.failure(f"found no free port in {PORT_ATTEMPTS} attempts")

    def _start_at(self, address: Address, identity: Identity) -> None:
        alive_lock = self.home / "alive.lock"
        with exclusive(alive_lock, seconds=PATIENCE, busy=f"{alive_lock} is held by another process.") as alive:
            self.launch(address, identity=identity, alive=alive)
        # Our own descriptor is closed now, so only the server holds the lock.
        wait_until(lambda: self.answers(address) or not self.is_alive, seconds=PATIENCE)
        if self.answers(address):
            return
        if not self.is_alive and not port_is_free(address.port):
            raise PortTaken(f"Another process took port {address.port}.")
        raise self.failure("didn't start")
