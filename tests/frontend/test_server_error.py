"""A fault of ours: what the visitor reads and what the log keeps."""

from __future__ import annotations

import logging
import re
from io import StringIO
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from mitxonline import urls
from mitxonline.logs import LineFormatter
from tests.factories import make_user
from tests.factories.pages import make_home

pytestmark = pytest.mark.django_db


def break_down(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("the one we look for")


@pytest.fixture(autouse=True)
def _broken_addresses(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.DEBUG = False


handler500 = urls.handler500
urlpatterns = [
    path("broken/", break_down),
    path("cms/broken/", break_down),
    path("admin/broken/", break_down),
    *urls.urlpatterns,
]


@pytest.fixture
def visitor() -> Client:
    make_home()
    client = Client(raise_request_exception=False)
    client.force_login(make_user(is_superuser=True, is_staff=True))
    return client


@pytest.mark.parametrize(
    ("address", "way"),
    [("/broken/", "/"), ("/cms/broken/", "/cms/"), ("/admin/broken/", "/admin/")],
)
def test_the_page_has_a_number_and_leads_back(visitor: Client, address: str, way: str) -> None:
    response = visitor.get(address)
    text = response.content.decode()
    assert response.status_code == 500
    found = re.search(r"mention this number: <strong>([0-9a-f]{16})</strong>", text)
    assert found is not None
    assert response.headers["X-Request-ID"] == found[1]
    assert re.search(rf'class="btn btn-primary" href="{way}"', text)


@override_settings(TRUSTED_PROXY_COUNT=1)
def test_the_log_line_has_number_and_traceback(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    log = StringIO()
    [handler] = [each for each in logging.getLogger().handlers if isinstance(each.formatter, LineFormatter)]
    monkeypatch.setattr(handler, "stream", log)
    response = visitor.get("/broken/", headers={"x-request-id": "a-proxy-s-own-id", "x-forwarded-for": "203.0.113.7"})
    assert "a-proxy-s-own-id" in response.content.decode()
    assert "trace=a-proxy-s-own-id" in log.getvalue()
    assert "Traceback (most recent call last)" in log.getvalue()
    assert "ZeroDivisionError: the one we look for" in log.getvalue()
