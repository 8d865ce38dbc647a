"""Files with lists of people as rows of cells: CSV as many programs write it, and Excel workbooks."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import TYPE_CHECKING
from zipfile import BadZipFile, ZipFile

from django.utils.translation import gettext_lazy as _
from openpyxl import load_workbook

from mitxonline.kernel.people.headings import is_email_heading, is_name_heading
from mitxonline.kernel.people.lines import SEPARATORS, clean_text

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MAX_UNPACKED_BYTES = 50_000_000
MAX_ROWS = 200_000

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Letters beyond a to z of the languages each older encoding was made for. A word has those of one of them.
_WESTERN = ("äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "áâãàçéêíóôõú", "æøåäöéü", "àèéìíîòóùú", "áæðéíóöþúý", "ëïéèöüáóê")
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţșț", "čćđšž", "äöüß")
_ENCODINGS: dict[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "cp1250": _CENTRAL,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "iso8859_2": _CENTRAL,
    "cp1257": _BALTIC,
    "cp1254": ("çğıöşüİâî",),
    "cp1251": ("CYRILLIC",),
    "koi8_r": ("CYRILLIC",),
    "cp866": ("CYRILLIC",),
    "cp1253": ("GREEK",),
    "cp1255": ("HEBREW",),
    "cp1256": ("ARABIC",),
    "cp874": ("THAI",),
    "cp932": ("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "FULLWIDTH", "IDEOGRAPHIC"),
    "euc_jp": ("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "IDEOGRAPHIC"),
    "gb2312": ("CJK", "FULLWIDTH", "IDEOGRAPHIC"),
    "big5": ("CJK", "FULLWIDTH", "IDEOGRAPHIC"),
    "euc_kr": ("HANGUL",),
    # These have rare characters that make nearly any bytes a word, so they are tried last.
    "gb18030": ("CJK", "FULLWIDTH", "IDEOGRAPHIC"),
    "cp949": ("HANGUL",),
}
ENCODINGS = tuple(_ENCODINGS)
_LAST = ("gb18030", "cp949")
# Nearly any Western name could be one of these as well, so all names have to be of one language.
_OF_ONE_LANGUAGE = ("cp1257",)
# How files begin that have addresses in them, and no rows.
_OTHER_FORMATS = {
    "HTML": re.compile(r"<(!doctype|html|head|body|meta|style|table|div)\b", re.IGNORECASE),
    "XML": re.compile(r"<\?xml\b", re.IGNORECASE),
    "JSON": re.compile(r"[\[{]\s*[\[{\"]"),
    "PDF": re.compile(r"%PDF-"),
    "RTF": re.compile(r"\{\\rtf"),
}
_WORD = re.compile(r"[^\W\d_]+")
# Letters that Greek and Hebrew write only at the end of a word or not there, and two that hardly any word has.
_MISPLACED = re.compile(r"[ςםןץףך]\B|σ\b|[ΰΐ]")
_PUNCTUATION = frozenset("“”‘’‚„–—…ºª°«»\u00a0\u00b4\u3000・")
_SAMPLE_LENGTH = 60


class FileUnreadable(Exception):
    """The file isn't a list of people; the sentence says what to do."""

    def __init__(self, sentence: StrOrPromise) -> None:
        self.sentence = sentence
        super().__init__(str(sentence))


class SpellingUnclear(Exception):
    """The letters of the file can be read in several ways: encoding and a sample of each."""

    def __init__(self, samples: dict[str, str]) -> None:
        self.samples = samples
        super().__init__(", ".join(samples))


@dataclass(frozen=True, slots=True)
class ListRow:
    """A row that isn't empty. `number` is its line in the file."""

    number: int
    cells: tuple[str, ...]


