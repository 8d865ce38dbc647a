"""Only editors see Wagtail's bar on pages."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mitxonline.users.models import User
from tests.factories import make_user
from tests.factories.pages import make_content_page
from tests.frontend.conftest import SignIn

pytestmark = pytest.mark.django_db

BAR = "wagtail-userbar"


@pytest.fixture
def editor() -> User:
    somebody = make_user()
    somebody.user_permissions.add(Permission.objects.get(codename="access_admin"))
    return somebody


def test_an_editor_has_the_bar(sign_in: SignIn, editor: User) -> None:
    page = make_content_page()

    answer = sign_in(editor).get(page.url).content.decode()

    assert f"<{BAR}>" in answer
    assert "/cms/" in answer


def test_only_editors_see_the_bar(client: Client, sign_in: SignIn) -> None:
    page = make_content_page()

    assert BAR not in client.get(page.url).content.decode()
    assert BAR not in sign_in(make_user()).get(page.url).content.decode()


def test_pages_editors_do_not_write_have_none(sign_in: SignIn, editor: User) -> None:
    make_content_page()

    for address in ("/cart/", "/dashboard/", "/orders/history/", "/account/"):
        assert BAR not in sign_in(editor).get(address).content.decode()


def test_a_visitor_pays_nothing_for_it(client: Client) -> None:
    page = make_content_page()

    with CaptureQueriesContext(connection) as asked:
        client.get(page.url)

    assert not [query for query in asked.captured_queries if "permission" in query["sql"]]
