"""What is wrong with an address that someone entered: it isn't one, it is a placeholder, or it should be https."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - read, not listened on
# Domains that documents use and no one can have (RFC 2606), and a top-level domain that can't exist.
_RESERVED = ("example.com", "example.org", "example.net")
_RESERVED_ENDS = ("example", "invalid")
_BLANK = re.compile(
    r"<[^<>@]*>|\{\{?[^{}]*\}?\}|\[[a-z -]+\]|change-?_?me|(?<![\w-])your[-_][\w-]+|somedomain\.", re.IGNORECASE
)
_HOST = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", re.IGNORECASE)


def is_loopback(host: str) -> bool:
    return host in LOOPBACK or host.endswith(".localhost")


def is_placeholder(text: str, *, in_development: bool = False) -> bool:
    """Whether an address, host or e-mail address was left as a document prints it.

    In development names below .example are as good as any: nothing there goes out.
    """
    if _BLANK.search(text):
        return True
    host = _host_of(text)
    if any(host == name or host.endswith(f".{name}") for name in _RESERVED):
        return True
    return not in_development and host.rpartition(".")[2] in _RESERVED_ENDS


def is_host(text: str) -> bool:
    """Whether this is a host’s name or an IP address, without a port."""
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return _HOST.fullmatch(text) is not None and len(text) <= 253
    return True


def _host_of(text: str) -> str:
    """The host of an address, an e-mail address, “Name <address>”, or a host alone."""
    text = text.strip()
    if "://" not in text:
        text = f"//{text.rpartition('@')[2].strip('<> ')}"
    try:
        return (urlsplit(text).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
