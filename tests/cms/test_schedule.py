"""Pages, and contracts, that go live and expire by their schedule: set in the editor's form, done by a worker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Page
from wagtail.signals import page_published, page_unpublished
from wagtail.test.utils.form_data import inline_formset, nested_form_data, rich_text, streamfield

from b2b.models import ContractPage
from cms.models import ContentPage
from mitxonline.celery import publish_scheduled_pages
from tests.b2b.admin_people import make_staff, sign_in_as
from tests.b2b.worlds import ensure_organization_page, make_source_course, publish_contract, terms_of
from tests.factories import make_course
from tests.factories.pages import make_content_page, make_course_page, make_home
from tests.support.broker import StartWorker, until
from tests.support.forms import open_form, send_form
from tests.support.reading import words

pytestmark = pytest.mark.django_db

AGO = timedelta(minutes=10)


def edit_url(page: Page) -> str:
    return reverse("wagtailadmin_pages:edit", args=[page.pk])


def in_minutes(minutes: int) -> str:
    return (timezone.localtime() + timedelta(minutes=minutes)).strftime("%Y-%m-%d %H:%M")


def schedule(client: Client, page: Page, **changes: str) -> None:
    """Fill in the editor's form, with a schedule, and publish it by the plan where one is shown."""
    form = open_form(client, edit_url(page), having="go_live_at")
    written = {name: rich_text("") for name in ("description", "welcome_message_extra")} if "currency" in form else {}
    by_script = nested_form_data({"body": streamfield([]), "comments": inline_formset([]), **written})
    answer = send_form(client, edit_url(page), form | by_script, **changes, **{"action-publish": "publish"})
    if "/publish/" in answer.request["PATH_INFO"]:
        path = answer.request["PATH_INFO"]
        (button,) = BeautifulSoup(answer.content, "html.parser").select("button[name=seen]")
        answer = send_form(client, path, {}, seen=button["value"])
    assert Page.objects.get(pk=page.pk).scheduled_revision is not None, words(
        BeautifulSoup(answer.content, "html.parser")
    )


def let_go_live(page: Page) -> None:
    """Move the page's schedule into the past, as if its time had come."""
    revision = Page.objects.get(pk=page.pk).scheduled_revision
    revision.approved_go_live_at = timezone.now() - AGO
    revision.content |= {"go_live_at": revision.approved_go_live_at.isoformat()}
    revision.save()


def let_expire(page: Page) -> None:
    Page.objects.filter(pk=page.pk).update(expire_at=timezone.now() - AGO)


def status_of(page: Page) -> int:
    return Client().get(page.get_url()).status_code


@pytest.mark.django_db(transaction=True)
def test_a_worker_publishes_and_unpublishes_what_was_scheduled(start_worker: StartWorker) -> None:
    home = make_home()
    course_page, other = make_course_page(make_course("SC101")), make_course_page(make_course("SC102"))
    ensure_organization_page()
    contract, same = (publish_contract(make_source_course(), cap=4, name=name) for name in ("First", "Second"))
    editor, manager = sign_in_as("editor"), sign_in_as("manager")
    times = {"go_live_at": in_minutes(2), "expire_at": in_minutes(9)}
    schedule(editor, course_page, prerequisites="Written in November", **times)
    schedule(editor, home, hero_title="Spring is here", go_live_at=in_minutes(2))
    schedule(manager, contract, max_learners="6", **times)
    assert "Written in November" not in Client().get(course_page.get_url()).content.decode()
    for page in (course_page, home, contract):
        let_go_live(page)
    start_worker()
    publish_scheduled_pages.delay()
    until(lambda: terms_of(contract).max_learners == 6 and not Page.objects.get(pk=home.pk).has_unpublished_changes)
    assert "Written in November" in Client().get(course_page.get_url()).content.decode()
    assert "Spring is here" in Client().get("/").content.decode()
    until(lambda: contract.contract_runs.count() == 0 or terms_of(contract).reconciled_revision_id)
    for page in (course_page, contract):
        let_expire(page)
    publish_scheduled_pages.delay()
    until(lambda: not terms_of(contract).active and not Page.objects.get(pk=course_page.pk).live)
    assert (status_of(course_page), status_of(other), status_of(home)) == (404, 200, 200)
    assert (terms_of(same).active, terms_of(same).max_learners) == (True, 4)


def make_scheduled(slug: str) -> ContentPage:
    make_content_page(slug).save_revision().publish()
    page: ContentPage = ContentPage.objects.get(slug=slug)
    page.title, page.go_live_at = f"{slug.title()} changed", timezone.now() + timedelta(minutes=2)
    page.save_revision().publish()
    return page


def take_address_of(page: ContentPage, slug: str) -> None:
    """Schedule another address for the page, which a neighbor then takes."""
    page.slug = slug
    page.save_revision().publish()
    make_content_page(slug)


