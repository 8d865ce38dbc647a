import logging

import pytest
from django.conf import settings
from django.test import RequestFactory

from mitxonline.kernel.trace import open_trace
from mitxonline.logs import JsonFormatter, redact


@pytest.fixture
def formatter() -> logging.Formatter:
    return JsonFormatter(foreign_pre_chain=settings.LOGGING["formatters"]["all"]["foreign_pre_chain"])


def line(formatter: logging.Formatter, **facts: object) -> str:
    record = logging.LogRecord("tests", logging.WARNING, __file__, 1, "delivery failed", None, None)
    record.__dict__.update(facts)
    return formatter.format(record)


def test_a_line_says_its_facts_and_its_trace(formatter: logging.Formatter) -> None:
    with open_trace() as trace:
        text = line(formatter, delivery=7, error="LookupError at coordinator/world.py:3")
    assert '"delivery": 7' in text
    assert "LookupError at coordinator/world.py:3" in text
    assert f'"trace": "{trace}"' in text


def test_a_line_tells_no_address_and_no_request(formatter: logging.Formatter, rf: RequestFactory) -> None:
    text = line(formatter, person="ada@example.org", request=rf.get("/secret-address/"))
    assert "ada@example.org" not in text
    assert "secret-address" not in text


@pytest.mark.parametrize("code", ["b81d4e02-6c55-47aa-9f13-0d2e7c9916aa", "SAVE20"])
@pytest.mark.parametrize(
    "address",
    [
        "/enrollmentcode/{}/",
        "/login/?next=%2Fenrollmentcode%2F{}%2F",
        "/api/v0/b2b/attach/{}/",
        "/api/v0/b2b/manager/organizations/1/contracts/2/codes/{}/assign/",
        "/api/v0/baskets/create_from_product/3/{}/",
    ],
)
def test_a_line_holds_no_code(address: str, code: str) -> None:
    assert code not in redact(f'"GET {address.format(code)} HTTP/1.1" 200 512')


@pytest.mark.parametrize(
    "address",
    [
        "/verify-email/eyJ1c2VyIjox:1abc:xyz-_/",
        "/password-reset/MQ/c9x-0123456789abcdef/",
        "/account/email/eyJ1c2VyIjox:1abc:xyz-_/",
        "/account/delete/eyJ1c2VyIjox:1abc:xyz-_/",
        "/login/connect/eyJ1c2VyIjox:1abc:xyz-_/",
    ],
)
def test_a_line_holds_no_link_of_a_mail(address: str) -> None:
    secret = address.strip("/").rpartition("/")[2]
    assert secret not in redact(f'"GET {address} HTTP/1.1" 200 512')
    assert redact("GET /password-reset/sent/ 200") == "GET /password-reset/sent/ 200"


@pytest.mark.parametrize(
    "address",
    ["ada%40mail.example", "ada%2Btag%40mail.example", "j%C3%B6rg%40m%C3%BCller.example", "ada%2540mail.example"],
)
def test_addresses_of_people_in_those_of_other_servers_are_replaced(address: str) -> None:
    said = f"Max retries exceeded with url: /api/user/v1/accounts?email={address}&page=2"
    assert redact(said) == "Max retries exceeded with url: /api/user/v1/accounts?email=[e-mail]&page=2"
