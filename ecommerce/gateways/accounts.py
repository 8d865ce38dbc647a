"""Our accounts at the gateways: a default one, and those of hosts that have their own.

A gateway reads its keys here and nowhere else. What the keys are called is the gateway's own matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port

from ecommerce.gateways.base import PaymentFailed

# The account of hosts without one of their own.
DEFAULT = ""


def accounts_of(gateway: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the keys of each account, by the host that it serves."""
    accounts: Mapping[str, Mapping[str, Any]] = getattr(settings, f"{gateway.upper()}_ACCOUNTS")
    return accounts


def account_for(gateway: str, host: str) -> str:
    """Return the account that serves a host: the host itself if it has keys of its own, else the default one."""
    name, _port = split_domain_port(host)
    return name if name in accounts_of(gateway) else DEFAULT


def keys_of(gateway: str, account: str) -> Mapping[str, Any]:
    """Return an account's keys, or the default account's. Raises PaymentFailed where there are none."""
    accounts = accounts_of(gateway)
    keys = accounts.get(account) or accounts.get(DEFAULT)
    if keys is None:
        raise PaymentFailed(f"no key of {gateway} for this account", retriable=False, code="no_key")
    return keys


def remote_name(gateway: str, account: str) -> str:
    """Return the name under which an account's outages are tracked (mitxonline/kernel/remote.py)."""
    return f"{gateway}:{account}" if account and account in accounts_of(gateway) else gateway
