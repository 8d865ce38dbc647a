"""What search engines may index."""

from __future__ import annotations

import re
from urllib.robotparser import RobotFileParser

import pytest
from django.test import Client

from tests.factories.pages import make_content_page, make_course_page, make_home, make_program_page
from tests.security.table import ROWS
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def robots(client: Client) -> RobotFileParser:
    parser = RobotFileParser()
    parser.parse(client.get("/robots.txt").content.decode().splitlines())
    return parser


@pytest.mark.parametrize(
    "address",
    [
        "/cart/",
        "/cart/add/?product_id=1",
        "/basket/add/?sku=x",
        "/checkout/",
        "/checkout/receipt/?order_number=TS-1",
        "/orders/history/",
        "/dashboard/",
        "/organizations/northgate-health/",
        "/account/",
        "/login/?next=/dashboard/",
        "/logout/",
        "/cms/",
        "/admin/",
        "/payment/sandbox/",
    ],
)
def test_robots_stay_away_from_what_acts_or_is_personal(client: Client, address: str) -> None:
    assert not robots(client).can_fetch("*", address)


def test_robots_stay_away_from_every_address_that_asks_to_sign_in(client: Client) -> None:
    parser = robots(client)
    signed_in_only = [f"/{row.path or row.route}" for row in ROWS if row.get[0] == "l"]
    fetched = [address for address in signed_in_only if parser.can_fetch("*", address)]
    assert fetched == ["/login/connect/"]  # leads on to the sign-in page


@pytest.mark.parametrize(
    "address",
    ["/", "/catalog/", "/courses/course-v1:TesseraX+PY101/", "/programs/", "/help/", "/login/", "/covers/2/card/x.svg"],
)
def test_robots_may_read_the_rest(client: Client, address: str) -> None:
    assert robots(client).can_fetch("*", address)


def test_a_page_with_a_code_is_fetched_so_that_it_can_ask_not_to_be_listed(client: Client) -> None:
    assert robots(client).can_fetch("*", "/enrollmentcode/7f3a90b1-6c55-47aa-9f13-0d2e7c99c40e/")

    response = client.get("/enrollmentcode/7f3a90b1-6c55-47aa-9f13-0d2e7c99c40e/")

    assert response["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize("address", ["/password-reset/", "/password-reset/x/y/", "/password-reset/sent/"])
def test_pages_linked_from_e_mails_are_not_indexed(client: Client, address: str) -> None:
    assert read(client.get(address)).select('meta[name="robots"][content="noindex"]')


@pytest.mark.parametrize("address", ["/login/", "/register/"])
def test_the_doors_are_listed(client: Client, address: str) -> None:
    assert not read(client.get(address)).select('meta[name="robots"]')


def test_the_list_of_pages_is_found_and_names_what_visitors_can_open(client: Client) -> None:
    pages = [make_home(), make_content_page("about"), make_course_page(), make_program_page()]

    where = robots(client).site_maps() or []
    listed = re.findall(r"<loc>([^<]+)</loc>", client.get(where[0]).content.decode())

    assert where == ["http://testserver/sitemap.xml"]
    assert {f"http://testserver{page.url}" for page in pages} <= set(listed)
    assert all(client.get(address).status_code == 200 for address in listed)
