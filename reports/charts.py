"""Bar charts as SVG: drawn by the server, without styles of their own, with the same figures in the table beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.utils.translation import gettext as _

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 72, 8, 12, 32
LABELS = 6
STEPS = 4
LONGEST_LABEL = 18  # characters that fit between two labels
HALF_LETTER = 3.3  # half the width of a letter of a label; one that would run out of the drawing is left out
LYING_WIDTH, LYING_HEIGHT = 1000, 10


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
    is_lying: bool = False


def draw_bars(title: str, points: Sequence[tuple[str, Decimal | int, str]], *, unit: str = "") -> Chart:
    """Draw points of a label, a value and its text. Values below zero hang from the baseline.

    Where labels are too long to stand side by side, such as the titles of courses, the bars lie below each other.
    """
    ticks = choose_ticks([Decimal(value) for _label, value, _text in points])
    if any(len(label) > LONGEST_LABEL for label, _value, _text in points):
        return _draw_lying(title, points, ticks, unit=unit)
    return _draw_standing(title, points, ticks, unit=unit)


def choose_ticks(values: Sequence[Decimal]) -> list[Decimal]:
    """Return multiples of a round step (1, 2 or 5 times a power of ten) from below the lowest to above the highest.

    Zero is always one of them, so that the baseline has a tick of its own.
    """
    high, low = max(*values, Decimal(0), Decimal(0)), min(*values, Decimal(0), Decimal(0))
    raw = max((high - low) / STEPS, Decimal(1))
    power = Decimal(1).scaleb(raw.adjusted())
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= raw)
    first, last = int((low / step).to_integral_value(ROUND_FLOOR)), int((high / step).to_integral_value(ROUND_CEILING))
    if first == last:
        last = STEPS
    return [step * number for number in range(first, last + 1)]


def _draw_standing(
    title: str, points: Sequence[tuple[str, Decimal | int, str]], ticks: Sequence[Decimal], *, unit: str
) -> Chart:
    scale = (HEIGHT - TOP - BOTTOM) / float(ticks[-1] - ticks[0])
    baseline = TOP + float(ticks[-1]) * scale
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
            has_label=number % every == 0 and LEFT + (number + 0.5) * step + len(label) * HALF_LETTER <= WIDTH,
            middle=round(LEFT + (number + 0.5) * step, 2),
        )
        for number, (label, value, text) in enumerate(points)
    )
    return Chart(
        title=title,
        description=_describe(points),
        bars=bars,
        lines=tuple(Line(round(baseline - float(tick) * scale, 2), _number(tick)) for tick in ticks),
        unit=unit,
        baseline=round(baseline, 2),
    )


def _draw_lying(
    title: str, points: Sequence[tuple[str, Decimal | int, str]], ticks: Sequence[Decimal], *, unit: str
) -> Chart:
    """Draw each bar in a drawing of its own, from 0 to `LYING_WIDTH`: names and figures are text beside it."""
    scale = LYING_WIDTH / float(ticks[-1] - ticks[0])
    baseline = -float(ticks[0]) * scale
    bars = tuple(
        Bar(
            label=label,
            text=text,
            x=round(baseline + min(float(value) * scale, 0), 2),
            y=0,
            width=round(abs(float(value)) * scale, 2),
            height=LYING_HEIGHT,
            is_negative=value < 0,
            has_label=True,
            middle=round(baseline, 2),
        )
        for label, value, text in points
    )
    return Chart(
        title=title,
        description=_describe(points),
        bars=bars,
        lines=(),
        unit=unit,
        width=LYING_WIDTH,
        height=LYING_HEIGHT,
        baseline=round(baseline, 2),
        is_lying=True,
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


def _number(value: Decimal) -> str:
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"
