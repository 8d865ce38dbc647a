"""Requests that no form of the two admins sends are refused, at each of their addresses, and are no server errors."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from taggit.models import Tag
from wagtail.models import Page, Workflow

from tests.factories import make_run, make_user
from tests.factories.pages import make_home
from tests.security.addresses import every_address
from tests.security.table import LEFT_OUT
from tests.security.world import World, make_world
from tests.support.forms import open_form

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(900)]

GARBAGE = "x"
# What the forms and addresses of the admins call their fields.
NAMES = (
    "id", "page", "next", "url", "title", "slug", "p", "q", "order", "position", "parent_page_id", "parent_page",
    "import_file_name", "input_format", "file", "files[]", "chooser", "item", "type", "content_type", "usage_count",
    "comment", "tags", "name", "action", "password", "restriction_type", "groups", "collection", "email", "role",
    "task", "workflow", "course", "course_run", "department", "picture", "account", "redirect_page", "new_parent_page",
    "user", "tag", "new_tag_name", "_selected_action",
    "body-count", "form-TOTAL_FORMS", "workflow_tasks-TOTAL_FORMS", "workflow_tasks-0-id", "workflow_tasks-0-task",
)  # fmt: skip
WORDS = {"action": "delete", "app_label": "wagtailcore", "model_name": "page"}
MOST_KEYS = 12


def paths_of(route: str, keys: list[str]) -> list[str]:
    """Return the addresses of a route: with each key in turn where the route has one."""
    if "<" not in route and "(" not in route:
        return [f"/{route}"]
    return list(dict.fromkeys(_fill(route, key) for key in keys))


def _fill(route: str, key: str) -> str:
    by_type = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: WORDS.get(match[1], key), route)
    return "/" + re.sub(r"\(\?P<\w+>[^)]*\)|\([^)]*\)\??", key, by_type).replace("\\", "")


def status_of(world: World, method: str, path: str, data: dict[str, str]) -> int:
    """Return the status of the administrator's request, which is rolled back."""
    client = Client(raise_request_exception=False)
    client.cookies = SimpleCookie(world.cookies["admin"])
    before = transaction.savepoint()
    response: Any = client.post(path, data) if method == "POST" else client.get(path, data)
    for close in response._resource_closers:
        close()
    transaction.savepoint_rollback(before)
    return int(response.status_code)


def test_no_address_of_the_admins_fails_on_a_request_without_sense() -> None:
    world = make_world()
    pages = Page.objects.filter(depth__lt=4).order_by("-pk").values_list("pk", flat=True)[:3]
    keys = list(dict.fromkeys(["1", *map(str, pages), *world.things.values()]))[:MOST_KEYS]
    failed = []
    for address in every_address():
        if not address.route.startswith(("cms/", "admin/")) or address.route in LEFT_OUT or "logout" in address.route:
            continue
        for path in paths_of(address.route, keys):
            status = status_of(world, "POST", path, {})
            if status == 404:
                continue
            everything = dict.fromkeys(NAMES, GARBAGE)
            answers = {
                "an empty form": status,
                "a form of garbage": status_of(world, "POST", path, everything),
                "an address of garbage": status_of(world, "GET", path, everything),
            }
            failed += [f"{path}: {what} is a {code}" for what, code in answers.items() if code >= 500]
            break
    assert not failed, "\n".join(failed)