def read_rows(data: bytes, *, encoding: str = "") -> list[ListRow]:
    """Return the rows of a file. Raises FileUnreadable and SpellingUnclear."""
    if data[:2] == b"PK":
        return _read_workbook(data)
    if data[:4] == b"\xd0\xcf\x11\xe0":
        raise FileUnreadable(_("This is a file of an old Excel. Save it as .xlsx or as CSV (UTF-8), then choose it."))
    text = _decode(data, encoding)
    if text.lstrip().upper().startswith("BEGIN:VCARD"):
        raise FileUnreadable(_("This is a file of contact cards. Export your contacts as CSV, then choose that file."))
    beginning = text[:1_000].lstrip("\ufeff \t\r\n")
    for name, pattern in _OTHER_FORMATS.items():
        if pattern.match(beginning):
            sentence = _("This is %(format)s, not a list. Save your list as a CSV file (UTF-8), then choose it.")
            raise FileUnreadable(sentence % {"format": name})
    return split_rows(text)


def split_rows(text: str, separator: str = "") -> list[ListRow]:
    """Split CSV into rows. Without a separator, the one that Excel names in a first line “sep=;”, or the likeliest."""
    lines = list(StringIO(clean_text(text), newline=""))
    named, skipped = _named_separator(lines)
    reader = csv.reader(lines[skipped:], delimiter=separator or named or _find_separator(lines), skipinitialspace=True)
    rows = []
    try:
        for cells in reader:
            cleaned = tuple(" ".join(cell.split()) for cell in cells)
            if any(char.isalnum() for cell in cleaned for char in cell):
                rows.append(ListRow(skipped + reader.line_num, cleaned))
    except csv.Error:
        raise FileUnreadable(_("This file can’t be read as CSV. Save it as CSV (UTF-8), then choose it.")) from None
    return rows


def _named_separator(lines: Sequence[str]) -> tuple[str, int]:
    """Return the separator that the first line names, and how many lines to skip."""
    number, first = next(((number, line) for number, line in enumerate(lines) if line.strip()), (0, ""))
    named = first.strip("\r\n \"'")
    return (named[4], number + 1) if named.lower().startswith("sep=") and len(named) == 5 else ("", 0)


def _find_separator(lines: Sequence[str]) -> str:
    """Return the separator of the heading if it has one, or that of the lines with addresses."""
    filled = [line for line in lines if line.strip()]
    heading = max((line for line in filled[:10] if "@" not in line), key=_count_separators, default="")
    likely = heading if _count_separators(heading) else next((line for line in filled if "@" in line), "")
    return max("\t|;,", key=likely.count) if likely else ","


def _count_separators(line: str) -> int:
    return max(map(line.count, SEPARATORS))


# --- Letters ---------------------------------------------------------------------------------------------------------


def _decode(data: bytes, encoding: str) -> str:
    marked = next((name for mark, name in _BYTE_ORDER_MARKS if data.startswith(mark)), "")
    if not marked and b"\x00" in data:
        marked = _find_wide_encoding(data)
    if marked:
        return _decode_as(data, marked)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_as(data, encoding) if encoding in ENCODINGS else _decode_by_words(data)


