"""Organizations are found by id, key or name, and made once."""

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models.expressions import RawSQL
from wagtail.models import Page, Site

from b2b.errors.contracts import SiteMissing, TermsInvalid
from b2b.errors.organizations import (
    OrganizationUnclear,
    OrganizationUnknown,
    OrgKeyDiffers,
    OrgKeyImpossible,
    OrgKeyTaken,
    SimilarOrganization,
)
from b2b.models import OrganizationIndexPage, OrganizationPage
from b2b.services.organizations.organizations import (
    OrganizationRequest,
    ensure_organization,
    ensure_organization_index,
    find_organization,
    new_org_key,
)
from tests.support.together import Together


def make(name: str, **options: Any) -> OrganizationPage:
    organization, is_new = ensure_organization(OrganizationRequest(name=name, **options))
    assert is_new
    return organization


def test_the_index_is_made_once_under_the_home_page() -> None:
    index = ensure_organization_index()
    assert ensure_organization_index() == index
    assert index.live
    assert index.get_parent().pk == Site.objects.get(is_default_site=True).root_page_id
    assert index.slug == "organizations"


def test_without_a_site_there_is_a_sentence() -> None:
    Site.objects.all().delete()
    with pytest.raises(SiteMissing, match="configure_wagtail"):
        ensure_organization_index()


def test_an_organization_is_made_live_with_slug_and_key() -> None:
    organization = make("UniversityX")
    assert (organization.slug, organization.org_key, organization.org_key_prefix) == (
        "universityx",
        "UniversityX",
        "UAI_",
    )
    assert organization.live
    assert organization.live_revision is not None
    assert organization.get_parent().specific == OrganizationIndexPage.objects.get()


def test_the_same_name_is_the_same_organization() -> None:
    organization = make("UniversityX")
    assert ensure_organization(OrganizationRequest(name=" UniversityX ", create=True)) == (organization, False)
    assert ensure_organization(OrganizationRequest(name="UniversityX", org_key="UniversityX")) == (organization, False)


def test_an_organization_can_be_named_by_its_key_or_slug() -> None:
    organization = make("University of X", org_key="UX")
    for text in ("UX", "university-of-x"):
        assert ensure_organization(OrganizationRequest(name=text)) == (organization, False)


@pytest.mark.parametrize("name", ["university x", "UNIVERSITYX", "University-X.", "Ｕｎｉｖｅｒｓｉｔｙ X"])
def test_almost_the_same_name_has_to_be_confirmed(name: str) -> None:
    organization = make("UniversityX")
    with pytest.raises(SimilarOrganization) as refusal:
        ensure_organization(OrganizationRequest(name=name))
    assert refusal.value.organization_id == organization.pk
    assert make(name, create=True).pk != organization.pk


def test_accents_make_a_different_name() -> None:
    make("Universite")
    assert make("Université").org_key == "Universite2"


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(TermsInvalid):
        ensure_organization(OrganizationRequest(name="  "))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Northgate Health", "NorthgateHealth"),
        ("A.B_c-d", "A.B_c-d"),
        ("Tür & Tor GmbH", "TurTorGmbH"),
        ("x" * 40, "x" * 30),
        ("42", "42"),
    ],
)
def test_the_key_is_the_name_reduced(name: str, key: str) -> None:
    assert new_org_key(name) == key


@pytest.mark.parametrize("name", ["株式会社", "!!!", "- . -"])
def test_a_name_without_anything_for_a_key_needs_one(name: str) -> None:
    with pytest.raises(OrgKeyImpossible):
        ensure_organization(OrganizationRequest(name=name))
    assert make(name, org_key="KK").org_key == "KK"


def test_a_key_is_made_unique_by_a_number_and_stays_short_enough() -> None:
    first = make("x" * 35)
    second = make("x" * 36)
    third = make("X" * 37, create=True)
    assert [one.org_key for one in (first, second, third)] == ["x" * 30, "x" * 29 + "2", "X" * 29 + "3"]


def test_a_given_key_has_to_be_free_and_fit() -> None:
    make("UniversityX")
    with pytest.raises(OrgKeyTaken, match="UniversityX"):
        ensure_organization(OrganizationRequest(name="Another", org_key="universityx"))
    with pytest.raises(OrgKeyDiffers):
        ensure_organization(OrganizationRequest(name="UniversityX", org_key="Other"))
    with pytest.raises(TermsInvalid):
        ensure_organization(OrganizationRequest(name="Third", org_key="has blank"))
    assert OrganizationPage.objects.count() == 1


