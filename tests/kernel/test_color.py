"""Colors: WCAG contrast, and shades that keep their hue."""

import pytest

from mitxonline.kernel.color import INK, WHITE, contrast, is_hex_color, mix_colors, shade, text_color_on


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#FFFFFF", 21.0),
        ("#FFFFFF", "#FFFFFF", 1.0),
        ("#00694F", "#FFFFFF", 6.7),
        ("#10201B", "#F6F8F7", 15.8),
        ("#FFB224", "#2A1C00", 9.2),
    ],
)
def test_contrast_is_that_of_the_guidelines_whichever_comes_first(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.05)
    assert contrast(other, one) == contrast(one, other)


@pytest.mark.parametrize(
    ("background", "text"),
    [("#00694F", WHITE), ("#FFB224", INK), ("#fff", INK), ("#000", WHITE), ("#808080", None)],
)
def test_text_is_white_or_ink_and_neither_on_a_middling_grey(background: str, text: str) -> None:
    assert text_color_on(background) == text


def test_a_shade_of_one_and_a_whole_share_change_nothing() -> None:
    assert shade("#00694F", 1) == "#00694F"
    assert mix_colors("#00694F", "#FFFFFF", 1) == "#00694F"
    assert mix_colors("#00694F", "#FFFFFF", 0) == "#FFFFFF"


def test_darker_shades_read_better_on_white() -> None:
    hover, pressed = shade("#00694F", 0.82), shade("#00694F", 0.64)
    assert contrast("#00694F", WHITE) < contrast(hover, WHITE) < contrast(pressed, WHITE)


@pytest.mark.parametrize("text", ["00694F", "#00694", "#GGGGGG", "green", "", "#00694F;"])
def test_invalid_colors_are_refused(text: str) -> None:
    assert not is_hex_color(text)
    with pytest.raises(ValueError, match="is not a color"):
        contrast(text, WHITE)
