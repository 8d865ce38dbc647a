"""Staff name an organization's managers; managers see their people, withdraw access and ask for seats."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from b2b.enums import MembershipSource, WithdrawnBy
from b2b.errors.seats import SeatsAskedAlready, SeatsUnlimited
from b2b.events import SeatRequestClosed, SeatsRequested
from b2b.models import (
    ContractMembership,
    ContractPage,
    OrganizationMembership,
    OrganizationPage,
    SeatRequest,
    Withdrawal,
)
from b2b.receivers import tell_manager_of_answer, tell_staff_of_seat_request
from b2b.services.organizations.managers import set_manager
from b2b.services.seats.membership import add_member
from b2b.services.seats.redemption import redeem_enrollment_code
from b2b.services.seats.requests import ask_for_seats
from mitxonline.kernel import clock
from mitxonline.kernel.errors import DomainError
from mitxonline.users.models import User
from tests.b2b.admin_people import make_staff, sign_in_as
from tests.b2b.worlds import codes_of, ensure_organization_page, make_source_course, publish_contract
from tests.factories import make_user
from tests.support.counting import queries

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class World:
    """Two organizations with two contracts each; the first one's has people who joined in three ways."""

    organization: OrganizationPage
    capped: ContractPage
    second: ContractPage
    other: ContractPage
    manager: User
    people: tuple[User, ...]


@pytest.fixture
def world() -> World:
    organization, stranger = ensure_organization_page("Northgate Health"), ensure_organization_page("Harbor Council")
    capped = publish_contract(make_source_course(title="Safer care"), cap=6, of=organization, name="Clinical skills")
    second = publish_contract(make_source_course(), cap=5, of=organization, name="Leading teams")
    other = publish_contract(make_source_course(), cap=5, of=stranger, name="Harbor")
    manager = make_user("dana@northgate.example", name="Dana Whitfield")
    set_manager(organization_id=organization.pk, user_id=manager.pk, is_manager=True, by_id=None, now=clock.now())
    people = [make_user(f"{name}@northgate.example", name=name.title()) for name in ("ada", "bo", "cy")]
    redeem_enrollment_code(text=codes_of(capped)[0].text, user_id=people[0].pk, now=clock.now())
    add_member(contract_id=capped.pk, user_id=people[1].pk, now=clock.now())
    add_member(contract_id=second.pk, user_id=people[1].pk, now=clock.now())
    add_member(contract_id=capped.pk, user_id=people[2].pk, source=MembershipSource.SSO, now=clock.now())
    add_member(contract_id=other.pk, user_id=make_user("eve@harbor.example", name="Eve").pk, now=clock.now())
    return World(organization, capped, second, other, manager, tuple(people))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def base(world: World, rest: str = "") -> str:
    return f"/organizations/{world.organization.slug}/manage/{rest}"


