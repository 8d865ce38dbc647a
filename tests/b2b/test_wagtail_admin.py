"""Pages with seats and codes can't be deleted, moved or copied in the Wagtail admin: a sentence, no error page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from wagtail.contrib.redirects.models import Redirect
from wagtail.models import Page
from wagtail.test.utils.form_data import inline_formset, nested_form_data, rich_text

from b2b.models import ContractPage, OrganizationPage
from cms.services.groups import B2B_MANAGERS, EDITORS, RIGHTS, ensure_group
from tests.factories import make_contract, make_contract_run, make_organization, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def contract() -> ContractPage:
    contract = make_contract(seats=3)
    make_contract_run(contract, codes=3)
    return contract


def said(client: Client, address: str) -> str:
    response = client.post(address, follow=True)
    assert response.status_code == 200
    return " ".join(str(message) for message in response.context["messages"])


@pytest.mark.parametrize("level", ["contract", "organization", "index"])
def test_pages_with_runs_or_codes_cannot_be_deleted(admin: Client, contract: ContractPage, level: str) -> None:
    parents = {"contract": contract, "organization": contract.get_parent(), "index": contract.get_parent().get_parent()}
    before = Page.objects.count()
    assert "can’t be deleted" in said(admin, reverse("wagtailadmin_pages:delete", args=[parents[level].pk]))
    assert Page.objects.count() == before


def test_contracts_cannot_be_deleted_in_bulk(admin: Client, contract: ContractPage) -> None:
    address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "delete"])
    assert "can’t be deleted" in said(admin, f"{address}?id={contract.pk}")
    assert ContractPage.objects.filter(pk=contract.pk).exists()


def test_contracts_cannot_be_moved(admin: Client, contract: ContractPage) -> None:
    other = make_organization("Harbor Council")
    address = reverse("wagtailadmin_pages:move_confirm", args=[contract.pk, other.pk])
    assert "can’t be moved" in said(admin, address)
    contract.refresh_from_db()
    assert contract.get_parent().specific == OrganizationPage.objects.get(name="Northgate Health")


def test_users_without_rights_do_not_see_the_contracts_name(contract: ContractPage) -> None:
    ensure_group(RIGHTS[EDITORS], pages=[contract.get_parent().get_parent()], renew=True)
    editor = make_user()
    editor.groups.add(Group.objects.get(name=EDITORS))
    client = Client()
    client.force_login(editor)
    address = reverse("wagtailadmin_pages:move_confirm", args=[contract.pk, make_organization("Harbor Council").pk])
    assert contract.name not in said(client, address)


@pytest.mark.parametrize("level", ["contract", "organization"])
def test_contracts_cannot_be_copied(admin: Client, contract: ContractPage, level: str) -> None:
    page = contract if level == "contract" else contract.get_parent()
    assert "can’t be copied" in said(admin, reverse("wagtailadmin_pages:copy", args=[page.pk]))
    assert (ContractPage.objects.count(), OrganizationPage.objects.count()) == (1, 1)


def test_an_organization_without_anything_is_deleted(admin: Client) -> None:
    organization = make_organization("Harbor Council")
    said(admin, reverse("wagtailadmin_pages:delete", args=[organization.pk]))
    assert not OrganizationPage.objects.exists()


@pytest.mark.parametrize(("group", "may"), [(EDITORS, False), (B2B_MANAGERS, True)])
def test_terms_are_the_business_of_those_who_look_after_contracts(
    contract: ContractPage, group: str, *, may: bool
) -> None:
    organization = contract.get_parent()
    index = organization.get_parent()
    ensure_group(RIGHTS[group], pages=[index], renew=True)
    user = make_user()
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    status = {True: 200, False: 302}[may]
    assert client.get(reverse("wagtailadmin_pages:edit", args=[contract.pk])).status_code == status
    assert client.get(reverse("wagtailadmin_pages:edit", args=[organization.pk])).status_code == status
    assert client.get(reverse("wagtailadmin_pages:unpublish", args=[contract.pk])).status_code == status
    new = reverse("wagtailadmin_pages:add", args=["b2b", "contractpage", organization.pk])
    assert client.get(new).status_code == status
    new = reverse("wagtailadmin_pages:add", args=["b2b", "organizationpage", index.pk])
    assert client.get(new).status_code == status
    bulk = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "unpublish"])
    client.post(f"{bulk}?id={contract.pk}")
    contract.refresh_from_db()
    assert contract.live, "no one makes a contract inactive in bulk"


def organization_form(**fields: str) -> dict[str, str]:
    given: dict[str, object] = {
        "title": "Harbor Council",
        "name": "Harbor Council",
        "slug": "harbor-council",
        "org_key": "Harbor",
        "org_key_prefix": "UAI_",
        "description": rich_text(""),
        "comments": inline_formset([]),
    }
    form: dict[str, str] = nested_form_data(given | fields)
    return form


def test_a_draft_of_an_organization_has_its_name_and_key(admin: Client) -> None:
    index = make_organization("Northgate Health").get_parent()
    new = reverse("wagtailadmin_pages:add", args=["b2b", "organizationpage", index.pk])
    page = admin.post(new, organization_form(name=""))
    assert "This field is required." in page.content.decode()
    page = admin.post(new, organization_form(name="病院", title="病院", slug="hospital", org_key=""))
    assert "“病院” has no characters that a course key may have. Enter a key." in page.content.decode()
    assert OrganizationPage.objects.count() == 1
    admin.post(new, organization_form(org_key=""))
    assert OrganizationPage.objects.get(name="Harbor Council").org_key == "HarborCouncil"


def test_two_organizations_do_not_share_a_key(admin: Client) -> None:
    index = make_organization("Northgate Health", org_key="Northgate").get_parent()
    new = reverse("wagtailadmin_pages:add", args=["b2b", "organizationpage", index.pk])
    for key in ("Northgate", "northGATE"):
        page = admin.post(new, organization_form(org_key=key)).content.decode()
        assert "“Northgate Health” already has the key “Northgate”. Choose another one." in page
    for name, sentence in (
        ("Northgate Health", "An organization named “Northgate Health” already exists."),
        ("NORTHGATE  health.", "with nearly this name exists"),
    ):
        assert sentence in admin.post(new, organization_form(name=name)).content.decode()
    assert OrganizationPage.objects.count() == 1


def test_a_key_that_runs_carry_stays(admin: Client, contract: ContractPage) -> None:
    organization = OrganizationPage.objects.get()
    edit = reverse("wagtailadmin_pages:edit", args=[organization.pk])
    form = organization_form(org_key="Other") | {"action-publish": "publish"}
    assert "Course keys of runs contain this key" in admin.post(edit, form).content.decode()
    form = organization_form(org_key=organization.org_key) | {"action-publish": "publish"}
    assert admin.post(edit, form).status_code == 302
    assert OrganizationPage.objects.get().name == "Harbor Council"


def test_a_key_that_no_run_carries_yet_can_change(admin: Client) -> None:
    organization = make_organization("Northgate Health", org_key="Nothgate")
    edit = reverse("wagtailadmin_pages:edit", args=[organization.pk])
    admin.post(edit, organization_form(org_key="Northgate") | {"action-publish": "publish"})
    assert OrganizationPage.objects.get().org_key == "Northgate"


def test_nothing_links_staff_to_addresses_that_are_for_members_or_no_one(admin: Client, contract: ContractPage) -> None:
    organization = contract.get_parent()
    for page in (organization.get_parent(), organization, contract):
        assert (page.specific.url, page.specific.full_url) == (None, None)
        for name in ("wagtailadmin_explore", "wagtailadmin_pages:edit"):
            answer = admin.get(reverse(name, args=[page.pk]))
            assert answer.status_code == 200
            assert "View live" not in answer.content.decode()


def test_a_renamed_organization_leaves_no_redirect_that_tells_of_it(contract: ContractPage) -> None:
    organization = contract.get_parent().specific
    organization.slug = "another-name"
    organization.save()
    assert not Redirect.objects.exists()
