"""Finding contracts that disagree with their terms, and repairing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from social_django.models import UserSocialAuth
from wagtail.models import PageLogEntry

from b2b.enums import MembershipSource, MembershipState, SignInChange
from b2b.errors.contracts import ContractUnknown
from b2b.models import (
    ContractMembership,
    ContractPage,
    ContractRun,
    ContractTerms,
    OrganizationMembership,
    OrganizationPage,
    Reconcile,
    SignInFact,
)
from b2b.services.contracts.checks import Disagreement, check_contracts, fix_contract, fix_orphans
from b2b.services.contracts.pages import add_child
from b2b.services.courseware.courseware import RemoveCourseware, remove_courseware
from courses.enums import EnrollmentMode
from courses.models import CourseRun
from ecommerce.enums import DiscountType, OrderState, PaymentType
from ecommerce.models import CodeUse, Discount, DiscountCode, Order, Product
from tests.b2b.worlds import (
    NOW,
    SSO,
    active_codes_of,
    change_terms,
    codes_of,
    discounts_of,
    ensure_organization_page,
    hold_for_order,
    make_learner,
    make_program_of,
    make_source_course,
    publish_contract,
    reconcile_contract,
    redeem_code,
    require_courses,
    runs_of,
    take_seat,
    terms_of,
)

LATER = NOW + timedelta(days=1)


def found(page: ContractPage, *, now: datetime = NOW) -> list[Disagreement]:
    return check_contracts(now=now, contract_id=page.pk)


def kinds(page: ContractPage) -> list[str]:
    return [one.kind for one in found(page)]


def product_of(page: ContractPage) -> Product:
    return Product.objects.filter(contract_run__contract=page).order_by("pk")[0]


def set_up(page: ContractPage, **facts: object) -> None:
    Product.objects.filter(pk=product_of(page).pk).update(**facts)


def test_a_reconciled_contract_has_no_findings() -> None:
    page = publish_contract(
        make_program_of(make_source_course(), make_source_course()),
        cap=3,
        price="10",
        start=date(2025, 1, 1),
        end=date(2026, 1, 1),
    )
    redeem_code(page, codes_of(page)[0])
    publish_contract(make_source_course(), integration=SSO, name="Other")
    assert check_contracts(now=NOW) == []
    with CaptureQueriesContext(connection) as queries:
        found(page)
    assert not [one["sql"] for one in queries if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_draft_is_no_disagreement() -> None:
    add_child(parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="D", name="D", live=False))
    assert check_contracts(now=NOW) == []
    with pytest.raises(ContractUnknown):
        check_contracts(now=NOW, contract_id=99999)


# What is done to a contract of two courses and three seats at $10, and what is found.
SABOTAGE: list[tuple[str, Callable[[ContractPage], object], list[str]]] = [
    ("price", lambda page: set_up(page, price=99), ["price"]),
    ("discount", lambda page: Discount.objects.filter(pk=discounts_of(page)[0].pk).update(amount=3), ["price"]),
    ("no code", lambda page: set_up(page, requires_code=False), ["requires_no_code"]),
    ("off", lambda page: set_up(page, is_active=False), ["off_the_shelf"]),
    (
        "discount off",
        lambda page: Discount.objects.filter(pk=discounts_of(page)[0].pk).update(is_active=False),
        ["discount"],
    ),
    (
        "discount over",
        lambda page: Discount.objects.filter(pk=discounts_of(page)[0].pk).update(expires_at=NOW),
        ["discount"],
    ),
    ("fewer", lambda page: codes_of(page)[0].delete(), ["too_few_codes"]),
    (
        "some off",
        lambda page: DiscountCode.objects.filter(pk=codes_of(page)[0].pk).update(active=False),
        ["too_few_codes"],
    ),
    (
        "more",
        lambda page: DiscountCode.objects.create(discount=discounts_of(page)[0], text="MORE-1", max_uses=1),
        ["too_many_codes"],
    ),
    ("limit", lambda page: DiscountCode.objects.filter(pk=codes_of(page)[0].pk).update(max_uses=9), ["wrong_limit"]),
    ("counter", lambda page: DiscountCode.objects.filter(pk=codes_of(page)[0].pk).update(uses=1), ["miscounted"]),
    ("public", lambda page: CourseRun.all_objects.filter(pk=runs_of(page)[0].pk).update(access="public"), ["public"]),
    ("no discount", lambda page: delete_discount(page), ["missing_discount", "too_few_codes"]),
    ("a run in audit", lambda page: sell_again(page), ["other_product"]),
    ("another discount", lambda page: name_product(page), ["other_discount"]),
    ("dead hold", lambda page: dead_hold(page), ["dead_hold"]),
    (
        "terms",
        lambda page: ContractTerms.objects.filter(pk=page.pk).update(max_learners=3, revision_id=1),
        ["terms_behind"],
    ),
    (
        "unheard",
        lambda page: ContractTerms.objects.filter(pk=page.pk).update(reconciled_revision_id=1),
        ["not_reconciled"],
    ),
    ("failed", lambda page: fail(page), ["reconcile_failed"]),
    ("taken down", lambda page: ContractPage.objects.filter(pk=page.pk).update(live=False), ["terms_behind"]),
]


def delete_discount(page: ContractPage) -> None:
    discount = discounts_of(page)[0]
    discount.codes.all().delete()
    discount.delete()


def sell_again(page: ContractPage) -> None:
    run = runs_of(page)[0]
    Product.objects.create(course_run=run, mode=EnrollmentMode.AUDIT, sku="again", price=1, currency="USD")


def name_product(page: ContractPage) -> None:
    other = Discount.objects.create(
        discount_type=DiscountType.PERCENT_OFF, amount=50, payment_type=PaymentType.MARKETING, name="Half"
    )
    other.products.add(product_of(page))


def dead_hold(page: ContractPage) -> None:
    use = hold_for_order(codes_of(page)[0])
    assert use.order is not None
    ContractMembership.objects.create(
        contract=page,
        user=use.user,
        state=MembershipState.HELD,
        source=MembershipSource.CODE,
        order=use.order,
        since=NOW,
    )
    Order.objects.filter(pk=use.order.pk).update(state=OrderState.CANCELED)


def fail(page: ContractPage) -> None:
    Reconcile.objects.create(contract=page, requested_at=NOW, state="failed", error="the disk was full")


@pytest.mark.parametrize(("what", "sabotage", "expected"), SABOTAGE, ids=[one[0] for one in SABOTAGE])
def test_disagreements_are_found_and_repaired(
    what: str, sabotage: Callable[[ContractPage], object], expected: list[str]
) -> None:
    page = publish_contract(make_program_of(make_source_course(), make_source_course()), cap=3, price="10")
    sabotage(page)
    assert kinds(page) == expected
    assert all(not one.is_note and one.sentence.endswith((".", "full")) for one in found(page))
    fix_contract(contract_id=page.pk, now=NOW)
    assert found(page) == []
    product = product_of(page)
    assert (product.price, product.requires_code, product.is_active) == (Decimal(10), True, True)
    if what != "taken down":
        assert len(active_codes_of(page)) == 6


def test_a_course_a_program_gained_unheard_is_missing() -> None:
    grown = make_program_of(make_source_course())
    page = publish_contract(grown, cap=2)
    require_courses(grown, make_source_course())
    assert kinds(page) == ["missing_run", "too_few_codes"]
    fix_contract(contract_id=page.pk, now=NOW)
    assert found(page) == []
    assert len(runs_of(page)) == 2


def test_a_published_page_without_terms_is_found() -> None:
    page = add_child(
        parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="L", name="L", max_learners=2)
    )
    assert kinds(page) == ["not_in_force"]
    fix_contract(contract_id=page.pk, now=NOW)
    assert found(page) == []
    assert terms_of(page).max_learners == 2


@pytest.mark.parametrize(
    "facts",
    [{"live": True}, {"enrollment_end": None}, {"enrollment_end": NOW + timedelta(days=9)}],
)
def test_a_removed_course_that_is_open_again(facts: dict[str, object]) -> None:
    one = make_source_course()
    page = publish_contract(one, make_source_course(), cap=2)
    remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    reconcile_contract(page)
    assert found(page) == []
    row = ContractRun.objects.get(contract=page, removed_at__isnull=False)
    CourseRun.all_objects.filter(pk=row.course_run_id).update(**facts)
    assert kinds(page) == ["removed_but_open"]
    fix_contract(contract_id=page.pk, now=LATER)
    assert found(page, now=LATER) == []
    run = CourseRun.all_objects.get(pk=row.course_run_id)
    assert (run.live, run.enrollment_end) == (False, NOW)


def test_a_removed_course_on_sale_and_its_codes() -> None:
    one = make_source_course()
    page = publish_contract(one, cap=2)
    remove_courseware(RemoveCourseware(contract_id=page.pk, readable_id=one.readable_id), now=NOW)
    reconcile_contract(page)
    Product.objects.update(is_active=True)
    DiscountCode.objects.update(active=True)
    assert kinds(page) == ["codes_of_removed", "removed_but_open"]
    fix_contract(contract_id=page.pk, now=NOW)
    assert found(page) == []
    assert active_codes_of(page) == []


def test_unassigned_codes_are_found_where_terms_need_none() -> None:
    page = publish_contract(make_source_course(), integration=SSO)
    DiscountCode.objects.create(discount=discounts_of(page)[0], text="SPARE-1")
    assert kinds(page) == ["unwanted_codes"]
    fix_contract(contract_id=page.pk, now=NOW)
    assert codes_of(page) == []


def test_codes_that_belong_to_no_contract() -> None:
    page = publish_contract(make_source_course(), cap=3)
    row = page.contract_runs.get()
    redeem_code(page, codes_of(page)[0])
    row.delete()
    (orphans,) = [one for one in check_contracts(now=NOW) if one.kind == "orphan_codes"]
    assert (orphans.contract_id, orphans.sentence) == (None, "3 enrollment codes are on, but belong to no contract.")
    assert fix_orphans() == 3
    assert not DiscountCode.objects.filter(active=True).exists()


def test_changes_by_hand_are_reported_and_kept() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    by_hand = datetime(2026, 3, 1, tzinfo=UTC)
    CourseRun.all_objects.filter(contract_run__contract=page).update(enrollment_end=by_hand, live=False)
    told = found(page)
    assert [(one.kind, not one.is_note) for one in told] == [("set_by_hand", False)] * 2
    assert told[0].sentence == "The run is not live."
    assert "Enrollment closes on 1 Mar 2026" in told[1].sentence
    fix_contract(contract_id=page.pk, now=NOW)
    assert found(page) == told
    fix_contract(contract_id=page.pk, now=NOW, reset=True)
    assert found(page) == []
    (run,) = runs_of(page)
    assert run.live
    assert run.end_date == run.enrollment_end


@pytest.mark.parametrize(
    ("days", "facts"),
    [
        ({"end": date(2026, 6, 30)}, {"start_date": datetime(2027, 1, 1, tzinfo=UTC), "end_date": None}),
        ({"start": date(2026, 6, 30)}, {"start_date": None, "end_date": datetime(2026, 1, 1, tzinfo=UTC)}),
    ],
)
def test_a_day_by_hand_beyond_the_contract_is_put_back_where_it_can_be(
    days: dict[str, Any], facts: dict[str, datetime | None]
) -> None:
    page = publish_contract(make_source_course(), **days)
    CourseRun.all_objects.filter(contract_run__contract=page).update(**facts)
    fix_contract(contract_id=page.pk, now=NOW, reset=True)
    assert found(page) == []


def test_a_date_the_contract_does_not_have_says_nothing() -> None:
    page = publish_contract(make_source_course(), start=date(2026, 1, 1), end=date(2026, 6, 30))
    change_terms(page, contract_start=None, contract_end=None)
    assert found(page) == []


def test_more_members_than_seats_is_reported_but_no_fault() -> None:
    page = publish_contract(make_source_course(), cap=3)
    for _ in range(3):
        take_seat(page, make_learner())
    change_terms(page, max_learners=1)
    (told,) = found(page)
    assert (told.kind, not told.is_note) == ("above_cap", False)
    sentence = "The contract is 2 seats over its cap, counting invitations. No one loses a seat."
    assert told.sentence == sentence


def test_a_key_open_edx_would_refuse_is_reported() -> None:
    grown = make_program_of(make_source_course())
    page = publish_contract(grown, cap=1)
    OrganizationPage.objects.update(org_key_prefix="ü ")
    require_courses(grown, make_source_course())
    (told,) = [one for one in found(page) if one.kind == "impossible"]
    assert "“ ”, “ü” can’t be part of it" in told.sentence


def test_a_finding_in_one_contract_leaves_the_others_alone() -> None:
    page = publish_contract(make_source_course(), cap=2, name="One")
    other = publish_contract(make_source_course(), cap=2, name="Two")
    set_up(page, price=5)
    assert [one.contract_id for one in check_contracts(now=NOW)] == [page.pk]
    assert found(other) == []


def test_the_repair_records_who_made_it() -> None:
    page = publish_contract(make_source_course(), cap=2)
    set_up(page, is_active=False)
    operator = make_learner("operator@example.com")
    fix_contract(contract_id=page.pk, now=NOW, by_id=operator.pk)
    entry = PageLogEntry.objects.get(action="b2b.contract.fix")
    assert (entry.page_id, entry.user_id, entry.data["kinds"]) == (page.pk, operator.pk, ["off_the_shelf"])


def test_a_seat_by_a_connection_that_is_gone_is_found_and_ended() -> None:
    """Rows from before disconnecting ended seats: no sign-in would ever end such a seat."""
    company, other = ensure_organization_page(), ensure_organization_page("Orchard")
    owners = {"Free": company, "Lab": company, "Fruit": other}
    pages = [
        publish_contract(make_source_course(), integration=SSO, of=owners[name], name=name, cap=9) for name in owners
    ]
    people = {
        name: make_learner() for name in ("gone", "former realm", "elsewhere", "connected", "never named", "by code")
    }
    for name, user in people.items():
        named = name != "never named"
        for each in (company, other):
            OrganizationMembership.objects.create(
                organization=each, user=user, source=MembershipSource.SSO, seen_in_claim=named, since=NOW
            )
        for page in pages:
            source = MembershipSource.CODE if name == "by code" else MembershipSource.SSO
            ContractMembership.objects.create(contract=page, user=user, source=source, since=NOW)
    for name, provider in (
        ("connected", "keycloak"),
        ("former realm", "keycloak"),
        ("elsewhere", "edx-oauth2"),
    ):
        UserSocialAuth.objects.create(user=people[name], provider=provider, uid=f"https://{name[:6]}.example#7")
    assert [(one.kind, not one.is_note) for one in found(pages[0])] == [("no_connection", True)]
    assert found(pages[0])[0].sentence.startswith("2 people have a seat by single sign-on")

    call_command("b2b_contract", "check", str(pages[0].pk), "--fix", verbosity=0)

    assert check_contracts(now=NOW) == []
    staying = {people[name].pk for name in ("former realm", "connected", "never named", "by code")}
    for page in pages:
        seats = ContractMembership.objects.filter(contract=page)
        assert set(seats.values_list("user_id", flat=True)) == staying
    assert not OrganizationMembership.objects.filter(user__in=[people["gone"], people["elsewhere"]]).exists()
    left = SignInFact.objects.filter(change=SignInChange.LEFT_CONTRACT)
    assert set(left.values_list("user_id", flat=True)) == {people["gone"].pk, people["elsewhere"].pk}


@pytest.mark.parametrize("runs", [1, 6])
def test_a_check_costs_the_same_for_any_number_of_runs(
    runs: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    page = publish_contract(make_program_of(*[make_source_course() for _ in range(runs)]), cap=3)
    redeem_code(page, codes_of(page)[0])
    with django_assert_num_queries(21):
        found(page)


def test_a_recount_corrects_uses_and_keeps_the_text() -> None:
    page = publish_contract(make_source_course(), cap=2)
    code = codes_of(page)[0]
    redeem_code(page, code)
    CodeUse.objects.filter(code=code).update(state="released")
    fix_contract(contract_id=page.pk, now=timezone.now())
    fresh = DiscountCode.objects.get(pk=code.pk)
    assert (fresh.uses, fresh.text) == (0, code.text)
