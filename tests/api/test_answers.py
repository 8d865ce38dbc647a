"""What every answer of the API has: refusals in two forms, a tag, the trace."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.api.client import ApiClient
from tests.factories import make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

COUNTRIES = "/api/v0/countries/"


def test_countries_have_names_and_states() -> None:
    with queries(0):
        found = {each["code"]: each for each in ApiClient().get(COUNTRIES).json()}
    assert found["DE"] == {"code": "DE", "name": "Germany", "states": []}
    assert {"code": "US-MA", "name": "Massachusetts"} in found["US"]["states"]
    assert {"code": "CA-QC", "name": "Quebec"} in found["CA"]["states"]


@pytest.mark.parametrize("path", ["/api/v0/nothing/", "/api/", "/api/v0/countries/%00/"])
def test_an_unknown_address_is_refused_in_json(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_a_method_that_isnt_there_is_refused_in_json() -> None:
    response = ApiClient().post(COUNTRIES)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response.headers["Allow"] == "GET"


def test_an_address_without_its_last_slash_leads_on() -> None:
    response = ApiClient().get("/api/v0/countries")
    assert (response.status_code, response.headers["Location"]) == (301, COUNTRIES)


def test_a_refusal_is_a_problem_for_whoever_asks_for_one() -> None:
    response = Client().get("/api/v0/nothing/", headers={"Accept": "application/problem+json"})
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "We can’t find that",
        "status": 404,
        "detail": "There is nothing here, or it isn’t yours to see.",
        "code": "not_found",
        "instance": f"urn:trace:{response.headers['X-Trace-Id']}",
    }


def test_an_answer_is_sent_once_to_whoever_keeps_it() -> None:
    client = ApiClient()
    first = client.get(COUNTRIES)
    assert "no-cache" in first.headers["Cache-Control"]
    again = client.get(COUNTRIES, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(COUNTRIES, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_trace_is_the_requests_own() -> None:
    response = ApiClient().get(COUNTRIES)
    assert response.headers["X-Trace-Id"] == response.headers["X-Request-ID"]


def test_the_documentation_is_ours_alone() -> None:
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    assert "//cdn" not in page.content.decode()
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert Client().get("/api/schema/").json()["openapi"].startswith("3.1")


def test_the_front_end_may_call_from_its_origin(settings: Any) -> None:
    settings.CORS_ORIGIN_WHITELIST = ["https://learn.example"]
    response = ApiClient().get(COUNTRIES, headers={"Origin": "https://learn.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://learn.example"
    assert "X-Trace-Id".lower() in response.headers["Access-Control-Expose-Headers"].lower()
    elsewhere = ApiClient().get(COUNTRIES, headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


def test_a_failure_is_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr("api.accounts.views.list_all", fail)
    response = Client(raise_request_exception=False).get(COUNTRIES)
    assert (response.status_code, response.json()["code"]) == (500, "failure")


def test_a_signed_in_person_may_read_what_anyone_may() -> None:
    assert ApiClient(make_user()).get(COUNTRIES).status_code == 200
