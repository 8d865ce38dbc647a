"""Text that people type, normalized for comparing, and text for spreadsheets, escaped."""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import unquote

import idna
from django.utils.translation import gettext as _

# Punctuation around a word, and control and format characters: a paste brings zero-width spaces along.
# An underscore belongs to the word.
_MARKS = frozenset({"Po", "Ps", "Pe", "Pi", "Pf", "Cc", "Cf"})
# A code in the address of its page; mail programs put such an address, escaped, into one of their own.
_REDEEM_LINK = re.compile(r"enrollmentcode/\s*([^\s/?#&<>]+)", re.IGNORECASE)
# The five groups of an enrollment code, whatever stands between them in place of a dash.
_FIVE_GROUPS = re.compile(
    r"(?<![0-9a-z])[0-9a-f]{8}(?:[^0-9a-z]{0,3}[0-9a-f]{4}){3}[^0-9a-z]{0,3}[0-9a-f]{12}(?![0-9a-z])", re.IGNORECASE
)
# “Code:”, “Your code for Statistics =” and the like.
_LABEL = re.compile(r"[:=#]")


def require_text(text: str) -> str:
    """Return the text without blanks around it. Raises ValueError if nothing is left.

    Forms and commands check this earlier, with their own message.
    """
    text = text.strip()
    if not text:
        raise ValueError("The text is empty")
    return text


def split_list(text: str) -> list[str]:
    """Return what commas separate, without blanks around it."""
    return [each.strip() for each in text.split(",") if each.strip()]


def join_titles(titles: Iterable[str]) -> str:
    """Return titles within a sentence, as “Medication safety, step by step” and “Statistics”: many contain commas."""
    *others, last = [_("“%(title)s”") % {"title": title} for title in titles] or [""]
    return _("%(others)s and %(last)s") % {"others": ", ".join(others), "last": last} if others else last


def list_titles(titles: Iterable[str]) -> str:
    """Return titles that stand by themselves or after a colon: one as it is, several as join_titles."""
    listed = list(titles)
    return listed[0] if len(listed) == 1 else join_titles(listed)


def read_code(text: str) -> str:
    """Return the code in a text that someone typed, pasted or followed as a link.

    People and mail programs put labels, quotes, brackets and sentences around it, and links into other links. Text in
    which no code can be made out is returned without the punctuation around it.
    """
    plain = unicodedata.normalize("NFKC", unquote(text))
    plain = "".join(char for char in plain if unicodedata.category(char) != "Cf")
    if link := _REDEEM_LINK.search(plain):
        wrapped = _FIVE_GROUPS.match(plain, link.start(1))  # over two lines
        return wrapped[0] if wrapped else strip_punctuation(link[1])
    groups = {normalize_code(found[0]): found[0] for found in _FIVE_GROUPS.finditer(plain)}
    if len(groups) == 1:
        return next(iter(groups.values()))
    named = [part for part in _LABEL.split(plain) if normalize_code(part)]
    return strip_punctuation(named[-1] if named else plain)


def normalize_code(text: str) -> str:
    """Return a code as it is compared: its letters and digits alone, in upper case, with full-width ones made plain."""
    return "".join(char for char in unicodedata.normalize("NFKC", text).upper() if char.isalnum())


def strip_punctuation(text: str) -> str:
    """Remove the punctuation, quotes and brackets around a text, which mail programs and sentences add to a link."""
    start, end = 0, len(text)
    while start < end and _is_mark(text[start]):
        start += 1
    while end > start and _is_mark(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_mark(char: str) -> bool:
    return char.isspace() or char in "<>`´" or unicodedata.category(char) in _MARKS


def normalize_email(text: str) -> str:
    """Return an e-mail address as it is stored and compared: trimmed, in NFKC and lower case, its domain in letters."""
    return decode_domain(unicodedata.normalize("NFKC", text).strip().lower())


def decode_domain(email: str) -> str:
    """Return the address with its domain in letters: xn--mller-kva.example and müller.example are the same."""
    local, at, domain = email.rpartition("@")
    if "xn--" not in domain:
        return email
    return f"{local}{at}{'.'.join(map(_decode_label, domain.split('.')))}"


def encode_domain(email: str) -> str:
    """Return the address as mail servers take it. Python's own codec would send mail for ß to another domain, ss."""
    local, at, domain = email.rpartition("@")
    if domain.isascii():
        return email
    try:
        return f"{local}{at}{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return email


def _decode_label(label: str) -> str:
    try:
        decoded = idna.decode(label)
        return decoded if idna.encode(decoded).decode() == label else label
    except idna.IDNAError:
        return label


def escape_formula(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run as a formula."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
