"""A course has one page, whoever saves first: the form's own autosave, a second click, or another editor."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.http import QueryDict
from django.test import Client
from wagtail.models import Page
from wagtail.test.utils.form_data import querydict_from_html

from cms.models import ContentPage, CourseIndexPage, CoursePage, ProgramIndexPage, ProgramPage
from cms.services.groups import EDITORS, RIGHTS, ensure_group
from courses.models import Course, Program
from mitxonline.users.models import User
from tests.factories import make_course, make_user
from tests.factories.pages import make_course_page, make_home, make_program
from tests.support.together import Together

pytestmark = pytest.mark.django_db

JSON = {"accept": "application/json"}
KINDS = (("course", CoursePage, CourseIndexPage), ("program", ProgramPage, ProgramIndexPage))


def make_editor(name: str = "Editor") -> User:
    ensure_group(RIGHTS[EDITORS], pages=[make_home()], renew=True)
    editor = make_user(name=name)
    editor.groups.add(Group.objects.get(name=EDITORS))
    return editor


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make_subject(field: str) -> Course | Program:
    return make_course() if field == "course" else make_program()


def open_form(client: Client, model: type[Page], parent: Page) -> tuple[str, QueryDict]:
    """Return the address of the form for a new page, and its fields."""
    url = f"/cms/pages/add/cms/{model._meta.model_name}/{parent.pk}/"
    form = querydict_from_html(client.get(url).content.decode(), form_id="page-edit-form")
    form["body-count"] = "0"
    return url, form


def send(client: Client, url: str, form: QueryDict, action: str = "", **fields: Any) -> Any:
    data = dict(form.lists()) | fields | ({f"action-{action}": "1"} if action else {})
    return client.post(url, data, headers=JSON if action == "autosave" else {})


@pytest.mark.parametrize(("field", "model", "folder"), KINDS)
class TestOneForm:
    def test_publish_after_autosave_publishes_what_autosave_made(self, field: str, model: Any, folder: Any) -> None:
        client, subject = client_of(make_editor()), make_subject(field)
        url, form = open_form(client, model, folder.objects.get())
        assert send(client, url, form, "autosave", **{field: subject.pk}).json()["success"]
        response = send(client, url, form, "publish", **{field: subject.pk, "seo_title": "Later"})
        assert response.status_code == 302
        page = model.objects.get()
        assert (page.live, page.seo_title, page.subject, page.title) == (True, "Later", subject, subject.title)

    def test_autosave_after_publish_changes_nothing(self, field: str, model: Any, folder: Any) -> None:
        client, subject = client_of(make_editor()), make_subject(field)
        url, form = open_form(client, model, folder.objects.get())
        send(client, url, form, "publish", **{field: subject.pk, "seo_title": "Published"})
        response = send(client, url, form, "autosave", **{field: subject.pk, "seo_title": "Late"})
        assert not response.json()["success"]
        page = model.objects.get()
        assert (page.live, page.seo_title, page.has_unpublished_changes) == (True, "Published", False)

    def test_two_clicks_on_publish_make_one_page(self, field: str, model: Any, folder: Any) -> None:
        client, subject = client_of(make_editor()), make_subject(field)
        url, form = open_form(client, model, folder.objects.get())
        for _click in range(2):
            assert send(client, url, form, "publish", **{field: subject.pk}).status_code == 302
        assert model.objects.get().live

    def test_requests_without_the_key_of_a_form_make_one_page_too(self, field: str, model: Any, folder: Any) -> None:
        client, subject = client_of(make_editor()), make_subject(field)
        url, form = open_form(client, model, folder.objects.get())
        del form["new_page_key"]
        send(client, url, form, "autosave", **{field: subject.pk})
        assert send(client, url, form, "publish", **{field: subject.pk}).status_code == 302
        assert model.objects.get().live

    def test_autosave_leaves_nothing_behind_before_there_is_a_subject(
        self, field: str, model: Any, folder: Any
    ) -> None:
        client = client_of(make_editor())
        url, form = open_form(client, model, folder.objects.get())
        response = send(client, url, form, "autosave", **{field: ""})
        assert response.json()["error_message"] == str(model.subject_missing)
        assert not model.objects.exists()


class TestTwoEditors:
    def test_the_second_is_led_to_the_firsts_draft_and_loses_nothing(self) -> None:
        first, second, course = make_editor("Ada Lovelace"), make_editor("Grace Hopper"), make_course()
        url, form = open_form(client_of(first), CoursePage, (make_home(), CourseIndexPage.objects.get())[1])
        send(client_of(first), url, form, "autosave", course=course.pk)
        draft = CoursePage.objects.get()
        url, form = open_form(client_of(second), CoursePage, CourseIndexPage.objects.get())
        response = send(client_of(second), url, form, "publish", course=course.pk, seo_title="Written by Grace")
        text = response.content.decode()
        assert "This course already has a page. It’s a draft by Ada Lovelace:" in text
        assert f'href="/cms/pages/{draft.pk}/edit/"' in text
        assert "Written by Grace" in text
        draft.refresh_from_db()
        assert (CoursePage.objects.count(), draft.live, draft.seo_title) == (1, False, "")

    def test_an_older_draft_of_ones_own_is_not_overwritten_unseen(self) -> None:
        editor, course = make_editor("Ada Lovelace"), make_course()
        client = client_of(editor)
        url, form = open_form(client, CoursePage, CourseIndexPage.objects.get())
        send(client, url, form, "", course=course.pk, seo_title="Last week")
        url, form = open_form(client, CoursePage, CourseIndexPage.objects.get())
        response = send(client, url, form, "publish", course=course.pk, seo_title="Today")
        assert "It’s a draft by Ada Lovelace" in response.content.decode()
        assert CoursePage.objects.get().seo_title == "Last week"

    def test_a_key_of_someone_elses_form_opens_nothing(self) -> None:
        first, second = make_editor(), make_editor()
        url, form = open_form(client_of(first), ContentPage, make_home())
        send(client_of(first), url, form, "publish", title="First", slug="first")
        response = send(client_of(second), url, form, "publish", title="Second", slug="second")
        assert response.status_code in (200, 302)
        assert ContentPage.objects.get(slug="first").title == "First"


def test_a_plain_page_is_made_once_as_well() -> None:
    client = client_of(make_editor())
    url, form = open_form(client, ContentPage, make_home())
    send(client, url, form, "autosave", title="About", slug="about")
    send(client, url, form, "publish", title="About us", slug="about")
    page = ContentPage.objects.get()
    assert (page.title, page.slug, page.live) == ("About us", "about", True)


class TestCopies:
    @pytest.fixture
    def page(self) -> CoursePage:
        make_course_page()
        page = make_course_page(title="")
        page.save_revision().publish()
        return page

    def copy(self, client: Client, page: Page, **fields: str) -> Any:
        url = f"/cms/pages/{page.pk}/copy/"
        parent = fields.pop("parent", None) or page.get_parent().pk
        data = {"new_title": "A copy", "new_slug": "a-copy", "new_parent_page": parent} | fields
        return client.post(url, data, follow=True)

    def test_a_copy_asked_to_be_published_stays_a_draft(self, admin_client: Client, page: CoursePage) -> None:
        self.copy(admin_client, page, publish_copies="on")
        copy = CoursePage.objects.get(slug="a-copy")
        assert (copy.live, copy.course) == (False, None)

    def test_an_alias_is_refused_in_a_sentence(self, admin_client: Client, page: CoursePage) -> None:
        assert 'name="alias"' not in admin_client.get(f"/cms/pages/{page.pk}/copy/").content.decode()
        response = self.copy(admin_client, page, alias="on")
        assert "A course or program has one page, so its page can’t have an alias." in response.content.decode()
        assert not CoursePage.objects.filter(slug="a-copy").exists()

    def test_a_draft_without_a_course_is_not_published_with_others(
        self, admin_client: Client, page: CoursePage
    ) -> None:
        self.copy(admin_client, page)
        copy, other = CoursePage.objects.get(slug="a-copy"), CoursePage.objects.exclude(slug="a-copy").first()
        assert other is not None
        Page.objects.filter(pk=other.pk).update(live=False)
        url = f"/cms/bulk/wagtailcore/page/publish/?id={copy.pk}&id={other.pk}"
        text = admin_client.post(url, follow=True).content.decode()
        assert "can’t be published: Choose the course this page is about. Nothing was published." in text
        assert not Page.objects.filter(pk__in=[copy.pk, other.pk], live=True).exists()

    def test_a_draft_whose_course_has_a_page_by_now_is_not_published(
        self, admin_client: Client, page: CoursePage
    ) -> None:
        page.course = later = make_course()
        page.save_revision()
        make_course_page(later)
        text = admin_client.post(f"/cms/bulk/wagtailcore/page/publish/?id={page.pk}", follow=True).content.decode()
        assert "can’t be published: This course already has a page." in text


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("editors", [1, 2])
@pytest.mark.parametrize(("field", "model", "folder"), KINDS)
def test_autosave_and_publish_at_the_same_time_make_one_page(
    together: Together, field: str, model: Any, folder: Any, editors: int
) -> None:
    people = [make_editor(), make_editor()][:editors]
    subject = make_subject(field)
    forms = [(client_of(person), *open_form(client_of(person), model, folder.objects.get())) for person in people]

    def save(index: int) -> Any:
        client, url, form = forms[index % editors]
        action = "publish" if index < editors * 2 else "autosave"
        return send(client, url, form, action, **{field: subject.pk}).status_code

    statuses = together(*(partial(save, index) for index in range(editors * 4)))
    assert all(status in (200, 302, 400) for status in statuses), statuses
    page = model.objects.get()
    assert (page.live, page.subject) == (True, subject)
    assert folder.objects.get().get_children().count() == 1
