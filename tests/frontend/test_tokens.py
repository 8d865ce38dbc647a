"""Text contrast, computed from the served style sheet."""

import re
from pathlib import Path

import pytest

import frontend
from frontend.site import brand
from mitxonline.kernel.color import contrast

CSS = (Path(frontend.__file__).parent / "static/frontend/css/tokens.css").read_text()
PAIRS = re.compile(r"^ +(--[\w-]+): light-dark\((#\w{6}), (#\w{6})\);", re.MULTILINE)
TOKENS = {name: (light, dark) for name, light, dark in PAIRS.findall(CSS)}

TEXT = 4.5
SHAPE = 3.0

NEEDS = [
    (TEXT, "ink", "bg surface sunken raised brand-soft accent-soft ok-soft bad-soft warn-soft info-soft"),
    (TEXT, "ink-2", "bg surface sunken raised brand-soft accent-soft"),
    (TEXT, "ink-3", "bg surface sunken raised brand-soft"),
    (TEXT, "on-brand", "brand brand-hover brand-active"),
    (TEXT, "brand-ink", "bg surface brand-soft"),
    (TEXT, "on-accent", "accent"),
    (TEXT, "on-deep", "deep deep-2"),
    (TEXT, "on-deep-2", "deep"),
    (TEXT, "ok", "ok-soft surface bg"),
    (TEXT, "warn", "warn-soft surface bg"),
    (TEXT, "bad", "bad-soft surface bg"),
    (TEXT, "info", "info-soft surface"),
    (TEXT, "bg", "ink"),
    (TEXT, "surface", "bad bad-hover"),
    (TEXT, "avatar-1-ink", "avatar-1"),
    (TEXT, "avatar-2-ink", "avatar-2"),
    (TEXT, "avatar-3-ink", "avatar-3"),
    (SHAPE, "line-strong", "bg surface sunken"),
    (SHAPE, "brand", "bg surface"),
    (SHAPE, "surface", "ok warn bad info"),
    (SHAPE, "accent", "deep"),
    (SHAPE, "focus", "bg surface sunken raised brand-soft"),
]
CASES = [(needed, front, back, theme) for needed, front, backs in NEEDS for back in backs.split() for theme in (0, 1)]
BRANDS = ["#5B2BD9", "#C8102E", "#1B5A9E", "#FFD400", "#111111", "#3FCB9C", "#FFFFFF", "#B8336A"]


@pytest.mark.parametrize(("needed", "front", "back", "theme"), CASES)
def test_text_has_enough_contrast(needed: float, front: str, back: str, theme: int) -> None:
    assert contrast(TOKENS[f"--{front}"][theme], TOKENS[f"--{back}"][theme]) >= needed


def test_browsers_without_light_dark_get_the_light_theme() -> None:
    fallback = dict(re.findall(r"^ +(--[\w-]+): (#\w{6});", CSS.partition("@supports not")[2], re.MULTILINE))

    assert fallback == {name: light for name, (light, _dark) in TOKENS.items()}


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("color", BRANDS)
def test_every_brand_color_gives_colors_that_can_be_read(color: str, theme: int) -> None:
    own = {name: pair[theme] for name, pair in brand.tokens(brand.Colors(brand=color)).items()}
    fixed = {name: pair[theme] for name, pair in TOKENS.items()}

    for ground in ("--brand", "--brand-hover", "--brand-active"):
        assert contrast(own["--on-brand"], own[ground]) >= TEXT
    for ground in (own["--brand-soft"], fixed["--bg"], fixed["--surface"]):
        assert contrast(own["--brand-ink"], ground) >= TEXT
    assert contrast(fixed["--ink"], own["--brand-soft"]) >= TEXT
    assert contrast(fixed["--on-deep"], own["--deep"]) >= TEXT
    assert contrast(fixed["--on-deep"], own["--deep-2"]) >= TEXT
    assert contrast(fixed["--on-deep-2"], own["--deep"]) >= TEXT
    assert contrast(own["--accent"], own["--deep"]) >= SHAPE


def test_the_default_colors_are_those_of_the_style_sheet() -> None:
    assert TOKENS["--brand"][0] == brand.DEFAULT_BRAND
    assert TOKENS["--accent"][0] == brand.DEFAULT_ACCENT
    for theme in (0, 1):
        assert TOKENS["--surface"][theme] == brand.SURFACE[theme]
        assert TOKENS["--bg"][theme] == brand.GROUND[theme]
        assert TOKENS["--deep"][theme] == brand.DEEP[theme]
        assert TOKENS["--deep-2"][theme] == brand.DEEP_2[theme]


def test_default_colors_need_no_style_sheet_of_their_own() -> None:
    assert brand.Colors().are_default
    assert brand.Colors(brand="#00694f").are_default
    assert not brand.Colors(brand="#5B2BD9").are_default


def test_the_digest_follows_the_colors() -> None:
    assert brand.Colors(brand="#5B2BD9").digest == brand.Colors(brand="#5B2BD9").digest
    assert brand.Colors(brand="#5B2BD9").digest != brand.Colors(brand="#5B2BDA").digest