@pytest.mark.parametrize("how", [str, str.lower, str.upper])
def test_one_is_found_by_name_slug_or_key_whatever_the_case(how: Callable[[str], str]) -> None:
    organization = make("University of X", org_key="UX")
    make("Other")
    for text in ("University of X", "university-of-x", "UX"):
        assert find_organization(how(text)) == organization
    assert find_organization(str(organization.pk)) == organization


@pytest.mark.parametrize(
    ("facts", "field", "sentence"),
    [
        ({"name": "Y", "org_key": "universityx"}, "org_key", "“UniversityX” already has the key “UniversityX”"),
        ({"name": "UniversityX", "org_key": "Y"}, "name", "An organization named “UniversityX” already exists"),
        ({"name": "university x.", "org_key": "Y"}, "name", "with nearly this name exists"),
        ({"name": "…", "org_key": ""}, "org_key", "Enter a key"),
    ],
)
def test_the_model_knows_the_rule_of_every_door(facts: dict[str, str], field: str, sentence: str) -> None:
    make("UniversityX")
    with pytest.raises(ValidationError) as refused:
        OrganizationPage(title="A title", **facts).clean()
    assert sentence in refused.value.message_dict[field][0]


def test_an_organization_may_be_saved_again_and_written_otherwise() -> None:
    """Also where a namesake was made on purpose: who keeps their name isn't asked again."""
    first, second = make("UniversityX"), ensure_organization(OrganizationRequest(name="University-X", create=True))[0]
    for one, name in ((first, "UniversityX"), (first, "University  X"), (second, "university x")):
        one.name = name
        one.full_clean()
    second.name = "Elsewhere"
    second.save()
    second.name = "University X"
    with pytest.raises(ValidationError, match="nearly this name"):
        second.full_clean()


def test_the_database_tells_keys_apart_without_case() -> None:
    make("UniversityX")
    other = make("Other")
    with pytest.raises(IntegrityError), transaction.atomic():
        OrganizationPage.objects.filter(pk=other.pk).update(org_key="UNIVERSITYX")


def test_an_unknown_organization_is_refused() -> None:
    for text in ("nope", "99999", "", "9" * 40):
        with pytest.raises(OrganizationUnknown):
            find_organization(text)


def test_namesakes_are_told_apart_by_their_ids() -> None:
    first, second = make("Twin"), make("Other twin")
    OrganizationPage.objects.filter(pk=second.pk).update(name="Twin")  # from before names were compared
    twins = [first, second]
    with pytest.raises(OrganizationUnclear):
        find_organization("Twin")
    assert find_organization(str(twins[1].pk)) == twins[1]


def test_an_id_that_is_another_organizations_name_is_ambiguous() -> None:
    first = make("First")
    make(str(first.pk))
    with pytest.raises(OrganizationUnclear):
        find_organization(str(first.pk))
    assert find_organization("First") == first


def test_two_commands_at_once_make_one_organization(together: Together) -> None:
    ensure_organization_index()
    results = together(*[lambda: ensure_organization(OrganizationRequest(name="UniversityX"))] * 4)
    assert sorted(is_new for _page, is_new in results) == [False, False, False, True]
    assert OrganizationPage.objects.count() == 1


def test_many_children_at_once_get_places_of_their_own(together: Together) -> None:
    ensure_organization_index()
    results = together(
        *[lambda number=number: ensure_organization(OrganizationRequest(name=f"Org {number}")) for number in range(6)]
    )
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Page.find_problems() == ([], [], [], [], [])


def test_keys_that_differ_only_in_case_get_numbers() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX organization_key_once_in_any_case")
    pages: list[OrganizationPage] = []
    for key in ("Acme", "ACME", "acme", "acme2"):
        page = make(f"Organization {len(pages)}", org_key=f"{key}-{len(pages)}")
        OrganizationPage.objects.filter(pk=page.pk).update(org_key=key)
        page.revisions.update(content=RawSQL("content || %s::jsonb", [json.dumps({"org_key": key})]))
        pages.append(page)
    import_module("b2b.migrations.0007_one_key_in_any_case").tell_keys_apart(apps, None)
    assert [OrganizationPage.objects.get(pk=page.pk).org_key for page in pages] == ["Acme", "ACME3", "acme4", "acme2"]
    assert [page.revisions.get().content["org_key"] for page in pages] == ["Acme", "ACME3", "acme4", "acme2"]
