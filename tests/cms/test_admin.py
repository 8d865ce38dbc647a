"""The catalog in the Wagtail admin: what editors and finance can do, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from wagtail.test.utils.form_data import nested_form_data, streamfield

from cms.models import CoursePage, Instructor
from cms.selectors.search import find_subjects
from cms.services.groups import EDITORS, FINANCE, RIGHTS, ensure_group
from courses.enums import RequirementKind
from courses.models import Course, CourseRun, Program, ProgramRequirement, Topic
from ecommerce.models import PriceChange, Product
from mitxonline.users.models import User
from tests.factories import (
    make_contract,
    make_contract_run,
    make_course,
    make_department,
    make_product,
    make_run,
    make_user,
)
from tests.factories.pages import make_course_page, make_home, make_program
from tests.factories.seats import make_seat_sale
from tests.support.counting import queries
from tests.support.reading import form_data, read

pytestmark = pytest.mark.django_db

COURSES = "/cms/snippets/courses/course/"
TOPICS = "/cms/snippets/courses/topic/"
RUNS = "/cms/snippets/courses/courserun/"
PROGRAMS = "/cms/snippets/courses/program/"
PRODUCTS = "/cms/snippets/ecommerce/product/"


def client_of(group: str) -> tuple[Client, User]:
    user = make_user()
    ensure_group(RIGHTS[group], pages=[make_home()], renew=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client, user


@pytest.fixture
def editor() -> Client:
    return client_of(EDITORS)[0]


def course_form(**fields: object) -> dict[str, object]:
    given: dict[str, object] = {
        "title": "Databases you can trust",
        "readable_id": "course-v1:TesseraX+PY102",
        "summary": "",
        "department": make_department().pk,
        "level": "intermediate",
        "duration_weeks": "8",
        "hours_per_week_min": "5",
        "hours_per_week_max": "6",
        "live": "on",
    }
    return given | fields


def run_form(course: Course, **fields: object) -> dict[str, object]:
    given: dict[str, object] = {
        "course": course.pk,
        "courseware_id": f"{course.readable_id}+2026W10",
        "title": "",
        "start_date": "2026-03-02 00:00",
        "end_date": "2026-05-01 00:00",
        "enrollment_start": "",
        "enrollment_end": "",
        "upgrade_deadline": "",
        "certificate_available_date": "",
        "live": "on",
    }
    return given | fields


class TestCourses:
    def test_an_editor_makes_a_course(self, editor: Client) -> None:
        response = editor.post(f"{COURSES}add/", course_form())
        assert response.status_code == 302
        assert Course.objects.get().readable_id == "course-v1:TesseraX+PY102"

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"readable_id": "PY102"}, "isn’t a course ID. It should look like course-v1:ORG+NUMBER"),
            ({"readable_id": "course-v1:Tessera X+PY102"}, "isn’t a course ID"),
            ({"hours_per_week_max": "2"}, "The maximum hours a week can’t be less than the minimum."),
            ({"department": ""}, "This field is required"),
        ],
    )
    def test_invalid_values_are_refused_with_a_sentence(
        self, editor: Client, fields: dict[str, object], sentence: str
    ) -> None:
        response = editor.post(f"{COURSES}add/", course_form(**fields))
        assert sentence in response.content.decode()
        assert not Course.objects.exists()

    def test_an_editor_makes_topics_and_gives_them_to_courses(self, editor: Client) -> None:
        for name, slug in (("Data analysis", ""), ("Größe", ""), ("データ", "data")):
            assert editor.post(f"{TOPICS}add/", {"name": name, "slug": slug}).status_code == 302
        assert set(Topic.objects.values_list("slug", flat=True)) == {"data-analysis", "grosse", "data"}
        course = make_course("PY101")
        make_course_page(course)
        chosen = list(Topic.objects.exclude(slug="data").values_list("pk", flat=True))
        editor.post(
            f"{COURSES}edit/{course.pk}/", course_form(topics=chosen, language="es", readable_id=course.readable_id)
        )
        course.refresh_from_db()
        assert course.language == "es"
        assert find_subjects("grosse analysis").courses.keys() == {course.pk}
        assert "<td" in editor.get(TOPICS).content.decode()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"name": "データ"}, "Write it in the letters a to z"),
            ({"name": "Data!"}, "Another topic already has this short name."),
            ({"name": "Data"}, "Another topic already has this name."),
        ],
    )
    def test_a_topic_has_an_address_of_its_own(self, editor: Client, fields: dict[str, str], sentence: str) -> None:
        Topic.objects.create(name="Data", slug="data")
        assert sentence in editor.post(f"{TOPICS}add/", fields | {"slug": ""}).content.decode()
        assert Topic.objects.count() == 1

    def test_an_instructor_gets_an_address(self, editor: Client) -> None:
        for slug in ("", "", "mirela"):
            editor.post("/cms/snippets/cms/instructor/add/", {"name": "Mirela Radu", "slug": slug, "about": ""})
        assert set(Instructor.objects.values_list("slug", flat=True)) == {"mirela-radu", "mirela-radu-2", "mirela"}
        response = editor.post("/cms/snippets/cms/instructor/add/", {"name": "Other", "slug": "mirela", "about": ""})
        assert "Another instructor already has this short name." in response.content.decode()

    def test_an_id_that_runs_carry_stays(self, editor: Client) -> None:
        course = make_run(make_course("PY101")).course
        editor.post(f"{COURSES}edit/{course.pk}/", course_form(title="New title"))
        course.refresh_from_db()
        assert (course.title, course.readable_id) == ("New title", "course-v1:TesseraX+PY101")

    def test_a_course_with_a_page_is_not_deleted(self, editor: Client) -> None:
        page = make_course_page()
        response = editor.post(f"{COURSES}delete/{page.course_id}/", follow=True)
        assert "can’t be deleted because course pages use it." in response.content.decode()
        assert Course.objects.filter(pk=page.course_id).exists()

    def test_a_course_page_is_deleted_and_the_course_stays(self, admin_client: Client) -> None:
        page = make_course_page()
        admin_client.post(f"/cms/pages/{page.pk}/delete/")
        assert not CoursePage.objects.filter(pk=page.pk).exists()
        assert Course.objects.filter(pk=page.course_id).exists()

    def test_the_list_costs_the_same_for_any_number_of_courses(self, editor: Client) -> None:
        make_course()
        editor.get(COURSES)
        with queries(exactly=16):
            editor.get(COURSES)
        for _more in range(9):
            make_course()
        with queries(exactly=16):
            editor.get(COURSES)


class TestRuns:
    def test_an_editor_makes_a_run_which_takes_its_tag_from_the_key_and_its_title_from_the_course(
        self, editor: Client
    ) -> None:
        course = make_course("PY101", title="Programming with Python")
        editor.post(f"{RUNS}add/", run_form(course))
        run = CourseRun.objects.get()
        assert (run.run_tag, run.title, run.live) == ("2026W10", "Programming with Python", True)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"courseware_id": "course-v1:Other+PY101+R1"}, "starts with course-v1:TesseraX+PY101+"),
            ({"courseware_id": "nonsense"}, "isn’t a course key"),
            ({"end_date": "2026-02-01 00:00"}, "The run can’t end before it starts."),
            (
                {"enrollment_start": "2026-02-02 00:00", "enrollment_end": "2026-02-01 00:00"},
                "Enrollment can’t close before it opens.",
            ),
        ],
    )
    def test_invalid_values_are_refused_with_a_sentence(
        self, editor: Client, fields: dict[str, object], sentence: str
    ) -> None:
        response = editor.post(f"{RUNS}add/", run_form(make_course("PY101"), **fields))
        assert sentence in response.content.decode()
        assert not CourseRun.objects.exists()

    def test_places_can_be_lowered_to_what_is_taken(self, editor: Client) -> None:
        run, other = make_run(make_course("PY101"), tag="R1"), make_run(make_course("PY102"), tag="R1")
        make_seat_sale(make_product(run), seats=3)
        taken = "3 places are taken, by learners, sold seats and orders. Enter at least 3."
        for each, places, expected in ((run, 2, None), (run, 3, 3), (run, 0, 3), (run, "", None), (other, 1, 1)):
            url = f"{RUNS}edit/{each.pk}/"
            answer = editor.post(url, {**form_data(read(editor.get(url))), "places": places}, follow=True)
            assert CourseRun.objects.get(pk=each.pk).places == expected
            assert (taken in answer.content.decode()) == (places in {0, 2})
        assert not CourseRun.objects.get(pk=other.pk).is_full

    def test_the_list_of_runs_says_which_are_full(self, editor: Client) -> None:
        full = make_run(make_course("PY101"), tag="R1", places=3)
        make_run(make_course("PY102"), tag="R1", places=4)
        make_run(make_course("PY103"), tag="R1")
        make_seat_sale(make_product(full), seats=3)
        rows = read(editor.get(RUNS)).text
        assert "3, full" in rows
        found = read(editor.get(f"{RUNS}?is_full=true")).text
        assert full.courseware_id in found
        assert "PY102" not in found

    def test_a_source_run_may_belong_to_the_source_organization(self, editor: Client) -> None:
        course = make_course("PY101")
        editor.post(f"{RUNS}add/", run_form(course, courseware_id="course-v1:UAI_SOURCE+PY101+SOURCE"))
        assert CourseRun.objects.get().run_tag == "SOURCE"

    def test_contract_runs_are_not_here(self, editor: Client) -> None:
        run = make_contract_run(make_contract()).course_run
        assert run.courseware_id not in editor.get(RUNS).content.decode()
        assert editor.get(f"{RUNS}edit/{run.pk}/").status_code == 404


class TestPrograms:
    def form(self, groups: list[tuple[str, dict[str, object]]], **fields: object) -> Any:
        given = {
            "title": "Data Foundations",
            "readable_id": "program-v1:TesseraX+DF",
            "summary": "",
            "department": make_department().pk,
            "live": "on",
            "requirements": streamfield(groups),
        }
        return nested_form_data(given | fields)

    def group(self, *courses: Course, **fields: object) -> dict[str, object]:
        return {"title": "", "courses": streamfield_list([course.pk for course in courses])} | fields

    def test_an_editor_makes_a_program_with_its_requirements(self, editor: Client) -> None:
        first, second, third = make_course(), make_course(), make_course()
        groups = [("all_of", self.group(first)), ("at_least", self.group(second, third, at_least="1", title="Choose"))]
        response = editor.post(f"{PROGRAMS}add/", self.form(groups))
        assert response.status_code == 302
        program = Program.objects.get()
        top = program.requirements.filter(parent=None).order_by("position")
        assert [(each.kind, each.at_least, each.title) for each in top] == [
            (RequirementKind.ALL_OF, None, ""),
            (RequirementKind.AT_LEAST, 1, "Choose"),
        ]
        leaves = program.requirements.filter(parent=top[1]).order_by("position")
        assert [leaf.course for leaf in leaves] == [second, third]

    def test_a_course_twice_is_refused_and_nothing_is_made(self, editor: Client) -> None:
        course = make_course(title="Statistics")
        groups = [("all_of", self.group(course)), ("all_of", self.group(course))]
        response = editor.post(f"{PROGRAMS}add/", self.form(groups))
        assert "A course counts once." in response.content.decode()
        assert not Program.objects.exists()

    def test_requirements_are_shown_and_changed(self, editor: Client) -> None:
        first, second = make_course(), make_course()
        program = make_program(courses=[first])
        editor.post(f"{PROGRAMS}edit/{program.pk}/", self.form([("all_of", self.group(second, first))]))
        leaves = program.requirements.filter(course__isnull=False).order_by("position")
        assert [leaf.course for leaf in leaves] == [second, first]

    def test_saving_without_a_change_rewrites_no_requirement(self, editor: Client) -> None:
        course = make_course()
        program = make_program(courses=[course])
        before = set(program.requirements.values_list("pk", flat=True))
        editor.post(f"{PROGRAMS}edit/{program.pk}/", self.form([("all_of", self.group(course))]))
        assert set(program.requirements.values_list("pk", flat=True)) == before

    def test_groups_inside_groups_are_left_as_they_are(self, editor: Client) -> None:
        course = make_course()
        program = make_program(courses=[course])
        outer = ProgramRequirement.objects.create(program=program, kind=RequirementKind.ALL_OF, position=1)
        ProgramRequirement.objects.filter(program=program, parent=None).exclude(pk=outer.pk).update(parent=outer)
        before = set(program.requirements.values_list("pk", flat=True))
        assert "groups inside groups" in editor.get(f"{PROGRAMS}edit/{program.pk}/").content.decode()
        editor.post(f"{PROGRAMS}edit/{program.pk}/", self.form([], title="Renamed"))
        program.refresh_from_db()
        assert program.title == "Renamed"
        assert set(program.requirements.values_list("pk", flat=True)) == before


class TestProducts:
    def form(self, product: Product, **fields: object) -> dict[str, object]:
        given: dict[str, object] = {
            "course_run": product.course_run_id,
            "program": "",
            "mode": "verified",
            "sku": product.sku,
            "description": "",
            "price": "249",
            "currency": "USD",
            "is_active": "on",
        }
        return given | fields

    def test_finance_changes_a_price_and_it_is_written_down_with_who_did_it(self) -> None:
        client, user = client_of(FINANCE)
        product = make_product(price="249")
        client.post(f"{PRODUCTS}edit/{product.pk}/", self.form(product, price="260"))
        change = PriceChange.objects.get()
        assert (change.product, change.old_price, change.new_price, change.changed_by) == (product, 249, 260, user)

    def test_saving_the_same_price_writes_nothing_down(self) -> None:
        client, _user = client_of(FINANCE)
        product = make_product(price="249")
        client.post(f"{PRODUCTS}edit/{product.pk}/", self.form(product))
        assert not PriceChange.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"price": "-1"}, "The amount can’t be negative."),
            ({"price": "99.999"}, "Amounts in USD have at most 2 decimals."),
            ({"price": "99.5", "currency": "JPY"}, "Amounts in JPY have at most 0 decimals."),
            ({"currency": "XQX"}, "“XQX” is not a currency this shop sells in."),
            ({"course_run": ""}, "a product sells one of them"),
        ],
    )
    def test_invalid_values_are_refused_with_a_sentence(self, fields: dict[str, object], sentence: str) -> None:
        client, _user = client_of(FINANCE)
        product = make_product(price="249")
        response = client.post(f"{PRODUCTS}edit/{product.pk}/", self.form(product, **fields))
        assert sentence in response.content.decode()

    def test_editors_see_prices_but_do_not_set_them(self, editor: Client) -> None:
        product = make_product()
        assert product.sku in editor.get(PRODUCTS).content.decode()
        assert editor.post(f"{PRODUCTS}edit/{product.pk}/", self.form(product, price="1")).status_code == 302
        product.refresh_from_db()
        assert product.price == 249

    def test_products_cannot_be_deleted(self, admin_client: Client) -> None:
        product = make_product()
        admin_client.post(f"{PRODUCTS}delete/{product.pk}/")
        assert Product.objects.filter(pk=product.pk).exists()

    def test_contract_products_are_not_here(self, admin_client: Client) -> None:
        product = make_contract_run(make_contract()).product
        assert product is not None
        assert product.sku not in admin_client.get(PRODUCTS).content.decode()
        assert admin_client.get(f"{PRODUCTS}edit/{product.pk}/").status_code == 404


class TestPageLists:
    def test_course_pages_are_listed_with_their_course_in_constant_queries(self, editor: Client) -> None:
        make_course_page(make_course("PY101"))
        editor.get("/cms/course_pages/")
        with queries(exactly=23):
            assert "course-v1:TesseraX+PY101" in editor.get("/cms/course_pages/").content.decode()
        for _more in range(5):
            make_course_page()
        with queries(exactly=23):
            editor.get("/cms/course_pages/")

    def test_the_admin_is_the_brands(self, editor: Client) -> None:
        assert "Welcome to Tessera" in editor.get("/cms/").content.decode()
        assert Client().get("/cms/login/")["Location"] == "/login/?next=%2Fcms%2F"


class TestChoosing:
    def shown(self, client: Client, kind: str, words: str) -> str:
        response = client.get(f"/cms/snippets/choose/{kind}/results/", {"q": words})
        assert response.status_code == 200
        return str(response.content.decode())

    def test_one_course_of_many_is_found_by_words_and_by_its_id(self, editor: Client) -> None:
        sky = make_course("AS101", title="Seeing the night sky")
        other = make_course(title="Reading a changing climate")
        assert "data-chooser-modal-search" in editor.get("/cms/snippets/choose/courses/course/").content.decode()
        for words in ("night see", "as101", "SKY"):
            page = self.shown(editor, "courses/course", words)
            assert (sky.title in page, other.title in page) == (True, False)
        assert sky.title not in self.shown(editor, "courses/course", "night climate")

    def test_contract_runs_and_products_are_not_offered(self, admin_client: Client) -> None:
        public = make_product(make_run())
        contract_run = make_contract_run(make_contract())
        assert contract_run.product is not None
        products = self.shown(admin_client, "ecommerce/product", "")
        assert public.course_run is not None
        assert public.course_run.title in products
        assert contract_run.course_run.courseware_id not in products
        assert str(contract_run.product) not in products
        assert contract_run.course_run.courseware_id not in self.shown(admin_client, "courses/courserun", "")


def streamfield_list(items: list[object]) -> dict[str, object]:
    """Return a list inside a block as its form posts it."""
    values: dict[str, object] = {"count": str(len(items))}
    for index, value in enumerate(items):
        values[str(index)] = {"value": value, "deleted": "", "order": str(index), "id": ""}
    return values
