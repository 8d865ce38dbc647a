"""The addresses of pages, and who can open them."""

from __future__ import annotations

import pytest
from django.test import Client
from wagtail.models import PageViewRestriction

from cms.models import CatalogPage, CourseIndexPage, CoursePage
from tests.factories import make_contract, make_course, make_organization, make_product
from tests.factories.pages import (
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address",
    [
        "/courses/course-v1:TesseraX+PY101/",
        "/courses/course-v1%3ATesseraX%2BPY101/",
        "/courses/course-v1%3aTesseraX+PY101/",
    ],
)
def test_a_course_page_is_found_by_its_id_in_any_encoding(client: Client, address: str) -> None:
    make_course_page(make_course("PY101", title="Programming with Python"))
    response = client.get(address)
    assert response.status_code == 200
    assert "Programming with Python" in response.content.decode()


@pytest.mark.parametrize(
    "address",
    [
        "/courses/course-v1:TesseraX+PY101",
        "/courses/course-v1:TesseraX%20PY101/",
        "/courses/programming-with-python/",
    ],
)
def test_nearly_right_addresses_redirect(client: Client, address: str) -> None:
    make_course_page(make_course("PY101", title="Programming with Python"))
    response = client.get(address)
    assert response.status_code == 301
    assert response.headers["Location"] == "/courses/course-v1:TesseraX+PY101/"


@pytest.mark.parametrize(
    "address",
    [
        "/courses/course-v1:TesseraX+NONE/",
        "/courses/course-v1:/",
        "/programs/course-v1:TesseraX+PY101/",
        "/courses/course-v1:TesseraX+PY101/more/",
        "/course-v1:TesseraX+PY101/",
        "/courses/%00:x/",
    ],
)
def test_other_addresses_are_not_found(client: Client, address: str) -> None:
    make_course_page(make_course("PY101"))
    assert client.get(address).status_code == 404


def test_a_program_page_is_found_by_its_id(client: Client) -> None:
    page = make_program_page(make_program("DFPS"))
    assert page.url == "/programs/program-v1:TesseraX+DFPS/"
    assert client.get(page.url).status_code == 200


def test_folders_lead_to_the_catalog(client: Client) -> None:
    make_home()
    for folder in ("/courses/", "/products/"):
        response = client.get(folder)
        assert (response.status_code, response.headers["Location"]) == (302, "/catalog/")


def test_a_product_page_is_found_by_its_slug(client: Client) -> None:
    make_product_page(make_product(price="95"), slug="writing")
    assert "Enroll for $95" in client.get("/products/writing/").content.decode()


def test_a_product_page_says_so_when_its_offer_is_gone(client: Client) -> None:
    product = make_product(price="95")
    make_product_page(product, slug="writing")
    product.is_active = False
    product.save()
    text = client.get("/products/writing/").content.decode()
    assert "This isn’t available right now." in text
    assert "Enroll for" not in text


class TestHidden:
    """Pages visitors can't open aren't listed anywhere."""

    @pytest.fixture
    def page(self) -> CoursePage:
        return make_course_page(make_course("PY101", title="Programming with Python"))

    def is_found(self, client: Client) -> bool:
        places = ("/catalog/", "/sitemap.xml", "/courses/programming-with-python/")
        answers = [client.get(place) for place in places] + [client.get("/courses/course-v1:TesseraX+PY101/")]
        found = [
            answer.status_code in (200, 301)
            and (answer.status_code == 301 or "course-v1:TesseraX+PY101" in answer.content.decode())
            for answer in answers
        ]
        assert len(set(found)) == 1, found
        return found[0]

    def test_a_live_page_is_found(self, client: Client, page: CoursePage) -> None:
        assert self.is_found(client)

    def test_a_draft_is_not(self, client: Client, page: CoursePage) -> None:
        page.unpublish()
        assert not self.is_found(client)

    def test_a_course_that_is_not_offered_is_not(self, client: Client, page: CoursePage) -> None:
        page.subject.live = False
        page.subject.save()
        assert not self.is_found(client)

    def test_changes_that_are_not_published_are_not(self, client: Client, page: CoursePage) -> None:
        page.prerequisites = "Not yet public"
        page.save_revision()
        assert "Not yet public" not in client.get(page.url).content.decode()

    @pytest.mark.parametrize("closed", ["page", "folder"])
    def test_private_pages_are_unlisted_and_require_sign_in(
        self, client: Client, page: CoursePage, closed: str
    ) -> None:
        place = page if closed == "page" else CourseIndexPage.objects.get()
        PageViewRestriction.objects.create(page=place, restriction_type="login")
        for listed in ("/catalog/", "/sitemap.xml"):
            assert "course-v1:TesseraX+PY101" not in client.get(listed).content.decode()
        assert client.get(page.url).status_code == 302


def test_the_sitemap_lists_pages_and_no_organization(client: Client) -> None:
    make_content_page("about")
    make_program_page()
    make_contract(make_organization())
    text = client.get("/sitemap.xml").content.decode()
    for address in ("http://testserver/</", "/catalog/", "/programs/program-v1:TesseraX+DFPS/", "/about/"):
        assert address in text
    assert "organization" not in text


def test_pages_answer_to_nothing_but_reading(client: Client) -> None:
    make_home()
    assert client.post("/catalog/").status_code == 405
    assert CatalogPage.objects.get().url == "/catalog/"
