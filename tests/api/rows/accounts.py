"""People and countries."""

from __future__ import annotations

from tests.api.world import Row, World

ROWS = (Row("countries_list", "oooooooo"),)


def make_things(world: World) -> None:
    """Nothing beyond the people."""
