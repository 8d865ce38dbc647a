"""Page types, by Wagtail's own assertions: parents, rendering, preview, editing."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from wagtail.models import Page
from wagtail.test.utils import WagtailPageTestCase
from wagtail.test.utils.form_data import nested_form_data, querydict_from_html, streamfield

from b2b.models import OrganizationIndexPage
from cms.models import (
    CatalogPage,
    ContentPage,
    CourseIndexPage,
    CoursePage,
    HomePage,
    Instructor,
    ProductIndexPage,
    ProductPage,
    ProgramIndexPage,
    ProgramPage,
)
from tests.factories import make_contract, make_contract_run, make_course, make_product, make_run
from tests.factories.pages import (
    block,
    make_content_page,
    make_course_page,
    make_home,
    make_product_page,
    make_program,
    make_program_page,
)


class Places(WagtailPageTestCase):  # type: ignore[misc]
    """Allowed parents and children."""

    def test_home_page_keeps_what_belongs_under_it(self) -> None:
        assert set(HomePage.creatable_subpage_models()) == {
            CatalogPage,
            CourseIndexPage,
            ProgramIndexPage,
            ProductIndexPage,
            ContentPage,
            OrganizationIndexPage,
        }
        self.assertAllowedParentPageTypes(HomePage, {Page})

    def test_each_folder_keeps_its_kind(self) -> None:
        self.assertAllowedSubpageTypes(CourseIndexPage, {CoursePage})
        self.assertAllowedSubpageTypes(ProgramIndexPage, {ProgramPage})
        self.assertAllowedSubpageTypes(ProductIndexPage, {ProductPage})
        self.assertAllowedSubpageTypes(ContentPage, {ContentPage})

    def test_lists_and_leaves_keep_nothing(self) -> None:
        for model in (CatalogPage, CoursePage, ProgramPage, ProductPage):
            self.assertAllowedSubpageTypes(model, set())

    def test_course_page_belongs_nowhere_else(self) -> None:
        for model in (HomePage, CatalogPage, ContentPage, ProgramIndexPage):
            self.assertCanNotCreateAt(model, CoursePage)


class Rendering(WagtailPageTestCase):  # type: ignore[misc]
    """Every kind of page can be opened, previewed and edited."""

    def setUp(self) -> None:
        self.editor = self.create_superuser("editor")
        self.home = make_home()
        self.course = make_course("PY101")
        self.course_page = make_course_page(self.course, body=_every_block())
        self.program_page = make_program_page(make_program(courses=[self.course]))
        self.pages = [
            self.home,
            CatalogPage.objects.get(),
            ProgramIndexPage.objects.get(),
            self.course_page,
            self.program_page,
            make_product_page(make_product(price="95")),
            make_content_page(body=[("text", {"heading": "Who we are", "text": "<p>People.</p>"})]),
        ]

    def test_only_the_panel_beside_the_page_is_a_landmark(self) -> None:
        make_product(make_run(self.course))
        shown = self.client.get(self.course_page.url).text
        assert shown.count('<section class="panel"') == 2
        assert shown.count('aria-label="Price and enrollment"') == 1

    def test_pages_are_rendered(self) -> None:
        for page in self.pages:
            self.assertPageIsRoutable(page)
            self.assertPageIsRenderable(page)

    def test_pages_are_previewed_in_every_mode(self) -> None:
        for page in self.pages:
            for mode, _label in page.preview_modes:
                self.assertPageIsPreviewable(page, mode=mode, post_data=self._as_edited(page))

    def test_pages_are_edited(self) -> None:
        for page in (self.course_page, self.program_page, self.home):
            self.assertPageIsEditable(page, post_data=self._as_edited(page))

    def _as_edited(self, page: Page) -> QueryDict:
        """Return the edit form's data without stream fields, whose inputs scripts would add."""
        self.client.force_login(self.editor)  # Wagtail's assertions sign out again
        html = self.client.get(f"/cms/pages/{page.pk}/edit/").content.decode()
        data: QueryDict = querydict_from_html(html, form_id="page-edit-form")
        data["body-count"] = "0"
        return data

    def test_new_page_without_a_course_is_previewed_with_a_sentence(self) -> None:
        page = CoursePage(title="New")
        CourseIndexPage.objects.get().add_child(instance=page)
        response = page.make_preview_request()
        self.assertContains(response, "Choose the course this page is about.")

    def test_editors_texts_are_shown(self) -> None:
        response = self.client.get(self.course_page.url)
        for words in (
            "Read an error message",
            "First programs",
            "Mirela Radu",
            "What do I need to install?",
            "I was slow in the right places.",
            'title="A first look"',
            "youtube-nocookie.com/embed/aqz-KE-bpKQ",
        ):
            self.assertContains(response, words)

    def test_tabs_are_the_blocks_with_an_anchor_in_their_order(self) -> None:
        anchors = [tab.anchor for tab in self.course_page.tabs]
        assert anchors == ["about", "syllabus", "instructors", "questions"]


