"""How the seats of a contract are drawn: whole numbers in, shares of a bar out."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST = 3.0  # per cent of the bar: a single seat of a thousand can still be seen
NEARLY_FULL = 0.9


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the bar; `start` and `share` are per cent of its width."""

    name: str
    count: int
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class SeatMeter:
    """Seats by what is with them. `held` are in checkout, `invited` have a code nobody used yet."""

    joined: int
    held: int = 0
    invited: int = 0
    cap: int | None = None

    @property
    def taken(self) -> int:
        return self.joined + self.held

    @property
    def free(self) -> int:
        """Seats that can still be given; never below zero, whatever the cap was lowered to."""
        return max(0, (self.cap or 0) - self.taken - self.invited)

    @property
    def is_full(self) -> bool:
        return self.cap is not None and self.taken >= self.cap

    @property
    def is_nearly_full(self) -> bool:
        return self.cap is not None and not self.is_full and self.taken >= self.cap * NEARLY_FULL

    @property
    def segments(self) -> list[Segment]:
        """The parts in their order, without empty ones."""
        parts = [
            (name, count)
            for name, count in (
                ("joined", self.joined),
                ("held", self.held),
                ("invited", self.invited),
                ("free", self.free),
            )
            if count
        ]
        return _laid_out(parts)


def _laid_out(parts: list[tuple[str, int]]) -> list[Segment]:
    whole = sum(count for _, count in parts)
    shares = [max(SMALLEST, 100 * count / whole) for _, count in parts]
    scale = 100 / sum(shares) if shares else 1
    segments, start = [], 0.0
    for (name, count), share in zip(parts, shares, strict=True):
        segments.append(Segment(name, count, round(start, 2), round(share * scale, 2)))
        start += share * scale
    return segments
