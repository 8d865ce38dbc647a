"""The default mark: three tiles in the brand color and a disc in the accent color.

The page header has its own copy in components/mark.html.
"""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Final

import resvg_py
from PIL import Image

from frontend.site.brand import Colors
from frontend.site.brands import Brand

BOX: Final = 32
MARGIN: Final = 0.18  # of the side; phones cut off the corners
ICON_SIZES: Final = ((16, 16), (32, 32), (48, 48))
SHAPES: Final = (
    '<path fill="{brand}" d="M0 15A15 15 0 0 1 15 0V15ZM17 0A15 15 0 0 1 32 15H17ZM0 17H15V32H8A8 8 0 0 1 0 24Z"/>'
    '<circle fill="{accent}" cx="24.5" cy="24.5" r="7.5"/>'
)


def picture(brand: Brand) -> bytes:
    """Return the site's own mark as a PNG, or ours as an SVG."""
    if brand.mark is not None:
        with suppress(OSError, ValueError):  # the file is gone, or is no picture: the receipt is worth more
            rendition = brand.mark.get_rendition("max-256x256|format-png")
            return bytes(rendition.file.read())
    return svg(brand.colors).encode()


def svg(colors: Colors, *, margin: float = 0) -> str:
    """``margin`` is a share of the whole side."""
    edge = BOX * margin / (1 - 2 * margin)
    box = f"{-edge:g} {-edge:g} {BOX + 2 * edge:g} {BOX + 2 * edge:g}"
    shapes = SHAPES.format(brand=colors.brand, accent=colors.accent)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{shapes}</svg>'


def ico(colors: Colors) -> bytes:
    """Return a favicon with a transparent background."""
    side = max(ICON_SIZES)[0]
    file = BytesIO()
    Image.open(BytesIO(resvg_py.svg_to_bytes(svg(colors), width=side, height=side))).save(file, "ICO", sizes=ICON_SIZES)
    return file.getvalue()


def png(colors: Colors, *, side: int) -> bytes:
    """Return the mark with a margin on white, for home screens; ``side`` is in pixels."""
    return resvg_py.svg_to_bytes(svg(colors, margin=MARGIN), width=side, height=side, background="#ffffff")
