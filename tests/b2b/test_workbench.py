"""The workbench of a contract in the Wagtail admin: lists, courseware, codes, members, activity."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook
from wagtail.models import PageLogEntry

from b2b.enums import ReconcileState
from b2b.models import (
    ContractCourseware,
    ContractMembership,
    ContractPage,
    ContractRun,
    HandOut,
    KeycloakOrganization,
    Reconcile,
    Withdrawal,
)
from b2b.selectors import codes
from b2b.selectors.codes import CodeFilter, CodeLine, code_file, code_page, runs_of
from ecommerce.enums import CodeState, UseState
from ecommerce.models import CodeUse, DiscountCode
from mitxonline.kernel.db import run_sql
from mitxonline.kernel.spreadsheets import write_workbook
from tests.b2b.admin_people import sign_in_as
from tests.b2b.moving import MovingWorld
from tests.b2b.worlds import (
    NOW,
    SSO,
    active_codes_of,
    change_terms,
    codes_of,
    ensure_organization_page,
    hold_for_order,
    make_learner,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    take_seat,
)
from tests.factories import make_code
from tests.support.counting import queries

pytestmark = pytest.mark.django_db

# Queries, at any size.
ORGANIZATION_LIST, CONTRACT_LIST, MEMBER_LIST, EXPORT = 15, 15, 15, 14


@pytest.fixture
def manager() -> Client:
    ensure_organization_page()
    return sign_in_as("manager")


@pytest.fixture
def page() -> ContractPage:
    return publish_contract(make_source_course(title="Statistics"), cap=4)


def url(name: str, page: ContractPage, *further: int) -> str:
    return reverse(f"b2b_contracts:{name}", args=[page.pk, *further])


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def seen(answer: Any) -> str:
    found = re.search(r'name="seen" value="(\w+)"', answer.content.decode())
    assert found is not None, words(answer)
    return found.group(1)


class TestLists:
    def names(self, answer: Any, *wanted: str) -> set[str]:
        shown = words(answer)
        return {name for name in wanted if name in shown}

    def test_organizations_are_found_by_name_and_key_and_filtered(self, manager: Client) -> None:
        publish_contract(make_source_course(), of=ensure_organization_page("Harbor Council"))
        address = reverse("b2b_organizations:index")
        both = ("UniversityX", "Harbor Council")
        assert self.names(manager.get(address), *both) == set(both)
        assert self.names(manager.get(address, {"q": "harb"}), *both) == {"Harbor Council"}
        assert self.names(manager.get(address, {"valid": "true"}), *both) == {"Harbor Council"}
        assert self.names(manager.get(address, {"valid": "false"}), *both) == {"UniversityX"}
        ensure_organization_page().unpublish()
        assert self.names(manager.get(address, {"live": "false"}), *both) == {"UniversityX"}

    def test_contracts_are_filtered_by_where_they_stand(self, manager: Client) -> None:
        today = timezone.localdate()
        made = {
            "open": publish_contract(name="One that is open"),
            "not_started": publish_contract(name="One to come", start=today + timedelta(days=1)),
            "ended": publish_contract(name="One that was", end=today - timedelta(days=1)),
            "full": publish_contract(name="One that is full", cap=1),
            "inactive": publish_contract(name="One switched off"),
        }
        take_seat(made["full"], make_learner())
        change_terms(made["inactive"], active=False)
        draft = ContractPage(title="One begun", name="One begun", live=False)
        ensure_organization_page().add_child(instance=draft)
        names = {state: page.name for state, page in made.items()} | {"draft": draft.name}
        for state, name in names.items():
            answer = manager.get(reverse("b2b_contracts:index"), {"state": state})
            assert self.names(answer, *names.values()) == {name}, state

    def test_the_last_day_is_a_valid_one(self, manager: Client) -> None:
        publish_contract(name="Until today", end=timezone.localdate(), start=timezone.localdate())
        answer = manager.get(reverse("b2b_contracts:index"), {"state": "open"})
        assert "Until today" in words(answer)

    def test_contracts_are_filtered_by_type_and_organization_and_found(self, manager: Client) -> None:
        harbor = ensure_organization_page("Harbor Council")
        publish_contract(name="By codes")
        publish_contract(name="By sign-in", integration=SSO, of=harbor)
        both, address = ("By codes", "By sign-in"), reverse("b2b_contracts:index")
        assert self.names(manager.get(address, {"type": "sso"}), *both) == {"By sign-in"}
        assert self.names(manager.get(address, {"organization": harbor.pk}), *both) == {"By sign-in"}
        assert self.names(manager.get(address, {"q": "univers"}), *both) == {"By codes"}

    @pytest.mark.parametrize("order", ["name", "-members", "contracts", "org_key"])
    def test_organizations_in_every_order(self, manager: Client, order: str) -> None:
        assert manager.get(reverse("b2b_organizations:index"), {"ordering": order}).status_code == 200

    @pytest.mark.parametrize("order", ["name", "-taken", "organization_name", "terms__start", "-terms__end"])
    def test_contracts_in_every_order(self, manager: Client, page: ContractPage, order: str) -> None:
        assert page.name in words(manager.get(reverse("b2b_contracts:index"), {"ordering": order}))

    @pytest.mark.parametrize(
        ("name", "cost"), [("b2b_organizations:index", ORGANIZATION_LIST), ("b2b_contracts:index", CONTRACT_LIST)]
    )
    def test_every_list_costs_the_same_for_any_number(self, manager: Client, name: str, cost: int) -> None:
        publish_contract(make_source_course(), name="The first")
        manager.get(reverse(name))
        with queries(exactly=cost):
            manager.get(reverse(name))
        for number in range(5):
            made = publish_contract(
                make_source_course(), name=f"Another {number}", of=ensure_organization_page(f"Organization {number}")
            )
            take_seat(made, make_learner())
        with queries(exactly=cost):
            manager.get(reverse(name))


class TestOrganization:
    def test_an_organization_shows_its_contracts_members_and_managers(
        self, manager: Client, page: ContractPage
    ) -> None:
        take_seat(page, make_learner("ada@example.com"))
        answer = manager.get(reverse("b2b_organizations:detail", args=[ensure_organization_page().pk]))
        shown = words(answer)
        assert "?ordering=" not in answer.content.decode()  # this table isn't sorted
        assert "UniversityX" in shown
        assert page.name in shown
        assert "1 of 4" in shown

    @pytest.mark.parametrize(
        ("facts", "says"),
        [
            ({}, "In Keycloak university-x Keycloak ID"),
            ({"enabled": False}, "In Keycloak university-x (disabled)"),
            ({"gone_since": NOW}, "In Keycloak university-x (gone since"),
        ],
    )
    def test_an_organization_shows_its_keycloak_link(self, manager: Client, facts: dict[str, Any], says: str) -> None:
        page = ensure_organization_page()
        address = reverse("b2b_organizations:detail", args=[page.pk])
        assert "Keycloak" not in words(manager.get(address))
        known = KeycloakOrganization.objects.create(
            organization=page, keycloak_id=uuid4(), alias="university-x", seen_at=NOW, **facts
        )
        shown = words(manager.get(address))
        assert says in shown
        assert str(known.keycloak_id) in shown


class TestTerms:
    def test_in_force_beside_the_draft(self, manager: Client, page: ContractPage) -> None:
        written = ContractPage.objects.get(pk=page.pk)
        written.max_learners = 9
        written.save_revision()
        shown = words(manager.get(url("terms", page)))
        assert "As written in the draft" in shown
        assert re.search(r"Seats 4 9", shown)
        assert "See what publishing does" in shown

    def test_a_draft_has_nothing_in_force(self, manager: Client) -> None:
        draft = ContractPage(title="Begun", name="Begun", live=False)
        ensure_organization_page().add_child(instance=draft)
        shown = words(manager.get(url("terms", draft)))
        assert "no terms are in force" in shown
        for part in ("courseware", "codes", "members", "activity"):
            assert manager.get(url(part, draft)).status_code == 200

    def test_more_members_than_seats_are_reported(self, manager: Client, page: ContractPage) -> None:
        for _each in range(3):
            take_seat(page, make_learner())
        change_terms(page, max_learners=1)
        assert "2 more than the contract has" in words(manager.get(url("terms", page)))

    def test_a_pending_reconcile_is_shown(self, manager: Client, page: ContractPage) -> None:
        change_terms(page, max_learners=9, settled=False)
        Reconcile.objects.filter(state=ReconcileState.WAITING).update(requested_at=timezone.now())
        assert "Waiting for the worker" in words(manager.get(url("terms", page)))
        assert "seems to be down" not in words(manager.get(url("activity", page)))
        late = timezone.now() - timedelta(minutes=5)
        Reconcile.objects.filter(state=ReconcileState.WAITING).update(requested_at=late)
        for part in ("terms", "courseware", "activity"):
            assert "The worker seems to be down. Nothing is lost" in words(manager.get(url(part, page)))
        reconcile_contract(page)
        assert "Waiting for the worker" not in words(manager.get(url("terms", page)))


class TestCourseware:
    def form(self, **fields: object) -> dict[str, object]:
        return {"course": "", "program": "", "course_run": "", "create_runs": "on"} | fields

    def test_the_plan_is_shown_before_anything_is_added(self, manager: Client, page: ContractPage) -> None:
        another = make_source_course(title="Ethics")
        answer = manager.post(url("add_courseware", page), self.form(course=another.pk))
        shown = words(answer)
        assert "1 run made, 4 codes made" in shown
        assert not ContractCourseware.objects.filter(course=another).exists()
        manager.post(url("add_courseware", page), self.form(course=another.pk, seen=seen(answer)))
        assert ContractCourseware.objects.get(course=another).added_by is not None
        reconcile_contract(page)
        assert len(active_codes_of(page)) == 8

    def test_programs_and_runs_can_be_added(self, manager: Client, page: ContractPage) -> None:
        whole, single = make_program_of(make_source_course(), make_source_course()), make_source_course().runs.get()
        for field, thing in (("program", whole), ("course_run", single)):
            answer = manager.post(url("add_courseware", page), self.form(**{field: thing.pk}))
            manager.post(url("add_courseware", page), self.form(**{field: thing.pk, "seen": seen(answer)}))
        reconcile_contract(page)
        assert ContractRun.objects.current().filter(contract=page).count() == 4

    @pytest.mark.parametrize("field", ["course", "program", "course_run"])
    @pytest.mark.parametrize("value", ["climate", "999999999", "1'", "-"])
    def test_a_value_that_is_no_choice_is_refused_at_its_field(
        self, manager: Client, page: ContractPage, field: str, value: str
    ) -> None:
        answer = manager.post(url("add_courseware", page), self.form(**{field: value}))
        assert answer.status_code == 422
        assert "Select a valid choice" in answer.content.decode()

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [({}, "Choose a course, a program or a run."), ({"both": True}, "Choose only one at a time.")],
    )
    def test_one_thing_at_a_time(
        self, manager: Client, page: ContractPage, fields: dict[str, object], sentence: str
    ) -> None:
        given = (
            {"course": make_source_course().pk, "program": make_program_of(make_source_course()).pk} if fields else {}
        )
        answer = manager.post(url("add_courseware", page), self.form(**given))
        assert (answer.status_code, sentence in words(answer)) == (422, True)
        assert ContractCourseware.objects.filter(contract=page).count() == 1

    def test_refusals_are_shown_and_choices_are_kept(self, manager: Client, page: ContractPage) -> None:
        other = publish_contract(make_source_course(), name="Another", cap=1)
        taken = ContractRun.objects.get(contract=other).course_run
        taken.access = "public"
        taken.save()
        answer = manager.post(url("add_courseware", page), self.form(course_run=taken.pk))
        assert answer.status_code == 422
        assert f"belongs to contract {other.pk}" in words(answer)

    def test_a_plan_that_has_changed_is_shown_again(self, manager: Client, page: ContractPage) -> None:
        another = make_source_course()
        old = seen(manager.post(url("add_courseware", page), self.form(course=another.pk)))
        change_terms(page, max_learners=6)
        answer = manager.post(url("add_courseware", page), self.form(course=another.pk, seen=old))
        assert "Something changed in the meantime" in words(answer)
        assert "6 codes made" in words(answer)
        assert not ContractCourseware.objects.filter(course=another).exists()

    def test_removing_names_the_people_whose_codes_go_off(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        code.assigned_email = "ada@example.com"
        code.save()
        row = ContractCourseware.objects.get(contract=page)
        answer = manager.get(url("remove_courseware", page, row.pk))
        assert "ada@example.com" in words(answer)
        assert "4 codes switched off" in words(answer)
        row.refresh_from_db()
        assert row.removed_at is None
        manager.post(url("remove_courseware", page, row.pk), {"seen": seen(answer)})
        assert ContractCourseware.objects.filter(pk=row.pk, removed_at__isnull=False).exists()
        reconcile_contract(page)
        assert active_codes_of(page) == []

    def test_removed_courseware_can_be_restored(self, manager: Client, page: ContractPage) -> None:
        row = ContractCourseware.objects.get(contract=page)
        manager.post(
            url("remove_courseware", page, row.pk), {"seen": seen(manager.get(url("remove_courseware", page, row.pk)))}
        )
        reconcile_contract(page)
        shown = manager.get(url("courseware", page)).content.decode()
        again = f"{url('add_courseware', page)}?again={row.pk}"
        assert again in shown
        assert manager.get(again).status_code == 200
        answer = manager.post(url("add_courseware", page), self.form(course=row.course_id))
        manager.post(url("add_courseware", page), self.form(course=row.course_id, seen=seen(answer)))
        reconcile_contract(page)
        assert len(active_codes_of(page)) == 4
        assert manager.get(url("remove_courseware", page, 99_999)).status_code == 404

    def test_removing_without_having_seen_shows_the_plan(self, manager: Client, page: ContractPage) -> None:
        row = ContractCourseware.objects.get(contract=page)
        assert manager.post(url("remove_courseware", page, row.pk)).status_code == 200
        row.refresh_from_db()
        assert row.removed_at is None


class TestCodes:
    def listed(self, client: Client, page: ContractPage, **asked: str | int) -> set[str]:
        shown = client.get(url("codes_results", page), asked).content.decode()
        return {code.text for code in codes_of(page) if code.text in shown}

    def test_each_code_is_in_exactly_one_state(self, manager: Client, page: ContractPage) -> None:
        free, assigned, used, held = codes_of(page)
        assigned.assigned_email = "ada@example.com"
        assigned.save()
        redeem_code(page, used)
        hold_for_order(held)
        expected = {"free": free, "assigned": assigned, "used": used, "held": held}
        for state, code in expected.items():
            assert self.listed(manager, page, state=state) == {code.text}, state
        assert self.listed(manager, page, state="off") == set()
        DiscountCode.objects.update(active=False)
        assert self.listed(manager, page, state="off") == {free.text, assigned.text}
        assert self.listed(manager, page, state="used") == {used.text}

    def test_an_empty_list_of_codes_is_explained(self, manager: Client, page: ContractPage) -> None:
        asked = words(manager.get(url("codes_results", page), {"q": "zzzz"}))
        assert "No code matches" in asked
        DiscountCode.objects.all().delete()
        assert "A free contract with single sign-on needs none" in words(manager.get(url("codes_results", page)))

    def test_a_code_whose_access_was_withdrawn_says_so(self, manager: Client, page: ContractPage) -> None:
        redeem_code(page, codes_of(page)[0])
        CodeUse.objects.update(state=UseState.RETIRED)
        assert self.listed(manager, page, state="withdrawn") == {codes_of(page)[0].text}

    def test_codes_are_found_by_prefix_and_by_person(self, manager: Client, page: ContractPage) -> None:
        first, second, third, _fourth = codes_of(page)
        first.assigned_email, first.assigned_name = "ada@example.com", "Ada Lovelace"
        first.save()
        redeem_code(page, second, make_learner("grace@example.com"))
        assert self.listed(manager, page, q="lovelace") == {first.text}
        assert self.listed(manager, page, q="ada@") == {first.text}
        assert self.listed(manager, page, q="grace@example") == {second.text}
        assert self.listed(manager, page, q=third.text[:13].upper()) == {third.text}
        assert self.listed(manager, page, q="nobody") == set()

    def test_codes_are_filtered_by_course(self, manager: Client) -> None:
        page = publish_contract(make_source_course(title="One"), make_source_course(title="Two"), cap=2)
        run = ContractRun.objects.get(contract=page, course_run__title="Two")
        found = {code.text for code in codes_of(page) if code.discount.unlocks_id == run.product_id}
        assert self.listed(manager, page, run=run.pk) == found
        assert len(found) == 2

    def test_the_list_names_who_used_an_assigned_code(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        code.assigned_email = "ada@example.com"
        code.save()
        redeem_code(page, code, make_learner("grace@example.com"))
        shown = words(manager.get(url("codes", page)))
        assert "ada@example.com" in shown
        assert "Used by grace@example.com" in shown

    def test_a_shared_code_says_how_many(self, manager: Client) -> None:
        page = publish_contract(make_source_course())
        for _each in range(3):
            redeem_code(page, codes_of(page)[0])
        shown = words(manager.get(url("codes", page)))
        assert "shared" in shown
        assert "3 people" in shown

    def test_pages_follow_each_other_without_gaps(self) -> None:
        page = publish_contract(make_source_course(), make_source_course(), cap=7)
        runs, found, place = runs_of(page.pk), [], None
        while True:
            part = code_page(runs=runs, code_filter=CodeFilter(), now=NOW, after=place, size=3)
            found += [line.text for line in part.lines]
            if (place := part.after) is None:
                break
        assert sorted(found) == sorted(code.text for code in codes_of(page))
        assert len(found) == len(set(found)) == 14
        back = code_page(runs=runs, code_filter=CodeFilter(), now=NOW, before=part.before, size=3)
        assert [line.text for line in back.lines] == found[9:12]

    def test_a_whole_code_is_found_by_its_index(self, page: ContractPage) -> None:
        other = publish_contract(make_source_course(), cap=2, name="Another contract")
        sought, *_rest = codes_of(page)
        for typed in (sought.text, f" {sought.text.upper()} "):
            with CaptureQueriesContext(connection) as sent:
                found = code_page(runs=runs_of(page.pk), code_filter=CodeFilter(words=typed), now=NOW)
            assert [line.text for line in found.lines] == [sought.text]
            assert not [each for each in sent.captured_queries if "LIKE" in each["sql"]]
        for foreign in codes_of(other):
            assert not code_page(runs=runs_of(page.pk), code_filter=CodeFilter(words=foreign.text), now=NOW).lines

    def test_a_name_that_is_a_discount_code_is_looked_for(self, page: ContractPage) -> None:
        make_code(text="ADALOVELACE")
        assigned, *_rest = codes_of(page)
        DiscountCode.objects.filter(pk=assigned.pk).update(assigned_email="adalovelace@example.com")
        found = code_page(runs=runs_of(page.pk), code_filter=CodeFilter(words="adalovelace"), now=NOW)
        assert [line.text for line in found.lines] == [assigned.text]

    def test_pages_are_linked_and_keep_what_was_asked(self, manager: Client) -> None:
        page = publish_contract(make_source_course(), cap=60)
        first = manager.get(url("codes", page), {"state": "free"})
        after = re.search(r'rel="next" href="([^"]+)"', first.content.decode())
        assert after is not None
        second = manager.get(unescape(after.group(1)))
        assert second.content.decode().count("data-copy=") == 10
        before = re.search(r'rel="prev" href="([^"]+)"', second.content.decode())
        assert before is not None
        assert manager.get(unescape(before.group(1))).content.decode().count("data-copy=") == 50

    def test_nonsense_in_the_address_is_no_error(self, manager: Client, page: ContractPage) -> None:
        for asked in ({"after": "x.y"}, {"before": "9"}, {"state": "x"}, {"run": "x"}, {"run": "99999"}, {"p": "7"}):
            assert manager.get(url("codes", page), asked).status_code == 200
        assert manager.get(url("export_csv", page), {"state": "x", "run": "x"}).status_code == 200

    @pytest.mark.parametrize(("asked", "cost"), [({}, 17), ({"state": "free"}, 17), ({"q": "nobody"}, 17)])
    def test_the_list_costs_the_same_for_any_number(self, manager: Client, asked: dict[str, str], cost: int) -> None:
        page = publish_contract(make_source_course(), cap=2)
        manager.get(url("codes", page), asked)
        with queries(exactly=cost):
            manager.get(url("codes", page), asked)
        change_terms(page, max_learners=400)
        for code in codes_of(page)[:9]:
            redeem_code(page, code)
        with queries(exactly=cost):
            manager.get(url("codes", page), asked)

    def test_a_hundred_thousand_open_in_as_many_queries(self, manager: Client, page: ContractPage) -> None:
        manager.get(url("codes", page))
        make_many(page, 100_000)
        with queries(exactly=17):
            shown = manager.get(url("codes", page))
        assert "More than 10,000 codes" in words(shown)
        last = DiscountCode.objects.order_by("-pk")[20]
        with queries(exactly=17):
            shown = manager.get(url("codes", page), {"after": f"{last.discount_id}.{last.pk}"})
        assert shown.content.decode().count("data-copy=") == 20

    def test_many_are_not_counted_to_the_end(self, page: ContractPage, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(codes, "COUNTED", 3)
        part = code_page(runs=runs_of(page.pk), code_filter=CodeFilter(), now=NOW)
        assert not part.is_counted
        answer = sign_in_as("manager").get(url("codes", page))
        assert "More than" in words(answer)


class TestFiles:
    def rows(self, answer: Any) -> list[dict[str, str]]:
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(io.StringIO(text)))

    def test_all_codes_or_those_asked_for(self, manager: Client, page: ContractPage) -> None:
        used, given, off, _free = codes_of(page)
        redeem_code(page, used, make_learner("grace@example.com"))
        given.assigned_email, given.assigned_name, given.assigned_at = "ada@example.com", "=HYPERLINK(1)", NOW
        given.save()
        off.active = False
        off.save()
        everything = {row["Code"]: row for row in self.rows(manager.get(url("export_csv", page)))}
        assert set(everything) == {code.text for code in codes_of(page)}
        assert everything[used.text]["Redeemed"] == "Yes"
        assert everything[used.text]["Used by"] == "grace@example.com"
        assert (
            everything[given.text] | {"Given to": "ada@example.com", "Given on": "2025-11-21"} == everything[given.text]
        )
        assert everything[given.text]["Name"] == "'=HYPERLINK(1)"
        assert everything[off.text]["State"] == "Off"
        assert everything[off.text]["Redeem URL"].endswith(f"/enrollmentcode/{off.text}/")
        only = self.rows(manager.get(url("export_csv", page), {"state": "used"}))
        assert [row["Code"] for row in only] == [used.text]

    def test_the_workbook_says_the_same(self, manager: Client, page: ContractPage) -> None:
        redeem_code(page, codes_of(page)[0])
        book = load_workbook(io.BytesIO(b"".join(manager.get(url("export_xlsx", page)))))
        cells = [[str(cell or "") for cell in row] for row in book.active.iter_rows(values_only=True)]
        rows = self.rows(manager.get(url("export_csv", page)))
        assert cells == [list(rows[0]), *(list(row.values()) for row in rows)]

    def test_a_workbook_bears_what_people_are_called(self) -> None:
        file = io.BytesIO()
        write_workbook(file, [('<Ada> & "Co"', " two  blanks ", "bell\x07", "Žofie 🎓", "")], title='Codes & "more"')
        book = load_workbook(file)
        row = next(iter(book['Codes & "more"'].iter_rows(values_only=True)))
        assert row == ('<Ada> & "Co"', " two  blanks ", "bell", "Žofie 🎓", "")

    def test_too_many_codes_for_excel_are_refused_with_an_alternative(
        self, manager: Client, page: ContractPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(codes, "MAX_WORKBOOK_ROWS", 3)
        answer = manager.get(url("export_xlsx", page), follow=True)
        assert "Download them as CSV." in words(answer)

    def test_exports_are_logged_and_never_cached(self, manager: Client, page: ContractPage) -> None:
        answer = manager.get(url("export_csv", page))
        self.rows(answer)
        assert "no-store" in answer["Cache-Control"]
        assert PageLogEntry.objects.get(action="b2b.code.export").page_id == page.pk

    def test_files_cost_the_same_for_any_number(self, manager: Client, page: ContractPage) -> None:
        for cap in (4, 300):
            change_terms(page, max_learners=cap)
            with queries(exactly=EXPORT):
                assert len(self.rows(manager.get(url("export_csv", page)))) == cap

    def test_memory_stays_flat(self, page: ContractPage) -> None:
        """Read through a cursor and sent line by line: ten times the codes take no more room."""

        def peak() -> int:
            tracemalloc.start()
            for _line in code_file(contract_id=page.pk, code_filter=CodeFilter()):
                pass
            _now, highest = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return highest

        make_many(page, 10_000)
        few = peak()
        make_many(page, 90_000)
        assert peak() < few * 1.5


def make_many(page: ContractPage, count: int) -> None:
    """Insert this many codes of the contract's first course with one statement."""
    run_sql(
        "INSERT INTO ecommerce_discountcode (discount_id, text, max_uses, created_at)"
        " SELECT %s, gen_random_uuid()::text, 1, now() FROM generate_series(1, %s)",
        [runs_of(page.pk)[0].discount_id, count],
    )


