#!/usr/bin/env python
"""Run a Django command of this project."""

import os
import sys

ENVIRONMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), ".venv")


def main() -> int:
    use_projects_python()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mitxonline.settings.dev")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.stderr.write("Django isn't installed for this Python. Run `make setup` first, then this command again.\n")
        return 1

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def use_projects_python() -> None:
    """Continue with the Python of `make setup`, unless another environment is active. Works with any Python 3."""
    python = os.path.join(ENVIRONMENT, "bin", "python")
    if sys.prefix == sys.base_prefix and os.access(python, os.X_OK):
        os.execv(python, [python, *sys.argv])  # noqa: S606 - our own interpreter, and no shell


if __name__ == "__main__":
    sys.exit(main())
