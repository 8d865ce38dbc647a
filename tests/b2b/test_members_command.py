"""Adding and removing many members by command: all of them are checked before anything is written."""

from __future__ import annotations

from datetime import date
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries
from wagtail.models import PageLogEntry

from b2b.errors.contracts import ContractNotPublished, SeatsGoneMeanwhile
from b2b.models import ContractMembership, ContractPage, OrganizationMembership, Withdrawal
from b2b.services.contracts.pages import add_child
from b2b.services.seats import bulk
from b2b.services.seats.bulk import ChangeMembers, MembershipChange, change_members, plan_change_members
from b2b.services.seats.membership import add_member
from ecommerce.models import CodeUse
from mitxonline.users.models import User
from tests.b2b.worlds import (
    NOW,
    SSO,
    codes_of,
    ensure_organization_page,
    hold_for_order,
    make_learner,
    make_source_course,
    publish_contract,
    redeem_code,
    take_seat,
)
from tests.support.commands import CommandOutput, refusal_of, run_command


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def page() -> ContractPage:
    return publish_contract(make_source_course(), cap=3, name="Capped")


@pytest.fixture
def people() -> list[User]:
    return [make_learner(f"{name}@example.com") for name in ("ada", "ben", "cleo")]


def members(page: ContractPage) -> list[str]:
    seats = ContractMembership.objects.filter(contract=page, state="active")
    return sorted(seats.values_list("user__email", flat=True))


def outcomes(said: CommandOutput) -> list[tuple[str, str]]:
    return [(row["email"], row["outcome"]) for row in said.rows]


def file(text: str, name: str = "people.csv") -> str:
    Path(name).write_text(text)
    return name


class TestAdding:
    def test_people_get_seats_and_belong_to_the_organization(self, page: ContractPage, people: list[User]) -> None:
        said = run_command(f"b2b_contract members {page.pk} --add Ada@Example.com ben@example.com --format json")
        assert outcomes(said) == [("Ada@Example.com", "joins"), ("ben@example.com", "joins")]
        assert "2 get a seat, 0 lose theirs" in said.messages
        assert members(page) == ["ada@example.com", "ben@example.com"]
        assert OrganizationMembership.objects.count() == 2
        assert {seat.source for seat in ContractMembership.objects.all()} == {"staff"}

    def test_again_is_harmless(self, page: ContractPage, people: list[User]) -> None:
        line = f"b2b_contract members {page.pk} --add ada@example.com ada@example.com --format json"
        assert [outcome for _email, outcome in outcomes(run_command(line))] == ["joins", "twice"]
        assert [outcome for _email, outcome in outcomes(run_command(line))] == ["is_in", "twice"]
        assert members(page) == ["ada@example.com"]

    def test_a_file_with_headings_in_any_order(self, page: ContractPage, people: list[User]) -> None:
        name = file("\ufeffName;E-Mail\nAda Byron;ada@example.com\n\n;ben@example.com\n")
        said = run_command(f"b2b_contract members {page.pk} --file {name} --format json")
        assert [(row["line"], row["email"]) for row in said.rows] == [(2, "ada@example.com"), (4, "ben@example.com")]
        assert members(page) == ["ada@example.com", "ben@example.com"]

    def test_a_file_of_addresses_alone(self, page: ContractPage, people: list[User]) -> None:
        run_command(
            f"b2b_contract members {page.pk} --add --file {file('ada@example.com' + chr(10) + 'cleo@example.com')}"
        )
        assert members(page) == ["ada@example.com", "cleo@example.com"]

    def test_addresses_are_read_from_standard_input(
        self, page: ContractPage, people: list[User], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"email\nada@example.com\n")))
        run_command(f"b2b_contract members {page.pk} --file -")
        assert members(page) == ["ada@example.com"]

    def test_more_people_than_seats_adds_no_one(self, page: ContractPage, people: list[User]) -> None:
        take_seat(page, make_learner())
        words = refusal_of(f"b2b_contract members {page.pk} --add {' '.join(one.email for one in people)}")
        assert "3 seats are needed" in words
        assert "3 seats are needed, but 2 are free" in words
        assert len(members(page)) == 1
        run_command(f"b2b_contract members {page.pk} --add {people[0].email} {people[1].email}")
        assert "1 seat is needed" in refusal_of(f"b2b_contract members {page.pk} --add {people[2].email}")

    def test_a_seat_held_in_checkout_is_counted_once(self, page: ContractPage, people: list[User]) -> None:
        use = hold_for_order(codes_of(page)[0], people[0])
        ContractMembership.objects.create(
            contract=page, user=people[0], state="held", source="code", order=use.order, since=NOW
        )
        run_command(f"b2b_contract members {page.pk} --add {' '.join(one.email for one in people)}")
        assert len(members(page)) == 3

    def test_without_a_cap_there_is_room_for_all(self, people: list[User]) -> None:
        page = publish_contract(make_source_course(), integration=SSO, name="Open")
        run_command(f"b2b_contract members {page.pk} --add {' '.join(one.email for one in people)}")
        assert len(members(page)) == 3

    def test_a_dry_run_says_the_same_and_writes_nothing(self, page: ContractPage, people: list[User]) -> None:
        line = f"b2b_contract members {page.pk} --add ada@example.com --remove ben@example.com --format json"
        take_seat(page, people[1])
        planned = run_command(f"{line} --dry-run")
        assert "Dry run: nothing was changed. It would be: 1 get a seat, 1 lose theirs" in planned.messages
        assert members(page) == ["ben@example.com"]
        assert run_command(line).rows == planned.rows
        assert members(page) == ["ada@example.com"]


