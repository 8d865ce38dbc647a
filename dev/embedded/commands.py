"""The commands of manage.py that need no server."""

from collections.abc import Sequence
from pathlib import PurePath

WITHOUT_SERVER = frozenset(
    {"check", "collectstatic", "compilemessages", "diffsettings", "help", "makemessages", "version"}
)


def needs_no_server(arguments: Sequence[str]) -> bool:
    """Whether this process is `manage.py` with such a command, or with --help or --version."""
    if not arguments or PurePath(arguments[0]).name != "manage.py":
        return False
    command = arguments[1] if len(arguments) > 1 else "help"
    return command in WITHOUT_SERVER or not {"-h", "--help", "--version"}.isdisjoint(arguments[1:])
