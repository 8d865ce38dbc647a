"""As whom a server runs. PostgreSQL refuses to run as root, and in a container everybody is root."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mitxonline.embedded.errors import EmbeddedError

NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Identity:
    """How to start a program, and who has to own its files."""

    prefix: tuple[str, ...] = ()
    owner: int | None = None  # None: whoever owns them already

    def command(self, program: Path, *arguments: str) -> list[str]:
        return [*self.prefix, str(program), *arguments]

    def give(self, folder: Path) -> None:
        """Make the owner own the folder and all in it, whoever ran the servers the last time."""
        if self.owner is None:
            return
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != self.owner:
                os.chown(path, self.owner, self.owner, follow_symlinks=False)


# The same person under another number: keeps every right of root's on root's own files, none elsewhere.
NAMESPACE = Identity(
    prefix=("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}", "--"),
    owner=0,
)
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


def choose_identity(
    *,
    program: Path,
    folder: Path,
    root: bool | None = None,
    candidates: tuple[Identity, ...] = (NAMESPACE, WALKER, STRANGER),
) -> Identity:
    """Servers run as whoever starts them; for root, as the first candidate that works in the folder."""
    if not (os.geteuid() == 0 if root is None else root):
        return Identity()
    for identity in candidates:
        if _works(identity, program=program, folder=folder):
            return identity
    raise EmbeddedError(
        "The embedded servers don't run as root, and neither `unshare --user` nor `setpriv` could run them "
        "as somebody else here. Use an ordinary account, or set DATABASE_URL and REDIS_URL."
    )
