"""Course covers: a small mosaic drawn from the course's id and its department's colors.

Pure functions. The same id always gives the same drawing, so browsers may cache a cover forever. Raise `VERSION`, which
is part of the address, when you change how covers are drawn; the tests compare with golden values.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from frontend.drawing.figures import CELL, FAINT, FIGURES, Part, Point, Step, place_outline

VERSION: Final = 2
GOLD: Final = "#FFB224"
MOSAIC: Final = "mosaic"  # the colors of all departments

PLAIN_SHARE: Final = 0.16  # of the small tiles
UNIT: Final = 10  # path data is divided by this, which makes the numbers shorter


@dataclass(frozen=True, slots=True)
class Palette:
    """A department's colors, from dark to pale, and its figures."""

    key: str
    tones: tuple[str, str, str, str]
    figures: tuple[str, ...]

    @property
    def dark(self) -> str:
        return self.tones[0]


@dataclass(frozen=True, slots=True)
class Shape:
    """The grid of a cover, with the number of its tiles of two by two cells."""

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


def hash_id(readable_id: str) -> int:
    """Return the 32-bit FNV-1a hash of the id. The run of a course key is left out, so that all runs look alike."""
    head, colon, rest = readable_id.partition(":")
    text = head + colon + "+".join(rest.split("+")[:2])
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


def palette_key(department_slug: str) -> str:
    """Return the palette named by the first word of the slug, or else one chosen by the slug's hash."""
    word = department_slug.lower().partition("-")[0]
    if word in PALETTES or word == MOSAIC:
        return word
    return list(PALETTES)[hash_id(department_slug) % len(PALETTES)]


def draw(seed: int, palette: str, shape: str) -> str:
    """Return the cover as an SVG document. Raises KeyError for an unknown palette or shape."""
    return draw_tiles(lay_out(seed, palette, shape), SHAPES[shape])


def draw_tiles(tiles: Sequence[Tile], grid: Shape) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_numbers((grid.width, grid.height))}" '
        f'width="{grid.width * 2}" height="{grid.height * 2}" preserveAspectRatio="xMidYMid slice" '
        'stroke-linecap="round">'
        f'<g shape-rendering="crispEdges">{_draw_grounds(tiles, grid)}</g>'
        f"{_draw_figures(tiles)}</svg>"
    )


@dataclass(frozen=True, slots=True)
class Tile:
    """A square of one or two cells on a side with a figure in it, or a plain one."""

    column: int
    row: int
    size: int
    ground: str
    figure: str = ""
    ink: str = ""
    turns: int = 0

    @property
    def parts(self) -> tuple[Part, ...]:
        return FIGURES.get(self.figure, ())

    def outline(self, part: Part) -> list[Step]:
        """Return the part's outline where it lies in the drawing."""
        return place_outline(part.outline, turns=self.turns, column=self.column, row=self.row, size=self.size)


def lay_out(seed: int, palette: str, shape: str) -> list[Tile]:
    """Return the tiles of a cover, the big ones first. Raises KeyError for an unknown palette or shape."""
    random, grid = _Random(seed), SHAPES[shape]
    palettes = list(PALETTES.values()) if palette == MOSAIC else [PALETTES[palette]]
    taken: set[Point] = set()
    tiles = []
    for column, row in _choose_big_places(random, grid):
        taken |= {(column + dx, row + dy) for dx in (0, 1) for dy in (0, 1)}
        tiles.append(_make_tile(random, column, row, 2, palettes))
    cells = [(x, y) for y in range(grid.rows) for x in range(grid.columns) if (x, y) not in taken]
    inner = [cell for cell in cells if 0 < cell[0] < grid.columns - 1]
    golden = (inner or cells)[random.below(len(inner or cells))]
    for column, row in cells:
        if (column, row) == golden:
            tiles.append(_make_golden_tile(random, column, row, palettes))
        else:
            tiles.append(_make_tile(random, column, row, 1, palettes))
    return tiles


class _Random:
    """mulberry32, because Python's own generator may change between releases."""

    def __init__(self, seed: int) -> None:
        self.state = seed & 0xFFFFFFFF

    def number(self) -> float:
        """Return the next number in [0, 1)."""
        self.state = (self.state + 0x6D2B79F5) & 0xFFFFFFFF
        t = self.state
        t = _multiply(t ^ (t >> 15), t | 1)
        t ^= (t + _multiply(t ^ (t >> 7), t | 61)) & 0xFFFFFFFF
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


def _multiply(a: int, b: int) -> int:
    return (a * b) & 0xFFFFFFFF


def _choose_big_places(random: _Random, grid: Shape) -> Iterable[tuple[int, int]]:
    """Yield places for the tiles of two by two cells that don't overlap."""
    free = [(x, y) for y in range(grid.rows - 1) for x in range(grid.columns - 1)]
    for _ in range(grid.big):
        column, row = free[random.below(len(free))]
        free = [(x, y) for x, y in free if abs(x - column) > 1 or abs(y - row) > 1]
        yield column, row


