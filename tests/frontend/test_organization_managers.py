"""The managers' pages: what they show and do, and that no one else can open them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import load_workbook
from wagtail.models import PageLogEntry

from b2b.enums import MailState
from b2b.models import (
    ContractMembership,
    ContractRun,
    ContractTerms,
    HandOut,
    HandOutMail,
    OrganizationMembership,
    Withdrawal,
)
from b2b.services.handouts.assign import HandOutRequest, hand_out, plan_hand_out
from b2b.services.handouts.recipients import Recipient
from b2b.services.organizations.managers import set_manager
from b2b.services.seats.membership import add_member, remove_member
from b2b.services.seats.redemption import redeem_enrollment_code
from ecommerce.models import DiscountCode
from mitxonline.kernel import clock
from mitxonline.users.models import User
from tests.factories import make_code, make_contract, make_contract_run, make_organization, make_user
from tests.frontend.conftest import Northgate, SignIn, make_northgate
from tests.support.counting import queries


@pytest.fixture
def world(db: None) -> Northgate:
    return make_northgate(codes=8, seats=8)


@pytest.fixture
def dana(world: Northgate, sign_in: SignIn) -> Client:
    return sign_in(world.manager)


@pytest.fixture
def open_world(db: None) -> Northgate:
    """A contract without a cap, with a shared code."""
    world = make_northgate(codes=0)
    assert world.run.product is not None
    make_code(world.run.product.unlocked_by, max_uses=None)
    return world


def manage(world: Northgate, rest: str = "") -> str:
    return f"/organizations/{world.organization.slug}/manage/{world.contract.pk}/{rest}"


def give(world: Northgate, *names: str, run: ContractRun | None = None) -> None:
    people = [Recipient(f"{name}@northgate.example", name.title()) for name in names]
    hand_out(
        HandOutRequest(contract_run_id=(run or world.run).pk, recipients=people),
        by_id=world.manager.pk,
        now=clock.now(),
    )


def given_to(name: str) -> DiscountCode:
    return DiscountCode.objects.get(assigned_email=f"{name}@northgate.example")


def seen(page: str) -> str:
    """The fingerprint of the plan that a page shows."""
    found = re.search(r'name="seen" value="(\w+)"', page)
    assert found is not None, page
    return found.group(1)


def said(client: Client, url: str, data: Mapping[str, object]) -> str:
    """Post, and return the text of the page that follows."""
    return client.post(url, dict(data), follow=True).content.decode()


class TestWhoMayLook:
    PAGES = ("", "hand-out/", "codes.csv", "redemptions.csv", "redemptions.xlsx", "replace/1/")

    @pytest.mark.parametrize("page", PAGES)
    def test_a_manager_of_another_organization_learns_nothing(
        self, world: Northgate, sign_in: SignIn, page: str
    ) -> None:
        other = make_organization("Larkfield University")
        sam = make_user("sam@larkfield.example")
        set_manager(organization_id=other.pk, user_id=sam.pk, is_manager=True, by_id=None, now=clock.now())
        client = sign_in(sam)
        theirs, nobodys = client.get(manage(world, page)), client.get(f"/organizations/nobody/manage/1/{page}")
        assert (theirs.status_code, nobodys.status_code) == (404, 404)
        assert world.organization.name not in theirs.content.decode()
        # Nor through an organization of one's own with someone else's contract.
        assert client.get(f"/organizations/{other.slug}/manage/{world.contract.pk}/{page}").status_code == 404

    def test_learners_and_members_have_no_access(self, world: Northgate, sign_in: SignIn, learner: User) -> None:
        redeem_enrollment_code(text=world.code, user_id=learner.pk, now=clock.now())
        client = sign_in(learner)
        for page in self.PAGES:
            assert client.get(manage(world, page)).status_code == 404
        assert client.get(f"/organizations/{world.organization.slug}/manage/").status_code == 404
        assert client.post(manage(world, "selected/"), {"action": "revoke", "id": "1"}).status_code == 404

    def test_staff_who_are_not_managers_have_no_access(self, world: Northgate, sign_in: SignIn) -> None:
        assert sign_in(make_user(is_staff=True, is_superuser=True)).get(manage(world)).status_code == 404

    @pytest.mark.parametrize("page", PAGES)
    def test_signed_out_visitors_are_always_asked_to_sign_in(self, world: Northgate, client: Client, page: str) -> None:
        for address in (manage(world, page), f"/organizations/nobody/manage/1/{page}"):
            response = client.get(address)
            assert response.status_code == 302
            assert response["Location"].startswith("/login/?next=/organizations/")

    def test_former_managers_lose_access_immediately(self, world: Northgate, dana: Client) -> None:
        assert dana.get(manage(world)).status_code == 200
        OrganizationMembership.objects.update(is_manager=False)
        assert dana.get(manage(world)).status_code == 404

    def test_numbers_no_database_holds_are_no_contract(self, world: Northgate, dana: Client) -> None:
        address = f"/organizations/{world.organization.slug}/manage/{10**30}/"
        assert dana.get(address).status_code == 404

    def test_no_cache_and_no_search_engine_keeps_it(self, world: Northgate, dana: Client) -> None:
        response = dana.get(manage(world))
        assert "no-store" in response["Cache-Control"]
        assert response["X-Robots-Tag"] == "noindex"


class TestTheWayThere:
    def test_managers_find_it_on_dashboard_organization_and_footer(self, world: Northgate, dana: Client) -> None:
        link = f"/organizations/{world.organization.slug}/manage/"
        assert link in dana.get("/dashboard/").content.decode()
        assert link in dana.get(f"/organizations/{world.organization.slug}/").content.decode()
        assert dana.get("/manage-seats/")["Location"] == link

    def test_learners_do_not(self, world: Northgate, sign_in: SignIn, learner: User) -> None:
        redeem_enrollment_code(text=world.code, user_id=learner.pk, now=clock.now())
        client = sign_in(learner)
        link = f"/organizations/{world.organization.slug}/manage/"
        assert link not in client.get("/dashboard/").content.decode()
        assert "You don’t manage an organization’s seats." in client.get("/manage-seats/").content.decode()

    def test_managers_of_several_organizations_choose_one(self, world: Northgate, dana: Client) -> None:
        other = make_organization("Larkfield University")
        set_manager(organization_id=other.pk, user_id=world.manager.pk, is_manager=True, by_id=None, now=clock.now())
        page = dana.get("/manage-seats/").content.decode()
        assert "Northgate Health" in page
        assert "Larkfield University" in page


class TestSeats:
    def test_contracts_with_their_seats(self, world: Northgate, dana: Client) -> None:
        add_member(contract_id=world.contract.pk, user_id=make_user().pk, now=clock.now())
        give(world, "ines", "samuel")
        make_contract(world.organization, name="Leading teams")
        page = dana.get(f"/organizations/{world.organization.slug}/manage/").content.decode()
        assert "1 joined, 0 in checkout, 2 invited, 5 free" in page
        assert "Leading teams" in page

    @pytest.mark.parametrize("contracts", [1, 6])
    def test_the_page_costs_the_same_for_any_number_of_contracts(
        self, world: Northgate, dana: Client, contracts: int
    ) -> None:
        for number in range(contracts):
            make_contract_run(make_contract(world.organization, name=f"Contract {number}", seats=3), codes=3)
        dana.get("/dashboard/")  # the first page of a new site makes its brand
        with queries(exactly=10):
            dana.get(f"/organizations/{world.organization.slug}/manage/")

    def test_learners_never_see_seats(self, world: Northgate, sign_in: SignIn, learner: User) -> None:
        redeem_enrollment_code(text=world.code, user_id=learner.pk, now=clock.now())
        page = sign_in(learner).get(f"/organizations/{world.organization.slug}/").content.decode()
        assert "seats taken" not in page
        assert "joined" not in page


class TestCodes:
    def test_by_state_with_counts(self, world: Northgate, dana: Client) -> None:
        give(world, "ines", "samuel", "nora")
        redeem_enrollment_code(text=given_to("ines").text, user_id=make_user("ines@mail.example").pk, now=clock.now())
        HandOutMail.objects.filter(hand_out__email="nora@northgate.example").update(state=MailState.FAILED)
        DiscountCode.objects.filter(pk=world.codes[7].pk).update(active=False)
        page = dana.get(manage(world)).content.decode()
        for text, count in (
            ("All", 8),
            ("Not handed out", 4),
            ("Invited", 1),
            ("Used", 1),
            ("E-mail failed", 1),
            ("Off", 1),
        ):
            assert f'{text} <span class="tabs-count">{count}</span>' in page
        assert "Used by ines@mail.example" in page
        failed = dana.get(manage(world), {"state": "failed"}).content.decode()
        assert "nora@northgate.example" in failed
        assert "samuel@northgate.example" not in failed

    def test_a_withdrawn_seat_shows_at_its_code(self, world: Northgate, dana: Client, learner: User) -> None:
        redeem_enrollment_code(text=world.code, user_id=learner.pk, now=clock.now())
        remove_member(contract_id=world.contract.pk, user_id=learner.pk, reason="left", now=clock.now())
        assert "Withdrawn" in dana.get(manage(world), {"state": "withdrawn"}).content.decode()

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"q": "INES"}, ["ines"]),
            ({"q": "northgate.example", "state": "invited"}, ["ines", "samuel"]),
            ({"q": "no one at all"}, []),
            ({"q": "%"}, []),
            ({"q": "\x00ines"}, ["ines"]),
            ({"state": "nonsense", "course": "x", "page": "-7"}, ["ines", "samuel"]),
        ],
    )
    def test_codes_can_be_searched(
        self, world: Northgate, dana: Client, asked: dict[str, str], found: list[str]
    ) -> None:
        give(world, "ines", "samuel")
        page = dana.get(manage(world), asked).content.decode()
        for name in ("ines", "samuel"):
            assert (f"{name}@northgate.example</span>" in page) == (name in found)

    def test_by_code_and_course(self, world: Northgate, dana: Client) -> None:
        other = make_contract_run(world.contract, codes=1)
        give(world, "ines", run=other)
        code = given_to("ines")
        page = dana.get(manage(world), {"q": code.text[:8].upper()}).content.decode()
        assert "Showing 1–1 of 1" in page
        page = dana.get(manage(world), {"course": other.pk}).content.decode()
        assert "Showing 1–1 of 1" in page

    @pytest.mark.parametrize("asked", [{}, {"course": "other"}, {"q": "ines"}, {"course": "other", "state": "free"}])
    def test_the_tabs_count_what_they_lead_to_and_add_up(
        self, world: Northgate, dana: Client, asked: dict[str, str]
    ) -> None:
        other = make_contract_run(world.contract, codes=3)
        give(world, "ines", "samuel")
        give(world, "bo", run=other)
        HandOutMail.objects.filter(hand_out__email__startswith="samuel").update(state=MailState.FAILED)
        asked = {name: str(other.pk) if value == "other" else value for name, value in asked.items()}
        everything, *states = dana.get(manage(world), asked).context["page"].tabs
        assert int(everything.count) == sum(int(tab.count) for tab in states)
        for tab in (everything, *states):
            assert dana.get(manage(world) + tab.url).context["page"].page.paginator.count == int(tab.count)

    @pytest.mark.parametrize("codes", [3, 120])
    def test_the_list_costs_the_same_for_any_number_of_codes(self, sign_in: SignIn, codes: int, db: None) -> None:
        world = make_northgate(codes=codes, seats=codes)
        give(world, "ines", "samuel")
        redeem_enrollment_code(text=world.codes[2].text, user_id=make_user().pk, now=clock.now())
        client = sign_in(world.manager)
        client.get("/dashboard/")
        with queries(exactly=15):
            client.get(manage(world))

    @pytest.mark.parametrize("rest", ["codes/", "people/"])
    def test_a_page_beyond_the_last_leads_to_the_last(self, world: Northgate, dana: Client, rest: str) -> None:
        address = manage(world) if rest == "codes/" else f"/organizations/{world.organization.slug}/manage/people/"
        response = dana.get(f"{address}?q=nobody&page=7")
        assert (response.status_code, response.headers["Location"]) == (302, f"{address}?q=nobody")

    def test_codes_are_paginated(self, dana: Client, sign_in: SignIn, db: None) -> None:
        world = make_northgate(codes=60, seats=60)
        client = sign_in(world.manager)
        assert "Showing 26–50 of 60" in client.get(manage(world), {"page": 2}).content.decode()
        assert "Showing 51–60 of 60" in client.get(manage(world), {"page": 99}, follow=True).content.decode()


class TestHandingOut:
    LIST = "Ines Caldera, ines@northgate.example\nsamuel@northgate.example\nravi.menon@northgate"

    def test_nothing_is_sent_before_the_count_was_seen(self, world: Northgate, dana: Client) -> None:
        data: dict[str, object] = {"run": world.run.pk, "people": self.LIST, "action": "send"}
        page = dana.post(manage(world, "hand-out/"), data).content.decode()
        assert "<strong>2 people</strong> will get a code by e-mail." in page
        assert "<strong>1 address is incomplete:</strong>" in page
        assert "Send 2 codes" in page
        assert "<strong>6 seats</strong> will be left after this." in page
        assert not HandOut.objects.exists()
        page = said(dana, manage(world, "hand-out/"), data | {"seen": seen(page)})
        assert "Codes sent to 2 people. 6 seats are free." in page
        assert HandOut.objects.count() == 2
        assert HandOut.objects.filter(given_by=world.manager).count() == 2

    def test_a_changed_plan_is_shown_again(self, world: Northgate, dana: Client) -> None:
        data: dict[str, object] = {"run": world.run.pk, "people": self.LIST, "action": "send"}
        old = seen(dana.post(manage(world, "hand-out/"), data).content.decode())
        give(world, "ines")
        response = dana.post(manage(world, "hand-out/"), data | {"seen": old})
        assert response.status_code == 409
        page = response.content.decode()
        assert "Something changed in the meantime." in page
        assert "Send 1 code" in page
        assert self.LIST in page.replace("&#x27;", "'")

    def test_too_many_people_are_refused(self, world: Northgate, dana: Client) -> None:
        people = "\n".join(f"person{number}@northgate.example" for number in range(9))
        page = dana.post(manage(world, "hand-out/"), {"run": world.run.pk, "people": people}).content.decode()
        assert "9 people need a seat, but only 8 are free." in page
        assert "Check the list" in page

    @pytest.mark.parametrize(
        ("data", "sentence"),
        [
            ({"people": ""}, "Enter at least one address, or choose a file."),
            ({"run": "999999"}, "Choose one of the courses."),
            ({"run": ""}, "Choose a course."),
        ],
    )
    def test_errors_are_shown_at_the_field_and_input_is_kept(
        self, world: Northgate, dana: Client, data: dict[str, str], sentence: str
    ) -> None:
        response = dana.post(manage(world, "hand-out/"), {"run": world.run.pk, "people": self.LIST} | data)
        assert response.status_code == 422
        page = response.content.decode()
        assert sentence in page
        if data.get("people") is None:
            assert self.LIST in page

    def test_a_course_of_another_contract_is_none_to_choose(self, world: Northgate, dana: Client) -> None:
        foreign = make_contract_run(make_contract(make_organization("Larkfield"), seats=3), codes=3)
        data = {"run": foreign.pk, "people": self.LIST, "action": "send", "seen": "x"}
        assert dana.post(manage(world, "hand-out/"), data).status_code == 422
        assert not HandOut.objects.exists()

    def test_a_file_is_read_into_the_list_and_sent_from_there(self, world: Northgate, dana: Client) -> None:
        file = SimpleUploadedFile("people.csv", "\ufeffName;E-Mail\r\nInés Caldera;ines@northgate.example\r\n".encode())
        data: dict[str, object] = {"run": world.run.pk, "people": "", "file": file, "action": "send", "seen": "x"}
        page = dana.post(manage(world, "hand-out/"), data).content.decode()
        assert "Inés Caldera, ines@northgate.example" in page
        assert not HandOut.objects.exists()
        people = "Inés Caldera, ines@northgate.example"
        data = {"run": world.run.pk, "people": people, "action": "send", "seen": seen(page)}
        said(dana, manage(world, "hand-out/"), data)
        assert HandOut.objects.get().name == "Inés Caldera"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"PK\x03\x04 a workbook", "This file can’t be read as an Excel workbook."),
            (b"\x00\x01\x02", "This isn’t a text file."),
            (b"", "There are no people in this file."),
            (b"Name;E-Mail\n", "There are no people in this file."),
            (b"a" * 1_000_001, "The file is larger than 1 MB."),
        ],
    )
    def test_a_file_that_is_no_list(self, world: Northgate, dana: Client, content: bytes, sentence: str) -> None:
        file = SimpleUploadedFile("people.csv", content)
        response = dana.post(manage(world, "hand-out/"), {"run": world.run.pk, "people": "", "file": file})
        assert response.status_code == 422
        assert sentence in response.content.decode()

    def test_more_people_than_a_list_can_have(self, world: Northgate, dana: Client) -> None:
        people = "\n".join(f"person{number}@northgate.example" for number in range(5001))
        response = dana.post(manage(world, "hand-out/"), {"run": world.run.pk, "people": people})
        assert response.status_code == 422
        assert "That’s more than 5,000 people at once." in response.content.decode()

    def test_htmx_gets_what_the_list_comes_to(self, world: Northgate, dana: Client) -> None:
        data = {"run": world.run.pk, "people": self.LIST}
        response = dana.post(manage(world, "hand-out/"), data, headers={"HX-Request": "true"})
        page = response.content.decode()
        assert "<html" not in page
        assert 'hx-swap-oob="true"' in page
        assert "Send 2 codes" in page
        empty = dana.post(manage(world, "hand-out/"), {"run": world.run.pk}, headers={"HX-Request": "true"})
        assert "Type or paste" not in empty.content.decode()

    def test_so_many_mails_in_an_hour(self, world: Northgate, dana: Client, settings: LazySettings) -> None:
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"hand_outs": {"user": (1, 3600)}}
        data: dict[str, object] = {"run": world.run.pk, "people": self.LIST, "action": "send"}
        shown = seen(dana.post(manage(world, "hand-out/"), data).content.decode())
        response = dana.post(manage(world, "hand-out/"), data | {"seen": shown})
        assert response.status_code == 429
        assert "You can send 1 invitations and reminders an hour." in response.content.decode()
        assert not HandOut.objects.exists()

    def test_a_contract_that_is_over_has_nothing_to_hand_out(self, world: Northgate, dana: Client) -> None:
        ContractTerms.objects.update(end=clock.today() - timedelta(days=1))
        assert "No codes to send." in dana.get(manage(world, "hand-out/")).content.decode()
        assert "Hand out codes" not in dana.get(manage(world)).content.decode()


class TestSelected:
    def test_reminding_several_tells_what_became_of_each(self, world: Northgate, dana: Client) -> None:
        give(world, "ines", "samuel")
        ids = [given_to("ines").pk, given_to("samuel").pk]
        assert "Reminder sent to 2 people." in said(dana, manage(world, "selected/"), {"action": "remind", "id": ids})
        page = said(dana, manage(world, "selected/"), {"action": "remind", "id": ids})
        assert "2 already had a reminder today; one a day is the limit." in page

    def test_one_by_its_own_menu(self, world: Northgate, dana: Client) -> None:
        give(world, "ines", "samuel")
        data = {"only": f"remind-{given_to('ines').pk}", "id": [given_to("samuel").pk]}
        said(dana, manage(world, "selected/"), data)
        assert HandOut.objects.get(reminded_on__isnull=False).email == "ines@northgate.example"

    def test_taking_back_says_first_what_will_happen(self, world: Northgate, dana: Client) -> None:
        give(world, "ines", "samuel")
        redeem_enrollment_code(text=given_to("samuel").text, user_id=make_user().pk, now=clock.now())
        ids, old = [given_to("ines").pk, given_to("samuel").pk], given_to("ines").text
        data: dict[str, object] = {"action": "revoke", "id": ids, "query": "state=invited"}
        page = dana.post(manage(world, "selected/"), data).content.decode()
        assert "Take 2 codes back" in page
        assert "ines@northgate.example" in page
        assert given_to("ines").text == old
        page = said(dana, manage(world, "selected/"), data | {"sure": "yes"})
        assert "1 code is free again." in page
        assert "1 wasn’t changed" in page
        assert not DiscountCode.objects.filter(text=old).exists()

    def test_sending_again_what_failed(self, world: Northgate, dana: Client) -> None:
        give(world, "ines", "samuel")
        HandOutMail.objects.filter(hand_out__email="ines@northgate.example").update(state=MailState.FAILED)
        ids = [given_to("ines").pk, given_to("samuel").pk]
        assert "Sending 1 e-mail again." in said(dana, manage(world, "selected/"), {"action": "again", "id": ids})
        assert "None of these e-mails failed" in said(dana, manage(world, "selected/"), {"action": "again", "id": ids})

    def test_refusals_are_shown_on_the_list(self, world: Northgate, dana: Client, settings: LazySettings) -> None:
        give(world, "ines")
        settings.RATE_LIMITS = settings.RATE_LIMITS | {"hand_outs": {"user": (1, 3600)}}
        page = said(dana, manage(world, "selected/"), {"action": "remind", "id": [given_to("ines").pk]})
        assert "You can send 1 invitations and reminders an hour." in page
        assert HandOut.objects.get().reminded_on is None
        ContractTerms.objects.update(active=False)
        page = said(dana, manage(world, "selected/"), {"action": "remind", "id": [given_to("ines").pk]})
        assert "The contract isn’t active" in page

    def test_nothing_chosen_and_nonsense(self, world: Northgate, dana: Client) -> None:
        give(world, "ines")
        assert "Check at least one line first" in said(dana, manage(world, "selected/"), {"action": "remind"})
        for data in ({"action": "remind", "id": ["x", "-1", str(10**30)]}, {"only": "burn-1"}, {"only": "remind-"}):
            assert dana.post(manage(world, "selected/"), data).status_code == 302
        assert given_to("ines").uses == 0

    def test_other_contracts_codes_are_out_of_reach(self, world: Northgate, dana: Client) -> None:
        foreign = northgate_elsewhere()
        code = DiscountCode.objects.get(assigned_email="joe@larkfield.example")
        for action in ("remind", "revoke", "again"):
            dana.post(manage(world, "selected/"), {"action": action, "id": code.pk, "sure": "yes"})
        code.refresh_from_db()
        assert code.assigned_email == "joe@larkfield.example"
        assert HandOut.objects.get(contract_run=foreign).reminded_on is None

    @pytest.mark.parametrize("query", ["//evil.example", "x" * 600, "state=invited&page=2"])
    def test_the_way_back_stays_here(self, world: Northgate, dana: Client, query: str) -> None:
        response = dana.post(manage(world, "selected/"), {"action": "remind", "query": query})
        assert response["Location"].startswith(manage(world))


class TestWithdrawing:
    def test_withdrawing_access_is_confirmed_and_a_new_code_restores_it(
        self, world: Northgate, dana: Client, learner: User
    ) -> None:
        other = make_user()
        for person, code in zip((learner, other), world.codes[:2], strict=True):
            redeem_enrollment_code(text=code.text, user_id=person.pk, now=clock.now())
        data: dict[str, object] = {"only": f"withdraw-{world.codes[0].pk}"}
        assert "Withdraw access" in dana.get(manage(world)).content.decode()
        page = said(dana, manage(world, "selected/"), data)
        assert f"Withdraw {learner.display_name}’s access" in page
        assert learner.email in page
        assert ContractMembership.objects.filter(user=learner).exists(), "nothing was changed"
        page = said(dana, manage(world, "selected/"), data | {"sure": "yes"})
        assert f"{learner.display_name}’s access is withdrawn." in page
        assert list(ContractMembership.objects.values_list("user_id", flat=True)) == [other.pk]
        withdrawal = Withdrawal.objects.get()
        assert (withdrawal.user, withdrawal.authority, withdrawal.by) == (learner, "manager", world.manager)
        assert "nothing was changed" in said(dana, manage(world, "selected/"), data | {"sure": "yes"})
        assert "We withdrew access" not in dana.get(manage(world)).content.decode()
        remove_member(contract_id=world.contract.pk, user_id=other.pk, reason="", now=clock.now())
        assert dana.get(manage(world)).content.decode().count("We withdrew access, and only we can restore it") == 1
        hand_out(
            HandOutRequest(contract_run_id=world.run.pk, recipients=[Recipient(learner.email)]),
            by_id=None,
            now=clock.now(),
        )
        again = DiscountCode.objects.get(assigned_email=learner.email)
        redeem_enrollment_code(text=again.text, user_id=learner.pk, now=clock.now())
        assert ContractMembership.objects.filter(user=learner).exists()

    def test_only_who_joined_with_a_code_of_this_contract(self, world: Northgate, dana: Client, learner: User) -> None:
        foreign = make_contract_run(make_contract(make_organization("Larkfield"), seats=3), codes=1)
        code = DiscountCode.objects.get(discount__unlocks=foreign.product)
        redeem_enrollment_code(text=code.text, user_id=learner.pk, now=clock.now())
        for code_id in (code.pk, world.codes[1].pk, 999_999):
            data: dict[str, object] = {"only": f"withdraw-{code_id}", "sure": "yes"}
            assert "nothing was changed" in said(dana, manage(world, "selected/"), data)
        assert ContractMembership.objects.filter(user=learner).exists()


def northgate_elsewhere() -> ContractRun:
    run = make_contract_run(make_contract(make_organization("Larkfield"), seats=3), codes=3)
    hand_out(
        HandOutRequest(contract_run_id=run.pk, recipients=[Recipient("joe@larkfield.example")]),
        by_id=None,
        now=clock.now(),
    )
    return run


class TestInvitations:
    def test_invitations_carry_the_shared_link(self, open_world: Northgate, sign_in: SignIn) -> None:
        client = sign_in(open_world.manager)
        page = client.get(manage(open_world)).content.decode()
        assert "Invite people" in page
        assert "No one has been invited yet." in page
        assert f"/enrollmentcode/{DiscountCode.objects.get().text}/" in page
        data: dict[str, object] = {"run": open_world.run.pk, "people": "ines@northgate.example", "action": "send"}
        shown = seen(client.post(manage(open_world, "hand-out/"), data).content.decode())
        said(client, manage(open_world, "hand-out/"), data | {"seen": shown})
        page = client.get(manage(open_world)).content.decode()
        assert "ines@northgate.example" in page
        assert "1 open invitation" in page

    def test_canceling_and_reminding_change_only_the_invitation(self, open_world: Northgate, sign_in: SignIn) -> None:
        give(open_world, "ines", "samuel")
        client, text = sign_in(open_world.manager), DiscountCode.objects.get().text
        ines = HandOut.objects.get(email="ines@northgate.example")
        said(client, manage(open_world, "selected/"), {"action": "remind", "id": ines.pk})
        page = said(client, manage(open_world, "selected/"), {"action": "revoke", "id": ines.pk, "sure": "yes"})
        assert "1 invitation is canceled." in page
        assert DiscountCode.objects.get().text == text
        assert list(HandOut.objects.open().values_list("email", flat=True)) == ["samuel@northgate.example"]

    def test_replacing_the_link_warns_with_the_number_of_open_invitations(
        self, open_world: Northgate, sign_in: SignIn
    ) -> None:
        give(open_world, "ines", "samuel")
        HandOutMail.objects.update(state=MailState.SENT, finished_at=clock.now())
        client, old = sign_in(open_world.manager), DiscountCode.objects.get().text
        address = manage(open_world, f"replace/{open_world.run.pk}/")
        assert "2 invitations are open." in client.get(address).content.decode()
        assert DiscountCode.objects.get().text == old
        page = said(client, address, {"resend": "yes"})
        assert "has a new link" in page
        assert DiscountCode.objects.get().text != old
        assert HandOutMail.objects.filter(kind="new_link").count() == 2

    def test_each_with_a_code_of_their_own_has_no_link_to_replace(self, world: Northgate, dana: Client) -> None:
        assert dana.get(manage(world, f"replace/{world.run.pk}/")).status_code == 404

    @pytest.mark.parametrize("people", [2, 40])
    def test_the_list_costs_the_same_for_any_number(self, open_world: Northgate, sign_in: SignIn, people: int) -> None:
        give(open_world, *(f"person{number}" for number in range(people)))
        client = sign_in(open_world.manager)
        client.get("/dashboard/")
        with queries(exactly=18):
            client.get(manage(open_world))


class TestWithoutTheCapAnyMore:
    """People have codes of their own from when there was a cap."""

    @pytest.fixture
    def client(self, world: Northgate, dana: Client) -> Client:
        give(world, "ines", "samuel")
        ContractTerms.objects.update(max_learners=None)
        assert world.run.product is not None
        make_code(world.run.product.unlocked_by, max_uses=None)
        return dana

    def test_invited_people_are_listed_and_can_be_reminded(self, world: Northgate, client: Client) -> None:
        page = client.get(manage(world)).content.decode()
        assert "ines@northgate.example" in page
        ines = HandOut.objects.get(email="ines@northgate.example")
        assert "Reminder sent to 1 person." in said(
            client, manage(world, "selected/"), {"action": "remind", "id": ines.pk}
        )

    def test_used_codes_count_as_joined_whoever_used_them(
        self, world: Northgate, client: Client, learner: User
    ) -> None:
        redeem_enrollment_code(text=given_to("ines").text, user_id=learner.pk, now=clock.now())
        page = client.get(manage(world), {"state": "joined"}).content.decode()
        assert "ines@northgate.example" in page
        assert learner.email in page
        assert "samuel@northgate.example" not in page

    def test_taken_back_the_code_has_another_text(self, world: Northgate, client: Client) -> None:
        code, ines = given_to("ines"), HandOut.objects.get(email="ines@northgate.example")
        asked = client.post(manage(world, "selected/"), {"action": "revoke", "id": ines.pk}).content.decode()
        assert "Personal codes from when the contract had a limit stop working." in asked
        page = said(client, manage(world, "selected/"), {"action": "revoke", "id": ines.pk, "sure": "yes"})
        assert "1 invitation is canceled." in page
        text = code.text
        code.refresh_from_db()
        assert (code.text == text, code.assigned_email) == (False, "")
        assert HandOut.objects.open().count() == 1

    def test_people_with_an_invitation_are_not_invited_again(self, world: Northgate, client: Client) -> None:
        recipients = [Recipient("ines@northgate.example"), Recipient("ravi@northgate.example")]
        plan = plan_hand_out(HandOutRequest(contract_run_id=world.run.pk, recipients=recipients), now=clock.now())
        assert [row.is_receiving_code for row in plan.rows] == [False, True]


class TestWhereSeatsComeFrom:
    def test_a_seat_without_a_code_is_explained(self, world: Northgate, dana: Client, learner: User) -> None:
        redeem_enrollment_code(text=world.code, user_id=learner.pk, now=clock.now())
        assert "How people joined" not in dana.get(manage(world)).content.decode(), "all of them are in the list"
        for source in ("staff", "sso", "sso"):
            add_member(contract_id=world.contract.pk, user_id=make_user().pk, source=source, now=clock.now())
        page = " ".join(dana.get(manage(world)).content.decode().split())
        assert "How people joined: 1 by a code, 2 by single sign-on, 1 added by staff." in page


class TestSingleSignOn:
    def test_free_it_has_no_codes_to_give(self, db: None, sign_in: SignIn) -> None:
        world = make_northgate(codes=0, integration_type="sso")
        page = sign_in(world.manager).get(manage(world)).content.decode()
        assert "People join this contract by signing in" in page
        assert "Hand out codes" not in page

    def test_with_a_price_the_manager_has_the_link_and_members_the_price_and_the_field(
        self, db: None, sign_in: SignIn, learner: User
    ) -> None:
        world = make_northgate(codes=0, price="49", integration_type="sso")
        assert world.run.product is not None
        make_code(world.run.product.unlocked_by, max_uses=None)
        page = sign_in(world.manager).get(manage(world)).content.decode()
        assert f"/cart/add/?product_id={world.product.pk}" in page
        assert "$49.00" in page
        add_member(contract_id=world.contract.pk, user_id=learner.pk, source="sso", now=clock.now())
        page = sign_in(learner).get(f"/organizations/{world.organization.slug}/").content.decode()
        assert "is <strong>$49.00</strong> per course" in page
        assert "Enrollment code" in page


class TestFiles:
    def used(self, world: Northgate) -> None:
        give(world, "ines")
        DiscountCode.objects.filter(pk=given_to("ines").pk).update(assigned_name="=cmd|' /C calc'!A0")
        user = make_user("ines@mail.example", name="@Ines")
        redeem_enrollment_code(text=given_to("ines").text, user_id=user.pk, now=clock.now())

    def test_csv_export_lists_who_used_which_code(self, world: Northgate, dana: Client) -> None:
        self.used(world)
        response = dana.get(manage(world, "redemptions.csv"))
        assert response["Content-Disposition"] == 'attachment; filename="clinical-skills-2026-redemptions.csv"'
        text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
        assert text.startswith("\ufeff")
        head, row = csv.reader(io.StringIO(text.lstrip("\ufeff")))
        assert head[:3] == ["Course", "Course run", "Code"]
        assert row[3] == "'=cmd|' /C calc'!A0"
        assert row[6:8] == ["'@Ines", "ines@mail.example"]
        assert row[9] == "Used"

    def test_excel_export_contains_no_formulas(self, world: Northgate, dana: Client) -> None:
        self.used(world)
        response = dana.get(manage(world, "redemptions.xlsx"))
        sheet = load_workbook(io.BytesIO(b"".join(response.streaming_content))).active  # type: ignore[attr-defined]
        cells = [cell for row in sheet.iter_rows() for cell in row]
        assert not [cell for cell in cells if cell.data_type == "f"]
        assert "'=cmd|' /C calc'!A0" in [cell.value for cell in cells]

    def test_codes_with_their_links(self, world: Northgate, dana: Client) -> None:
        other = make_contract_run(world.contract, codes=2)
        text = b"".join(dana.get(manage(world, "codes.csv")).streaming_content).decode()  # type: ignore[attr-defined]
        assert f"/enrollmentcode/{world.code}/" in text
        assert len(text.splitlines()) == 11
        assert PageLogEntry.objects.get(action="b2b.code.export").user == world.manager
        only = dana.get(manage(world, "codes.csv"), {"course": other.pk})
        assert len(b"".join(only.streaming_content).decode().splitlines()) == 3  # type: ignore[attr-defined]

    def test_other_kinds_of_file_there_are_none(self, world: Northgate, dana: Client) -> None:
        assert dana.get(manage(world, "redemptions.pdf"), follow=True).status_code == 404
