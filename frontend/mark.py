"""The mark of a site that uploaded none: three tiles in the brand's color and a disc in the accent's.

Pure functions. Browsers and phones show it beside the site's name; the one in the header is in components/mark.html.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw

from frontend.brand import Colors
from frontend.figures import read_outline
from frontend.raster import RGB, fill, rgb

BOX: Final = 32
TILES: Final = ("M0 15A15 1 15 0V15Z", "M17 0A15 1 32 15H17Z", "M0 17H15V32H8A8 1 0 24Z")
DISC: Final = (24.5, 24.5, 7.5)

FINER: Final = 4  # drawn this much larger, then made smaller: smooth edges
MARGIN: Final = 0.18  # of the side: phones cut the corners off
ICON_SIZES: Final = ((16, 16), (32, 32), (48, 48))
WHITE: Final[RGB] = (255, 255, 255)


def svg(colors: Colors) -> str:
    """The mark as a drawing."""
    x, y, radius = DISC
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {BOX} {BOX}">'
        f'<path fill="{colors.brand}" d="M0 15A15 15 0 0 1 15 0V15ZM17 0A15 15 0 0 1 32 15H17Z'
        'M0 17H15V32H8A8 8 0 0 1 0 24Z"/>'
        f'<circle fill="{colors.accent}" cx="{x}" cy="{y}" r="{radius}"/></svg>'
    )


def ico(colors: Colors) -> bytes:
    """The mark for browsers that show no drawings; the file holds every size."""
    file = BytesIO()
    _drawn(colors, side=max(ICON_SIZES)[0], margin=0, ground=None).save(file, "ICO", sizes=ICON_SIZES)
    return file.getvalue()


def png(colors: Colors, *, side: int) -> bytes:
    """The mark on white with room around it, for the home screens of phones."""
    file = BytesIO()
    _drawn(colors, side=side, margin=MARGIN, ground=WHITE).save(file, "PNG", optimize=True)
    return file.getvalue()


def _drawn(colors: Colors, *, side: int, margin: float, ground: RGB | None) -> Image.Image:
    """The mark in a square of that side; without a ground what is around it can be seen through."""
    large = side * FINER
    canvas = Image.new("RGBA", (large, large), (*ground, 255) if ground else (0, 0, 0, 0))
    pen = ImageDraw.Draw(canvas)
    edge = large * margin
    scale = (large - 2 * edge) / BOX
    for tile in TILES:
        fill(pen, read_outline(tile), rgb(colors.brand), WHITE, scale=scale, at=(edge, edge))
    x, y, radius = (number * scale for number in DISC)
    pen.circle((edge + x, edge + y), radius, fill=rgb(colors.accent))
    return canvas.resize((side, side), Image.Resampling.BOX)
