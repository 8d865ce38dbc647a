"""How days and times are written, and that nothing else writes them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from mitxonline.formats.en import formats
from mitxonline.kernel import dates

ROOT = Path(__file__).parents[2]
# What visitors and buyers read. Staff pages use Django's named formats, which carry the zone as well.
READ_BY_VISITORS = (
    *(ROOT / "frontend").rglob("*.html"),
    *(ROOT / "mitxonline/users/templates").rglob("*.html"),
    *ROOT.glob("*/templates/*/emails/**/*.*"),
)
CODE = [
    path
    for app in ("api", "b2b", "cms", "courses", "dev", "ecommerce", "frontend", "mitxonline", "reports")
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts
]

LATE = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)


def test_a_short_day_carries_its_year_unless_it_is_this_years() -> None:
    day = date(2027, 2, 1)
    assert dates.format_short_day(day, today=date(2027, 12, 31)) == "1 Feb"
    assert dates.format_short_day(day, today=date(2026, 12, 31)) == "1 Feb 2027"
    assert dates.format_deadline(day, today=date(2027, 1, 1)) == "1 February"
    assert dates.format_deadline(day, today=date(2026, 12, 31)) == "1 February 2027"


def test_a_span_says_the_year_once_or_both() -> None:
    assert dates.format_span(date(2026, 2, 16), date(2026, 4, 12)) == "16 February – 12 April 2026"
    assert dates.format_span(date(2026, 12, 16), date(2027, 1, 12)) == "16 December 2026 – 12 January 2027"


def test_a_time_carries_its_zone() -> None:
    assert dates.format_moment(LATE) == "31 December 2026, 23:30 UTC"
    assert dates.format_moment(LATE, zone=ZoneInfo("America/New_York")) == "31 December 2026, 18:30 EST"
    assert dates.format_time(LATE, zone=ZoneInfo("Asia/Kolkata")) == "05:00 IST"
    assert dates.format_time(LATE, zone=ZoneInfo("America/Sao_Paulo")) == "20:30 UTC-03"


@override_settings(TIME_ZONE="Asia/Tokyo")
def test_a_day_is_a_day_in_the_sites_zone_wherever_its_reader_is() -> None:
    with timezone.override("America/New_York"):
        assert dates.format_day(LATE) == "1 January 2027"
        assert dates.format_moment(LATE) == "1 January 2027, 08:30 JST"


def test_every_format_of_a_time_names_the_zone() -> None:
    named = {name: value for name, value in vars(formats).items() if "H" in str(value) and name.isupper()}
    assert len(named) == 3
    assert all(value.endswith(" T") for value in named.values()), named


@pytest.mark.parametrize("path", READ_BY_VISITORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_and_mails_write_times_by_the_tag(path: Path) -> None:
    used = re.findall(r"\|(?:date|time)(?::\"?([\w ,]*)\"?)?", path.read_text())
    assert set(used) <= {"DATE_FORMAT"}, f"{path.name}: write times with the tag moment"


def test_no_code_writes_days_in_a_format_of_its_own() -> None:
    pattern = re.compile(r"""date_format\([^,\n]+, *["'](?![A-Z_]+["'])|\bdateformat\(""")
    allowed = {"mitxonline/kernel/dates.py"}
    found = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in CODE
        if str(path.relative_to(ROOT)) not in allowed
        for line in path.read_text().splitlines()
        if pattern.search(line)
    }
    assert found == set()


def test_visitors_code_writes_days_in_one_place() -> None:
    visitors = [path for path in CODE if path.is_relative_to(ROOT / "frontend") or "selectors" in path.parts]
    found = {
        str(path.relative_to(ROOT)) for path in visitors if re.search(r"\b(date_format|localtime)\(", path.read_text())
    }
    assert found == set()
