"""Contracts are made once, and changed by publishing."""

from datetime import date
from decimal import Decimal
from typing import Any, Unpack

import pytest
from wagtail.models import ModelLogEntry, PageLogEntry

from b2b.errors.contracts import ContractNotPublished, ContractUnknown, DraftInTheWay, TermsInvalid
from b2b.models import ContractPage
from b2b.services.contracts.contracts import (
    CreatedContract,
    ModifyContract,
    PageChanges,
    WrittenTerms,
    as_rich_text,
    create_contract,
    modify_contract,
)
from b2b.services.contracts.pages import add_child
from b2b.services.contracts.terms_plan import plan_modify_contract
from tests.b2b.worlds import NON_SSO, NOW, SSO, ensure_organization_page, make_learner, publish_contract, terms_of
from tests.support.together import Together


def create(name: str = "A contract", **facts: Any) -> CreatedContract:
    written = WrittenTerms(**{"integration_type": NON_SSO, "currency": "USD", **facts})
    return create_contract(organization_id=ensure_organization_page().pk, name=name, terms=written, now=NOW)


def test_a_contract_is_a_published_page_with_terms_in_force() -> None:
    made = create(
        start=date(2026, 1, 1), end=date(2026, 6, 30), max_learners=5, price=Decimal(10), description="Say <b>what</b>"
    )
    page = made.page
    assert made.is_new
    assert page.live
    assert page.live_revision_id == page.latest_revision_id
    assert page.slug == "a-contract"
    assert page.description == "<p>Say &lt;b&gt;what&lt;/b&gt;</p>"
    terms = terms_of(page)
    assert (terms.start, terms.end) == (date(2026, 1, 1), date(2026, 6, 30))
    assert (terms.max_learners, terms.price, terms.integration_type, terms.active) == (5, Decimal(10), NON_SSO, True)
    assert {"wagtail.create", "wagtail.publish"} <= set(PageLogEntry.objects.values_list("action", flat=True))
    assert not ModelLogEntry.objects.exists()


def test_the_same_again_makes_nothing() -> None:
    facts: dict[str, Any] = {"max_learners": 5, "price": Decimal(10), "start": date(2026, 1, 1)}
    first = create(**facts)
    again = create(**facts, description="other words are no other terms")
    assert (again.page.pk, again.is_new) == (first.page.pk, False)


def test_zero_and_nothing_are_the_same() -> None:
    first = create()
    assert create(max_learners=0, price=Decimal(0)).page.pk == first.page.pk


@pytest.mark.parametrize(
    "other",
    [
        {"max_learners": 6},
        {"max_learners": None},
        {"price": Decimal(11)},
        {"start": date(2026, 1, 2)},
        {"end": date(2026, 7, 1)},
        {"integration_type": SSO},
    ],
)
def test_anything_different_is_another_contract(other: dict[str, Any]) -> None:
    facts: dict[str, Any] = {"max_learners": 5, "price": Decimal(10), "start": date(2026, 1, 1)}
    first = create(**facts)
    second = create(**{**facts, **other})
    assert second.is_new
    assert second.namesakes == (first.page.pk,)
    assert second.page.slug != first.page.slug


def test_an_inactive_contract_is_not_the_same() -> None:
    first = create()
    modify_contract(ModifyContract(contract_id=first.page.pk, changes={"active": False}), now=NOW)
    assert create().is_new


def test_another_organizations_contract_is_not_the_same() -> None:
    create()
    other = ensure_organization_page("Elsewhere")
    written = WrittenTerms(integration_type=NON_SSO, currency="USD")
    assert create_contract(organization_id=other.pk, name="A contract", terms=written, now=NOW).is_new


def test_impossible_terms_are_refused_in_words() -> None:
    with pytest.raises(TermsInvalid, match="can’t end before it starts"):
        create(start=date(2026, 2, 1), end=date(2026, 1, 1))
    assert not ContractPage.objects.exists()


def test_modifying_publishes_a_revision() -> None:
    page = publish_contract(cap=3)
    assert modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}), now=NOW)
    after = ContractPage.objects.get(pk=page.pk)
    assert after.max_learners == 5
    assert after.live_revision_id != page.live_revision_id
    assert terms_of(page).max_learners == 5
    assert not after.has_unpublished_changes


def test_modifying_to_what_it_is_publishes_nothing() -> None:
    page = publish_contract(cap=3)
    assert not modify_contract(
        ModifyContract(contract_id=page.pk, changes={"max_learners": 3, "active": True}), now=NOW
    )
    assert not modify_contract(ModifyContract(contract_id=page.pk, changes={}), now=NOW)
    assert ContractPage.objects.get(pk=page.pk).live_revision_id == page.live_revision_id


def test_an_unknown_contract_is_refused() -> None:
    with pytest.raises(ContractUnknown):
        modify_contract(ModifyContract(contract_id=99, changes={"max_learners": 3}), now=NOW)


def test_an_open_draft_is_not_overwritten() -> None:
    page = publish_contract(cap=3)
    author = make_learner("editor@example.com")
    page.welcome_message = "Not ready yet"
    page.save_revision(user=author)
    with pytest.raises(DraftInTheWay, match=r"editor@example\.com"):
        modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}), now=NOW)
    with pytest.raises(DraftInTheWay):
        plan_modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}), now=NOW)
    assert terms_of(page).max_learners == 3
    assert modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}, over_draft=True), now=NOW)
    after = ContractPage.objects.get(pk=page.pk)
    assert (after.max_learners, after.welcome_message) == (5, "")
    assert page.revisions.filter(content__welcome_message="Not ready yet").exists()


def test_a_draft_contract_is_not_modified_from_outside() -> None:
    page = add_child(
        parent_id=ensure_organization_page().pk, make=lambda: ContractPage(title="Draft", name="Draft", live=False)
    )
    with pytest.raises(ContractNotPublished):
        modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 5}), now=NOW)


def test_a_plan_of_terms_writes_nothing() -> None:
    page = publish_contract(cap=3)
    assert plan_modify_contract(ModifyContract(contract_id=page.pk, changes={"max_learners": 9}), now=NOW).cap == 9
    assert terms_of(page).max_learners == 3
    with pytest.raises(TermsInvalid):
        plan_modify_contract(
            ModifyContract(
                contract_id=page.pk, changes={"contract_start": date(2026, 2, 1), "contract_end": date(2026, 1, 1)}
            ),
            now=NOW,
        )


def test_plain_text_becomes_paragraphs() -> None:
    assert as_rich_text("") == ""
    assert as_rich_text("One\n\nTwo & three") == "<p>One</p>\n\n<p>Two &amp; three</p>"


def test_two_equal_commands_at_once_make_one_contract(together: Together) -> None:
    ensure_organization_page()
    results = together(*[create] * 4)
    assert sorted(result.is_new for result in results) == [False, False, False, True]


def test_two_changes_at_once_both_come_into_force(together: Together) -> None:
    page = publish_contract(cap=3)

    def modify(**changes: Unpack[PageChanges]) -> bool:
        return modify_contract(ModifyContract(contract_id=page.pk, changes=changes), now=NOW)

    results = together(lambda: modify(max_learners=8), lambda: modify(contract_end=date(2027, 1, 1)))
    assert results == [True, True]
    assert (terms_of(page).max_learners, terms_of(page).end) == (8, date(2027, 1, 1))
