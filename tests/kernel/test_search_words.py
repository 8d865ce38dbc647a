"""Words for the search: what is indexed and what is typed are read by the same rules."""

from __future__ import annotations

import pytest

from mitxonline.kernel.search_words import indexed_text, query_term, read_search, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C++", ["cplusplus"]),
        ("C/C++ und C#", ["c", "cplusplus", "und", "csharp"]),
        ("A+ and 18+", ["aplus", "and", "18plus"]),
        (".NET", ["dotnet"]),
        ("R", ["r"]),
        ("Zoë’s Café", ["zoes", "cafe"]),
        ("Ørsted, Łódź, Straße", ["orsted", "lodz", "strasse"]),
        ("o'brien", ["obrien"]),
        ("100%", ["100"]),
        ("<script>alert(1)</script>", ["script", "alert", "1", "script"]),
        ("course-v1:Tessera+PY101", ["tessera", "py101"]),
        ("course-v1:Tessera+PY101+2026_T1", ["tessera", "py101"]),
        ("program-v1:Tessera+DFPS", ["tessera", "dfps"]),
        ("統計学", ["統計学"]),
        ("% -- ' \0", []),
        ("x" * 500, ["x" * 64]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_words_with_a_hyphen_or_a_dot_are_indexed_as_one_word_too() -> None:
    assert indexed_text("PY-101, e-mail", "6.00.1x").split() == [
        "py", "101", "e", "mail", "py101", "email", "6", "00", "1x", "6001x",
    ]  # fmt: skip


def test_phrases_and_words_to_leave_out() -> None:
    typed = read_search('databases "you can trust" -python -"big data"')
    assert typed.words == ("databases",)
    assert typed.phrases == (("you", "can", "trust"),)
    assert typed.without == ("python", "big", "data")
    assert read_search('"python').words == ("python",)
    assert read_search("-python").is_empty
    assert read_search("self-paced").words == ("self", "paced")


def test_neighbors_are_also_one_word() -> None:
    assert read_search("data base design").spellings() == [
        ("data", "base", "design"),
        ("database", "design"),
        ("data", "basedesign"),
        ("databasedesign",),
    ]


def test_a_single_letter_begins_no_other_word() -> None:
    assert query_term(["r", "py"], label="A", with_beginnings=True) == "'r':A & 'py':*A"
    assert query_term(["r", "py"]) == "'r' & 'py'"
