"""The files of lists: which lists have one, and that their cells are for people."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db.models import DateTimeField
from django.urls import reverse

from courses.models import Enrollment
from mitxonline.kernel.spreadsheets import format_cell
from mitxonline.staff.lists import ExportMixin, MomentColumn
from tests.b2b.admin_people import sign_in_as
from tests.factories import NOON, make_run, make_user

pytestmark = pytest.mark.django_db


def with_subclasses(of: type[Any]) -> list[type[Any]]:
    return [of, *(each for one in of.__subclasses__() for each in with_subclasses(one))]


LISTS = [
    each for each in with_subclasses(ExportMixin) if getattr(each, "export_columns", ()) and hasattr(each, "model")
]


@pytest.mark.parametrize("view", LISTS, ids=lambda view: view.__name__)
def test_no_file_has_names_that_only_programs_know(view: type[ExportMixin]) -> None:
    if view.get_export_rows is not ExportMixin.get_export_rows:
        return  # it makes rows of its own
    for column in view.export_columns:
        try:
            field = view.model._meta.get_field(column.accessor)  # type: ignore[attr-defined]
        except (FieldDoesNotExist, AttributeError, TypeError):
            continue
        assert not field.choices, f"{column.name}: write accessor=“get_{column.accessor}_display”"
        if isinstance(field, DateTimeField):
            assert isinstance(column, MomentColumn), f"{column.name}: its heading names no time zone"


def test_moments_are_written_beside_their_zone(settings: object) -> None:
    settings.TIME_ZONE = "America/New_York"  # type: ignore[attr-defined]
    assert str(MomentColumn("since", label="Since").label) == "Since (America/New_York)"
    assert format_cell(datetime(2027, 1, 5, 2, 30, tzinfo=UTC)) == "2027-01-04 21:30"


def test_the_file_of_enrollments_speaks_in_words() -> None:
    Enrollment.objects.create(
        user=make_user("ada@x.example"), run=make_run(), mode="verified", active=False, enrolled_at=NOON
    )
    answer = sign_in_as("superuser").get(reverse("enrollments:index"), {"export": "csv"})
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert (row["Mode"], row["Enrolled"]) == ("Verified", "No")
    assert row["Course site"] not in dict(Enrollment._meta.get_field("lms_state").flatchoices)


@pytest.mark.parametrize("style", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "name",
    ["b2b_contracts:index", "b2b_organizations:index", "wagtailsnippets_courses_course:list", "wagtailredirects:index"],
)
def test_a_list_without_a_file_is_shown_instead_of_an_empty_one(name: str, style: str) -> None:
    answer = sign_in_as("superuser").get(reverse(name), {"export": style})
    has_file = name == "wagtailredirects:index"
    assert ("Content-Disposition" in answer) is has_file
    assert answer["Content-Type"].startswith("text/html") is not has_file
    answer.close()
