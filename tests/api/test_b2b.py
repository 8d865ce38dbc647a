"""Organizations and contracts, and the two ways into a contract, for learners."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractPage,
    ContractRun,
    KeycloakOrganization,
    OrganizationMembership,
)
from b2b.services.seats.redemption import redeem_enrollment_code
from courses.models import CourseRun, Enrollment
from ecommerce.models import Basket, BasketItem, CodeUse, DiscountCode
from ecommerce.selectors.baskets import BasketOwner
from ecommerce.services.baskets.baskets import add_products
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.api.client import ApiClient
from tests.factories import codes_of, make_contract, make_contract_run, make_organization, make_product, make_user
from tests.factories.pages import make_program
from tests.support.counting import queries

pytestmark = pytest.mark.django_db
B2B = "/api/v0/b2b"


def seat(user: User, contract: ContractPage) -> None:
    ContractMembership.objects.create(contract=contract, user=user, source="staff", since=timezone.now())
    OrganizationMembership.objects.get_or_create(
        organization_id=contract.terms.organization_id, user=user, source="staff", defaults={"since": timezone.now()}
    )


@pytest.fixture
def learner() -> User:
    return make_user("learner@people.example")


@pytest.fixture
def contract() -> ContractPage:
    return make_contract(make_organization("Northgate"), name="Northgate 2026", seats=2)


@pytest.fixture
def other_contract() -> ContractPage:
    return make_contract(make_organization("Southgate"), name="Southgate 2026", seats=2)


@pytest.fixture
def run(contract: ContractPage) -> ContractRun:
    return make_contract_run(contract, codes=3)


def attach(user: User, text: str) -> Any:
    return ApiClient(user).post(f"{B2B}/attach/{text}/")


# --- Attach ----------------------------------------------------------------------------------------------------------


def test_a_code_gives_a_seat_and_nothing_else(learner: User, run: ContractRun) -> None:
    code, other = codes_of(run)[:2]
    response = attach(learner, code.text)
    assert (response.status_code, [each["id"] for each in response.json()]) == (201, [run.contract_id])
    assert ContractMembership.objects.get().user == learner
    assert OrganizationMembership.objects.get().user == learner
    assert not Enrollment.objects.exists()
    again, spare = attach(learner, code.text), attach(learner, other.text)
    assert (again.status_code, spare.status_code) == (200, 200)
    assert again.json() == spare.json() == response.json()
    assert CodeUse.objects.count() == 1


def test_the_code_that_gave_the_seat_opens_its_page_too(learner: User, run: ContractRun) -> None:
    code = codes_of(run)[0]
    attach(learner, code.text)
    redeem_enrollment_code(text=code.text, user_id=learner.pk, now=clock.now())
    assert (CodeUse.objects.count(), Enrollment.objects.get().mode) == (1, "verified")


def test_a_used_code_is_none(learner: User, run: ContractRun) -> None:
    code = codes_of(run)[0]
    attach(make_user(), code.text)
    assert attach(learner, code.text).status_code == 404


def test_a_full_contract_says_so_whether_or_not_the_code_works(learner: User, run: ContractRun) -> None:
    first, second, third = codes_of(run)
    attach(make_user(), first.text)
    attach(make_user(), second.text)
    for code in (third, first):
        response = attach(learner, code.text)
        assert (response.status_code, response.json()["code"]) == (409, "contract_full")
    assert CodeUse.objects.count() == 2


@pytest.mark.parametrize("text", ["no-such-code", "a.b", "%20"])
def test_an_unknown_code_is_not_found(learner: User, text: str) -> None:
    assert attach(learner, text).status_code == 404


@pytest.mark.parametrize("changes", [{"active": False}, {"start": 1}, {"end": -1}])
def test_a_contract_that_isnt_open_is_not_found(
    learner: User, contract: ContractPage, run: ContractRun, changes: dict[str, Any]
) -> None:
    today = clock.date_of(clock.now())
    for name, value in changes.items():
        setattr(contract.terms, name, value if name == "active" else today + timedelta(days=value))
    contract.terms.save()
    assert attach(learner, codes_of(run)[0].text).status_code == 404
    assert not ContractMembership.objects.exists()


@pytest.mark.parametrize("changes", [{"start": 0}, {"end": 0}])
def test_first_and_last_day_of_a_contract_are_included(
    learner: User, contract: ContractPage, run: ContractRun, changes: dict[str, int]
) -> None:
    for name, days in changes.items():
        setattr(contract.terms, name, clock.date_of(clock.now()) + timedelta(days=days))
    contract.terms.save()
    assert attach(learner, codes_of(run)[0].text).status_code == 201


def test_the_seat_is_given_although_this_codes_course_is_closed(learner: User, run: ContractRun) -> None:
    CourseRun.all_objects.filter(pk=run.course_run_id).update(live=False)
    assert attach(learner, codes_of(run)[0].text).status_code == 201


def test_a_priced_contract_is_paid_in_the_cart(learner: User) -> None:
    run = make_contract_run(make_contract(price="40"), codes=1)
    response = attach(learner, codes_of(run)[0].text)
    assert (response.status_code, response.json()["code"]) == (409, "payment_needed")
    assert not ContractMembership.objects.exists()
    assert not CodeUse.objects.exists()


def test_guessing_codes_is_limited(learner: User) -> None:
    statuses = [attach(learner, f"guess-{n}").status_code for n in range(11)]
    assert statuses == [404] * 10 + [429]


def test_signed_out_visitors_and_forged_requests_are_refused(learner: User, run: ContractRun) -> None:
    path = f"{B2B}/attach/{codes_of(run)[0].text}/"
    assert ApiClient().post(path).status_code == 403
    forged = ApiClient(learner, enforce_csrf_checks=True).post(path)
    assert (forged.status_code, forged.json()["code"]) == (403, "csrf")
    assert not CodeUse.objects.exists()


# --- Enroll ----------------------------------------------------------------------------------------------------------


def enroll(user: User, run: ContractRun, body: Any = None) -> Any:
    return ApiClient(user).send("post", f"{B2B}/enroll/{run.course_run.courseware_id}/", body)


def test_a_member_starts_a_course_without_a_code_and_keeps_their_cart(learner: User, run: ContractRun) -> None:
    seat(learner, run.contract)
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product().pk], now=clock.now())
    for _each in range(2):
        response = enroll(learner, run)
        assert (response.status_code, response.json()) == (201, {"result": "b2b-enroll-success"})
    assert Enrollment.objects.get().run_id == run.course_run_id
    assert BasketItem.objects.count() == 1
    assert not CodeUse.objects.exists()


def test_keys_with_dots_work(learner: User, run: ContractRun) -> None:
    CourseRun.all_objects.filter(pk=run.course_run_id).update(courseware_id="course-v1:MITx+12.345x+2026_C1")
    run.course_run.refresh_from_db()
    seat(learner, run.contract)
    assert enroll(learner, run).status_code == 201


def test_what_cant_be_started_says_why(learner: User, run: ContractRun, other_contract: ContractPage) -> None:
    other_run = make_contract_run(other_contract, codes=1)
    client = ApiClient(learner)
    unknown = client.post(f"{B2B}/enroll/course-v1:No+Such+Run/")
    assert (unknown.status_code, unknown.json()) == (400, {"result": "b2b-error-no-product"})
    seat(learner, other_contract)
    assert enroll(learner, run).json() == {"result": "b2b-error-no-contract"}
    CourseRun.all_objects.filter(pk=other_run.course_run_id).update(live=False)
    closed = enroll(learner, other_run)
    assert (closed.status_code, closed.json()) == (400, {"result": "b2b-error-not-enrollable"})
    assert not Enrollment.objects.exists()


def test_a_priced_course_is_prepared_in_a_cart_of_its_own(learner: User) -> None:
    contract = make_contract(integration_type="sso", price="40")
    run, _second = make_contract_run(contract, codes=2), make_contract_run(contract, codes=1)
    seat(learner, contract)
    User.objects.filter(pk=learner.pk).update(email_verified_at=timezone.now())
    somebodys, mine = codes_of(run)
    DiscountCode.objects.filter(pk=somebodys.pk).update(assigned_email="else@people.example", assigned_at=clock.now())
    DiscountCode.objects.filter(pk=mine.pk).update(assigned_email=learner.email, assigned_at=clock.now())
    add_products(owner=BasketOwner(user_id=learner.pk), product_ids=[make_product().pk], now=clock.now())
    response = enroll(learner, run, {"program_id": "program-v1:none"})
    assert (response.status_code, response.json()) == (
        400,
        {"result": "b2b-error-requires-checkout", "price": "40.00"},
    )
    assert Basket.objects.filter(user=learner).count() == 2
    link = Basket.objects.get(items__product=run.product)
    assert list(link.applied_codes.values_list("code_id", flat=True)) == [mine.pk]


# --- Organizations and contracts -------------------------------------------------------------------------------------


def test_people_see_their_own_organizations_and_contracts_alone(
    learner: User, contract: ContractPage, other_contract: ContractPage
) -> None:
    KeycloakOrganization.objects.create(
        organization=contract.terms.organization, keycloak_id=uuid4(), alias="n", seen_at=clock.now()
    )
    make_contract(contract.terms.organization, name="Another of Northgate")
    seat(learner, contract)
    client = ApiClient(learner)
    assert [each["id"] for each in client.get(f"{B2B}/contracts/").json()] == [contract.pk]
    (shown,) = client.get(f"{B2B}/organizations/").json()
    assert (shown["name"], [each["id"] for each in shown["contracts"]]) == ("Northgate", [contract.pk])
    assert (shown["logo"], bool(shown["sso_organization_id"])) == (None, True)
    assert client.get(f"{B2B}/organizations/{shown['slug']}/").json() == shown
    assert client.get(f"{B2B}/contracts/{contract.slug}/").json() == shown["contracts"][0]
    assert client.get(f"{B2B}/contracts/{other_contract.slug}/").status_code == 404
    assert client.get(f"{B2B}/organizations/{other_contract.terms.organization.slug}/").status_code == 404
    contract.terms.active = False
    contract.terms.save()
    assert client.get(f"{B2B}/contracts/{contract.slug}/").status_code == 404
    assert client.get(f"{B2B}/organizations/").json()[0]["contracts"] == []


def test_a_contract_lists_its_programs_in_order(learner: User, contract: ContractPage) -> None:
    seat(learner, contract)
    programs = [make_program("One"), make_program("Two"), make_program("Three")]
    for position, program in zip((2, 0, 1), programs, strict=True):
        ContractCourseware.objects.create(contract=contract, program=program, position=position, added_at=clock.now())
    (shown,) = ApiClient(learner).get(f"{B2B}/contracts/").json()
    assert shown["programs"] == [programs[1].pk, programs[2].pk, programs[0].pk]
    assert (shown["membership_type"], shown["variant_options"]) == ("code", [])


def test_a_contracts_courses_have_no_variants(
    learner: User, contract: ContractPage, other_contract: ContractPage
) -> None:
    seat(learner, contract)
    client = ApiClient(learner)
    for name in (contract.slug, str(contract.pk)):
        response = client.get(f"{B2B}/contracts/{name}/all_variant_runs/?course_id=1,2")
        assert (response.status_code, response.json()) == (200, [])
    for name in (other_contract.slug, str(other_contract.pk), "none", "9" * 30):
        assert client.get(f"{B2B}/contracts/{name}/all_variant_runs/").status_code == 400


@pytest.mark.parametrize("count", [1, 4])
def test_lists_cost_the_same_for_any_number(learner: User, count: int) -> None:
    for n in range(count):
        contract = make_contract(make_organization(f"Organization {n}"), description="<p>Hello</p>")
        seat(learner, contract)
    client = ApiClient(learner)
    client.get(f"{B2B}/contracts/")
    with queries(4):
        assert len(client.get(f"{B2B}/contracts/").json()) == count
    with queries(5):
        assert len(client.get(f"{B2B}/organizations/").json()) == count
