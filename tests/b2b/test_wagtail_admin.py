"""The Wagtail admin and pages on which seats and codes hang: refused with a sentence, never an error page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from wagtail.models import Page

from b2b.models import ContractPage, OrganizationPage
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
def test_what_has_runs_or_codes_is_not_deleted(admin: Client, contract: ContractPage, level: str) -> None:
    parents = {"contract": contract, "organization": contract.get_parent(), "index": contract.get_parent().get_parent()}
    before = Page.objects.count()
    assert "can't be deleted" in said(admin, reverse("wagtailadmin_pages:delete", args=[parents[level].pk]))
    assert Page.objects.count() == before


def test_nor_in_bulk(admin: Client, contract: ContractPage) -> None:
    address = reverse("wagtail_bulk_action", args=["wagtailcore", "page", "delete"])
    assert "can't be deleted" in said(admin, f"{address}?id={contract.pk}")
    assert ContractPage.objects.filter(pk=contract.pk).exists()


def test_nor_moved(admin: Client, contract: ContractPage) -> None:
    other = make_organization("Harbor Council")
    address = reverse("wagtailadmin_pages:move_confirm", args=[contract.pk, other.pk])
    assert "can't be moved" in said(admin, address)
    contract.refresh_from_db()
    assert contract.get_parent().specific == OrganizationPage.objects.get(name="Northgate Health")


@pytest.mark.parametrize("level", ["contract", "organization"])
def test_nor_copied(admin: Client, contract: ContractPage, level: str) -> None:
    page = contract if level == "contract" else contract.get_parent()
    assert "can't be copied" in said(admin, reverse("wagtailadmin_pages:copy", args=[page.pk]))
    assert (ContractPage.objects.count(), OrganizationPage.objects.count()) == (1, 1)


def test_an_organization_without_anything_is_deleted(admin: Client) -> None:
    organization = make_organization("Harbor Council")
    said(admin, reverse("wagtailadmin_pages:delete", args=[organization.pk]))
    assert not OrganizationPage.objects.exists()
