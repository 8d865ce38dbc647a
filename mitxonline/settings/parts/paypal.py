"""PayPal: its keys, its addresses, and whether its money is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from mitxonline.settings.env import env, http_address
from mitxonline.settings.parts.gateway_accounts import read_accounts

PAYPAL = "ecommerce.gateways.paypal.gateway.PayPalGateway"
PAYPAL_LIVE, PAYPAL_TRIAL = "https://api-m.paypal.com", "https://api-m.sandbox.paypal.com"
PAYPAL_PAGES = {True: "https://www.sandbox.paypal.com", False: "https://www.paypal.com"}


class PayPalAccount(TypedDict):
    """The keys of one account's app. It may have several `webhook_ids`, so that one can replace another."""

    client_id: str
    client_secret: str
    webhook_ids: Sequence[str]


def paypal_accounts(default: PayPalAccount, by_host: str) -> dict[str, PayPalAccount]:
    """Return the accounts by host. The default, under an empty name, is for hosts without an account of their own.

    `by_host` is JSON: {"shop.example": {"client_id": "...", "client_secret": "...", "webhook_ids": ["..."]}}.
    """
    named = read_accounts("PAYPAL_ACCOUNTS", by_host, texts=["client_id", "client_secret"], lists=["webhook_ids"])
    accounts = {"": default} if default["client_id"] or default["client_secret"] else {}
    return accounts | {host: cast("PayPalAccount", keys) for host, keys in named.items()}


def paypal_gateways(
    accounts: Mapping[str, PayPalAccount], *, api_base: str, is_production: bool, test_money: bool
) -> list[str]:
    """Return PayPal's gateway, if an account has both of its keys.

    Raises ImproperlyConfigured for the live address in development, and for the sandbox's in production, where anyone
    with a test account would get courses, unless `test_money` marks a trial installation.
    """
    if not any(keys["client_id"] and keys["client_secret"] for keys in accounts.values()):
        return []
    host, wants_live = urlsplit(api_base).hostname or "", is_production and not test_money
    if wants_live and host.endswith("sandbox.paypal.com"):
        raise ImproperlyConfigured(
            "PAYPAL_API_BASE is PayPal's sandbox, and anyone with a test account would get courses for free. "
            f"Set {PAYPAL_LIVE}, or PAYPAL_TEST_MODE=true if this installation is for trials only."
        )
    if not wants_live and host in ("api-m.paypal.com", "api.paypal.com"):
        raise ImproperlyConfigured(
            "PAYPAL_API_BASE is PayPal's live address, but this installation is for trials or development: buyers "
            f"would be charged. Set {PAYPAL_TRIAL}."
        )
    return [PAYPAL]


PAYPAL_ACCOUNTS = paypal_accounts(
    {
        "client_id": env.str("PAYPAL_CLIENT_ID", ""),
        "client_secret": env.str("PAYPAL_CLIENT_SECRET", ""),
        "webhook_ids": [each.strip() for each in env.str("PAYPAL_WEBHOOK_IDS", "").split(",") if each.strip()],
    },
    env.str("PAYPAL_ACCOUNTS", ""),
)
# Test money: PayPal's sandbox. Development has nothing else.
PAYPAL_TEST_MODE = env.bool("PAYPAL_TEST_MODE", False)
PAYPAL_API_BASE = http_address("PAYPAL_API_BASE", PAYPAL_TRIAL if PAYPAL_TEST_MODE else PAYPAL_LIVE)
# How often a call is repeated whose connection broke, within its time limit (parts/remote.py).
PAYPAL_RETRIES = 1
# Whom we trust to say that a certificate is PayPal's.
PAYPAL_CERTIFICATE_ROOTS = DEFAULT_CA_BUNDLE_PATH
