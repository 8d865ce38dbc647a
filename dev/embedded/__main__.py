"""`python -m dev.embedded run | start | stop`, as the Makefile calls it."""

import sys
from collections.abc import Callable

from dev.embedded.errors import EmbeddedError
from dev.embedded.servers import development_servers, test_servers
from dev.embedded.supervisor import run
from mitxonline.settings.env import read_dotenv


def start() -> int:
    """Start the servers, leave them running and print their addresses."""
    environ: dict[str, str] = {}
    development_servers().provide(environ)
    for name, value in environ.items():
        sys.stdout.write(f"{name}={value}\n")
    return 0


def stop() -> int:
    """Stop the servers, including those of the tests."""
    stopped = [server.name for servers in (development_servers(), test_servers()) for server in servers.stop()]
    sys.stdout.write(f"Stopped {' and '.join(stopped)}.\n" if stopped else "Nothing was running.\n")
    return 0


ACTIONS: dict[str, Callable[[], int]] = {"run": run, "start": start, "stop": stop}


def main(arguments: list[str]) -> int:
    action = ACTIONS.get(arguments[0]) if len(arguments) == 1 else None
    if action is None:
        sys.stderr.write(f"Choose one of: {', '.join(ACTIONS)}.\n")
        return 2
    read_dotenv()
    try:
        return action()
    except EmbeddedError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
