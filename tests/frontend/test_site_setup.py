"""`configure_wagtail` makes what is missing, reports it, and keeps editors' work."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.test import Client
from wagtail.models import GroupPagePermission, Page, Site

from b2b.models import OrganizationIndexPage
from cms.models import CatalogPage, ContentPage, CourseIndexPage, HomePage, ProgramIndexPage, SiteBrand
from frontend.site.site_setup import configure
from mitxonline.users.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db

BASE_URL = "https://courses.example.test"


def test_a_new_site_has_all_its_addresses(client: Client) -> None:
    configure(base_url="http://testserver")
    for address in (
        "/",
        "/catalog/",
        "/programs/",
        "/about/",
        "/help/",
        "/for-organizations/",
        "/refunds/",
        "/accessibility/",
        "/terms/",
        "/privacy/",
    ):
        assert client.get(address).status_code == 200, address
    assert client.get("/organizations/").status_code in (302, 404)


def test_pages_that_promise_a_person_lead_to_the_brands_address(client: Client) -> None:
    configure(base_url="http://testserver")
    assert "mailto:" not in client.get("/for-organizations/").content.decode()
    SiteBrand.objects.update(support_email="hello@tessera.example")
    for address in ("/for-organizations/", "/help/", "/refunds/", "/accessibility/"):
        assert "mailto:hello@tessera.example" in client.get(address).content.decode(), address


def test_the_site_is_made_once() -> None:
    assert configure(base_url=BASE_URL)
    before = list(Page.objects.order_by("pk").values_list("pk", "latest_revision_id", "path"))
    assert configure(base_url=BASE_URL) == []
    assert list(Page.objects.order_by("pk").values_list("pk", "latest_revision_id", "path")) == before
    for model in (HomePage, CatalogPage, CourseIndexPage, ProgramIndexPage, OrganizationIndexPage, SiteBrand):
        assert model.objects.count() == 1


def test_wagtails_welcome_page_is_gone() -> None:
    configure(base_url=BASE_URL)
    assert not Page.objects.filter(title__startswith="Welcome to your new Wagtail site").exists()


@pytest.mark.parametrize(
    ("base_url", "hostname", "port"),
    [
        ("https://courses.example.test", "courses.example.test", 443),
        ("http://courses.example.test", "courses.example.test", 80),
        ("http://127.0.0.1:8123", "127.0.0.1", 8123),
    ],
)
def test_the_address_follows_the_settings(base_url: str, hostname: str, port: int) -> None:
    configure(base_url="http://before.example.test")
    changes = configure(base_url=base_url)
    site = Site.objects.get(is_default_site=True)
    assert (site.hostname, site.port) == (hostname, port)
    assert changes == [f"Set the site’s address to {base_url}."]


class TestWhatEditorsDid:
    """A second run keeps every change."""

    @pytest.fixture(autouse=True)
    def first_run(self) -> None:
        configure(base_url=BASE_URL)

    def test_edited_page_texts_are_kept(self) -> None:
        home = HomePage.objects.get()
        home.hero_title = "Learn with us"
        home.save_revision().publish()
        assert configure(base_url=BASE_URL) == []
        assert HomePage.objects.get().hero_title == "Learn with us"

    def test_a_deleted_page(self) -> None:
        ContentPage.objects.get(slug="about").delete()
        assert configure(base_url=BASE_URL) == []
        assert not ContentPage.objects.filter(slug="about").exists()

    def test_a_page_taken_offline(self) -> None:
        ContentPage.objects.get(slug="about").unpublish()
        configure(base_url=BASE_URL)
        assert not ContentPage.objects.get(slug="about").live

    def test_an_edited_brand_is_kept(self) -> None:
        SiteBrand.objects.update(brand_name="Mosaic", terms_page=None)
        configure(base_url=BASE_URL)
        brand = SiteBrand.objects.get()
        assert (brand.brand_name, brand.terms_page) == ("Mosaic", None)

    def test_rights_an_administrator_took_away(self) -> None:
        Group.objects.get(name="Finance").permissions.clear()
        configure(base_url=BASE_URL)
        assert not Group.objects.get(name="Finance").permissions.exists()

    def test_a_folder_others_rely_on_is_made_again(self) -> None:
        CatalogPage.objects.get().delete()
        assert configure(base_url=BASE_URL) == ["Created the page “Catalog”."]


class TestGroups:
    @pytest.fixture(autouse=True)
    def first_run(self) -> None:
        configure(base_url="http://testserver")

    def member(self, group: str) -> User:
        user = make_user()
        user.groups.add(Group.objects.get(name=group))
        return user

    def test_editors_write_pages_and_the_catalog(self) -> None:
        editor = self.member("Editors")
        assert editor.has_perms(["wagtailadmin.access_admin", "courses.add_course", "courses.change_courserun"])
        assert not editor.has_perm("ecommerce.change_product")
        assert HomePage.objects.get().permissions_for_user(editor).can_publish()

    def test_editors_write_nothing_above_the_site(self) -> None:
        pages = GroupPagePermission.objects.filter(group__name="Editors").values_list("page_id", flat=True)
        assert set(pages) == {HomePage.objects.get().pk}

    def test_finance_sets_prices_and_writes_no_page(self) -> None:
        finance = self.member("Finance")
        assert finance.has_perms(["wagtailadmin.access_admin", "ecommerce.change_product", "ecommerce.view_order"])
        assert not finance.has_perm("courses.change_course")
        assert not HomePage.objects.get().permissions_for_user(finance).can_edit()

    def test_b2b_managers_write_organizations_only(self) -> None:
        manager = self.member("B2B managers")
        assert OrganizationIndexPage.objects.get().permissions_for_user(manager).can_add_subpage()
        assert not HomePage.objects.get().permissions_for_user(manager).can_edit()
        assert not manager.has_perm("ecommerce.change_product")


def test_the_command_says_what_it_did() -> None:
    out = StringIO()
    call_command("configure_wagtail", stdout=out)
    assert "Created the page “Catalog”." in out.getvalue()
    again = StringIO()
    call_command("configure_wagtail", stdout=again)
    assert again.getvalue() == "Everything is already in place. Nothing was changed.\n"
