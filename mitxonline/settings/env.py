"""Reading the environment: the only place settings get values from outside."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()


def read_dotenv() -> None:
    """Take what `.env` says for variables the process has not got; without the file nothing happens."""
    path = BASE_DIR / ".env"
    if path.is_file():
        environ.Env.read_env(path)


def require(names: Sequence[str], variables: Mapping[str, str] = os.environ) -> None:
    """Refuse to start without these variables, naming every missing one at once."""
    missing = [name for name in names if not variables.get(name, "").strip()]
    if missing:
        raise ImproperlyConfigured(
            f"These environment variables are missing or empty: {', '.join(missing)}. "
            "See .env.example for what each of them means."
        )
