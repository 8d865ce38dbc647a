"""How money comes: gateways, their keys, and how patient we are with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypedDict
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env

SANDBOX = "ecommerce.gateways.sandbox.SandboxGateway"
STRIPE = "ecommerce.gateways.stripe.StripeGateway"


class StripeAccount(TypedDict):
    """The keys of one account; ``webhook_secrets`` may be several, so that one can follow another."""

    secret_key: str
    webhook_secrets: Sequence[str]


def stripe_accounts(usual: StripeAccount, by_host: str) -> dict[str, StripeAccount]:
    """The accounts by host; the usual one, under no name, serves every host that has none of its own.

    ``by_host`` is JSON: {"shop.example": {"secret_key": "...", "webhook_secrets": ["..."]}}.
    """
    accounts = {"": usual} if usual["secret_key"] else {}
    try:
        named = json.loads(by_host or "{}")
        for host, keys in named.items():
            accounts[host.lower()] = {
                "secret_key": str(keys["secret_key"]),
                "webhook_secrets": [str(secret) for secret in keys["webhook_secrets"]],
            }
    except (AttributeError, KeyError, TypeError, ValueError):  # never the text itself: it holds keys
        raise ImproperlyConfigured(
            "STRIPE_ACCOUNTS is not what it should be. See .env.example for its form; the value itself is not shown."
        ) from None
    return accounts


def payment_gateways(accounts: Mapping[str, StripeAccount], *, is_production: bool, test_money: bool) -> list[str]:
    """The gateways new payments may begin with, the first one being the default.

    Refuses live keys in development, where pages play at paying, and test keys in production, where a test card would
    buy courses, unless ``test_money`` says that it is a trial installation.
    """
    for host, keys in accounts.items():
        _refuse_unless_suitable(keys["secret_key"], host, wants_live=is_production and not test_money)
    stripe = [STRIPE] if accounts else []
    return stripe if is_production else [*stripe, SANDBOX]


def _refuse_unless_suitable(key: str, host: str, *, wants_live: bool) -> None:
    where = f"STRIPE_ACCOUNTS[{host!r}]" if host else "STRIPE_SECRET_KEY"
    kind = "_".join(key.split("_")[:2])
    if kind not in {"sk_test", "rk_test", "sk_live", "rk_live"}:
        raise ImproperlyConfigured(f"{where} is no secret key of Stripe: those begin with sk_ or rk_.")
    if wants_live and kind.endswith("test"):
        raise ImproperlyConfigured(
            f"{where} is a test key: whoever types a test card would get a course for nothing. "
            "Set the live key, or STRIPE_TEST_MODE=true if this installation is for trying only."
        )
    if not wants_live and kind.endswith("live"):
        raise ImproperlyConfigured(
            f"{where} is a live key, and this installation is for trying or developing: real money would be taken. "
            "Set a test key."
        )


def payment_page_origins(named: str, *, usual: Sequence[str]) -> list[str]:
    """The origins of payment pages from a list with commas; the usual ones where it names none."""
    origins = [each.strip().rstrip("/") for each in named.split(",") if each.strip()]
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("https", "http") or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
            raise ImproperlyConfigured(
                f"PAYMENT_PAGE_ORIGINS: {origin!r} is no origin. Write it like https://pay.example.com, without a path."
            )
    return origins or list(usual)


STRIPE_ACCOUNTS = stripe_accounts(
    {
        "secret_key": env.str("STRIPE_SECRET_KEY", ""),
        "webhook_secrets": [each.strip() for each in env.list("STRIPE_WEBHOOK_SECRETS", default=[]) if each.strip()],
    },
    env.str("STRIPE_ACCOUNTS", ""),
)
# Production only: test keys are meant.
STRIPE_TEST_MODE = env.bool("STRIPE_TEST_MODE", False)

# What we were written for; Stripe answers in this version whatever the account's own is.
STRIPE_API_VERSION = "2026-10-28.endive"
STRIPE_API_BASE = env.str("STRIPE_API_BASE", "").rstrip("/") or "https://api.stripe.com"
# How often a call is made again whose connection broke, within the same time (settings/parts/remote.py).
STRIPE_RETRIES = 1
# How old a notice may be, in seconds: a copy of it is worthless later.
STRIPE_TOLERANCE = 300

# Where the cart's button may lead besides our own pages (the content security policy's form-action): Stripe's page,
# or the domains of your own it is served from.
PAYMENT_PAGE_ORIGINS = payment_page_origins(
    env.str("PAYMENT_PAGE_ORIGINS", ""), usual=["https://checkout.stripe.com"] if STRIPE_ACCOUNTS else []
)

# The payment page where everyone may decide how a payment ends. Never outside development.
SANDBOX_PAYMENTS = False

# Adapters by dotted path; new payments begin with the first.
PAYMENT_GATEWAYS: list[str] = []

# A gateway that was called and hasn't answered for this long won't any more.
PAYMENT_START_SECONDS = 90

# When a gateway is asked that told nothing, in seconds: after the buyer could have paid, then less and less often.
PAYMENT_FIRST_ASK_SECONDS = 5 * 60
PAYMENT_ASK_AGAIN_SECONDS = 10 * 60
# A bank that takes days tells us itself; once in this time we ask nevertheless.
PAYMENT_PROCESSING_ASK_SECONDS = 6 * 3600

# The largest notice that is read, in bytes, and how long its text is kept: it names the buyer.
NOTICE_MAX_BYTES = 512 * 1024
NOTICE_BODY_DAYS = 90

# Seconds between two runs. Each is safe to run twice and safe to miss.
PAYMENT_BEAT_SCHEDULE = {
    "release-lapsed-orders": {
        "task": "ecommerce.tasks.release_lapsed",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "finish-paid-orders": {
        "task": "ecommerce.tasks.finish_paid_orders",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "ask-about-payments": {
        "task": "ecommerce.tasks.ask_about_payments",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "follow-refunds": {
        "task": "ecommerce.tasks.follow_refunds",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "mail-finance": {
        "task": "ecommerce.tasks.mail_finance",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "forget-notices": {
        "task": "ecommerce.tasks.forget_notices",
        "schedule": 24 * 3600.0,
        "options": {"expires": 3600},
    },
}