class TestProblems:
    def test_unknown_addresses_stop_the_command_and_are_named(self, page: ContractPage, people: list[User]) -> None:
        User.objects.filter(pk=people[1].pk).update(is_active=False)
        name = file('email\nada@example.com\nnobody@example.com\nnot an address\nben@example.com\n""\n')
        with pytest.raises(Exception, match="3 of the 4 people listed have a problem"):
            run_command(f"b2b_contract members {page.pk} --file {name} --format json")
        assert members(page) == []

    def test_unknown_addresses_can_be_skipped(self, page: ContractPage, people: list[User]) -> None:
        said = run_command(
            f"b2b_contract members {page.pk} --add ada@example.com nobody@example.com --skip-unknown --format json"
        )
        assert outcomes(said) == [("ada@example.com", "joins"), ("nobody@example.com", "no_account")]
        assert "1 were skipped because they have no account" in said.messages
        assert members(page) == ["ada@example.com"]
        assert not User.objects.filter(email="nobody@example.com").exists()

    def test_a_draft_has_no_seats(self, people: list[User]) -> None:
        page = add_child(
            parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="D", name="D", live=False)
        )
        assert "isn’t published" in refusal_of(f"b2b_contract members {page.pk} --add ada@example.com")
        with pytest.raises(ContractNotPublished):
            plan_change_members(ChangeMembers(contract_id=page.pk, changes=[]))

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("", "Name the people"),
            ("--add", "Write the addresses"),
            ("--add a@example.com --remove A@example.com", "a@example.com can’t be both added and removed"),
            ("--add --remove --file people.csv", "use either --add or --remove"),
            ("--file nowhere.csv", "can’t read nowhere.csv"),
            ("--file empty.csv", "there are no people in"),
            ("--file unknown.csv", "can be read in more than one way"),
            ("--file book.xlsx", "can’t be read as an Excel workbook"),
            ("--file heading.csv", "has no e-mail addresses"),
            ("--file quote.csv", "can’t be read as CSV"),
            ("--add ada@example.com --as nobody@example.com", "--as: there is no active account"),
        ],
    )
    def test_a_slip_gets_a_sentence_and_changes_nothing(
        self, page: ContractPage, people: list[User], line: str, words: str
    ) -> None:
        file("email\nada@example.com\n")
        file("", "empty.csv")
        file("Name,Town\nAda,London\n", "heading.csv")
        file("email\n" + "x" * 140_000 + "\n", "quote.csv")
        Path("unknown.csv").write_bytes(b"email\n\x81\x8d@example.com\n")
        Path("book.xlsx").write_bytes(b"PK\x03\x04\0\0")
        assert words in refusal_of(f"b2b_contract members {page.pk} {line}")
        assert members(page) == []

    def test_another_contract_is_not_touched(self, page: ContractPage, people: list[User]) -> None:
        other = publish_contract(make_source_course(), cap=1, name="Other")
        take_seat(other, people[0])
        run_command(f"b2b_contract members {page.pk} --remove ada@example.com")
        assert members(other) == ["ada@example.com"]
        assert "There is no contract 99999" in refusal_of("b2b_contract members 99999 --add ada@example.com")


