"""Every failure of a sign-in ends on a page with an explanation and a next step."""

import logging
import re
import socket
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from wagtail.models import Site

from cms.models import SiteBrand
from mitxonline.users.models import ProviderSession, User
from mitxonline.users.sso.errors import SignInRefused
from mitxonline.users.sso.keycloak import KeycloakBackend
from tests.support.oidc import FakeProvider
from tests.users.sso.conftest import begin, is_signed_in, sign_in

pytestmark = pytest.mark.django_db


def text_of(response: Any) -> str:
    page = response.content.decode()
    main = re.search(r"<main.*?</main>", page, re.DOTALL)
    assert main, page
    return " ".join(re.sub(r"<[^>]+>", " ", main[0]).split())


def refused(client: Client, response: Any, status: HTTPStatus, sentence: str) -> str:
    """Fail unless a page of ours explains the refusal, no one is signed in, and no text of the provider is quoted."""
    assert response.status_code == status
    text = text_of(response)
    assert sentence in text
    assert not is_signed_in(client)
    assert "Traceback" not in text
    return text


def test_stopping_at_the_provider(client: Client, provider: FakeProvider) -> None:
    back = provider.visit(begin(client, next="/cart/"), error="access_denied", error_description="<b>gone</b> mad")
    response = client.get(back)
    text = refused(client, response, HTTPStatus.FORBIDDEN, "You stopped at Northgate.")
    assert "mad" not in text
    assert "Continue with Northgate" in text
    assert '<input type="hidden" name="next" value="/cart/">' in response.content.decode()
    assert '/login/?next=%2Fcart%2F"' in response.content.decode()


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        ("temporarily_unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "We can’t reach Northgate right now."),
        ("server_error", HTTPStatus.SERVICE_UNAVAILABLE, "We can’t reach Northgate right now."),
        ("invalid_scope", HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other"),
        ("unauthorized_client", HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other"),
        ("something_new", HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other"),
    ],
)
def test_errors_the_provider_sends(
    client: Client, provider: FakeProvider, error: str, status: HTTPStatus, sentence: str
) -> None:
    refused(client, client.get(provider.visit(begin(client), error=error)), status, sentence)


# The state


def test_a_return_without_a_beginning(client: Client, provider: FakeProvider) -> None:
    """Login CSRF: someone else's code, brought to this browser."""
    attacker = Client()
    theirs = provider.visit(begin(attacker))
    refused(client, client.get(theirs), HTTPStatus.BAD_REQUEST, "started too long ago or in another browser")


def test_another_users_code_with_ones_own_state_is_refused(client: Client, provider: FakeProvider) -> None:
    """The state is this browser's, the code was made for another one: PKCE, and the nonce, tell them apart."""
    theirs = provider.visit(begin(Client()))
    code = re.search(r"code=([^&]+)", theirs)
    assert code
    mine = provider.visit(begin(client), code=code[1])
    refused(client, client.get(mine), HTTPStatus.BAD_REQUEST, "started too long ago or in another browser")


def test_a_state_is_good_once(client: Client, provider: FakeProvider) -> None:
    back = provider.visit(begin(client))
    client.get(back)
    client.post("/logout/")
    refused(client, client.get(back), HTTPStatus.BAD_REQUEST, "or was already used")


def test_going_back_in_the_browser_after_signing_in_does_no_harm(client: Client, provider: FakeProvider) -> None:
    back = provider.visit(begin(client))
    client.get(back)
    assert client.get(back)["Location"] == "/dashboard/"
    assert is_signed_in(client)


def test_a_state_gets_old(client: Client, provider: FakeProvider, settings: Any) -> None:
    settings.SOCIAL_AUTH_STATE_LIFETIME = 1
    back = provider.visit(begin(client))
    session = client.session
    for key in [key for key in session.keys() if "oauth2_state_" in key]:  # noqa: SIM118 - a session isn't a dict
        session[key] = {**session[key], "timestamp": session[key]["timestamp"] - 2}
    session.save()
    refused(client, client.get(back), HTTPStatus.BAD_REQUEST, "started too long ago")


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=x", "?state=x&code=y", "?error=access_denied", "?code=x&state="]
)
def test_nonsense_instead_of_an_answer(client: Client, provider: FakeProvider, query: str) -> None:
    response = client.get(f"/complete/keycloak/{query}")
    assert response.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN)
    assert "Continue with Northgate" in text_of(response)