def _find_wide_encoding(data: bytes) -> str:
    """UTF-16 without a byte order mark: every other byte is zero in most languages' addresses."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    if b"@" not in data or max(even, odd) * 4 < len(data) or min(even, odd) * 4 > max(even, odd):
        raise FileUnreadable(_("This isn’t a text file. Save your list as CSV (UTF-8), then choose it."))
    return "utf-16-le" if odd > even else "utf-16-be"


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise FileUnreadable(_("We can’t read this file’s encoding. Save it as CSV (UTF-8), then choose it.")) from None


def _decode_by_words(data: bytes) -> str:
    """Decode a file of an older program by the encoding in which its words are words of a language.

    Statistical detectors need more text than a list of names has, and don't say how unsure they are.
    """
    usual = [encoding for encoding in ENCODINGS if encoding not in _LAST]
    texts = _find_readings(data, usual) or _find_readings(data, _LAST)
    if not texts:
        raise FileUnreadable(_("We can’t read this file’s encoding. Save it as CSV (UTF-8), then choose it."))
    if len(texts) > 1:
        with_heading = [encoding for encoding, text in texts.items() if _has_known_heading(text)]
        texts = {encoding: texts[encoding] for encoding in with_heading} if len(with_heading) == 1 else texts
    if len(texts) > 1:
        raise SpellingUnclear({encoding: _sample(text) for encoding, text in texts.items()})
    return data.decode(next(iter(texts)))


def _find_readings(data: bytes, encodings: Iterable[str]) -> dict[str, str]:
    """Return by encoding how the lines with special letters can be read."""
    odd = b"\n".join(line for line in data.splitlines() if any(byte > 127 for byte in line))
    texts: dict[str, str] = {}
    for encoding in encodings:
        try:
            text = odd.decode(encoding)
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        alphabets = [_ENCODINGS[encoding]]
        if encoding in _OF_ONE_LANGUAGE:
            alphabets = [(alphabet,) for alphabet in _ENCODINGS[encoding]]
        has_words = any(all(_is_word(word, kinds) for word in _words(text)) for kinds in alphabets)
        if text not in texts.values() and has_words:
            texts[encoding] = text
    return texts


def _has_known_heading(text: str) -> bool:
    """Whether the first line has a heading that is known by its special letters."""
    cells = re.split(rf"[{SEPARATORS}]", text.partition("\n")[0].strip())
    return any(not cell.isascii() and (is_email_heading(cell) or is_name_heading(cell)) for cell in cells)


def _words(text: str) -> Iterator[str]:
    for word in re.split(r"[\x00-\x40\x5b-\x60\x7b-\x7f]+", text):
        if not word.isascii():
            yield word


def _is_word(word: str, kinds: tuple[str, ...]) -> bool:
    word = unicodedata.normalize("NFC", word).replace("l·l", "ll")  # Catalan
    letters = "".join(char for char in word if char not in _PUNCTUATION)
    if letters.isascii():
        return True
    if not _WORD.fullmatch(letters) and not all(unicodedata.category(char)[0] in "LM" for char in letters):
        return False
    foreign = [char for char in letters if not char.isascii()]
    if _changes_case_late(letters):
        return False
    if kinds[0].isupper() and kinds[0].isascii():  # an alphabet of its own
        names = [unicodedata.name(char, "") for char in letters]
        is_one_alphabet = all(name.startswith(kinds) for name in names)
        # Names in narrow Japanese letters have no others.
        is_one_alphabet &= len({name.startswith("HALFWIDTH") for name in names}) < 2
        return is_one_alphabet and not _MISPLACED.search(letters)
    if len(letters) > 2 and len(foreign) == len(letters):
        return False
    return any(all(char.lower() in alphabet or char in alphabet for char in foreign) for alphabet in kinds)


def _changes_case_late(word: str) -> bool:
    """Whether a capital stands after a small letter, other than in names like McDonald and D’Éon."""
    capitals = [place for place, char in enumerate(word) if place and char.isupper() and word[place - 1].islower()]
    return any(not word[place].isascii() for place in capitals)


def _sample(text: str) -> str:
    words = dict.fromkeys(word for word in re.findall(r"[^\W\d_][^\s,;\"<>@]*", text) if not word.isascii())
    return ", ".join(words)[:_SAMPLE_LENGTH]


# --- Workbooks -------------------------------------------------------------------------------------------------------


def _read_workbook(data: bytes) -> list[ListRow]:
    try:
        with ZipFile(BytesIO(data)) as package:
            if sum(part.file_size for part in package.infolist()) > MAX_UNPACKED_BYTES:
                raise FileUnreadable(_("This workbook is too large. Save its list as CSV, then choose that file."))
        book = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
        for sheet in book.worksheets:
            found = sheet.iter_rows(values_only=True, max_row=MAX_ROWS)
            rows = [ListRow(number, tuple(map(_cell_text, cells))) for number, cells in enumerate(found, start=1)]
            if filled := [row for row in rows if any(row.cells)]:
                return filled
    except FileUnreadable:
        raise
    except (BadZipFile, KeyError, ValueError, TypeError, AttributeError, OSError, SyntaxError, EOFError) as error:
        # What openpyxl raises for other packages (OpenDocument, Word) and for damaged ones.
        raise FileUnreadable(
            _("This file can’t be read as an Excel workbook. Save it as CSV (UTF-8), then choose it.")
        ) from error
    return []


def _cell_text(value: object) -> str:
    return " ".join(clean_text(str(value)).split()) if value is not None else ""
