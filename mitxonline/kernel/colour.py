"""Whether text can be read on a color: contrast as WCAG 2.x counts it."""

from __future__ import annotations

import re
from typing import TypeAlias

TEXT_CONTRAST = 4.5  # WCAG 2.x, AA: text of ordinary size
SIGN_CONTRAST = 3.0  # and shapes that carry a meaning
WHITE = "#FFFFFF"
INK = "#10201B"
ACCENT_INK = "#2A1C00"
DEEP = "#0B2A23"

Channels: TypeAlias = tuple[float, float, float]

_HEX = re.compile(r"\A#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})\Z")


def is_hex_colour(text: str) -> bool:
    """Whether the text is a color as we store it: #RGB or #RRGGBB."""
    return _HEX.match(text) is not None


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors, from 1 (the same) to 21 (black and white)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance, 0 for black and 1 for white."""
    red, green, blue = _linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def text_on(background: str, *, ink: str = INK) -> str | None:
    """White or the ink, whichever reads better on it; None where neither reaches 4.5:1."""
    best = max((WHITE, ink), key=lambda text: contrast(text, background))
    return best if contrast(best, background) >= TEXT_CONTRAST else None


def _bytes(colour: str) -> Channels:
    if not is_hex_colour(colour):
        raise ValueError(f"{colour!r} is not a color; it looks like #00694F")
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    return int(digits[0:2], 16) / 255, int(digits[2:4], 16) / 255, int(digits[4:6], 16) / 255


def _linear(colour: str) -> Channels:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in _bytes(colour)
    )
    return red, green, blue
