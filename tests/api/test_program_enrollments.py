"""Programs of learners: bought ones, those on their list, and what they give."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from b2b.models import ContractCourseware, ContractMembership
from courses.enums import EnrollmentMode
from courses.models import Course, CourseRun, Enrollment, EnrollmentGrant, Program, ProgramEnrollment
from courses.services.enrollments import enroll_free
from courses.services.program_enrollments import enroll_in_program
from ecommerce.enums import EnrollmentAfter
from ecommerce.models import Order, Product
from ecommerce.selectors.basket_prices import price_current_basket
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.selectors.refund_plan import RefundChoice
from ecommerce.services.baskets.baskets import add_products
from ecommerce.services.checkout.checkout import begin_checkout
from ecommerce.services.orders.fulfillment import fulfill_order
from ecommerce.services.refunds.refunds import refund_order
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import (
    make_contract,
    make_contract_run,
    make_course,
    make_organization,
    make_product,
    make_program_product,
    make_run,
    make_user,
)
from tests.factories.orders import make_payment
from tests.factories.pages import make_course_page, make_home, make_program, make_program_page
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

VERSIONS = ["v1", "v2", "v3"]


@pytest.fixture
def learner() -> User:
    make_home()
    return make_user("learner@people.example")


def path(version: str, pk: int | None = None) -> str:
    return f"/api/{version}/program_enrollments/" + (f"{pk}/" if pk else "")


def follow(user: User, program: Program) -> Any:
    return ApiClient(user).send("post", path("v3"), {"program_id": program.pk})


def shown(user: User, version: str = "v3") -> list[int]:
    return [each["program"]["id"] for each in ApiClient(user).get(path(version)).json()]


def visible_program(name: str, **fields: Any) -> Program:
    program = make_program(name, **fields)
    make_program_page(program)
    return program


def buy(user: User, product: Product) -> Order:
    now, owner = clock.now(), BasketOwner(user_id=user.pk)
    add_products(owner=owner, product_ids=[product.pk], now=now)
    assert price_current_basket(owner, user_id=user.pk, now=now).lines
    order = begin_checkout(owner=owner, user_id=user.pk, now=now).order
    return fulfill_order(order_id=order.pk, now=now)


def take(user: User, run: CourseRun, *programs: Program) -> Any:
    address = f"/api/v2/verified_program_enrollments/{run.courseware_id}/"
    return ApiClient(user).send("post", address, [each.readable_id for each in programs])


# --- The list --------------------------------------------------------------------------------------------------------


def test_a_program_is_put_on_the_list_once(learner: User) -> None:
    program, other = visible_program("ONE", title="B"), visible_program("TWO", title="A")
    assert [follow(learner, each).status_code for each in (program, program, other)] == [201, 200, 201]
    follow(make_user(), program)
    for version in VERSIONS:
        assert shown(learner, version) == [other.pk, program.pk]
    assert ProgramEnrollment.objects.filter(user=learner).count() == 2
    with pytest.raises(IntegrityError), transaction.atomic():
        ProgramEnrollment.objects.create(user=learner, program=program, enrolled_at=clock.now())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_says_what_its_learner_takes_of_it(learner: User, version: str) -> None:
    course, other = make_course(title="Python"), make_course(title="Other")
    for each in (course, other):
        make_course_page(each)
    program = visible_program("ONE", courses=[course])
    inside, outside = make_run(course), make_run(other)
    for run in (inside, outside):
        enroll_free(user_id=learner.pk, run_id=run.pk, now=clock.now())
    enroll_free(user_id=make_user().pk, run_id=inside.pk, now=clock.now())
    follow(learner, program)
    (found,) = ApiClient(learner).get(path(version)).json()
    assert (found["program"]["readable_id"], found["certificate"]) == (program.readable_id, None)
    assert ApiClient(learner).get(path(version, program.pk)).json() == found
    if version == "v3":
        assert found["enrollment_mode"] == "audit"
    else:
        assert [each["run"]["id"] for each in found["enrollments"]] == [inside.pk]


def test_a_program_whose_page_is_gone_stays_on_the_list(learner: User) -> None:
    program = make_program("ONE")
    page = make_program_page(program)
    follow(learner, program)
    page.unpublish()
    for version in VERSIONS:
        assert shown(learner, version) == [program.pk]
    assert ApiClient(learner).get(path("v1", program.pk)).json()["program"]["page"]["live"] is False
    assert follow(make_user(), program).status_code == 400


@pytest.mark.parametrize("version", VERSIONS)
def test_taking_a_program_off_the_list_leaves_its_courses(learner: User, version: str) -> None:
    course = make_course()
    program, other = visible_program("ONE", courses=[course]), visible_program("TWO")
    enroll_free(user_id=learner.pk, run_id=make_run(course).pk, now=clock.now())
    theirs = make_user()
    for someone in (learner, theirs):
        enroll_in_program(user_id=someone.pk, program_id=program.pk, now=clock.now())
    enroll_in_program(user_id=learner.pk, program_id=other.pk, now=clock.now())
    response = ApiClient(learner).send("delete", path(version, program.pk))
    if version == "v1":
        assert (response.status_code, response.json()["program"]["id"]) == (200, program.pk)
    elif version == "v2":
        assert [each["program"]["id"] for each in response.json()] == [other.pk]
    else:
        assert response.status_code == 204
    assert (shown(learner), shown(theirs)) == ([other.pk], [program.pk])
    assert Enrollment.objects.active().of(learner.pk).exists()
    again = ApiClient(learner).send("delete", path(version, program.pk)).status_code
    assert again == {"v1": 404, "v2": 200, "v3": 204}[version]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_hidden_program_is_like_none(learner: User, version: str) -> None:
    hidden = make_program("HID")
    client = ApiClient(learner)
    for pk in (hidden.pk, 2**40):
        assert client.send("delete", path(version, pk)).status_code == 404
        assert client.get(path(version, pk)).status_code == 404
    unknown = client.send("post", path("v3"), {"program_id": 2**40})
    assert (unknown.status_code, unknown.json()) == (400, follow(learner, hidden).json())
    assert not ProgramEnrollment.objects.exists()


def test_a_seat_opens_the_programs_of_its_contract(learner: User) -> None:
    program, other = make_program("SEAT"), make_program("ELSE")
    for name, each in (("Northgate", program), ("Southgate", other)):
        contract = make_contract(make_organization(name), seats=2)
        ContractCourseware.objects.create(contract=contract, program=each, position=0, added_at=clock.now())
        if each is program:
            ContractMembership.objects.create(contract=contract, user=learner, source="staff", since=clock.now())
    assert (follow(learner, program).status_code, follow(learner, other).status_code) == (201, 400)
    assert ApiClient(learner).get(path("v3", program.pk)).json()["enrollment_mode"] == "verified"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_list_costs_the_same_for_any_number(learner: User, version: str) -> None:
    client = ApiClient(learner)
    client.get(path(version))
    for number in range(2):
        for each in range(3):
            course = make_course()
            make_course_page(course)
            enroll_in_program(
                user_id=learner.pk,
                program_id=visible_program(f"P{number}{each}", courses=[course]).pk,
                now=clock.now(),
            )
            enroll_free(user_id=learner.pk, run_id=make_run(course).pk, now=clock.now())
        with queries({"v1": 21, "v2": 21, "v3": 5}[version]):
            client.get(path(version))


# --- Bought programs -------------------------------------------------------------------------------------------------


class Bought:
    """A bought program of two courses, of which the second had no start. Another program is on the learner's list."""

    def __init__(self, learner: User) -> None:
        self.learner = learner
        self.first, self.late = make_course(title="First"), make_course(title="Late")
        self.run = make_run(self.first)
        make_product(self.run, price="100")
        product = make_program_product(self.first, self.late, price="150")
        assert product.program is not None
        self.program = product.program
        make_program_page(self.program)
        self.order = buy(learner, product)
        self.other = visible_program("OTHER", courses=[make_course()])
        follow(learner, self.other)

    def start(self, course: Course | None = None) -> CourseRun:
        run = make_run(course or self.late, is_free=False)
        make_product(run, price="99")
        return run

    @property
    def verified(self) -> set[int]:
        mine = Enrollment.objects.active().of(self.learner.pk).filter(mode=EnrollmentMode.VERIFIED)
        return set(mine.values_list("run_id", flat=True))


