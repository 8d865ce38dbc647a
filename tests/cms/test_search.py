"""The search: what is found, and that what is found is what pages show now."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import call_command
from wagtail.models import PageViewRestriction

from cms.events import SearchTextsChanged
from cms.models import CoursePage, Instructor, ProgramPage, SearchDocument
from cms.selectors import search
from cms.selectors.search import find_corrections, find_subjects, suggest_pages, used_topics, visible_instructors
from cms.services import search_index
from cms.services.search_index import is_index_incomplete, rebuild_index
from cms.tasks import rebuild_search_index
from courses.models import Course, Department, Topic
from courses.services.requirements import Group, set_requirements
from tests.factories import make_contract, make_contract_run, make_course, make_department
from tests.factories.pages import block, make_course_page, make_program, make_program_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


def made(title: str, *, number: str = "", body: list[dict[str, Any]] | None = None, **fields: Any) -> Course:
    course = make_course(number, title=title, **fields)
    make_course_page(course, body=body)
    return course


def found(text: str) -> set[str]:
    return set(Course.objects.filter(pk__in=find_subjects(text).courses).values_list("title", flat=True))


def programs(text: str) -> set[str]:
    return set(ProgramPage.objects.filter(program__in=find_subjects(text).programs).values_list("title", flat=True))


@pytest.fixture
def world() -> dict[str, Any]:
    """Two courses of everything."""
    mirela, jonas = Instructor.objects.create(name="Mirela Radu"), Instructor.objects.create(name="Jónas Tveit")
    python, r = Topic.objects.create(name="Python", slug="python"), Topic.objects.create(name="R", slug="r")
    first = made(
        "Programming, properly",
        number="PY101",
        summary="Write programs that others can read.",
        body=[
            block("outcomes", heading="What you’ll be able to do", items=["Use Git without fear"]),
            block("syllabus", heading="Syllabus", parts=[{"title": "Lists", "text": "<p>Many <b>dates</b></p>"}]),
            block("faculty", heading="Instructors", people=[mirela.pk]),
            block("text", heading="Who it’s for", text="<p>For nurses and C++ people.</p>"),
            block("call_to_action", text="Zebra", label="Zebra", address="/zebra/"),
        ],
    )
    first.topics.set([python])
    second = made(
        "Statistics for people who make decisions",
        number="ST-240",
        body=[block("faculty", heading="Instructors", people=[{"type": "item", "value": jonas.pk, "id": "x"}])],
    )
    second.topics.set([r])
    return {"first": first, "second": second, "mirela": mirela, "jonas": jonas, "python": python, "r": r}


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("mirela", 1),
            ("Mirela Radu", 1),
            ("radu git", 1),
            ("jonas", 2),
            ("JÓNAS", 2),
            ("git", 1),
            ("lists of a date", 1),
            ("nurse", 1),
            ("C++", 1),
            ("python", 1),
            ("pyth", 1),
            ("R", 2),
            ("PY101", 1),
            ("PY-101", 1),
            ("py 101", 1),
            ("py.101", 1),
            ("PY_101", 1),
            ("TesseraX+PY101", 1),
            ("course-v1:TesseraX+PY101", 1),
            ("course-v1:TesseraX+PY101+2026_T1", 1),
            ("ST240", 2),
            ("st-240", 2),
            ("state ments", 0),
            ("C", 0),
            ("C#", 0),
            ("syllabus", 0),
            ("zebra", 0),
            ("%", 0),
            ("-python", 0),
            ("' & | ! ( :*", 0),
        ],
    )
    def test_in_one_query(self, world: dict[str, Any], text: str, number: int) -> None:
        expected = {0: set(), 1: {world["first"].title}, 2: {world["second"].title}}[number]
        with queries(exactly=0 if text in {"%", "-python", "' & | ! ( :*"} else 1):
            hits = find_subjects(text)
        assert hits.courses.keys() == {
            course.pk for course in (world["first"], world["second"]) if course.title in expected
        }

    def test_words_of_both_courses_find_both(self, world: dict[str, Any]) -> None:
        assert len(find_subjects("tesserax").courses) == 2

    def test_a_whole_word_hides_longer_ones(self, world: dict[str, Any]) -> None:
        made("A career in care")
        made("Careers")
        assert found("care") == {"A career in care"}
        assert found("car") == {"A career in care", "Careers"}

    def test_words_written_apart_and_together(self) -> None:
        made("Databases you can trust")
        made("Big data base camps")
        assert found("data base") == {"Databases you can trust", "Big data base camps"}

    def test_words_that_are_common_are_looked_for_where_there_are_no_others(self) -> None:
        made("The WHO and you")
        made("Nothing in common")
        assert found("who") == {"The WHO and you"}

    def test_phrases(self) -> None:
        made("Databases you can trust")
        made("Trust: can you build it?")
        assert found('"you can trust"') == {"Databases you can trust"}
        assert found("you can trust") == {"Databases you can trust", "Trust: can you build it?"}
        assert found("trust -databases") == {"Trust: can you build it?"}

    def test_titles_count_more_than_names_and_those_more_than_the_rest(self) -> None:
        body = made("One", body=[block("text", heading="", text="<p>maps maps maps</p>")])
        outline = made("Two", body=[block("outcomes", heading="", items=["Draw maps"])])
        names = made("Three", summary="Draw maps.")
        title = made("Reading maps")
        start = made("Maps")
        ranks = find_subjects("maps").courses
        assert sorted(ranks, key=lambda pk: -ranks[pk]) == [each.pk for each in (start, title, names, outline, body)]

    def test_programs_are_found_by_their_own_words_and_their_courses(self, world: dict[str, Any]) -> None:
        make_program_page(make_program("SAFE", title="Safer care", courses=[world["first"], world["second"]]))
        make_program_page(make_program("OTHER", title="Leading with facts", courses=[world["second"]]))
        assert programs("safer care") == {"Safer care"}
        assert programs("programming") == {"Safer care"}
        assert programs("python") == {"Safer care"}
        assert programs("statistics") == {"Safer care", "Leading with facts"}
        assert programs("OTHER") == {"Leading with facts"}


class TestWhatStaysHidden:
    def test_drafts_private_pages_and_courses_that_are_not_offered(self, world: dict[str, Any]) -> None:
        draft = CoursePage(course=make_course(title="Secret draft"), live=False)
        world["first"].page.get_parent().add_child(instance=draft)
        private = made("Secret room")
        PageViewRestriction.objects.create(page=private.page, restriction_type="login")
        made("Secret plan", live=False)
        make_course(title="Secret without a page")
        assert find_subjects("secret").courses == {}
        assert suggest_pages("secret") == []
        assert find_corrections("secrte") == []

    def test_an_unpublished_change_is_not_found(self, world: dict[str, Any]) -> None:
        page = CoursePage.objects.get(course=world["first"])
        page.body = json.dumps([block("text", heading="", text="<p>Quasar</p>")])
        revision = page.save_revision()
        assert find_subjects("quasar").courses == {}
        assert find_subjects("git").courses != {}
        revision.publish()
        assert find_subjects("quasar").courses != {}
        assert find_subjects("git").courses == {}

    def test_contract_runs(self, world: dict[str, Any]) -> None:
        make_contract_run(make_contract(), world["first"])
        key = world["first"].runs.model.all_objects.get(course=world["first"]).courseware_id
        assert key.rpartition("+")[2].lower() not in SearchDocument.objects.get(course=world["first"]).search

    def test_people_and_topics_without_a_page(self, world: dict[str, Any]) -> None:
        Instructor.objects.create(name="Not yet hired")
        Topic.objects.create(name="Later", slug="later")
        assert set(visible_instructors()) == {world["mirela"], world["jonas"]}
        assert set(used_topics()) == {world["python"], world["r"]}
        world["first"].page.unpublish()
        assert set(visible_instructors()) == {world["jonas"]}
        assert set(used_topics()) == {world["r"]}


class TestWhatIsIndexed:
    """Each change, by each way editors have, is found at once, and what it replaces isn't any more."""

    @pytest.fixture(autouse=True)
    def _world(self, world: dict[str, Any]) -> None:
        self.first, self.second = world["first"], world["second"]
        self.mirela, self.python = world["mirela"], world["python"]
        self.program = make_program("SAFE", title="Safer care", courses=[self.first])
        self.page = make_program_page(self.program)

    def test_unpublishing_and_publishing(self) -> None:
        page = CoursePage.objects.get(course=self.first)
        page.unpublish()
        assert not SearchDocument.objects.filter(course=self.first).exists()
        page.save_revision().publish()
        assert found("git") == {self.first.title}

    def test_deleting_a_page(self) -> None:
        CoursePage.objects.get(course=self.first).delete()
        assert list(SearchDocument.objects.values_list("course", flat=True).order_by("course")) == [
            self.second.pk, None,
        ]  # fmt: skip

    def test_moving_a_page_to_another_course(self) -> None:
        page = CoursePage.objects.get(course=self.first)
        page.course = make_course(title="Astronomy")
        page.save_revision().publish()
        assert found("astronomy") == {"Astronomy"}
        assert find_subjects("programming properly").courses == {}

    def test_a_course(self) -> None:
        self.first.title = "Astronomy"
        self.first.save()
        assert (found("astronomy"), programs("astronomy")) == ({"Astronomy"}, {"Safer care"})
        assert (found("properly"), programs("properly")) == (set(), set())

    def test_a_program_and_its_requirements(self) -> None:
        self.program.title = "Kinder care"
        self.program.save()
        assert (programs("kinder"), programs("safer")) == ({"Kinder care"}, set())
        set_requirements(program=self.program, groups=[Group("", (self.second.pk,))])
        assert (programs("statistics"), programs("properly")) == ({"Kinder care"}, set())

    def test_topics_from_both_ends(self) -> None:
        self.second.topics.add(self.python)
        assert found("python") == {self.first.title, self.second.title}
        self.python.courses.remove(self.first)
        assert (found("python"), programs("python")) == ({self.second.title}, set())
        self.python.courses.clear()
        assert found("python") == set()

    @pytest.mark.parametrize("kind", ["topic", "instructor", "department"])
    def test_renaming(self, kind: str) -> None:
        named = {"topic": self.python, "instructor": self.mirela, "department": self.first.department}[kind]
        old = named.name
        named.name = "Quasar"
        named.save()
        assert self.first.title in found("quasar")
        assert find_subjects(old).courses == {}

    @pytest.mark.parametrize("kind", ["topic", "instructor"])
    def test_deleting(self, kind: str) -> None:
        named = {"topic": self.python, "instructor": self.mirela}[kind]
        named.delete()
        assert find_subjects(named.name).courses == {}
        assert find_subjects("git").courses != {}

    def test_many_pages_at_once_are_left_to_the_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[SearchTextsChanged] = []
        monkeypatch.setattr(search_index, "AT_ONCE", 1)
        monkeypatch.setattr(search_index, "publish", sent.append)
        Department.objects.get(pk=self.first.department_id).save()
        [event] = sent
        assert set(event.page_ids) == set(SearchDocument.objects.values_list("pk", flat=True))

    def test_every_document_is_as_if_it_were_new(self) -> None:
        before = list(SearchDocument.objects.order_by("pk").values())
        SearchDocument.objects.update(heading="stale")
        SearchDocument.objects.filter(course=self.second).delete()
        assert is_index_incomplete()
        assert rebuild_index() == 3
        assert list(SearchDocument.objects.order_by("pk").values()) == before
        assert not is_index_incomplete()

    def test_at_night(self) -> None:
        Course.objects.filter(pk=self.first.pk).update(title="Astronomy")
        rebuild_search_index()
        assert found("astronomy") == {"Astronomy"}

    def test_by_a_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("rebuild_search_index")
        assert capsys.readouterr().out == "The search knows 3 pages.\n"

    @pytest.mark.parametrize("number", [2, 20])
    def test_rebuilding_makes_the_same_queries_for_any_number_of_pages(self, number: int) -> None:
        for each in range(number):
            made(f"Course {each}", body=[block("faculty", heading="", people=[self.mirela.pk])])
        with queries(exactly=13):
            rebuild_index()


