"""Lists of people as they come: typed, pasted from a spreadsheet, or as a file that some program saved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2b.services.handouts.assign import Recipient
from frontend.pages.recipients import FileUnreadable, as_text, from_file, from_text

INES = Recipient("ines@northgate.example", "Ines Caldera")
SAMUEL = Recipient("samuel@northgate.example")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("ines@northgate.example", [Recipient("ines@northgate.example")]),
        ("Ines Caldera, ines@northgate.example\n\n  samuel@northgate.example  \n", [INES, SAMUEL]),
        ("ines@northgate.example, Ines Caldera", [INES]),
        ("Ines Caldera\tines@northgate.example", [INES]),
        ("Ines;Caldera;ines@northgate.example", [INES]),
        ('"Ines Caldera" <ines@northgate.example>', [INES]),
        ("Ines Caldera <ines@northgate.example>, samuel@northgate.example", [INES, SAMUEL]),
        ("samuel@northgate.example; ines@northgate.example", [SAMUEL, Recipient("ines@northgate.example")]),
        ("just a name", [Recipient("just a name")]),
        ("ravi.menon@northgate", [Recipient("ravi.menon@northgate")]),
        ("", []),
        (" \n,;\t\n", []),
    ],
)
def test_typed_or_pasted(text: str, people: list[Recipient]) -> None:
    assert from_text(text) == people


@pytest.mark.parametrize(
    "data",
    [
        b"Name,E-mail\nInes Caldera,ines@northgate.example\n,samuel@northgate.example\n",
        "\ufeffName;E-Mail\r\nInes Caldera;ines@northgate.example\r\n;samuel@northgate.example\r\n".encode(),
        b"sep=;\r\nEmail;First name;Last name\r\nines@northgate.example;Ines;Caldera\r\nsamuel@northgate.example\r\n",
        "email\tfull name\r\nines@northgate.example\tInes Caldera\r\nsamuel@northgate.example\t\r\n".encode("utf-16"),
        b'"E-mail address","Department","Name"\n"ines@northgate.example","Ward, 3","Ines Caldera"\n'
        b"samuel@northgate.example,,\n",
        b"Ines Caldera,ines@northgate.example\r\nsamuel@northgate.example\r\n",
    ],
)
def test_a_file_as_programs_save_it(data: bytes) -> None:
    assert from_file(data) == [INES, SAMUEL]


def test_letters_of_older_programs() -> None:
    assert from_file("Name;E-mail\nZoë Müller;zoe@northgate.example\n".encode("cp1252")) == [
        Recipient("zoe@northgate.example", "Zoë Müller")
    ]


def test_a_line_without_an_address_is_reported_at_its_place() -> None:
    assert from_file(b"Name,E-mail\nInes Caldera,\nSamuel,samuel@northgate.example\n") == [
        Recipient("", "Ines Caldera"),
        Recipient("samuel@northgate.example", "Samuel"),
    ]


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"a\x00b", b"\xff\xfe\x00", b"\x81\x8d\x8f"])
def test_what_is_no_list_of_people(data: bytes) -> None:
    with pytest.raises(FileUnreadable) as refused:
        from_file(data)
    assert str(refused.value.sentence)


def test_read_again_from_the_field_it_is_the_same_list() -> None:
    assert from_text(as_text([INES, SAMUEL])) == [INES, SAMUEL]


@given(st.binary(max_size=300))
def test_whatever_is_uploaded_gets_an_answer(data: bytes) -> None:
    try:
        people = from_file(data)
    except FileUnreadable:
        return
    assert all(isinstance(each.email, str) for each in people)


@given(st.text(max_size=300))
def test_whatever_is_typed_gets_an_answer(text: str) -> None:
    from_text(text)


def test_a_name_of_two_lines_stays_two_words() -> None:
    data = b'Name;E-mail\r\n"Ines\r\nCaldera";ines@x.example\r\nSam;sam@x.example\r\n'
    assert from_file(data) == [Recipient("ines@x.example", "Ines Caldera"), Recipient("sam@x.example", "Sam")]


def test_a_tab_named_as_the_separator_is_no_person() -> None:
    assert from_file(b"sep=\t\r\nInes Caldera\tines@northgate.example\r\n") == [INES]
