import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from mitxonline.kernel.errors import DomainError, Forbidden, NotFound, RateLimited
from mitxonline.kernel.http import (
    DomainErrorMiddleware,
    client_address,
    domain_error_response,
    wants_fragment,
    wants_json,
)

MakeRequest = Callable[..., HttpRequest]


class SeatsTaken(DomainError):
    code = "seats_taken"
    exposes = ("seats",)
    retry_url = "/cart/"
    message = "All {seats} seats are <taken>."
    seats: int = 5


@pytest.fixture
def a_request(rf: RequestFactory) -> MakeRequest:
    def make(method: str = "post", path: str = "/checkout/", **headers: str) -> HttpRequest:
        request = rf.generic(method.upper(), path, headers={"Accept": "text/html", **headers})
        request.session = SessionStore()
        request._messages = FallbackStorage(request)  # type: ignore[attr-defined]
        return request

    return make


def test_a_page_shows_the_sentence_where_something_can_be_done(a_request: MakeRequest) -> None:
    request = a_request()
    response = domain_error_response(request, SeatsTaken())
    assert (response.status_code, response["Location"]) == (303, "/cart/")
    (message,) = get_messages(request)
    assert (message.message, message.level_tag) == ("All 5 seats are <taken>.", "error")


def test_without_such_a_place_the_answer_is_a_page_with_the_status(a_request: MakeRequest) -> None:
    response = domain_error_response(a_request(), Forbidden())
    assert response.status_code == 403
    assert "You don’t have permission" in response.content.decode()


def test_a_page_that_refuses_itself_is_not_redirected_to_again(a_request: MakeRequest) -> None:
    response = domain_error_response(a_request("get", "/cart/?product_id=1"), SeatsTaken())
    assert response.status_code == 409
    assert "All 5 seats are &lt;taken&gt;." in response.content.decode()


def test_htmx_gets_a_fragment_for_the_status_region(a_request: MakeRequest) -> None:
    response = domain_error_response(a_request(**{"HX-Request": "true"}), SeatsTaken())
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (409, "#form-status", "innerHTML")
    content = response.content.decode()
    assert "All 5 seats are &lt;taken&gt;." in content
    assert "<html" not in content


@pytest.mark.parametrize(
    ("named", "used"),
    [("#code-status", "#code-status"), ("body", "#form-status"), ("#a, body", "#form-status"), ("#", "#form-status")],
)
def test_a_form_names_its_own_status_region(a_request: MakeRequest, named: str, used: str) -> None:
    request = a_request(**{"HX-Request": "true", "X-Status-Region": named})
    assert domain_error_response(request, SeatsTaken())["HX-Retarget"] == used


def test_a_boosted_link_is_a_page_like_any_other(a_request: MakeRequest) -> None:
    assert not wants_fragment(a_request(**{"HX-Request": "true", "HX-Boosted": "true"}))


@pytest.mark.parametrize(
    ("path", "accept", "is_json"),
    [
        ("/cart/", "text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("/cart/", "application/json", True),
        ("/cart/", "text/html;q=0.5, application/json", True),
        ("/cart/", "*/*", False),
        ("/cart/", "", False),
        ("/cart/", "image/png", False),
        ("/api/v1/cart/", "text/html", True),
        ("/apiary/", "text/html", False),
    ],
)
def test_programs_get_json(a_request: MakeRequest, path: str, accept: str, is_json: bool) -> None:
    assert wants_json(a_request("get", path, Accept=accept)) is is_json


def test_json_has_code_sentence_and_data(a_request: MakeRequest) -> None:
    response = domain_error_response(a_request(Accept="application/json"), SeatsTaken())
    assert response.status_code == 409
    assert json.loads(response.content) == {
        "code": "seats_taken",
        "message": "All 5 seats are <taken>.",
        "data": {"seats": 5},
    }
    assert set(response["Vary"].split(", ")) >= {"Accept", "HX-Request"}


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_a_limit_says_when_to_come_back(a_request: MakeRequest, headers: dict[str, str]) -> None:
    response = domain_error_response(a_request(**headers), RateLimited(retry_after=480))
    assert (response.status_code, response["Retry-After"]) == (429, "480")


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}, {"Accept": "application/json"}])
def test_the_unknown_and_the_hidden_look_the_same(a_request: MakeRequest, headers: dict[str, str]) -> None:
    answers = [domain_error_response(a_request(**headers), NotFound()) for _who in ("nobody's", "someone else's")]
    assert answers[0].content == answers[1].content
    assert {answer.status_code for answer in answers} == {404}


def test_the_middleware_answers_refusals_and_nothing_else(a_request: MakeRequest) -> None:
    middleware = DomainErrorMiddleware(lambda request: HttpResponse())
    answer = middleware.process_exception(a_request(), Forbidden())
    assert answer is not None
    assert answer.status_code == 403
    assert middleware.process_exception(a_request(), ValueError()) is None


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        (2, "10.0.0.1, 198.51.100.7, 203.0.113.9", "198.51.100.7"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, " , ", "192.0.2.1"),
    ],
)
def test_only_our_own_proxies_are_believed(rf: RequestFactory, proxies: int, forwarded: str, address: str) -> None:
    extra: dict[str, Any] = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
    with override_settings(TRUSTED_PROXY_COUNT=proxies):
        assert client_address(rf.get("/", **extra)) == address