class TestManagers:
    def test_see_who_joined_when_how_and_which_courses(self, world: World) -> None:
        html = client_of(world.manager).get(base(world, "people/")).content.decode()
        assert "3 people have joined and have 4 seats" in html
        for words in ("ada@northgate.example", "Enrollment code", "Safer care", "Clinical skills", "Leading teams"):
            assert words in html
        assert "eve@harbor.example" not in html
        found = client_of(world.manager).get(base(world, "people/"), {"q": "bo@", "contract": world.second.pk})
        assert found.content.decode().count("bo@northgate.example") == 1
        assert "ada@" not in found.content.decode()

    def test_the_pages_count_the_same_people(self, world: World) -> None:
        manager, staff = client_of(world.manager), sign_in_as("manager")
        for contract, count in ((world.capped, 3), (world.second, 1)):
            people = manager.get(base(world, "people/"), {"contract": contract.pk}).context["page"]
            codes = manager.get(base(world, f"{contract.pk}/")).context["contract"]
            members = staff.get(f"/cms/contracts/{contract.pk}/members/").context["paginator"].count
            assert people.total == people.page.paginator.count == codes.seats.joined == members == count
        listed = staff.get(f"/cms/organizations/{world.organization.pk}/people/").context["paginator"].count
        detail = staff.get(f"/cms/organizations/{world.organization.pk}/").context["people_count"]
        assert listed == detail == 4  # three people with seats, and the manager

    @pytest.mark.parametrize("size", [1, 8])
    def test_the_list_costs_the_same_for_any_number(self, world: World, size: int) -> None:
        for _each in range(size):
            add_member(contract_id=world.second.pk, user_id=make_user().pk, now=clock.now()) if _each < 4 else None
        client = client_of(world.manager)
        client.get(base(world, "people/"))
        with queries(exactly=14):
            client.get(base(world, "people/"))

    def test_withdraw_access_of_anyone_after_a_question(self, world: World) -> None:
        client = client_of(world.manager)
        for person in world.people:
            seat = ContractMembership.objects.filter(user=person, contract=world.capped).get()
            url = base(world, f"people/{seat.pk}/withdraw/")
            asked = client.get(url).content.decode()
            assert person.email in asked
            assert ContractMembership.objects.filter(pk=seat.pk).exists()
            done = client.post(url, follow=True).content.decode()
            assert "access is withdrawn" in done
            assert Withdrawal.objects.standing().get(user=person).authority == WithdrawnBy.MANAGER
            assert not ContractMembership.objects.filter(pk=seat.pk).exists()
            assert "so nothing was changed" in client.post(url, follow=True).content.decode()
        assert ContractMembership.objects.filter(contract=world.second).count() == 1

    def test_withdrawing_says_how_someone_gets_back_in_where_everyone_shares_a_code(self, world: World) -> None:
        course = make_source_course()
        shared = publish_contract(course, cap=None, of=world.organization, name="Everyone")
        person, text = world.people[0], codes_of(shared)[0].text
        redeem_enrollment_code(text=text, user_id=person.pk, now=clock.now())
        seat = ContractMembership.objects.get(contract=shared, user=person)
        url, client = base(world, f"people/{seat.pk}/withdraw/"), client_of(world.manager)
        page = client.get(url).content.decode()
        assert "ask us: the code that everyone shares" in page
        assert "give them another code" not in page
        client.post(url)
        with pytest.raises(DomainError):
            redeem_enrollment_code(text=text, user_id=person.pk, now=clock.now())

    def test_cannot_reach_another_organization(self, world: World) -> None:
        client = client_of(world.manager)
        theirs = ContractMembership.objects.get(contract=world.other)
        assert client.get(base(world, f"people/{theirs.pk}/withdraw/")).status_code == 404
        client.post(base(world, f"people/{theirs.pk}/withdraw/"))
        assert ContractMembership.objects.filter(pk=theirs.pk).exists()
        assert client.get("/organizations/harbor-council/manage/people/").status_code == 404
        assert client.get(base(world, f"{world.other.pk}/more-seats/")).status_code == 404
        assert client_of(world.people[0]).get(base(world, "people/")).status_code == 404


class TestMoreSeats:
    def test_a_manager_asks_and_staff_are_told(self, world: World) -> None:
        staff = make_staff("manager")
        client = client_of(world.manager)
        url = base(world, f"{world.capped.pk}/more-seats/")
        done = client.post(url, {"seats": "2000", "message": "For January"}, follow=True)
        assert "We got your request for 2,000 more seats" in done.content.decode()
        asked = SeatRequest.objects.get()
        tell_staff_of_seat_request(SeatsRequested(request_id=asked.pk))
        [letter] = mail.outbox
        assert letter.to == [staff.email]
        assert letter.subject == "Northgate Health asks for 2,000 more seats"
        assert "For January" in letter.body
        assert f"/cms/contracts/{world.capped.pk}/seat-requests/{asked.pk}/" in letter.body
        home = client_of(staff).get("/cms/").content.decode()
        assert re.search(r'count">1</span>\s*<span class="staff-need__label">Requests for seats', home)
        again = client.get(url).content.decode()
        assert "You asked for 2,000 more seats on" in again
        assert client.post(url, {"seats": "5"}).status_code == 422
        assert SeatRequest.objects.count() == 1

    @pytest.mark.parametrize("seats", ["", "0", "-3", "many", "100001", "9" * 30])
    def test_bad_numbers_get_a_sentence(self, world: World, seats: str) -> None:
        url = base(world, f"{world.capped.pk}/more-seats/")
        answer = client_of(world.manager).post(url, {"seats": seats, "message": "kept"})
        assert answer.status_code == 422
        assert "kept" in answer.content.decode()
        is_too_many = seats.isdigit() and int(seats) > 0
        assert ("Ask for at most 100,000 seats at once." in answer.content.decode()) == is_too_many
        assert not SeatRequest.objects.exists()

    def test_staff_answer_once_and_the_manager_is_told(self, world: World) -> None:
        asked = ask_for_seats(contract_id=world.capped.pk, seats=3, message="", by_id=world.manager.pk, now=clock.now())
        url = f"/cms/contracts/{world.capped.pk}/seat-requests/{asked.pk}/"
        staff = sign_in_as("manager")
        assert "6 in all: 3 joined, 0 invited" in staff.get(url).content.decode()
        staff.post(url, {"answer": "Done, from Monday."})
        asked.refresh_from_db()
        assert (asked.answer, asked.closed_at is not None) == ("Done, from Monday.", True)
        closed = asked.closed_at
        staff.post(url, {"answer": "Again"})
        asked.refresh_from_db()
        assert (asked.answer, asked.closed_at) == ("Done, from Monday.", closed)
        tell_manager_of_answer(SeatRequestClosed(request_id=asked.pk))
        [letter] = mail.outbox
        assert letter.to == [world.manager.email]
        assert "Done, from Monday." in letter.body
        ask_for_seats(contract_id=world.capped.pk, seats=3, message="", by_id=world.manager.pk, now=clock.now())

    def test_one_open_request_for_each_contract_and_none_without_a_limit(self, world: World) -> None:
        by_id = world.manager.pk
        for contract in (world.capped, world.second):
            ask_for_seats(contract_id=contract.pk, seats=3, message="", by_id=by_id, now=clock.now())
            with pytest.raises(SeatsAskedAlready):
                ask_for_seats(contract_id=contract.pk, seats=3, message="", by_id=by_id, now=clock.now())
        unlimited = publish_contract(make_source_course(), of=world.organization, name="Open to all")
        with pytest.raises(SeatsUnlimited):
            ask_for_seats(contract_id=unlimited.pk, seats=3, message="", by_id=by_id, now=clock.now())
        assert SeatRequest.objects.count() == 2


