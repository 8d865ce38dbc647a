"""A cover as a picture of 1200 by 630, for places that show shared pages and read no vector drawings.

The same tiles as the cover, cut to the shape those places want. Pure functions.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from frontend.covers import SHAPES, Tile, lay_out
from frontend.figures import CELL, FAINT, Part
from frontend.raster import fill, mixed, rgb

WIDTH: Final = 1200
HEIGHT: Final = 630
SHAPE: Final = "card"
FINER: Final = 2  # drawn this much larger, then made smaller: smooth edges
COLORS: Final = 64  # of the palette; more than a cover has, so that the smoothed edges find theirs


def picture(seed: int, palette: str) -> bytes:
    """The picture as a PNG file; KeyError for an unknown palette."""
    grid = SHAPES[SHAPE]
    scale = FINER * max(WIDTH / grid.width, HEIGHT / grid.height)
    canvas = Image.new("RGB", (round(grid.width * scale), round(grid.height * scale)))
    for tile in lay_out(seed, palette, SHAPE):
        paint(canvas, tile, scale)
    left, top = (canvas.width - WIDTH * FINER) // 2, (canvas.height - HEIGHT * FINER) // 2
    cut = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BOX, (left, top, left + WIDTH * FINER, top + HEIGHT * FINER))
    file = BytesIO()
    cut.quantize(COLORS, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


def paint(canvas: Image.Image, tile: Tile, scale: float) -> None:
    """One tile at its place; `scale` is pixels for each unit of the drawing."""
    pen = ImageDraw.Draw(canvas)
    x, y, side = (number * CELL * scale for number in (tile.column, tile.row, tile.size))
    ground = rgb(tile.ground)
    pen.rectangle((x, y, x + side - 1, y + side - 1), fill=ground)
    for part in tile.parts:
        ink = mixed(rgb(tile.ink), ground, FAINT) if part.faint else rgb(tile.ink)
        if part.dot:
            _paint_dot(pen, tile, part, scale)
        else:
            fill(pen, tile.outline(part), ink, ground, scale=scale)


def _paint_dot(pen: ImageDraw.ImageDraw, tile: Tile, part: Part, scale: float) -> None:
    [x, y] = tile.outline(part)[0].numbers
    pen.circle((x * scale, y * scale), part.dot * tile.size * scale / 2, fill=rgb(tile.ink))
