"""Reading environment variables, the only source of values from outside."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()


def read_dotenv() -> None:
    """Read `.env`, if there is one, for variables that the process doesn't have."""
    path = BASE_DIR / ".env"
    if path.is_file():
        environ.Env.read_env(path)


def require(names: Sequence[str], variables: Mapping[str, str] = os.environ) -> None:
    """Raise ImproperlyConfigured, with the names of all that are missing, unless these variables are set."""
    missing = [name for name in names if not variables.get(name, "").strip()]
    if missing:
        raise ImproperlyConfigured(
            f"These environment variables are missing or empty: {', '.join(missing)}. "
            "See .env.example for what each of them means."
        )
