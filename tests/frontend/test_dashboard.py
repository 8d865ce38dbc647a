"""The dashboard, an organization's page, and enrolling with one click."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun, Enrollment, Program, ProgramRequirement
from courses.services.enrollments import enroll
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import (
    make_contract,
    make_contract_run,
    make_course,
    make_department,
    make_organization,
    make_product,
    make_run,
    make_user,
)
from tests.factories.pages import make_course_page, make_program, make_program_page
from tests.frontend.conftest import Northgate, SignIn, make_northgate
from tests.support.counting import queries
from tests.support.reading import read

pytestmark = pytest.mark.django_db


def enrolled_in(learner: User, run: CourseRun) -> Enrollment:
    return enroll(
        user_id=learner.pk,
        run_id=run.pk,
        mode=EnrollmentMode.AUDIT,
        source=EnrollmentSource.FREE,
        now=clock.now(),
    )


def joined(client: Client, **terms: object) -> Northgate:
    contract = make_northgate(**terms)  # type: ignore[arg-type]
    client.post(contract.redeem_link)
    return contract


def test_an_empty_dashboard_links_to_the_catalog(learners_client: Client) -> None:
    page = read(learners_client.get("/dashboard/"))
    assert page.h1 == "Welcome, Amara"
    assert "No courses yet. Find one, or enter the code your organization gave you." in page.text
    assert page.links()["Browse courses"] == "/catalog/"
    assert page.links()["Redeem a code"] == "/redeem/"


def test_courses_are_grouped_by_progress(learners_client: Client, learner: User) -> None:
    now = clock.now()
    for title, start, end in [
        ("Finished one", -90, -30),
        ("Older one", -60, 60),
        ("Latest one", -3, 60),
        ("Coming one", 30, 90),
    ]:
        run = make_run(
            make_course(title=title), start_date=now + timedelta(days=start), end_date=now + timedelta(days=end)
        )
        enrolled_in(learner, run)
    assert read(learners_client.get("/dashboard/")).h1 == "Welcome, Amara", "who has just joined can’t be back"
    User.objects.filter(pk=learner.pk).update(date_joined=now - timedelta(days=90))
    page = read(learners_client.get("/dashboard/"))
    assert page.h1 == "Welcome back, Amara"
    assert page.headings(2) == ["Latest one", "In progress", "Upcoming", "Finished"]
    assert page.headings(3) == ["Older one", "Coming one", "Finished one"]
    assert "%" not in page.text
    assert not page.select("progress")


def test_a_member_starts_the_other_courses_with_one_click(learners_client: Client) -> None:
    contract = joined(learners_client, end=clock.today() + timedelta(days=30))
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"))
    page = read(learners_client.get("/dashboard/"))
    assert "Northgate Health" in page.headings(2)
    assert "Clinical skills 2026 · until" in page.text
    assert "Enroll Writing clearly at work" in page.buttons()
    page = read(learners_client.post("/dashboard/start/", {"contract_run": other.pk}, follow=True))
    assert "You’re enrolled in “Writing clearly at work”." in page.text
    assert "Enroll Writing clearly at work" not in page.buttons()


def test_a_priced_contract_leads_to_the_cart(learners_client: Client) -> None:
    contract = make_northgate(price="49.00")
    learners_client.post(contract.redeem_link)
    cart = read(learners_client.get("/cart/"))
    learners_client.post("/checkout/", {"expected_total": str(cart.one("input[name=expected_total]")["value"])})
    from_sandbox = learners_client.get("/orders/history/")
    assert from_sandbox.status_code == 200


def test_only_three_courses_are_listed_and_the_rest_counted(learners_client: Client) -> None:
    contract = joined(learners_client)
    for number in range(5):
        make_contract_run(contract.contract, make_course(title=f"Course {number}"))
    page = read(learners_client.get("/dashboard/"))
    assert page.links()["See all 6 courses"] == "/organizations/northgate-health/"
    assert len([name for name in page.buttons() if name.startswith("Enroll")]) == 2
    page = read(learners_client.get("/organizations/northgate-health/"))
    assert len([name for name in page.buttons() if name.startswith("Enroll")]) == 5


def test_titles_of_a_contracts_courses_lead_to_their_pages(learners_client: Client) -> None:
    contract = joined(learners_client)
    course = make_course(title="Writing clearly at work")
    make_course_page(course)
    make_contract_run(contract.contract, course)
    make_contract_run(contract.contract, make_course(title="Without a page"))
    for address in ("/dashboard/", "/organizations/northgate-health/"):
        page = read(learners_client.get(address))
        assert page.links()["Writing clearly at work"] == f"/courses/{course.readable_id}/"
        assert "Without a page" in page.text
        assert "Without a page" not in page.links()


@pytest.mark.parametrize(
    ("change", "sentence", "badge"),
    [
        ({"start": 1, "end": None, "active": True}, "opens", "Not started"),
        ({"start": None, "end": -1, "active": True}, "You keep access to your courses.", "Ended"),
        ({"start": None, "end": None, "active": False}, "No one can join right now.", "Inactive"),
    ],
)
def test_a_contract_that_is_not_open_is_one_line(
    learners_client: Client, change: dict[str, int | bool | None], sentence: str, badge: str
) -> None:
    contract = joined(learners_client)
    terms, today = contract.contract.terms, clock.today()
    for name in ("start", "end"):
        days = change[name]
        setattr(terms, name, None if days is None else today + timedelta(days=int(days)))
    terms.active = bool(change["active"])
    terms.save()
    for address in ("/dashboard/", "/organizations/northgate-health/"):
        page = read(learners_client.get(address))
        assert badge in page.text
        assert not [name for name in page.buttons() if name.startswith("Enroll")]
    assert sentence in read(learners_client.get("/dashboard/")).text


@pytest.mark.parametrize("active", [True, False])
def test_only_courses_that_stay_open_say_so(learners_client: Client, active: bool) -> None:
    """Runs end with their contract; one that goes on keeps the sentence true."""
    contract = joined(learners_client)
    other = make_contract_run(contract.contract, make_course(title="Writing clearly at work"))
    learners_client.post("/dashboard/start/", {"contract_run": other.pk})
    terms, yesterday = contract.contract.terms, clock.today() - timedelta(days=1)
    terms.active, terms.end = active, yesterday
    terms.save()
    over = CourseRun.all_objects.filter(pk=contract.run.course_run_id)
    over.update(end_date=clock.end_of_day(yesterday))
    addresses = ("/dashboard/", "/organizations/northgate-health/")
    for address in addresses:
        assert "You keep access to your courses." in read(learners_client.get(address)).text
    CourseRun.all_objects.filter(pk=other.course_run_id).update(end_date=clock.end_of_day(yesterday))
    for address in addresses:
        text = read(learners_client.get(address)).text
        assert "stay open" not in text
        assert not active or "Your courses ended too." in text


def test_a_code_that_was_given_to_me_waits(learners_client: Client, learner: User) -> None:
    contract = make_northgate()
    for code in contract.codes:
        code.assigned_email, code.assigned_by, code.assigned_at = learner.email, contract.manager, clock.now()
        code.save()
    page = read(learners_client.get("/dashboard/"))
    assert "A code is waiting for you" in page.text
    assert (
        "Dana Whitfield from Northgate Health gave you a seat in “Statistics for people who make decisions”."
        in page.text
    )
    assert page.links()["Take my seat Statistics for people who make decisions"].startswith("/enrollmentcode/")
    assert len(page.select(".btn-gold")) == 1


@pytest.mark.parametrize("value", ["", "abc", "0", "999999", "9" * 30, "\0"])
def test_junk_starts_nothing(learners_client: Client, value: str) -> None:
    contract = joined(learners_client)
    stranger = make_contract_run(make_contract(make_organization("Other House"), name="Secret"))
    for run in (value, stranger.pk):
        response = learners_client.post("/dashboard/start/", {"contract_run": run}, follow=True)
        assert response.status_code in {200, 404}
    assert list(Enrollment.objects.values_list("run_id", flat=True)) == [contract.run.course_run_id]


def test_the_way_on_stays_on_this_site(learners_client: Client) -> None:
    contract = joined(learners_client)
    other = make_contract_run(contract.contract)
    for wanted, got in [("https://evil.example/", "/dashboard/"), ("/organizations/northgate-health/",) * 2]:
        response = learners_client.post("/dashboard/start/", {"contract_run": other.pk, "next": wanted})
        assert response["Location"] == got


def test_only_members_see_their_organization(learners_client: Client, sign_in: SignIn) -> None:
    joined(learners_client)
    page = read(learners_client.get("/organizations/northgate-health/"))
    assert page.h1 == "Northgate Health"
    assert page.headings(2) == ["Clinical skills 2026"]
    stranger = sign_in(make_user())
    staff = sign_in(make_user(is_staff=True, is_superuser=True))
    for other in (stranger, staff):
        answers = {
            read(other.get(address)).text
            for address in ("/organizations/northgate-health/", "/organizations/nobody/", "/organizations/a/b/c/")
        }
        assert len(answers) == 1
        assert other.get("/organizations/northgate-health/").status_code == 404
    for slug in ("northgate-health", "nobody"):
        response = Client().get(f"/organizations/{slug}/")
        assert response["Location"] == f"/login/?next=/organizations/{slug}/"


def test_a_contract_has_no_page_for_visitors(learners_client: Client) -> None:
    joined(learners_client)
    response = learners_client.get("/organizations/northgate-health/clinical-skills-2026/")
    assert response.status_code == 404


def test_members_read_what_an_editor_wrote(learners_client: Client) -> None:
    contract = joined(learners_client)
    page = contract.contract
    page.welcome_message, page.description = "Good that you are here.", "<p>Six courses for the wards.</p>"
    page.save()
    text = read(learners_client.get("/organizations/northgate-health/")).text
    assert "Good that you are here." in text
    assert "Six courses for the wards." in text


def test_an_editor_previews_organization_and_contract(learners_client: Client) -> None:
    contract = joined(learners_client)
    for page in (contract.organization, contract.contract):
        response = page.make_preview_request(preview_mode=page.default_preview_mode)
        assert response.status_code == 200
        assert read(response).h1 == page.name


def test_programs_show_what_was_started(learners_client: Client, learner: User) -> None:
    course = make_course()
    enrolled_in(learner, make_run(course))
    program = Program.objects.create(
        readable_id="program-v1:TesseraX+DF", title="Data Foundations", department=make_department()
    )
    ProgramRequirement.objects.create(program=program, kind="course", course=course)
    assert "Data Foundations" not in read(learners_client.get("/dashboard/")).text


def test_programs_count_what_they_need(learners_client: Client, learner: User) -> None:
    first, *others = (make_course(title=f"Course {number}") for number in range(5))
    some = make_program("SOME", courses=[first, *others[:2]], at_least=2, title="Two of three")
    make_program_page(some)
    make_program_page(make_program("ONE", courses=[others[3]], title="Only one"))
    enrolled_in(learner, make_run(first))
    enrolled_in(learner, make_run(others[3]))
    text = read(learners_client.get("/dashboard/")).text
    assert "Enrolled in 1 of the 2 courses it takes. See the rest" in text
    assert "Enrolled in the course it takes. See the program" in text
    enrolled_in(learner, make_run(others[0]))
    enrolled_in(learner, make_run(others[1]))
    assert "Enrolled in all 2 courses it takes. See the program" in read(learners_client.get("/dashboard/")).text


@pytest.mark.parametrize("courses", [1, 4])
def test_the_dashboard_costs_the_same_for_any_number(learners_client: Client, learner: User, courses: int) -> None:
    contract = joined(learners_client)
    for _each in range(courses):
        enrolled_in(learner, make_run())
        make_contract_run(contract.contract)
    for _each in range(courses - 1):
        other = make_contract(contract.organization, name="Another")
        run = make_contract_run(other, codes=1)
        learners_client.post(f"/enrollmentcode/{run.product.unlocked_by.codes.get().text}/")  # type: ignore[union-attr]
    learners_client.get("/dashboard/")
    with queries(18):
        learners_client.get("/dashboard/")


class TestFreeEnrollment:
    def test_a_free_run_is_one_click(self, learners_client: Client, learner: User) -> None:
        run = make_run()
        page = read(learners_client.post("/enroll/", {"run": run.pk}, follow=True))
        assert f"You’re enrolled in “{run.title}”." in page.text
        learners_client.post("/enroll/", {"run": run.pk})
        assert Enrollment.objects.get().user_id == learner.pk

    def test_a_run_with_a_price_is_not(self, learners_client: Client) -> None:
        product = make_product()
        response = learners_client.post("/enroll/", {"run": product.course_run_id})
        assert "has a price. Add it to your cart to enroll." in read(response).text
        assert not Enrollment.objects.exists()

    def test_a_contract_run_does_not_exist_here(self, learners_client: Client) -> None:
        contract = make_northgate()
        for run in (contract.run.course_run_id, 999999, "abc", ""):
            assert learners_client.post("/enroll/", {"run": run}).status_code == 404
        assert not Enrollment.objects.exists()

    def test_signed_out_one_signs_in_and_comes_back_to_the_button(self, client: Client) -> None:
        data = {"run": make_run().pk, "next": "/courses/course-v1:TesseraX+PY/"}
        assert client.post("/enroll/", data)["Location"] == "/login/?next=/courses/course-v1%3ATesseraX%2BPY/"
        assert client.post("/enroll/", {"next": "//evil.example/"})["Location"] == "/login/?next=/dashboard/"
        assert client.get("/enroll/").status_code == 405
