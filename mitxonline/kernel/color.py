"""Contrast, shades and mixtures of colors.

Contrast is the ratio of WCAG 2.x. Shades are computed in OKLab, where the same step in lightness looks the same in any
hue, so every brand color gets hover and pressed shades that fit it.
"""

from __future__ import annotations

import re
from typing import TypeAlias

# WCAG 2.x, level AA: text of ordinary size, and shapes that carry a meaning.
TEXT_CONTRAST = 4.5
SIGN_CONTRAST = 3.0
WHITE = "#FFFFFF"
INK = "#10201B"
ACCENT_INK = "#2A1C00"
DEEP = "#0B2A23"

Channels: TypeAlias = tuple[float, float, float]

_HEX = re.compile(r"\A#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})\Z")


def is_hex_color(text: str) -> bool:
    """Whether the text is #RGB or #RRGGBB, the form in which colors are stored."""
    return _HEX.match(text) is not None


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors, from 1 (the same) to 21 (black and white)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    """Return the relative luminance, from 0 (black) to 1 (white)."""
    red, green, blue = _linear(color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def text_color_on(background: str, *, ink: str = INK) -> str | None:
    """Return white or the ink, whichever reads better; None if neither reaches 4.5:1."""
    best = max((WHITE, ink), key=lambda text: contrast(text, background))
    return best if contrast(best, background) >= TEXT_CONTRAST else None


def shade(color: str, factor: float) -> str:
    """Multiply the lightness by the factor and keep the hue: below 1 is darker, above 1 lighter."""
    lightness, a, b = _oklab(_linear(color))
    return _hex(_from_oklab((min(1.0, lightness * factor), a, b)))


def mix_colors(color: str, other: str, share: float) -> str:
    """Mix a share of the first color into the second: 0 gives the second, 1 the first."""
    lab, other_lab = _oklab(_linear(color)), _oklab(_linear(other))
    mixed = [one * share + two * (1 - share) for one, two in zip(lab, other_lab, strict=True)]
    return _hex(_from_oklab((mixed[0], mixed[1], mixed[2])))


def expand_hex(color: str) -> str:
    """Return the color as #RRGGBB in upper case. Raises ValueError for text that is not a color."""
    if not is_hex_color(color):
        raise ValueError(f"{color!r} is not a color; it looks like #00694F")
    digits = color[1:]
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits).upper()


def _linear(color: str) -> Channels:
    digits = expand_hex(color)
    channels = (int(digits[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def _hex(linear: Channels) -> str:
    # Clipped to the nearest color that a screen can show.
    clipped = (min(1.0, max(0.0, channel)) for channel in linear)
    encoded = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in clipped)
    return "#" + "".join(f"{round(channel * 255):02X}" for channel in encoded)


def _oklab(linear: Channels) -> Channels:
    red, green, blue = linear
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lab: Channels) -> Channels:
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
