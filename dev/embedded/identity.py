"""The user that a server runs as. PostgreSQL refuses to run as root, and in containers everyone is root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.embedded.errors import EmbeddedError

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """The prefix that runs a program as a user, and the owner its files need."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None  # None for the current user

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [*self.prefix, str(program), *arguments]

    def take_ownership(self, folder: Path) -> None:
        """Give the folder and its content to the owner, as another user may have run the servers before."""
        owner = os.geteuid() if self.owner is None else self.owner
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != owner:
                os.chown(path, owner, owner, follow_symlinks=False)


# The same user under another number, who keeps all rights on their own files.
NAMESPACE = Identity(prefix=("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"))
# For containers that forbid user namespaces: another user, who may still enter folders that only root can open.
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
# The same without that capability, which is enough if every parent folder is open.
STRANGER = Identity(
    prefix=("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"),
    owner=NOBODY,
)


def _works(identity: Identity, *, program: Path, folder: Path) -> bool:
    """Take ownership of the folder, and return whether the identity can write there and run the program."""
    try:
        identity.take_ownership(folder)
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
    """Return the current user, or for root the first candidate that works in the folder. Raises EmbeddedError.

    A user without a name, as containers assign, counts as root because PostgreSQL needs a name.
    """
    if not (_is_root_or_nameless() if root is None else root):
        return Identity()
    for identity in candidates:
        if _works(identity, program=program, folder=folder):
            return identity
    raise EmbeddedError(
        "The embedded servers can't run as root or as a user without a name, and neither `unshare --user` nor "
        "`setpriv` could run them as another user. Use an ordinary account, or set DATABASE_URL and REDIS_URL."
    )