class TestStaff:
    def test_name_managers_from_a_list_after_its_plan_and_take_one_back(self, world: World) -> None:
        staff = sign_in_as("manager")
        add = f"/cms/organizations/{world.organization.pk}/managers/add/"
        assert staff.post(add, {"people": ""}).status_code == 422
        newcomer, second = make_user("grace@northgate.example", name="Grace"), make_user("ada@x.example", name="Ada")
        people = f"Grace Hopper, Grace@Northgate.example; mailto:ada@x.example\nnobody@x.example\n{world.manager.email}"
        shown = staff.post(add, {"people": people}).content.decode()
        assert "nobody@x.example: has no account here." in shown
        assert f"{world.manager.email} ({world.manager.display_name}): manages them already" in shown
        assert not OrganizationMembership.objects.filter(user__in=[newcomer, second]).exists()
        seen = re.findall(r'name="seen" value="([^"]+)"', shown)[0]
        html = staff.post(add, {"people": people, "seen": seen}, follow=True).content.decode()
        assert "2 people now manage the seats of Northgate Health." in html
        assert OrganizationMembership.objects.filter(user__in=[newcomer, second], is_manager=True).count() == 2
        assert client_of(newcomer).get(base(world)).status_code == 200
        url = f"/cms/organizations/{world.organization.pk}/people/{newcomer.pk}/no-manager/"
        staff.post(url)
        assert not OrganizationMembership.objects.get(user=newcomer).is_manager
        assert client_of(newcomer).get(base(world)).status_code == 404

    def test_managers_are_named_as_the_plan_said_or_not_at_all(self, world: World) -> None:
        staff = sign_in_as("manager")
        add = f"/cms/organizations/{world.organization.pk}/managers/add/"
        grace, _ada = make_user("grace@northgate.example"), make_user("ada@x.example")
        people = "grace@northgate.example\nada@x.example"
        seen = re.findall(r'name="seen" value="([^"]+)"', staff.post(add, {"people": people}).content.decode())[0]
        User.objects.filter(pk=grace.pk).update(is_active=False)
        again = staff.post(add, {"people": people, "seen": seen}).content.decode()
        assert "Something changed in the meantime." in again
        assert OrganizationMembership.objects.filter(is_manager=True).count() == 1
        assert staff.post(add, {"people": "\n".join(f"p{n}@x.example" for n in range(201))}).status_code == 422

    def test_a_file_with_two_columns_of_addresses_is_asked_about(self, world: World) -> None:
        staff = sign_in_as("manager")
        add = f"/cms/organizations/{world.organization.pk}/managers/add/"
        make_user("jane@x.example")
        text = "Legal Name,Work Email,Manager\nJane Doe,jane@x.example,boss@x.example\n"
        asked = staff.post(add, {"people": "", "file": SimpleUploadedFile("p.csv", text.encode())})
        assert asked.status_code == 422
        assert "More than one column has e-mail addresses." in asked.content.decode()

    def test_someone_with_only_a_seat_can_be_made_a_manager(self, world: World) -> None:
        person = world.people[0]
        sign_in_as("manager").post(f"/cms/organizations/{world.organization.pk}/people/{person.pk}/manager/")
        assert client_of(person).get(base(world)).status_code == 200

    def test_strangers_to_the_organization_are_not_on_its_list(self, world: World) -> None:
        eve = User.objects.get(email="eve@harbor.example")
        url = f"/cms/organizations/{world.organization.pk}/people/{eve.pk}/manager/"
        assert sign_in_as("manager").post(url).status_code == 404
