"""Drawings for the picture block, made of a few flat shapes so that no photographs are needed."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

from django.core.files.images import ImageFile
from PIL import Image as Canvas
from PIL import ImageDraw
from wagtail.images.models import Image

SIZE = (1440, 810)
CROP = (0, 80, 1440, 730)  # the drawings leave top and bottom empty
SCALE = 2  # drawn larger and scaled down, which smooths the edges
PAPER = "#EDF1EF"
GOLD = "#FFB224"
GREEN, GREEN_2 = "#0B4537", "#74D3AE"
BLUE, BLUE_2 = "#3459CC", "#9AB6FF"
CORAL, CORAL_2 = "#CB553C", "#FFB9A3"
VIOLET, VIOLET_2 = "#6250BA", "#BFB3F6"
TEAL, TEAL_2 = "#148093", "#8ADCE5"
OLIVE, OLIVE_2 = "#67892E", "#C2DA8B"

Draw = Callable[[ImageDraw.ImageDraw], None]


def _box(x: float, y: float, width: float, height: float) -> tuple[float, float, float, float]:
    return x * SCALE, y * SCALE, (x + width) * SCALE, (y + height) * SCALE


def _circle(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: str) -> None:
    pen.ellipse(_box(x - radius, y - radius, 2 * radius, 2 * radius), fill=color)


def _bar(pen: ImageDraw.ImageDraw, x: float, y: float, width: float, height: float, color: str) -> None:
    pen.rounded_rectangle(_box(x, y, width, height), radius=12 * SCALE, fill=color)


def _loops(pen: ImageDraw.ImageDraw) -> None:
    """A long block taken apart into small ones of the same height."""
    _bar(pen, 150, 120, 300, 570, GREEN)
    for index in range(5):
        _bar(pen, 620 + 130 * (index % 3), 120 + 200 * (index // 3), 110, 170, GOLD if index == 3 else GREEN_2)
    for index in range(4):
        _bar(pen, 1080, 120 + 150 * index, 220, 120, GREEN if index % 2 else GREEN_2)


def _spread(pen: ImageDraw.ImageDraw) -> None:
    """Many small results and the one line through their middle."""
    for index in range(60):
        x = 120 + index * 20.5
        y = 405 + 190 * math.sin(index * 2.4) * math.cos(index * 0.7)
        _circle(pen, x, y, 13, BLUE_2 if index % 3 else BLUE)
    _bar(pen, 100, 397, 1240, 14, GOLD)


def _contact(pen: ImageDraw.ImageDraw) -> None:
    """Five moments around one bed."""
    _bar(pen, 520, 300, 400, 210, CORAL)
    for index in range(5):
        angle = math.pi * (0.5 + 0.4 * index)
        x, y = 720 + 520 * math.cos(angle), 405 - 220 * math.sin(angle)
        _circle(pen, x, y, 74, GOLD if index == 1 else CORAL_2)


def _curve(pen: ImageDraw.ImageDraw) -> None:
    """A record that rises, one bar for each year."""
    for index in range(42):
        height = 60 + 9.5 * index + 70 * math.sin(index * 1.7)
        _bar(
            pen, 110 + index * 29.5, 700 - height, 21, height, GOLD if index == 41 else OLIVE if index > 20 else OLIVE_2
        )


def _margin(pen: ImageDraw.ImageDraw) -> None:
    """A page of long lines, and the same page after editing."""
    for index in range(9):
        _bar(pen, 140, 120 + 64 * index, 520 - 40 * (index % 3), 26, VIOLET_2)
    for index in range(4):
        _bar(pen, 800, 120 + 64 * index, 470 - 90 * (index % 2), 26, GOLD if index == 0 else VIOLET)


def _focus(pen: ImageDraw.ImageDraw) -> None:
    """Four fields; one of them is where you are."""
    for index in range(4):
        if index == 1:
            pen.rounded_rectangle(
                _box(284, 96 + 160 * index, 872, 138), radius=22 * SCALE, outline=GOLD, width=12 * SCALE
            )
        _bar(pen, 300, 112 + 160 * index, 840, 106, TEAL_2 if index % 2 else TEAL)


DRAWINGS: dict[str, tuple[Draw, str]] = {
    "loops": (_loops, "One tall block beside the same block taken apart into nine small ones"),
    "spread": (_spread, "Sixty dots above and below a golden line that runs through their middle"),
    "contact": (_contact, "Five circles around a bed; the second one is golden"),
    "curve": (_curve, "Forty-two bars that rise from left to right with ups and downs; the last one is golden"),
    "margin": (_margin, "Nine long lines of text on the left, four short ones on the right, the first one golden"),
    "focus": (_focus, "Four form fields; the second one has a golden frame"),
}


def ensure_picture(name: str) -> Image:
    draw, description = DRAWINGS[name]
    title = f"Demonstration: {name}"
    image: Image | None = Image.objects.filter(title=title).order_by("pk").first()
    return image or Image.objects.create(title=title, description=description, file=_render(name, draw))


def _render(name: str, draw: Draw) -> ImageFile:
    canvas = Canvas.new("RGB", (SIZE[0] * SCALE, SIZE[1] * SCALE), PAPER)
    pen = ImageDraw.Draw(canvas)
    draw(pen)
    file = BytesIO()
    canvas.resize(SIZE, Canvas.Resampling.LANCZOS).crop(CROP).save(file, format="PNG", optimize=True)
    return ImageFile(file, name=f"demonstration-{name}.png")