def test_a_page_that_cannot_be_published_does_not_hold_up_the_others(caplog: pytest.LogCaptureFixture) -> None:
    first, second = make_scheduled("first"), make_scheduled("second")
    take_address_of(first, "taken")
    expiring, broken = make_content_page("expiring"), make_content_page("broken")
    for page in (first, second):
        let_go_live(page)
    Page.objects.filter(pk=broken.pk).update(title="")  # as an import that skips the form may leave it
    for page in (expiring, broken):
        let_expire(page)
    call_command("publish_scheduled")
    assert Page.objects.get(pk=second.pk).title == "Second changed"
    assert not Page.objects.get(pk=expiring.pk).live
    assert Page.objects.get(pk=first.pk).title == "First"
    said = [record for record in caplog.records if record.name == "cms.services.schedule"]
    assert {record.page for record in said} >= {first.pk}  # type: ignore[attr-defined]


def test_what_is_taken_off_the_schedule_meanwhile_is_left_alone() -> None:
    """Publishing the first pages may take long, and another worker or an editor may come in between."""
    first, second, third = make_scheduled("first"), make_scheduled("second"), make_content_page("third")
    for page in (first, second):
        let_go_live(page)
    let_expire(third)
    let_expire(make_content_page("fourth"))

    def come_between(instance: Page, **_kwargs: object) -> None:
        if instance.slug == "first":
            Page.objects.get(pk=second.pk).revisions.update(approved_go_live_at=None)

    def keep_live(instance: Page, **_kwargs: object) -> None:
        others = Page.objects.filter(slug__in=["third", "fourth"]).exclude(pk=instance.pk)
        others.update(expire_at=None)

    page_published.connect(come_between)
    page_unpublished.connect(keep_live)
    try:
        call_command("publish_scheduled")
    finally:
        page_published.disconnect(come_between)
        page_unpublished.disconnect(keep_live)
    assert Page.objects.get(pk=first.pk).title == "First changed"
    live = Page.objects.filter(slug__in=["third", "fourth"], live=True).count()
    assert (Page.objects.get(pk=second.pk).title, live) == ("Second", 1)


def test_it_is_published_once_the_neighbor_has_gone() -> None:
    page = make_scheduled("first")
    take_address_of(page, "taken")
    let_go_live(page)
    call_command("publish_scheduled")
    assert Page.objects.get(pk=page.pk).slug == "first"
    Page.objects.get(slug="taken").delete()
    call_command("publish_scheduled")
    assert Page.objects.get(pk=page.pk).slug == "taken"


def test_a_page_that_expires_still_goes_live_again_as_scheduled() -> None:
    page = make_scheduled("first")
    let_expire(page)
    call_command("publish_scheduled")
    assert not Page.objects.get(pk=page.pk).live
    let_go_live(page)
    call_command("publish_scheduled")
    assert (Page.objects.get(pk=page.pk).live, Page.objects.get(pk=page.pk).title) == (True, "First changed")


def test_editors_see_what_could_not_be_published_in_time() -> None:
    page, waiting = make_scheduled("first"), make_scheduled("second")
    take_address_of(page, "taken")
    let_go_live(page)
    call_command("publish_scheduled")
    client = Client()
    client.force_login(make_staff("editor"))
    late = client.get("/cms/pages-to-do/?needs=late").content.decode()
    assert edit_url(page) in late
    assert edit_url(waiting) not in late
    call_command("publish_scheduled")
    history = client.get(reverse("wagtailadmin_pages:history", args=[page.pk])).content.decode()
    assert history.count("The schedule couldn’t be kept: The slug &#x27;taken&#x27; is already in use") == 1
    scheduled = client.get("/cms/pages-to-do/?needs=scheduled").content.decode()
    assert edit_url(waiting) in scheduled
    assert edit_url(page) not in scheduled


def test_the_form_names_the_zone_of_its_times() -> None:
    ensure_organization_page()
    contract = publish_contract(make_source_course(), cap=4)
    for client, page in ((sign_in_as("editor"), make_home()), (sign_in_as("manager"), contract)):
        shown = client.get(edit_url(page)).content.decode()
        assert shown.count("Time zone: UTC.") >= 2, page


def test_terms_that_could_not_take_effect_are_not_announced() -> None:
    ensure_organization_page()
    page, other = (publish_contract(make_source_course(), cap=4, name=name) for name in ("First", "Second"))
    manager = sign_in_as("manager")
    schedule(manager, page, max_learners="6", go_live_at=in_minutes(2))
    revision = ContractPage.objects.get(pk=page.pk).scheduled_revision
    revision.content |= {"slug": other.slug}
    revision.save()
    let_go_live(page)
    call_command("publish_scheduled")
    shown = manager.get(reverse("b2b_contracts:terms", args=[page.pk])).content.decode()
    assert "Other terms take effect automatically" not in shown
    assert "couldn’t take effect" in shown
    assert terms_of(page).max_learners == 4
