"""Course covers: a small mosaic drawn from the course's id and its department's colours.

Pure functions. The same id gives the same drawing for ever, so an address may be kept for ever; whoever
changes the recipe raises `VERSION`, which is part of the address. The tests' golden values notice a change.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, NamedTuple, TypeAlias

VERSION: Final = 1
GOLD: Final = "#FFB224"
MOSAIC: Final = "mosaic"  # every department's colours in one drawing

CELL: Final = 40
SEAM: Final = 0.4  # squares are drawn this much wider, so that no background shines through between them
PLAIN: Final = 0.16

Point: TypeAlias = tuple[float, float]


class Step(NamedTuple):
    """One command of an outline; the numbers are absolute, the last two are where it ends."""

    letter: str
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a department, dark to pale, and the figures it plays with."""

    key: str
    tones: tuple[str, str, str, str]
    figures: tuple[str, ...]

    @property
    def dark(self) -> str:
        return self.tones[0]


@dataclass(frozen=True, slots=True)
class Shape:
    """A grid of cells and how many tiles of two by two stand in it."""

    columns: int
    rows: int
    big: int

    @property
    def width(self) -> int:
        return self.columns * CELL

    @property
    def height(self) -> int:
        return self.rows * CELL


TONE_WEIGHTS: Final = (44, 32, 16, 8)

PALETTES: Final[dict[str, Palette]] = {
    palette.key: palette
    for palette in (
        Palette("computing", ("#0B4537", "#11795C", "#74D3AE", "#E4F5EC"), ("quarter", "quarter", "dot", "pill")),
        Palette("data", ("#1A2C66", "#3459CC", "#9AB6FF", "#EAF0FF"), ("bars", "bars", "dots", "quarter")),
        Palette(
            "business",
            ("#471A3C", "#8E316F", "#E79BC7", "#FBEAF4"),
            ("triangle", "triangle", "diamond", "half"),
        ),
        Palette(
            "engineering",
            ("#1B323E", "#3D6D85", "#9CCADB", "#E8F3F7"),
            ("rings", "rings", "cross", "quarter"),
        ),
        Palette("health", ("#74281C", "#CB553C", "#FFB9A3", "#FFF0EA"), ("leaf", "leaf", "dot", "half")),
        Palette("climate", ("#2F421B", "#67892E", "#C2DA8B", "#F3F8E3"), ("waves", "waves", "half", "leaf")),
        Palette("humanities", ("#30245F", "#6250BA", "#BFB3F6", "#F0EDFF"), ("arch", "arch", "half", "dot")),
        Palette("design", ("#0B414C", "#148093", "#8ADCE5", "#E6F8FA"), ("ring", "quarter", "dot", "diamond")),
    )
}

SHAPES: Final[dict[str, Shape]] = {
    "card": Shape(6, 3, 1),
    "redeem": Shape(5, 7, 1),
    "hero": Shape(8, 6, 5),
    "swatch": Shape(2, 2, 0),
    "square": Shape(3, 3, 0),
}

UPRIGHT: Final = frozenset({"bars", "arch", "waves", "dots", "dot", "ring", "cross", "diamond"})


def seed_of(readable_id: str) -> int:
    """FNV-1a, 32 bits, of the id; `course-v1:Org+Number+Run` counts without its run."""
    head, colon, rest = readable_id.partition(":")
    text = head + colon + "+".join(rest.split("+")[:2])
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def palette_key(department_slug: str) -> str:
    """The palette of a department: the one whose name its slug begins with, else one chosen by its hash."""
    first = department_slug.lower().partition("-")[0]
    keys = [*PALETTES, MOSAIC]
    return first if first in keys else list(PALETTES)[seed_of(department_slug) % len(PALETTES)]


def draw(seed: int, palette: str, shape: str) -> str:
    """The cover as an SVG document; KeyError for an unknown palette or shape."""
    grid = SHAPES[shape]
    choices = list(PALETTES.values()) if palette == MOSAIC else [PALETTES[palette]]
    tiles = _laid_out(_Random(seed), grid, choices)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {grid.width} {grid.height}" '
        f'width="{grid.width * 2}" height="{grid.height * 2}" preserveAspectRatio="xMidYMid slice" '
        'stroke-linecap="round">'
        f'<g shape-rendering="crispEdges">{_squares(tiles)}</g>'
        f"{_figures(tiles)}</svg>"
    )