class Creating(WagtailPageTestCase):  # type: ignore[misc]
    """The editor's way to a new course page."""

    def setUp(self) -> None:
        make_home()
        self.folder = CourseIndexPage.objects.get()
        self.user = self.login()

    def test_course_page_is_made_with_its_courses_title_and_address(self) -> None:
        course = make_course("PY101", title="Programming with Python, properly")
        self.assertCanCreate(self.folder, CoursePage, _form(course=course.pk))
        page = CoursePage.objects.get(course=course)
        assert page.title == "Programming with Python, properly"
        assert page.url == "/courses/course-v1:TesseraX+PY101/"
        assert page.live

    def test_draft_waits_without_a_course_but_is_not_published(self) -> None:
        self.assertCanCreate(self.folder, CoursePage, _form(course=""), publish=False)
        draft = CoursePage.objects.get()
        response = self.client.post(
            f"/cms/pages/{draft.pk}/edit/", _form(course="") | {"action-publish": "action-publish"}
        )
        self.assertContains(response, "Choose the course this page is about.")
        assert not CoursePage.objects.get().live

    def test_second_page_for_a_course_is_refused_with_a_sentence(self) -> None:
        page = make_course_page()
        response = self.client.post(f"/cms/pages/add/cms/coursepage/{self.folder.pk}/", _form(course=page.course_id))
        self.assertContains(response, "This course already has a page.")
        assert CoursePage.objects.count() == 1

    def test_copy_waits_for_a_course_of_its_own(self) -> None:
        page = make_course_page()
        page.save_revision()
        copy = page.copy(update_attrs={"slug": "copy", "title": "Copy"}, keep_live=False)
        assert CoursePage.objects.get(pk=copy.pk).course_id is None
        assert self.client.get("/courses/copy/").status_code == 404

    def test_contracts_product_gets_no_page(self) -> None:
        product = make_contract_run(make_contract()).product
        assert product is not None
        response = self.client.post(
            f"/cms/pages/add/cms/productpage/{ProductIndexPage.objects.get().pk}/",
            nested_form_data({"title": "Secret", "slug": "secret", "product": product.pk, "body": streamfield([])})
            | {"action-publish": "action-publish"},
        )
        self.assertContains(response, "belongs to a contract")
        assert not ProductPage.objects.exists()


class Titles(WagtailPageTestCase):  # type: ignore[misc]
    """A page has its course's title, wherever that is changed."""

    def test_page_follows_its_course(self) -> None:
        page = make_course_page(make_course(title="Old"))
        course = page.subject
        course.title = "New"
        course.save()
        page.refresh_from_db()
        assert (page.title, page.draft_title) == ("New", "New")

    def test_publishing_an_old_draft_does_not_bring_the_old_title_back(self) -> None:
        page = make_course_page(make_course(title="Old"))
        revision = page.save_revision()
        page.subject.title = "New"
        page.subject.save()
        revision.publish()
        page.refresh_from_db()
        assert page.title == "New"


def _form(**fields: object) -> Any:
    empty = {"prerequisites": "", "card_image": "", "body": streamfield([]), "comments-TOTAL_FORMS": 0}
    return nested_form_data(
        empty
        | {
            "comments-INITIAL_FORMS": 0,
            "comments-MIN_NUM_FORMS": 0,
            "comments-MAX_NUM_FORMS": 1000,
            "seo_title": "",
            "search_description": "",
            "social_image": "",
        }
        | fields
    )


def _every_block() -> list[dict[str, object]]:
    teacher = Instructor.objects.create(name="Mirela Radu", about="Teaches software practice.")
    return [
        block("outcomes", heading="What you will be able to do", items=["Read an error message"]),
        block(
            "syllabus", heading="Syllabus", note="", parts=[{"when": "Week 1", "title": "First programs", "text": ""}]
        ),
        block("faculty", heading="Instructors", people=[teacher.pk]),
        block("testimonials", heading="Voices", items=[{"quote": "I was slow in the right places.", "name": "Petra"}]),
        block(
            "questions", heading="Questions", items=[{"question": "What do I need to install?", "answer": "<p>-</p>"}]
        ),
        block("video", address="https://youtu.be/aqz-KE-bpKQ", title="A first look", caption="", transcript=None),
        block("text", heading="More", text="<p>Words</p>"),
        block("enroll_panel", heading="", course=None),
        block("featured_courses", heading="Others", courses=[]),
        block("call_to_action", heading="Come", text="", label="Go", page=None, address="/catalog/"),
    ]
