"""Shops as the environment sets them, without a query, until a test stores one."""

from __future__ import annotations

import math

import pytest

from mitxonline.kernel.shop import remember_shops


@pytest.fixture(autouse=True)
def _shops_of_the_environment() -> None:
    remember_shops((), seconds=math.inf)
