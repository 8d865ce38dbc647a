"""Private pages and documents: who is let in, who is refused, and that no one goes round in circles."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.test import Client
from wagtail.documents.models import Document
from wagtail.models import Collection, CollectionViewRestriction, Page, PageViewRestriction, Site

from cms.models import CatalogPage
from tests.factories import make_course, make_user
from tests.factories.pages import make_content_page, make_course_page, make_home

pytestmark = pytest.mark.django_db


@pytest.fixture
def insider() -> Client:
    return client_in(Group.objects.get_or_create(name="Insiders")[0])


@pytest.fixture
def outsider() -> Client:
    return client_in(Group.objects.create(name="Others"))


def client_in(group: Group) -> Client:
    client, user = Client(), make_user()
    user.groups.add(group)
    client.force_login(user)
    return client


def keep_for_insiders(page: Page) -> str:
    restriction = PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.GROUPS)
    restriction.groups.add(Group.objects.get_or_create(name="Insiders")[0])
    url: str = page.get_url()
    return url


@pytest.mark.parametrize("kind", ["course", "content"])
def test_someone_outside_the_group_gets_one_refusal(insider: Client, outsider: Client, kind: str) -> None:
    page = make_course_page(make_course("PY101")) if kind == "course" else make_content_page("staff")
    url = keep_for_insiders(page)
    response = outsider.get(url)
    assert response.status_code == 403
    assert "You don’t have access to this page" in response.content.decode()
    assert insider.get(url).status_code == 200


def test_a_stranger_signs_in_first_and_gets_the_same_refusal() -> None:
    url = keep_for_insiders(make_content_page("staff"))
    stranger = Client()
    response = stranger.get(url)
    assert (response.status_code, response["Location"]) == (302, f"/login/?next={url}")
    stranger.force_login(make_user())
    response = stranger.get(response["Location"], follow=True)
    assert response.redirect_chain == [(url, 302)]
    assert response.status_code == 403


def test_whoever_is_signed_in_opens_a_page_that_only_needs_that(outsider: Client) -> None:
    page = make_content_page("members")
    PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.LOGIN)
    assert outsider.get("/members/").status_code == 200
    assert Client().get("/members/").status_code == 302


def test_a_document_outside_the_group_is_refused_alike(insider: Client, outsider: Client) -> None:
    make_home()
    collection = Collection.get_first_root_node().add_child(name="Insiders only")
    restriction = CollectionViewRestriction.objects.create(collection=collection, restriction_type="groups")
    restriction.groups.add(Group.objects.get_or_create(name="Insiders")[0])
    document = Document(title="Plan", collection=collection)
    document.file.save("plan.txt", ContentFile(b"The plan"))
    assert outsider.get(document.url).status_code == 403
    assert Client().get(document.url).status_code == 302
    response: Any = insider.get(document.url)
    assert (response.status_code, b"".join(response.streaming_content)) == (200, b"The plan")
    response.close()


class TestPassword:
    def make_page(self) -> tuple[str, str]:
        page = make_content_page("partners")
        restriction = PageViewRestriction.objects.create(
            page=page, restriction_type=PageViewRestriction.PASSWORD, password="open sesame"
        )
        return "/partners/", f"/_util/authenticate_with_password/{restriction.pk}/{page.pk}/"

    def test_the_form_looks_like_the_site(self, client: Client) -> None:
        url, _action = self.make_page()
        text = client.get(url).content.decode()
        assert "This page needs a password" in text
        assert '<header class="site-header">' in text
        assert '<main id="main"' in text

    def test_a_wrong_password_is_said_at_the_field_and_the_right_one_opens(self, client: Client) -> None:
        url, action = self.make_page()
        response = client.post(action, {"password": "wrong", "return_url": url})
        assert "The password you have entered is not correct." in response.content.decode()
        assert 'aria-invalid="true"' in response.content.decode()
        response = client.post(action, {"password": "open sesame", "return_url": url})
        assert (response.status_code, response["Location"]) == (302, url)
        assert client.get(url).status_code == 200


class TestUnknownHost:
    @pytest.mark.parametrize("path", ["/", "/catalog/", "/cart/", "/nothing/", "/login/"])
    def test_a_host_without_a_site_is_not_found(self, client: Client, path: str) -> None:
        make_home()
        assert CatalogPage.objects.exists()
        Site.objects.update(is_default_site=False, hostname="shop.example")
        response = client.get(path)
        assert response.status_code == 404
        assert "Tessera" in response.content.decode()
