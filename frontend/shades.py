"""Shades and mixtures of a color, made in OKLab, where a step in lightness looks the same in every hue."""

from __future__ import annotations

from typing import TypeAlias

Channels: TypeAlias = tuple[float, float, float]


def shade(color: str, factor: float) -> str:
    """The color with its lightness multiplied: below 1 darker, above 1 lighter, the hue kept."""
    lightness, a, b = _oklab(_linear(color))
    return _written(_from_oklab((min(1.0, lightness * factor), a, b)))


def mixture(color: str, other: str, share: float) -> str:
    """So much of the first color in the second: 0 gives the second, 1 the first."""
    pairs = zip(_oklab(_linear(color)), _oklab(_linear(other)), strict=True)
    lightness, a, b = (ours * share + theirs * (1 - share) for ours, theirs in pairs)
    return _written(_from_oklab((lightness, a, b)))


def full(color: str) -> str:
    """The color as `#RRGGBB` in capitals, also if it was written with three digits."""
    digits = color.removeprefix("#")
    return "#" + ("".join(digit * 2 for digit in digits) if len(digits) == 3 else digits).upper()


def _linear(color: str) -> Channels:
    digits = full(color)
    encoded = (int(digits[index : index + 2], 16) / 255 for index in (1, 3, 5))
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in encoded
    )
    return red, green, blue


def _written(linear: Channels) -> str:
    """The nearest color a screen can show."""
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