class _Random:
    """mulberry32: small, and the same in every language and every release of Python."""

    def __init__(self, seed: int) -> None:
        self.state = seed & 0xFFFFFFFF

    def number(self) -> float:
        """The next number in [0, 1)."""
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self.state
        t = _multiplied(t ^ (t >> 15), t | 1)
        t ^= (t + _multiplied(t ^ (t >> 7), t | 61)) & 0xFFFFFFFF
        return ((t ^ (t >> 14)) & 0xFFFFFFFF) / 4294967296

    def below(self, limit: int) -> int:
        return int(self.number() * limit)

    def one_of(self, items: Sequence[str]) -> str:
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[str], weights: Sequence[int]) -> str:
        mark = self.number() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            mark -= weight
            if mark < 0:
                return item
        return items[-1]


def _multiplied(a: int, b: int) -> int:
    return (a * b) & 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Tile:
    column: int
    row: int
    size: int
    ground: str
    figure: str = ""
    ink: str = ""
    turns: int = 0


def _laid_out(random: _Random, grid: Shape, palettes: Sequence[Palette]) -> list[_Tile]:
    """The tiles in the order they are drawn: the big ones first, then row by row."""
    taken: set[Point] = set()
    tiles = []
    for column, row in _big_places(random, grid):
        taken |= {(column + dx, row + dy) for dx in (0, 1) for dy in (0, 1)}
        tiles.append(_ordinary(random, column, row, 2, palettes))
    cells = [(x, y) for y in range(grid.rows) for x in range(grid.columns) if (x, y) not in taken]
    inner = [cell for cell in cells if 0 < cell[0] < grid.columns - 1]
    golden = (inner or cells)[random.below(len(inner or cells))]
    for column, row in cells:
        make = _golden if (column, row) == golden else _ordinary
        tiles.append(make(random, column, row, 1, palettes))
    return tiles


def _big_places(random: _Random, grid: Shape) -> Iterable[tuple[int, int]]:
    """Places of the two by two tiles; none overlaps another."""
    free = [(x, y) for y in range(grid.rows - 1) for x in range(grid.columns - 1)]
    for _ in range(grid.big):
        column, row = free[random.below(len(free))]
        free = [(x, y) for x, y in free if abs(x - column) > 1 or abs(y - row) > 1]
        yield column, row


def _ordinary(random: _Random, column: int, row: int, size: int, palettes: Sequence[Palette]) -> _Tile:
    palette = palettes[random.below(len(palettes))]
    ground = random.weighted(palette.tones, TONE_WEIGHTS)
    if size == 1 and random.number() < PLAIN:
        return _Tile(column, row, size, ground)
    others = [(tone, weight) for tone, weight in zip(palette.tones, TONE_WEIGHTS, strict=True) if tone != ground]
    ink = random.weighted([tone for tone, _ in others], [weight for _, weight in others])
    figure = random.one_of(palette.figures)
    turns = 0 if figure in UPRIGHT else random.below(4)
    return _Tile(column, row, size, ground, figure, ink, turns)


def _golden(random: _Random, column: int, row: int, size: int, palettes: Sequence[Palette]) -> _Tile:
    """The one golden tile: a golden quarter or leaf on dark, or a dark dot on gold."""
    dark = palettes[random.below(len(palettes))].dark
    figure = random.one_of(("quarter", "leaf", "dot"))
    if figure == "dot":
        return _Tile(column, row, size, GOLD, figure, dark)
    return _Tile(column, row, size, dark, figure, GOLD, random.below(4))


def _squares(tiles: Sequence[_Tile]) -> str:
    """The grounds: each after those to its left and above it, so that it covers what they stick out."""
    ordered = sorted(tiles, key=lambda tile: (tile.column + tile.row + 2 * tile.size, -tile.size))
    return "".join(
        f'<path fill="{ground}" d="{"".join(_square(tile) for tile in run)}"/>'
        for ground, run in groupby(ordered, key=lambda tile: tile.ground)
    )


def _square(tile: _Tile) -> str:
    x, y, side = tile.column * CELL, tile.row * CELL, _short(tile.size * CELL + SEAM)
    return f"M{x} {y}h{side}v{side}H{x}z"