@pytest.fixture
def admin() -> Client:
    make_home()
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/cms/redirects/import/process/", {}, 400),
        ("/cms/redirects/import/process/", {"import_file_name": "x", "input_format": "0"}, 400),
        ("/cms/choose-external-link/", {}, 400),
        ("/cms/choose-external-link/?parent_page_id=x", {}, 400),
        ("/cms/pages/1/lock/", {}, 400),
        ("/cms/pages/1/unlock/", {}, 400),
        ("/cms/pages/1/set_position/", {}, 400),
        ("/cms/pages/{home}/lock/?next=x", {}, 400),
        ("/cms/pages/{home}/lock/", {"next": "x"}, 400),
        ("/cms/pages/{home}/edit/", {"title": "Home"}, 400),
        ("/cms/snippets/choose/courses/course/create/", {}, 302),
        ("/cms/bulk/wagtailcore/page/delete/?id=x", {}, 400),
    ],
)
def test_what_no_form_sends_is_refused(admin: Client, path: str, data: dict[str, str], status: int) -> None:
    home = make_home()
    response = admin.post(path.format(home=home.pk), data)
    assert response.status_code == status
    if status == 400:
        assert "so nothing was done" in response.content.decode() or path.startswith("/cms/redirects")
    assert not Page.objects.get(pk=home.pk).locked


@pytest.mark.parametrize("query", ["id=x", "id="])
def test_a_chooser_is_asked_for_rows_by_their_keys(admin: Client, query: str) -> None:
    for path in ("/cms/choose-page/chosen-multiple/", "/cms/snippets/choose/courses/course/chosen-multiple/"):
        assert admin.get(f"{path}?{query}").status_code == 400
        assert admin.get(f"{path}?id=99999").status_code == 200


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/cms/snippets/courses/course/add/", "department"),
        ("/cms/snippets/courses/courserun/add/", "course"),
        ("/cms/snippets/ecommerce/product/add/", "course_run"),
        ("/cms/snippets/ecommerce/customer/add/", "account"),
        ("/cms/snippets/cms/instructor/add/", "picture"),
        ("/cms/redirects/add/", "redirect_page"),
    ],
)
def test_a_form_refuses_a_choice_that_is_no_row(admin: Client, path: str, field: str) -> None:
    form = open_form(admin, path, having=field)
    response = admin.post(path, form | {field: "x"})
    assert response.status_code == 200
    assert response.context["form"].errors[field]


def test_rows_of_a_formset_have_keys(admin: Client) -> None:
    path = f"/cms/workflows/edit/{Workflow.objects.get().pk}/"
    form = open_form(admin, path, having="workflow_tasks-TOTAL_FORMS")
    assert admin.post(path, form | {"workflow_tasks-0-id": "x"}).status_code == 400
    assert (
        admin.post(path, {name: value for name, value in form.items() if not name.endswith("-0-id")}).status_code == 400
    )
    assert admin.post(path, form).status_code == 302


def test_course_staff_are_chosen_by_their_keys(admin: Client) -> None:
    path = "/admin/courses/coursestaff/add/"
    course, person = make_run().course, make_user()
    assert admin.get(f"{path}?course=x&user={person.pk}").status_code == 200
    page = admin.post(path, {"course": "x", "user": str(person.pk)})
    assert page.status_code == 200
    assert page.context["adminform"].form.errors["course"]
    assert f'<option value="{person.pk}" selected>' in page.content.decode()
    assert admin.post(path, {"course": str(course.pk), "user": str(person.pk)}).status_code == 302
    assert course.staff.get().user == person


def test_tags_are_merged_that_were_chosen_before(admin: Client) -> None:
    merge, tags = "/admin/taggit/tag/merge-tags/", [Tag.objects.create(name=name) for name in ("one", "two")]
    assert admin.post(merge, {"new_tag_name": "both"}).status_code == 400
    chosen = {"action": "render_tag_form", "_selected_action": [str(tag.pk) for tag in tags]}
    assert admin.post("/admin/taggit/tag/", chosen).headers["Location"] == merge
    gone = tags.pop()
    key = gone.pk
    gone.delete()
    assert admin.post(merge, {"new_tag_name": "both"}).status_code == 400
    assert not Tag.objects.filter(name="both").exists()
    Tag.objects.create(pk=key, name="two")
    assert admin.post(merge, {"new_tag_name": "both"}).status_code == 302
    assert Tag.objects.filter(name="both").exists()
