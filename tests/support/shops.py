"""The default site with the shop that the environment sets, without a query, until a test stores one."""

from __future__ import annotations

import math

import pytest

from mitxonline.kernel.shop import StoredShop, remember_shops

DEFAULT_SITE_ID = 1  # of the site that Wagtail’s migrations create


@pytest.fixture(autouse=True)
def _shops_of_the_environment() -> None:
    remember_shops((StoredShop(site_id=DEFAULT_SITE_ID, hostname="", is_default=True),), seconds=math.inf)
