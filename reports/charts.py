"""Bar charts as SVG: drawn by the server, without styles of their own, with the same figures in the table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from django.utils.translation import gettext as _

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 72, 8, 12, 32
LABELS = 6
STEPS = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with its place in the drawing. `text` is what it says to people."""

    label: str
    text: str
    x: float
    y: float
    width: float
    height: float
    is_negative: bool
    has_label: bool
    middle: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the drawing, with the value that it stands for."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    description: str
    bars: tuple[Bar, ...]
    lines: tuple[Line, ...]
    unit: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    baseline: float = HEIGHT - BOTTOM
    bottom: int = HEIGHT - 10


def draw_bars(title: str, points: Sequence[tuple[str, Decimal | int, str]], *, unit: str = "") -> Chart:
    """Draw points of a label, a value and its text. Values below zero hang from the baseline."""
    values = [Decimal(value) for _label, value, _text in points] or [Decimal(0)]
    top, low = _round_up(max(*values, Decimal(0))), -_round_up(max(*(-value for value in values), Decimal(0)))
    if top == low:
        top = Decimal(STEPS)
    room = HEIGHT - TOP - BOTTOM
    scale = room / float(top - low)
    baseline = TOP + float(top) * scale
    step = (WIDTH - LEFT - RIGHT) / max(len(points), 1)
    every = -(-len(points) // LABELS) or 1
    gap = step * 0.2
    bars = tuple(
        Bar(
            label=label,
            text=text,
            x=round(LEFT + number * step + gap / 2, 2),
            y=round(round(baseline, 2) - max(round(float(value) * scale, 2), 0), 2),
            width=round(step - gap, 2),
            height=round(abs(float(value)) * scale, 2),
            is_negative=value < 0,
            has_label=number % every == 0,
            middle=round(LEFT + (number + 0.5) * step, 2),
        )
        for number, (label, value, text) in enumerate(points)
    )
    ticks = [low + (top - low) * number / STEPS for number in range(STEPS + 1)]
    return Chart(
        title=title,
        description=_describe(points),
        bars=bars,
        lines=tuple(Line(round(baseline - float(tick) * scale, 2), _number(tick)) for tick in ticks),
        unit=unit,
        baseline=round(baseline, 2),
    )


def _describe(points: Sequence[tuple[str, Decimal | int, str]]) -> str:
    if not points:
        return _("There is nothing to show.")
    highest, lowest = max(points, key=lambda point: point[1]), min(points, key=lambda point: point[1])
    sentence = _("%(count)d bars, from %(first)s to %(last)s. The highest is %(high)s with %(most)s.")
    if lowest[1] < 0:
        sentence += " " + _("The lowest is %(low)s with %(least)s.")
    return sentence % {
        "count": len(points),
        "first": points[0][0],
        "last": points[-1][0],
        "high": highest[0],
        "most": highest[2],
        "low": lowest[0],
        "least": lowest[2],
    }


def _round_up(value: Decimal) -> Decimal:
    """Return a round number that is at least the value: 1, 2, 4 or 8 times a power of ten, so that ticks are whole."""
    if value <= 0:
        return Decimal(0)
    power = Decimal(1).scaleb(value.adjusted())
    step = (value / power).to_integral_value(rounding=ROUND_CEILING)
    rounded = next(each for each in (1, 2, 4, 8, 10) if each >= step)
    return max(power * rounded, Decimal(STEPS))


def _number(value: Decimal) -> str:
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"
