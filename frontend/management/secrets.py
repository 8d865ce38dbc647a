"""Where a command gets secrets from, so that they aren't on its command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from django.core.management.base import CommandError
from django.utils.translation import gettext as _


def read_secrets(names: Sequence[str], *, path: str = "", environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the secrets with these names, such as SSO_CLIENT_SECRET, from the environment and a file; the file wins.

    The file has lines NAME=value; a path of - is standard input. Raises CommandError without what the file says.
    """
    found = {name: environ[name].strip() for name in names if environ.get(name, "").strip()}
    return found | (_read_file(names, path) if path else {})


def _read_file(names: Sequence[str], path: str) -> dict[str, str]:
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or _("it isn’t text")
        raise CommandError(_("The secrets file can’t be read: %(reason)s.") % {"reason": reason}) from error
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.partition("=")
        name = name.strip().removeprefix("--").replace("-", "_").upper()
        if not separator or name not in names:
            sentence = _("Line %(number)d of the secrets isn’t one of %(names)s, with = and the secret behind it.")
            raise CommandError(sentence % {"number": number, "names": ", ".join(names)})
        found[name] = value.strip().strip("\"'")
    return found
