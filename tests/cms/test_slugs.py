"""Slugs that the application answers itself are refused at the field, under the root of each site."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from wagtail.models import Page, Site
from wagtail.test.utils.form_data import querydict_from_html

from cms.models import ContentPage, HomePage
from cms.models.addresses import application_slugs
from tests.factories.pages import make_content_page, make_home

pytestmark = pytest.mark.django_db

SENTENCE = "is an address of this site that isn’t a page. Choose another slug."
SOME = ("cart", "login", "admin", "cms", "api", "static", "media", "dashboard", "health", "enrollmentcode", "orders")
FREE = ("about", "courses", "programs", "catalog", "blog", "carts", "log-in")


def add(client: Client, parent: Page, slug: str) -> Any:
    url = f"/cms/pages/add/cms/contentpage/{parent.pk}/"
    form = querydict_from_html(client.get(url).content.decode(), form_id="page-edit-form")
    return client.post(url, dict(form.lists()) | {"title": "Title", "slug": slug, "body-count": "0"})


@pytest.fixture(params=["default", "second"])
def root(request: pytest.FixtureRequest) -> Page:
    home = make_home()
    if request.param == "default":
        return home
    second = HomePage(title="Second", slug="second", hero_title="Second")
    Page.get_first_root_node().add_child(instance=second)
    Site.objects.create(hostname="second.example", root_page=second)
    return second


@pytest.mark.parametrize("slug", SOME)
def test_a_slug_of_the_application_is_refused_at_the_field(admin_client: Client, root: Page, slug: str) -> None:
    response = add(admin_client, root, slug)
    assert f"“{slug}” {SENTENCE}" in response.content.decode()
    assert not ContentPage.objects.exists()


@pytest.mark.parametrize("slug", ["about", "blog", "carts"])
def test_any_other_slug_is_taken(admin_client: Client, slug: str) -> None:
    assert add(admin_client, make_home(), slug).status_code == 302
    assert ContentPage.objects.get().slug == slug


def test_below_another_page_any_slug_is_taken(admin_client: Client) -> None:
    assert add(admin_client, make_content_page("about"), "cart").status_code == 302


def test_a_page_does_not_get_such_an_address_by_a_change_a_copy_or_a_move(admin_client: Client) -> None:
    about = make_content_page("about")
    cart = ContentPage(title="Cart", slug="cart")
    about.add_child(instance=cart)
    home = make_home()

    form = querydict_from_html(
        admin_client.get(f"/cms/pages/{about.pk}/edit/").content.decode(), form_id="page-edit-form"
    )
    changed = admin_client.post(
        f"/cms/pages/{about.pk}/edit/", dict(form.lists()) | {"slug": "cart", "body-count": "0"}
    )
    copied = admin_client.post(
        f"/cms/pages/{about.pk}/copy/", {"new_title": "Cart", "new_slug": "cart", "new_parent_page": home.pk}
    )
    moved = admin_client.post(f"/cms/pages/{cart.pk}/move/{home.pk}/confirm/", follow=True)
    in_bulk = admin_client.post(
        f"/cms/bulk/wagtailcore/page/move/?id={cart.pk}", {"chooser": str(home.pk)}, follow=True
    )
    for response in (changed, copied, moved, in_bulk):
        assert "“cart” is an address of this site that isn’t a page" in response.content.decode()
    assert not home.get_children().filter(slug="cart").exists()


def test_the_list_comes_from_the_addresses_there_are() -> None:
    slugs = application_slugs()
    assert set(SOME) <= slugs
    assert not set(FREE) & slugs
