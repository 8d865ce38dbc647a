"""Payment gateways: their keys, their addresses, and when they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, cast

from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import env, http_address, read_origins
from mitxonline.settings.parts.gateway_accounts import read_accounts
from mitxonline.settings.parts.paypal import PAYPAL_ACCOUNTS, PAYPAL_PAGES, PAYPAL_TEST_MODE

SANDBOX = "ecommerce.gateways.sandbox.SandboxGateway"
STRIPE = "ecommerce.gateways.stripe.StripeGateway"


class StripeAccount(TypedDict):
    """The keys of one account. It may have several `webhook_secrets`, so that one can replace another."""

    secret_key: str
    webhook_secrets: Sequence[str]


def stripe_accounts(default: StripeAccount, by_host: str) -> dict[str, StripeAccount]:
    """Return the accounts by host. The default, under an empty name, is for hosts without an account of their own.

    `by_host` is JSON: {"shop.example": {"secret_key": "...", "webhook_secrets": ["..."]}}.
    """
    named = read_accounts("STRIPE_ACCOUNTS", by_host, texts=["secret_key"], lists=["webhook_secrets"])
    accounts = {"": default} if default["secret_key"] else {}
    return accounts | {host: cast("StripeAccount", keys) for host, keys in named.items()}


def stripe_gateways(accounts: Mapping[str, StripeAccount], *, is_production: bool, test_money: bool) -> list[str]:
    """Return Stripe's gateway, if it has keys.

    Raises ImproperlyConfigured for live keys in development, and for test keys in production, where a test card would
    buy courses, unless `test_money` marks a trial installation.
    """
    for host, keys in accounts.items():
        _refuse_unless_suitable(keys["secret_key"], host, wants_live=is_production and not test_money)
    return [STRIPE] if accounts else []


def _refuse_unless_suitable(key: str, host: str, *, wants_live: bool) -> None:
    where = f"STRIPE_ACCOUNTS[{host!r}]" if host else "STRIPE_SECRET_KEY"
    kind = "_".join(key.split("_")[:2])
    if kind not in {"sk_test", "rk_test", "sk_live", "rk_live"}:
        raise ImproperlyConfigured(f"{where} is not a secret key of Stripe. Those begin with sk_ or rk_.")
    if wants_live and kind.endswith("test"):
        raise ImproperlyConfigured(
            f"{where} is a test key, and anyone with a test card would get courses for free. "
            "Set the live key, or STRIPE_TEST_MODE=true if this installation is for trials only."
        )
    if not wants_live and kind.endswith("live"):
        raise ImproperlyConfigured(
            f"{where} is a live key, but this installation is for trials or development: buyers would be charged. "
            "Set a test key."
        )


STRIPE_ACCOUNTS = stripe_accounts(
    {
        "secret_key": env.str("STRIPE_SECRET_KEY", ""),
        "webhook_secrets": [each.strip() for each in env.str("STRIPE_WEBHOOK_SECRETS", "").split(",") if each.strip()],
    },
    env.str("STRIPE_ACCOUNTS", ""),
)
# Allows test keys in production.
STRIPE_TEST_MODE = env.bool("STRIPE_TEST_MODE", False)

# The API version this code is written for. Stripe answers in it, whatever the account's own version is.
STRIPE_API_VERSION = "2026-10-28.endive"
STRIPE_API_BASE = http_address("STRIPE_API_BASE", "https://api.stripe.com")
# How often a call is repeated whose connection broke, within its time limit (parts/remote.py).
STRIPE_RETRIES = 1
# Seconds after which a notice is too old to be accepted, so that a copy of it can't be replayed.
STRIPE_TOLERANCE = 300

# Where the checkout button may lead besides our own pages (form-action of the content security policy): Stripe's page,
# or your own domains if it is served from there, and the pages of the other gateways.
PAYMENT_PAGE_ORIGINS = read_origins("PAYMENT_PAGE_ORIGINS") or (
    ["https://checkout.stripe.com"] if STRIPE_ACCOUNTS else []
)
if PAYPAL_ACCOUNTS:
    PAYMENT_PAGE_ORIGINS.append(PAYPAL_PAGES[PAYPAL_TEST_MODE])

# The payment page on which anyone may choose how a payment ends. Never outside development.
SANDBOX_PAYMENTS = False

# Adapters by dotted path, in the order in which a buyer reads them. Where there are several, the buyer chooses.
PAYMENT_GATEWAYS: list[str] = []

# After this time a gateway that was called won't answer any more.
PAYMENT_START_SECONDS = 90

# When a gateway is asked that sent no notice, in seconds: once the buyer could have paid, then less and less often.
PAYMENT_FIRST_ASK_SECONDS = 5 * 60
PAYMENT_ASK_AGAIN_SECONDS = 10 * 60
# The gateway sends a notice when a bank transfer that takes days is done. We ask once in this time nevertheless.
PAYMENT_PROCESSING_ASK_SECONDS = 6 * 3600

# The largest notice that is read, in bytes, and how many days its text is kept, which names the buyer.
NOTICE_MAX_BYTES = 512 * 1024
NOTICE_BODY_DAYS = 90

# Seconds between two runs. Every task may run twice or miss a run.
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
    # Several times a day, because a run may be missed; each reminder goes out once.
    "remind-about-invoices": {
        "task": "ecommerce.tasks.remind_about_invoices",
        "schedule": 4 * 3600.0,
        "options": {"expires": 3600},
    },
}
