"""Suggestions while someone types, and the pages of instructors."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings
from wagtail.models import PageViewRestriction

from cms.models import Instructor
from courses.models import Topic
from frontend.pages.search import build_suggestions
from tests.factories import make_course
from tests.factories.pages import block, make_course_page, make_home, make_program, make_program_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

ADDRESS = "/search/suggestions/"


@pytest.fixture
def world() -> dict[str, Any]:
    mirela, jonas = Instructor.objects.create(name="Mirela Radu"), Instructor.objects.create(name="Jónas Tveit")
    topic = Topic.objects.create(name="Python", slug="python")
    course = make_course("PY101", title="Programming with Python")
    page = make_course_page(course, body=[block("faculty", heading="", people=[mirela.pk, jonas.pk])])
    course.topics.set([topic])
    other = make_course("MA101", title="Maps")
    make_course_page(other)
    make_program_page(make_program("PYP", title="Python for all", courses=[course, other]))
    return {"page": page, "course": course, "mirela": mirela, "jonas": jonas}


def suggested(text: str) -> dict[str, list[tuple[str, str]]]:
    return {group.name: [(item.text, item.url) for item in group.items] for group in build_suggestions(text).groups}


class TestSuggestions:
    def test_name_courses_programs_instructors_and_topics(self, world: dict[str, Any]) -> None:
        assert suggested("pyt") == {
            "courses": [("Programming with Python", "/courses/course-v1:TesseraX+PY101/")],
            "programs": [("Python for all", "/programs/program-v1:TesseraX+PYP/")],
            "topics": [("Python", "/catalog/?topic=python")],
        }
        assert suggested("jonas tv")["instructors"] == [("Jónas Tveit", "/instructors/jonas-tveit/")]

    @pytest.mark.parametrize("text", ["", " ", "%", "\0", "-python", "zzzz", "x" * 500])
    def test_are_none_where_nothing_begins_like_this(self, world: dict[str, Any], text: str) -> None:
        assert suggested(text) == {}

    def test_forgive_a_typo(self, world: dict[str, Any]) -> None:
        assert suggested("pyhton")["topics"] == [("Python", "/catalog/?topic=python")]

    def test_name_no_one_on_hidden_pages(self, world: dict[str, Any]) -> None:
        PageViewRestriction.objects.create(page=world["page"], restriction_type="login")
        assert "courses" not in suggested("pyt")
        assert suggested("mirela") == {}

    def test_cost_three_queries(self, world: dict[str, Any], client: Client) -> None:
        with queries(exactly=3):
            response = client.get(ADDRESS, {"q": "pyt"})
        text = response.content.decode()
        assert 'role="option"' in text
        assert "4 suggestions" not in text
        assert "3 suggestions" in text
        assert "private" in response.headers["Cache-Control"]
        assert "Set-Cookie" not in response.headers

    def test_a_suggestion_is_text_and_no_markup(self, client: Client) -> None:
        make_course_page(make_course(title="<b>Bold</b> & more"))
        text = client.get(ADDRESS, {"q": "bold"}).content.decode()
        assert "&lt;b&gt;Bold&lt;/b&gt; &amp; more" in text

    def test_are_left_out_where_there_are_too_many(self, world: dict[str, Any], client: Client) -> None:
        with override_settings(RATE_LIMITS={"suggestions": {"address": (1, 60)}}):
            assert b"option" in client.get(ADDRESS, {"q": "pyt"}).content
            limited = client.get(ADDRESS, {"q": "pyt"})
        assert (limited.status_code, limited.content.strip()) == (200, b"")

    @pytest.mark.parametrize("address", ["/", "/catalog/"])
    def test_fields_are_plain_ones_without_scripts(self, client: Client, address: str) -> None:
        make_home()
        text = client.get(address).content.decode()
        assert 'role="combobox"' not in text
        assert f'hx-get="{ADDRESS}"' in text
        assert '<input class="input input-lg"' in text


class TestInstructors:
    def test_have_a_page_with_their_courses(self, world: dict[str, Any], client: Client) -> None:
        text = client.get("/instructors/mirela-radu/").content.decode()
        assert "<h1>Mirela Radu</h1>" in text
        assert "Programming with Python" in text
        assert "Maps" not in text
        assert 'rel="canonical" href="http://testserver/instructors/mirela-radu/"' in text
        assert '<meta property="og:title" content="Mirela Radu">' in text
        assert '<meta property="og:image:alt" content="Mirela Radu">' in text
        assert '"@type": "BreadcrumbList"' in text
        assert 'href="/instructors/mirela-radu/"' in client.get(world["page"].get_url()).content.decode()

    def test_are_unknown_until_a_visitor_can_open_a_page_about_them(
        self, world: dict[str, Any], client: Client
    ) -> None:
        Instructor.objects.create(name="Not yet")
        assert client.get("/instructors/not-yet/").status_code == 404
        world["page"].unpublish()
        assert client.get("/instructors/mirela-radu/").status_code == 404

    def test_are_in_the_sitemap(self, world: dict[str, Any], client: Client) -> None:
        Instructor.objects.create(name="Not yet")
        text = client.get("/sitemap.xml").content.decode()
        assert "/instructors/mirela-radu/</loc>" in text
        assert "not-yet" not in text

    def test_of_the_same_name_have_addresses_of_their_own(self) -> None:
        slugs = [Instructor.objects.create(name=name).slug for name in ("Zoë Ørn", "Zoe Orn", "李明", "王芳")]
        assert slugs == ["zoe-orn", "zoe-orn-2", "instructor", "instructor-2"]

    @pytest.mark.parametrize("number", [1, 5])
    def test_cost_the_same_for_any_number_of_courses(self, world: dict[str, Any], client: Client, number: int) -> None:
        for _each in range(number):
            make_course_page(body=[block("faculty", heading="", people=[world["mirela"].pk])])
        client.get("/instructors/mirela-radu/")
        with queries(exactly=6):
            client.get("/instructors/mirela-radu/")
