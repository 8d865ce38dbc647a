"""What pages say to search engines: structured data, canonical addresses, descriptions."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from mitxonline.kernel import clock
from tests.factories import make_course, make_department, make_product, make_program_product, make_run
from tests.factories.pages import (
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)
from tests.support.reading import Page, read
from tests.support.schema_org import find_faults

pytestmark = pytest.mark.django_db


def graph(page: Page) -> dict[str, dict[str, Any]]:
    """The nodes of a page by their type, checked against the vocabulary."""
    document = json.loads(page.one('script[type="application/ld+json"]').get_text())
    assert find_faults(document) == []
    return {node["@type"]: node for node in document["@graph"]}


def test_a_course_is_described_with_each_of_its_starts(client: Client) -> None:
    starts = clock.now() + timedelta(days=30)
    course = make_course(title='A < B & "C" </script>', duration_weeks=8, hours_per_week_min=4, hours_per_week_max=6)
    dated = make_run(course, start_date=starts, end_date=starts + timedelta(days=56))
    later = make_run(course, is_self_paced=True, enrollment_start=clock.now() + timedelta(days=3))
    make_product(dated, price="249")
    make_product(later, price="99.50")
    free = make_run(course, is_self_paced=True)
    page = make_course_page(course, prerequisites="None", search_description="What it is.")

    nodes = graph(read(client.get(page.url)))

    found = nodes["Course"]
    assert (found["name"], found["description"]) == (course.title, "What it is.")
    assert found["url"] == f"http://testserver{page.url}"
    assert found["provider"]["@id"] == nodes["Organization"]["@id"]
    assert found["timeRequired"] == "P8W"
    offers = {offer["@id"]: offer for offer in found["offers"]}
    said = {
        each["@id"].rpartition("-")[2]: (
            each.get("startDate"),
            each.get("endDate"),
            offers[each["offers"]["@id"]]["price"],
            offers[each["offers"]["@id"]]["category"],
            offers[each["offers"]["@id"]]["availability"].rpartition("/")[2],
        )
        for each in found["hasCourseInstance"]
    }
    first, last = clock.date_of(starts), clock.date_of(starts + timedelta(days=56))
    assert said == {
        str(dated.pk): (first.isoformat(), last.isoformat(), "249.00", "Paid", "InStock"),
        str(later.pk): (None, None, "99.50", "Paid", "PreOrder"),
        str(free.pk): (None, None, "0.00", "Free", "InStock"),
    }
    assert found["hasCourseInstance"][0]["courseSchedule"]["duration"] == "PT6H"
    assert {offer["priceCurrency"] for offer in offers.values()} == {"USD"}
    trail = nodes["BreadcrumbList"]["itemListElement"]
    assert [(item["position"], item["name"]) for item in trail][-1] == (3, course.title)
    assert trail[-1]["item"] == found["url"]


def test_a_course_without_starts_has_no_offer(client: Client) -> None:
    found = graph(read(client.get(make_course_page().url)))["Course"]
    assert "offers" not in found
    assert "hasCourseInstance" not in found


def test_a_program_names_its_courses_and_its_price(client: Client) -> None:
    courses = [make_course(title="One"), make_course(title="Two")]
    program = make_program(courses=courses, summary="Both of them.")
    product = make_program_product(*courses)
    product.program = program
    product.save()
    nodes = graph(read(client.get(make_program_page(program).url)))
    found = nodes["EducationalOccupationalProgram"]
    assert [course["name"] for course in found["hasCourse"]] == ["One", "Two"]
    assert (found["offers"]["price"], found["offers"]["availability"]) == ("690.00", "https://schema.org/InStock")


def test_a_product_is_a_product_with_an_offer(client: Client) -> None:
    page = make_product_page(make_product(make_run(make_course_page().course, is_self_paced=True), price="120"))
    found = graph(read(client.get(page.url)))["Product"]
    assert (found["name"], found["offers"]["price"]) == ("An offer", "120.00")


def test_other_pages_name_the_organization_and_where_they_are(client: Client) -> None:
    make_home()
    assert {"Organization", "WebSite"} <= graph(read(client.get("/"))).keys()
    for address in ("/catalog/", "/programs/", make_content_page("about").url):
        nodes = graph(read(client.get(address)))
        assert nodes["BreadcrumbList"]["itemListElement"][0]["item"] == f"http://testserver{address}"


def test_the_check_finds_what_the_vocabulary_does_not_have() -> None:
    offer = {"@type": "Offer", "prize": "9", "availability": "https://schema.org/Maybe", "price": {"@type": "Course"}}
    document = {"@context": "https://schema.org", "@graph": [offer, {"@type": "Curse"}]}
    assert find_faults(document) == [
        "Offer has no prize",
        "Offer.availability doesn’t take 'https://schema.org/Maybe'",
        "Offer.price doesn’t take {'@type': 'Course'}",
        "Curse isn’t a type",
    ]


@pytest.mark.parametrize(
    ("address", "canonical", "title", "is_listed"),
    [
        ("/catalog/", "/catalog/", "Catalog", True),
        ("/catalog/?sort=title&utm_source=x", "/catalog/", "Catalog", True),
        ("/catalog/?page=2&sort=title", "/catalog/?page=2", "Catalog, page 2", True),
        ("/catalog/?department=health", "/catalog/?department=health", "Health · Catalog", True),
        ("/catalog/?level=intro&department=health", "/catalog/?department=health&level=intro", None, False),
        ("/catalog/?q=course", "/catalog/?q=course", "“course” · Catalog", False),
    ],
)
def test_each_list_of_courses_has_one_address(
    client: Client, address: str, canonical: str, title: str | None, is_listed: bool
) -> None:
    make_home()
    for number in range(12):
        course = make_course(title=f"A course {number}", department=make_department("Health"))
        make_run(course, is_self_paced=True)
        make_course_page(course)

    page = read(client.get(address))

    assert page.one('link[rel="canonical"]')["href"] == f"http://testserver{canonical}"
    assert page.one('meta[property="og:url"]')["content"] == f"http://testserver{canonical}"
    assert bool(page.select('meta[name="robots"]')) is not is_listed
    if title is not None:
        assert page.one("title").get_text() == f"{title} · Tessera"


def test_pages_are_described_for_sharing_as_for_searching(client: Client) -> None:
    make_home()
    course = make_course_page(make_course(summary="How to."))
    for address, said in (
        ("/catalog/", "1 online course at Tessera"),
        ("/catalog/?level=intro", "Intro: 1 online course at Tessera"),
        (course.url, "How to."),
    ):
        page = read(client.get(address))
        description = str(page.one('meta[name="description"]')["content"])
        assert description.startswith(said)
        assert page.one('meta[property="og:title"]')["content"]
        assert page.one('meta[property="og:description"]')["content"] == description
        assert page.one('meta[property="og:image:alt"]')["content"]
