"""Writing a file so that an earlier one stays until the new one is complete."""

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
    """Raise CommandError before the work, rather than after it, if the file can't be written."""
    with _explain_os_errors(path):
        folder = _resolve(path).parent
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
    """Open a new file that replaces the old one if the block succeeds.

    Only its owner can read it, because it may hold codes. A device or a pipe is written to directly. Raises
    CommandError.
    """
    if _is_special(path):
        with _explain_os_errors(path), path.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    target = _resolve(path)
    draft: Path | None = None
    try:
        with _explain_os_errors(path):
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
def _explain_os_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # The reader has enough, which is no failure. OperatorCommand ends the command.
        raise
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from error


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # Python 3.11 raises RuntimeError for a link that leads to itself.
        reason = _("it is a link that leads to itself") if isinstance(error, RuntimeError) else error.strerror
        raise _refusal(path, reason or str(error)) from error


def _is_special(path: Path) -> bool:
    return path.exists() and not path.is_file()


def _refusal(path: Path, reason: str) -> CommandError:
    return CommandError(_("The file %(path)s can't be written: %(reason)s.") % {"path": path, "reason": reason})