def _make_tile(random: _Random, column: int, row: int, size: int, palettes: Sequence[Palette]) -> Tile:
    palette = palettes[random.below(len(palettes))]
    ground = random.weighted(palette.tones, TONE_WEIGHTS)
    if size == 1 and random.number() < PLAIN_SHARE:
        return Tile(column, row, size, ground)
    others = [(tone, weight) for tone, weight in zip(palette.tones, TONE_WEIGHTS, strict=True) if tone != ground]
    ink = random.weighted([tone for tone, _ in others], [weight for _, weight in others])
    figure = random.one_of(palette.figures)
    turns = 0 if figure in UPRIGHT else random.below(4)
    return Tile(column, row, size, ground, figure, ink, turns)


def _make_golden_tile(random: _Random, column: int, row: int, palettes: Sequence[Palette]) -> Tile:
    """Make a golden quarter or leaf on dark, or a dark dot on gold. Every cover has one."""
    dark = palettes[random.below(len(palettes))].dark
    figure = random.one_of(("quarter", "leaf", "dot"))
    if figure == "dot":
        return Tile(column, row, 1, GOLD, figure, dark)
    return Tile(column, row, 1, dark, figure, GOLD, random.below(4))


def _draw_grounds(tiles: Sequence[Tile], grid: Shape) -> str:
    """Draw one path for each color. The most common one fills the whole cover, so that no seams show."""
    area: Counter[str] = Counter()
    squares: dict[str, list[str]] = defaultdict(list)
    for tile in tiles:
        area[tile.ground] += tile.size**2
        squares[tile.ground].append(_square(tile.column * CELL, tile.row * CELL, tile.size * CELL))
    [(most_common, _)] = area.most_common(1)
    squares[most_common] = [f"M0 0h{_short(grid.width)}v{_short(grid.height)}H0"]
    return "".join(
        f'<path fill="{ground}" d="{"".join(squares[ground])}"/>'
        for ground in sorted(squares, key=lambda color: color != most_common)
    )


def _square(x: int, y: int, side: int) -> str:
    return f"M{_numbers((x, y))}h{_short(side)}v{_short(side)}h{_short(-side)}"


def _draw_figures(tiles: Sequence[Tile]) -> str:
    """Draw one path for each paint. Figures never overlap, so their order doesn't matter."""
    paths: dict[str, list[str]] = defaultdict(list)
    for tile in tiles:
        for part in tile.parts:
            paths[_paint(tile, part)].append(_path_data(tile.outline(part)))
    return "".join(f'<path {paint} d="{"".join(data)}"/>' for paint, data in paths.items())


def _paint(tile: Tile, part: Part) -> str:
    if part.dot:
        return f'stroke="{tile.ink}" stroke-width="{_short(part.dot * tile.size)}"'
    return f'fill="{tile.ink}"' + (f' opacity="{_short(FAINT * UNIT)}"' if part.faint else "")


def _path_data(outline: Sequence[Step]) -> str:
    """Return the outline as path data, with relative commands where they are shorter."""
    commands: list[str] = []
    start = position = (0.0, 0.0)
    for step in outline:
        if step.letter == "Z":
            commands.append("z")
            position = start
            continue
        offsets = [(x - position[0], y - position[1]) for x, y in step.points]
        if step.letter == "M":
            start = step.points[0]
            absolute, relative = "M" + _numbers(start), "m" + _numbers(offsets[0])
            commands.append(relative if commands and len(relative) < len(absolute) else absolute)
        elif step.letter == "L":
            commands.append(_line(*offsets[0]))
        elif step.letter == "A":
            radius, sweep = step.numbers[:2]
            commands.append(f"a{_numbers((radius, radius))} 0 0 {sweep:.0f} {_numbers(offsets[0])}".replace(" -", "-"))
        else:
            commands.append(step.letter.lower() + _numbers([number for pair in offsets for number in pair]))
        position = step.points[-1]
    return "".join(commands).removesuffix("z")  # filling closes the outline


def _line(dx: float, dy: float) -> str:
    if dy == 0:
        return f"h{_short(dx)}"
    if dx == 0:
        return f"v{_short(dy)}"
    return "l" + _numbers((dx, dy))


def _numbers(numbers: Iterable[float]) -> str:
    # A minus sign separates numbers as well as a space does.
    return " ".join(_short(number) for number in numbers).replace(" -", "-")


def _short(number: float) -> str:
    text = f"{number / UNIT:.2f}".rstrip("0").rstrip(".")
    if text.lstrip("-").startswith("0."):
        text = text.replace("0.", ".", 1)
    return "0" if text == "-0" else text
