"""What the two embedded servers have in common: one is started at a time, and life is proved by an answer."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dev.embedded.address import Address
from dev.embedded.errors import EmbeddedError
from dev.embedded.identity import Identity, choose_identity
from dev.embedded.locks import exclusive, is_held, wait_until
from dev.embedded.places import make_folder

PATIENCE = 60.0  # seconds for a start or a stop; crash recovery of a development database takes less
TRIES = 5  # ports; each is free when it is chosen, so a second try is rare already


class PortTaken(EmbeddedError):
    """Someone was faster at the port."""


@dataclass(frozen=True, slots=True)
class Server(ABC):
    """One server in a folder of its own.

    Two locks: `start.lock` is held by who starts or stops it, `alive.lock` is inherited by the server and
    stays held for as long as one of its processes lives. So a pid is never asked, which after a kill or a
    reboot may be anyone's.
    """

    home: Path
    disposable: bool = False  # tests: speed before safety, and a broken one is made anew

    name: ClassVar[str]

    @abstractmethod
    def program(self) -> Path:
        """The binary, for trying out an identity."""

    def first_address(self) -> Address:
        """Where it is to be when it starts for the first time."""
        return Address.fresh()

    @abstractmethod
    def answers(self, address: Address) -> bool:
        """Whether our server, known by its password, takes connections at the address."""

    @abstractmethod
    def launch(self, address: Address, *, identity: Identity, alive: int) -> None:
        """Start it in the background, inheriting the descriptor `alive`; PortTaken, EmbeddedError."""

    @abstractmethod
    def halt(self, address: Address, *, identity: Identity) -> None:
        """End it and wait for that; called only while it is known to live."""

    @abstractmethod
    def wipe(self) -> None:
        """Throw its data away."""

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
        """The address at which it answers now, if it does."""
        address = Address.read(self.record)
        # A dead server's port may be a stranger's, who keeps us waiting for an answer.
        return address if address and self.is_alive and self.answers(address) else None

    def ensure(self) -> tuple[Address, bool]:
        """The running server's address, and whether this call started it. Any number may call at once."""
        if address := self.find():
            return address, False
        make_folder(self.home)
        try:
            with self._alone():
                if address := self._find_or_wait():
                    return address, False
                return self._start(), True
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename} belongs to someone else, who ran the embedded {self.name} before. "
                f"Delete {self.home} as that person, or set LOCAL_DIR to another folder."
            ) from error

    def stop(self) -> bool:
        """End it; False if it did not run."""
        if not self.home.exists():
            return False
        with self._alone():
            address = Address.read(self.record)
            if not self.is_alive or address is None:
                return False
            self.halt(address, identity=self._identity())
            if not wait_until(lambda: not self.is_alive, seconds=PATIENCE):
                raise self.failure("doesn't end")
            return True

    def failure(self, what: str) -> EmbeddedError:
        """An error that carries the last words of the server's log."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-8:]
        except OSError:
            lines = []
        words = "".join(f"\n    {line}" for line in lines)
        return EmbeddedError(f"The embedded {self.name} {what}. Its log is {self.log}.{words}")

    def _alone(self) -> AbstractContextManager[int]:
        busy = f"Another process has been starting or stopping the embedded {self.name} in {self.home} for long."
        return exclusive(self.home / "start.lock", seconds=2 * PATIENCE, busy=busy)

    def _identity(self) -> Identity:
        return choose_identity(program=self.program(), folder=self.home)

    def _find_or_wait(self) -> Address | None:
        """One that lives but does not answer is starting, recovering or ending: wait for the outcome."""
        wait_until(lambda: self.find() is not None or not self.is_alive, seconds=PATIENCE)
        if address := self.find():
            return address
        if self.is_alive:
            raise self.failure("runs but does not answer")
        return None

    def _start(self) -> Address:
        identity = self._identity()
        try:
            return self._start_at_some_port(identity)
        except EmbeddedError:
            if not self.disposable or self.is_alive:
                raise
            self.wipe()
            return self._start_at_some_port(identity)

    def _start_at_some_port(self, identity: Identity) -> Address:
        address = (Address.read(self.record) or self.first_address()).usable()
        for _ in range(TRIES):
            address.write(self.record)
            try:
                self._start_at(address, identity)
            except PortTaken:
                address = address.elsewhere()
            else:
                return address
        raise self.failure(f"found no free port in {TRIES} tries")

    def _start_at(self, address: Address, identity: Identity) -> None:
        alive_lock = self.home / "alive.lock"
        with exclusive(alive_lock, seconds=PATIENCE, busy=f"{alive_lock} is held by someone.") as alive:
            self.launch(address, identity=identity, alive=alive)
        # Our own descriptor is closed by now: the lock is the server's alone.
        wait_until(lambda: self.answers(address) or not self.is_alive, seconds=PATIENCE)
        if self.answers(address):
            return
        if not self.is_alive and not self._port_was_ours(address):
            raise PortTaken(f"Port {address.port} was taken meanwhile.")
        raise self.failure("did not start")

    def _port_was_ours(self, address: Address) -> bool:
        return address.usable() is address
