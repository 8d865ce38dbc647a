"""Pages by Wagtail's API: only those that visitors can open, with the fields that front ends know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from wagtail.images.models import Image
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import PageViewRestriction, Site

from cms.models import CoursePage, HomePage, Instructor
from cms.services.search_index import refresh_documents
from courses.models import Course
from tests.api.client import ApiClient, schema
from tests.factories import (
    make_contract,
    make_course,
    make_organization,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.pages import (
    block,
    make_content_page,
    make_course_page,
    make_home,
    make_program_page,
)
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

PAGES = "/api/v2/pages/"
COURSES = f"{PAGES}?fields=*&type=cms.coursepage"
PROGRAMS = f"{PAGES}?fields=*&type=cms.programpage"
BODY = [
    block("text", heading="Why & how", text="<p>To <b>learn</b>.</p>"),
    block("outcomes", heading="After it", items=["Read <tags>", "Write"]),
    block("video", address="https://vimeo.com/76979871", title="Trailer"),
]


@pytest.fixture(autouse=True)
def home() -> HomePage:
    return make_home()


def get(query: str = "", client: ApiClient | None = None) -> Any:
    return (client or ApiClient()).get(query if query.startswith("/") else PAGES + query)


def items(query: str = "") -> list[dict[str, Any]]:
    response = get(query)
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def check_shape(answer: Any, name: str) -> None:
    """Fail unless the answer is what the schema says of lists of this type."""
    shape = {"$ref": f"#/components/schemas/{name}", "components": schema()["components"]}
    wrong = [each.message for each in Draft202012Validator(shape, validate_formats=True).iter_errors(answer)]
    assert not wrong, wrong


def sold_course(**fields: Any) -> Course:
    course = make_course(**fields)
    make_product(make_run(course), price="49.50")
    return course


def test_a_courses_page_has_the_fields_front_ends_know() -> None:
    course = sold_course(title="Python", summary="Learn it.", duration_weeks=5, hours_per_week_min=3)
    other = make_course_page(sold_course())
    page = make_course_page(course, body=BODY, prerequisites="None at all")
    found = get(f"{COURSES}&readable_id={course.readable_id.replace('+', '%2B')}").json()
    check_shape(found, "CoursePageList")
    assert found["meta"] == {"total_count": 1}
    (shown,) = found["items"]
    assert (shown["id"], shown["title"], shown["description"]) == (page.pk, "Python", "Learn it.")
    assert shown["meta"]["type"] == "cms.CoursePage"
    assert shown["meta"]["detail_url"] == f"http://testserver{PAGES}{page.pk}/"
    assert shown["meta"]["html_url"] == f"http://testserver/courses/{course.readable_id}/"
    assert shown["about"] == "<h2>Why &amp; how</h2><p>To <b>learn</b>.</p>"
    assert shown["what_you_learn"] == "<ul><li>Read &lt;tags&gt;</li><li>Write</li></ul>"
    assert (shown["video_url"], shown["prerequisites"]) == ("https://vimeo.com/76979871", "None at all")
    assert (shown["length"], shown["min_weeks"], shown["min_weekly_hours"]) == ("5 weeks", 5, "3")
    assert shown["min_price"].startswith("49.5")
    assert shown["price"][0]["value"]["text"] == "$49.50"
    assert (shown["course_details"]["id"], shown["feature_image"]) == (course.pk, None)
    assert get(f"{page.pk}/").json() == shown
    assert len(items(COURSES)) == 2
    assert get(f"{other.pk}/").json()["about"] is None


def test_a_key_whose_plus_became_a_space_is_found() -> None:
    course = sold_course()
    page = make_course_page(course)
    assert [each["id"] for each in items(f"{COURSES}&readable_id={course.readable_id}")] == [page.pk]
    assert items(f"{COURSES}&readable_id=course-v1:No%2BSuch") == []


def test_a_programs_page_has_the_fields_front_ends_know() -> None:
    course = make_course(title="Python")
    make_course_page(course)
    make_run(course)
    product = make_program_product(course, price="690")
    page = make_program_page(product.program, body=json.dumps(BODY))
    make_program_page()
    assert product.program is not None
    found = get(f"{PROGRAMS}&readable_id={product.program.readable_id.replace('+', '%2B')}").json()
    check_shape(found, "ProgramPageList")
    (shown,) = found["items"]
    assert shown["id"] == page.pk
    assert shown["max_price"].startswith("690.")
    assert shown["program_details"]["courses"] == [course.pk]
    assert get(f"{page.pk}/").json() == shown
    assert len(items(PROGRAMS)) == 2


def test_pictures_and_people_are_shown() -> None:
    picture = Image.objects.create(title="Cover", file=get_test_image_file())
    person = Instructor.objects.create(name="Mirela Radu", about="Teaches.", picture=picture)
    body = [block("faculty", heading="Your teachers", people=[person.pk])]
    page = make_course_page(sold_course(), body=body, card_image=picture)
    refresh_documents([page.pk])
    shown = get(f"{page.pk}/").json()
    assert shown["feature_image"]["title"] == "Cover"
    assert shown["feature_image"]["image_url"].startswith("http://testserver/")
    assert shown["faculty_section_title"] == "Your teachers"
    assert [(each["instructor_name"], bool(each["feature_image_src"])) for each in shown["faculty"]] == [
        ("Mirela Radu", True)
    ]


def test_only_what_visitors_can_open_is_there() -> None:
    open_page, about = make_course_page(sold_course()), make_content_page()
    draft, private = make_course_page(sold_course()), make_content_page("members")
    off = make_course_page(make_course(live=False))
    draft.unpublish()
    PageViewRestriction.objects.create(page=private, restriction_type=PageViewRestriction.LOGIN)
    organization = make_organization("Northgate")
    contract = make_contract(organization)
    hidden = (draft, private, off, organization, contract)
    for client in (ApiClient(), ApiClient(make_user(is_staff=True, is_superuser=True))):
        shown = {each["id"] for each in get("?limit=20", client).json()["items"]}
        assert {open_page.pk, about.pk} <= shown
        assert not shown & {each.pk for each in hidden}
        for each in hidden:
            assert get(f"{each.pk}/", client).status_code == 404
    for kind in ("b2b.OrganizationPage", "b2b.ContractPage"):
        assert items(f"?type={kind}&fields=*") == []
    assert {each["meta"]["type"] for each in items("?type=cms.CoursePage,cms.ContentPage")} == {
        "cms.CoursePage",
        "cms.ContentPage",
    }


def test_pages_of_another_site_are_not_there(home: HomePage) -> None:
    page = make_content_page()
    elsewhere = make_content_page("elsewhere")
    Site.objects.create(hostname="other.example", root_page=elsewhere, port=80)
    here = {each["id"] for each in items("?limit=20")}
    assert page.pk in here
    there = ApiClient(headers={"host": "other.example"}).get(PAGES).json()
    assert [each["id"] for each in there["items"]] == [elsewhere.pk]


def test_fields_are_chosen() -> None:
    make_course_page(sold_course())
    always = {"id", "title", "meta"}
    kind = "?type=cms.CoursePage"
    assert set(items(kind)[0]) == set(items(f"{kind}&fields=_")[0]) == always
    assert set(items(f"{kind}&fields=about,length")[0]) == {*always, "about", "length"}
    assert "about" not in items(f"{kind}&fields=*,-about")[0]
    assert set(items("?fields=*")[0]) == always


@pytest.mark.parametrize(
    "query",
    [
        "?type=cms.Nothing",
        "?type=x",
        "?fields=nothing",
        "?type=cms.CoursePage&fields=a(b",
        "?readable_id=course-v1:A%2BB",
        "?limit=21",
        "?limit=x",
        "?offset=-1",
        "?no_such=1",
        "?order=no_such",
        "?child_of=0",
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(query: str) -> None:
    response = get(query)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response.json()["detail"]


def test_lists_are_filtered_ordered_and_cut(home: HomePage) -> None:
    first, second = make_content_page("b-page"), make_content_page("a-page")
    kind = "?type=cms.ContentPage"
    assert [each["id"] for each in items(kind)] == [first.pk, second.pk]
    assert [each["id"] for each in items(f"{kind}&order=slug")] == [second.pk, first.pk]
    assert [each["id"] for each in items(f"{kind}&slug=a-page")] == [second.pk]
    assert [each["id"] for each in items(f"{kind}&child_of={home.pk}&limit=1&offset=1")] == [second.pk]
    assert get(f"{kind}&limit=1").json()["meta"]["total_count"] == 2


def test_only_the_published_revision_can_be_read() -> None:
    page = make_course_page(sold_course())
    page.save_revision().publish()
    draft = page.save_revision()
    page = CoursePage.objects.get(pk=page.pk)
    assert get(f"{page.pk}/?revision_id={page.live_revision_id}").status_code == 200
    assert get(f"{page.pk}/?revision_id={draft.pk}").status_code == 404
    assert get(f"{page.pk}/?revision_id=x").status_code == 400


@pytest.mark.parametrize(("path", "count"), [(COURSES, 11), (PROGRAMS, 15), (f"{PAGES}?limit=20", 11)])
def test_a_list_costs_the_same_for_any_number(path: str, count: int) -> None:
    ApiClient().get(path)
    for _round in range(2):
        for _each in range(2):
            course = sold_course()
            make_course_page(course, body=BODY)
            make_program_page(make_program_product(course).program)
        Site.clear_site_root_paths_cache()  # so that it is read in any case
        with queries(count):
            ApiClient().get(path)
