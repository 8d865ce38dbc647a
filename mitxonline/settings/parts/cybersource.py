"""CyberSource: the profile of its payment page, and the key of its REST API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, http_address
from mitxonline.settings.parts.gateway_accounts import read_accounts

CYBERSOURCE = "ecommerce.gateways.cybersource.gateway.CyberSourceGateway"


class CyberSourceAccount(TypedDict):
    """A profile of the payment page and a merchant's key of the REST API.

    The first access key with the first secret signs forms. The others verify answers while one replaces another.
    """

    merchant_id: str
    profile_id: str
    access_keys: Sequence[str]
    secret_keys: Sequence[str]
    rest_key_id: str
    rest_secret: str
    is_live: bool


# A part of an account, and its variable.
PARTS = {
    "merchant_id": "CYBERSOURCE_MERCHANT_ID",
    "profile_id": "CYBERSOURCE_PROFILE_ID",
    "access_key": "CYBERSOURCE_ACCESS_KEY",
    "secret_key": "CYBERSOURCE_SECRET_KEY",
    "rest_key_id": "CYBERSOURCE_REST_KEY_ID",
    "rest_secret": "CYBERSOURCE_REST_SECRET",
}


def is_live_environment(text: str) -> bool:
    if text not in ("test", "live"):
        raise ImproperlyConfigured("CYBERSOURCE_ENVIRONMENT has to be test or live.")
    return text == "live"


def cybersource_accounts(
    default: Mapping[str, str], by_host: str, *, is_live: bool
) -> tuple[dict[str, CyberSourceAccount], list[str]]:
    """Return the accounts by host, and the variables that the default one lacks where it was begun.

    `by_host` is JSON: {"shop.example": {"merchant_id": "...", "profile_id": "...", ...}}, with all parts.
    """
    named = read_accounts("CYBERSOURCE_ACCOUNTS", by_host, texts=list(PARTS), lists=[])
    accounts = {host: _account(parts, is_live=is_live) for host, parts in named.items()}
    missing = [name for name in PARTS if not default.get(name)]
    if not missing:
        accounts[""] = _account(default, is_live=is_live)
    return accounts, [] if len(missing) == len(PARTS) else [PARTS[name] for name in missing]


def cybersource_gateways(
    accounts: Mapping[str, CyberSourceAccount], *, is_production: bool, test_money: bool
) -> list[str]:
    """Return the gateway where it is set up.

    Raises ImproperlyConfigured for a live profile in development, and for the test environment in production, where a
    test card would buy courses, unless `test_money` marks a trial installation.
    """
    wants_live = is_production and not test_money
    for account in accounts.values():
        if wants_live and not account["is_live"]:
            raise ImproperlyConfigured(
                "CYBERSOURCE_ENVIRONMENT is test, and anyone with a test card would get courses for free. "
                "Set it to live, or CYBERSOURCE_TEST_MODE=true if this installation is for trials only."
            )
        if not wants_live and account["is_live"]:
            raise ImproperlyConfigured(
                "CYBERSOURCE_ENVIRONMENT is live, but this installation is for trials or development: buyers would be "
                "charged. Use the test environment."
            )
    return [CYBERSOURCE] if accounts else []


def _account(parts: Mapping[str, str], *, is_live: bool) -> CyberSourceAccount:
    return {
        "merchant_id": parts["merchant_id"],
        "profile_id": parts["profile_id"],
        "access_keys": _split(parts["access_key"]),
        "secret_keys": _split(parts["secret_key"]),
        "rest_key_id": parts["rest_key_id"],
        "rest_secret": parts["rest_secret"],
        "is_live": is_live,
    }


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


CYBERSOURCE_ACCOUNTS, CYBERSOURCE_MISSING = cybersource_accounts(
    {name: env.str(variable, "").strip() for name, variable in PARTS.items()},
    env.str("CYBERSOURCE_ACCOUNTS", ""),
    is_live=is_live_environment(env.str("CYBERSOURCE_ENVIRONMENT", "") or "test"),
)
# Allows the test environment in production.
CYBERSOURCE_TEST_MODE = env.bool("CYBERSOURCE_TEST_MODE", False)
# Where the API and the payment page are, if not where CyberSource has them for this environment.
CYBERSOURCE_API_BASE = http_address("CYBERSOURCE_API_BASE")
CYBERSOURCE_PAGE_BASE = http_address("CYBERSOURCE_PAGE_BASE")
