"""Where the embedded servers live."""

import os
from collections.abc import Mapping
from pathlib import Path

from dev.embedded.errors import EmbeddedError

DEFAULT_PORT = "8000"
PROJECT = Path(__file__).resolve().parent.parent.parent


def local_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of everything local; a relative LOCAL_DIR means the same from every working directory."""
    return PROJECT / Path(environ.get("LOCAL_DIR") or ".local").expanduser()


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner opens; passwords and data lie in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The folder {folder} can't be made ({error.strerror}); set LOCAL_DIR to another folder."
        ) from error


def remember_port(port: int) -> None:
    """Write down where the storefront answers, for commands that are typed beside it and name addresses."""
    (local_dir() / "port").write_text(f"{port}\n")


def site_port(environ: Mapping[str, str] = os.environ) -> str:
    """The storefront's port: as the environment says, else where it ran last."""
    try:
        return environ.get("PORT") or (local_dir(environ) / "port").read_text().strip()
    except OSError:
        return DEFAULT_PORT
