"""The folder of the embedded servers, and the recorded port of the storefront."""

import os
from collections.abc import Mapping
from pathlib import Path

from dev.embedded.errors import EmbeddedError

DEFAULT_PORT = "8000"
PROJECT = Path(__file__).resolve().parent.parent.parent


def local_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """Return LOCAL_DIR. A relative one is inside the project, whatever the working directory."""
    return PROJECT / Path(environ.get("LOCAL_DIR") or ".local").expanduser()


def make_folder(folder: Path) -> None:
    """Create a folder that only its owner can open, as it holds passwords and data."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The folder {folder} can't be created ({error.strerror}). Set LOCAL_DIR to another folder."
        ) from error


def remember_port(port: int) -> None:
    """Record the storefront's port for commands that print its addresses."""
    (local_dir() / "port").write_text(f"{port}\n")


def site_port(environ: Mapping[str, str] = os.environ) -> str:
    """Return the storefront's port from PORT, or else the port it last ran on."""
    try:
        return environ.get("PORT") or (local_dir(environ) / "port").read_text().strip()
    except OSError:
        return DEFAULT_PORT
