"""Seats as parts of a bar."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frontend.pages.seats import SeatMeter

COUNTS = st.integers(min_value=0, max_value=5000)


def test_the_parts_stand_in_their_order() -> None:
    meter = SeatMeter(joined=128, held=3, invited=22, cap=200)

    assert [(part.name, part.count) for part in meter.segments] == [
        ("joined", 128),
        ("held", 3),
        ("invited", 22),
        ("free", 47),
    ]
    assert meter.taken == 131


@given(joined=COUNTS, held=COUNTS, invited=COUNTS, cap=COUNTS)
def test_the_parts_fill_the_bar(joined: int, held: int, invited: int, cap: int) -> None:
    segments = SeatMeter(joined=joined, held=held, invited=invited, cap=cap).segments

    assert all(part.share > 0 for part in segments)
    assert not segments or sum(part.share for part in segments) == pytest.approx(100, abs=0.05)


@pytest.mark.parametrize(
    ("taken", "nearly", "full"), [(179, False, False), (180, True, False), (200, False, True), (201, False, True)]
)
def test_full_and_nearly_full(taken: int, nearly: bool, full: bool) -> None:
    meter = SeatMeter(joined=taken, cap=200)

    assert (meter.is_nearly_full, meter.is_full) == (nearly, full)


def test_more_members_than_seats_leave_none_free() -> None:
    assert SeatMeter(joined=12, cap=10).free == 0


def test_without_a_cap_nothing_is_full() -> None:
    assert not SeatMeter(joined=12).is_full
