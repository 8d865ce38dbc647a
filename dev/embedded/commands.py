"""Which commands of manage.py need no server at all."""

from collections.abc import Sequence
from pathlib import PurePath

WITHOUT_SERVER = frozenset(
    {"check", "collectstatic", "compilemessages", "diffsettings", "help", "makemessages", "version"}
)


def needs_no_server(arguments: Sequence[str]) -> bool:
    """Whether this process is `manage.py` with a command, or a question about one, that reads no data."""
    if not arguments or PurePath(arguments[0]).name != "manage.py":
        return False
    command = arguments[1] if len(arguments) > 1 else "help"
    return command in WITHOUT_SERVER or not {"-h", "--help", "--version"}.isdisjoint(arguments[1:])
