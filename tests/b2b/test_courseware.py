"""A contract's courseware: added, added again, removed and restored."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from b2b.errors.contracts import (
    ContractNotPublished,
    ContractUnknown,
    CoursewareNotCovered,
    CoursewareUnknown,
    ProgramEmpty,
    RunOfAnotherContract,
)
from b2b.models import ContractCourseware, ContractPage, ContractRun
from b2b.services.contracts.pages import add_child
from b2b.services.courseware.courseware import (
    AddCourseware,
    RemoveCourseware,
    add_courseware,
    assigned_codes,
    plan_add_courseware,
    plan_remove_courseware,
    remove_courseware,
)
from courses.enums import EnrollmentMode, RunAccess
from courses.models import Course, CourseRun, Program
from ecommerce.enums import DiscountType, PaymentType
from ecommerce.models import Discount, DiscountCode, PriceChange, Product
from tests.b2b.worlds import (
    NOW,
    active_codes_of,
    add_to_contract,
    codes_of,
    discounts_of,
    ensure_organization_page,
    hold_for_order,
    make_learner,
    make_program_of,
    make_public_run,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    runs_of,
)


def remove(page: ContractPage, readable_id: str) -> None:
    remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=readable_id), now=NOW)
    reconcile_contract(page)


def everything(page: ContractPage) -> list[object]:
    """Return all rows that belong to the contract, for comparison."""
    return [
        list(table.order_by("pk").values())
        for table in (
            ContractCourseware.objects.filter(contract=page),
            ContractRun.objects.filter(contract=page),
            CourseRun.all_objects.filter(contract_run__contract=page),
            Product.objects.filter(contract_run__contract=page),
            DiscountCode.objects.filter(discount__unlocks__contract_run__contract=page),
        )
    ]


@pytest.mark.parametrize("kind", ["course", "program", "run"])
def test_adding_again_changes_nothing(kind: str) -> None:
    one = make_source_course(runs=("1T2025",))
    choices: dict[str, Course | Program | CourseRun] = {
        "course": one,
        "program": make_program_of(one, make_source_course()),
        "run": one.runs.get(),
    }
    what = choices[kind]
    page = publish_contract(what, cap=2)
    before = everything(page)
    add_to_contract(page, what)
    assert reconcile_contract(page).pk is None
    assert everything(page) == before


@pytest.mark.parametrize("text", ["course-v1:TesX+nope", "course-v1:TesX+nope+1", "program-v1:TesX+nope", "nope", ""])
def test_unknown_courseware_is_refused(text: str) -> None:
    page = publish_contract()
    with pytest.raises(CoursewareUnknown):
        add_courseware(AddCourseware(contract_id=page.pk, readable_id=text), now=NOW)


def test_a_slip_of_the_finger_gets_a_hint() -> None:
    page = publish_contract()
    make_source_course("course-v1:TesX+CLIM101x")
    with pytest.raises(CoursewareUnknown, match="Did you mean “course-v1:TesX\\+CLIM101x”"):
        add_courseware(AddCourseware(contract_id=page.pk, readable_id="course-v1:tesx+CLIM10x"), now=NOW)


def test_a_program_without_courses_is_refused() -> None:
    page = publish_contract()
    with pytest.raises(ProgramEmpty):
        add_to_contract(page, make_program_of())
    assert not ContractCourseware.objects.exists()


def test_an_unknown_contract_is_refused() -> None:
    with pytest.raises(ContractUnknown):
        add_courseware(AddCourseware(contract_id=99, readable_id=make_source_course().readable_id), now=NOW)


def test_a_draft_contract_is_refused() -> None:
    draft = add_child(
        parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="Draft", name="Draft", live=False)
    )
    with pytest.raises(ContractNotPublished):
        add_to_contract(draft, make_source_course())


def test_no_runs_are_made_where_none_are_wanted() -> None:
    one = make_source_course()
    page = publish_contract(cap=2)
    add_to_contract(page, one, create_runs=False)
    reconcile_contract(page)
    assert (runs_of(page), codes_of(page)) == ([], [])
    add_to_contract(page, one)
    reconcile_contract(page)
    assert len(runs_of(page)) == 1
    assert len(codes_of(page)) == 2


def test_a_course_of_a_program_keeps_its_run_when_it_is_added_alone() -> None:
    one = make_source_course()
    page = publish_contract(make_program_of(one, make_source_course()), cap=1)
    add_to_contract(page, one)
    reconcile_contract(page)
    assert len(runs_of(page)) == 2


class TestGivenRun:
    """A run named by its own id is taken over."""

    def test_a_given_run_becomes_a_contract_run_with_its_product(self) -> None:
        one = make_source_course(runs=())
        run = make_public_run(one, "1T2025")
        product = Product.objects.create(course_run=run, sku="old", price=99, currency="USD")
        sale = Discount.objects.create(
            discount_type=DiscountType.PERCENT_OFF, amount=10, payment_type=PaymentType.MARKETING
        )
        sale.products.add(product)
        page = publish_contract(run, cap=2, price="20")
        product.refresh_from_db()
        run = CourseRun.all_objects.get(pk=run.pk)
        assert run.access == RunAccess.CONTRACT
        assert (product.price, product.requires_code, product.is_active) == (Decimal(20), True, True)
        assert list(PriceChange.objects.values_list("old_price", "new_price")) == [(Decimal(99), Decimal(20))]
        assert not sale.products.exists()
        assert len(active_codes_of(page)) == 2
        assert [one.course_run_id for one in page.contract_runs.all()] == [run.pk]

    def test_other_offers_of_it_are_withdrawn(self) -> None:
        run = make_public_run(make_source_course(runs=()), "1T2025")
        audit = Product.objects.create(course_run=run, sku="audit", price=0, currency="USD", mode=EnrollmentMode.AUDIT)
        publish_contract(run, cap=1)
        audit.refresh_from_db()
        assert (audit.is_active, audit.requires_code) == (False, True)

    def test_a_given_run_without_a_product_gets_one(self) -> None:
        run = make_public_run(make_source_course(runs=()), "1T2025")
        page = publish_contract(run, cap=1)
        product = Product.objects.get(course_run=run)
        assert product.requires_code
        assert len(codes_of(page)) == 1

    def test_its_dates_and_state_stay(self) -> None:
        run = make_public_run(make_source_course(runs=()), "1T2025", start_date=NOW, is_self_paced=False)
        publish_contract(run, start=date(2027, 1, 1))
        after = CourseRun.all_objects.get(pk=run.pk)
        assert (after.start_date, after.is_self_paced, after.live) == (NOW, False, True)

    def test_another_contracts_run_is_refused(self) -> None:
        run = make_public_run(make_source_course(runs=()), "1T2025")
        first = publish_contract(run, name="First")
        second = publish_contract(name="Second")
        with pytest.raises(RunOfAnotherContract) as refusal:
            add_to_contract(second, run)
        assert refusal.value.contract_id == first.pk
        assert "First" in str(refusal.value)
        assert not second.courseware.exists()

    def test_a_run_another_contract_removed_is_still_its_own(self) -> None:
        run = make_public_run(make_source_course(runs=()), "1T2025")
        first = publish_contract(run, name="First")
        remove(first, run.courseware_id)
        with pytest.raises(RunOfAnotherContract):
            add_to_contract(publish_contract(name="Second"), run)

    def test_a_course_of_it_needs_no_other_run(self) -> None:
        one = make_source_course(runs=())
        run = make_public_run(one, "1T2025")
        page = publish_contract(run, make_program_of(one, make_source_course()), cap=1)
        assert [each.course_id for each in runs_of(page)].count(one.pk) == 1

    def test_adding_the_contracts_own_run_is_nothing_new(self) -> None:
        page = publish_contract(make_source_course(), cap=1)
        before = everything(page)
        add_to_contract(page, runs_of(page)[0])
        assert everything(page) == before


class TestRemoval:
    """Removed courseware closes, and its rows stay."""

    def test_the_run_closes_and_the_product_leaves_the_shelf(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=2)
        run = runs_of(page)[0]
        remove(page, one.readable_id)
        run = CourseRun.all_objects.get(pk=run.pk)
        assert (run.live, run.enrollment_end, run.access) == (False, NOW, RunAccess.CONTRACT)
        assert not Product.objects.get(course_run=run).is_active
        assert runs_of(page) == []
        assert ContractRun.objects.get(course_run=run).removed_at == NOW

    def test_unredeemed_codes_of_removed_courseware_are_off(self) -> None:
        one = make_source_course()
        page = publish_contract(one, make_source_course(), cap=4)
        codes = codes_of(page)[:4]
        redeem_code(page, codes[0])
        hold_for_order(codes[1])
        DiscountCode.objects.filter(pk=codes[2].pk).update(assigned_email="amara@example.com")
        runs = list(ContractRun.objects.filter(course_run__course=one).select_related("course_run"))
        assert assigned_codes(runs) == [("amara@example.com", runs[0].course_run.courseware_id)]
        remove(page, one.readable_id)
        ours = DiscountCode.objects.filter(pk__in=[code.pk for code in codes]).order_by("pk")
        assert list(ours.values_list("active", flat=True)) == [True, False, False, False]
        assert len(active_codes_of(page)) == 5

    def test_a_future_run_of_removed_courseware_is_closed(self) -> None:
        one = make_source_course()
        page = publish_contract(one, start=date(2027, 1, 1), end=date(2027, 12, 31))
        remove(page, one.readable_id)
        run = CourseRun.all_objects.get(contract_run__contract=page)
        assert run.enrollment_start == run.enrollment_end == NOW

    def test_removing_again_changes_nothing(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=2)
        remove(page, one.readable_id)
        before = everything(page)
        remove(page, one.readable_id)
        assert everything(page) == before

    def test_adding_again_gives_back_run_product_and_codes(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=3, end=date(2026, 6, 30))
        codes = codes_of(page)
        DiscountCode.objects.filter(pk=codes[2].pk).update(assigned_email="amara@example.com")
        keys = [run.courseware_id for run in runs_of(page)]
        remove(page, one.readable_id)
        add_to_contract(page, one)
        reconcile_contract(page)
        (run,) = runs_of(page)
        assert ([run.courseware_id], run.live) == (keys, True)
        assert run.enrollment_end is not None
        assert run.enrollment_end.date() == date(2026, 6, 30)
        assert Product.objects.get(course_run=run).is_active
        assert [code.text for code in active_codes_of(page)] == [code.text for code in codes]

    def test_runs_that_were_removed_together_come_back_together(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=2)
        gone = runs_of(page)[0]
        add_to_contract(page, one, rerun=True)
        remove_courseware(
            RemoveCourseware(contract_id=page.pk, readable_id=gone.courseware_id), now=NOW - timedelta(days=1)
        )
        add_to_contract(page, one, rerun=True)
        both = [run.courseware_id for run in runs_of(page)]
        assert len(both) == 2
        remove(page, one.readable_id)
        add_to_contract(page, one)
        reconcile_contract(page)
        assert [run.courseware_id for run in runs_of(page)] == both
        assert len(active_codes_of(page)) == 4

    def test_a_removed_run_stays_removed(self) -> None:
        one, other = make_source_course(), make_source_course()
        page = publish_contract(make_program_of(one, other), cap=1)
        remove(page, runs_of(page)[0].courseware_id)
        reconcile_contract(page)
        assert [run.course_id for run in runs_of(page)] == [other.pk]

    def test_adding_the_program_again_gives_back_what_was_removed_of_it(self) -> None:
        both = make_program_of(make_source_course(), make_source_course())
        page = publish_contract(both, cap=1)
        before = [run.pk for run in runs_of(page)]
        remove(page, runs_of(page)[0].courseware_id)
        add_to_contract(page, both)
        reconcile_contract(page)
        assert [run.pk for run in runs_of(page)] == before

    def test_a_program_goes_with_its_runs_but_not_with_those_asked_for_elsewhere(self) -> None:
        shared, own = make_source_course(), make_source_course()
        first = make_program_of(shared, own)
        page = publish_contract(first, shared, cap=1)
        remove(page, first.readable_id)
        assert [run.course_id for run in runs_of(page)] == [shared.pk]
        remove(page, shared.readable_id)
        assert runs_of(page) == []

    def test_removing_the_last_run_removes_the_course(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=1)
        remove(page, runs_of(page)[0].courseware_id)
        assert not page.courseware.filter(removed_at__isnull=True).exists()

    def test_removing_courseware_the_contract_never_had_is_refused(self) -> None:
        page = publish_contract(make_source_course())
        for stranger in (make_source_course().readable_id, make_program_of(make_source_course()).readable_id):
            with pytest.raises(CoursewareNotCovered):
                remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=stranger), now=NOW)

    def test_members_and_enrollments_stay(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=2)
        use = redeem_code(page, codes_of(page)[0], make_learner())
        remove(page, one.readable_id)
        use.refresh_from_db()
        assert use.state == "confirmed"
        assert page.memberships.count() == 1

    def test_a_removed_run_does_not_follow_the_contract(self) -> None:
        one = make_source_course()
        page = publish_contract(one, cap=2)
        remove(page, one.readable_id)
        before = list(DiscountCode.objects.order_by("pk").values())
        discount = discounts_of(page)[0].amount
        assert reconcile_contract(page).pk is None
        assert list(DiscountCode.objects.order_by("pk").values()) == before
        assert discounts_of(page)[0].amount == discount


def test_a_plan_says_what_will_be_done_and_does_nothing() -> None:
    page = publish_contract(cap=2)
    one = make_program_of(make_source_course(), make_source_course(runs=()))
    addition, plan = plan_add_courseware(AddCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    assert addition.changes_anything
    assert not page.courseware.exists()
    planned = [run.key for run in plan.runs]
    assert plan.code_change.make == 4
    assert len(plan.warnings) == 1
    add_to_contract(page, one)
    reconcile_contract(page)
    assert [run.courseware_id for run in runs_of(page)] == planned
    assert len(codes_of(page)) == 4


def test_the_plan_of_a_removal_counts_the_codes_that_go() -> None:
    one = make_source_course()
    page = publish_contract(one, cap=5)
    redeem_code(page, codes_of(page)[0])
    removal, plan = plan_remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    assert len(removal.runs) == 1
    assert plan.code_change.withdraw == 4
    assert len(active_codes_of(page)) == 5


def test_the_plan_of_giving_back_counts_the_codes_that_come() -> None:
    one = make_source_course()
    page = publish_contract(one, cap=5)
    remove(page, one.readable_id)
    addition, plan = plan_add_courseware(AddCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    assert len(addition.returning) == 1
    assert (plan.code_change.switch_on, plan.code_change.make) == (5, 0)


def test_the_plan_for_a_given_run_counts_its_codes() -> None:
    page = publish_contract(cap=3)
    run = make_public_run(make_source_course(runs=()), "1T2025")
    addition, plan = plan_add_courseware(AddCourseware(contract_id=page.pk, readable_id=run.courseware_id), now=NOW)
    assert addition.taking_over == run
    assert plan.code_change.make == 3
