"""Redirects that staff save are followed, and those that lead in circles are refused."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from wagtail.contrib.redirects.models import Redirect
from wagtail.models import Site

from tests.factories import make_user

pytestmark = pytest.mark.django_db

LOOP = "This redirect would lead back to where it starts."


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(make_user(is_superuser=True, is_staff=True))
    return client


@pytest.fixture
def root() -> str:
    return str(Site.objects.get(is_default_site=True).root_url)


def save(client: Client, start: str, link: str, address: str = "/cms/redirects/add/") -> str:
    data = {"old_path": start, "redirect_link": link, "redirect_page": "", "site": "", "is_permanent": "on"}
    return str(client.post(address, data, follow=True).content.decode())


def test_a_saved_redirect_is_followed_once(client: Client, root: str) -> None:
    save(client, "/old-courses/", f"{root}/courses/")
    save(client, "/older/", f"{root}/old-courses/")
    save(client, "/partner/", "https://partner.example/partner/")
    for start, target in (
        ("/old-courses/", f"{root}/courses/"),
        ("/older/?utm=1", f"{root}/old-courses/"),
        ("/partner/", "https://partner.example/partner/"),
    ):
        answer = Client().get(start)
        assert (answer.status_code, answer.headers["Location"]) == (301, target)


@pytest.mark.parametrize("target", ["/a/", "/a", "/a/?page=2", "/b/"])
def test_a_loop_is_refused(client: Client, root: str, target: str) -> None:
    save(client, "/b/", f"{root}/c/")
    save(client, "/c/", f"{root}/a/")
    assert LOOP in save(client, "/a/", root + target)
    assert set(Redirect.objects.values_list("old_path", flat=True)) == {"/b", "/c"}


def test_a_redirect_isnt_changed_into_a_loop(client: Client, root: str) -> None:
    save(client, "/a/", f"{root}/courses/")
    save(client, "/b/", f"{root}/a/")
    first = Redirect.objects.get(old_path="/a")
    assert LOOP in save(client, "/a/", f"{root}/b/", f"/cms/redirects/{first.pk}/")
    assert LOOP not in save(client, "/a/", f"{root}/programs/", f"/cms/redirects/{first.pk}/")
    first.refresh_from_db()
    assert first.redirect_link == f"{root}/programs/"


def test_an_import_takes_good_lines_and_names_loops(client: Client, root: str) -> None:
    text = f"from,to\n/x/,{root}/courses/\n/y/,{root}/y/\n/z/,/courses/\n"
    file = SimpleUploadedFile("redirects.csv", text.encode(), "text/csv")
    form = client.post("/cms/redirects/import/", {"import_file": file}).context["form"]
    kept = {name: form[name].value() for name in ("import_file_name", "input_format")}
    columns = {"from_index": "0", "to_index": "1", "permanent": "on"}
    asked = client.post("/cms/redirects/import/process/", kept | columns)
    page = asked.content.decode()
    assert LOOP in page
    assert "Enter a complete address, such as https://www.example.org/courses/." in page
    assert list(Redirect.objects.values_list("old_path", flat=True)) == ["/x"]
