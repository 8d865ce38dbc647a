"""A real Keycloak with this project's realm file, fetched by Maven once and started once per process.

Every test that asks for it runs twice: with the oldest and with the newest Keycloak that the storefront is used with.
In memory, on 127.0.0.1 alone, with a small heap: up in a dozen seconds, with a third of a gigabyte. Tests that use it
bear the marks of `needs_keycloak`; all tests of one version run in one test process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from keycloak import KeycloakAdmin, KeycloakOpenIDConnection

from dev.embedded.address import free_port
from tests.support.broker import ROOT, until
from tests.support.programs import find_program

OLDEST, NEWEST = "26.4.7", "26.7.3"
# From here on the right to organizations is given by roles of its own.
ORGANIZATION_ROLES_SINCE = (26, 7)
FETCH_SECONDS = 400
BUILD_SECONDS = 180
START_SECONDS = 180.0
# A test may be the first, and then waits for all three.
TEST_SECONDS = FETCH_SECONDS + BUILD_SECONDS + int(START_SECONDS) + 120

REALM_FILE = ROOT / "config" / "keycloak" / "realm.json"
REALM = "tessera"
PASSWORD = "tessera-demo"
CLIENT, CLIENT_SECRET = "storefront", "storefront-demo-secret"
SYNC_CLIENT, SYNC_SECRET = "storefront-sync", "storefront-sync-demo-secret"
LARKFIELD, NORTHGATE = "LarkfieldUniversity", "NorthgateHealth"
SAM, AMARA, LEA = "sam.taylor@larkfield.example", "amara.okafor@northgate.example", "lea.moreau@mail.example"
ROBIN, NILS = "robin.hale@staff.example", "nils.aune@staff.example"

needs_keycloak = [pytest.mark.needs("java", "mvn"), pytest.mark.timeout(TEST_SECONDS)]

# The distribution without its start script: small, quick to start, quick to end.
_JAVA_OPTIONS = (
    "-Xms64m",
    "-Xmx320m",
    "-XX:MaxMetaspaceSize=256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.security.egd=file:/dev/urandom",
    "-Duser.language=en",
    "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
    "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
    "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.security=ALL-UNNAMED",
)


class Keycloak:
    """A running server and the actions of its administrators."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.distribution = distribution = _distribution(version)
        self.url = f"http://127.0.0.1:{free_port()}"
        self.issuer = f"{self.url}/realms/{REALM}"
        self._log = folder / "keycloak.log"
        home = _home(distribution, folder / "home")
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *_command(distribution, home),
                    *("start", "--optimized", "--import-realm", "--cache=local"),
                    *("--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={self.url.rpartition(':')[2]}"),
                    f"--hostname={self.url}",
                ],
                env=os.environ | {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": PASSWORD},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Wait until it answers for the realm."""
        until(self._is_ready, START_SECONDS)

    def stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(15)

    @property
    def has_organization_roles(self) -> bool:
        """Whether there are roles for organizations; before, whoever asked for them needed `manage-realm`."""
        return tuple(int(part) for part in self.version.split(".")[:2]) >= ORGANIZATION_ROLES_SINCE

    def give_roles_of_its_time(self) -> None:
        """The realm file has the roles of the newest version; others get what docs/keycloak.md says of theirs."""
        if not self.has_organization_roles:
            self.set_roles("manage-realm")

    def set_roles(self, *names: str) -> None:
        """Give the synchronization's service account exactly these roles of realm-management."""
        admin = self.admin
        management, client = admin.get_client_id("realm-management"), admin.get_client_id(SYNC_CLIENT)
        assert management is not None
        assert client is not None
        account = admin.get_client_service_account_user(client)["id"]
        if has := admin.get_client_roles_of_user(account, management):
            admin.delete_client_roles_of_user(account, management, has)
        if names:
            admin.assign_client_role(account, management, [admin.get_client_role(management, each) for each in names])

    def serve(self, base: str) -> None:
        """Set the storefront client's addresses to this test's server."""
        internal_id = self.admin.get_client_id(CLIENT)
        assert internal_id is not None
        client = self.admin.get_client(internal_id)
        client["redirectUris"] = [f"{base}/complete/keycloak/"]
        client["attributes"] |= {
            "post.logout.redirect.uris": f"{base}/logout/done/",
            "backchannel.logout.url": f"{base}/sso/keycloak/logout/",
        }
        self.admin.update_client(internal_id, client)

    @cached_property
    def admin(self) -> KeycloakAdmin:
        """The admin API of the realm, with an administrator's rights."""
        connection = KeycloakOpenIDConnection(
            server_url=f"{self.url}/",
            username="admin",
            password=PASSWORD,
            realm_name=REALM,
            user_realm_name="master",
            timeout=20,
        )
        return KeycloakAdmin(connection=connection)

    def user_id(self, email: str) -> str:
        """Return a user's `sub`."""
        user_id: str | None = self.admin.get_user_id(email)
        assert user_id is not None
        return user_id

    def organization_id(self, alias: str) -> str:
        return next(str(each["id"]) for each in self.admin.get_organizations() if each["alias"] == alias)

    def members(self, alias: str) -> set[str]:
        """Return the e-mail addresses of an organization's members."""
        return {each["username"] for each in self.admin.get_organization_members(self.organization_id(alias))}

    def add_member(self, alias: str, email: str) -> None:
        self.admin.organization_user_add(self.user_id(email), self.organization_id(alias))

    def remove_member(self, alias: str, email: str) -> None:
        self.admin.organization_user_remove(self.user_id(email), self.organization_id(alias))

    @contextmanager
    def without_member(self, alias: str, email: str) -> Iterator[None]:
        """Remove a member for as long as the block lasts."""
        self.remove_member(alias, email)
        try:
            yield
        finally:
            self.add_member(alias, email)

    def end_sessions(self, email: str) -> None:
        """End all sessions of a user as an administrator does; Keycloak notifies the clients."""
        self.admin.user_logout(self.user_id(email))

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"Keycloak ended: {self._log.read_text()[-3000:]}")
        address = f"{self.issuer}/.well-known/openid-configuration"
        with suppress(URLError, TimeoutError, ConnectionError), urlopen(address, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False


@pytest.fixture(
    scope="session",
    params=[pytest.param(each, marks=pytest.mark.xdist_group(f"keycloak-{each}")) for each in (OLDEST, NEWEST)],
)
def keycloak_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    server = Keycloak(request.param, tmp_path_factory.mktemp("keycloak"))
    try:
        server.wait()
        server.give_roles_of_its_time()
        yield server
    finally:
        server.stop()


@pytest.fixture
def keycloak(keycloak_server: Keycloak, settings: Any) -> Keycloak:
    """The server, with this site's service account configured."""
    settings.KEYCLOAK_URL = keycloak_server.url
    settings.KEYCLOAK_REALM = REALM
    settings.KEYCLOAK_CLIENT_ID = SYNC_CLIENT
    settings.KEYCLOAK_CLIENT_SECRET = SYNC_SECRET
    return keycloak_server


# --- The distribution -----------------------------------------------------------------------------------------------


def _distribution(version: str) -> Path:
    """Return the cached distribution, fetched and built on first use; one process at a time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tessera-storefront"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"keycloak-{version}"
    with (cache / f"keycloak-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "prepared").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _fetch(folder, version)
            _build(folder / f"keycloak-{version}")
            (folder / "prepared").touch()
    return folder / f"keycloak-{version}"


def _fetch(folder: Path, version: str) -> None:
    """Fetch and unpack it with Maven, from the repository Maven is configured for."""
    command = [
        *(find_program("mvn"), "--batch-mode", "--quiet"),
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:unpack",
        f"-Dartifact=org.keycloak:keycloak-quarkus-dist:{version}:zip",
        f"-DoutputDirectory={folder}",
    ]
    try:
        done = subprocess.run(
            command, cwd=folder.parent, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"Keycloak could not be fetched in {FETCH_SECONDS} s")
    if done.returncode:
        pytest.skip(f"Keycloak could not be fetched: {done.stdout[-500:]}")


def _build(distribution: Path) -> None:
    """Build it for the in-memory database, which makes starting quick."""
    subprocess.run(
        [*_command(distribution, distribution), "build", "--db=dev-mem"],
        capture_output=True,
        timeout=BUILD_SECONDS,
        check=True,
    )


def _home(distribution: Path, home: Path) -> Path:
    """Make this run's home folder with the realm to import; the rest links to the distribution."""
    (home / "data" / "import").mkdir(parents=True)
    for name in ("conf", "lib", "providers", "themes"):
        (home / name).symlink_to(distribution / name)
    shutil.copy(REALM_FILE, home / "data" / "import" / REALM_FILE.name)
    return home


def _command(distribution: Path, home: Path) -> list[str]:
    # Should this process be killed, the server is too, where the system can see to that.
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [
        *leash,
        find_program("java"),
        *_JAVA_OPTIONS,
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        *("-cp", str(distribution / "lib" / "quarkus-run.jar")),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
    ]
