"""The contract commands: the documents' set-ups word for word, and every mistake an operator can make."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from wagtail.models import PageLogEntry

from b2b.enums import ReconcileState
from b2b.management.commands.b2b_contract import Command
from b2b.models import ContractPage, ContractRun, OrganizationPage, Reconcile
from courses.models import Course, CourseRun
from ecommerce.models import Discount, DiscountCode, PriceChange, Product
from mitxonline.kernel import clock
from tests.b2b.worlds import (
    NOW,
    active_codes_of,
    codes_of,
    ensure_organization_page,
    hold_for_order,
    make_learner,
    make_program_of,
    make_public_run,
    make_source_course,
    publish_contract,
    redeem_code,
    require_courses,
    runs_of,
    take_seat,
    terms_of,
)
from tests.support.commands import refusal_of, run_command

COURSE = "course-v1:TesseraX+CLIM101x"


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def climate() -> Course:
    return make_source_course(COURSE, title="Reading a changing climate")


@pytest.fixture
def capped(climate: Course) -> ContractPage:
    return publish_contract(climate, cap=3, name="Capped")


class TestTheDocuments:
    """The two quick set-ups of docs/contracts.md, as printed."""

    def test_sso_no_price_uncapped(self, climate: Course) -> None:
        made = run_command(
            'b2b_contract create UniversityX "UniversityX Contract" sso --description "Test uncapped SSO contract"'
        )
        assert "Made the organization “UniversityX”" in made.messages
        assert "UniversityX" in run_command("b2b_list organizations").result
        assert "UniversityX Contract" in run_command("b2b_list contracts").result
        page = ContractPage.objects.get()
        run_command(f"b2b_contract courseware {page.pk} {COURSE}")
        key = f"course-v1:UAI_UniversityX+CLIM101x+2025_C{page.pk}"
        assert key in run_command(f"b2b_list courseware --contract {page.pk}").result
        assert [one.courseware_id for one in runs_of(page)] == [key]
        assert codes_of(page) == []
        assert page.description == "<p>Test uncapped SSO contract</p>"

    def test_non_sso_no_price_capped(self, climate: Course) -> None:
        run_command(
            'b2b_contract create UniversityX "UniversityX Contract" non-sso --max-learners 200 '
            '--description "Test capped non-SSO contract"'
        )
        assert "UniversityX" in run_command("b2b_list organizations").result
        assert "200" in run_command("b2b_list contracts").result
        page = ContractPage.objects.get()
        done = run_command(f"b2b_contract courseware {page.pk} {COURSE}")
        assert "Done: 1 run made, 200 codes made." in done.messages
        assert "2025_C" in run_command(f"b2b_list courseware --contract {page.pk}").result
        run_command(f"b2b_list contracts --codes {page.pk}")
        with Path(f"codes-{page.pk}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 200
        assert set(rows[0]) == {"Code", "Product", "Redeemed", "Product URL", "Redeem URL"}

    def test_both_set_ups_make_two_contracts(self) -> None:
        run_command('b2b_contract create UniversityX "UniversityX Contract" sso')
        second = run_command('b2b_contract create UniversityX "UniversityX Contract" non-sso --max-learners 200')
        assert "another contract with this name" in second.messages
        assert OrganizationPage.objects.count() == 1
        assert ContractPage.objects.count() == 2

    @pytest.mark.parametrize("name", ["b2b_contract", "b2b_contracts"])
    def test_both_names_of_the_command_work(self, name: str) -> None:
        run_command(f"{name} create UniversityX C sso")
        assert ContractPage.objects.count() == 1

    def test_codes_can_be_listed_by_either_name(self, capped: ContractPage) -> None:
        run_command(f"b2b_list courses --codes {capped.pk} --codes-out a.csv")
        run_command(f"b2b_list contracts --codes {capped.pk} --codes-out b.csv")
        assert Path("a.csv").read_text() == Path("b.csv").read_text()


class TestCreate:
    def test_create_accepts_every_option(self) -> None:
        said = run_command(
            "b2b_contract create 'Tür & Tor' C sso --create --org-key TT --start 2026-01-01 --end 2026-06-30 "
            "--max-learners 20 --price 49.50 --description D --format json"
        )
        page = ContractPage.objects.get()
        assert said.rows == [
            {
                "id": page.pk,
                "name": "C",
                "slug": "c",
                "organization": "Tür & Tor",
                "type": "sso",
                "start": "2026-01-01",
                "end": "2026-06-30",
                "active": True,
                "max_learners": 20,
                "members": 0,
                "price": "49.50",
            }
        ]
        assert OrganizationPage.objects.get().org_key == "TT"
        assert Reconcile.objects.get().state == ReconcileState.DONE

    def test_the_same_again_finds_it(self) -> None:
        first = run_command("b2b_contract create U C sso --max-learners 3 --format json")
        again = run_command("b2b_contract create U C sso --max-learners 3 --format json")
        assert again.rows == first.rows
        assert "nothing was made" in again.messages

    @pytest.mark.parametrize(
        ("word", "kind"), [("auto", "sso"), ("managed", "sso"), ("code", "non-sso"), ("SSO", "sso")]
    )
    def test_older_words_for_the_type(self, word: str, kind: str) -> None:
        run_command(f"b2b_contract create U C {word}")
        assert ContractPage.objects.get().integration_type == kind

    def test_codes_without_a_cap_are_made_with_a_warning(self) -> None:
        assert "Warning" in run_command("b2b_contract create U C non-sso").messages
        assert "Warning" not in run_command("b2b_contract create U D non-sso --max-learners 2").messages
        assert "Warning" not in run_command("b2b_contract create U E sso").messages

    def test_a_dry_run_makes_nothing(self) -> None:
        said = run_command("b2b_contract create U C sso --dry-run --format json")
        assert [row["action"] for row in said.rows] == ["make_organization", "make_contract"]
        assert "It would be: a new organization, a new contract." in said.messages
        assert not OrganizationPage.objects.exists()
        run_command("b2b_contract create U C sso")
        assert run_command("b2b_contract create U C sso --dry-run --format json").rows == []

    def test_queued_it_waits_for_the_worker(self) -> None:
        run_command("b2b_contract create U C sso --queue")
        assert Reconcile.objects.get().state == ReconcileState.WAITING

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("U C", "required"),
            ("'' C sso", "needs a name"),
            ("U ' ' sso", "needs a name"),
            (f"U {'x' * 256} sso", "longer than 255"),
            ("U C maybe", "“maybe” is no integration type"),
            ("U C sso --start 31/12/2025", "--start: “31/12/2025” is not a date"),
            ("U C sso --end 2025-02-30", "--end: “2025-02-30” is not a date"),
            ("U C sso --start tomorrow", "not a date"),
            ("U C sso --end 9999-12-31", "--end: write a day from 1900-01-01 to 2999-12-31, or none"),
            ("U C sso --start 0001-01-01", "--start: write a day from 1900-01-01"),
            ("U C sso --start 2026-02-01 --end 2026-01-31", "can't end"),
            ("U C sso --max-learners -1", "--max-learners"),
            ("U C sso --max-learners many", "--max-learners"),
            ("U C sso --max-learners 1.5", "--max-learners"),
            ("U C sso --max-learners 1_0", "--max-learners"),
            ("U C sso --max-learners 9999999999", "--max-learners"),
            ("U C sso --price -1", "--price"),
            ("U C sso --price free", "--price"),
            ("U C sso --price 4_9", "--price"),
            ("U C sso --price NaN", "--price"),
            ("U C sso --price 1e30", "--price"),
            ("U C sso --price 9.999", "USD has 2 digits"),
            ("U C sso --org-key 'a b'", "organization key"),
            ("U C sso --org-key 'a b' --dry-run", "organization key"),
            (f"U C sso --org-key {'k' * 31}", "is longer than 30 characters"),
            ("株式会社 C sso", "--org-key"),
            ("U C sso --nonsense", "nonsense"),
        ],
    )
    def test_a_slip_gets_a_sentence_and_makes_nothing(self, line: str, words: str) -> None:
        assert words in refusal_of(f"b2b_contract create {line}")
        assert not ContractPage.objects.exists()

    def test_almost_the_name_of_another_organization(self) -> None:
        ensure_organization_page("UniversityX")
        assert "--create" in refusal_of("b2b_contract create 'University x' C sso")
        run_command("b2b_contract create 'University x' C sso --create")
        assert OrganizationPage.objects.count() == 2


class TestModify:
    def test_terms_change_and_codes_follow(self, capped: ContractPage) -> None:
        said = run_command(
            f"b2b_contract modify {capped.pk} --max-learners 5 --price 10 --start 2026-01-01 --end 2026-06-30 "
            "--description 'New words'"
        )
        assert "seats: 3 → 5" in said.messages
        assert "Done: dates of 1 run moved, 1 price set, 2 codes made." in said.messages
        terms = terms_of(capped)
        assert (terms.max_learners, terms.price, terms.start, terms.end) == (
            5,
            Decimal(10),
            date(2026, 1, 1),
            date(2026, 6, 30),
        )
        assert len(active_codes_of(capped)) == 5
        assert ContractPage.objects.get().description == "<p>New words</p>"

    def test_removing_wins_over_setting_and_inactive_over_active(self, capped: ContractPage) -> None:
        run_command(
            f"b2b_contract modify {capped.pk} --max-learners 5 --no-learner-cap --price 3 --no-price "
            "--start 2026-01-01 --no-start-date --end 2026-01-01 --no-end-date --active --inactive"
        )
        terms = terms_of(capped)
        assert (terms.max_learners, terms.price, terms.start, terms.end) == (None, None, None, None)
        assert not terms.active

    @pytest.mark.parametrize("word", ["--inactive", "--delete"])
    def test_switching_off_makes_and_changes_no_codes(self, capped: ContractPage, word: str) -> None:
        before = list(DiscountCode.objects.order_by("pk").values())
        run_command(f"b2b_contract modify {capped.pk} {word}")
        assert not terms_of(capped).active
        assert list(DiscountCode.objects.order_by("pk").values()) == before
        run_command(f"b2b_contract modify {capped.pk} --active")
        assert terms_of(capped).active

    def test_zero_is_none(self, capped: ContractPage) -> None:
        run_command(f"b2b_contract modify {capped.pk} --max-learners 0 --price 0")
        assert (terms_of(capped).max_learners, terms_of(capped).price) == (None, None)

    def test_a_changed_price_is_printed_with_its_currency(self, capped: ContractPage) -> None:
        assert "free → $20.00\n" in run_command(f"b2b_contract modify {capped.pk} --price 20").messages
        assert "$20.00 → $12.50\n" in run_command(f"b2b_contract modify {capped.pk} --price 12.50").messages

    def test_nothing_to_change_still_checks_the_codes(self, capped: ContractPage) -> None:
        DiscountCode.objects.filter(pk=codes_of(capped)[0].pk).delete()
        said = run_command(f"b2b_contract modify {capped.pk}")
        assert "has these terms already" in said.messages
        assert "1 code made" in said.messages

    def test_a_dry_run_says_what_would_happen(self, capped: ContractPage) -> None:
        said = run_command(f"b2b_contract modify {capped.pk} --max-learners 1 --price 5 --dry-run --format json")
        assert [(row["action"], row["count"]) for row in said.rows] == [("set_price", None), ("switch_off", 2)]
        assert terms_of(capped).max_learners == 3
        assert len(active_codes_of(capped)) == 3

    def test_queued_the_worker_follows(self, capped: ContractPage) -> None:
        said = run_command(f"b2b_contract modify {capped.pk} --max-learners 9 --queue")
        assert "Queued" in said.messages
        assert len(codes_of(capped)) == 3
        assert Reconcile.objects.filter(state=ReconcileState.WAITING).exists()

    def test_another_way_in_and_another_name(self, capped: ContractPage) -> None:
        redeem_code(capped, codes_of(capped)[0])
        planned = run_command(f"b2b_contract modify {capped.pk} --type sso --no-learner-cap --dry-run --format json")
        assert [(row["action"], row["count"]) for row in planned.rows] == [("delete", 2)]
        assert "Deletes 2 codes that no one has." in planned.messages
        said = run_command(
            f"b2b_contract modify {capped.pk} --type sso --no-learner-cap --name 'Signed in' --format json"
        )
        assert said.rows == planned.rows
        page = ContractPage.objects.get(pk=capped.pk)
        assert (page.name, page.title, page.slug) == ("Signed in", "Signed in", capped.slug)
        assert len(codes_of(capped)) == 1
        assert "no integration type" in refusal_of(f"b2b_contract modify {capped.pk} --type maybe")

    def test_the_price_takes_effect_before_the_worker_has_come(self, capped: ContractPage) -> None:
        run_command(f"b2b_contract modify {capped.pk} --price 10 --queue")
        discount = Discount.objects.get(unlocks__contract_run__contract=capped)
        assert discount.unlocks is not None
        assert (discount.amount, discount.unlocks.price) == (Decimal(10), Decimal(10))
        assert PriceChange.objects.get(old_price=0).new_price == 10

    def test_an_open_draft_stops_the_command(self, capped: ContractPage) -> None:
        capped.welcome_message = "Draft"
        capped.save_revision(user=make_learner("editor@example.com"))
        assert "editor@example.com" in refusal_of(f"b2b_contract modify {capped.pk} --max-learners 5")
        assert "--over-draft" in refusal_of(f"b2b_contract modify {capped.pk} --max-learners 5 --dry-run")
        run_command(f"b2b_contract modify {capped.pk} --max-learners 5 --over-draft")
        assert terms_of(capped).max_learners == 5

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("abc", "“abc” is not a contract id"),
            ("-1", "-1"),
            ("99999", "There is no contract 99999"),
            ("{id} --end 2020-01-01 --start 2021-01-01", "can't end"),
            ("{id} --price -3", "--price"),
            ("{id} --max-learners x", "--max-learners"),
        ],
    )
    def test_a_slip_gets_a_sentence_and_changes_nothing(self, capped: ContractPage, line: str, words: str) -> None:
        assert words in refusal_of(f"b2b_contract modify {line.format(id=capped.pk)}")
        assert terms_of(capped).max_learners == 3

    def test_an_end_before_the_start_the_contract_has(self) -> None:
        page = publish_contract(start=date(2026, 1, 1))
        assert "can't end" in refusal_of(f"b2b_contract modify {page.pk} --end 2025-12-31")


class TestCourseware:
    def test_a_program_makes_runs_for_all_its_courses(self) -> None:
        page = publish_contract(cap=2)
        both = make_program_of(make_source_course(), make_source_course())
        said = run_command(f"b2b_contract courseware {page.pk} {both.readable_id} --format json")
        assert [(row["action"], row["count"]) for row in said.rows] == [
            ("cover", None),
            ("make_run", None),
            ("make_run", None),
            ("make", 2),
            ("make", 2),
        ]
        assert len(active_codes_of(page)) == 4

    def test_again_says_there_is_nothing_to_do(self, capped: ContractPage) -> None:
        said = run_command(f"b2b_contract courseware {capped.pk} {COURSE} --format json")
        assert said.rows == []
        assert "nothing to make or change" in said.messages

    def test_a_run_is_assigned(self) -> None:
        page = publish_contract(cap=2)
        given = make_public_run(make_source_course(runs=()), "1T2025")
        said = run_command(f"b2b_contract courseware {page.pk} {given.courseware_id}")
        assert "1 run taken over, 2 codes made" in said.messages
        assert runs_of(page)[0].pk == given.pk

    def test_no_create_runs_covers_the_course_without_runs(self, climate: Course) -> None:
        page = publish_contract(cap=2)
        said = run_command(f"b2b_contract courseware {page.pk} {COURSE} --no-create-runs")
        assert "Done: 1 item of courseware covered." in said.messages
        assert runs_of(page) == []
        listed = run_command(f"b2b_list courseware --contract {page.pk} --format json").rows
        assert [(row["type"], row["readable_id"]) for row in listed] == [("course", COURSE)]

    def test_the_source_is_warned_of(self) -> None:
        page = publish_contract(cap=1)
        plain, bare = make_source_course(runs=("1T2024",)), make_source_course(runs=())
        assert "has no SOURCE run;" in run_command(f"b2b_contract courseware {page.pk} {plain.readable_id}").messages
        assert "waits for a source" in run_command(f"b2b_contract courseware {page.pk} {bare.readable_id}").messages

    def test_taking_the_source_itself_is_warned_of(self, climate: Course) -> None:
        page = publish_contract(cap=1)
        source = climate.runs.get(run_tag="SOURCE")
        for way in ("--dry-run", ""):
            said = run_command(f"b2b_contract courseware {page.pk} {source.courseware_id} {way}")
            assert (
                f"Warning: {source.courseware_id} is the run that new runs of {COURSE} are copied from" in said.messages
            )
        plain = make_public_run(climate, "1T2025")
        assert "Warning" not in run_command(f"b2b_contract courseware {page.pk} {plain.courseware_id}").messages

    def test_prefix_and_rerun(self, climate: Course) -> None:
        page = publish_contract(cap=1)
        run_command(f"b2b_contract courseware {page.pk} {COURSE} --prefix X_")
        run_command(f"b2b_contract courseware {page.pk} {COURSE} --rerun")
        stem = f"UniversityX+CLIM101x+2025_C{page.pk}"
        assert [one.courseware_id for one in runs_of(page)] == [f"course-v1:X_{stem}", f"course-v1:UAI_{stem}"]
        assert len(active_codes_of(page)) == 2

    def test_a_dry_run_makes_nothing_and_says_the_same(self, climate: Course) -> None:
        page = publish_contract(cap=2)
        planned = run_command(f"b2b_contract courseware {page.pk} {COURSE} --dry-run --format json")
        assert not page.courseware.exists()
        done = run_command(f"b2b_contract courseware {page.pk} {COURSE} --format json")
        assert planned.rows == done.rows

    def test_queued_the_worker_follows(self, climate: Course) -> None:
        page = publish_contract(cap=2)
        said = run_command(f"b2b_contract courseware {page.pk} {COURSE} --queue")
        assert "Queued" in said.messages
        assert runs_of(page) == []
        assert page.courseware.count() == 1

    def test_removing_names_the_people_whose_codes_go(self, capped: ContractPage) -> None:
        codes = codes_of(capped)
        redeem_code(capped, codes[0])
        hold_for_order(codes[1])
        DiscountCode.objects.filter(pk=codes[2].pk).update(assigned_email="amara@example.com")
        planned = run_command(f"b2b_contract courseware {capped.pk} {COURSE} --remove --dry-run --format json")
        assert len(active_codes_of(capped)) == 3
        said = run_command(f"b2b_contract courseware {capped.pk} {COURSE} --remove --format json")
        assert said.rows == planned.rows
        assert "given to amara@example.com" in said.result
        assert "1 run removed, 2 codes switched off" in said.messages
        assert runs_of(capped) == []
        assert ContractRun.objects.filter(contract=capped).count() == 1

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("abc x", "“abc” is not a contract id"),
            ("99999 x", "There is no contract 99999"),
            ("{id}", "required"),
            ("{id} course-v1:TesseraX+CLIM10x", f"Did you mean “{COURSE}”"),
            ("{id} nonsense", "There is no course, run or program “nonsense”"),
            ("{id} program-v1:TesseraX+none", "There is no course, run or program"),
            ("{id} {empty}", "has no courses yet"),
            ("{id} {taken}", "belongs to contract"),
            ("{id} {fresh} --remove", "doesn’t cover"),
            ("{id} {fresh} --remove --rerun", "can’t be used with"),
            ("{id} {fresh} --rerun --no-create-runs", "can’t be used with"),
            ("{id} {fresh} --prefix 'a b'", "Open edX would refuse"),
        ],
    )
    def test_a_slip_gets_a_sentence_and_changes_nothing(self, capped: ContractPage, line: str, words: str) -> None:
        fresh = make_source_course()
        other = publish_contract(make_source_course(), name="Other", cap=1)
        names = {
            "id": capped.pk,
            "empty": make_program_of().readable_id,
            "taken": runs_of(other)[0].courseware_id,
            "fresh": fresh.readable_id,
        }
        before = (CourseRun.all_objects.count(), DiscountCode.objects.count(), capped.courseware.count())
        for way in ("", " --dry-run", " --queue"):
            assert words in refusal_of(f"b2b_contract courseware {line.format(**names)}{way}")
        assert (CourseRun.all_objects.count(), DiscountCode.objects.count(), capped.courseware.count()) == before


class TestWho:
    """Every record names the acting user."""

    def test_an_account_that_is_named(self, capped: ContractPage, climate: Course) -> None:
        operator = make_learner("operator@example.com")
        run_command(f"b2b_contract modify {capped.pk} --max-learners 4 --price 10 --as operator@example.com")
        run_command(f"b2b_contract courseware {capped.pk} {COURSE} --remove --as operator@example.com")
        assert {record.requested_by_id for record in Reconcile.objects.all()[:2]} == {operator.pk}
        assert PriceChange.objects.get(old_price__isnull=False).changed_by_id == operator.pk
        entries = PageLogEntry.objects.filter(user=operator).values_list("action", flat=True)
        assert {"b2b.terms.change", "b2b.courseware.remove", "wagtail.publish"} <= set(entries)
        made = run_command("b2b_contract create Other C sso --as operator@example.com --format json").rows[0]["id"]
        assert ContractPage.objects.get(pk=made).latest_revision.user_id == operator.pk
        assert OrganizationPage.objects.get(name="Other").latest_revision.user_id == operator.pk

    def test_without_an_actor_the_login_name_is_recorded(
        self, capped: ContractPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("getpass.getuser", lambda: "deploy")
        run_command(f"b2b_contract modify {capped.pk} --max-learners 4")
        assert Reconcile.objects.all()[0].reason == "b2b_contract modify, typed by deploy"
        entry = PageLogEntry.objects.filter(action="b2b.terms.change").latest("timestamp")
        assert entry.data["way"] == "b2b_contract modify, typed by deploy"
        assert entry.data["changes"] == ["seats: 3 → 4"]

    def test_a_machine_without_names(self, capped: ContractPage, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody() -> str:
            raise KeyError("uid not found")

        monkeypatch.setattr("getpass.getuser", nobody)
        run_command(f"b2b_contract modify {capped.pk} --max-learners 4")
        assert "an unnamed user" in Reconcile.objects.all()[0].reason

    @pytest.mark.parametrize("address", ["nobody@example.com", "gone@example.com"])
    def test_an_account_there_is_not(self, capped: ContractPage, address: str) -> None:
        gone = make_learner("gone@example.com")
        type(gone).objects.filter(pk=gone.pk).update(is_active=False)
        for line in ("create U C sso", f"modify {capped.pk} --max-learners 9", f"check {capped.pk} --fix"):
            assert f"no active account “{address}”" in refusal_of(f"b2b_contract {line} --as {address}")
        assert terms_of(capped).max_learners == 3
        assert ContractPage.objects.count() == 1


class TestCheck:
    def test_all_is_well(self, capped: ContractPage) -> None:
        assert "Everything agrees" in run_command("b2b_contract check").messages
        assert run_command(f"b2b_contract check {capped.pk} --format json").rows == []

    def test_findings_are_listed_with_status_1(self, capped: ContractPage, capsys: pytest.CaptureFixture[str]) -> None:
        Product.objects.filter(contract_run__contract=capped).update(price=7)
        with pytest.raises(SystemExit) as end:
            Command().run_from_argv(["manage.py", "b2b_contract", "check", str(capped.pk), "--format", "json"])
        assert end.value.code == 1
        said = capsys.readouterr()
        (row,) = json.loads(said.out)
        assert (row["contract_id"], row["kind"], row["fault"]) == (capped.pk, "price", True)
        assert row["note"] == "The product’s price is $7.00; it should be $0.00."
        assert said.err.strip().splitlines()[-1] == "CommandError: 1 thing disagrees with the terms; --fix fixes it."

    def test_fix_repairs_findings_and_its_dry_run_does_not(self, capped: ContractPage) -> None:
        Product.objects.filter(contract_run__contract=capped).update(price=7)
        assert "1 thing disagrees" in refusal_of("b2b_contract check --fix --dry-run")
        assert Product.objects.get(contract_run__contract=capped).price == 7
        assert "Fixed: 1 of 1." in run_command("b2b_contract check --fix").messages
        assert Product.objects.get(contract_run__contract=capped).price == 0

    def test_fix_reports_what_it_cannot_repair(self, capped: ContractPage) -> None:
        owner = ensure_organization_page("Other")
        grown = make_program_of(make_source_course())
        broken = publish_contract(grown, cap=1, name="Broken", of=owner)
        require_courses(grown, make_source_course())
        OrganizationPage.objects.filter(pk=owner.pk).update(org_key_prefix="ü")
        Product.objects.filter(contract_run__contract=capped).update(price=7)
        words = refusal_of("b2b_contract check --fix")
        assert "still disagree" in words
        assert Product.objects.get(contract_run__contract=capped).price == 0
        refused = refusal_of(f"b2b_contract courseware {broken.pk} {grown.readable_id} --rerun")
        assert "“ü” can’t be part of it" in refused

    def test_changes_by_hand_are_no_fault(self, capped: ContractPage) -> None:
        CourseRun.all_objects.filter(contract_run__contract=capped).update(live=False)
        said = run_command(f"b2b_contract check {capped.pk} --format json")
        assert [row["kind"] for row in said.rows] == ["set_by_hand"]
        assert "1 thing was set by hand and stays" in said.messages
        run_command(f"b2b_contract check {capped.pk} --fix")
        assert not runs_of(capped)[0].live
        run_command(f"b2b_contract check {capped.pk} --fix --reset")
        assert runs_of(capped)[0].live

    def test_orphans_are_switched_off(self, capped: ContractPage) -> None:
        capped.contract_runs.all().delete()
        assert "3 things" in refusal_of("b2b_contract check")
        run_command(f"b2b_contract courseware {capped.pk} {COURSE} --remove")
        run_command("b2b_contract check --fix")
        assert not DiscountCode.objects.filter(active=True).exists()

    @pytest.mark.parametrize(
        ("line", "words"),
        [("abc", "is not a contract id"), ("99999", "There is no contract"), ("--reset", "--reset needs --fix")],
    )
    def test_a_slip_gets_a_sentence(self, capped: ContractPage, line: str, words: str) -> None:
        assert words in refusal_of(f"b2b_contract check {line}")


class TestLists:
    def test_organizations_are_listed(self) -> None:
        publish_contract(name="One")
        publish_contract(name="Two")
        ensure_organization_page("Elsewhere")
        rows = run_command("b2b_list organizations --format json").rows
        assert [(row["name"], row["key"], row["contracts"]) for row in rows] == [
            ("UniversityX", "UniversityX", 2),
            ("Elsewhere", "Elsewhere", 0),
        ]
        only = run_command("b2b_list organizations --organization elsewhere --format json").rows
        assert [row["name"] for row in only] == ["Elsewhere"]

    def test_contracts_of_an_organization_by_any_of_its_names(self) -> None:
        publish_contract(name="One")
        owner = ensure_organization_page("University of Y")
        publish_contract(name="Two", of=owner)
        for text in (owner.pk, "University of Y", owner.slug, owner.org_key):
            rows = run_command(f"b2b_list contracts --org '{text}' --format json").rows
            assert [row["name"] for row in rows] == ["Two"]

    def test_words_for_people_and_values_for_programs(self) -> None:
        publish_contract(name="One")
        table = run_command("b2b_list contracts").result
        assert "Unlimited" in table
        assert "Free" in table
        (row,) = run_command("b2b_list contracts --format json").rows
        assert (row["max_learners"], row["price"], row["active"], row["members"]) == (None, None, True, 0)
        assert run_command("b2b_list contracts --format csv").result.startswith('"ID","Name"')

    def test_courseware_is_listed(self, climate: Course) -> None:
        both = make_program_of(climate, make_source_course())
        page = publish_contract(both, cap=1, start=date(2026, 1, 1), end=date(2026, 6, 30))
        publish_contract(make_source_course(), name="Other")
        rows = run_command(f"b2b_list courseware --contract {page.pk} --format json").rows
        assert [row["type"] for row in rows] == ["program", "run", "run"]
        assert rows[0]["readable_id"] == both.readable_id
        assert (rows[1]["start"], rows[1]["end"]) == ("2026-01-01", "2026-06-30")
        assert len(run_command("b2b_list courseware --format json").rows) == 4
        assert len(run_command("b2b_list courses --format json").rows) == 4

    def test_removed_runs_are_not_the_contracts_any_more(self, capped: ContractPage) -> None:
        run_command(f"b2b_contract courseware {capped.pk} {COURSE} --remove")
        assert run_command(f"b2b_list courseware --contract {capped.pk} --format json").rows == []

    def test_learners_are_listed(self, capped: ContractPage) -> None:
        redeem_code(capped, codes_of(capped)[0], make_learner("amara@example.com"))
        other = publish_contract(name="Other")
        take_seat(other, make_learner("zoe@example.com"))
        rows = run_command(f"b2b_list learners --contract {capped.pk} --format json").rows
        assert [(row["email"], row["contract"], row["source"]) for row in rows] == [
            ("amara@example.com", "Capped", "code")
        ]
        assert len(run_command("b2b_list learners --org UniversityX --format json").rows) == 2

    def test_an_empty_list_says_so(self) -> None:
        said = run_command("b2b_list contracts")
        assert "nothing to list" in said.messages
        assert run_command("b2b_list contracts --format json").rows == []

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("", "required"),
            ("nonsense", "invalid choice"),
            ("organizations --org nope", "There is no organization “nope”"),
            ("contracts --org nope", "There is no organization “nope”"),
            ("courseware --contract abc", "“abc” is not a contract id"),
            ("courseware --contract 99999", "There is no contract 99999"),
            ("learners", "Choose whose learners"),
            ("contracts --all", "--all needs --codes"),
            ("contracts --codes-out x.csv", "--codes-out needs --codes"),
            ("contracts --codes abc", "“abc” is not a contract id"),
            ("contracts --codes 99999", "There is no contract 99999"),
            ("contracts --codes 99999 --org UniversityX", "Leave the other filters out"),
            ("courses --codes 99999 --contract 3", "Leave the other filters out"),
        ],
    )
    def test_a_slip_gets_a_sentence(self, line: str, words: str) -> None:
        assert words in refusal_of(f"b2b_list {line}")
        assert not list(Path.cwd().iterdir())


class TestCodesFile:
    def test_the_result_names_the_file(self, capped: ContractPage) -> None:
        said = run_command(f"b2b_list contracts --codes {capped.pk} --format json")
        assert said.rows == [{"contract_id": capped.pk, "file": f"codes-{capped.pk}.csv", "codes": 3}]
        assert "Wrote 3 codes" in said.messages

    def test_switched_off_codes_are_added_with_all(self, capped: ContractPage) -> None:
        run_command(f"b2b_contract modify {capped.pk} --max-learners 1")
        run_command(f"b2b_list contracts --codes {capped.pk} --codes-out some.csv")
        run_command(f"b2b_list contracts --codes {capped.pk} --codes-out all.csv --all")
        assert len(Path("some.csv").read_text().splitlines()) == 2
        assert len(Path("all.csv").read_text().splitlines()) == 4

    def test_only_its_owner_can_read_it(self, capped: ContractPage) -> None:
        run_command(f"b2b_list contracts --codes {capped.pk} --codes-out x.csv")
        assert Path("x.csv").stat().st_mode & 0o077 == 0

    def test_the_worker_is_mentioned_where_it_is_not_done(self, climate: Course) -> None:
        page = publish_contract(climate, cap=2, settled=False)
        assert "Warning: the worker is still" in run_command(f"b2b_list contracts --codes {page.pk}").messages

    @pytest.mark.parametrize(("path", "words"), [("nowhere/x.csv", "doesn't exist"), (".", "it is a folder")])
    def test_an_unwritable_file_is_reported_first(self, capped: ContractPage, path: str, words: str) -> None:
        assert words in refusal_of(f"b2b_list contracts --codes {capped.pk} --codes-out {path}")
        assert not list(Path.cwd().iterdir())

    def test_impossible_file_names_are_reported(self, capped: ContractPage) -> None:
        Path("loop").symlink_to("loop")
        for path, words in (("x" * 300 + ".csv", "name too long"), ("loop", "leads to itself")):
            sentence = refusal_of(f"b2b_list contracts --codes {capped.pk} --codes-out {path}")
            assert "can't be written" in sentence
            assert words in sentence.lower()

    def test_an_existing_file_stays_when_writing_fails(
        self, capped: ContractPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("x.csv").write_text("before")

        def full(file: Any, **options: Any) -> int:
            file.write("half of it")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("b2b.management.commands.b2b_list.write_codes", full)
        words = refusal_of(f"b2b_list contracts --codes {capped.pk} --codes-out x.csv")
        assert "No space left on device" in words
        assert Path("x.csv").read_text() == "before"
        assert [path.name for path in Path.cwd().iterdir()] == ["x.csv"]

    def test_the_export_can_go_to_standard_output(self, capped: ContractPage) -> None:
        said = run_command(f"b2b_list contracts --codes {capped.pk} --codes-out -")
        rows = list(csv.DictReader(StringIO(said.result)))
        assert {row["Code"] for row in rows} == {code.text for code in codes_of(capped)}
        assert not list(Path.cwd().iterdir())

    def test_a_full_device_is_reported(self, capped: ContractPage) -> None:
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        assert "No space left" in refusal_of(f"b2b_list contracts --codes {capped.pk} --codes-out /dev/full")

    def test_the_export_can_go_to_a_device(self, capped: ContractPage) -> None:
        run_command(f"b2b_list contracts --codes {capped.pk} --codes-out /dev/null")
        assert Path("/dev/null").exists()


@pytest.mark.parametrize("arguments", [[], ["create", "U"], ["courseware", "1", "x", "--nonsense"]])
def test_wrong_arguments_end_with_status_1_and_a_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        Command().run_from_argv(["manage.py", "b2b_contract", *arguments])
    assert end.value.code == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_the_sites_zone_decides_which_day_is_the_first(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    late: Callable[[], datetime] = lambda: datetime(2025, 12, 31, 20, 0, tzinfo=UTC)  # noqa: E731
    monkeypatch.setattr(clock, "now", late)
    one = make_source_course()
    page = publish_contract(cap=1, start=date(2026, 1, 1))
    run_command(f"b2b_contract courseware {page.pk} {one.readable_id}")
    (made,) = runs_of(page)
    assert made.courseware_id.endswith(f"+2026_C{page.pk}")
    assert made.start_date == datetime(2025, 12, 31, 15, 0, tzinfo=UTC)
