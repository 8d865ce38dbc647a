"""An editor makes a course page while the form saves itself, and visitors meet what editors announce."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from playwright.sync_api import Page, expect
from wagtail.models import PageViewRestriction, Site

from cms.models import ContentPage, CourseIndexPage, CoursePage, SiteMenus
from cms.services.groups import EDITORS
from courses.models import Course
from tests.browser.axe import assert_accessible
from tests.browser.conftest import OpenVisitor, Visitor
from tests.factories import PASSWORD, make_course, make_user

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.django_db(transaction=True)]

# Around the moment at which the form saves itself, half a second after the last change.
MOMENTS = (0, 400, 550, 700, 1500)


def signed_in(open_visitor: OpenVisitor) -> Visitor:
    call_command("configure_wagtail", verbosity=0)
    user = make_user("ada@tessera.example", name="Ada Lovelace")
    user.set_password(PASSWORD)
    user.save()
    user.groups.add(Group.objects.get(name=EDITORS))
    visitor = open_visitor()
    visitor.opens("/cms/login/?next=/cms/course_pages/")
    visitor.page.get_by_label("Email").fill(user.email)
    visitor.page.get_by_label("Password").fill(PASSWORD)
    visitor.page.get_by_role("button", name="Sign in").click()
    expect(visitor.page.get_by_role("heading", level=1, name="Course pages")).to_be_attached()
    return visitor


def chooses(page: Page, course: Course) -> None:
    page.get_by_role("button", name="Choose course", exact=True).click()
    page.locator("[data-chooser-modal-choice]").filter(has_text=course.title).click()
    expect(page.locator("[name=course]")).to_have_value(str(course.pk))


def test_publish_makes_one_page_whenever_it_is_pressed(open_visitor: OpenVisitor) -> None:
    visitor = signed_in(open_visitor)
    folder = CourseIndexPage.objects.get()
    for moment in MOMENTS:
        course = make_course(title=f"A course published after {moment} ms")
        visitor.opens(f"/cms/pages/add/cms/coursepage/{folder.pk}/")
        visitor.page.wait_for_load_state("networkidle")
        chooses(visitor.page, course)
        visitor.page.wait_for_timeout(moment)
        visitor.page.get_by_role("button", name="More actions").click()
        visitor.page.get_by_role("button", name="Publish", exact=True).click()
        expect(visitor.page.locator(".messages .success")).to_contain_text("published")
        assert CoursePage.objects.get(course=course).live
    assert CoursePage.objects.count() == len(MOMENTS)


def test_an_announcement_is_dismissed_and_stays_away(open_visitor: OpenVisitor) -> None:
    call_command("configure_wagtail", verbosity=0)
    page = ContentPage.objects.order_by("pk").first()
    site = Site.objects.get(is_default_site=True)
    Site.objects.filter(pk=site.pk).update(hostname="localhost")
    SiteMenus.objects.create(
        site=site,
        announcement="Spring courses open on Monday.",
        announcement_link="See which",
        announcement_page=page,
    )
    visitor = open_visitor()
    visitor.opens("/catalog/")
    bar = visitor.page.get_by_role("region", name="Announcement")
    expect(bar).to_contain_text("Spring courses open on Monday. See which")
    assert_accessible(visitor.page)
    visitor.page.set_viewport_size({"width": 390, "height": 844})
    bar.get_by_role("button", name="Dismiss announcement").press("Enter")
    expect(bar).to_have_count(0)
    assert visitor.page.evaluate("document.activeElement.id") == "main"
    visitor.opens("/cart/")
    expect(visitor.page.get_by_role("heading", level=1)).to_be_visible()
    expect(bar).to_have_count(0)


def test_the_form_for_a_pages_password_is_accessible(open_visitor: OpenVisitor) -> None:
    call_command("configure_wagtail", verbosity=0)
    page = ContentPage.objects.get(slug="help")
    PageViewRestriction.objects.create(page=page, restriction_type=PageViewRestriction.PASSWORD, password="sesame")
    visitor = open_visitor()
    visitor.opens("/help/")
    assert_accessible(visitor.page)
    visitor.page.get_by_label("Password").fill("wrong")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("The password you have entered is not correct.")
    assert_accessible(visitor.page)
    visitor.page.get_by_label("Password").fill("sesame")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_role("heading", level=1, name=page.title)).to_be_visible()