class TestCorrections:
    @pytest.fixture(autouse=True)
    def courses(self, world: dict[str, Any]) -> None:
        made("Negotiation without the theater", department=make_department("Business"))

    @pytest.mark.parametrize(
        ("typed", "corrected"),
        [
            ("pyhton", "python"),
            ("statistcs", "statistics"),
            ("negociation", "negotiation"),
            ("pyhton statistcs", "python statistics"),
            ("mirella", "mirela"),
            ("zzzzqqq", None),
            ("python", None),
            ("ab", None),
            ("100%", None),
        ],
    )
    def test_likelier_words(self, typed: str, corrected: str | None) -> None:
        search.has_trigrams()  # asked once for the whole process
        with queries(exactly=0 if typed in {"ab", "100%"} else 1):
            corrections = find_corrections(typed)
        assert next(iter(corrections), None) == corrected

    def test_the_server_s_trigrams_are_asked_where_it_has_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The embedded server has none: what the query would be is all that can be looked at here."""
        monkeypatch.setattr(search, "has_trigrams", lambda: True)
        assert "WORD_SIMILARITY" in str(search.documents_like(["pyhton"]).query)


def test_suggestions_begin_like_what_is_typed(world: dict[str, Any]) -> None:
    make_program_page(make_program("STAT", title="Statistics in practice", courses=[world["first"]]))
    with queries(exactly=1):
        suggested = suggest_pages("stat")
    assert {(page.title, page.is_program) for page in suggested} == {
        ("Statistics in practice", True),
        ("Statistics for people who make decisions", False),
    }
    assert [page.title for page in suggest_pages("mir")] == ["Programming, properly"]
    assert suggest_pages("git") == []  # outcomes are found, but not suggested
    assert suggest_pages("%") == []
