"""Baskets, orders, discounts and products."""

from __future__ import annotations

from tests.api.world import Row, World

ROWS: tuple[Row, ...] = ()


def make_things(world: World) -> None:
    """Nothing yet."""