@pytest.fixture
def bought(learner: User) -> Bought:
    return Bought(learner)


def test_a_bought_program_is_on_the_list_and_stays(bought: Bought) -> None:
    client = ApiClient(bought.learner)
    assert set(shown(bought.learner)) == {bought.program.pk, bought.other.pk}
    modes = {each["program"]["id"]: each["enrollment_mode"] for each in client.get(path("v3")).json()}
    assert modes == {bought.program.pk: "verified", bought.other.pk: "audit"}
    for version in VERSIONS:
        response = client.send("delete", path(version, bought.program.pk))
        assert (response.status_code, response.json()["code"]) == (409, "program_bought")
    assert set(shown(bought.learner)) == {bought.program.pk, bought.other.pk}


def test_a_bought_program_gives_a_course_that_starts_later(bought: Bought) -> None:
    run = bought.start()
    response = take(bought.learner, run, bought.program, bought.other)
    assert (response.status_code, response.json()["enrollment_mode"]) == (201, "verified")
    assert bought.verified == {bought.run.pk, run.pk}
    assert take(bought.learner, run, bought.program).status_code == 204
    assert EnrollmentGrant.objects.get(enrollment__run=run).reference == bought.order.number


def test_it_gives_each_course_once(bought: Bought) -> None:
    given = bought.start()
    take(bought.learner, given, bought.program)
    for run in (bought.start(), bought.start(bought.first)):
        response = take(bought.learner, run, bought.program)
        assert (response.status_code, response.json()["code"]) == (409, "run_not_free")
    assert bought.verified == {bought.run.pk, given.pk}


