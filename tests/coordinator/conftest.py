from collections.abc import Iterator

import pytest
from django.test import override_settings


@pytest.fixture(autouse=True)
def _routes() -> Iterator[None]:
    with override_settings(EVENT_ROUTES="tests.coordinator.world.ROUTES"):
        yield
