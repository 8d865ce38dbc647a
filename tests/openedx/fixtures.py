"""The fixture `course_site`: an Open edX on loopback sockets, not yet known to the settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.openedx import server


@pytest.fixture
def course_site() -> Iterator[server.CourseSite]:
    with server.course_site() as site:
        yield site
