"""People's names: cleaned, and refused with an address in them."""

from __future__ import annotations

import unicodedata

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st

from mitxonline.kernel.names import NameField, clean_name, clean_sent_name, has_address, order_name

LINKS = [
    "https://evil.example/win free prize",
    "HTTP://EVIL.EXAMPLE",
    "Jane www.evil.example",
    "jane@evil.example",
    "Jane mailto:jane@evil.example",
    "evil.example",
    "Win at evil.com",
    "EVIL.COM",
    "Evil.Com/prize",
    "//evil.example",
    "t.me/prize",
    "203.0.113.9",
    "evil\uff0eexample",
    "evil\u3002example",
    "ev\u200bil.exam\u200bple",
    "xn--mller-kva.example",
    "müller.example",
    "javascript:/x",
]
NAMES = [
    "Jane Doe",
    "Dr.Müller",
    "Dr.med. Hans Müller",
    "Prof. Dr. rer. nat. Eva-Maria O’Neil",
    "St.John Smyth",
    "J.R.R. Tolkien",
    "j.r.r. tolkien",
    "Martin Luther King Jr.",
    "Jane Doe, Ph.D.",
    "Doe, Jane",
    "李小龍",
    "Нина Петрова",
    "می\u200cخواهم",
    "क\u094d\u200dष",
    "Ng",
    "X Æ A-12",
    "Renée d’Aubigné",
    "Mary 3rd",
    "O’Brien (née Smith)",
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Jane\x0bDoe", "Jane Doe"),
        ("Jane\r\nDoe\x00\x1f\x07", "Jane Doe"),
        ("  Jane \u00a0\u2003 Doe\u2028", "Jane Doe"),
        ("Ja\u200bne\ufeff D\u00adoe\u202e", "Jane Doe"),
        ("\u200dJane\u200c Doe\u200d", "Jane Doe"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Rene\u0301", "René"),
        ("\u200b\u200d\u2060", ""),
        ("\u3164", ""),
        ("\u2800 \uffa0", ""),
        ("\u0301", ""),
        ("\U000e0041Jane", "Jane"),
        ("\ue000", ""),
        ("\ud800Jane", "Jane"),
    ],
)
def test_what_cannot_be_seen_is_no_part_of_a_name(text: str, name: str) -> None:
    assert clean_name(text) == name


@pytest.mark.parametrize("text", LINKS)
def test_a_name_with_an_address_is_refused_where_a_person_types_it(text: str) -> None:
    with pytest.raises(forms.ValidationError, match="web or e-mail address"):
        NameField().clean(text)


@pytest.mark.parametrize("text", LINKS)
def test_an_address_in_a_name_from_a_provider_is_left_out(text: str) -> None:
    sent = clean_sent_name(f"Jane {text} Doe")
    assert not has_address(sent)
    assert sent.startswith("Jane")
    assert sent.endswith("Doe")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_many_kinds_stay_as_they_are(name: str) -> None:
    assert NameField().clean(name) == name
    assert clean_sent_name(name) == name


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Doe, Jane", "Jane Doe"),
        ("DOE, JANE ANN", "JANE ANN DOE"),
        ("van der Berg, Jan", "Jan van der Berg"),
        ("LEE, IAN", "IAN LEE"),
        ("Jane Doe", "Jane Doe"),
        ("Jane Doe, PhD", "Jane Doe, PhD"),
        ("Jane Doe, Ph.D. M.D.", "Jane Doe, Ph.D. M.D."),
        ("Jane Doe, FRCPC", "Jane Doe, FRCPC"),
        ("Doe, Jr., Jane", "Doe, Jr., Jane"),
        ("Acme, Inc.", "Acme, Inc."),
        ("Doe,", "Doe,"),
        (", Jane", ", Jane"),
        ("", ""),
    ],
)
def test_a_family_name_before_a_comma_is_spoken_last(written: str, spoken: str) -> None:
    assert order_name(written) == spoken
    assert order_name(spoken) == spoken


def test_an_invisible_name_is_a_missing_name() -> None:
    with pytest.raises(forms.ValidationError, match="Enter your name"):
        NameField(error_messages={"required": "Enter your name."}).clean("\u200b\u3164")


@given(st.text(max_size=60))
def test_a_clean_name_stays_clean(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Zl", "Zp") for char in name)
    assert not has_address(clean_sent_name(text))
