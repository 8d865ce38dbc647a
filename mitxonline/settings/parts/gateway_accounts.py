"""Accounts at a payment gateway that belong to one host each, from one variable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured


def read_accounts(name: str, by_host: str, *, texts: Sequence[str], lists: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read the accounts by host from JSON: {"shop.example": {text: "...", list: ["..."]}}.

    Raises ImproperlyConfigured where a key is missing or of another kind.
    """
    try:
        return {
            host.lower(): {
                **{key: str(keys[key]) for key in texts},
                **{key: [str(each) for each in keys[key]] for key in lists},
            }
            for host, keys in json.loads(by_host or "{}").items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        # Without the value and the original exception, which contain keys.
        raise ImproperlyConfigured(f"{name} can't be read. See .env.example for its format.") from None
