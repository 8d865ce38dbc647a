"""The countries of the world, by their two letters (ISO 3166), named in the active language."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from babel import Locale, UnknownLocaleError
from django.conf import settings
from django.utils.translation import get_language, to_locale

# Of the CLDR's territories, those that aren't countries: unions, outlying rests, pseudo-accents, an unknown region.
_NO_COUNTRIES = frozenset({"EU", "EZ", "UN", "QO", "XA", "XB", "ZZ"})
_COUNTRY = re.compile(r"[A-Z]{2}")


def list_countries() -> list[tuple[str, str]]:
    """Return the codes with their names, sorted by name without accents."""
    names = _names(get_language() or settings.LANGUAGE_CODE)
    return sorted(names.items(), key=lambda each: _plain(each[1]))


def country_name(code: str) -> str:
    """Return the name of a country; of a code that isn't known, the code."""
    return _names(get_language() or settings.LANGUAGE_CODE).get(code, code)


@cache
def _names(language: str) -> dict[str, str]:
    try:
        locale = Locale.parse(to_locale(language))
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse(to_locale(settings.LANGUAGE_CODE))
    return {
        code: name
        for code, name in locale.territories.items()
        if _COUNTRY.fullmatch(code) and code not in _NO_COUNTRIES
    }


def _plain(name: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each)).casefold()
