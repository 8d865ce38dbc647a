from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from mitxonline.kernel import clock

NEW_YORK = ZoneInfo("America/New_York")


@override_settings(TIME_ZONE="America/New_York")
def test_a_day_is_the_sites_day_whatever_zone_is_active() -> None:
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        start, end = clock.start_of_day(date(2026, 6, 30)), clock.end_of_day(date(2026, 6, 30))
        assert start.astimezone(UTC) == datetime(2026, 6, 30, 4, 0, tzinfo=UTC)
        assert end.astimezone(UTC) == datetime(2026, 7, 1, 3, 59, 59, 999999, tzinfo=UTC)
        assert clock.date_of(end) == date(2026, 6, 30)


@override_settings(TIME_ZONE="America/New_York")
@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_days_of_23_and_25_hours_are_whole(day: date) -> None:
    assert clock.date_of(clock.start_of_day(day)) == day
    assert clock.date_of(clock.end_of_day(day)) == day
    assert clock.start_of_day(day).utcoffset() != clock.end_of_day(day).utcoffset()


def test_now_is_aware_and_today_is_its_date() -> None:
    assert timezone.is_aware(clock.now())
    assert clock.today() in {clock.date_of(clock.now()), clock.now().date()}
