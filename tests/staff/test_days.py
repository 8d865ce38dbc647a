"""A day in a form is a whole day in the site's time zone, at every door, and is shown as that day again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bs4 import BeautifulSoup
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from courses.models import CourseRun
from courses.rules import is_enrollable
from ecommerce.models import Discount
from mitxonline.kernel import clock
from tests.factories import make_discount, make_run, make_user
from tests.support.forms import open_form, send_form
from tests.support.reading import words

pytestmark = pytest.mark.django_db

NEW_YORK = ZoneInfo("America/New_York")
LAST_MOMENT = datetime(2090, 6, 30, 23, 59, 59, 999999, NEW_YORK)
FIRST_MOMENT = datetime(2090, 6, 1, 0, 0, tzinfo=NEW_YORK)


@pytest.fixture(autouse=True)
def in_new_york(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def dates_of(discount: Discount) -> tuple[datetime | None, datetime | None]:
    discount.refresh_from_db()
    return discount.activates_at, discount.expires_at


class TestDiscounts:
    @pytest.mark.parametrize("until", ["2090-06-30", " 2090-06-30 ", "2090-06-30 00:00"])
    def test_both_days_are_included(self, staff: Client, until: str) -> None:
        discount = make_discount(amount="20", name="Autumn")
        url = reverse("discounts:edit", args=[discount.pk])
        send_form(staff, url, open_form(staff, url), activates_at="2090-06-01", expires_at=until)
        assert dates_of(discount) == (FIRST_MOMENT, LAST_MOMENT)
        page = open_form(staff, url)
        assert (page["activates_at"], page["expires_at"]) == (["2090-06-01"], ["2090-06-30"])

    def test_a_day_is_the_same_at_every_door(self, staff: Client) -> None:
        form = open_form(staff, reverse("discounts:add"), having="discount_type")
        form |= {"name": ["A"], "amount": ["20"], "scope": ["all"], "code": ["AUTUMN20"], "expires_at": ["2090-06-30"]}
        send_form(staff, reverse("discounts:add"), form)
        call_command("generate_discount_code", "AUTUMN30", "--discount-type", "percent-off", "--amount", "30",
                     "--payment-type", "marketing", "--expires", "2090-06-30")  # fmt: skip
        several = make_discount(amount="20", name="Several")
        url = f"/cms/bulk/ecommerce/discount/extend/?id={several.pk}&next=/cms/"
        send_form(staff, url, open_form(staff, url), expires_at="2090-06-30")
        assert {each.expires_at for each in Discount.objects.all()} == {LAST_MOMENT}
        assert Discount.objects.count() == 3

    def test_one_day_is_from_and_until(self, staff: Client) -> None:
        discount = make_discount(amount="20", name="Autumn")
        url = reverse("discounts:edit", args=[discount.pk])
        send_form(staff, url, open_form(staff, url), activates_at="2090-06-30", expires_at="2090-06-30")
        assert dates_of(discount)[1] == LAST_MOMENT

    def test_a_time_that_was_stored_is_kept_and_told(self, staff: Client) -> None:
        noon = datetime(2090, 6, 30, 12, 0, tzinfo=NEW_YORK)
        discount = make_discount(amount="20", name="Autumn", expires_at=noon)
        url = reverse("discounts:edit", args=[discount.pk])
        assert "It is 30 June 2090, 12:00 EDT exactly." in words(
            BeautifulSoup(staff.get(url).content.decode(), "html.parser")
        )
        send_form(staff, url, open_form(staff, url), name="Fall")
        assert (dates_of(discount)[1], discount.name) == (noon, "Fall")

    def test_what_is_no_day_gets_a_sentence(self, staff: Client) -> None:
        discount = make_discount(amount="20", name="Autumn")
        url = reverse("discounts:edit", args=[discount.pk])
        for text in ("2090-02-30", "tomorrow"):
            answer = send_form(staff, url, open_form(staff, url), expires_at=text)
            assert "Enter a day like 2027-06-30." in words(BeautifulSoup(answer.content.decode(), "html.parser"))
            assert f'value="{text}"' in answer.content.decode()


class TestRuns:
    def test_enrollment_is_open_on_its_last_day(self, staff: Client) -> None:
        run = make_run()
        url = reverse(CourseRun.snippet_viewset.get_url_name("edit"), args=[run.pk])  # type: ignore[attr-defined]
        today = clock.today().isoformat()
        send_form(staff, url, open_form(staff, url), enrollment_start=today, enrollment_end=today, end_date=today)
        run.refresh_from_db()
        assert run.enrollment_end == clock.end_of_day(clock.today()) == run.end_date
        assert run.enrollment_start == clock.start_of_day(clock.today())
        assert is_enrollable(run, now=clock.now())
        page = open_form(staff, url)
        assert {name: page[name] for name in ("enrollment_start", "enrollment_end", "end_date")} == {
            "enrollment_start": [today],
            "enrollment_end": [today],
            "end_date": [today],
        }

    def test_a_new_title_moves_no_date(self, staff: Client) -> None:
        moments: dict[str, Any] = {
            name: datetime(2090, 3, day, 13, 37, 21, tzinfo=UTC)
            for day, name in enumerate(
                ["enrollment_start", "enrollment_end", "upgrade_deadline", "end_date", "certificate_available_date"], 1
            )
        }
        run = make_run(**moments)
        url = reverse(CourseRun.snippet_viewset.get_url_name("edit"), args=[run.pk])  # type: ignore[attr-defined]
        send_form(staff, url, open_form(staff, url), title="New title")
        run.refresh_from_db()
        assert run.title == "New title"
        assert {name: getattr(run, name) for name in moments} == moments

    def test_the_zone_is_beside_each_date(self, staff: Client) -> None:
        url = reverse(CourseRun.snippet_viewset.get_url_name("add"))  # type: ignore[attr-defined]
        text = words(BeautifulSoup(staff.get(url).content.decode(), "html.parser"))
        assert text.count("Time zone: America/New_York.") == 6
