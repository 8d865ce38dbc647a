"""Terms in force: which ways of publishing change them, and to what."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from b2b.models import ContractPage, ContractTerms, Reconcile
from b2b.services.contracts.contracts import ModifyContract, modify_contract
from b2b.services.contracts.pages import add_child
from b2b.services.contracts.terms import bring_into_force, contracts_out_of_line
from b2b.tasks import sweep_contracts
from tests.b2b.worlds import (
    NOW,
    change_terms,
    ensure_organization_page,
    make_source_course,
    publish_contract,
    reconcile_contract,
    terms_of,
)

EARLIER = NOW - timedelta(minutes=15)


def draft(**facts: object) -> ContractPage:
    return add_child(
        parent_id=ensure_organization_page().pk,
        make=lambda: ContractPage(title="A draft", name="A draft", live=False, **facts),
    )


def test_a_draft_has_no_terms() -> None:
    page = draft(max_learners=5)
    page.save_revision()
    assert bring_into_force(page_id=page.pk, now=NOW) is None
    assert not ContractTerms.objects.exists()


def test_a_draft_that_is_saved_again_and_again_has_no_terms() -> None:
    page = draft()
    for cap in (1, 2, 3):
        page.max_learners = cap
        page.save_revision()
        page.save()
    sweep_contracts()
    assert not ContractTerms.objects.exists()
    assert not Reconcile.objects.exists()


def test_publishing_brings_the_terms_into_force_and_asks_for_a_reconcile() -> None:
    page = draft(max_learners=5, enrollment_fixed_price=Decimal("9.5"))
    revision = page.save_revision()
    revision.publish()
    terms = terms_of(page)
    assert (terms.max_learners, terms.price, terms.active) == (5, Decimal("9.5"), True)
    assert terms.organization_id == ensure_organization_page().pk
    assert terms.revision_id == revision.pk
    assert terms.reconciled_revision_id is None
    (request,) = Reconcile.objects.all()
    assert request.contract_id == page.pk


def test_zero_is_none() -> None:
    page = draft(max_learners=0, enrollment_fixed_price=Decimal(0))
    page.save_revision().publish()
    assert (terms_of(page).max_learners, terms_of(page).price) == (None, None)


def test_a_price_has_the_digits_of_its_currency() -> None:
    page = draft(enrollment_fixed_price=Decimal("9.5"))
    page.save_revision().publish()
    ContractPage.objects.filter(pk=page.pk).update(enrollment_fixed_price=Decimal("9.996"))  # past every check
    bring_into_force(page_id=page.pk, now=NOW)
    assert terms_of(page).price == Decimal(10)


@pytest.mark.parametrize(
    "facts",
    [
        {"currency": "XXY"},
        {"max_learners": 2_000_000},
        {"contract_start": date(2026, 2, 1), "contract_end": date(2026, 1, 1)},
        {"enrollment_fixed_price": Decimal(-1)},
    ],
)
def test_impossible_terms_are_not_published(facts: dict[str, Any]) -> None:
    page = publish_contract(cap=3)
    for name, value in facts.items():
        setattr(page, name, value)
    with pytest.raises(ValidationError):
        page.save_revision().publish()
    assert terms_of(page).max_learners == 3


def test_a_draft_of_a_live_contract_changes_nothing() -> None:
    page = publish_contract(cap=3)
    page.max_learners = 9
    page.save_revision()
    assert terms_of(page).max_learners == 3
    reconcile_contract(page)
    assert terms_of(page).max_learners == 3


def test_publishing_an_old_draft_after_a_command_is_seen() -> None:
    page = publish_contract(make_source_course(), cap=3)
    page.max_learners = 9
    old = page.save_revision()
    modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}, over_draft=True), now=NOW)
    reconcile_contract(page)
    old.publish()
    assert terms_of(page).max_learners == 9
    reconcile_contract(page)
    assert terms_of(page).reconciled_revision_id == terms_of(page).revision_id == old.pk


def test_a_later_date_is_not_now() -> None:
    page = draft(go_live_at=timezone.now() + timedelta(days=1))
    page.save_revision().publish()
    assert not ContractTerms.objects.exists()


def test_scheduled_publishing_comes_into_force_when_it_goes_live() -> None:
    page = draft(go_live_at=timezone.now() + timedelta(days=1), max_learners=4)
    revision = page.save_revision()
    revision.publish()
    revision.refresh_from_db()
    revision.approved_go_live_at = timezone.now() - timedelta(minutes=1)
    revision.content["go_live_at"] = None
    revision.save()
    call_command("publish_scheduled", verbosity=0)
    assert terms_of(page).max_learners == 4


def test_a_copy_is_a_contract_of_its_own_without_courseware() -> None:
    page = publish_contract(make_source_course(), cap=3)
    copy = page.copy(update_attrs={"title": "Copy", "slug": "copy"})
    assert terms_of(copy).max_learners == 3
    reconcile_contract(copy)
    assert not copy.contract_runs.exists()
    assert page.contract_runs.count() == 1


def test_an_alias_is_no_contract() -> None:
    page = publish_contract(cap=3)
    alias = page.create_alias(update_slug="alias")
    change_terms(page, max_learners=4)
    assert not ContractTerms.objects.filter(pk=alias.pk).exists()
    assert contracts_out_of_line(stuck_before=EARLIER) == []


def test_a_page_put_into_the_tree_live_is_found_by_the_sweep() -> None:
    page = add_child(
        parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="Live", name="Live", max_learners=2)
    )
    assert contracts_out_of_line(stuck_before=EARLIER) == [page.pk]
    sweep_contracts()
    assert terms_of(page).max_learners == 2
    reconcile_contract(page)
    assert contracts_out_of_line(stuck_before=EARLIER) == []


def test_the_sweep_finds_a_missed_publication() -> None:
    page = publish_contract(cap=3)
    revision = page.save_revision()
    ContractPage.objects.filter(pk=page.pk).update(max_learners=8, live_revision=revision)
    assert contracts_out_of_line(stuck_before=EARLIER) == [page.pk]
    sweep_contracts()
    assert terms_of(page).max_learners == 8


def test_unpublishing_means_inactive() -> None:
    page = publish_contract(make_source_course(), cap=3)
    page.unpublish()
    assert not terms_of(page).active
    page.save_revision().publish()
    assert terms_of(page).active


def test_the_sweep_finds_a_missed_unpublication() -> None:
    page = publish_contract(cap=3)
    ContractPage.objects.filter(pk=page.pk).update(live=False)
    sweep_contracts()
    assert not terms_of(page).active


def test_bringing_into_force_again_writes_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    page = publish_contract(cap=3)
    before = ContractTerms.objects.values().get()
    with django_assert_num_queries(3):
        bring_into_force(page_id=page.pk, now=NOW + timedelta(days=1))
    assert ContractTerms.objects.values().get() == before


def test_words_that_change_no_terms_leave_the_day_they_came_into_force() -> None:
    page = publish_contract(cap=3)
    since = terms_of(page).in_force_since
    change_terms(page, description="<p>New words</p>", now=NOW + timedelta(days=1))
    assert terms_of(page).in_force_since == since
    assert terms_of(page).revision_id == ContractPage.objects.get(pk=page.pk).live_revision_id


@pytest.mark.parametrize("days", [1, 0])
def test_a_request_that_got_lost_is_found_by_the_sweep(days: int) -> None:
    page = publish_contract(cap=3)
    Reconcile.objects.create(contract=page, requested_at=NOW - timedelta(days=days))
    assert contracts_out_of_line(stuck_before=EARLIER) == ([page.pk] if days else [])


@pytest.mark.parametrize(
    ("field", "facts"),
    [
        ("contract_end", {"contract_start": date(2026, 2, 1), "contract_end": date(2026, 1, 31)}),
        ("currency", {"currency": "XQX"}),
        ("currency", {"currency": "XXX"}),
        ("currency", {"currency": "DEM"}),
        ("enrollment_fixed_price", {"enrollment_fixed_price": Decimal("49.999")}),
        ("enrollment_fixed_price", {"enrollment_fixed_price": Decimal("49.50"), "currency": "JPY"}),
        ("max_learners", {"max_learners": 2_000_000}),
    ],
)
def test_impossible_terms_are_refused_at_their_field(field: str, facts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ContractPage(title="A contract", name="A contract", **facts).clean()
    assert list(refused.value.message_dict) == [field]


def test_a_currency_in_small_letters_is_the_one_that_was_meant() -> None:
    page = publish_contract(price="49")
    change_terms(page, currency="eur")
    assert (page.currency, terms_of(page).currency) == ("USD", "EUR")


def test_terms_of_no_currency_are_refused_by_the_database() -> None:
    page = publish_contract()
    with pytest.raises(IntegrityError), transaction.atomic():
        ContractTerms.objects.filter(pk=page.pk).update(currency="eur")
