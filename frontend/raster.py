"""Outlines as pixels: curves become short straight lines, and Pillow fills what they enclose.

Pure functions. They draw too large; whoever calls makes the result smaller, which smooths the edges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import atan2, ceil, cos, hypot, pi, sin
from typing import Final, TypeAlias

from PIL import ImageColor, ImageDraw

from frontend.figures import Point, Step

SEGMENT: Final = 6.0  # pixels; a curve is straight lines of about that length

RGB: TypeAlias = tuple[int, int, int]


def rgb(color: str) -> RGB:
    """`#RRGGBB` as three numbers."""
    red, green, blue = ImageColor.getrgb(color)[:3]
    return red, green, blue


def mixed(ink: RGB, ground: RGB, share: float) -> RGB:
    """The color of a see-through ink on a ground."""
    red, green, blue = (round(share * a + (1 - share) * b) for a, b in zip(ink, ground, strict=True))
    return red, green, blue


def fill(
    pen: ImageDraw.ImageDraw, outline: Sequence[Step], ink: RGB, ground: RGB, *, scale: float, at: Point = (0.0, 0.0)
) -> None:
    """Fill an outline of absolute commands, moved to `at`; its holes show the ground.

    What runs the way of the first line is filled; a line the other way round is a hole.
    """
    lines = list(_lines(outline, scale, at))
    direction = _area(lines[0])
    for line in lines:
        pen.polygon(line, fill=ink if _area(line) * direction > 0 else ground)


def _lines(outline: Sequence[Step], scale: float, at: Point) -> Iterator[list[Point]]:
    """Each closed line of an outline as the corners of a polygon."""
    line: list[Point] = []
    control: Point = (0.0, 0.0)
    for step in outline:
        points = [(at[0] + x * scale, at[1] + y * scale) for x, y in step.points]
        if step.letter == "Z":
            yield line
        elif step.letter == "M":
            line = points
        elif step.letter == "L":
            line += points
        elif step.letter == "A":
            line += _arc(line[-1], points[0], radius=step.numbers[0] * scale, clockwise=bool(step.numbers[1]))
        else:
            control = points[0] if step.letter == "Q" else _mirrored(control, line[-1])
            line += _bend(line[-1], control, points[-1])


def _mirrored(control: Point, middle: Point) -> Point:
    return 2 * middle[0] - control[0], 2 * middle[1] - control[1]


def _bend(start: Point, control: Point, end: Point) -> Iterator[Point]:
    """A quadratic curve."""
    steps = 2 * ceil(hypot(control[0] - start[0], control[1] - start[1]) / SEGMENT)
    for step in range(1, steps + 1):
        t = step / steps
        weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
        yield (
            sum(weight * point[0] for weight, point in zip(weights, (start, control, end), strict=True)),
            sum(weight * point[1] for weight, point in zip(weights, (start, control, end), strict=True)),
        )


def _arc(start: Point, end: Point, *, radius: float, clockwise: bool) -> Iterator[Point]:
    """The shorter arc of that radius between two points; half a circle where they are as far apart as can be."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    distance = hypot(dx, dy)
    side = 1 if clockwise else -1
    height = side * max(radius**2 - distance**2 / 4, 0) ** 0.5
    center = (start[0] + end[0]) / 2 - height * dy / distance, (start[1] + end[1]) / 2 + height * dx / distance
    first = atan2(start[1] - center[1], start[0] - center[0])
    turn = (side * (atan2(end[1] - center[1], end[0] - center[0]) - first)) % (2 * pi)
    steps = ceil(radius * turn / SEGMENT)
    for step in range(1, steps + 1):
        angle = first + side * turn * step / steps
        yield center[0] + radius * cos(angle), center[1] + radius * sin(angle)


def _area(line: Sequence[Point]) -> float:
    """Twice the area inside, negative where the line runs the other way round."""
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(line, [*line[1:], line[0]], strict=True))
