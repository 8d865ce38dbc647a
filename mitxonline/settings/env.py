"""Reading environment variables, the only source of values from outside.

An empty variable is an unset one. What can't be read stops the start with a sentence that names the variable, and never
shows its value, which may be a secret.
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from mitxonline.kernel.hosts import is_host, is_placeholder

BASE_DIR = Path(__file__).resolve().parent.parent.parent

_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_PORTS = {"http": 80, "https": 443}
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}


class Variables(environ.Env):  # type: ignore[misc]  # environ has no types
    """environ.Env, except that it takes values as they are: a secret may begin with a dollar sign."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        text = os.environ.get(var, "").strip()
        if not text:
            if default is self.NOTSET:
                raise ImproperlyConfigured(f"{var} is missing or empty. See .env.example for what it means.")
            return default
        return read(var, text, lambda: _read_bool(text) if cast is bool else self.parse_value(text, cast), cast)


def read(name: str, text: str, parse: Callable[[], Any], cast: Any = None) -> Any:
    """Return what `parse` makes of a variable's text; raise ImproperlyConfigured, without the text, if it can't."""
    try:
        return parse()
    except ImproperlyConfigured:
        raise
    except Exception:  # noqa: BLE001 - whatever a library raises for a value that it can't read
        kind = f" It has to be {_KINDS[cast]}." if cast in _KINDS else ""
        raise ImproperlyConfigured(f"{name} can't be read.{kind} See .env.example for what it means.") from None


env = Variables()


def http_address(name: str, default: str = "") -> str:
    """Return an address that begins with https:// or http://, without a slash at the end."""
    text: str = env.str(name, default).rstrip("/")
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise ImproperlyConfigured(f"{name} isn't an address. It begins with https:// and has a host.")
    return text


def read_origins(name: str) -> list[str]:
    """Read origins by commas and write them as browsers send them: in small letters, without the scheme's own port.

    No wildcard, which would stand for every site.
    """
    return [_read_origin(name, each.strip().rstrip("/")) for each in env.str(name, "").split(",") if each.strip()]


def _read_origin(name: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
        host = parts.hostname or ""
        host = host if ":" in host else host.encode("idna").decode()
    except ValueError:
        parts, port, host = urlsplit(""), None, ""
    is_origin = text.lower() == f"{parts.scheme}://{parts.netloc}".lower() and "@" not in text
    if not is_host(host) or parts.scheme not in _PORTS or not is_origin:
        raise ImproperlyConfigured(
            f"{name} has to list origins, such as https://portal.your-school.edu without a path."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


def positive(name: str, default: int, *, least: int = 0) -> int:
    number: int = env.int(name, default)
    if number < least:
        raise ImproperlyConfigured(f"{name} has to be {least} or more.")
    return number


def read_dotenv(path: Path = BASE_DIR / ".env") -> None:
    """Read `.env`, if there is one, for variables that the process doesn't have."""
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


def refuse_placeholders(names: Sequence[str], variables: Mapping[str, str] = os.environ) -> None:
    """Raise ImproperlyConfigured, with the names of all that are left as a document prints them."""
    key = variables.get("SECRET_KEY", "").strip()
    left = ["SECRET_KEY"] if re.fullmatch(r"<.*>|.*change-?_?me.*|your[-_ ].*", key, re.IGNORECASE) else []
    left += [name for name in names if any(map(is_placeholder, variables.get(name, "").split(",")))]
    if left:
        raise ImproperlyConfigured(
            f"These environment variables have placeholders instead of your own values: {', '.join(left)}. "
            "Names below example.com and .example belong to no one."
        )


def set_default(name: str, value: str) -> None:
    """Set a variable that is unset or empty."""
    if not os.environ.get(name, "").strip():
        os.environ[name] = value


def _read_bool(text: str) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return word in _TRUE
