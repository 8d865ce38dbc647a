"""Courses, runs, programs and departments: only what visitors find, and for members what their contracts have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from b2b.models import ContractMembership, OrganizationMembership
from courses.models import Course, CourseRun, Program
from mitxonline.kernel import clock
from tests.api.client import ApiClient
from tests.factories import (
    NOON,
    make_contract,
    make_contract_run,
    make_course,
    make_organization,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.pages import make_course_page, make_home, make_program, make_program_page

pytestmark = pytest.mark.django_db

LISTS = [
    "/api/v1/courses/",
    "/api/v2/courses/",
    "/api/v1/course_runs/",
    "/api/v1/programs/",
    "/api/v2/programs/",
    "/api/v1/departments/",
    "/api/v2/departments/",
]


def course_with_run(**fields: Any) -> tuple[Course, CourseRun]:
    course = make_course(**fields)
    make_course_page(course)
    run = make_run(course, live=True)
    make_product(run, price="49.50")
    return course, run


def rows(path: str, client: ApiClient | None = None) -> list[dict[str, Any]]:
    found = (client or ApiClient()).get(path).json()
    results: list[dict[str, Any]] = found["results"] if isinstance(found, dict) else found
    return results


def test_a_course_says_what_it_costs_and_when_it_starts() -> None:
    course, run = course_with_run(title="Python", duration_weeks=5, hours_per_week_min=3, hours_per_week_max=4)
    make_product(make_run(course, live=True), price="20")
    found = rows("/api/v2/courses/")[0]
    assert (found["min_price"], found["max_price"], found["min_weeks"]) == (20.0, 49.5, 5)
    assert found["page"]["page_url"] == f"http://testserver/courses/{course.readable_id}/"
    assert found["page"]["current_price"] == 20.0
    shown = next(each for each in found["courseruns"] if each["id"] == run.pk)
    assert shown["courseware_id"] == run.courseware_id
    assert shown["products"][0]["price"].startswith("49.5")
    assert shown["is_enrollable"] is True
    assert [mode["mode_slug"] for mode in shown["enrollment_modes"]] == ["audit", "verified"]
    assert found["next_run_id"] in {each["id"] for each in found["courseruns"]}


def test_what_visitors_dont_find_isnt_there() -> None:
    course, run = course_with_run()
    hidden, draft = make_course(), make_course()
    make_run(hidden, live=True)
    make_course_page(draft).unpublish()
    not_live = make_run(course, live=False)
    contract_run = make_contract_run(make_contract(make_organization("Acme"), seats=2), course)
    for path in ("/api/v1/courses/", "/api/v2/courses/"):
        found = rows(path)
        assert [each["id"] for each in found] == [course.pk]
        assert [each["id"] for each in found[0]["courseruns"]] == [run.pk]
    assert [each["id"] for each in rows("/api/v1/course_runs/")] == [run.pk]
    for missing in (hidden, draft):
        assert ApiClient().get(f"/api/v2/courses/{missing.pk}/").status_code == 404
        assert ApiClient().get(f"/api/v1/courses/{missing.pk}/").status_code == 404
    for each in (not_live, contract_run.course_run):
        assert ApiClient().get(f"/api/v1/course_runs/{each.pk}/").status_code == 404


def test_a_course_is_found_by_its_number_and_by_its_key() -> None:
    course, _run = course_with_run()
    by_number = ApiClient().get(f"/api/v2/courses/{course.pk}/").json()
    assert ApiClient().get(f"/api/v2/courses/{course.readable_id}/").json() == by_number


@pytest.mark.parametrize("key", ["0", "99999999999999999999999", "course-v1:No+Such", "%F0%9F%98%80", "x" * 400])
def test_a_course_that_isnt_there_is_not_found(key: str) -> None:
    assert ApiClient().get(f"/api/v2/courses/{key}/").status_code == 404
    assert ApiClient().get(f"/api/v2/programs/{key}/").status_code == 404


def test_courses_are_filtered() -> None:
    (one, _first), (two, closed) = (
        course_with_run(title="A", language="de"),
        course_with_run(title="B", language="zh-hans"),
    )
    CourseRun.all_objects.filter(pk=closed.pk).update(enrollment_end=clock.now() - timedelta(days=1))

    def ids(query: str) -> list[int]:
        return [each["id"] for each in rows(f"/api/v2/courses/?{query}")]

    assert ids(f"id={two.pk},{one.pk}") == [one.pk, two.pk]
    assert ids(f"id={two.pk}") == [two.pk]
    assert ids(f"readable_id={one.readable_id.replace('+', '%2B')}") == [one.pk]
    assert ids("courserun_is_enrollable=true") == [one.pk]
    assert ids("courserun_is_enrollable=false") == [two.pk]
    assert ids("live=false") == ids("page__live=false") == []
    assert ids("courseruns__language=de") == [one.pk]
    assert ids("courseruns__language=zh_HANS") == [two.pk]
    assert ids("courseruns__variant_length=S") == ids("courseruns__variant_industry=HC") == []
    assert ids("page_size=1&page=2") == [two.pk]


@pytest.mark.parametrize("query", ["id=x", "page=x", "live=perhaps", "courseruns__language=xx", "contract_id=x", "id="])
def test_a_wrong_filter_is_refused_with_a_sentence(query: str) -> None:
    response = ApiClient().get(f"/api/v2/courses/?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("query", ["page=0", "page=3", "page=-1", "page=99999999999999999999"])
def test_a_page_that_isnt_there_is_not_found(query: str) -> None:
    course_with_run()
    assert ApiClient().get(f"/api/v2/courses/?page_size=1&{query}").status_code == 404


@pytest.mark.parametrize("kind", ["contract_id", "org_id"])
def test_members_see_the_runs_of_their_contract(kind: str) -> None:
    make_home()
    organization = make_organization("Northgate Health")
    contract, other = make_contract(organization, seats=3), make_contract(make_organization("Southgate"), seats=3)
    run, others = make_contract_run(contract), make_contract_run(other)
    member, stranger = make_user(), make_user()
    ContractMembership.objects.create(contract=contract, user=member, source="staff", since=NOON)
    OrganizationMembership.objects.create(
        organization=other.terms.organization, user=member, source="staff", since=NOON
    )
    asked = {"contract_id": (contract.pk, other.pk), "org_id": (organization.pk, other.terms.organization_id)}[kind]
    found = rows(f"/api/v2/courses/?{kind}={asked[0]}", ApiClient(member))
    assert [each["id"] for each in found] == [run.course_run.course_id]
    assert [(each["id"], each["b2b_contract"]) for each in found[0]["courseruns"]] == [(run.course_run_id, contract.pk)]
    assert rows(f"/api/v2/courses/?{kind}={asked[1]}", ApiClient(member)) == []
    for client in (ApiClient(stranger), ApiClient()):
        assert rows(f"/api/v2/courses/?{kind}={asked[0]}", client) == []
        assert rows(f"/api/v2/programs/?{kind}={asked[0]}", client) == []
    assert others.course_run_id != run.course_run_id


def test_a_program_says_what_it_asks_for() -> None:
    (one, _run), (two, _other) = course_with_run(title="A"), course_with_run(title="B")
    program = make_program("DF", courses=[one, two])
    make_program_page(program)
    hidden = make_program("HID", courses=[one])
    found = rows("/api/v2/programs/")
    assert [each["id"] for each in found] == [program.pk]
    assert found[0]["courses"] == [one.pk, two.pk]
    assert [each["id"] for each in found[0]["requirements"]["courses"]["required"]] == [one.pk, two.pk]
    tree = found[0]["req_tree"][0]
    assert (tree["data"]["node_type"], tree["data"]["operator"]) == ("operator", "all_of")
    assert [each["data"]["course"] for each in tree["children"]] == [one.pk, two.pk]
    assert ApiClient().get(f"/api/v2/programs/{program.readable_id}/").json() == found[0]
    assert ApiClient().get(f"/api/v2/programs/{hidden.pk}/").status_code == 404
    assert [each["id"] for each in rows("/api/v1/programs/")[0]["courses"]] == [one.pk, two.pk]
    assert [each["id"] for each in rows("/api/v2/courses/")[0]["programs"]] == [program.pk]


def test_a_choice_is_elective() -> None:
    course, _run = course_with_run()
    make_program_page(make_program("CH", courses=[course], at_least=1))
    found = rows("/api/v2/programs/")[0]
    assert [each["id"] for each in found["requirements"]["courses"]["electives"]] == [course.pk]
    assert found["req_tree"][0]["data"]["operator_value"] == "1"
    assert rows("/api/v1/programs/")[0]["requirements"] == {"required": [], "electives": [course.pk]}


def test_a_program_has_its_price() -> None:
    product = make_program_product(make_course(), price="690")
    make_program_page(product.program)
    found = rows("/api/v2/programs/")[0]
    assert (found["min_price"], found["page"]["list_price"]) == (690.0, found["products"][0]["price"])


def test_departments_count_what_visitors_find() -> None:
    course, _run = course_with_run()
    make_course()
    shown = next(each for each in rows("/api/v2/departments/") if each["id"] == course.department_id)
    assert (shown["course_ids"], shown["program_ids"]) == ([course.pk], [])
    assert ApiClient().get(f"/api/v1/departments/{course.department_id}/").json()["courses"] == 1
    assert ApiClient().get("/api/v1/departments/0/").status_code == 404


def test_there_are_no_variants() -> None:
    assert rows("/api/v3/courses/variant_runs/?contract=1&course_id=1,2") == []
    assert ApiClient().get("/api/v3/courses/variant_runs/").status_code == 400


@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_no_query_for_each_row(path: str, django_assert_max_num_queries: Any) -> None:
    counts = []
    for _round in range(2):
        for _each in range(3):
            course, _run = course_with_run()
            make_program_page(make_program(f"P{Program.objects.count()}", courses=[course]))
        client = ApiClient()
        client.get("/api/v0/countries/")
        with django_assert_max_num_queries(13) as captured:
            client.get(path)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= (12 if "programs" in path else 10)
