"""System checks of the payment settings."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from wagtail.models import Site

from ecommerce.checks import check_seller
from ecommerce.gateways.checks import (
    check_cybersource,
    check_gateways,
    check_payments_possible,
    check_paypal,
    check_stripe,
)
from ecommerce.models import ShopSettings
from tests.factories import make_product
from tests.ops.deploy_check import COMPLETE, manage
from tests.support.cybersource import account

KEYS = {"secret_key": "sk_test_x", "webhook_secrets": ["whsec_x"]}


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_the_default_settings_pass() -> None:
    assert not check_gateways()
    assert not check_stripe()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PAYMENT_GATEWAYS", ["ecommerce.gateways.nowhere.Gateway"], ["ecommerce.E001"]),
        ("PAYMENT_GATEWAYS", ["ecommerce.gateways.base.PaymentGateway"], ["ecommerce.E001"]),
        ("DEFAULT_CURRENCY", "ZZZ", ["ecommerce.E002"]),
        ("DEFAULT_CURRENCY", "SEK", ["ecommerce.E002"]),  # not among those the shop sells in
        ("CURRENCIES", ["USD", "XXX"], ["ecommerce.E002"]),
        ("CURRENCIES", ["USD", "usd"], ["ecommerce.E002"]),
    ],
)
def test_unusable_gateway_settings_are_reported(settings: Any, name: str, value: object, expected: list[str]) -> None:
    setattr(settings, name, value)
    assert ids(check_gateways()) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"PAYMENT_SESSION_SECONDS": 29 * 60}, ["ecommerce.E003"]),
        ({"PAYMENT_SESSION_SECONDS": 24 * 3600, "ORDER_HOLD_SECONDS": 25 * 3600}, ["ecommerce.E003"]),
        ({"ORDER_HOLD_SECONDS": 31 * 60}, ["ecommerce.E004"]),
        ({"STRIPE_ACCOUNTS": {"": {**KEYS, "webhook_secrets": []}, "a.example": KEYS}}, ["ecommerce.W001"]),
    ],
)
def test_settings_stripe_would_refuse_are_reported(
    settings: Any, changes: dict[str, object], expected: list[str]
) -> None:
    for name, value in changes.items():
        setattr(settings, name, value)
    assert ids(check_stripe()) == expected


def test_a_profile_of_cybersource_that_is_not_complete_is_reported(settings: Any) -> None:
    assert not check_cybersource()
    settings.CYBERSOURCE_MISSING = ["CYBERSOURCE_REST_SECRET"]
    (half,) = check_cybersource()
    assert (half.id, "CYBERSOURCE_REST_SECRET" in half.msg) == ("ecommerce.E009", True)
    settings.CYBERSOURCE_MISSING = []
    settings.CYBERSOURCE_ACCOUNTS = {"": account() | {"access_keys": ["a", "b"], "rest_secret": "no base64"}}
    assert ids(check_cybersource()) == ["ecommerce.E010", "ecommerce.E011"]


def test_production_needs_a_gateway(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = []
    assert ids(check_payments_possible()) == ["ecommerce.W002"]
    settings.PAYMENT_GATEWAYS = ["ecommerce.gateways.stripe.StripeGateway"]
    assert ids(check_payments_possible()) == ["ecommerce.E005"]
    settings.SANDBOX_PAYMENTS = False
    assert not check_payments_possible()


ASK = "from django.conf import settings as s; print(s.PAYMENT_GATEWAYS, s.CONTENT_SECURITY_POLICY['DIRECTIVES'])"


def test_in_production_a_live_key_opens_stripes_page_and_a_test_key_nothing() -> None:
    live = manage("shell", "-c", ASK, **COMPLETE)
    assert "ecommerce.gateways.stripe.StripeGateway" in live.stdout
    assert "https://checkout.stripe.com" in live.stdout
    assert "Sandbox" not in live.stdout
    refused = manage("check", **{**COMPLETE, "STRIPE_SECRET_KEY": "sk_test_for-checking-the-settings"})
    assert refused.returncode
    assert "STRIPE_TEST_MODE=true" in refused.stderr
    assert "for-checking-the-settings" not in refused.stderr


PAYPAL_KEYS = {"client_id": "A", "client_secret": "B", "webhook_ids": ["W"]}


@pytest.mark.parametrize(
    ("accounts", "expected", "named"),
    [
        ({}, [], ""),
        ({"": PAYPAL_KEYS}, [], ""),
        ({"": PAYPAL_KEYS | {"client_secret": ""}}, ["ecommerce.E006"], "PAYPAL_CLIENT_SECRET"),
        ({"": PAYPAL_KEYS | {"client_id": ""}}, ["ecommerce.E006"], "PAYPAL_CLIENT_ID"),
        ({"": PAYPAL_KEYS | {"webhook_ids": []}}, ["ecommerce.W004"], "PAYPAL_WEBHOOK_IDS"),
        ({"": PAYPAL_KEYS, "a.example": PAYPAL_KEYS | {"webhook_ids": []}}, ["ecommerce.W004"], "a.example"),
    ],
)
def test_a_paypal_that_is_half_configured_is_reported(
    settings: Any, accounts: dict[str, Any], expected: list[str], named: str
) -> None:
    settings.PAYPAL_ACCOUNTS = accounts
    found = check_paypal()
    assert ids(found) == expected
    assert all(named in message.msg and message.hint for message in found)


def test_a_paypal_that_takes_none_of_the_currencies_is_reported(settings: Any) -> None:
    settings.PAYPAL_ACCOUNTS = {"": PAYPAL_KEYS}
    settings.CURRENCIES = ["KWD", "CLP"]
    assert ids(check_paypal()) == ["ecommerce.E007"]
    settings.CURRENCIES = ["KWD", "EUR"]
    assert check_paypal() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "price", "found"),
    [("", "249", ["ecommerce.W003"]), (" \n", "249", ["ecommerce.W003"]), ("2 Mosaic Yard", "249", []), ("", "0", [])],
)
def test_a_shop_that_sells_needs_the_sellers_address(address: str, price: str, found: list[str]) -> None:
    make_product(price=price)
    ShopSettings.objects.create(site=Site.objects.get(is_default_site=True), seller_address=address)
    assert ids(check_seller()) == found


def test_without_a_database_the_seller_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise OperationalError

    monkeypatch.setattr("ecommerce.checks.shop_settings", away)
    assert check_seller() == []


@pytest.mark.django_db
def test_check_tells_the_operator(capsys: pytest.CaptureFixture[str]) -> None:
    make_product()
    call_command("check")
    assert "Receipts have no address of the seller." in capsys.readouterr().err