def _figures(tiles: Sequence[_Tile]) -> str:
    """All figures, one path for each way of painting: they never overlap, so their order doesn't matter."""
    paths: dict[str, list[str]] = defaultdict(list)
    for tile in tiles:
        for part in _FIGURES.get(tile.figure, ()):
            paths[_paint(tile, part)].append(_placed(part.outline, tile))
    return "".join(f'<path {paint} d="{"".join(data)}"/>' for paint, data in paths.items())


def _paint(tile: _Tile, part: _Part) -> str:
    if part.dot:
        return f'stroke="{tile.ink}" stroke-width="{part.dot * tile.size}"'
    return f'fill="{tile.ink}"' + (' opacity=".55"' if part.faint else "")


def _placed(outline: Sequence[Step], tile: _Tile) -> str:
    """The outline turned about the middle of its cell, scaled to the tile and moved to its place.

    Written with relative commands, which are shorter.
    """

    def moved(x: float, y: float) -> Point:
        for _ in range(tile.turns):
            x, y = CELL - y, x
        return tile.column * CELL + x * tile.size, tile.row * CELL + y * tile.size

    written, here = [], (0.0, 0.0)
    for letter, numbers in outline:
        if letter == "Z":
            written.append("z")
            continue
        points = numbers[2:] if letter == "A" else numbers
        way = [_way(here, moved(x, y)) for x, y in zip(points[::2], points[1::2], strict=True)]
        here = moved(*points[-2:])
        if letter == "M":
            written.append("M" + _numbers(here))
        elif letter == "L":
            written.append(_line(*way[0]))
        elif letter == "A":
            radius = numbers[0] * tile.size
            written.append("a" + _numbers([radius, radius, 0, 0, numbers[1], *way[0]]))
        else:
            written.append(letter.lower() + _numbers([number for pair in way for number in pair]))
    return "".join(written)


def _way(here: Point, there: Point) -> Point:
    return there[0] - here[0], there[1] - here[1]


def _line(dx: float, dy: float) -> str:
    if dy == 0:
        return f"h{_short(dx)}"
    return f"v{_short(dy)}" if dx == 0 else "l" + _numbers((dx, dy))


def _numbers(numbers: Iterable[float]) -> str:
    """Parted by a blank, or by the minus sign of the next one."""
    return " ".join(_short(number) for number in numbers).replace(" -", "-")


def _short(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _outline(text: str) -> list[Step]:
    """Read an outline written with absolute M, L, H, V, Q, T and Z, and A as radius, sweep, x, y."""
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


class _Part(NamedTuple):
    """A piece of a figure: an outline to fill, or a point painted with a round pen of the diameter `dot`."""

    outline: list[Step]
    faint: bool = False
    dot: int = 0


def _filled(text: str) -> _Part:
    return _Part(_outline(text))


def _dot(x: int, y: int, radius: int) -> _Part:
    return _Part(_outline(f"M{x} {y}H{x}"), dot=2 * radius)


# Every figure in a cell of 40 by 40. A hole runs the other way round than its edge.
_FIGURES: Final[dict[str, tuple[_Part, ...]]] = {
    "quarter": (_filled("M0 40A40 1 40 0V40Z"),),
    "leaf": (_filled("M0 40V20A20 1 20 0H40V20A20 1 20 40Z"),),
    "half": (_filled("M0 40A20 1 40 40Z"), _Part(_outline("M0 20A20 1 40 20Z"), faint=True)),
    "dot": (_dot(20, 20, 13),),
    "dots": (_dot(10, 10, 3), _dot(30, 10, 6), _dot(10, 30, 6), _dot(30, 30, 8)),
    "bars": (_filled(_bars()),),
    "triangle": (_filled("M0 40L40 0V40Z"),),
    "diamond": (_filled("M20 4L36 20L20 36L4 20Z"),),
    "rings": (_filled("M0 40A40 1 40 0V10A30 0 10 40ZM20 40A20 1 40 20V40Z"),),
    "ring": (_filled(_circle(20, 20, 16, 1) + _circle(20, 20, 8, 0)),),
    "cross": (_filled("M15 6H25V15H34V25H25V34H15V25H6V15H15Z"),),
    "waves": (_filled(_waves()),),
    "arch": (_filled("M4 40V20A16 1 36 20V40H27V20A7 0 13 20V40Z"),),
    "pill": (_filled("M12 12H28A8 1 28 28H12A8 1 12 12Z"),),
}
