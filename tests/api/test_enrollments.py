"""Enrollments: each learner sees, takes and leaves their own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from b2b.models import ContractMembership, ContractRun
from b2b.services.seats.redemption import redeem_enrollment_code, start_course
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.models import CourseRun, Enrollment, EnrollmentGrant
from courses.services.enrollments import enroll, enroll_free
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import (
    codes_of,
    make_contract,
    make_contract_run,
    make_course,
    make_organization,
    make_product,
    make_run,
    make_user,
)
from tests.factories.pages import make_course_page, make_home
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

VERSIONS = ["v1", "v2", "v3"]


@pytest.fixture
def learner() -> User:
    make_home()
    return make_user("learner@people.example")


@pytest.fixture
def run() -> CourseRun:
    return make_run()


@pytest.fixture
def contract_run() -> ContractRun:
    return make_contract_run(make_contract(make_organization("Northgate"), name="Northgate 2026", seats=2), codes=2)


def path(version: str, pk: int | None = None) -> str:
    return f"/api/{version}/enrollments/" + (f"{pk}/" if pk else "")


def seat(user: User, run: ContractRun) -> None:
    ContractMembership.objects.create(contract=run.contract, user=user, source="staff", since=clock.now())


def take(user: User, run_id: int, version: str = "v1", **fields: Any) -> Any:
    return ApiClient(user).send("post", path(version), {"run_id": run_id, **fields})


def buy(user: User, run: CourseRun) -> Enrollment:
    return enroll(
        user_id=user.pk,
        run_id=run.pk,
        mode=EnrollmentMode.VERIFIED,
        source=EnrollmentSource.ORDER,
        reference="TS-1",
        now=clock.now(),
    )


def shown(user: User, query: str = "", version: str = "v2") -> list[int]:
    return [each["run"]["id"] for each in ApiClient(user).get(path(version) + query).json()]


@pytest.mark.parametrize("version", VERSIONS)
def test_learners_see_their_own_enrollments_the_latest_first(learner: User, version: str) -> None:
    runs, now = [make_run(), make_run(), make_run()], clock.now()
    for age, run in enumerate(runs):
        enroll_free(user_id=learner.pk, run_id=run.pk, now=now - timedelta(days=age))
    enroll_free(user_id=make_user().pk, run_id=runs[0].pk, now=now)
    Enrollment.objects.filter(run=runs[1], user=learner).update(active=False)
    assert shown(learner, version=version) == [runs[0].pk, runs[2].pk]


@pytest.mark.parametrize("version", VERSIONS)
def test_an_enrollment_says_what_it_is_in(learner: User, version: str) -> None:
    course = make_course(title="Python", duration_weeks=5)
    make_course_page(course)
    run = make_run(course)
    product = make_product(run, price="49.50")
    buy(learner, run)
    (found,) = ApiClient(learner).get(path(version)).json()
    assert (found["enrollment_mode"], found["certificate"], found["grades"]) == ("verified", None, [])
    assert "edx_emails_subscription" not in found
    assert (found["run"]["courseware_id"], found["run"]["course"]["title"]) == (run.courseware_id, "Python")
    if version == "v3":
        assert found["run"]["upgrade_product_id"] == product.pk
        assert found["run"]["upgrade_product_price"].startswith("49.5")
        assert found["run"]["course"]["include_in_learn_catalog"] is True
        assert ApiClient(learner).get(path("v3", found["id"])).json() == found
    else:
        assert [each["id"] for each in found["run"]["products"]] == [product.pk]
        assert found["run"]["course"]["page"]["length"] == "5 weeks"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_enrollments_in_contracts_can_be_listed_alone_or_left_out(
    learner: User, run: CourseRun, contract_run: ContractRun, version: str
) -> None:
    other = make_contract_run(make_contract(make_organization("Southgate"), seats=2))
    for each in (contract_run, other):
        seat(learner, each)
        start_course(contract_run_id=each.pk, user_id=learner.pk, now=clock.now())
    enroll_free(user_id=learner.pk, run_id=run.pk, now=clock.now())
    organization = contract_run.contract.terms.organization_id
    (found,) = ApiClient(learner).get(path(version) + f"?org_id={organization}").json()
    assert (found["b2b_organization_id"], found["b2b_contract_id"]) == (organization, contract_run.contract_id)
    assert found["run"]["id"] == contract_run.course_run_id
    assert shown(learner, "?exclude_b2b=true", version) == [run.pk]
    assert len(shown(learner, "?exclude_b2b=false", version)) == 3
    assert shown(learner, "?org_id=0", version) == shown(learner, "?org_id=1.5", version) == []
    assert ApiClient(learner).get(path(version) + "?org_id=x").status_code == 400


@pytest.mark.parametrize("version", VERSIONS)
def test_a_free_course_is_taken_once(learner: User, run: CourseRun, version: str) -> None:
    first, second = take(learner, run.pk, version), take(learner, run.pk, version)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert (first.json()["enrollment_mode"], EnrollmentGrant.objects.count()) == ("audit", 1)


def test_whoever_is_in_a_closed_run_stays_in_it(learner: User, run: CourseRun) -> None:
    mine = buy(learner, run)
    CourseRun.all_objects.filter(pk=run.pk).update(enrollment_end=clock.now() - timedelta(days=1))
    assert take(learner, run.pk).json()["id"] == mine.pk
    assert take(make_user(), run.pk).status_code == 409


def test_what_costs_something_isnt_given_away(learner: User, run: CourseRun) -> None:
    make_product(run)
    response = take(learner, run.pk)
    assert (response.status_code, response.json()["code"]) == (409, "run_not_free")
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_contracts_course_is_for_its_members(learner: User, contract_run: ContractRun, version: str) -> None:
    stranger = make_user()
    seat(learner, contract_run)
    response = take(learner, contract_run.course_run_id, version)
    assert (response.status_code, response.json()["enrollment_mode"]) == (201, "verified")
    unknown, foreign = take(stranger, 2**40, version), take(stranger, contract_run.course_run_id, version)
    assert (unknown.status_code, foreign.status_code) == (400, 400)
    assert unknown.json() == foreign.json()
    assert list(foreign.json()["run_id"]) == ["We can’t find this course among those you can enroll in."]
    assert Enrollment.objects.get().user == learner


@pytest.mark.parametrize("body", [{}, {"run_id": "x"}, {"run_id": None}, {"run_id": -1}, {"run_id": 2**70}, []])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_request_is_refused(learner: User, version: str, body: Any) -> None:
    response = ApiClient(learner).send("post", path(version), body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_emails_of_a_course_are_the_course_sites(learner: User, run: CourseRun) -> None:
    client, mine = ApiClient(learner), enroll_free(user_id=learner.pk, run_id=run.pk, now=clock.now())
    for method, body in (
        ("patch", {"receive_emails": True}),
        ("patch", {"receive_emails": False}),
        ("put", {"run_id": run.pk, "edx_emails_subscription": False}),
    ):
        response = client.send(method, path("v1", mine.pk), body)
        assert (response.status_code, response.json()["code"]) == (409, "emails_from_course_site")
    assert take(learner, make_run().pk, edx_emails_subscription=False).status_code == 409
    assert take(learner, make_run().pk, edx_emails_subscription=True).status_code == 201
    unchanged = client.send("put", path("v1", mine.pk), {"run_id": run.pk})
    assert (unchanged.status_code, unchanged.json()["id"]) == (200, mine.pk)
    moved = client.send("put", path("v1", mine.pk), {"run_id": make_run().pk})
    assert (moved.status_code, next(iter(moved.json()))) == (400, "run_id")
    assert Enrollment.objects.get(pk=mine.pk).run == run


# --- Leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_a_free_course_can_be_left_and_taken_again(learner: User, run: CourseRun, version: str) -> None:
    client, mine = ApiClient(learner), enroll_free(user_id=learner.pk, run_id=run.pk, now=clock.now())
    assert client.send("delete", path(version, mine.pk)).status_code == 204
    assert shown(learner) == []
    assert client.send("delete", path(version, mine.pk)).status_code == 404
    grant = EnrollmentGrant.objects.get()
    assert (grant.revoked_by, grant.revoked_reason) == (learner, "The learner left the course")
    assert take(learner, run.pk, version).json()["id"] == mine.pk
    assert shown(learner) == [run.pk]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_paid_for_isnt_lost_by_leaving(learner: User, run: CourseRun, version: str) -> None:
    enroll_free(user_id=learner.pk, run_id=run.pk, now=clock.now())
    mine = buy(learner, run)
    response = ApiClient(learner).send("delete", path(version, mine.pk))
    assert (response.status_code, response.json()["code"]) == (409, "enrollment_not_undone")
    assert EnrollmentGrant.objects.filter(revoked_at=None).count() == 2


def test_members_leave_courses_of_their_contract_and_start_them_again(learner: User, contract_run: ContractRun) -> None:
    text = codes_of(contract_run)[0].text
    mine = redeem_enrollment_code(text=text, user_id=learner.pk, now=clock.now()).enrollment
    start_course(contract_run_id=contract_run.pk, user_id=learner.pk, now=clock.now())
    assert EnrollmentGrant.objects.filter(revoked_at=None).count() == 2
    client = ApiClient(learner)
    assert client.send("delete", path("v2", mine.pk)).status_code == 204
    assert not EnrollmentGrant.objects.filter(revoked_at=None).exists()
    assert ContractMembership.objects.get().state == "active"
    assert take(learner, contract_run.course_run_id).json()["id"] == mine.pk


@pytest.mark.parametrize("change", ["priced", "closed", "left"])
def test_a_course_that_a_member_couldnt_start_again_is_kept(
    learner: User, contract_run: ContractRun, change: str
) -> None:
    seat(learner, contract_run)
    mine = start_course(contract_run_id=contract_run.pk, user_id=learner.pk, now=clock.now())
    terms = contract_run.contract.terms
    if change == "priced":
        terms.price, terms.currency = 40, "USD"
        terms.save()
    elif change == "closed":
        terms.active = False
        terms.save()
    else:
        ContractMembership.objects.all().delete()
    assert ApiClient(learner).send("delete", path("v3", mine.pk)).status_code == 409
    assert Enrollment.objects.get().active


def test_nobody_elses_enrollment_is_there(learner: User, run: CourseRun) -> None:
    theirs = enroll_free(user_id=make_user().pk, run_id=run.pk, now=clock.now())
    client = ApiClient(learner)
    for version in VERSIONS:
        assert client.send("delete", path(version, theirs.pk)).status_code == 404
    assert client.get(path("v3", theirs.pk)).json() == client.get(path("v3", 2**40)).json()
    assert client.send("patch", path("v1", theirs.pk), {}).status_code == 404
    assert Enrollment.objects.get().active


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_costs_the_same_for_any_number(learner: User, version: str) -> None:
    client = ApiClient(learner)
    client.get(path(version))
    for _round in range(2):
        for _each in range(3):
            run = make_run()
            make_course_page(run.course)
            make_product(run)
            buy(learner, run)
        with queries(10):
            client.get(path(version))
