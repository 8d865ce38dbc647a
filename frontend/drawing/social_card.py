"""Covers as PNG of 1200 by 630 pixels for social networks, which don't show SVG."""

from __future__ import annotations

from io import BytesIO
from typing import Final

import resvg_py
from PIL import Image

from frontend.drawing.covers import SHAPES, draw

WIDTH: Final = 1200
HEIGHT: Final = 630
SHAPE: Final = "card"
COLORS: Final = 64  # more than a cover has, to leave some for smoothed edges


def draw_social_card(seed: int, palette: str) -> bytes:
    """Return the cover, cropped to fit. Raises KeyError for an unknown palette."""
    grid = SHAPES[SHAPE]
    scale = max(WIDTH / grid.width, HEIGHT / grid.height)
    size = round(grid.width * scale), round(grid.height * scale)
    cover = Image.open(BytesIO(resvg_py.svg_to_bytes(draw(seed, palette, SHAPE), width=size[0], height=size[1])))
    left, top = (size[0] - WIDTH) // 2, (size[1] - HEIGHT) // 2
    card = cover.convert("RGB").crop((left, top, left + WIDTH, top + HEIGHT))
    file = BytesIO()
    card.quantize(COLORS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
