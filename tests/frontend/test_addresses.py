"""Rules for every address of the storefront; rights are in tests/security/table.py."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.security.addresses import every_address
from tests.security.table import ROWS, Row
from tests.security.world import example

pytestmark = pytest.mark.django_db

# Told by signed messages or asked by programs: no page of ours stands before them.
WITHOUT_A_TOKEN = (
    "payment/webhook/",
    "payment/webhook",
    "payment/<slug:gateway>/webhook/",
    "payment/<slug:gateway>/webhook",
    "sso/<slug:provider_name>/logout/",
)

# Forms of pages that visitors share ask where a post comes from. One that doesn't say gets the form, with a token.
WITH_A_FORM_FIRST = {"cart/add/": 200, "enroll/": 200}


def posting() -> list[Row]:
    """Return our addresses outside the admins that accept a POST from any role."""
    ours = {each.route for each in every_address() if each.is_ours}
    return [
        row
        for row in ROWS
        if row.route in ours and not row.route.startswith(("cms/", "admin/")) and set(row.post) - {"m", "n"}
    ]


def test_a_post_needs_its_token() -> None:
    client = Client(enforce_csrf_checks=True)
    without = [row for row in posting() if row.route not in WITHOUT_A_TOKEN]
    assert len(without) > 20
    got = {row.route: client.post(example(row.route, "", {})).status_code for row in without}
    assert {route: status for route, status in got.items() if status != 403} == WITH_A_FORM_FIRST


def test_personal_pages_are_never_cached(learners_client: Client) -> None:
    for address in ("/cart/", "/dashboard/", "/orders/history/", "/redeem/"):
        response = learners_client.get(address)
        assert "no-store" in response["Cache-Control"]
        assert response["X-Robots-Tag"] == "noindex"


def test_junk_in_an_address_ends_in_a_page(client: Client) -> None:
    for address in ("/payment/sandbox/abc/", "/cart/nothing/", "/enrollmentcode/%00/", "/organizations/%00/x/"):
        assert client.get(address).status_code in {302, 404}
