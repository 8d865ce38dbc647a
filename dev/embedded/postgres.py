"""The embedded PostgreSQL 18."""

import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from dev.embedded.address import HOST, Address
from dev.embedded.binaries import postgres_binary
from dev.embedded.errors import EmbeddedError
from dev.embedded.identity import Identity
from dev.embedded.server import PATIENCE, Server

USER = DATABASE = "tessera"
UNUSED_PID = "2147483646"  # higher than any pid a kernel assigns

# No Unix socket: its path may be longer than the system allows, and all clients use TCP.
# No parallel plans: they don't pay on data this small and need shared memory that a container may not have.
ALWAYS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",  # enough for two test workers with sixteen racing clients each
    "max_parallel_workers_per_gather": "0",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "scram_iterations": "1",  # the password has 192 random bits, so stretching it only costs time
}
# Asynchronous commits are faster and lose at most the last 30 ms in a crash. fsync stays on, because without it the
# database might not start again.
DEVELOPMENT = {"synchronous_commit": "off", "wal_writer_delay": "10ms"}
# Test databases are recreated if they break.
DISPOSABLE = {
    "synchronous_commit": "off",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "10min",
}


def quote(value: str) -> str:
    """Quote a value for postgresql.conf."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


class PostgresServer(Server):
    name: ClassVar[str] = "PostgreSQL"

    @property
    def data(self) -> Path:
        """Named by the major version, because others can't read it."""
        return self.home / "data18"

    def program(self) -> Path:
        return postgres_binary("postgres")

    def url(self, address: Address, database: str = DATABASE) -> str:
        return f"postgres://{USER}:{address.password}@{HOST}:{address.port}/{database}"

    def first_address(self) -> Address:
        if self.data.exists():
            raise EmbeddedError(
                f"{self.record} is lost, and with it the password of the database in {self.data}. "
                "Delete that folder if you don't need its data."
            )
        return super().first_address()

    def answers(self, address: Address) -> bool:
        try:
            with self._connect(address):
                return True
        except psycopg.OperationalError:
            return False

    def launch(self, address: Address, *, identity: Identity, alive: int) -> None:
        if not self.data.exists():
            self._initialize(address, identity)
        self._configure(address)
        self._neutralize_pid_file()
        identity.take_ownership(self.home)
        started = self._control(identity, "start", "-l", self.log.name, "-w", "-t", f"{PATIENCE:.0f}", alive=alive)
        if started:
            self._create_database(address)

    def halt(self, address: Address, *, identity: Identity) -> None:
        if not self._control(identity, "stop", "-m", "fast", "-w", "-t", f"{PATIENCE:.0f}"):
            raise self.failure("can't be stopped")

    def wipe(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.record.unlink(missing_ok=True)

    def _connect(self, address: Address) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url(address, "postgres"), connect_timeout=5, autocommit=True)

    def _control(self, identity: Identity, action: str, *options: str, alive: int | None = None) -> bool:
        """Run pg_ctl with paths relative to its working directory, because it passes them to a shell."""
        done = subprocess.run(
            identity.command(postgres_binary("pg_ctl"), action, "-D", self.data.name, "-s", *options),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=() if alive is None else (alive,),
            start_new_session=True,  # Ctrl-C must reach only the program in the foreground
            check=False,
        )
        return done.returncode == 0

    def _initialize(self, address: Address, identity: Identity) -> None:
        """Create the data folder under another name and rename it once it is complete."""
        draft, password = self.home / "data.new", self.home / "password.new"
        shutil.rmtree(draft, ignore_errors=True)
        password.write_text(address.password)
        identity.take_ownership(self.home)
        options = ["-D", draft.name, "-U", USER, "--auth=scram-sha-256", f"--pwfile={password.name}"]
        # The builtin provider sorts the same on every machine, whatever locales are installed.
        options += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options += [
            "--no-instructions",
            "-c",
            "scram_iterations=1",
            *(["--no-sync"] if self.disposable else []),
        ]
        try:
            done = subprocess.run(
                identity.command(postgres_binary("initdb"), *options),
                cwd=self.home,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            password.unlink()
        if done.returncode:
            raise EmbeddedError(f"The embedded PostgreSQL can't create its data folder: {done.stderr.strip()}")
        with (draft / "postgresql.conf").open("a") as file:
            file.write("include 'embedded.conf'\n")
        draft.rename(self.data)

    def _configure(self, address: Address) -> None:
        values = ALWAYS | (DISPOSABLE if self.disposable else DEVELOPMENT) | {"port": str(address.port)}
        lines = [f"{name} = {quote(value)}\n" for name, value in values.items()]
        (self.data / "embedded.conf").write_text("".join(lines))

    def _neutralize_pid_file(self) -> None:
        """Put an unused pid in a pid file that a killed server left behind.

        We hold `alive.lock`, so no process of this server is alive. Its old pid may belong to another process, and
        PostgreSQL would then refuse to start. It needs the other lines to free the old shared memory.
        """
        path = self.data / "postmaster.pid"
        if not path.exists():
            return
        _, *rest = path.read_text(errors="replace").splitlines() or [""]
        if rest:
            path.write_text("\n".join([UNUSED_PID, *rest, ""]))
        else:
            path.unlink()

    def _create_database(self, address: Address) -> None:
        with self._connect(address) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [DATABASE]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
