"""People’s names, by one rule wherever they come from: a form, a list, a provider or a command.

A name is greeted with in e-mails, printed on receipts and written into spreadsheets. So it has no control characters,
nothing that can't be seen, and no web or e-mail address: a mail would make a link of it.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

NAME_MAX_LENGTH = 150
_LOOKED_THROUGH = 1_000  # longer ones are refused for that
ADDRESS_IN_NAME = _("A name can’t have a web or e-mail address in it. Leave the address out.")

# Joiners are part of names in Persian, Hindi and other languages (Unicode Standard 23.2), between letters.
_JOINERS = "\u200c\u200d"
# Letters and symbols that look like a blank: Hangul fillers and the empty Braille pattern.
_BLANKS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800"), " ")
_TAKEN_OUT = frozenset({"Cf", "Co", "Cn", "Cs"})
_SPACES = frozenset({"Cc", "Zs", "Zl", "Zp"})
_SEEN = frozenset("LNPS")

# What mail programs make a link of: a scheme, www., something@somewhere, four numbers, and names with a dot.
_SURE_LINK = re.compile(r"[a-z][a-z0-9+.-]*:/|//|\bwww\.|\bmailto:|\w@\w|\b\d{1,3}(?:\.\d{1,3}){3}\b", re.IGNORECASE)
_DOTTED = re.compile(r"(?<![\w.])(?:[\w-]+\.)*([\w-]+)\.([^\W\d_]{2,}|xn--[\w-]+)(?![\w.]*\.\w)", re.IGNORECASE)
# Endings that are links even in capitals. Of other words with a dot, only those in lower case are links: “St.John” and
# “Dr.Müller” are names.
_ENDINGS = (
    "app biz ca ch club cn co com de dev edu eu example fr gov info io link me net nl online org page ru shop site "
    "store test tk top uk us win work xyz"
)
_KNOWN_ENDINGS = frozenset(_ENDINGS.split())
# What stands behind a comma and is no first name.
_SUFFIX_WORDS = "jr sr ii iii iv phd dphil edd md dds dvm jd mba msc bsc ma ba esq inc llc ltd plc gmbh ag"
_SUFFIXES = frozenset(_SUFFIX_WORDS.split())
_LONGEST_DEGREE = 5  # letters in capitals: RN, MPH, FRCPC
_TITLES = frozenset({"med", "nat", "phil", "jur", "rer", "ing", "habil", "oec", "pol", "theol"})


def clean_name(text: str) -> str:
    """Return the name without control and invisible characters; empty if nothing would be seen of it."""
    kept = []
    for char in unicodedata.normalize("NFC", text).translate(_BLANKS):
        category = unicodedata.category(char)
        if category in _SPACES:
            kept.append(" ")
        elif char in _JOINERS or category not in _TAKEN_OUT:
            kept.append(char)
    words = (word.strip(_JOINERS) for word in "".join(kept).split())
    name = " ".join(word for word in words if word)
    return name if any(unicodedata.category(char)[0] in _SEEN for char in name) else ""


def has_address(name: str) -> bool:
    """Whether a mail program would make a link of something in this name."""
    plain = _plain(name[:_LOOKED_THROUGH])
    return bool(_SURE_LINK.search(plain)) or any(_is_host(found) for found in _DOTTED.finditer(plain))


def clean_sent_name(text: str, *, max_length: int = NAME_MAX_LENGTH) -> str:
    """Return a name from another system, where no one can be asked: without the words that are addresses."""
    name = clean_name(text[:_LOOKED_THROUGH])
    if has_address(name):
        name = clean_name(" ".join(word for word in name.split() if not has_address(word)))
    return "" if has_address(name) else name[:max_length].strip()


def order_name(name: str) -> str:
    """Return the name in the order it is spoken in: “Doe, Jane” is Jane Doe, and “Jane Doe, PhD” stays."""
    family, comma, given = (part.strip() for part in name.partition(","))
    if not (family and comma and given) or "," in given or _is_suffix(given, of=family):
        return name
    return f"{given} {family}"


def check_name(name: str) -> None:
    """Raise ValidationError if the name has an address in it. A validator of forms and models."""
    if has_address(name):
        raise ValidationError(ADDRESS_IN_NAME, code="address_in_name")


class NameField(forms.CharField):
    """A person’s name as they or a colleague type it: cleaned, and refused with an address in it."""

    default_validators = [check_name]

    def __init__(self, **kwargs: Any) -> None:
        defaults: dict[str, Any] = {"label": _("Name"), "max_length": NAME_MAX_LENGTH}
        super().__init__(**defaults | kwargs)

    def to_python(self, value: Any) -> str:
        return clean_name(super().to_python(value) or "")


def _is_suffix(text: str, *, of: str) -> bool:
    words = [word.replace(".", "") for word in text.split()]
    if all(word.casefold() in _SUFFIXES for word in words):
        return True
    return of != of.upper() and all(word.isupper() and 1 < len(word) <= _LONGEST_DEGREE for word in words)


def _plain(name: str) -> str:
    """Return the name with full-width letters and dots made plain, as browsers read an address."""
    return unicodedata.normalize("NFKC", name).replace("\u3002", ".").replace("\uff61", ".")


def _is_host(found: re.Match[str]) -> bool:
    text, label, ending = found.group(0, 1, 2)
    if found.string[found.end() : found.end() + 1] in ("/", ":", "?"):
        return True
    if ending.lower() in _TITLES:
        return False
    if len(label) == 1:  # an initial: “J.de Vries”, but t.me is one
        return text == text.lower() and ending in _KNOWN_ENDINGS
    return text == text.lower() or ending.lower() in _KNOWN_ENDINGS
