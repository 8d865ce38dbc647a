"""Words for the search: the same rules for what is indexed and for what visitors type.

PostgreSQL gets plain words only, so that its parser has nothing to interpret: “PY-101” is the words “py”, “101” and
“py101”, “C++” is “cplusplus” and “Café” is “cafe”.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

TYPED_WORDS = 12  # more than anyone types; each one makes the query longer
WORD_LENGTH = 64

# Letters that Unicode doesn't take apart into a letter and an accent.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i"})
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ](?=\w)")
_SIGNS = (
    (re.compile(r"(?<!\w)\.net\b"), " dotnet "),
    (re.compile(r"(?<=\w)\+\+"), "plusplus "),
    (re.compile(r"(?<=\w)\+(?!\w)"), "plus "),
    (re.compile(r"(?<=\w)#(?!\w)"), "sharp "),
)
_WORD = re.compile(r"[^\W_]+")
_COMPOUND = re.compile(r"[^\W_]+(?:[-‐‑–._][^\W_]+)+")
_TYPED = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"|(?P<term>[^\s"]+))')
# What stands before the organization in the ids of courses and programs, and the run that may follow the number.
_ID = re.compile(r"\b(?:course|program)-v1:([^\s+]+\+[^\s+]+)(?:\+\S+)?")


def fold(text: str) -> str:
    """Return the text in lower case without accents; “C++”, “C#” and “.NET” are words of their own."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(char for char in decomposed if not unicodedata.combining(char)).translate(_LETTERS)
    plain = _APOSTROPHES.sub("", _ID.sub(r"\1", plain))
    for sign, word in _SIGNS:
        plain = sign.sub(word, plain)
    return plain


def words_of(text: str) -> list[str]:
    return [word[:WORD_LENGTH] for word in _WORD.findall(fold(text))]


def indexed_text(*texts: str) -> str:
    """Return the words of these texts for the index; those with a hyphen or a dot inside also as one word."""
    found: list[str] = []
    for text in texts:
        folded = fold(text)
        found += [word[:WORD_LENGTH] for word in _WORD.findall(folded)]
        found += ["".join(_WORD.findall(each))[:WORD_LENGTH] for each in _COMPOUND.findall(folded)]
    return " ".join(found)


@dataclass(frozen=True, slots=True)
class TypedSearch:
    """What a visitor asks for: words, “phrases” in quotes, and words that must not occur (-this)."""

    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    without: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for. Words to leave out alone would find everything else."""
        return not (self.words or self.phrases)

    def spellings(self) -> list[tuple[str, ...]]:
        """Return the words as typed, and with neighbors joined: “data base” is also “database”, “PY 101” “PY101”."""
        words = self.words
        found = [words]
        for index, (first, second) in enumerate(pairwise(words)):
            found.append((*words[:index], first + second, *words[index + 2 :]))
        if len(words) > 2:
            found.append(("".join(words)[:WORD_LENGTH],))
        return found


def read_search(text: str) -> TypedSearch:
    words: list[str] = []
    phrases: list[tuple[str, ...]] = []
    without: list[str] = []
    for match in _TYPED.finditer(text):
        parts = tuple(words_of(match["phrase"] if match["phrase"] is not None else match["term"]))
        if match["minus"]:
            without += parts
        elif match["phrase"] is not None and len(parts) > 1:
            phrases.append(parts)
        else:
            words += parts
    return TypedSearch(tuple(words[:TYPED_WORDS]), tuple(phrases[:TYPED_WORDS]), tuple(without[:TYPED_WORDS]))


def query_term(words: Iterable[str], *, label: str = "", with_beginnings: bool = False) -> str:
    """Return a term of to_tsquery that asks for all of these words, in fields with these weights.

    With beginnings, words of two letters or more also stand for longer ones that begin with them.
    """
    return " & ".join(
        f"'{word}'" + (f":{'*' if with_beginnings and len(word) > 1 else ''}{label}").rstrip(":") for word in words
    )
