"""Lists of people: typed, pasted from a spreadsheet, or read from a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitxonline.kernel.people.files import FileUnreadable
from mitxonline.kernel.people.lines import ListedPerson, format_people, is_email_address
from mitxonline.kernel.people.reader import read_people, read_people_file


def read(source: str | bytes, **answers: str) -> list[ListedPerson]:
    found = read_people(source, **answers) if isinstance(source, str) else read_people_file(source, **answers)
    assert found.question is None, found.question
    return list(found.people)


INES = ListedPerson("ines@northgate.example", "Ines Caldera")
SAMUEL = ListedPerson("samuel@northgate.example")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("ines@northgate.example", [ListedPerson("ines@northgate.example")]),
        ("Ines Caldera, ines@northgate.example\n\n  samuel@northgate.example  \n", [INES, SAMUEL]),
        ("ines@northgate.example, Ines Caldera", [INES]),
        ("Ines Caldera\tines@northgate.example", [INES]),
        ("Ines;Caldera;ines@northgate.example", [INES]),
        ('"Ines Caldera" <ines@northgate.example>', [INES]),
        ("Ines Caldera <ines@northgate.example>, samuel@northgate.example", [INES, SAMUEL]),
        ("samuel@northgate.example; ines@northgate.example", [SAMUEL, ListedPerson("ines@northgate.example")]),
        ("samuel@northgate.example ines@northgate.example", [SAMUEL, ListedPerson("ines@northgate.example")]),
        ("just a name", [ListedPerson("just a name")]),
        ("ravi.menon@northgate", [ListedPerson("ravi.menon@northgate")]),
        ("", []),
        (" \n,;\t\n", []),
    ],
)
def test_typed_or_pasted(text: str, people: list[ListedPerson]) -> None:
    assert read(text) == people


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
    assert read(data) == [INES, SAMUEL]


def test_letters_of_older_programs() -> None:
    assert read("Name;E-mail\nZoë Müller;zoe@northgate.example\n".encode("cp1252")) == [
        ListedPerson("zoe@northgate.example", "Zoë Müller")
    ]


def test_a_line_without_an_address_is_reported_at_its_place() -> None:
    assert read(b"Name,E-mail\nInes Caldera,\nSamuel,samuel@northgate.example\n") == [
        ListedPerson("", "Ines Caldera"),
        ListedPerson("samuel@northgate.example", "Samuel"),
    ]


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04", b"a\x00b", b"Name,Town\nAda,London\n", b"\xff\xfe\x00", b"\x81\x8d\x8f"]
)
def test_invalid_lists_of_people_are_refused(data: bytes) -> None:
    with pytest.raises(FileUnreadable) as refused:
        read(data)
    assert str(refused.value.sentence)


def test_read_again_from_the_field_it_is_the_same_list() -> None:
    assert read(format_people([INES, SAMUEL])) == [INES, SAMUEL]


@given(st.binary(max_size=300))
def test_any_uploaded_file_gets_an_answer(data: bytes) -> None:
    try:
        people = read_people_file(data).people
    except FileUnreadable:
        return
    assert all(isinstance(each.email, str) for each in people)


@given(st.text(max_size=300))
def test_any_typed_text_gets_an_answer(text: str) -> None:
    people = read_people(text).people
    assert read_people(format_people(people)).question is None or people


def test_a_name_of_two_lines_stays_two_words() -> None:
    data = b'Name;E-mail\r\n"Ines\r\nCaldera";ines@x.example\r\nSam;sam@x.example\r\n'
    assert read(data) == [
        ListedPerson("ines@x.example", "Ines Caldera"),
        ListedPerson("sam@x.example", "Sam"),
    ]


def test_a_tab_named_as_the_separator_is_no_person() -> None:
    assert read(b"sep=\t\r\nInes Caldera\tines@northgate.example\r\n") == [INES]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    people = read(b'sep=;\nE-mail;Name\n\nines@x.example;"Ines\nCaldera"\nsam@x.example\n')
    assert [person.line for person in people] == [5, 6]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("ines@northgate.example", True), ("ines@northgate", False), ("a" * 63 + "@" + "b." * 100 + "example", False)],
)
def test_an_address_is_complete_and_not_too_long(text: str, is_one: bool) -> None:
    assert is_email_address(text) is is_one


def test_no_other_module_parses_lists_or_checks_addresses() -> None:
    root = Path(__file__).resolve().parents[2]
    wrong = re.compile(r"csv\.(reader|DictReader)\(|\bvalidate_email\b|\bEmailValidator\b")
    modules = (
        path
        for app in ("api", "b2b", "ecommerce", "frontend", "mitxonline", "reports")
        for path in (root / app).rglob("*.py")
    )
    found = {str(path.relative_to(root)) for path in modules if wrong.search(path.read_text(encoding="utf-8"))}
    assert found == {"mitxonline/kernel/people/lines.py", "mitxonline/kernel/people/files.py"}
