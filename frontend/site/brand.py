"""Color tokens derived from a site’s brand color and accent color.

Pure functions over `#RRGGBB`. tokens.css has the tokens of the default colors; the stylesheet of a site with other
colors overrides them. Whether a brand color can be used is validated where it is set.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from mitxonline.kernel.color import (
    INK,
    TEXT_CONTRAST,
    WHITE,
    contrast,
    expand_hex,
    luminance,
    mix_colors,
    shade,
    text_color_on,
)

DEFAULT_BRAND: Final = "#00694F"
DEFAULT_ACCENT: Final = "#FFB224"

# Values of the tokens with the same names: light, then dark.
SURFACE: Final = ("#FFFFFF", "#151F1C")
GROUND: Final = ("#F6F8F7", "#0C1311")
DEEP: Final = ("#0B2A23", "#0F231E")
DEEP_2: Final = ("#123A31", "#16312A")
ON_ACCENT: Final = "#2A1C00"

HOVER: Final = 0.82  # factor on the lightness, under white text
PRESSED: Final = 0.64
HOVER_LIGHTER: Final = 1.08  # under dark text there is less room before white
PRESSED_LIGHTER: Final = 1.16
SOFT: Final = 0.12
LINE: Final = 0.34
DARK_CONTRAST: Final = 7.0  # of the brand on the dark surface; the default brand has 8.2
TINT: Final = 0.6  # share of the brand in deep areas


@dataclass(frozen=True, slots=True)
class Colors:
    brand: str = DEFAULT_BRAND
    accent: str = DEFAULT_ACCENT

    @property
    def are_default(self) -> bool:
        return (expand_hex(self.brand), expand_hex(self.accent)) == (DEFAULT_BRAND, DEFAULT_ACCENT)

    @property
    def on_brand(self) -> str:
        return text_color_on(self.brand) or WHITE

    @property
    def digest(self) -> str:
        """A short digest of the stylesheet, for URLs that may be cached forever."""
        return sha256(stylesheet(self).encode()).hexdigest()[:12]


@lru_cache(maxsize=64)
def stylesheet(colors: Colors) -> str:
    lines = "".join(f"    {name}: light-dark({light}, {dark});\n" for name, (light, dark) in tokens(colors).items())
    return f"@layer tokens {{\n  :root {{\n{lines}  }}\n}}\n"


def tokens(colors: Colors) -> dict[str, tuple[str, str]]:
    """Each derived token, with its value in the light and the dark theme."""
    brand = colors.brand, _lighter_until(colors.brand, lambda each: contrast(each, SURFACE[1]) >= DARK_CONTRAST)
    text = colors.on_brand, INK
    soft = mix_colors(brand[0], SURFACE[0], SOFT), mix_colors(brand[1], SURFACE[1], SOFT)
    return {
        "--brand": brand,
        "--brand-hover": (_hover_color(brand[0], text[0]), _hover_color(brand[1], text[1])),
        "--brand-active": (_pressed_color(brand[0], text[0]), _pressed_color(brand[1], text[1])),
        "--on-brand": text,
        "--brand-soft": soft,
        "--brand-line": (mix_colors(brand[0], SURFACE[0], LINE), mix_colors(brand[1], SURFACE[1], LINE)),
        "--brand-ink": (
            _darker_until(brand[0], _readable_on(soft[0], GROUND[0], SURFACE[0])),
            _lighter_until(brand[1], _readable_on(soft[1], GROUND[1], SURFACE[1])),
        ),
        "--accent": (colors.accent, mix_colors(colors.accent, WHITE, 0.9)),
        "--on-accent": (text_color_on(colors.accent, ink=ON_ACCENT) or ON_ACCENT,) * 2,
        "--deep": (_tint(DEEP[0], colors.brand), _tint(DEEP[1], colors.brand)),
        "--deep-2": (_tint(DEEP_2[0], colors.brand), _tint(DEEP_2[1], colors.brand)),
        "--mark-deep": (brand[1], brand[1]),
    }


def _hover_color(color: str, text: str) -> str:
    return shade(color, HOVER if text == WHITE else HOVER_LIGHTER)


def _pressed_color(color: str, text: str) -> str:
    return shade(color, PRESSED if text == WHITE else PRESSED_LIGHTER)


def _tint(deep: str, brand: str) -> str:
    """Tint a deep area with the brand, no brighter than before, so that text on it stays readable."""
    return mix_colors(_darker_until(brand, lambda each: luminance(each) <= luminance(deep)), deep, TINT)


def _readable_on(*grounds: str) -> Callable[[str], bool]:
    return lambda each: all(contrast(each, ground) >= TEXT_CONTRAST for ground in grounds)


def _lighter_until(color: str, good: Callable[[str], bool]) -> str:
    """The color, or its first lighter shade that is good."""
    return next((each for step in range(60) if good(each := shade(color, 1 + step / 20))), WHITE)


def _darker_until(color: str, good: Callable[[str], bool]) -> str:
    """The color, or its first darker shade that is good."""
    return next((each for step in range(50) if good(each := shade(color, 1 - step / 50))), INK)
