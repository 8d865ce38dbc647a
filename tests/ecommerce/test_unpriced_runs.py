"""Free is what was declared so. A live run without a price is offered nowhere, and finance sees that it needs one."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from cms.services.groups import FINANCE, RIGHTS, ensure_group
from courses.errors import RunHasNoPrice
from courses.models import CourseRun, Enrollment
from ecommerce.selectors.unpriced import runs_without_price
from ecommerce.services.checkout.free_enrollment import enroll_free
from frontend.pages.offers import course_offers
from mitxonline.kernel import clock
from tests.factories import NOON, make_contract, make_contract_run, make_course, make_product, make_run, make_user
from tests.factories.pages import make_course_page
from tests.support.forms import open_form, send_form
from tests.support.reading import words

pytestmark = pytest.mark.django_db

LIST = "/cms/shop/unpriced/"


def run_url(run: CourseRun) -> str:
    return reverse(CourseRun.snippet_viewset.get_url_name("edit"), args=[run.pk])  # type: ignore[attr-defined]


def text_of(response: Any) -> str:
    return words(BeautifulSoup(response.content.decode(), "html.parser"))


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def finance() -> Client:
    user = make_user()
    ensure_group(RIGHTS[FINANCE], pages=[], renew=True)
    user.groups.add(Group.objects.get(name=FINANCE))
    client = Client()
    client.force_login(user)
    return client


class TestOffers:
    def test_an_unpriced_run_is_not_offered_beside_a_free_and_a_priced_one(self) -> None:
        course = make_course()
        free, priced = make_run(course), make_run(course, is_free=False)
        make_product(priced, price="49")
        make_run(course, is_free=False)
        offered = {run.run_id: run.price is None for run in course_offers([course.pk], now=NOON)[course.pk].runs}
        assert offered == {free.pk: True, priced.pk: False}

    def test_a_price_counts_on_a_run_that_was_free(self) -> None:
        run = make_run()
        make_product(run, price="49")
        (offer,) = course_offers([run.course_id], now=NOON)[run.course_id].runs
        assert offer.price is not None

    def test_the_door_is_closed(self) -> None:
        run, user = make_run(is_free=False), make_user()
        with pytest.raises(RunHasNoPrice):
            enroll_free(user_id=user.pk, run_id=run.pk, now=NOON)
        assert not Enrollment.objects.exists()

    def test_the_button_of_a_page_shown_before_is_refused(self) -> None:
        run, user = make_run(is_free=False), make_user()
        client = Client()
        client.force_login(user)
        answer = client.post(reverse("enroll"), {"run": run.pk}, follow=True)
        assert "isn’t open right now" in text_of(answer)
        assert not Enrollment.objects.exists()

    def test_the_page_of_a_course_sells_nothing(self) -> None:
        run = make_run(is_free=False)
        page = make_course_page(run.course)
        text = text_of(Client().get(page.url))
        assert "Free" not in text
        assert "Enroll for free" not in text


class TestForm:
    def test_a_new_run_is_priced_unless_someone_says_free(self, staff: Client) -> None:
        url = reverse(CourseRun.snippet_viewset.get_url_name("add"))  # type: ignore[attr-defined]
        course = make_course()
        form = open_form(staff, url, having="courseware_id")
        assert form["is_free"] == ["no"]
        for tag, choice in (("A", "no"), ("B", "yes")):
            key = f"{course.readable_id}+{tag}"
            send_form(staff, url, form, course=course.pk, courseware_id=key, live="on", is_free=choice)
        assert dict(CourseRun.objects.values_list("run_tag", "is_free")) == {"A": False, "B": True}

    def test_a_sold_run_can_not_be_declared_free(self, staff: Client) -> None:
        run = make_run(is_free=False)
        make_product(run, price="49")
        answer = send_form(staff, run_url(run), open_form(staff, run_url(run)), is_free="yes")
        assert "It has a price: $49.00" in text_of(answer)
        run.refresh_from_db()
        assert not run.is_free

    def test_a_form_without_the_choice_leaves_it_alone(self, staff: Client) -> None:
        run = make_run()
        form = open_form(staff, run_url(run))
        del form["is_free"]
        send_form(staff, run_url(run), form, title="Another")
        run.refresh_from_db()
        assert (run.is_free, run.title) == (True, "Another")


class TestNeedsAPrice:
    def test_lists_live_public_runs_that_are_not_over(self) -> None:
        wanted = [make_run(is_free=False), make_run(is_free=False, enrollment_start=NOON + timedelta(days=9))]
        make_run()
        make_run(is_free=False, live=False)
        make_run(is_free=False, end_date=NOON - timedelta(days=1))
        make_run(is_free=False, tag="SOURCE")
        make_product(make_run(is_free=False), price="49", is_active=False)
        make_contract_run(make_contract())
        assert set(runs_without_price(NOON)) == set(wanted)

    def test_finance_sets_the_price_from_the_list(self, finance: Client) -> None:
        run = make_run(is_free=False, title="Needs one")
        page = BeautifulSoup(finance.get(LIST).content.decode(), "html.parser")
        link = next(each for each in page.select("a[href]") if "Needs one" in each.text)
        form = open_form(finance, str(link["href"]), having="sku")
        assert form["course_run"] == [str(run.pk)]
        send_form(finance, str(link["href"]), form, sku="NEW", price="49")
        assert run.products.get().sku == "NEW"
        assert "Needs one" not in text_of(finance.get(LIST))
        (offer,) = course_offers([run.course_id], now=clock.now())[run.course_id].runs
        assert offer.price is not None

    def test_others_have_no_such_list(self) -> None:
        client = Client()
        client.force_login(make_user())
        assert client.get(LIST).status_code in {302, 403}


def test_runs_that_were_free_stay_free() -> None:
    sold, unsold, draft = make_run(is_free=False), make_run(is_free=False), make_run(is_free=False, live=False)
    make_product(sold, price="49", is_active=False)
    zero = make_run(is_free=False)
    make_product(zero, price="0")
    contract_run = make_contract_run(make_contract()).course_run
    CourseRun.all_objects.filter(pk=contract_run.pk).update(is_free=False)
    migration = import_module("ecommerce.migrations.0021_free_runs_stay_free")
    with connection.cursor() as cursor:
        cursor.execute(migration.DECLARE_FREE)
    free = set(CourseRun.all_objects.filter(is_free=True).values_list("pk", flat=True))
    assert free == {unsold.pk, zero.pk}
    assert not {sold.pk, draft.pk, contract_run.pk} & free