def test_a_refund_takes_back_what_started_later(bought: Bought) -> None:
    run = bought.start()
    take(bought.learner, run, bought.program)
    make_payment(bought.order)
    choice = RefundChoice(reason="x", enrollment_after=EnrollmentAfter.REMOVE, line_ids=None)
    refund_order(order_id=bought.order.pk, choice=choice, now=clock.now(), by_id=None)
    assert bought.verified == set()
    assert shown(bought.learner) == [bought.other.pk]
    assert take(bought.learner, run, bought.program).status_code == 404


def test_a_course_that_is_audited_is_upgraded(bought: Bought) -> None:
    run = make_run(bought.late)
    enroll_free(user_id=bought.learner.pk, run_id=run.pk, now=clock.now())
    assert take(bought.learner, run, bought.program).status_code == 201
    assert bought.verified == {bought.run.pk, run.pk}


def test_other_runs_cost_what_they_cost(bought: Bought) -> None:
    outside = make_run(make_course(), is_free=False)
    make_product(outside, price="99")
    late, free = bought.start(), make_run(make_course())
    assert take(bought.learner, outside, bought.program).status_code == 409
    assert take(bought.learner, late, bought.other).status_code == 409
    response = take(bought.learner, free, bought.other)
    assert (response.status_code, response.json()["enrollment_mode"]) == (201, "audit")
    assert take(bought.learner, free, bought.other).status_code == 204
    assert bought.verified == {bought.run.pk}


def test_a_closed_run_is_refused_with_the_reason(bought: Bought) -> None:
    run = bought.start()
    CourseRun.all_objects.filter(pk=run.pk).update(enrollment_end=clock.now() - timedelta(days=1))
    response = take(bought.learner, run, bought.program)
    assert (response.status_code, response.json()["code"]) == (409, "enrollment_closed")


def test_unknown_runs_and_programs_that_arent_yours_are_not_found(bought: Bought) -> None:
    run, stranger = bought.start(), make_user()
    foreign = make_contract_run(make_contract(make_organization("Northgate"), seats=2), bought.late)
    address = "/api/v2/verified_program_enrollments/{}/"
    client = ApiClient(bought.learner)
    assert take(stranger, run, bought.program).status_code == 404
    assert take(bought.learner, foreign.course_run, bought.program).status_code == 404
    assert client.send("post", address.format("course-v1:No+Such+Run"), [bought.program.readable_id]).status_code == 404
    both = [bought.program.readable_id, "program-v1:No+Such"]
    assert client.send("post", address.format(run.courseware_id), both).status_code == 404
    assert bought.verified == {bought.run.pk}


@pytest.mark.parametrize("body", [[], {}, "x", [1], [None], ["x"] * 21, ["x" * 300], None])
def test_a_wrong_request_is_refused(learner: User, body: Any) -> None:
    address = f"/api/v2/verified_program_enrollments/{make_run().courseware_id}/"
    assert ApiClient(learner).send("post", address, body).status_code == 400
