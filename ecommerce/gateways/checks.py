"""System checks of the payment settings: mistakes show when the process starts, not when someone pays."""

from __future__ import annotations

from collections.abc import Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.utils.module_loading import import_string

from ecommerce.gateways.cybersource.api import is_base64
from ecommerce.gateways.paypal.amounts import CURRENCIES
from ecommerce.gateways.stripe import LEEWAY
from mitxonline.kernel.money import minor_digits

# Codes of ISO 4217 that aren't money: none, tests, metals and units of account.
NO_MONEY = frozenset({"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD"})

HALF_AN_HOUR, A_DAY = 30 * 60, 24 * 3600


def check_gateways(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that every gateway can be created, and that people can pay in the shop's currencies."""
    problems: list[CheckMessage] = []
    for path in settings.PAYMENT_GATEWAYS:
        try:
            import_string(path)()
        except (ImportError, TypeError) as error:
            problems.append(Error(f"PAYMENT_GATEWAYS names {path!r}: {error}", id="ecommerce.E001"))
    for currency in dict.fromkeys([*settings.CURRENCIES, settings.DEFAULT_CURRENCY]):
        try:
            minor_digits(currency)
        except ValueError as error:
            problems.append(Error(f"CURRENCIES: {error}", id="ecommerce.E002"))
            continue
        if currency in NO_MONEY or currency not in settings.CURRENCIES:
            problems.append(Error(f"CURRENCIES: {currency} can't be paid with", id="ecommerce.E002"))
    return problems


def check_stripe(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that each account has a webhook secret, and that sessions live as long as Stripe allows."""
    problems: list[CheckMessage] = []
    longest = A_DAY - int(LEEWAY.total_seconds()) - 60
    if not HALF_AN_HOUR <= settings.PAYMENT_SESSION_SECONDS <= longest:
        problems.append(
            Error(f"PAYMENT_SESSION_SECONDS has to be from {HALF_AN_HOUR} to {longest}", id="ecommerce.E003")
        )
    if settings.PAYMENT_SESSION_SECONDS + LEEWAY.total_seconds() > settings.ORDER_HOLD_SECONDS:
        problems.append(Error("ORDER_HOLD_SECONDS has to be longer than PAYMENT_SESSION_SECONDS", id="ecommerce.E004"))
    for host, keys in settings.STRIPE_ACCOUNTS.items():
        if not keys["webhook_secrets"]:
            where = f"STRIPE_ACCOUNTS[{host!r}]" if host else "STRIPE_WEBHOOK_SECRETS"
            problems.append(
                Warning(
                    f"{where} has no webhook secret: notices from Stripe are refused",
                    hint="Buyers who pay and close the window wait for the sweep. docs/payments.md explains the setup.",
                    id="ecommerce.W001",
                )
            )
    return problems


def check_paypal(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that each account has both keys and a webhook, and that PayPal knows one of the shop's currencies."""
    problems: list[CheckMessage] = []
    for host, keys in settings.PAYPAL_ACCOUNTS.items():
        where = f"PAYPAL_ACCOUNTS[{host!r}]: " if host else ""
        missing = [name for name in ("client_id", "client_secret") if not keys[name]]
        if missing:
            names = " and ".join(missing) if host else f"PAYPAL_{missing[0].upper()}"
            problems.append(
                Error(
                    f"{where}{names} is missing: nobody can pay with PayPal",
                    hint="Both are on your app’s page at developer.paypal.com; docs/payments.md explains the setup.",
                    id="ecommerce.E006",
                )
            )
        if not keys["webhook_ids"]:
            problems.append(
                Warning(
                    f"{where}{'webhook_ids' if host else 'PAYPAL_WEBHOOK_IDS'} is empty: PayPal’s notices are refused",
                    hint="Buyers who pay and close the window wait for the sweep. docs/payments.md explains the setup.",
                    id="ecommerce.W004",
                )
            )
    if settings.PAYPAL_ACCOUNTS and not CURRENCIES & set(settings.CURRENCIES):
        problems.append(
            Error(
                f"PayPal takes none of the shop's currencies: {', '.join(settings.CURRENCIES)}",
                hint=f"It takes {', '.join(sorted(CURRENCIES))}.",
                id="ecommerce.E007",
            )
        )
    return problems


def check_cybersource(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check that each profile that was begun is complete, and that each access key has its secret."""
    problems: list[CheckMessage] = []
    if settings.CYBERSOURCE_MISSING:
        problems.append(
            Error(
                f"CyberSource isn't offered, because these are missing: {', '.join(settings.CYBERSOURCE_MISSING)}",
                hint="Set all of them or none; docs/payments.md explains the setup.",
                id="ecommerce.E009",
            )
        )
    for host, keys in settings.CYBERSOURCE_ACCOUNTS.items():
        where = f"CYBERSOURCE_ACCOUNTS[{host!r}]" if host else "CYBERSOURCE_ACCESS_KEY"
        if len(keys["access_keys"]) != len(keys["secret_keys"]):
            problems.append(Error(f"{where} and its secret keys aren't as many", id="ecommerce.E010"))
        if not is_base64(keys["rest_secret"]):
            problems.append(Error(f"{where}: the REST API's shared secret isn't base64", id="ecommerce.E011"))
    return problems


def check_payments_possible(*, app_configs: Sequence[AppConfig] | None = None, **_kwargs: object) -> list[CheckMessage]:
    """Check, before deployment, that there is a gateway and that it isn't the sandbox."""
    if not settings.PAYMENT_GATEWAYS:
        return [
            Warning(
                "No payment gateway is configured: only free courses can be bought",
                hint="Set the keys of Stripe, PayPal or CyberSource; docs/payments.md explains the setup.",
                id="ecommerce.W002",
            )
        ]
    if settings.SANDBOX_PAYMENTS:
        return [Error("SANDBOX_PAYMENTS lets buyers decide for themselves that they have paid", id="ecommerce.E005")]
    return []