# The issuer, which is the first thing to be set wrongly


OTHER = "https://sso.example/realms/tessera"


def failures_logged(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__ for record in caplog.records if record.message == "sign-in failed"]


def test_an_answer_of_another_issuer(client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    back = provider.visit(begin(client, next="/cart/"), iss=OTHER)
    text = refused(client, client.get(back), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")
    assert "too long ago" not in text
    (line,) = failures_logged(caplog)
    assert (line["levelname"], line["failure"], line["claim"]) == ("WARNING", "answer_unsound", "iss")
    assert (line["came"], line["expected"]) == (OTHER, provider.issuer)


def test_a_forged_issuer_is_logged_short_and_on_one_line(
    client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    client.get(provider.visit(begin(client), iss="https://evil.example/\n\x1b[31mforged " + "x" * 5000))
    (line,) = failures_logged(caplog)
    assert line["came"].startswith("https://evil.example/??[31mforged x")
    assert len(line["came"]) == 200


def test_a_token_of_another_issuer(client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    provider.in_token = {"iss": OTHER}
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")
    (line,) = failures_logged(caplog)
    assert (line["levelname"], line["failure"], line["claim"]) == ("ERROR", "answer_unsound", "iss")
    assert (line["came"], line["expected"]) == (OTHER, provider.issuer)


@pytest.mark.parametrize("issuer", [OTHER, None, 7])
def test_a_document_of_another_issuer_is_reported_before_the_redirect(
    client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture, issuer: object
) -> None:
    provider.answers["openid-configuration"] = (200, {**provider.discovery(), "issuer": issuer})
    response = client.post("/login/keycloak/")
    refused(client, response, HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other")
    (line,) = failures_logged(caplog)
    assert (line["levelname"], line["failure"], line["claim"]) == ("ERROR", "misconfigured", "iss")
    assert (line["came"], line["expected"]) == (str(issuer), provider.issuer)

    # Put right there, it works at once.
    del provider.answers["openid-configuration"]
    sign_in(client, provider)
    assert is_signed_in(client)


# Where to write


def test_a_page_that_says_write_to_us_says_where(client: Client, provider: FakeProvider) -> None:
    provider.in_token = {"nonce": "another"}
    assert "write to us" not in text_of(sign_in(client, provider)).lower()

    SiteBrand.objects.update_or_create(
        site=Site.objects.get(is_default_site=True), defaults={"support_email": "help@tessera.example"}
    )
    response = sign_in(client, provider)
    assert "If that doesn’t help, write to us: help@tessera.example" in text_of(response)
    link = re.search(r'href="(mailto:help@tessera.example\?subject=[^"]+)"', response.content.decode())
    assert link
    assert response["X-Request-ID"] in unquote(link[1])


def test_no_sentence_says_so_without_the_address() -> None:
    """The one place for it is `contact`, which the page shows beside the address alone."""
    sentences = [str(each(provider="Northgate")) for each in _all_below(SignInRefused)]
    assert len(sentences) > 12
    for sentence in sentences:
        assert not re.search(r"\b(write to|tell|ask|contact) us\b", sentence, re.IGNORECASE), sentence


def _all_below(kind: type[SignInRefused]) -> Iterator[type[SignInRefused]]:
    for each in kind.__subclasses__():
        yield each
        yield from _all_below(each)


# The provider is away


@pytest.mark.parametrize("part", ["token", "userinfo", "keys"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_the_provider_is_ill(client: Client, provider: FakeProvider, part: str, status: int) -> None:
    provider.answers[part] = (status, {})
    refused(client, sign_in(client, provider), HTTPStatus.SERVICE_UNAVAILABLE, "Wait a few minutes, then try again.")


@pytest.mark.parametrize("part", ["token", "userinfo", "keys"])
@pytest.mark.parametrize("body", [b"<html>", [], {"keys": "no"}])
def test_the_provider_talks_nonsense(client: Client, provider: FakeProvider, part: str, body: object) -> None:
    provider.answers[part] = (200, body)
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


def test_the_provider_is_away_from_the_start(client: Client, provider: FakeProvider, settings: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        settings.SOCIAL_AUTH_KEYCLOAK_OIDC_ENDPOINT = f"http://127.0.0.1:{unused.getsockname()[1]}/realms/tessera"
        response = client.post("/login/keycloak/", {"next": "/cart/"})
    refused(client, response, HTTPStatus.SERVICE_UNAVAILABLE, "We can’t reach Northgate right now.")
    assert 'name="next" value="/cart/"' in response.content.decode()


def test_discovery_that_is_none(client: Client, provider: FakeProvider) -> None:
    provider.answers["openid-configuration"] = (404, {"error": "Realm does not exist"})
    response = client.post("/login/keycloak/")
    refused(client, response, HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other")


def test_a_provider_that_was_known_and_went_away_is_still_known(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/logout/")
    provider.answers["openid-configuration"] = (503, {})
    sign_in(client, provider)
    assert is_signed_in(client)


# The token


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"iss": "https://evil.example/realms/tessera"}, "We couldn’t verify"),
        ({"aud": "another-client"}, "We couldn’t verify"),
        ({"aud": ["storefront", "other"], "azp": None}, "We couldn’t verify"),
        ({"azp": "another-client"}, "We couldn’t verify"),
        ({"nonce": "another"}, "We couldn’t verify"),
        ({"nonce": None}, "We couldn’t verify"),
        ({"sub": None}, "We couldn’t verify"),
        ({"sub": ""}, "We couldn’t verify"),
        ({"sub": "x" * 256}, "We couldn’t verify"),
        ({"sub": "a\0b"}, "We couldn’t verify"),
        ({"sub": "\ud800"}, "We couldn’t verify"),
        ({"exp": None}, "We couldn’t verify"),
        ({"iat": None}, "We couldn’t verify"),
        ({"at_hash": "another"}, "We couldn’t verify"),
    ],
)
def test_a_token_that_is_not_for_us(
    client: Client, provider: FakeProvider, claims: dict[str, Any], sentence: str
) -> None:
    provider.in_token = claims
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, sentence)
    assert not User.objects.exists()


@pytest.mark.parametrize("sid", ["a\0b", "\ud800", "s" * 256, 7])
def test_a_session_whose_name_can_not_be_kept_is_none(client: Client, provider: FakeProvider, sid: object) -> None:
    provider.in_token = {"sid": sid}
    sign_in(client, provider)
    assert ProviderSession.objects.get().sid == ""


def test_userinfo_about_another_subject_is_refused(client: Client, provider: FakeProvider) -> None:
    provider.userinfo = {"sub": "somebody-else"}
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


def test_userinfo_without_a_subject_is_refused(client: Client, provider: FakeProvider) -> None:
    provider.answers["userinfo"] = (200, {"email": "boss@shop.example", "email_verified": True})
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


def test_a_signature_that_is_not_the_providers(client: Client, provider: FakeProvider) -> None:
    provider.headers = {"key": "stranger", "kid": "first"}
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


@pytest.mark.parametrize("token", ["x", "x.y.z", "", None, 7])
def test_an_answer_without_a_token_is_refused(client: Client, provider: FakeProvider, token: object) -> None:
    answer = {"access_token": "a", "id_token": token, "token_type": "Bearer"}
    provider.answers["token"] = (200, answer)
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


@pytest.mark.parametrize("ahead", [50, -50])
def test_clocks_may_differ_a_little(client: Client, provider: FakeProvider, ahead: int) -> None:
    provider.clock = ahead
    sign_in(client, provider)
    assert is_signed_in(client)


@pytest.mark.parametrize("ahead", [200, -400])
def test_clocks_may_not_differ_much(client: Client, provider: FakeProvider, ahead: int) -> None:
    provider.clock = ahead
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "one of the clocks is wrong")


def test_a_wrong_secret(client: Client, provider: FakeProvider, settings: Any) -> None:
    settings.SOCIAL_AUTH_KEYCLOAK_SECRET = "wrong"
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "aren’t set up correctly for each other")


# The keys


def test_a_new_key_is_fetched_when_it_is_first_seen(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/logout/")
    provider.published, provider.signs_with = ["first", "second"], "second"
    sign_in(client, provider)
    assert is_signed_in(client)
    assert provider.asked.count("keys") == 2


def test_keys_are_not_fetched_for_every_token_of_a_stranger(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    provider.asked.clear()
    for number in range(5):
        token = provider.logout_token(key="stranger", sid=str(number))
        assert client.post("/sso/keycloak/logout/", {"logout_token": token}).status_code == HTTPStatus.BAD_REQUEST
    assert provider.asked.count("keys") == 1


def test_cached_keys_survive_a_failed_refresh(client: Client, provider: FakeProvider) -> None:
    sign_in(client, provider)
    client.post("/logout/")
    provider.answers["keys"] = (503, {})
    token = provider.logout_token(key="stranger")
    assert client.post("/sso/keycloak/logout/", {"logout_token": token}).status_code == 503
    sign_in(client, provider)
    assert is_signed_in(client)


@pytest.mark.parametrize(
    "key",
    [
        {"kid": "first"},
        {"kid": "first", "kty": "RSA"},
        {"kid": "first", "kty": "RSA", "n": 7, "e": "AQAB"},
        {"kid": "first", "kty": "RSA", "n": "%%%", "e": "AQAB", "alg": "RS256"},
        {"kid": "first", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {"kid": "first", "kty": "EC", "crv": "P-256", "x": "x", "y": "y", "alg": "ES256"},
    ],
)
def test_a_key_that_is_none(client: Client, provider: FakeProvider, key: dict[str, Any]) -> None:
    provider.answers["keys"] = (200, {"keys": [key]})
    refused(client, sign_in(client, provider), HTTPStatus.BAD_GATEWAY, "We couldn’t verify")


def test_an_error_in_the_callback_address_raises_no_alarm(
    client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/complete/keycloak/?error=invalid_scope")
    (line,) = [record for record in caplog.records if record.message == "sign-in failed"]
    assert line.levelname == "INFO"


def test_a_key_for_encrypting_signs_nothing(provider: FakeProvider) -> None:
    assert "HS256" not in KeycloakBackend.JWT_ALGORITHMS
    assert "none" not in KeycloakBackend.JWT_ALGORITHMS


# What stands in the log


def test_the_log_has_the_reason_and_no_personal_data(
    client: Client, provider: FakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.in_token = {"aud": "another-client"}
    with caplog.at_level(logging.DEBUG):
        back = provider.visit(begin(client))
        client.get(back)
    (line,) = [record for record in caplog.records if record.message == "sign-in failed"]
    assert (line.levelname, line.__dict__["failure"], line.__dict__["claim"]) == ("ERROR", "answer_unsound", "aud")
    code = re.search(r"code=([^&]+)", back)
    assert code
    everything = " ".join(f"{record.__dict__}" for record in caplog.records if record.name.startswith("mitxonline"))
    for secret in (code[1], provider.claims["email"], provider.claims["sub"], "eyJ"):
        assert secret not in everything
