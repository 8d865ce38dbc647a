"""The number of seats as people write it, with a sentence for what isn't one."""

from __future__ import annotations

import pytest

from frontend.pages.seats_form import SeatsForm


@pytest.mark.parametrize(
    ("text", "seats"), [("1", 1), (" 40 ", 40), ("1000", 1000), ("1,000", 1000), ("1 000", 1000), ("４０", 40)]
)
def test_a_whole_number_of_seats_is_read_as_people_write_it(text: str, seats: int) -> None:
    form = SeatsForm({"who": "group", "seats": text})
    assert form.is_valid()
    assert form.cleaned_data["seats"] == seats


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Enter how many seats you want, from 1 to 1,000."),
        ("0", "Enter at least 1 seat."),
        ("-5", "Enter at least 1 seat."),
        ("1001", "You can buy up to 1,000 seats of a course at once. Enter a smaller number."),
        ("9" * 40, "You can buy up to 1,000 seats of a course at once. Enter a smaller number."),
        ("3.5", "Enter a whole number of seats, without decimals."),
        ("3,5", "Enter a whole number of seats, without decimals."),
        ("40.0", "Enter a whole number of seats, without decimals."),
        ("abc", "Enter the number of seats in digits, from 1 to 1,000."),
        ("1e3", "Enter the number of seats in digits, from 1 to 1,000."),
    ],
)
def test_anything_else_gets_a_sentence_at_the_field(text: str, sentence: str) -> None:
    form = SeatsForm({"who": "group", "seats": text})
    assert not form.is_valid()
    assert form.errors == {"seats": [sentence]}


def test_a_course_for_oneself_has_no_number_whatever_is_left_in_the_field() -> None:
    for who in ("me", ""):
        form = SeatsForm({"who": who, "seats": "abc"})
        assert form.is_valid()
        assert form.cleaned_data["seats"] is None