class TestHandingOut:
    def test_a_code_is_assigned_and_the_mail_queued(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        assert code.text in words(manager.get(url("assign", page, code.pk)))
        manager.post(url("assign", page, code.pk), {"email": " Ada@Example.com ", "name": "Ada"})
        code.refresh_from_db()
        assert (code.assigned_email, code.assigned_name) == ("ada@example.com", "Ada")
        assert HandOut.objects.get().email == "ada@example.com"
        assert "Assigned a code to someone" in words(manager.get(url("activity", page)))
        assert "mail: Queued" in words(manager.get(url("codes", page)))

    def test_refusals_are_shown_and_input_is_kept(self, manager: Client, page: ContractPage) -> None:
        code, other = codes_of(page)[:2]
        assert manager.post(url("assign", page, code.pk), {"email": "ada"}).status_code == 422
        manager.post(url("assign", page, code.pk), {"email": "ada@example.com"})
        answer = manager.post(url("assign", page, other.pk), {"email": "ada@example.com", "name": "Ada"})
        assert answer.status_code == 422
        assert "Ada" in answer.content.decode()
        assert HandOut.objects.count() == 1

    def test_revoking_gives_the_code_a_new_text(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        old = code.text
        manager.post(url("assign", page, code.pk), {"email": "ada@example.com"})
        assert "stops working" in words(manager.get(url("revoke", page, code.pk)))
        manager.post(url("revoke", page, code.pk))
        texts = {each.text: each.assigned_email for each in codes_of(page)}
        assert old not in texts or not DiscountCode.objects.get(text=old).active
        assert "ada@example.com" not in texts.values()

    def test_revoking_what_is_free_is_refused(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        manager.post(url("revoke", page, code.pk), follow=True)
        assert codes_of(page)[0].text == code.text

    def test_reminding_twice_a_day_is_refused(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]
        manager.post(url("assign", page, code.pk), {"email": "ada@example.com"})
        HandOut.objects.update(given_at=timezone.now() - timedelta(days=3))
        assert "A reminder is on its way" in words(manager.post(url("remind", page, code.pk), follow=True))
        assert "A reminder is on its way" not in words(manager.post(url("remind", page, code.pk), follow=True))

    def test_many_are_checked_whole_before_anything_is_sent(self, manager: Client, page: ContractPage) -> None:
        run = ContractRun.objects.get(contract=page)
        people = "ada@example.com, Ada Lovelace\nnonsense\ngrace@example.com;Grace"
        answer = manager.post(url("hand_out", page), {"run": run.pk, "people": people})
        assert "nonsense" in words(answer)
        assert not HandOut.objects.exists()
        good = {"run": run.pk, "people": "ada@example.com, Ada Lovelace\ngrace@example.com;Grace"}
        shown = manager.post(url("hand_out", page), good)
        assert "Send 2 codes" in words(shown)
        assert not HandOut.objects.exists()
        manager.post(url("hand_out", page), good | {"seen": seen(shown)})
        assert set(HandOut.objects.values_list("email", "name")) == {
            ("ada@example.com", "Ada Lovelace"),
            ("grace@example.com", "Grace"),
        }
        assert mail.outbox == []  # the worker sends

    def test_after_sending_the_list_shows_what_was_sent(self, manager: Client, page: ContractPage) -> None:
        run = ContractRun.objects.get(contract=page)
        for people in (["ada@example.com"], ["grace@example.com", "bo@example.com"]):
            asked = {"run": run.pk, "people": "\n".join(people)}
            sent = asked | {"seen": seen(manager.post(url("hand_out", page), asked))}
            lines = manager.post(url("hand_out", page), sent, follow=True)
            shown = words(lines)
            assert all(email in shown for email in people)
            assert "Not assigned 2" not in shown
            assert len(lines.context["object_list"]) == (1 if len(people) == 1 else 3)

    def test_after_one_code_the_list_shows_that_code(self, manager: Client, page: ContractPage) -> None:
        code = codes_of(page)[0]

        def press(name: str, **data: str) -> list[CodeLine]:
            lines: list[CodeLine] = manager.post(url(name, page, code.pk), data, follow=True).context["object_list"]
            return lines

        assert [line.assigned_email for line in press("assign", email="ada@example.com")] == ["ada@example.com"]
        assert [line.pk for line in press("remind")] == [code.pk]
        assert [line.state for line in press("revoke")] == [CodeState.FREE]
        # From a second tab that still shows the button.
        assert [line.pk for line in press("revoke")] == [code.pk]

    def test_a_list_that_is_refused_promises_no_one_a_code(self, manager: Client, page: ContractPage) -> None:
        run = ContractRun.objects.get(contract=page)
        people = "\n".join(f"p{number}@example.com" for number in range(5)) + "\nnonsense"
        shown = words(manager.post(url("hand_out", page), {"run": run.pk, "people": people}))
        assert "5 seats are needed, but 4 are free" in shown
        assert "Gets a code" not in shown

    def test_another_list_than_the_one_seen_sends_nothing(self, manager: Client, page: ContractPage) -> None:
        run = ContractRun.objects.get(contract=page)
        old = seen(manager.post(url("hand_out", page), {"run": run.pk, "people": "ada@example.com"}))
        asked = {"run": run.pk, "people": "grace@example.com", "seen": old}
        assert "Something changed in the meantime." in words(manager.post(url("hand_out", page), asked))
        assert not HandOut.objects.exists()


class TestInvitations:
    """A contract without a cap has one code for everyone: people are invited with it."""

    @pytest.fixture
    def shared(self) -> ContractPage:
        return publish_contract(make_source_course(title="Statistics"))

    def invite(self, client: Client, page: ContractPage) -> HandOut:
        run = ContractRun.objects.get(contract=page)
        asked = {"run": run.pk, "people": "ada@example.com, Ada Lovelace"}
        client.post(url("hand_out", page), asked | {"seen": seen(client.post(url("hand_out", page), asked))})
        return HandOut.objects.get()

    def test_invitations_are_listed_with_their_state(self, manager: Client, shared: ContractPage) -> None:
        self.invite(manager, shared)
        assert self.listed(manager, shared, "Invited")
        redeem_code(shared, codes_of(shared)[0], make_learner("ada@example.com"))
        assert self.listed(manager, shared, "Joined")
        for state, found in {"came": True, "open_invitation": False, "canceled_invitation": False}.items():
            shown = words(manager.get(url("invitations_results", shared), {"state": state}))
            assert ("ada@example.com" in shown) is found, state

    def listed(self, client: Client, page: ContractPage, state: str) -> bool:
        shown = words(client.get(url("invitations", page)))
        return "Ada Lovelace" in shown and state in shown and "Statistics" in shown

    def test_one_is_canceled_and_the_code_stays(self, manager: Client, shared: ContractPage) -> None:
        invitation, text = self.invite(manager, shared), codes_of(shared)[0].text
        assert "keeps working" in words(manager.get(url("cancel_invitation", shared, invitation.pk)))
        answer = manager.post(url("cancel_invitation", shared, invitation.pk), follow=True)
        assert answer.redirect_chain[-1][0].endswith("?q=ada%40example.com")
        assert HandOut.objects.get().ended_at is not None
        assert codes_of(shared)[0].text == text
        assert self.listed(manager, shared, "Canceled")

    @pytest.mark.parametrize("resend", [True, False])
    def test_the_shared_code_is_replaced_after_a_warning(
        self, manager: Client, shared: ContractPage, *, resend: bool
    ) -> None:
        self.invite(manager, shared)
        old = active_codes_of(shared)[0]
        shown = words(manager.get(url("replace", shared, old.pk)))
        assert "Every link that was sent or published stops working." in shown
        assert "1 invitation is open." in shown
        answer = manager.post(url("replace", shared, old.pk), {"resend": "1"} if resend else {}, follow=True)
        assert [line.text for line in answer.context["object_list"]] == [code.text for code in active_codes_of(shared)]
        texts = [code.text for code in active_codes_of(shared)]
        assert len(texts) == 1
        assert old.text not in texts
        assert (HandOut.objects.get().ended_at is None) is resend

    def test_a_personal_code_is_not_replaced(self, manager: Client, page: ContractPage) -> None:
        assert manager.get(url("replace", page, codes_of(page)[0].pk)).status_code == 404
        assert manager.post(url("replace", page, codes_of(page)[0].pk)).status_code == 404

    def test_a_contract_with_a_cap_has_no_such_part(
        self, manager: Client, page: ContractPage, shared: ContractPage
    ) -> None:
        assert "Invitations" not in words(manager.get(url("terms", page)))
        assert "Invitations" in words(manager.get(url("terms", shared)))


class TestMembers:
    def test_people_are_added_by_their_addresses(self, manager: Client, page: ContractPage) -> None:
        ada, grace = make_learner("ada@example.com"), make_learner("grace@example.com")
        manager.post(url("add_member", page), {"emails": "ADA@example.com\n grace@example.com,"})
        seats = ContractMembership.objects.filter(contract=page)
        assert {seat.user_id for seat in seats} == {ada.pk, grace.pk}
        assert {seat.source for seat in seats} == {"staff"}
        assert ada.organization_memberships.exists()
        shown = words(manager.get(url("members", page)))
        assert "ada@example.com" in shown
        assert "Staff" in shown

    def test_one_unknown_address_adds_no_one(self, manager: Client, page: ContractPage) -> None:
        make_learner("ada@example.com")
        answer = manager.post(url("add_member", page), {"emails": "ada@example.com\nnobody@example.com"})
        assert answer.status_code == 422
        assert "No one has an account with this address: nobody@example.com." in words(answer)
        assert "ada@example.com" in answer.content.decode()
        assert not ContractMembership.objects.exists()

    def test_too_few_seats_add_no_one(self, manager: Client, page: ContractPage) -> None:
        people = [make_learner() for _each in range(5)]
        answer = manager.post(url("add_member", page), {"emails": "\n".join(user.email for user in people)})
        assert answer.status_code == 422
        assert "5 seats are needed, but 4 are free" in words(answer)
        assert not ContractMembership.objects.exists()

    def test_a_member_is_removed_with_a_reason(self, manager: Client, page: ContractPage) -> None:
        ada = make_learner("ada@example.com")
        redeem_code(page, codes_of(page)[0], ada)
        seat = ContractMembership.objects.get(user=ada)
        assert "Remove" in words(manager.get(url("remove_member", page, seat.pk)))
        assert manager.post(url("remove_member", page, seat.pk), {"reason": ""}).status_code == 422
        manager.post(url("remove_member", page, seat.pk), {"reason": "Has left"})
        assert not ContractMembership.objects.exists()
        assert Withdrawal.objects.get(user=ada).reason == "Has left"
        shown = words(manager.get(url("activity", page)))
        assert "Withdrew a seat" in shown
        assert "Has left" in shown

    def test_a_seat_of_another_contract_is_not_found(self, manager: Client, page: ContractPage) -> None:
        seat = take_seat(publish_contract(name="Another"), make_learner())
        assert manager.get(url("remove_member", page, seat.pk)).status_code == 404

    def test_a_member_is_moved_after_the_plan_was_shown(self, manager: Client) -> None:
        world = MovingWorld()
        page, other, ada = world.old, world.new, world.lea
        seat = ContractMembership.objects.get(user=ada)
        address = url("move_member", page, seat.pk)
        assert "Northgate Health: Clinical skills 2027" in words(manager.get(address))
        plan = words(manager.get(address, {"target": other.pk}))
        assert "0 joined · 0 in checkout · 0 invited · 2 free" in plan
        assert f"“{world.both.course_run.title}” continues in the other contract’s run." in plan
        assert f"“{world.only_old.course_run.title}” ends: the other contract doesn’t have it." in plan
        assert ContractMembership.objects.filter(contract=page).count() == 2, "nothing was written"
        assert manager.post(address, {"target": other.pk, "reason": ""}).status_code == 422
        manager.post(address, {"target": other.pk, "reason": "Next year"})
        assert {seat.contract_id: seat.user for seat in ContractMembership.objects.all()} == {
            other.pk: ada,
            page.pk: world.ben,
        }
        entries = PageLogEntry.objects.filter(action="b2b.seat.move", user__isnull=False)
        assert {entry.page_id for entry in entries} == {page.pk, other.pk}
        assert "Moved a person to another contract" in words(manager.get(url("activity", page)))
        assert manager.get(address).status_code == 404, "the seat is gone"

    def test_a_contract_without_a_free_seat_is_refused_in_the_plan_and_in_the_end(
        self, manager: Client, page: ContractPage
    ) -> None:
        full = publish_contract(make_source_course(), cap=1, name="Full")
        take_seat(full, make_learner())
        address = url("move_member", page, take_seat(page, make_learner("ada@example.com")).pk)
        for answer in (
            manager.get(address, {"target": full.pk}),
            manager.post(address, {"target": full.pk, "reason": "Next year"}),
        ):
            assert answer.status_code == 422
            assert "1 seat is needed, but 0 are free" in words(answer)
        assert ContractMembership.objects.filter(contract=page).exists()

    @pytest.mark.parametrize("target", ["", "abc", "999999", "this", "draft"])
    def test_a_changed_target_moves_no_one(self, manager: Client, page: ContractPage, target: str) -> None:
        draft = ContractPage(title="One begun", name="One begun", live=False)
        ensure_organization_page().add_child(instance=draft)
        asked = {"this": page.pk, "draft": draft.pk}.get(target, target)
        address = url("move_member", page, take_seat(page, make_learner("ada@example.com")).pk)
        assert manager.get(address, {"target": asked}).status_code == 422
        assert manager.post(address, {"target": asked, "reason": "Next year"}).status_code == 422
        assert ContractMembership.objects.get().contract_id == page.pk

    def test_members_in_checkout_cannot_be_moved(self, manager: Client, page: ContractPage) -> None:
        seat = take_seat(page, make_learner("ada@example.com"))
        assert "Move to another contract" in words(manager.get(url("members", page)))
        order = hold_for_order(codes_of(page)[0], seat.user).order
        ContractMembership.objects.filter(pk=seat.pk).update(state="held", order=order)
        assert "Move to another contract" not in words(manager.get(url("members", page)))
        other = publish_contract(make_source_course(), name="Next year")
        assert manager.get(url("move_member", page, seat.pk), {"target": other.pk}).status_code == 422

    def test_members_are_searched_and_filtered(self, manager: Client, page: ContractPage) -> None:
        take_seat(page, make_learner("ada@example.com"))
        take_seat(page, make_learner("grace@example.com"))
        ContractMembership.objects.filter(user__email="grace@example.com").update(source="sso")
        for asked, found in (({"q": "grace"}, "grace"), ({"source": "sso"}, "grace"), ({"source": "code"}, "ada")):
            shown = words(manager.get(url("members_results", page), asked))
            assert [name for name in ("ada@", "grace@") if name in shown] == [f"{found}@"]

    def test_the_list_costs_the_same_for_any_number(self, manager: Client, page: ContractPage) -> None:
        take_seat(page, make_learner())
        manager.get(url("members", page))
        with queries(exactly=MEMBER_LIST):
            manager.get(url("members", page))
        for _each in range(9):
            take_seat(page, make_learner())
        with queries(exactly=MEMBER_LIST):
            manager.get(url("members", page))


class TestActivity:
    def test_records_say_who_what_and_how_long(self, manager: Client, page: ContractPage) -> None:
        Reconcile.objects.update(finished_at=NOW + timedelta(seconds=3))
        shown = words(manager.get(url("activity", page)))
        assert "Done" in shown
        assert "active codes 0 → 4" in shown
        assert "3 seconds" in shown

    def test_a_failure_says_why(self, manager: Client, page: ContractPage) -> None:
        Reconcile.objects.update(state=ReconcileState.FAILED, error="Open edX would refuse the course key.")
        shown = words(manager.get(url("activity", page)))
        assert "Failed" in shown
        assert "Open edX would refuse the course key." in shown