class TestRemoving:
    def test_the_seat_is_free_and_the_code_retired(self, page: ContractPage, people: list[User]) -> None:
        use = redeem_code(page, codes_of(page)[0], people[0])
        said = run_command(
            f"b2b_contract members {page.pk} --remove ada@example.com ben@example.com --reason 'left the company' "
            "--format json"
        )
        assert outcomes(said) == [("ada@example.com", "leaves"), ("ben@example.com", "not_in")]
        assert members(page) == []
        assert CodeUse.objects.get(pk=use.pk).state == "retired"
        assert Withdrawal.objects.get().reason == "left the company"

    def test_the_seats_that_get_free_can_be_taken(self, page: ContractPage, people: list[User]) -> None:
        for _ in range(2):
            take_seat(page, make_learner())
        take_seat(page, people[0])
        run_command(f"b2b_contract members {page.pk} --remove ada@example.com --add ben@example.com")
        assert "ben@example.com" in members(page)
        assert len(members(page)) == 3

    def test_a_file_of_people_who_leave(self, page: ContractPage, people: list[User]) -> None:
        take_seat(page, people[0])
        take_seat(page, people[1])
        run_command(f"b2b_contract members {page.pk} --remove --file {file('ada@example.com' + chr(10))}")
        assert members(page) == ["ben@example.com"]

    def test_access_that_was_withdrawn_comes_back(self, page: ContractPage, people: list[User]) -> None:
        add_member(contract_id=page.pk, user_id=people[0].pk, now=NOW)
        run_command(f"b2b_contract members {page.pk} --remove ada@example.com")
        said = run_command(f"b2b_contract members {page.pk} --add ada@example.com --format json")
        assert outcomes(said) == [("ada@example.com", "comes_back")]
        assert members(page) == ["ada@example.com"]


class TestWhoDidIt:
    def test_the_account_that_was_named(self, page: ContractPage, people: list[User]) -> None:
        operator = make_learner("operator@example.com")
        run_command(f"b2b_contract members {page.pk} --add ada@example.com --as Operator@example.com")
        assert ContractMembership.objects.get().added_by_id == operator.pk
        assert PageLogEntry.objects.get(action="b2b.seat.give").user_id == operator.pk

    def test_without_a_reason_the_login_name_is_recorded(
        self, page: ContractPage, people: list[User], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: "deploy")
        take_seat(page, people[0])
        run_command(f"b2b_contract members {page.pk} --remove ada@example.com")
        assert Withdrawal.objects.get().reason == "b2b_contract members, typed by deploy"


def changes(people: list[User]) -> list[MembershipChange]:
    return [MembershipChange(one.email, joins=True) for one in people]


def test_a_long_list_gives_the_lock_back_in_between(
    page: ContractPage, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PORTION", 2)
    told: list[tuple[int, int]] = []
    change_members(
        ChangeMembers(contract_id=page.pk, changes=changes(people)),
        reason="",
        now=NOW,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(2, 3), (3, 3)]
    assert len(members(page)) == 3


def test_seats_taken_meanwhile_are_reported(
    page: ContractPage, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PORTION", 1)

    def somebody_else(done: int, total: int) -> None:
        if done == 1:
            take_seat(page, make_learner())
            take_seat(page, make_learner())

    with pytest.raises(SeatsGoneMeanwhile, match="1 people were added, 2 were not"):
        change_members(
            ChangeMembers(contract_id=page.pk, changes=changes(people)), reason="", now=NOW, progress=somebody_else
        )
    assert len(members(page)) == 3


@pytest.mark.parametrize("count", [1, 40])
def test_looking_costs_the_same_for_any_number_of_people(
    count: int, page: ContractPage, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    many = [make_learner() for _ in range(count)]
    with django_assert_num_queries(6):
        plan_change_members(ChangeMembers(contract_id=page.pk, changes=changes(many)))


def test_a_contract_that_is_over_can_still_be_given_to_people(people: list[User]) -> None:
    page = publish_contract(make_source_course(), cap=2, end=date(2025, 1, 1), name="Over")
    assert "isn’t open today" in run_command(f"b2b_contract members {page.pk} --add ada@example.com").messages
    assert members(page) == ["ada@example.com"]


def test_options_of_other_actions_are_refused(page: ContractPage) -> None:
    assert "unrecognized" in refusal_of(f"b2b_contract members {page.pk} --add a@example.com --price 3")
