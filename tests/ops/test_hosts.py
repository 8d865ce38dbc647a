"""Requests by other names, through proxies, ahead of time and by robots."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import Client, RequestFactory, override_settings
from django.urls import resolve

from ecommerce.models import Basket
from mitxonline.kernel.http import client_address
from tests.factories import make_product, make_user

pytestmark = pytest.mark.django_db

LIVE = override_settings(ALLOWED_HOSTS=["shop.example"])


@LIVE
@pytest.mark.parametrize("host", ["10.0.0.5:8000", "[2001:db8::7]:8000", "anything.example", "bad_host:x"])
@pytest.mark.parametrize("path", ["/health/", "/health"])
@pytest.mark.parametrize("method", ["get", "head"])
def test_health_answers_by_any_name(
    client: Client, caplog: pytest.LogCaptureFixture, host: str, path: str, method: str
) -> None:
    caplog.set_level(logging.INFO)
    response = getattr(client, method)(path, headers={"Host": host})
    assert response.status_code == 200
    assert "Content-Security-Policy" in response.headers
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@LIVE
@pytest.mark.parametrize("path", ["/catalog/", "/", "/cms/", "/payment/webhook/", "/healthy/"])
@pytest.mark.parametrize("secure_redirect", [False, True])
def test_another_host_is_one_warning(
    client: Client, caplog: pytest.LogCaptureFixture, path: str, secure_redirect: bool
) -> None:
    with override_settings(SECURE_SSL_REDIRECT=secure_redirect):
        client = Client(headers={"Host": "10.0.0.5:8000"})
        assert client.get(path).status_code == 400
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "10.0.0.5:8000" in record.getMessage()


@LIVE
def test_our_own_host_is_served(client: Client) -> None:
    assert client.get("/login/", headers={"Host": "shop.example"}).status_code == 200


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.10:50000", "203.0.113.10"),
        ("203.0.113.10", "203.0.113.10"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ('"[2001:db8::7]:443"', "2001:db8::7"),
        ("::ffff:203.0.113.10", "203.0.113.10"),
        ("fe80::1%eth0", "fe80::1"),
        ("198.51.100.1, 203.0.113.10:50000", "203.0.113.10"),
        ("unknown", "192.0.2.1"),
        ("_hidden", "192.0.2.1"),
        ("203.0.113.10:50000:1", "192.0.2.1"),
    ],
)
def test_ports_and_brackets_of_proxies_are_no_part_of_the_address(
    rf: RequestFactory, forwarded: str, address: str
) -> None:
    extra: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
    with override_settings(TRUSTED_PROXY_COUNT=1):
        assert client_address(rf.get("/", **extra)) == address


@override_settings(TRUSTED_PROXY_COUNT=1)
def test_wrong_passwords_are_limited_behind_a_proxy_that_adds_ports(client: Client) -> None:
    person = make_user()
    statuses = [
        client.post(
            "/login/",
            {"username": person.email, "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.10:{50000 + attempt}"},
        ).status_code
        for attempt in range(12)
    ]
    assert statuses[:10] == [200] * 10 or 429 not in statuses[:10]
    assert statuses[10:] == [429, 429]


ROBOTS = [
    {"Sec-Purpose": "prefetch"},
    {"Sec-Purpose": "prefetch;prerender"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
    {"X-Purpose": "preview"},
    {"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"},
    {"User-Agent": "facebookexternalhit/1.1"},
    {"User-Agent": "Slackbot-LinkExpanding 1.0"},
    {"User-Agent": "Mozilla/5.0 (compatible; YandexBot/3.0)"},
]


@pytest.mark.parametrize("headers", ROBOTS)
@pytest.mark.parametrize("path", ["/cart/add/", "/basket/add/"])
def test_nothing_is_put_in_a_cart_ahead_of_a_click(client: Client, headers: dict[str, str], path: str) -> None:
    product = make_product()
    response = client.get(path, {"product_id": product.pk}, headers=headers)
    assert response.status_code == 204
    assert not Basket.objects.exists()
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (Linux; Android 13; CUBOT P80)", "Mozilla/5.0 Firefox/140.0", ""])
def test_a_click_still_fills_the_cart(client: Client, agent: str) -> None:
    client.get("/cart/add/", {"product_id": make_product().pk}, headers={"User-Agent": agent})
    assert Basket.objects.count() == 1


@pytest.mark.parametrize("path", ["/payment/webhook", "/payment/sandbox/webhook"])
def test_a_webhook_works_without_the_slash(client: Client, path: str) -> None:
    with_slash = client.post(f"{path}/", b"{}", content_type="application/json")
    without = client.post(path, b"{}", content_type="application/json")
    assert resolve(path).func is resolve(f"{path}/").func
    assert without.status_code == with_slash.status_code
    assert not without.has_header("Location")
