"""Writing a file so that whoever had one before keeps it until the new one is complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from django.core.management.base import CommandError
from django.utils.translation import gettext as _


def refuse_unless_writable(path: Path) -> None:
    """Say before the work that the file can't be written, rather than after it."""
    with _refusing(path):
        folder = _resolved(path).parent
        reason = ""
        if path.is_dir():
            reason = _("it is a folder")
        elif not folder.is_dir():
            reason = _("the folder %(folder)s doesn't exist") % {"folder": folder}
        elif path.exists() and not os.access(path, os.W_OK):
            reason = _("it is write-protected")
        elif not _is_special(path) and not os.access(folder, os.W_OK | os.X_OK):
            reason = _("nothing can be written in %(folder)s") % {"folder": folder}
    if reason:
        raise _refusal(path, reason)


@contextmanager
def replace_file(path: Path) -> Iterator[TextIO]:
    """A new file that takes the place of the old one when all is written, and leaves it alone if anything fails.

    Only its owner can read it: who has the codes has the seats. A device or a pipe is written to directly.
    """
    if _is_special(path):
        with _refusing(path), path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    target = _resolved(path)
    draft: Path | None = None
    try:
        with _refusing(path):
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="", dir=target.parent, prefix=f".{target.name}.", delete=False
            ) as file:
                draft = Path(file.name)
                yield file  # type: ignore[misc]
            draft.replace(target)
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Say in a sentence why the file can't be written. Who stops reading a pipe has enough: that is no failure."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from error


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # Python 3.11 says RuntimeError of a link that leads to itself
        reason = _("it is a link that leads to itself") if isinstance(error, RuntimeError) else error.strerror
        raise _refusal(path, reason or str(error)) from error


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _refusal(path: Path, reason: str) -> CommandError:
    return CommandError(_("The file %(path)s can't be written: %(reason)s.") % {"path": path, "reason": reason})
