"""The bar that shows the seats of a contract."""

from __future__ import annotations

from dataclasses import dataclass

from b2b.seats import SeatCount

SMALLEST = 3.0  # percent of the bar, so that one seat in a thousand is still visible
NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar; `start` and `share` are percentages of its width."""

    name: str
    count: int
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class SeatMeter(SeatCount):
    @property
    def is_full(self) -> bool:
        return self.taken_share is not None and self.taken_share >= 1

    @property
    def is_nearly_full(self) -> bool:
        return self.taken_share is not None and NEARLY_FULL <= self.taken_share < 1

    @property
    def segments(self) -> list[Segment]:
        """The non-empty parts, from left to right."""
        parts = [
            (name, count)
            for name, count in (
                ("joined", self.joined),
                ("held", self.held),
                ("invited", self.invited),
                ("free", self.free or 0),
            )
            if count
        ]
        return _lay_out(parts)


def _lay_out(parts: list[tuple[str, int]]) -> list[Segment]:
    whole = sum(count for _, count in parts)
    shares = [max(SMALLEST, 100 * count / whole) for _, count in parts]
    scale = 100 / sum(shares) if shares else 1
    segments, start = [], 0.0
    for (name, count), share in zip(parts, shares, strict=True):
        segments.append(Segment(name, count, round(start, 2), round(share * scale, 2)))
        start += share * scale
    return segments
