"""The fonts of PDF files: the typeface of our pages, and others for the scripts that it doesn't have (ADR 0025).

Each is under the SIL Open Font License, the Apache License or DejaVu's own, see ``fonts/LICENSE.txt``.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from itertools import groupby
from pathlib import Path

from anyascii import anyascii
from fontTools.ttLib import TTFont

FONTS = Path(__file__).parents[1] / "fonts"
REGULAR, BOLD = "HankenGrotesk-Regular", "HankenGrotesk-Bold"
# In the order of asking. DejaVu has Greek, Cyrillic, Armenian, Georgian, Hebrew and Arabic; Droid has Chinese, Japanese
# and Korean.
FALLBACKS = (
    "DejaVuSansCondensed",
    "NotoSansThai-Regular",
    "NotoSansLao-Regular",
    "NotoSansKhmer-Regular",
    "NotoSansMyanmar-Regular",
    "NotoSansDevanagari-Regular",
    "NotoSansBengali-Regular",
    "NotoSansGurmukhi-Regular",
    "NotoSansGujarati-Regular",
    "NotoSansOriya-Regular",
    "NotoSansTamil-Regular",
    "NotoSansTelugu-Regular",
    "NotoSansKannada-Regular",
    "NotoSansMalayalam-Regular",
    "NotoSansSinhala-Regular",
    "NotoSansEthiopic-Regular",
    "DroidSansFallback",
)
# Fallbacks that have a bold weight. Others are printed in their only one.
BOLD_FALLBACKS = {"DejaVuSansCondensed": "DejaVuSansCondensed-Bold"}
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_VARIATIONS = range(0xFE00, 0xFE10)


def find_fallbacks(text: str) -> list[str]:
    """Return the fallback fonts that a printable text needs, in the order of asking."""
    found = {_find_font(char) for char in text}
    return [name for name in FALLBACKS if name in found]


def printable(text: str) -> str:
    """Return the text as the fonts can print it.

    Control characters are dropped. Letters that no font has, and emoji, are named in brackets: an ancient script is
    written in Latin letters, and an emoji is told in words.
    """
    plain = "".join(char for char in unicodedata.normalize("NFC", text) if _is_kept(char))
    parts = []
    for is_printed, chars in groupby(plain, key=lambda char: _find_font(char) is not None):
        part = "".join(chars)
        parts.append(part if is_printed else _name(part))
    return "".join(parts)


def _is_kept(char: str) -> bool:
    if char == "\n":
        return True
    is_modifier = ord(char) in _SKIN_TONES or ord(char) in _VARIATIONS
    return not (is_modifier or unicodedata.category(char).startswith("C"))


def _name(chars: str) -> str:
    words = " ".join(anyascii(chars).replace(":", " ").replace("_", " ").split())
    return f"[{words or '?'}]"


def _find_font(char: str) -> str | None:
    """The first font with this character; None for emoji, which are pictures in some fonts and boxes in others."""
    if char.isspace():
        return REGULAR
    if ord(char) >= 0x1F000:
        return "DroidSansFallback" if ord(char) in _letters_of("DroidSansFallback") else None
    return next((name for name in (REGULAR, *FALLBACKS) if ord(char) in _letters_of(name)), None)


@cache
def _letters_of(name: str) -> frozenset[int]:
    with TTFont(FONTS / f"{name}.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())
