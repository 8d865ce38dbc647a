"""Each variable of `.env.example`: unset, empty, as in the file's sentence, and nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from mitxonline.settings.env import Variables, http_address
from mitxonline.settings.parts.mail import email_settings, sender_address
from tests.ops import variables
from tests.ops.variables import EXAMPLE, KINDS, MODULES, REQUIRED, is_sentence, load, load_with, names


@pytest.fixture(scope="module", autouse=True)
def _ready() -> None:
    variables.warm_up()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("settings", MODULES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_variable_starts_the_site_or_is_refused_in_a_sentence(settings: str, kind: str) -> None:
    wrong = {}
    for name in names():
        answer = load(settings, name, kind)
        must_refuse = settings == "production" and name in REQUIRED and kind in ("unset", "empty")
        is_right = is_sentence(answer, name) if kind == "nonsense" else (answer != "ok") is must_refuse
        if not is_right:
            wrong[name] = answer
    assert wrong == {}


@pytest.mark.parametrize(
    "name",
    [
        "WEB_WORKERS",
        "WEB_THREADS",
        "WORKER_CONCURRENCY",
        "REMOTE_CONCURRENCY",
        "PORT",
        "SECURE_SSL_REDIRECT",
        "TIME_ZONE",
        "STRIPE_SECRET_KEY",
    ],
)
def test_nonsense_is_refused_without_showing_it(name: str) -> None:
    answer = load("production", name, "nonsense")
    assert name in answer
    assert "no value of this kind" not in answer


def test_the_example_file_as_it_is_starts_development() -> None:
    assert load_with("development", {}, dotenv=str(EXAMPLE)) == "ok"


def test_the_example_file_with_what_is_needed_starts_production(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    text = EXAMPLE.read_text()
    for name, value in REQUIRED.items():
        text = text.replace(f"\n{name}=\n", f"\n{name}={value}\n")
    file.write_text(text)
    environ = dict(REQUIRED)  # production reads no file; compose hands all its variables on
    environ |= {name: "" for name in names() if name not in REQUIRED}
    assert load_with("production", environ) == "ok"


def test_a_secret_that_begins_with_a_dollar_sign_is_taken_as_it_is() -> None:
    for secret in ("$HOME-and-more-0123456789", "$$x", "a\\$b"):
        assert load_with("production", REQUIRED | {"SECRET_KEY": secret}, show="SECRET_KEY") == secret


def test_an_empty_secret_of_development_is_the_one_for_development() -> None:
    assert load_with("development", {"SECRET_KEY": " "}, show="SECRET_KEY").startswith("for-development-only")


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp+tls://u:p@host:587", 587, True, False),
        ("smtp+tls://u:p@host", 587, True, False),
        ("submission://u:p@host", 587, True, False),
        ("smtp://u:p@host:587/?tls=True", 587, True, False),
        ("smtp://u:p@host:587?tls=true", 587, True, False),
        ("smtp+ssl://u:p@host", 465, False, True),
        ("smtp+ssl://u:p@host:2465", 2465, False, True),
        ("smtps://u:p@host", 465, False, True),
        ("smtps://u:p@host:587", 587, True, False),
        ("submissions://u:p@host", 465, False, True),
        ("smtp://u:p@host:465", 465, False, True),
        ("smtp+tls://u:p@host:465", 465, False, True),
        ("smtp://u:p@host:25/?ssl=True", 25, False, True),
        ("smtp://host", 25, False, False),
        ("smtp://mail:1025", 1025, False, False),
    ],
)
def test_the_address_of_a_mail_server(url: str, port: int, tls: bool, ssl: bool) -> None:
    found = email_settings(url)
    assert (found["EMAIL_PORT"], found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (port, tls, ssl)
    assert found["EMAIL_BACKEND"].endswith("PatientEmailBackend")


def test_signs_in_a_password_are_written_with_a_percent_sign() -> None:
    found = email_settings("smtp+tls://me%40x.example:p%23%2F%3F%24@host")
    assert (found["EMAIL_HOST_USER"], found["EMAIL_HOST_PASSWORD"]) == ("me@x.example", "p#/?$")


@pytest.mark.parametrize(
    "url",
    [
        "smtp://u:p@host:587/?starttls=True",
        "smtp://u:p@host:587/?tls=maybe",
        "smtp://u:p@host:587/?timeout=3",
        "smtp://u:p#x@host:587",
        "smtp://u:p@host:587/path",
        "smtp://u:p@host:many",
        "smtp:host",
        "mail.example:25",
        "https://mail.example",
        "smtp://",
    ],
)
def test_what_nobody_reads_in_the_address_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL") as refused:
        email_settings(url)
    assert "u:p" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("Tessera, Inc. <hello@tessera.example>", '"Tessera, Inc." <hello@tessera.example>'),
        ('"Tessera, Inc." <hello@tessera.example>', '"Tessera, Inc." <hello@tessera.example>'),
        ("Tessera <hello@tessera.example>", "Tessera <hello@tessera.example>"),
        ("Tëssera <hello@tessera.example>\n", "Tëssera <hello@tessera.example>"),
        ("hello@tessera.example", "hello@tessera.example"),
        ("<hello@tessera.example>", "hello@tessera.example"),
        ('Say "hi" <hello@tessera.example>', '"Say \\"hi\\"" <hello@tessera.example>'),
    ],
)
def test_the_sender_may_have_a_comma(text: str, sender: str) -> None:
    assert sender_address(text) == sender
    assert sender_address(sender) == sender


@pytest.mark.parametrize("text", ["Tessera", "Tessera <hello>", "a@x.example, b@x.example", "A\nB <a@x.example>", "<>"])
def test_a_sender_without_an_address_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="DEFAULT_FROM_EMAIL"):
        sender_address(text)


def test_switches_and_addresses_are_read_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    env = Variables()
    for text, value in (("Yes", True), ("off", False), ("", True)):
        monkeypatch.setenv("LOCAL_ACCOUNTS", text)
        assert env.bool("LOCAL_ACCOUNTS", True) is value
    monkeypatch.setenv("KEYCLOAK_URL", "sso.example")
    with pytest.raises(ImproperlyConfigured, match="KEYCLOAK_URL isn't an address"):
        http_address("KEYCLOAK_URL")
