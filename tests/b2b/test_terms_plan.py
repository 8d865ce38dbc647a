"""The plan of new terms is exactly what happens, for every row of the decision table and every transition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import product
from typing import Unpack

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from b2b.enums import IntegrationType
from b2b.errors.contracts import CourseKeyImpossible, TermsInvalid
from b2b.models import ContractPage, ContractTerms, OrganizationPage
from b2b.services.contracts.contracts import ModifyContract, PageChanges
from b2b.services.contracts.pages import add_child
from b2b.services.contracts.terms_plan import TermsPlan, plan_modify_contract, plan_terms
from b2b.services.contracts.wording import PlanLine
from b2b.services.courseware.courseware import RemoveCourseware, remove_courseware
from courses.enums import EnrollmentMode, EnrollmentSource
from courses.services.enrollments import enroll
from ecommerce.enums import UseState
from ecommerce.models import CodeUse, DiscountCode, PriceChange, Product
from tests.b2b.snapshots import CodeSnapshot, as_observed, rolled_back
from tests.b2b.worlds import (
    NON_SSO,
    NOW,
    SSO,
    active_codes_of,
    change_terms,
    codes_of,
    discounts_of,
    ensure_organization_page,
    hold_for_order,
    leave_seat,
    make_learner,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    require_courses,
    runs_of,
    take_seat,
)


@dataclass(frozen=True)
class Terms:
    """One row of the decision table."""

    kind: IntegrationType
    cap: int | None
    price: int | None
    active: bool = True

    @property
    def changes(self) -> PageChanges:
        return {
            "integration_type": self.kind,
            "max_learners": self.cap,
            "enrollment_fixed_price": Decimal(self.price) if self.price is not None else None,
            "active": self.active,
        }

    @property
    def needs_codes(self) -> bool:
        return self.kind == NON_SSO or self.price is not None


ROWS = st.builds(
    Terms,
    kind=st.sampled_from([SSO, NON_SSO]),
    cap=st.sampled_from([None, 1, 2, 4, 6]),
    price=st.sampled_from([None, 10, 25]),
    active=st.sampled_from([True, True, True, False]),
)
# What may have become of a code by then.
FATES = st.sampled_from(["redeemed", "held", "assigned", "left", "withdrawn", "given back", "switched off", "ordered"])
STORIES = st.lists(st.tuples(FATES, st.integers(min_value=0, max_value=7)), max_size=6)


def befall(page: ContractPage, fate: str, code: DiscountCode) -> None:
    """Apply one event to a code."""
    learner = make_learner()
    if fate == "assigned":
        DiscountCode.objects.filter(pk=code.pk).update(assigned_email=learner.email)
        return
    if fate == "switched off":
        DiscountCode.objects.filter(pk=code.pk, uses=0, assigned_email="").update(active=False)
        return
    if not code.active or (code.max_uses is not None and code.uses >= code.max_uses):
        return
    if fate == "held":
        hold_for_order(code, learner)
        take_seat(page, learner)
        return
    if fate == "given back":
        use = hold_for_order(code, learner)
        CodeUse.objects.filter(pk=use.pk).update(state=UseState.RELEASED, held_until=None)
        DiscountCode.objects.filter(pk=code.pk, max_uses__isnull=False).update(uses=code.uses - 1)
        return
    use = redeem_code(page, code, learner)
    if fate in ("left", "withdrawn"):
        leave_seat(page, learner)
    if fate == "withdrawn":
        CodeUse.objects.filter(pk=use.pk).update(state=UseState.RETIRED)


def in_r(code: DiscountCode) -> bool:
    """Redeemed, held or assigned."""
    return bool(code.assigned_email) or code.code_uses.filter(state__in=["held", "confirmed"]).exists()


def counts(page: ContractPage, code: DiscountCode) -> bool:
    """Whether an active code stands for a seat: unused, or used by someone who has one, or is about to."""
    uses = code.code_uses.exclude(state=UseState.RELEASED)
    seated = page.memberships.values_list("user_id", flat=True)
    return (
        not uses.exists()
        or uses.filter(state=UseState.HELD).exists()
        or uses.filter(state=UseState.CONFIRMED, user_id__in=seated).exists()
    )


def assert_table(page: ContractPage, terms: Terms, before: CodeSnapshot) -> None:
    """Check the codes against the decision table, without using the code under test."""
    for discount in discounts_of(page):
        codes = list(discount.codes.order_by("pk"))
        active = [code for code in codes if code.active]
        assert discount.amount == (terms.price or 0)
        assert discount.unlocks is not None
        assert discount.unlocks.price == (terms.price or 0)
        assert discount.unlocks.requires_code
        if not terms.active:
            continue
        if not terms.needs_codes:
            known = [pk for pk, code in before.codes.items() if code.discount_id == discount.pk]
            assert {code.pk for code in codes} <= set(known), "none made"
            if terms.cap is None:
                assert all(in_r(code) for code in active)
            else:
                assert {code.pk for code in codes} == set(known), "existing ones stay"
        elif terms.cap is None:
            assert active
            assert {code.max_uses for code in active} == {None}
        else:
            assert all(code.max_uses is not None and code.max_uses == max(1, code.uses) for code in active)
            counting = [code for code in active if counts(page, code)]
            if len(counting) > terms.cap:
                assert not [code for code in counting if not in_r(code)], "surplus that no one has is off"
            assert len(counting) >= terms.cap


@pytest.mark.timeout(600)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(first=ROWS, story=STORIES, then=st.lists(ROWS, min_size=1, max_size=2))
@example(first=Terms(NON_SSO, 6, None), story=[], then=[Terms(NON_SSO, 2, None), Terms(NON_SSO, 6, None)])
@example(first=Terms(NON_SSO, None, None), story=[("redeemed", 0), ("left", 0)], then=[Terms(NON_SSO, 4, 10)])
@example(first=Terms(NON_SSO, 4, 10), story=[("withdrawn", 1), ("assigned", 2)], then=[Terms(SSO, None, None)])
@example(first=Terms(SSO, None, None), story=[], then=[Terms(SSO, 4, None), Terms(SSO, 4, 25), Terms(NON_SSO, 1, None)])
def test_the_plan_is_what_happens(first: Terms, story: Sequence[tuple[str, int]], then: Sequence[Terms]) -> None:
    with rolled_back():
        page = publish_contract(
            make_program_of(make_source_course(), make_source_course()), integration=first.kind, cap=first.cap
        )
        change_terms(page, **first.changes)
        for fate, place in story:
            if codes := codes_of(page):
                befall(page, fate, codes[place % len(codes)])
        for terms in then:
            assert_plan_holds(page, terms)


def assert_plan_holds(page: ContractPage, terms: Terms) -> None:
    before, prices = CodeSnapshot.now(page), PriceChange.objects.count()
    kept = {pk: (code.text, code.active) for pk, code in before.codes.items() if in_r(code)}
    plan = plan_modify_contract(ModifyContract(contract_id=page.pk, changes=terms.changes), now=NOW)
    assert CodeSnapshot.now(page).facts == before.facts
    change_terms(page, **terms.changes)
    after = CodeSnapshot.now(page)
    assert before.what_became(after) == as_observed(plan.reconcile.code_change)
    assert PriceChange.objects.count() - prices == sum(line.action == "set_price" for line in plan.lines)
    assert {pk: (after.codes[pk].text, after.codes[pk].active) for pk in kept} == kept, "no one's code is touched"
    assert_table(page, terms, before)
    again = plan_modify_contract(ModifyContract(contract_id=page.pk, changes=terms.changes), now=NOW)
    assert again.is_empty
    assert again.reconcile.staying == plan.reconcile.staying
    assert reconcile_contract(page).pk is None
    assert CodeSnapshot.now(page).facts == after.facts


class TestWhatIsSaid:
    """The sentences an editor confirms."""

    def plan(self, page: ContractPage, **changes: Unpack[PageChanges]) -> TermsPlan:
        return plan_modify_contract(ModifyContract(contract_id=page.pk, changes=changes), now=NOW)

    def test_a_higher_cap(self) -> None:
        page = publish_contract(make_source_course(), make_source_course(), cap=3)
        plan = self.plan(page, max_learners=5)
        assert plan.sentences == ("Makes 4 codes.",)
        assert [(one.label, one.before, one.after) for one in plan.changes] == [("seats", "3", "5")]

    def test_a_lower_cap_with_codes_that_stay_and_members_above(self) -> None:
        page = publish_contract(make_source_course(), cap=4)
        for code in codes_of(page)[:3]:
            redeem_code(page, code)
        plan = self.plan(page, max_learners=2)
        assert plan.sentences == (
            "Switches off 1 code.",
            "1 code more than seats stays on, because someone has it.",
            "Seats: 3 joined · 0 in checkout · 0 invited · 0 free.",
            "1 seat more than the cap is taken: no one is removed, and no one gets in until there is room.",
        )
        assert (plan.seats.joined, plan.seats.held, plan.cap, plan.seats.over_cap) == (3, 0, 2, 1)

    def test_no_cap_and_a_cap_again(self) -> None:
        page = publish_contract(make_source_course(), cap=3)
        assert self.plan(page, max_learners=None).sentences == (
            "There is no learner cap any more: any number of people can join.",
            "Makes 3 codes unlimited.",
        )
        change_terms(page, max_learners=None)
        assert self.plan(page, max_learners=5).sentences == ("Limits 3 codes to one use each.", "Makes 2 codes.")

    def test_changes_by_hand_are_planned_as_repairs(self) -> None:
        page = publish_contract(make_source_course(), make_source_course(), cap=1, price="10")
        Product.objects.filter(contract_run__contract=page).update(requires_code=False)
        assert self.plan(page, max_learners=2).sentences == (
            "Sets 2 products and discounts right.",
            "Makes 2 codes.",
        )

    def test_a_new_price_is_planned(self) -> None:
        page = publish_contract(make_source_course(), make_source_course(), cap=1, price="10")
        plan = self.plan(page, enrollment_fixed_price=Decimal("15.50"))
        assert plan.sentences == ("Sets the price of 2 courses to $15.50; orders keep theirs.",)
        assert [line.note for line in plan.lines if line.action == "set_price"] == ["$10.00 → $15.50"] * 2
        assert [(one.label, one.before, one.after) for one in plan.changes] == [
            ("price for each learner and course", "$10.00", "$15.50")
        ]

    def test_new_dates_are_planned(self) -> None:
        page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
        removed = make_source_course()
        by_hand = runs_of(page)[0]
        plan = self.plan(page, contract_end=date(2026, 7, 31))
        assert plan.sentences == ("Moves the dates of 1 run.",)
        (move,) = plan.dates
        change_terms(page, contract_end=date(2026, 7, 31))
        by_hand.refresh_from_db()
        assert (move.start, move.end) == (by_hand.start_date, by_hand.end_date)
        assert removed.runs.count() == 1

    def test_ending_by_the_last_day(self) -> None:
        page, other = (
            publish_contract(make_source_course(), make_source_course(), cap=3),
            publish_contract(make_source_course(), name="Goes on", cap=3),
        )
        learners = [make_learner() for _ in range(3)]
        for run, learner in [*product(runs_of(page), learners[:2]), (runs_of(other)[0], learners[2])]:
            enroll(
                user_id=learner.pk, run_id=run.pk, mode=EnrollmentMode.VERIFIED, source=EnrollmentSource.CODE,
                reference="", now=NOW,
            )  # fmt: skip
        plan = self.plan(page, contract_end=date(2025, 11, 20))
        assert plan.sentences == (
            "The contract is over: no one new gets in, and its codes are refused.",
            "2 people’s courses end on 20 November 2025.",
            "Moves the dates of 2 runs.",
        )
        change_terms(page, contract_end=date(2025, 11, 20))
        assert self.plan(page, contract_end=date(2026, 1, 1)).sentences[0].startswith("The contract is open from now")
        assert "is over" not in " ".join(self.plan(page, max_learners=2).sentences), "it was over before"

    def test_a_first_day_to_come(self) -> None:
        page = publish_contract(make_source_course(), cap=3)
        assert self.plan(page, contract_start=date(2026, 1, 1)).sentences[0] == (
            "No one new gets in until 1 January 2026, when its codes begin to work."
        )

    def test_members_keep_their_seats_until_the_first_day(self) -> None:
        page = publish_contract(make_source_course(), cap=3)
        for code in codes_of(page)[:2]:
            redeem_code(page, code)
        assert self.plan(page, contract_start=date(2026, 1, 1)).sentences[:2] == (
            "No one new gets in until 1 January 2026, when its codes begin to work.",
            "2 members keep their seats and courses.",
        )

    def test_codes_that_people_have_keep_working_beside_single_sign_on(self) -> None:
        page = publish_contract(make_source_course(), cap=4)
        used, handed, other, _free = codes_of(page)
        redeem_code(page, used)
        DiscountCode.objects.filter(pk__in=[handed.pk, other.pk]).update(assigned_email="lea@x.example")
        plan = self.plan(page, integration_type=SSO, max_learners=None)
        assert "2 live codes keep working: they let people in beside signing in." in plan.sentences
        change_terms(page, integration_type=SSO, max_learners=None)
        assert {code.pk for code in active_codes_of(page)} >= {handed.pk, other.pk}

    def test_switching_off_and_on(self) -> None:
        page = publish_contract(make_source_course(), cap=2)
        assert self.plan(page, active=False).sentences[0].startswith("The contract becomes inactive")
        change_terms(page, active=False)
        assert self.plan(page, active=True, max_learners=3).sentences == (
            "The contract is active again.",
            "Makes 1 code.",
        )

    def test_to_single_sign_on_and_free(self) -> None:
        page = publish_contract(make_source_course(), cap=3)
        redeem_code(page, codes_of(page)[0])
        plan = self.plan(page, integration_type=SSO, max_learners=None)
        assert plan.sentences == (
            "People of the organization join by signing in.",
            "There is no learner cap any more: any number of people can join.",
            "Deletes 2 codes that no one has.",
        )

    def test_a_page_that_was_never_live(self) -> None:
        page = add_child(
            parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="D", name="D", live=False)
        )
        plan = plan_terms(page=page, now=NOW)
        assert plan.before is None
        assert plan.sentences == ("The contract comes into force.",)
        assert plan.warnings[0].startswith("This contract has no learner cap")
        assert {one.before for one in plan.changes} == {""}
        assert not ContractTerms.objects.exists()

    def test_under_an_organization_that_is_not_published(self) -> None:
        page = publish_contract(make_source_course(), cap=3)
        OrganizationPage.objects.update(live=False)
        (warning,) = self.plan(page, max_learners=4).warnings
        assert "isn’t published: its members can’t find its page" in warning
        assert self.plan(page, active=False).warnings == ()

    def test_a_day_that_some_time_zones_dont_have(self) -> None:
        # The end of 9999-12-31 in New York is in the year 10000 everywhere else, and such a row can't be read again.
        page = publish_contract()
        for name, day in (("contract_end", date.max), ("contract_start", date.min)):
            wrong = ContractPage.objects.get(pk=page.pk)
            setattr(wrong, name, day)
            with pytest.raises(TermsInvalid, match="Enter a day from 1900-01-01 to 2999-12-31"):
                plan_terms(page=wrong, now=NOW)

    def test_impossible_terms_are_refused(self) -> None:
        page = publish_contract()
        page.contract_start, page.contract_end = date(2026, 2, 1), date(2026, 1, 1)
        with pytest.raises(TermsInvalid):
            plan_terms(page=page, now=NOW)

    def test_a_program_that_grew_is_part_of_it(self) -> None:
        grown = make_program_of(make_source_course())
        page = publish_contract(grown, cap=2)
        require_courses(grown, make_source_course())
        plan = self.plan(page, max_learners=3)
        assert plan.sentences == ("Makes 1 run with its product.", "Makes 4 codes.")
        OrganizationPage.objects.update(org_key_prefix="no key ")
        with pytest.raises(CourseKeyImpossible, match=r"“ ” can’t be part of it"):
            self.plan(page, max_learners=3)

    def test_unchanged_terms_plan_nothing(self) -> None:
        page = publish_contract(make_source_course(), cap=2)
        assert self.plan(page).is_empty
        assert self.plan(page, max_learners=2).is_empty
        assert not self.plan(page, max_learners=3).is_empty

    def test_the_fingerprint_is_of_what_was_shown(self) -> None:
        page = publish_contract(make_source_course(), cap=5)
        shown = self.plan(page, max_learners=2).fingerprint
        assert self.plan(page, max_learners=2).fingerprint == shown
        assert self.plan(page, max_learners=3).fingerprint != shown
        for code in codes_of(page)[:3]:
            redeem_code(page, code)
        assert self.plan(page, max_learners=2).fingerprint != shown

    def test_its_lines_are_those_of_the_command(self) -> None:
        page = publish_contract(make_source_course(), cap=5, price="10")
        (run,) = runs_of(page)
        lines = self.plan(page, max_learners=2, enrollment_fixed_price=None).lines
        assert lines == [
            PlanLine("set_price", key=run.courseware_id, title=run.title, note="$10.00 → $0.00"),
            PlanLine("switch_off", key=run.courseware_id, title=run.title, count=3),
        ]
        assert [line.label for line in lines] == ["set price", "switch codes off"]


def test_a_removed_runs_new_dates_are_not_in_the_plan() -> None:
    one = make_source_course()
    page = publish_contract(one, end=date(2026, 6, 30))
    remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    reconcile_contract(page)
    plan = plan_modify_contract(
        ModifyContract(contract_id=page.pk, changes={"contract_end": date(2026, 7, 31)}), now=NOW
    )
    assert [move.is_removed for move in plan.dates] == [True]
    assert plan.sentences == ()
