"""As whom a server runs. PostgreSQL refuses to run as root, and in a container everyone is root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.embedded.errors import EmbeddedError

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start a program, and who has to own its files."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None  # None: whoever starts it

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [*self.prefix, str(program), *arguments]

    def give(self, folder: Path) -> None:
        """Make the owner own the folder and all in it, whoever ran the servers the last time."""
        owner = os.geteuid() if self.owner is None else self.owner
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != owner:
                os.chown(path, owner, owner, follow_symlinks=False)


# The same person under another number: keeps every right on their own files, none elsewhere.
NAMESPACE = Identity(prefix=("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"))
# Where user namespaces are forbidden (many containers): another person, who may still walk through folders
# that only root can open.
WALKER = Identity(
    prefix=(
        "setpriv",
        f"--reuid={NOBODY}",
        f"--regid={NOBODY}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
        "--",
    ),
    owner=NOBODY,
)
# Without that right: enough when every folder on the way is open.
STRANGER = Identity(
    prefix=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"),
    owner=NOBODY,
)


def _works(identity: Identity, *, program: Path, folder: Path) -> bool:
    """Whether this identity can write in the folder, after it was given to it, and run the program."""
    try:
        identity.give(folder)
        script = 'cd -- "$1" && test -w . && exec "$2" --version'
        subprocess.run(
            [*identity.prefix, "/bin/sh", "-c", script, "sh", str(folder), str(program)],
            check=True,
            capture_output=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _is_root_or_nameless() -> bool:
    try:
        return pwd.getpwuid(os.geteuid()).pw_uid == 0
    except KeyError:
        return True


def choose_identity(
    *,
    program: Path,
    folder: Path,
    root: bool | None = None,
    candidates: tuple[Identity, ...] = (NAMESPACE, WALKER, STRANGER),
) -> Identity:
    """Servers run as whoever starts them; for root, as the first candidate that works in the folder.

    So for someone whose number has no name, as containers give out: PostgreSQL wants a name.
    """
    if not (_is_root_or_nameless() if root is None else root):
        return Identity()
    for identity in candidates:
        if _works(identity, program=program, folder=folder):
            return identity
    raise EmbeddedError(
        "The embedded servers run neither as root nor as someone without a name, and neither `unshare --user` "
        "nor `setpriv` could run them as someone else. Use an ordinary account, or set DATABASE_URL and REDIS_URL."
    )
