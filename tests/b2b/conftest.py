"""What every test about contracts starts from."""

import pytest


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Contracts live in the database."""
