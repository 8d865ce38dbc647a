"""The client of the course site, against one that misbehaves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.core.checks import run_checks
from django.db import transaction
from django.test import Client

from courses.errors import (
    CourseSiteAway,
    CourseSiteBusy,
    CourseSiteDenied,
    CourseSiteNotConfigured,
    CourseSiteRefused,
    CourseSiteSecretWrong,
    CourseSiteUnreadable,
)
from courses.gateways.openedx.client import OpenEdxClient, Server, scrub_sentence
from mitxonline.kernel.breaker import close
from mitxonline.kernel.remote import patience
from mitxonline.kernel.trace import open_trace
from tests.courses.openedx import Waits, connect, make_client
from tests.openedx.server import CourseSite, Manner
from tests.support.silence import refusing_port, silent_server

ACCOUNTS = "/api/user/v1/accounts"
ENROLL = "/api/enrollment/v1/enrollment"
RUN = "course-v1:TesseraX+OC101+2026_T1"
OTHER = "course-v1:TesseraX+ST200+2026_T1"


@pytest.fixture(autouse=True)
def _no_token_is_known() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def site(course_site: CourseSite) -> CourseSite:
    course_site.state.add_account("ada", "ada@mail.example")
    course_site.state.add_account("bob", "bob@mail.example")
    course_site.state.add_run(RUN, "Ocean currents")
    course_site.state.add_run(OTHER, "Statistics")
    return course_site


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def client_of(site: CourseSite, waits: Waits) -> OpenEdxClient:
    return make_client(site, waits)


def find(client: OpenEdxClient, name: str = "ada") -> Any:
    return client.get(ACCOUNTS, params={"email": f"{name}@mail.example"}).data[0]["username"]


def enroll(client: OpenEdxClient, *, is_repeatable: bool = True, user: str = "ada", run: str = RUN) -> Any:
    body = {"user": user, "mode": "audit", "is_active": True, "course_details": {"course_id": run}}
    return client.post(ENROLL, body, is_repeatable=is_repeatable).data


def tokens(site: CourseSite) -> int:
    return site.count("/oauth2/")


def test_one_token_serves_many_calls_and_both_servers(site: CourseSite, client_of: OpenEdxClient) -> None:
    assert (find(client_of, "ada"), find(client_of, "bob")) == ("ada", "bob")
    assert client_of.get("/api/v1/course_runs/", server=Server.STUDIO).data["count"] == 2
    assert find(make_client(site, Waits())) == "ada", "another process"
    assert tokens(site) == 1
    assert site.calls_of("/oauth2/")[0].body["token_type"] == "jwt"
    assert {call.headers["authorization"].split()[0] for call in site.calls_of(ACCOUNTS)} == {"JWT"}


def test_a_token_is_not_readable_in_the_cache(
    site: CourseSite, client_of: OpenEdxClient, monkeypatch: Any, settings: Any
) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(cache, "set", lambda key, value, timeout: kept.update({key: value}))
    find(client_of)
    ((key, value),) = kept.items()
    (token,) = site.state.tokens
    assert token not in value
    monkeypatch.undo()
    cache.set(key, value)
    find(client_of)
    assert tokens(site) == 1
    settings.SECRET_KEY = "another"
    find(client_of)
    cache.set(key, token)  # as the last release kept it
    find(client_of)
    assert tokens(site) == 3


def test_a_token_is_renewed_before_it_expires(site: CourseSite, client_of: OpenEdxClient, monkeypatch: Any) -> None:
    kept: dict[str, float] = {}
    monkeypatch.setattr(cache, "set", lambda key, value, timeout: kept.update({key: timeout}))
    find(client_of)
    assert list(kept.values()) == [3540]
    site.state.token_seconds = 10
    find(client_of)
    assert list(kept.values()) == [9]


def test_a_token_that_was_revoked_is_renewed_once(site: CourseSite, client_of: OpenEdxClient) -> None:
    find(client_of)
    site.state.forget_tokens()
    assert enroll(client_of, is_repeatable=False)["is_active"]
    assert tokens(site) == 2
    assert [call.status for call in site.calls_of(ENROLL)] == [401, 200]


def test_a_site_that_refuses_each_token_is_asked_twice(
    site: CourseSite, client_of: OpenEdxClient, waits: Waits
) -> None:
    site.misbehave("unauthorized", times=5)
    with pytest.raises(CourseSiteDenied, match="storefront-lms"):
        find(client_of)
    assert (site.count(ACCOUNTS), waits) == (2, [])


def test_a_wrong_secret_is_named_without_it(site: CourseSite) -> None:
    with pytest.raises(CourseSiteSecretWrong, match="storefront-lms") as refused:
        find(make_client(site, Waits(), secret="not-the-secret"))
    assert "not-the-secret" not in str(refused.value)
    assert site.count(ACCOUNTS) == 0


@pytest.mark.parametrize("manner", ["throttle", "bad_gateway", "unavailable", "gateway_timeout", "drop"])
def test_what_passes_is_repeated_where_a_call_may_be(
    manner: Manner, site: CourseSite, client_of: OpenEdxClient, waits: Waits
) -> None:
    site.misbehave(manner, times=2)
    assert find(client_of) == "ada"
    assert (site.count(ACCOUNTS), len(waits)) == (3, 2)


@pytest.mark.parametrize("manner", ["throttle", "unavailable", "drop", "lost"])
def test_a_call_that_must_not_be_repeated_is_made_once(
    manner: Manner, site: CourseSite, client_of: OpenEdxClient, waits: Waits
) -> None:
    site.misbehave(manner)
    with pytest.raises((CourseSiteAway, CourseSiteBusy)):
        enroll(client_of, is_repeatable=False)
    assert (site.count(ENROLL), waits) == (1, [])


def test_work_done_by_a_lost_answer_is_done_once(site: CourseSite, client_of: OpenEdxClient) -> None:
    site.misbehave("lost")
    assert enroll(client_of)["mode"] == "audit"
    enroll(client_of, user="bob", run=OTHER)
    assert [(change.what, change.user) for change in site.state.changes] == [("enrolled", "ada"), ("enrolled", "bob")]


def test_the_site_says_how_long_to_wait(site: CourseSite, client_of: OpenEdxClient, waits: Waits) -> None:
    site.misbehave("throttle", retry_after=7)
    find(client_of)
    assert waits == [7]
    site.misbehave("throttle", retry_after=600)
    with pytest.raises(CourseSiteBusy) as busy:
        find(client_of)
    assert (busy.value.retry_after, waits) == (600, [7]), "that long someone else waits"


def test_no_wait_is_longer_than_the_callers_patience(site: CourseSite, client_of: OpenEdxClient, waits: Waits) -> None:
    site.misbehave("throttle", retry_after=7)
    with patience(5), pytest.raises(CourseSiteBusy):
        find(client_of)
    assert waits == []


@pytest.mark.parametrize("manner", ["error", "malformed", "html"])
def test_what_doesnt_pass_is_not_repeated(
    manner: Manner, site: CourseSite, client_of: OpenEdxClient, waits: Waits
) -> None:
    site.misbehave(manner)
    with pytest.raises((CourseSiteAway, CourseSiteUnreadable)):
        find(client_of)
    assert (site.count(ACCOUNTS), waits) == (1, [])


@pytest.mark.parametrize("manner", ["slow", "late"])
def test_a_slow_site_is_left_after_the_timeout(manner: Manner, site: CourseSite, waits: Waits) -> None:
    client = make_client(site, waits, timeout=0.3)
    find(client)
    site.misbehave(manner, seconds=5)
    with pytest.raises(CourseSiteAway):
        find(client)
    assert waits == []


def test_a_refusal_has_the_sites_own_sentence_without_addresses(site: CourseSite, client_of: OpenEdxClient) -> None:
    with pytest.raises(CourseSiteRefused) as refused:
        enroll(client_of, user="nobody")
    assert (refused.value.http_status, refused.value.sentence) == (406, "The user nobody does not exist.")
    assert str(refused.value) == "The course site refused: The user nobody does not exist."
    with pytest.raises(CourseSiteRefused) as unknown:
        find(client_of, "nobody")
    assert str(unknown.value) == "The course site refused: error 404, without a reason."
    assert scrub_sentence("<b>No\n account</b>\0 for ada@mail.example.") == "No account for [e-mail]."


def test_silence_and_failures_open_the_breaker_which_health_reports(
    site: CourseSite, client_of: OpenEdxClient, client: Client, db: None
) -> None:
    find(client_of)
    site.misbehave("error", times=3)
    for _ in range(3):
        with pytest.raises(CourseSiteAway):
            find(client_of)
    with pytest.raises(CourseSiteAway):
        find(client_of)
    assert site.count(ACCOUNTS) == 4, "it is left alone for a while"
    assert client.get("/health/").json()["silent"] == ["openedx-lms"]
    assert client_of.get("/api/v1/course_runs/", server=Server.STUDIO).status == 200, "Studio is another account"
    close(Server.LMS)
    assert find(client_of) == "ada"


def test_a_port_that_no_one_listens_on_and_a_server_that_hangs(waits: Waits, site: CourseSite) -> None:
    for address in ("refusing", "hanging"):
        with refusing_port() as port, silent_server() as silent:
            client = make_client(site, waits, timeout=0.3)
            client._addresses = {Server.LMS: f"http://127.0.0.1:{port}" if address == "refusing" else silent.url}
            with pytest.raises(CourseSiteAway):
                find(client)
        close(Server.LMS)


def test_calls_belong_to_the_open_trace(site: CourseSite, client_of: OpenEdxClient) -> None:
    with open_trace("0123456789abcdef"):
        find(client_of)
    assert "0123456789abcdef" in site.calls_of(ACCOUNTS)[0].headers["traceparent"]


def test_no_call_is_made_inside_a_transaction(client_of: OpenEdxClient, transactional_db: None) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError):
        find(client_of)


def test_neither_secret_nor_token_is_logged(site: CourseSite, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client = make_client(site, Waits())
    site.misbehave("error")
    with pytest.raises(CourseSiteAway):
        find(client)
    find(client)
    (token,) = site.state.tokens
    assert caplog.records
    assert not [
        record for record in caplog.records if token in record.getMessage() or "lms-secret" in record.getMessage()
    ]


def test_without_settings_there_is_no_course_site(settings: Any) -> None:
    with pytest.raises(CourseSiteNotConfigured, match="OPENEDX_API_BASE_URL"):
        OpenEdxClient.from_settings()
    assert problems() == []


def test_settings_are_complete_or_refused_in_a_sentence(site: CourseSite, settings: Any) -> None:
    connect(site, settings)
    assert problems() == []
    assert find(OpenEdxClient.from_settings()) == "ada"
    settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_SECRET = ""
    assert problems() == ["courses.E001"]
    settings.OPENEDX_API_BASE_URL = settings.OPENEDX_COURSES_SERVICE_WORKER_CLIENT_ID = ""
    assert problems() == ["courses.E002"]


def test_a_site_with_tls_wants_it_from_the_course_site_too(site: CourseSite, settings: Any) -> None:
    connect(site, settings)
    settings.SECURE_SSL_REDIRECT = True
    assert problems() == [], "this machine, or a container beside"
    settings.OPENEDX_API_BASE_URL = "http://lms.example"
    settings.OPENEDX_STUDIO_API_BASE_URL = "http://studio"
    assert problems() == ["courses.E003"]
    settings.SECURE_SSL_REDIRECT = False
    assert problems() == []


def problems() -> list[str | None]:
    return [message.id for message in run_checks(tags=["course_site"])]
