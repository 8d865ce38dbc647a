"""The figures in the tiles of a cover: outlines in a cell of 40 by 40, and their placement. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

CELL: Final = 40
FAINT: Final = 0.55  # the opacity of a faint part

Point: TypeAlias = tuple[float, float]


class Step(NamedTuple):
    """A path command with absolute numbers, of which the last two are its end."""

    letter: str
    numbers: tuple[float, ...] = ()

    @property
    def points(self) -> list[Point]:
        """The control points, if any, and the end."""
        numbers = self.numbers[2:] if self.letter == "A" else self.numbers
        return list(zip(numbers[::2], numbers[1::2], strict=True))


class Part(NamedTuple):
    """An outline to fill, or a point to paint with a round pen of the diameter `dot`."""

    outline: list[Step]
    faint: bool = False
    dot: int = 0


def place_outline(outline: Sequence[Step], *, turns: int, column: int, row: int, size: int) -> list[Step]:
    """Turn an outline around the center of its cell by right angles, scale it to the tile and move it there."""

    def transform(x: float, y: float) -> Point:
        for _ in range(turns):
            x, y = CELL - y, x
        return column * CELL + x * size, row * CELL + y * size

    return [
        Step(
            step.letter,
            (
                # An arc's radius scales and its direction stays.
                *((step.numbers[0] * size, step.numbers[1]) if step.letter == "A" else ()),
                *(number for point in step.points for number in transform(*point)),
            ),
        )
        for step in outline
    ]


def read_outline(text: str) -> list[Step]:
    """Parse path data with the absolute commands M, L, H, V, Q, T, Z, and A as radius, sweep, x, y."""
    steps: list[Step] = []
    x = y = 0.0
    for letter, arguments in re.findall(r"([A-Z])([^A-Z]*)", text):
        numbers = tuple(float(number) for number in arguments.split())
        if letter == "Z":
            steps.append(Step("Z"))
            continue
        if letter in "HV":
            numbers = (numbers[0], y) if letter == "H" else (x, numbers[0])
        x, y = numbers[-2:]
        steps.append(Step("L" if letter in "HV" else letter, numbers))
    return steps


def _circle(x: float, y: float, radius: float, sweep: int) -> str:
    return f"M{x - radius} {y}A{radius} {sweep} {x + radius} {y}A{radius} {sweep} {x - radius} {y}Z"


def _bars() -> str:
    columns = ((4, 24), (13, 12), (22, 30), (31, 18))
    return "".join(f"M{x} 40V{40 - height}H{x + 6}V40Z" for x, height in columns)


def _waves() -> str:
    return "".join(
        f"M0 {y}Q10 {y - 8} 20 {y}T40 {y}V{y + 5}Q30 {y + 13} 20 {y + 5}T0 {y + 5}Z" for y in (5.5, 17.5, 29.5)
    )


def _fill(text: str) -> Part:
    return Part(read_outline(text))


def _dot(x: int, y: int, radius: int) -> Part:
    return Part(read_outline(f"M{x} {y}H{x}"), dot=2 * radius)


# Figures in a cell of 40 by 40. A hole runs in the opposite direction to its edge.
FIGURES: Final[dict[str, tuple[Part, ...]]] = {
    "quarter": (_fill("M0 40A40 1 40 0V40Z"),),
    "leaf": (_fill("M0 40V20A20 1 20 0H40V20A20 1 20 40Z"),),
    "half": (_fill("M0 40A20 1 40 40Z"), Part(read_outline("M0 20A20 1 40 20Z"), faint=True)),
    "dot": (_dot(20, 20, 13),),
    "dots": (_dot(10, 10, 3), _dot(30, 10, 6), _dot(10, 30, 6), _dot(30, 30, 8)),
    "bars": (_fill(_bars()),),
    "triangle": (_fill("M0 40L40 0V40Z"),),
    "diamond": (_fill("M20 4L36 20L20 36L4 20Z"),),
    "rings": (_fill("M0 40A40 1 40 0V10A30 0 10 40ZM20 40A20 1 40 20V40Z"),),
    "ring": (_fill(_circle(20, 20, 16, 1) + _circle(20, 20, 8, 0)),),
    "cross": (_fill("M15 6H25V15H34V25H25V34H15V25H6V15H15Z"),),
    "waves": (_fill(_waves()),),
    "arch": (_fill("M4 40V20A16 1 36 20V40H27V20A7 0 13 20V40Z"),),
    "pill": (_fill("M12 12H28A8 1 28 28H12A8 1 12 12Z"),),
}
