"""What managers of an organization do with its contracts through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail

from b2b.events import ExampleRequested
from b2b.models import (
    ContractPage,
    ContractRun,
    HandOut,
    HandOutMail,
    OrganizationMembership,
    OrganizationPage,
)
from b2b.receivers import email_example
from b2b.services.handouts.assign import assign_code
from courses.models import CourseRun, Enrollment
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import codes_of, make_contract, make_contract_run, make_organization, make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db
MANAGER = "/api/v0/b2b/manager/organizations/"


def make_manager(*organizations: OrganizationPage) -> User:
    user = make_user()
    for each in organizations:
        OrganizationMembership.objects.create(
            organization=each, user=user, source="staff", is_manager=True, since=clock.now()
        )
    return user


@pytest.fixture
def organization() -> OrganizationPage:
    return make_organization("Northgate")


@pytest.fixture
def manager(organization: OrganizationPage) -> User:
    return make_manager(organization)


@pytest.fixture
def contract(organization: OrganizationPage) -> ContractPage:
    make_contract_run(make_contract(make_organization("Southgate")), codes=2)
    return make_contract(organization, name="Northgate 2026", seats=4)


@pytest.fixture
def run(contract: ContractPage) -> ContractRun:
    return make_contract_run(contract, codes=6)


def base(contract: ContractPage) -> str:
    return f"{MANAGER}{contract.terms.organization_id}/contracts/{contract.pk}/"


def send(user: User, contract: ContractPage, method: str, path: str, body: Any = None) -> Any:
    return ApiClient(user).send(method, base(contract) + path, body)


def attach(user: User, text: str) -> None:
    assert ApiClient(user).post(f"/api/v0/b2b/attach/{text}/").status_code == 201


def give(code: DiscountCode, email: str) -> HandOut:
    return assign_code(code_id=code.pk, email=email, by_id=None, now=clock.now())


def test_managers_see_their_organizations_and_all_of_their_contracts(manager: User, contract: ContractPage) -> None:
    ended = make_contract(contract.terms.organization, name="Old", active=False)
    client = ApiClient(manager)
    page = client.get(MANAGER).json()
    assert (page["count"], page["results"][0]["name"]) == (1, "Northgate")
    assert client.get(f"{MANAGER}?sso_organization_id=no-uuid").json()["results"] == []
    listed = client.get(f"{MANAGER}{contract.terms.organization_id}/contracts/").json()
    assert [each["id"] for each in listed["results"]] == [ended.pk, contract.pk]
    assert "programs" not in listed["results"][0]


def test_an_organization_of_someone_else_isnt_found(contract: ContractPage, run: ContractRun) -> None:
    other = make_manager(make_organization("Eastgate"))
    code = codes_of(run)[0].text
    for method, path in (("get", ""), ("get", "codes/"), ("get", "course_runs/"), ("post", f"codes/{code}/remind/")):
        assert send(other, contract, method, path).status_code == 404
    assert send(other, contract, "post", f"codes/{code}/assign/", {"email": "a@b.example"}).status_code == 404
    assert not HandOut.objects.exists()


def test_a_contracts_numbers(manager: User, contract: ContractPage, run: ContractRun) -> None:
    one, two = codes_of(run)[:2]
    attach(make_user(), one.text)
    give(two, "two@people.example")
    found = send(manager, contract, "get", "").json()
    names = ("total_codes", "assigned_codes", "redeemed_codes", "unassigned_codes", "attachment_percentage")
    assert [found[name] for name in names] == [4, 1, 1, 2, 25.0]
    shared = make_contract(contract.terms.organization, name="No cap")
    uncapped = ApiClient(manager).get(base(shared)).json()
    assert [uncapped[name] for name in names] == [None, 0, 0, None, None]


def test_a_code_is_assigned_reminded_reassigned_and_revoked(
    manager: User, contract: ContractPage, run: ContractRun
) -> None:
    code, other = codes_of(run)[:2]
    given = send(manager, contract, "post", f"codes/{code.text}/assign/", {"email": " A@People.example", "name": "Ada"})
    assert given.status_code == 200
    found = given.json()
    assert (found["code"], found["assigned_to"], found["assigned_name"]) == (code.text, "a@people.example", "Ada")
    assert (found["redemption_status"], found["email_status"]) == ("assigned", "pending")
    again = send(manager, contract, "post", f"codes/{code.text}/assign/", {"email": "b@people.example"})
    twice = send(manager, contract, "post", f"codes/{other.text}/assign/", {"email": "a@people.example"})
    assert (again.status_code, twice.status_code) == (409, 409)
    assert send(manager, contract, "post", f"codes/{code.text}/remind/").status_code == 200
    today = send(manager, contract, "post", f"codes/{code.text}/remind/")
    assert (today.status_code, today.json()["code"]) == (409, "reminded_today")
    moved = send(manager, contract, "put", f"codes/{code.text}/reassign/", {"email": "b@people.example"}).json()
    assert (moved["id"], moved["assigned_to"]) == (code.pk, "b@people.example")
    assert moved["code"] != code.text
    assert send(manager, contract, "post", f"codes/{code.text}/remind/").status_code == 404
    freed = send(manager, contract, "delete", f"codes/{moved['code']}/revoke/").json()
    assert (freed["id"], freed["redemption_status"], freed["assigned_to"]) == (code.pk, "unassigned", None)
    assert freed["code"] != moved["code"]
    assert send(manager, contract, "delete", f"codes/{freed['code']}/revoke/").status_code == 404
    assert send(manager, contract, "get", "codes/").json()["results"] == []


def test_a_refused_reassignment_changes_nothing(manager: User, contract: ContractPage, run: ContractRun) -> None:
    one, two = codes_of(run)[:2]
    give(one, "one@people.example")
    give(two, "two@people.example")
    refused = send(manager, contract, "put", f"codes/{one.text}/reassign/", {"email": "two@people.example"})
    assert refused.status_code == 409
    assert DiscountCode.objects.get(pk=one.pk).text == one.text
    assert DiscountCode.objects.get(pk=one.pk).assigned_email == "one@people.example"


def test_a_used_code_stays_as_it_is(manager: User, contract: ContractPage, run: ContractRun) -> None:
    code = codes_of(run)[0]
    attach(make_user(), code.text)
    assert send(manager, contract, "post", f"codes/{code.text}/remind/").status_code == 409
    assert send(manager, contract, "delete", f"codes/{code.text}/revoke/").status_code == 409
    assert send(manager, contract, "put", f"codes/{code.text}/reassign/", {"email": "x@b.example"}).status_code == 409
    assert send(manager, contract, "post", f"codes/{code.text}/assign/", {"email": "x@b.example"}).status_code == 409


@pytest.mark.parametrize(
    "body", [{}, {"email": ""}, {"email": "no address"}, {"email": "a@b.example", "name": "n" * 256}, [1]]
)
def test_who_gets_a_code_has_to_be_said_rightly(
    manager: User, contract: ContractPage, run: ContractRun, body: Any
) -> None:
    code = codes_of(run)[0].text
    assert send(manager, contract, "post", f"codes/{code}/assign/", body).status_code == 400
    people = [{"email": "right@people.example"}, body]
    assert send(manager, contract, "post", "codes/bulk_assign/", people).status_code == 400
    assert not HandOut.objects.exists()


def test_a_list_gets_codes_as_far_as_seats_go(manager: User, contract: ContractPage, run: ContractRun) -> None:
    member = make_user("member@people.example")
    attach(member, codes_of(run)[0].text)
    emails = ["a@p.example", "member@people.example", "b@p.example", "A@p.example", "c@p.example", "d@p.example"]
    answer = send(manager, contract, "post", "codes/bulk_assign/", [{"email": each} for each in emails]).json()
    assert [each["assigned_to"] for each in answer["assigned"]] == ["a@p.example", "b@p.example", "c@p.example"]
    assert [(each["email"], each["detail"]) for each in answer["errors"]] == [
        ("member@people.example", "Already has a seat, so this course is included."),
        ("a@p.example", "Listed twice. We’ll use the first."),
        ("d@p.example", "There is no code left."),
    ]
    assert HandOutMail.objects.count() == 3
    rest = send(manager, contract, "post", "codes/bulk_assign/", [{"email": "e@p.example"}]).json()
    assert (rest["assigned"], rest["errors"][0]["detail"]) == ([], "There is no code left.")


def test_codes_are_found_by_state_and_words(manager: User, contract: ContractPage, run: ContractRun) -> None:
    one, two, three = codes_of(run)[:3]
    attach(make_user("user@people.example", name="Ursula"), one.text)
    give(two, "two@people.example")
    hand_out = give(three, "three@people.example")
    HandOutMail.objects.filter(hand_out=hand_out).update(state="failed", reason="no", finished_at=clock.now())

    def ids(query: str) -> list[int]:
        return [each["id"] for each in send(manager, contract, "get", f"codes/{query}").json()["results"]]

    assert ids("") == [one.pk, three.pk, two.pk] or ids("") == [one.pk, two.pk, three.pk]
    assert set(ids("?status=assigned")) == {two.pk, three.pk}
    assert ids("?status=failed") == [three.pk]
    assert ids("?status=redeemed") == [one.pk]
    assert ids("?search_term=URSULA") == [one.pk]
    assert ids("?search_term=two%40&status=assigned") == [two.pk]
    assert ids("?search_term=nobody") == []
    assert send(manager, contract, "get", "codes/?status=other").status_code == 400
    (used,) = send(manager, contract, "get", "codes/?status=redeemed").json()["results"]
    assert (used["redemption_status"], used["redeemed_by"]) == ("redeemed", "user@people.example")


def test_where_everyone_shares_a_code_invitations_are_meant(manager: User, organization: OrganizationPage) -> None:
    contract = make_contract(organization)
    run = make_contract_run(contract, codes=1)
    code = codes_of(run)[0]
    DiscountCode.objects.filter(pk=code.pk).update(max_uses=None)
    people = [{"email": "a@p.example"}, {"email": "b@p.example"}]
    assigned = send(manager, contract, "post", "codes/bulk_assign/", people).json()["assigned"]
    assert [each["code"] for each in assigned] == [code.text] * 2
    unclear = send(manager, contract, "delete", f"codes/{code.text}/revoke/")
    assert (unclear.status_code, unclear.json()["code"]) == (409, "invitation_unclear")
    one, two = (each["id"] for each in assigned)
    assert send(manager, contract, "delete", f"codes/{one}/revoke/").status_code == 200
    moved = send(manager, contract, "put", f"codes/{code.text}/reassign/", {"email": "c@p.example"}).json()
    assert (moved["assigned_to"], moved["code"], moved["id"] != two) == ("c@p.example", code.text, True)
    assert send(manager, contract, "post", f"codes/{moved['id']}/remind/").status_code == 200
    assert [each["id"] for each in send(manager, contract, "get", "codes/").json()["results"]] == [moved["id"]]


def test_the_learners_of_a_course_are_listed(manager: User, contract: ContractPage, run: ContractRun) -> None:
    CourseRun.all_objects.filter(pk=run.course_run_id).update(courseware_id="course-v1:MITx+12.345x+C1")
    first, second = make_user(name="First"), make_user(name="Second")
    Enrollment.objects.create(user=first, run_id=run.course_run_id, mode="verified", enrolled_at=clock.now())
    Enrollment.objects.create(user=second, run_id=run.course_run_id, active=False, enrolled_at=clock.now())
    (shown,) = send(manager, contract, "get", "course_runs/").json()["results"]
    assert shown["readable_id"] == "course-v1:MITx+12.345x+C1"
    found = send(manager, contract, "get", f"course_runs/{shown['readable_id']}/enrollments/").json()["results"]
    assert [(each["learner_name"], each["enrollment_type"], each["enrollment_status"]) for each in found] == [
        ("Second", "audit", "unenrolled"),
        ("First", "verified", "enrolled"),
    ]
    assert send(manager, contract, "get", "course_runs/course-v1:A+B+C/enrollments/").status_code == 404


def test_an_example_is_sent_to_any_address(manager: User, contract: ContractPage, run: ContractRun) -> None:
    response = send(manager, contract, "post", "codes/send_test_email/", {"email": "me@p.example"})
    assert (response.status_code, response.content) == (200, b"")
    asked = ExampleRequested(
        contract_id=contract.pk, course="A course", email="me@p.example", sender_id=manager.pk, language="en"
    )
    email_example(asked)
    assert [message.to for message in mail.outbox] == [["me@p.example"]]
    assert "YOUR-CODE" in str(mail.outbox[0].body)
    assert codes_of(run)[0].text not in str(mail.outbox[0].body)
    assert send(manager, contract, "post", "codes/send_test_email/", {"email": "me"}).status_code == 400


@pytest.mark.parametrize("count", [1, 4])
def test_lists_cost_the_same_for_any_number(
    manager: User, contract: ContractPage, run: ContractRun, count: int
) -> None:
    for n, code in enumerate(codes_of(run)[:count]):
        give(code, f"p{n}@people.example")
        Enrollment.objects.create(user=make_user(), run_id=run.course_run_id, enrolled_at=clock.now())
    client = ApiClient(manager)
    client.get(MANAGER)
    for path, most in (
        ("codes/", 9),
        ("course_runs/", 5),
        (f"course_runs/{run.course_run.courseware_id}/enrollments/", 6),
    ):
        with queries(most):
            client.get(base(contract) + path)
    with queries(6):
        client.get(MANAGER)
    with queries(5):
        client.get(f"{MANAGER}{contract.terms.organization_id}/contracts/")
